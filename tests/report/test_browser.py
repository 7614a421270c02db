"""The page as a browser shows it: checks x pages x sizes x colour schemes, and mistakes that each check is to find."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from tests.report.browser import OPEN, PAGES, SCHEMES, SIZES, Shown, browser, chromium, shown, written
from tests.report.screenshots import pictures

REQUIRED = "TWOFOLD_BROWSER"  # set to "required" where a test that is skipped for want of a browser is to fail
pytestmark = pytest.mark.xdist_group("browser")

WIDER = """[...document.querySelectorAll('body *')]
    .filter(one => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.wide, .skip, .hidden'))
    .map(one => one.outerHTML.slice(0, 100))"""
HIDDEN = """[...document.querySelectorAll('body *:not(button, script, template, noscript)')]
    .filter(one => !one.closest('svg') && !one.checkVisibility({checkVisibilityCSS: true, checkOpacity: true}))
    .map(one => one.outerHTML.slice(0, 100))"""
SHUT = """[...document.querySelectorAll('details > :not(summary, nav)')]
    .filter(one => !one.checkVisibility() || !one.getBoundingClientRect().height)
    .map(one => one.outerHTML.slice(0, 100))"""
CUT = """[...document.querySelectorAll('table:not(.kills), img, svg, pre')]
    .filter(one => one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 100))"""
UNDRAWN = """[...document.images].filter(one => !one.naturalWidth).map(one => one.alt)"""
FOCUS = """(() => {
    const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one)
    return {tag: one.tagName, name: one.className, told: one.outerHTML.slice(0, 100),
            seen: box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight,
            outlined: style.outlineStyle != 'none' && parseFloat(style.outlineWidth) >= 2}
})()"""


def quiet(page: Shown) -> list[str]:
    """No error in the console, and nothing asked for but the page itself."""
    page.again()
    page.tab.evaluate(OPEN)
    return page.said + [url for url in page.asked if url != page.file.as_uri() and not url.startswith("data:")]


def fits(page: Shown) -> list[str]:
    """Nothing is wider than the window but what scrolls in a frame of its own."""
    page.tab.evaluate(OPEN)
    wide = page.tab.evaluate("document.documentElement.scrollWidth > innerWidth")
    return page.tab.evaluate(WIDER) or (["the page scrolls sideways"] if wide else [])


def leads(page: Shown) -> list[str]:
    """A cell of the matrix brings its pair's section into sight."""
    page.again()
    for row in page.tab.locator(".matrix tbody tr").all():
        to = f"#{row.locator('th').inner_text()}"
        row.locator("td a").nth(11).click()
        top = page.tab.locator(f"{to} h2").bounding_box()["y"]
        if not page.tab.url.endswith(to) or not 0 <= top <= page.tab.viewport_size["height"] / 2:
            return [f"{to} is at {top}"]
    return []


def walked(page: Shown) -> list[str]:
    """By keyboard: first the way to the content, then each command; what has the focus is in sight and outlined."""
    page.again()
    page.tab.evaluate(OPEN)
    steps: list[dict[str, Any]] = []
    while len(steps) < 300:
        page.tab.keyboard.press("Tab")
        step = page.tab.evaluate(FOCUS)
        if step["tag"] == "BODY" or (steps and step == steps[0]):
            break
        steps.append(step)
    reached = sum(step["name"] == "command" for step in steps)
    wrong = [step["told"] for step in steps if not (step["seen"] and step["outlined"])]
    if not steps or steps[0]["name"] != "skip":
        wrong.append("the first is not the way to the content")
    return wrong + ["a command is not reached"] * (reached != page.tab.locator(".command").count())


