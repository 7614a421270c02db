"""The images behind the published logs of `fc-net` and `three-layer-convnet`."""

from functools import cache
from pathlib import Path

import numpy as np

from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers import cifar_binary
from twofold.compare.data.readers.fields import FLOATS, Field
from twofold.compare.data.readers.files import locate
from twofold.compare.data.readers.numpy_files import read_npy
from twofold.scratch.module import Array

FOLDER = "cifar-10-batches-bin"
FILES = tuple((f"{FOLDER}/{name}",) for name in ("data_batch_1.bin", "val_last1000.bin", "mean_image_49000.npy"))
TRAINING = 4000  # no run needs more

Labelled = tuple[Array, Array]


@cache
def images(directory: Path) -> tuple[Labelled, Labelled]:
    """The first training images and the last 1,000 as float64 (N, 3, 32, 32), minus the mean image; their labels."""
    train, validation, mean = (locate(directory, alternatives) for alternatives in FILES)
    centre = read_npy(mean, Field(cifar_binary.SHAPE, FLOATS))
    return centred(train, TRAINING, centre), centred(validation, 1000, centre)


def centred(path: Path, count: int, centre: Array) -> Labelled:
    """The first `count` records; DataError for a file with fewer."""
    pixels, labels = cifar_binary.read(path)
    if len(pixels) < count:
        raise mismatch(path, f"at least {count} records", len(pixels))
    return pixels[:count] - centre, labels[:count].astype(np.int64)
