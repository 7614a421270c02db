"""`python -m tests.report.screenshots DIR [PAGE.html ...]`: pages by size and colour scheme, and on paper.

Without a page, those that are made by hand.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.report.browser import PAGES, SCHEMES, SIZES, Shown, browser, shown, written


def pictures(page: Shown, folder: Path) -> None:
    """The first screen and the whole page."""
    for size in SIZES:
        for scheme in SCHEMES:
            stem = f"{page.file.stem}-{size}-{scheme}"
            page.at(size, scheme).tab.screenshot(path=folder / f"{stem}.png")
            page.tab.screenshot(path=folder / f"{stem}-whole.png", full_page=True)
    page.on_paper().tab.pdf(path=folder / f"{page.file.stem}.pdf", prefer_css_page_size=True)


def main(folder: str, pages: Sequence[str]) -> None:
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    with browser() as started:
        for file in [Path(page).resolve() for page in pages] or [written(name, out) for name in PAGES]:
            pictures(shown(started, file), out)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m tests.report.screenshots DIR [PAGE.html ...]")
    main(sys.argv[1], sys.argv[2:])
