"""Patches of the photograph that comes with matplotlib, a portrait of Grace Hopper.

The same for a seed on one machine; another version of Pillow may decode a pixel otherwise.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twofold.compare.data.errors import mismatch
from twofold.compare.environment import import_matplotlib

FILE = "sample_data/grace_hopper.jpg"


def patches(count: int, size: int, seed: int) -> np.ndarray:
    """Colour patches (count, 3, size, size) float64 in [0, 1], from as many different places."""
    image = _pixels() / 255
    corners = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))  # (rows, columns, 3, ...)
    places = np.random.default_rng(seed).choice(corners.shape[0] * corners.shape[1], count, replace=False)
    return corners[np.unravel_index(places, corners.shape[:2])]


def _pixels() -> np.ndarray:
    """(height, width, 3) uint8."""
    matplotlib = import_matplotlib()
    from PIL import Image

    path = Path(matplotlib.get_data_path()) / FILE
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise mismatch(path, "a photograph of matplotlib", f"{type(error).__name__}: {error}") from error