def accessible(page: Shown) -> list[str]:
    """axe-core's rules, with every fold open."""
    page.tab.evaluate(OPEN)
    if page.tab.evaluate("typeof axe") == "undefined":
        page.tab.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.tab.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [f"{rule['id']}, {rule['impact']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]


def whole(page: Shown) -> list[str]:
    """Once the folds are open nothing is hidden, and each picture is drawn."""
    page.tab.evaluate(OPEN)
    return page.tab.evaluate(HIDDEN) + page.tab.evaluate(UNDRAWN)


def prints(page: Shown) -> list[str]:
    """On A4 every fold is open, nothing is cut off, and it is dark on light whatever the screen is."""
    page.again()
    page.on_paper()
    light = page.tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    return page.tab.evaluate(SHUT) + page.tab.evaluate(CUT) + ["the paper is not white"] * (not light)


CHECKS: dict[str, Callable[[Shown], list[str]]] = {
    check.__name__: check for check in (quiet, fits, leads, walked, accessible)
}
# What stands on the page and what a mistake makes of it, with the check that finds it.
MISTAKES = {
    "an error": (quiet, "</main>", "<script>nothing.at.all()</script></main>"),
    "a request": (quiet, "</main>", '<img alt="one" src="http://127.0.0.1:9/one.png"></main>'),
    "a wide line": (fits, "</main>", '<p style="width: 130vw">wide</p></main>'),
    "a link that leads astray": (leads, 'tabindex="-1" href="#green-mlp"', 'tabindex="-1" href="#checks"'),
    "a section out of sight": (leads, "scroll-padding-top: .5rem", "scroll-padding-top: 60rem"),
    "no outline": (walked, ":focus-visible {", ".command:focus-visible { outline: none; } :hover {"),
    "no way to the content": (walked, 'class="skip"', 'class="skip" tabindex="-1"'),
    "a command out of reach": (walked, 'class="command" tabindex="0"', 'class="command"'),
    "a picture without words": (accessible, "</main>", '<svg role="img" viewBox="0 0 9 9"></svg></main>'),
    "a text too faint": (accessible, "--soft: #526077", "--soft: #b0b8c4"),
    "a fold shut on paper": (prints, "content-visibility: visible", "content-visibility: hidden"),
    "a table cut off on paper": (prints, "font-size: 6.4pt", "font-size: 12pt"),
    "dark paper": (prints, "@media screen and", "@media"),
    "a section hidden": (whole, '<section id="faults"', '<section hidden id="faults"'),
    "a picture that is none": (whole, "</main>", '<img alt="one" src="data:image/png;base64,AAAA"></main>'),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Shown]]:
    """Each page is written and opened once."""
    if not chromium():
        reason = "no chromium, which shows the page: apt install chromium"
        (pytest.fail if os.environ.get(REQUIRED) == "required" else pytest.skip)(reason)
    folder: Path = tmp_path_factory.mktemp("pages")
    with browser() as started:

        @cache
        def file(name: str) -> Path:
            return written(name, folder)

        @cache
        def of(name: str, scripts: bool = True, *spoilt: str) -> Shown:
            if not spoilt:
                return shown(started, file(name), scripts)
            text = file(name).read_text(encoding="utf-8")
            assert spoilt[0] in text
            (folder / "spoilt.html").write_text(text.replace(*spoilt), encoding="utf-8")
            return shown(started, folder / "spoilt.html", scripts)

        yield of


VIEWS = [
    *((check, size, "light") for check in CHECKS if check != "accessible" for size in SIZES),
    *(("accessible", *view) for view in (("phone", "light"), ("desktop", "light"), ("desktop", "dark"))),
]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("check", "size", "scheme"), VIEWS)
def test_every_page_at_every_size(check: str, size: str, scheme: str, name: str, pages: Any) -> None:
    assert CHECKS[check](pages(name).at(size, scheme)) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_whole_without_scripts(name: str, pages: Any) -> None:
    assert whole(pages(name, False).at("desktop", "light")) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_page_prints_whole(name: str, pages: Any) -> None:
    assert prints(pages(name).at("desktop", "dark")) == []


def test_a_page_is_taken_in_both_schemes_and_on_paper(
    pages: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.report.screenshots.SIZES", ["phone"])
    pictures(pages("raising"), tmp_path)
    width, height = SIZES["phone"]
    light, dark = (imread(tmp_path / f"raising-phone-{scheme}.png") for scheme in SCHEMES)
    assert light.shape[:2] == dark.shape[:2] == (height, width)
    assert (light[0, 0] != dark[0, 0]).any()
    assert len(imread(tmp_path / "raising-phone-light-whole.png")) > height
    assert (tmp_path / "raising.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_check_finds_what_it_is_for(mistake: str, pages: Any) -> None:
    check, *spoilt = MISTAKES[mistake]
    page = pages("failing", check is not whole, *spoilt)
    assert check(page.at("projector", "dark" if check is prints else "light"))
    page.tab.context.close()
