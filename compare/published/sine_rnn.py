"""The four logs of `sine-rnn`, by the update as published, and their first epoch by the right gradient."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from twofold.compare.judge.checks.curves import INFORMATIVE
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.pair import Twin
from twofold.compare.published.figure import Curves, Entry, Run, Series
from twofold.compare.published.judge import widths
from twofold.compare.published.printed import Form
from twofold.compare.published.sides import Setup, load
from twofold.compare.published.sources import read
from twofold.compare.sides import Scratch, Side
from twofold.scratch.module import Array

MODEL = Twin("twofold.scratch.models.sine_rnn:SineRNN", "twofold.reference.models.sine_rnn:SineRNN", {"steps": 50})
LOSS = Twin("twofold.scratch:MSELoss", "torch.nn:MSELoss", {"reduction": "sum"})
BROADCAST = Twin(
    "twofold.compare.published.as_published_scratch:broadcast_step",
    "twofold.compare.published.as_published_reference:broadcast_step",
)
STEPS, TRAINING, VALIDATION = 50, 100, 50
LIMIT, RATE = 10.0, 1e-4
EXACT_EPOCHS, TWINS = 5, 5
COLUMNS = ("training loss", "validation loss")
FORM = Form(decimals=8)  # rounded to 8 decimals, final zeros dropped


class Records(NamedTuple):
    """Windows (N, 50) and the value after each (N, 1), for training and for the validation loss."""

    inputs: Array
    targets: Array
    held_inputs: Array
    held_targets: Array


def runs() -> list[Run]:
    published = read("sine-rnn")["runs"]
    found = []
    for place, run in enumerate(published):
        names = [other["name"] for other in published[: place + 1]]
        log = run["losses"]
        found.append(Run("sine-rnn", f"{run['name']}, update as published", columns(log), partial(as_published, names)))
        found.append(Run("sine-rnn", f"{run['name']}, right gradient", columns(log[:1]), partial(right, names)))
    return found


def columns(log: Sequence[Sequence[Any]]) -> tuple[Series, ...]:
    return tuple(
        Series(
            name, tuple(Entry(f"{name} {row[0]}", row[1 + place], row[0] - 1) for row in log), EXACT_EPOCHS, form=FORM
        )
        for place, name in enumerate(COLUMNS)
    )


def sine(x: Array) -> Array:
    return np.sin(x)


def triangle(x: Array, p: float = 5.0) -> Array:
    """The triangle wave of period p."""
    half = np.floor(2 * x / p + 0.5)
    return 4 / p * (x - p / 2 * half) * (-1) ** half


WAVES: dict[str, Callable[[Array], Array]] = {"sine": sine, "triangle": triangle}


def windows(values: Array) -> tuple[Array, Array]:
    inputs = np.stack([values[start : start + STEPS] for start in range(TRAINING + VALIDATION)])
    return inputs, values[STEPS:][:, None]


def records(wave: str) -> Records:
    """All validation losses were computed on the sine's records, those of the triangle run too (F22)."""
    x = np.arange(200.0)
    inputs, targets = windows(WAVES[wave](x))
    held_inputs, held_targets = windows(sine(x))
    return Records(inputs[:TRAINING], targets[:TRAINING], held_inputs[TRAINING:], held_targets[TRAINING:])


def weights(names: Sequence[str]) -> Iterator[dict[str, Array]]:
    """U, W and V of each run in turn, from one seed."""
    rng: Any = np.random.RandomState(0)
    for name in names:
        hidden = hidden_of(name)
        shapes = {
            "rnn.weight_ih_l0": (hidden, STEPS),
            "rnn.weight_hh_l0": (hidden, hidden),
            "output.weight": (1, hidden),
        }
        yield {parameter: rng.uniform(0, 1, shape) for parameter, shape in shapes.items()}


def hidden_of(name: str) -> int:
    return int(name.rpartition(" ")[2])


def prepared(names: Sequence[str]) -> tuple[Setup, Records, dict[str, Array]]:
    """The last of `names`; the runs before it are drawn as well, as they use up random numbers."""
    setup = Setup(MODEL.given(hidden=hidden_of(names[-1])), LOSS)
    return setup, records(names[-1].partition(",")[0]), next(islice(weights(names), len(names) - 1, None))


def printed_losses(side: Side, data: Records) -> tuple[float, float]:
    """Half the squared error, summed over the records."""
    training = side.evaluate(data.inputs, data.targets)[0]
    return training / 2, side.evaluate(data.held_inputs, data.held_targets)[0] / 2


def epochs(side: Side, data: Records) -> Iterator[tuple[float, float]]:
    """The losses before each epoch's updates, without end."""
    while True:
        yield printed_losses(side, data)
        for n in range(TRAINING):
            step(side, data.inputs[n : n + 1], data.targets[n : n + 1])


def step(side: Side, x: Array, y: Array) -> None:
    if isinstance(side, Scratch):
        BROADCAST.build("scratch", side.model, x, y, RATE, LIMIT)
    else:
        BROADCAST.build("reference", side.model, side.tensor(x), side.tensor(y), RATE, LIMIT)


def as_published(names: Sequence[str], directory: Path) -> dict[str, Curves]:
    """25 epochs of both sides; the twins go along until their envelope has nothing more to say."""
    setup, data, drawn = prepared(names)
    sides: list[Side] = [setup.scratch(), setup.reference(), *(setup.reference() for _ in range(TWINS))]
    for place, side in enumerate(sides):
        load(side, drawn, place - 2 if place > 1 else None)
    running = [epochs(side, data if n < 2 else moved_records(data, n - 2)) for n, side in enumerate(sides)]
    logs: list[list[tuple[float, float]]] = [[] for _ in sides]
    for _ in range(25):
        for log, epoch in zip(logs[: len(running)], running, strict=True):
            log.append(next(epoch))
        if len(running) > 2 and all(blurred(c) for c in gathered(logs).values()):
            running = running[:2]
    return gathered(logs)


def moved_records(data: Records, twin: int) -> Records:
    return Records(*(perturbed(array, twin) for array in data))


def gathered(logs: Sequence[Sequence[tuple[float, float]]]) -> dict[str, Curves]:
    found = {}
    for place, name in enumerate(COLUMNS):
        scratch, reference, *twins = (np.array([row[place] for row in log]) for log in logs)
        found[name] = Curves(scratch, reference, tuple(twins))
    return found


def blurred(curves: Curves) -> bool:
    return bool(widths(curves)[-1] > INFORMATIVE * abs(curves.reference[-1]))


def right(names: Sequence[str], directory: Path) -> dict[str, Curves]:
    """The first losses, before any update: what follows by the right gradient, the source never printed."""
    setup, data, drawn = prepared(names)
    sides = setup.scratch(), setup.reference()
    for side in sides:
        load(side, drawn)
    scratch, reference = (printed_losses(side, data) for side in sides)
    return {
        name: Curves(np.array([scratch[place]]), np.array([reference[place]])) for place, name in enumerate(COLUMNS)
    }
