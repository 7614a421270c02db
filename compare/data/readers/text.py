"""From sentences to four-grams: three words, and the word that follows."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np

from twofold.compare.data.errors import mismatch
from twofold.compare.data.splits import Split

OUTSIDE = -1  # the index of a token outside the vocabulary, and of the gap between two sentences


def sentences(path: Path) -> list[list[str]]:
    """Each line's lower-case tokens; they are what stands between white space, so "'s", "." and "mr." are tokens."""
    try:
        with path.open(encoding="utf-8") as lines:
            return [line.lower().split() for line in lines]
    except (OSError, UnicodeDecodeError) as error:
        raise mismatch(path, "a text file in UTF-8", f"{type(error).__name__}: {error}") from error


def vocabulary(tokens: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """The distinct tokens of all sentences in order of first appearance."""
    return tuple(dict.fromkeys(chain.from_iterable(tokens)))


def four_grams(tokens: Iterable[Iterable[str]], words: tuple[str, ...]) -> np.ndarray:
    """Every run of four tokens within one sentence and within `words`, as indices from 0: (N, 4) int64."""
    index = {word: i for i, word in enumerate(words)}
    stream = [OUTSIDE] * 4
    for sentence in tokens:
        stream.extend(index.get(token, OUTSIDE) for token in sentence)
        stream.append(OUTSIDE)
    runs = np.lib.stride_tricks.sliding_window_view(np.array(stream, np.int64), 4)
    return runs[(runs != OUTSIDE).all(axis=1)]


def cut(grams: np.ndarray, seed: int) -> tuple[Split, Split, Split]:
    """(N, 4) shuffled by `seed` and cut 80/10/10 into training, validation and test records of three words and one."""
    shuffled = np.random.default_rng(seed).permutation(grams)
    bounds = [8 * len(grams) // 10, 9 * len(grams) // 10]
    train, validation, test = (Split(part[:, :3].copy(), part[:, 3].copy()) for part in np.split(shuffled, bounds))
    return train, validation, test
