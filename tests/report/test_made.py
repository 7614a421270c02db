"""What `train` and `sweep` drew of a pair stands in its section, where it is that pair's and a picture."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.report.reports import MADE_IN, dot, green
from twofold.compare.report import made as module
from twofold.compare.report.content import as_content, of_content
from twofold.compare.report.made import made
from twofold.compare.report.page.page import page
from twofold.compare.strict import dumps


def trained(runs: Path, of: str = "catcar-mlp", content: bytes = b"") -> None:
    folder = runs / "catcar-mlp-scratch"
    folder.mkdir(parents=True)
    (folder / "configuration.toml").write_text(f'pair = "{of}"\nbackend = "scratch"\n')
    (folder / "curves.png").write_bytes(content or dot())


def swept(runs: Path) -> None:
    folder = runs / "catcar-mlp-reference-sweep"
    folder.mkdir(parents=True)
    (folder / "sweep.json").write_text(json.dumps({"configuration": {"pair": "catcar-mlp"}}))
    (folder / "sweep.png").write_bytes(dot())
    (folder / "gradients.png").write_bytes(dot())


def unreadable(runs: Path) -> None:
    trained(runs)
    (runs / "catcar-mlp-scratch" / "configuration.toml").write_bytes(b"\xff\xfe")


MAKERS: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "nothing": (lambda runs: None, []),
    "a training": (trained, ["Curves"]),
    "a sweep": (swept, ["All combinations", "Gradients and updates"]),
    "a training of another pair": (lambda runs: trained(runs, "fc-net"), []),
    "what is no picture": (lambda runs: trained(runs, content=b"GIF89a, or so"), []),
    "a configuration that is none": (unreadable, []),
}


@pytest.mark.parametrize("what", MAKERS)
def test_what_is_shown(what: str, tmp_path: Path) -> None:
    make, titles = MAKERS[what]
    make(tmp_path)
    assert [one.title for one in made("catcar-mlp", tmp_path)] == titles


def test_what_is_too_large_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(tmp_path)
    monkeypatch.setattr(module, "LARGEST", 10)
    assert made("catcar-mlp", tmp_path) == []


def test_it_stands_on_the_page_and_is_drawn_again(tmp_path: Path) -> None:
    swept(tmp_path)
    report = green()
    report.made = made("catcar-mlp", tmp_path)
    (again,) = of_content(json.loads(dumps(as_content([report], MADE_IN))))
    assert again.made == report.made
    text = page([again], MADE_IN, "now")
    assert text == page([report], MADE_IN, "now")
    assert "as `twofold sweep catcar-mlp --backend reference` left it" in text
