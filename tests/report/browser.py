"""Pages made by hand, and how Chromium shows them: by width, by colour scheme, on paper, with and without scripts."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.report.reports import KINDS, MADE_IN, green, lstm
from twofold.compare.report.page.page import page
from twofold.compare.report.pair import PairReport

PAGES: dict[str, tuple[PairReport, ...]] = {
    "green": (green("one-mlp"), green("other-mlp")),
    "failing": (green(), lstm(), lstm("other-lstm")),
    "raising": (KINDS["raises"], KINDS["training raises"]),
    "unsettled": tuple(KINDS[kind] for kind in ("vacuous", "inconclusive", "stopped", "skipped", "a mistake survives")),
}
SIZES = {"phone": (360, 740), "projector": (1280, 720), "desktop": (1920, 1080)}
SCHEMES = ("light", "dark")
OPEN = "document.querySelectorAll('details').forEach(fold => fold.open = true)"


def chromium() -> str:
    """The system's own; "" where it has none."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
    )


def written(name: str, folder: Path) -> Path:
    file = folder / f"{name}.html"
    file.write_text(page(PAGES[name], MADE_IN, "today"), encoding="utf-8")
    return file


@contextmanager
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=chromium(), chromium_sandbox=os.geteuid() != 0, args=["--disable-gpu"]
        )
        yield started
        started.close()


@dataclass
class Shown:
    """A page that is open, and what it said and asked for meanwhile."""

    file: Path
    tab: Any = field(repr=False)
    said: list[str] = field(default_factory=list, repr=False)
    asked: list[str] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.again()

    def again(self) -> None:
        """As when it is opened."""
        self.tab.goto(self.file.as_uri())

    def at(self, size: str, scheme: str) -> "Shown":
        width, height = SIZES[size]
        self.tab.set_viewport_size({"width": width, "height": height})
        self.tab.emulate_media(color_scheme=scheme, media="screen")
        return self

    def on_paper(self) -> "Shown":
        """A4 with margins of 12 mm."""
        self.tab.set_viewport_size({"width": 703, "height": 1031})
        self.tab.emulate_media(media="print")
        return self


def shown(started: Any, file: Path, scripts: bool = True) -> Shown:
    return Shown(file, started.new_context(java_script_enabled=scripts).new_page())
