"""Grey images of two kinds of silhouette, heads with pointed ears and bodies on wheels, before a cluttered ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import ImageDraw

SIZE = 32
FINE = 4  # drawn this many times larger, then averaged


def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (count, 32, 32) uint8, transposed as the cat and car file stores them, and labels (count,): 0 cat, 1 car.

    Half of each, shuffled. Place, size, shape, greys, clutter and noise are drawn anew for every image.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 2)
    images = np.stack([_image(label, rng) for label in labels])
    noise = rng.uniform(4, 16, (count, 1, 1)) * rng.standard_normal(images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8).transpose(0, 2, 1), labels


def _image(label: int, rng: np.random.Generator) -> np.ndarray:
    """(SIZE, SIZE) float, upright."""
    from PIL import Image, ImageDraw

    side = SIZE * FINE
    ground = rng.uniform(70, 150)
    cells = np.clip(ground + 25 * rng.standard_normal((5, 5)), 0, 255).astype(np.uint8)
    canvas = Image.fromarray(cells).resize((side, side), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(canvas)
    for _ in range(rng.integers(2, 6)):
        _clutter(pen, rng, side)
    body = int(ground - rng.uniform(40, 65)) if rng.random() < 0.7 else int(ground + rng.uniform(40, 80))
    centre, unit = side * rng.uniform(0.4, 0.6, 2), side * rng.uniform(0.26, 0.38)
    (_car if label else _cat)(pen, rng, centre, unit, body)
    return np.asarray(canvas.reduce(FINE), np.float64)


def _clutter(pen: ImageDraw.ImageDraw, rng: np.random.Generator, side: int) -> None:
    ends = side * rng.uniform(0, 1, (2, 2))
    grey = int(rng.uniform(20, 220))
    if rng.random() < 0.5:
        pen.line([*ends[0], *ends[1]], fill=grey, width=int(rng.integers(2, 8)))
    else:
        pen.ellipse([*ends[0], *(ends[0] + side * rng.uniform(0.05, 0.2, 2))], fill=grey)


def _cat(pen: ImageDraw.ImageDraw, rng: np.random.Generator, centre: np.ndarray, unit: float, grey: int) -> None:
    wide, high = rng.uniform(0.75, 1.0), rng.uniform(0.7, 0.95)

    def at(*points: float) -> list[float]:
        return [centre[i % 2] + unit * point for i, point in enumerate(points)]

    for side in (-1, 1):
        tip = rng.uniform(1.1, 1.5)
        pen.polygon(at(side * 0.9 * wide, -0.2, side * 0.8 * wide, -tip, side * 0.1, -0.6 * high), fill=grey)
    pen.ellipse(at(-wide, -high, wide, high), fill=grey)
    for side in (-1, 1):
        x, y, r = side * rng.uniform(0.3, 0.45) * wide, -0.15, rng.uniform(0.1, 0.18)
        pen.ellipse(at(x - r, y - r, x + r, y + r), fill=230)
    pen.polygon(at(-0.12, 0.25, 0.12, 0.25, 0, 0.4), fill=40)


def _car(pen: ImageDraw.ImageDraw, rng: np.random.Generator, centre: np.ndarray, unit: float, grey: int) -> None:
    long, roof, wheel = rng.uniform(1.1, 1.35), rng.uniform(0.6, 0.9), rng.uniform(0.22, 0.32)
    back, front = rng.uniform(-0.9, -0.6), rng.uniform(0.4, 0.8)

    def at(*points: float) -> list[float]:
        return [centre[i % 2] + unit * point for i, point in enumerate(points)]

    pen.polygon(at(back, 0, back + 0.25, -roof, front - 0.3, -roof, front, 0), fill=grey)
    pen.polygon(at(back + 0.2, -0.05, back + 0.35, 0.15 - roof, front - 0.4, 0.15 - roof, front - 0.2, -0.05), fill=220)
    pen.rectangle(at(-long, -0.05, long, 0.5), fill=grey)
    for x in (-0.6 * long, 0.6 * long):
        pen.ellipse(at(x - wheel, 0.5 - wheel, x + wheel, 0.5 + wheel), fill=30)
