"""What the tests of the bench measure: `catcar-mlp` on seven drawn records."""

import numpy as np

from twofold.compare.data import Dataset, Split
from twofold.compare.pairs import PAIRS

DTYPES = ("float32", "float64")
CATCAR = PAIRS["catcar-mlp"]


def records(shape: tuple[int, ...], count: int = 7) -> Dataset:
    rng = np.random.default_rng(0)
    split = Split(rng.standard_normal((count, *shape)).astype(np.float32), np.ones((count, 1), np.float32))
    return Dataset("drawn", "embedded", split, None, split, ())


CARS = records((1024,))
