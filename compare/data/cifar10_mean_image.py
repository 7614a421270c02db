"""The images of `cifar10` in another preparation: minus the mean image of those that are trained on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from twofold.compare.data import cifar10
from twofold.compare.data.readers import cifar_binary, fields, numpy_files
from twofold.compare.data.readers.files import there
from twofold.compare.data.splits import Dataset, Split

NAME = "cifar10-mean-image"
MEAN_FILE = f"{cifar10.FOLDER}/mean_image_49000.npy"
MORE = (*cifar10.MORE, MEAN_FILE)
TESTED = 1000  # of the test images, where all training images are there


def read(directory: Path) -> Dataset:
    """Centred images of `cifar10.read_pixels`; of a full set only the first 1,000 test images, as published.

    Where not all training images are there, a file may bring their mean image.
    """
    pixels = cifar10.read_pixels(directory)
    if pixels.complete:
        test = Split(pixels.test.inputs[:TESTED], pixels.test.targets[:TESTED])
        return _dataset(pixels._replace(test=test), mean_image(pixels.train.inputs))
    for path in there(directory, (MEAN_FILE,)):
        mean = numpy_files.read_npy(path, fields.Field(cifar_binary.SHAPE, fields.FLOATS))
        fields.refuse_any(path, "means of bytes, 0 to 255", mean, (mean < 0) | (mean > 255))
        return _dataset(pixels._replace(note=f"{pixels.note}; mean image from {path.name}"), mean)
    note = f"{pixels.note}; mean image of the {len(pixels.train):,} that are trained on"
    return _dataset(pixels._replace(note=note), mean_image(pixels.train.inputs))


def embedded() -> Dataset:
    """Centred images of `cifar10.draw_pixels`."""
    pixels = cifar10.draw_pixels()
    return _dataset(pixels, mean_image(pixels.train.inputs))


def mean_image(images: np.ndarray) -> np.ndarray:
    """uint8 (N, 3, 32, 32) -> float64 (3, 32, 32); the sums are whole numbers, and so exact in any order."""
    return images.mean(axis=0, dtype=np.float64)


def centre(images: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """uint8 (N, 3, 32, 32) minus float64 (3, 32, 32), in float64 and rounded once -> float32."""
    inputs = np.empty(images.shape, np.float32)
    np.subtract(images, mean, out=inputs, dtype=np.float64, casting="same_kind")  # in small buffers, no second copy
    return inputs


def _dataset(pixels: cifar10.Pixels, mean: np.ndarray) -> Dataset:
    return cifar10.prepared(NAME, pixels, partial(centre, mean=mean))
