"""From sentences to four-grams: three words, and the word that follows."""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers.bound import take
from twofold.compare.data.readers.source import opened
from twofold.compare.data.splits import Split

FORM = "a text file in UTF-8"
LONGEST = 1 << 20  # characters of a line
COST = 40  # bytes that a line counts for in the bound, beside its own: what takes time is how many there are
OUTSIDE = -1  # the index of a token outside the vocabulary, and of the gap between two sentences


def sentences(path: Path) -> Iterator[list[str]]:
    """Each line's lower-case tokens; they are what stands between white space, so "'s", "." and "mr." are tokens."""
    with opened(path, FORM) as source:
        take(path, source.size)
        lines = io.TextIOWrapper(io.BufferedReader(source), encoding="utf-8-sig")  # -sig: without a mark in front
        number = 0
        while line := lines.readline(LONGEST):
            number += 1
            if len(line) == LONGEST and not line.endswith("\n"):
                raise mismatch(path, f"lines of less than {LONGEST:,} characters", f"more in line {number}")
            if not number % 10_000:
                take(path, source.size + COST * number)
            yield line.lower().split()


def vocabulary(tokens: Iterable[Iterable[str]], most: int) -> tuple[str, ...]:
    """The distinct tokens of all sentences in order of first appearance; once there are more than `most`, as many."""
    found: dict[str, None] = {}
    for sentence in tokens:
        found.update(dict.fromkeys(sentence))
        if len(found) > most:
            break
    return tuple(found)


def four_grams(tokens: Iterable[Iterable[str]], words: tuple[str, ...]) -> np.ndarray:
    """Every run of four tokens within one sentence and within `words`, as indices from 0: (N, 4) int64."""
    index = {word: i for i, word in enumerate(words)}
    stream = array("i", [OUTSIDE] * 4)
    for sentence in tokens:
        stream.extend(index.get(token, OUTSIDE) for token in sentence)
        stream.append(OUTSIDE)
    runs = np.lib.stride_tricks.sliding_window_view(np.frombuffer(stream, np.intc), 4)
    return runs[(runs != OUTSIDE).all(axis=1)].astype(np.int64)


def cut(grams: np.ndarray, seed: int) -> tuple[Split, Split, Split]:
    """(N, 4) shuffled by `seed` and cut 80/10/10 into training, validation and test records of three words and one."""
    shuffled = np.random.default_rng(seed).permutation(grams)
    bounds = [8 * len(grams) // 10, 9 * len(grams) // 10]
    train, validation, test = (Split(part[:, :3].copy(), part[:, 3].copy()) for part in np.split(shuffled, bounds))
    return train, validation, test
