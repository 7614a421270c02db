"""Colour images of ten kinds of figure before a ground of two blended colours, with clutter and noise.

Each kind has a hue that it leans to; shape tells it better than colour.
"""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

CLASSES = ("disc", "ring", "square", "triangle", "star", "cross", "crescent", "house", "tree", "boat")
SIZE = 32
FINE = 3  # drawn this many times larger, then averaged
LEANING = 0.12  # standard deviation of a figure's hue about its kind's, of a full circle

Colour = tuple[int, int, int]


def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (count, 3, 32, 32) uint8 and labels (count,) uint8, each kind equally often, shuffled.

    Place, size, turn, colours, ground, clutter and noise are drawn anew for every image.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(CLASSES)).astype(np.uint8)
    images = np.stack([_image(int(label), rng) for label in labels])
    return images.transpose(0, 3, 1, 2).copy(), labels


def _image(label: int, rng: np.random.Generator) -> np.ndarray:
    """(SIZE, SIZE, 3) uint8."""
    from PIL import ImageDraw

    side = SIZE * FINE
    light = rng.uniform(0.25, 0.85)  # of the ground; the figure is lighter or darker
    canvas = _ground(light, rng)
    pen = ImageDraw.Draw(canvas)
    for _ in range(rng.integers(1, 5)):
        ends = side * rng.uniform(0, 1, (2, 2))
        clutter = _colour(rng.random(), rng.uniform(0.2, 0.9), rng)
        pen.line([*ends[0], *ends[1]], fill=clutter, width=int(rng.integers(2, 6)))
    hue = label / len(CLASSES) + LEANING * rng.standard_normal()
    figure = _colour(hue, light + 0.35 if light < 0.45 else light - rng.uniform(0.25, 0.4), rng)
    turn = np.deg2rad(rng.uniform(-25, 25))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    frame = side * rng.uniform(0.22, 0.4) * rotation @ np.diag(rng.uniform(0.8, 1.1, 2))
    centre = side * rng.uniform(0.38, 0.62, 2)
    for points, filled in OUTLINES[CLASSES[label]]:
        corners = [tuple(corner) for corner in points @ frame.T + centre]
        pen.polygon(corners, fill=figure if filled else _colour(rng.random(), light, rng))
    noise = rng.uniform(4, 24) * rng.standard_normal((SIZE, SIZE, 3), np.float32)
    return np.clip(np.asarray(canvas.reduce(FINE)) + noise, 0, 255).astype(np.uint8)


def _ground(light: float, rng: np.random.Generator) -> Image.Image:
    from PIL import Image

    ends = np.array([_colour(rng.random(), light, rng) for _ in range(2)])
    blend = rng.uniform(0, 1, (4, 4, 1))
    cells = np.clip(ends[0] * blend + ends[1] * (1 - blend), 0, 255).astype(np.uint8)
    return Image.fromarray(cells).resize((SIZE * FINE, SIZE * FINE), Image.Resampling.BICUBIC)


def _colour(hue: float, value: float, rng: np.random.Generator) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, rng.uniform(0.2, 0.9), min(max(value, 0.0), 1.0))
    return round(255 * red), round(255 * green), round(255 * blue)


def _arc(start: float, end: float, radius: float = 1, x: float = 0, y: float = 0) -> np.ndarray:
    angles = np.deg2rad(np.linspace(start, end, 24))
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)


def _star(points: int) -> np.ndarray:
    angles = np.pi * (np.arange(2 * points) / points - 0.5)
    radii = np.where(np.arange(2 * points) % 2, 0.45, 1.15)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


# Polygons of each kind in a frame from -1 to 1, y downwards; False: a hole, in another colour.
OUTLINES: dict[str, list[tuple[np.ndarray, bool]]] = {
    "disc": [(_arc(0, 360), True)],
    "ring": [(_arc(0, 360), True), (_arc(0, 360, 0.55), False)],
    "square": [(np.array([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]), True)],
    "triangle": [(np.array([[0, -1], [1, 0.8], [-1, 0.8]]), True)],
    "star": [(_star(5), True)],
    "cross": [
        (np.array([[-0.35, -1.0], [0.35, -1.0], [0.35, 1.0], [-0.35, 1.0]]), True),
        (np.array([[-1.0, -0.35], [1.0, -0.35], [1.0, 0.35], [-1.0, 0.35]]), True),
    ],
    "crescent": [(np.concatenate([_arc(50, 310), _arc(295, 65, 0.85, 0.45)]), True)],
    "house": [
        (np.array([[-0.8, -0.1], [0.8, -0.1], [0.8, 1.0], [-0.8, 1.0]]), True),
        (np.array([[-1.1, -0.1], [0, -1.1], [1.1, -0.1]]), True),
        (np.array([[-0.2, 0.4], [0.2, 0.4], [0.2, 1.0], [-0.2, 1.0]]), False),
    ],
    "tree": [
        (np.array([[-0.2, 0.3], [0.2, 0.3], [0.2, 1.2], [-0.2, 1.2]]), True),
        (_arc(0, 360, 0.75, 0, -0.35), True),
    ],
    "boat": [
        (np.array([[-1.1, 0.4], [1.1, 0.4], [0.7, 1.0], [-0.7, 1.0]]), True),
        (np.array([[-0.1, -1.1], [0.8, 0.25], [-0.1, 0.25]]), True),
    ],
}
