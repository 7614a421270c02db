"""`python -m tests.own.costs`: what a layout costs, style by style, as the table in docs/own-pair.md has it."""

from statistics import mean, median

import torch  # noqa: F401  its import is no part of a verdict's seconds

from tests.own.judged import runs
from tests.own.truth import LAYOUTS, Truth
from twofold import Verdict, judge

STYLES = (
    "beside them: tied, one matrix, dropout, twins, q k v, labels, without lines",
    "a dict of parameters",
    "layers as functions",
    "samples in columns",
    "NHWC convolutions",
    "LSTM, gates apart or in one",
    "min-char-rnn",
    "RNN without biases",
    "lists, biases first",
    "parallel lists",
    "bare tensors with .g",
    "attributes alone",
    "parameters made at the first call",
    "a dict a layer",
    "updated inside backward",
    "convolution blogs",
    "a list of references",
    "nodes with diffs",
    "GRUs",
    "an MLP with `parameters()`",
    "homework",
    "an engine of scalars",
    "engines of arrays",
    "attention and nested checkpoints",
    "layer norm",
    "kernels",
)  # by the number that a case has


def main() -> None:
    print("| style | nets | runs: least, middle, most | seconds: mean, most | with a mistake | seconds: mean, most |")
    print("|---|---|---|---|---|---|")
    for number in (*range(1, len(STYLES)), 0):
        right = [judged(truth) for truth in LAYOUTS if truth.style == number and truth.outcome == "same"]
        wrong = [judged(truth) for truth in LAYOUTS if truth.style == number and truth.outcome != "same"]
        counts = sorted(map(runs, right))
        told = ", ".join(f"{count:g}" for count in (counts[0], median(counts), counts[-1]))
        cells = [STYLES[number], len(right), told, seconds(right), len(wrong), seconds(wrong)]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def judged(truth: Truth) -> Verdict:
    call = truth.make()
    return judge(*call.arguments, **call.keywords)


def seconds(verdicts: list[Verdict]) -> str:
    taken = [verdict.seconds for verdict in verdicts]
    return f"{mean(taken):.2f}, {max(taken):.1f}" if taken else ""


if __name__ == "__main__":
    main()
