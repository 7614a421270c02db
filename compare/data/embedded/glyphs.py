"""Images of characters, drawn from the fonts that come with matplotlib.

The same for a seed on one machine; another version of Pillow or of the fonts may move a pixel.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twofold.compare.data.errors import mismatch
from twofold.compare.environment import import_matplotlib

if TYPE_CHECKING:
    from PIL import Image

FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Italic",
    "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmr10", "cmb10", "cmss10", "cmti10", "cmtt10",
)  # fmt: skip
SIZE = 28
FINE = 2  # drawn this many times larger, then averaged
POINTS = 64


def draw(characters: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (count, 28, 28) uint8, light on black, and labels (count,) uint8, each character equally often, shuffled.

    Font, place, size, slant, rotation, stroke intensity and noise are drawn anew for every image.
    """
    rng = np.random.default_rng(seed)
    stencils = [[_stencil(font, character) for font in FONTS] for character in characters]
    labels = rng.permutation(np.arange(count) % len(characters)).astype(np.uint8)
    fonts = rng.integers(len(FONTS), size=count)
    strokes = np.stack([_place(stencils[label][font], rng) for label, font in zip(labels, fonts, strict=True)])
    intensity = rng.uniform(0.55, 1.0, (count, 1, 1))
    noise = rng.uniform(0, 30, (count, 1, 1)) * rng.standard_normal(strokes.shape)
    return np.clip(strokes * intensity + noise, 0, 255).astype(np.uint8), labels


def _stencil(font: str, character: str) -> Image.Image:
    """The character in white on black, cropped to its ink."""
    matplotlib = import_matplotlib()
    from PIL import Image, ImageDraw, ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    try:
        face = ImageFont.truetype(str(path), POINTS, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise mismatch(path, "a font of matplotlib", f"{type(error).__name__}: {error}") from error
    image = Image.new("L", (2 * POINTS, 2 * POINTS))
    ImageDraw.Draw(image).text((POINTS / 2, POINTS / 4), character, fill=255, font=face)
    return image.crop(image.getbbox())


def _place(stencil: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """(SIZE, SIZE) float: the stencil under a random affine map."""
    from PIL import Image, ImageFilter

    side = FINE * SIZE
    turn, slant = np.deg2rad(rng.uniform(-20, 20)), rng.uniform(-0.3, 0.3)
    height = rng.uniform(0.5, 0.8) * side / stencil.height
    width = height * rng.uniform(0.8, 1.2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    back = np.linalg.inv(rotation @ np.array([[width, slant * height], [0, height]]))  # PIL maps output to input
    centre = side / 2 + FINE * rng.uniform(-3, 3, 2)
    start = np.array(stencil.size) / 2 - back @ centre
    coefficients = (*back[0], start[0], *back[1], start[1])
    placed = stencil.transform((side, side), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    blurred = placed.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.7 * FINE)))
    return np.asarray(blurred.reduce(FINE), np.float64)
