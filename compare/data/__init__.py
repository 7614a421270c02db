"""The data sets: `known`, `found`, `load` and `fetch`, by name.

A data set is one file here (its files, preprocessing and two sources), a generator in `embedded/`, and a row in
`registry.py`; the formats have files of their own.
"""

from twofold.compare.data.download import fetch
from twofold.compare.data.errors import DataError
from twofold.compare.data.registry import Entry, Found, found, known, load
from twofold.compare.data.splits import Dataset, Split

__all__ = ["DataError", "Dataset", "Entry", "Found", "Split", "fetch", "found", "known", "load"]
