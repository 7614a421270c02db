"""Three words and the one that follows, over a vocabulary of 250."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twofold.compare.data.embedded import documentation
from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers import hdf5, text
from twofold.compare.data.readers.fields import NUMBERS, STRINGS, Field, whole
from twofold.compare.data.readers.files import described, locate
from twofold.compare.data.splits import Dataset, Split

WORDS = 250
SEED = 5  # of the shuffle, where we cut the text ourselves
FILES = (("eee443/assign2_data2.h5", "eee443/raw_sentences.txt"),)
FIELDS = {
    "trainx": Field(("N", 3), NUMBERS),
    "traind": Field(("N",), NUMBERS),
    "valx": Field(("V", 3), NUMBERS),
    "vald": Field(("V",), NUMBERS),
    "testx": Field(("M", 3), NUMBERS),
    "testd": Field(("M",), NUMBERS),
    "words": Field((WORDS,), STRINGS),
}


def read(directory: Path) -> Dataset:
    """The HDF5 file if it is there, else the sentences; words are numbered from 0, although the file counts from 1."""
    path = locate(directory, FILES[0])
    return _from_hdf5(directory, path) if path.suffix == ".h5" else _from_text(directory, path)


def embedded() -> Dataset:
    """Four-grams of the 250 commonest tokens of Python's documentation topics."""
    sentences = documentation.sentences()
    words = documentation.commonest(sentences, WORDS)
    return _from_grams("embedded", "embedded", text.four_grams(sentences, words), words, documentation.NOTE)


def _from_hdf5(directory: Path, path: Path) -> Dataset:
    arrays = hdf5.read(path, FIELDS)
    index = {key: whole(path, key, arrays[key], 1, WORDS) - 1 for key in FIELDS if key != "words"}
    return Dataset(
        name="trigrams",
        source=described(directory, [path]),
        train=Split(index["trainx"], index["traind"]),
        validation=Split(index["valx"], index["vald"]),
        test=Split(index["testx"], index["testd"]),
        classes=tuple(word.decode("utf-8", "replace") for word in arrays["words"].tolist()),
    )


def _from_text(directory: Path, path: Path) -> Dataset:
    words = text.vocabulary(text.sentences(path), WORDS)
    if len(words) != WORDS:
        raise mismatch(path, f"{WORDS} distinct tokens", f"more than {WORDS}" if len(words) > WORDS else len(words))
    note = f"from {path.name}: own split and numbering"
    grams = text.four_grams(text.sentences(path), words)
    return _from_grams(described(directory, [path]), str(path), grams, words, note)


def _from_grams(source: str, where: str, grams: np.ndarray, words: tuple[str, ...], note: str) -> Dataset:
    if len(grams) < 10:
        raise mismatch(where, "at least 10 four-grams, to cut 80/10/10", len(grams))
    train, validation, test = text.cut(grams, SEED)
    return Dataset("trigrams", source, train, validation, test, words, note)
