"""The "binary version" of CIFAR-10: records of a label byte and 3,072 pixel bytes, three planes (R, G, B) of 32x32.

Source: the description published with the data set (Krizhevsky, "Learning Multiple Layers of Features from Tiny
Images", 2009).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers.bound import take
from twofold.compare.data.readers.source import opened, pieces

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
HIGHEST = 9  # of the labels


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read-only images (N, 3, 32, 32) and labels from 0 to 9 (N,), both uint8; DataError for anything else."""
    with opened(path, "CIFAR-10 in its binary version") as source:
        if not source.size or source.size % RECORD:
            raise mismatch(path, f"one or more records of {RECORD} bytes", f"{source.size} bytes")
        take(path, source.size)
        data = pieces(source.read, source.size)
        records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    records.flags.writeable = False
    labels = records[:, 0]
    if labels.max() > HIGHEST:
        first = int((labels > HIGHEST).argmax())
        raise mismatch(path, f"labels from 0 to {HIGHEST}", f"{labels[first]} in record {first}")
    return records[:, 1:].reshape(-1, *SHAPE), labels
