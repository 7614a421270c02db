"""What a model predicts, record for record: a wave's next value, and a sentence's next word."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twofold.compare.data import Split
from twofold.compare.names import plain
from twofold.compare.report.plots.hues import TEST, TRAIN
from twofold.compare.report.plots.sheet import Drawing, drawn, figure
from twofold.compare.sides import Side
from twofold.compare.training.train import outputs
from twofold.scratch.module import Array

MOST_PROBABLE = 10


@drawn
def waves(sets: Sequence[tuple[str, Array, Array]], heading: str) -> Drawing:
    """Predictions over true values for each (set, outputs, targets), record for record, one set after the other."""
    drawing, (axis,) = figure(1, 11, 3.8)
    start = 0
    for n, (name, outs, targets) in enumerate(sets):
        at = np.arange(start, start + len(targets))
        error = np.mean(np.square(outs.ravel() - targets.ravel()))
        hidden = "_" * (n > 0)  # from the second set on the legend has them already
        axis.plot(at, targets.ravel(), color=TRAIN, lw=2.5, alpha=0.45, label=f"{hidden}true")
        axis.plot(at, outs.ravel(), ".-", color=TEST, lw=0.9, ms=4, label=f"{hidden}predicted")
        words = f"{name}: MSE {error:.4g}"
        axis.text(at.mean(), 1.02, words, transform=axis.get_xaxis_transform(), ha="center", va="bottom")
        if n:
            axis.axvline(start - 0.5, color="black", lw=1, ls=(0, (4, 3)))
        start += len(targets)
    axis.set(xlabel="record", ylabel="next value")
    axis.margins(x=0.01)
    axis.legend(frameon=False, ncols=2, loc="upper left", bbox_to_anchor=(0, -0.16))
    drawing.suptitle(heading)
    return drawing


@dataclass(frozen=True)
class NextWord:
    """A record's words, the one that follows them, and the most probable ones with their probabilities, best first."""

    context: tuple[str, ...]
    true: str
    predicted: tuple[tuple[str, float], ...]


def next_words(side: Side, split: Split, chosen: Sequence[int], words: Sequence[str]) -> list[NextWord]:
    """The predictions for some records: cut out first, so that inputs, outputs and targets have one index."""
    some = Split(split.inputs[list(chosen)], split.targets[list(chosen)])
    _, outs = outputs(side, some)
    words = list(map(plain, words))
    exp = np.exp(outs - outs.max(axis=1, keepdims=True))
    found = []
    for tokens, true, probabilities in zip(
        some.inputs, some.targets, exp / exp.sum(axis=1, keepdims=True), strict=True
    ):
        best = np.argsort(-probabilities, kind="stable")[:MOST_PROBABLE]
        predicted = tuple((words[n], float(probabilities[n])) for n in best)
        found.append(NextWord(tuple(words[token] for token in tokens), words[true], predicted))
    return found


def as_text(found: Sequence[NextWord]) -> str:
    """Two lines a record, words quoted: its own and the true next; the predicted with percent, the true in brackets."""
    lines = []
    for record in found:
        marked = [f'["{word}"]' if word == record.true else f'"{word}"' for word, _ in record.predicted]
        percents = [f"{word} {100 * p:.1f} %" for word, (_, p) in zip(marked, record.predicted, strict=True)]
        context = " ".join(f'"{word}"' for word in record.context)
        lines += [f'{context} ... "{record.true}"', f"    {', '.join(percents)}"]
    return "\n".join(lines) + "\n"
