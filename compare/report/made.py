"""The pictures that earlier calls of `train` and `sweep` left of a pair, in the folders where they write by default."""

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from twofold.compare.report.page.plate import Plate, named
from twofold.compare.report.plots.bitmaps import HEAD, smaller
from twofold.compare.training import files

RUNS = Path("runs")
LARGEST = 2_000_000  # bytes of a picture: none that is drawn here has so many
TITLES = {"curves.png": "Curves", "gradients.png": "Gradients and updates", "sweep.png": "All combinations"}


@dataclass(frozen=True)
class Folder:
    """What one call wrote: the file that says of which pair it is, and the pictures beside it."""

    path: Path
    command: str
    record: str
    pictures: tuple[str, ...]

    def is_of(self, pair: str) -> bool:
        try:
            text = (self.path / self.record).read_text(encoding="utf-8")
            if self.record == files.NAME:
                return files.read(self.path / self.record)[0].get("pair") == pair
            return bool(json.loads(text)["configuration"]["pair"] == pair)
        except (OSError, ValueError, KeyError, TypeError):
            return False


def folders(pair: str, runs: Path) -> Iterator[Folder]:
    for side in ("scratch", "reference"):
        to = f"{pair} --backend {side}"
        pictures = ("curves.png", "gradients.png")
        yield Folder(runs / f"{pair}-{side}", f"train {to}", files.NAME, pictures)
        yield Folder(runs / f"{pair}-{side}-sweep", f"sweep {to}", "sweep.json", ("sweep.png", "gradients.png"))


def made(pair: str, runs: Path = RUNS) -> list[Plate]:
    """What can be read of them; a picture is as it was made, light."""
    found = []
    for folder in folders(pair, runs):
        for name in folder.pictures if folder.is_of(pair) else ():
            if (one := picture(folder, name)) is not None:
                found.append(one)
    return found


def picture(folder: Folder, name: str) -> Plate | None:
    path = folder.path / name
    try:
        if path.stat().st_size > LARGEST:
            return None
        content, when = path.read_bytes(), datetime.fromtimestamp(path.stat().st_mtime, UTC)
        panel = embedded(content)
    except OSError:  # there is none, or it is no picture
        return None
    told = f"{path}, as `twofold {folder.command}` left it on {when:%Y-%m-%d}."
    return Plate(TITLES[name], told, (named(panel, told),))


def embedded(png: bytes) -> str:
    """A picture of a file as the page holds them. Raises OSError for what is none."""
    from PIL import Image

    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        width, height = image.size
    source = smaller(HEAD + base64.b64encode(png).decode(), exact=True)
    size = f'width="{width}" height="{height}"'
    return f'<svg class="plot" viewBox="0 0 {width} {height}" {size} role="img"><image href="{source}" {size}/></svg>'
