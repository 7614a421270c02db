"""Of dropout what no comparison sees, as the reference takes scratch's masks: how they are drawn.

Every bound is that of one false alarm in a billion trials, shared among all that are tested at once.
"""

from collections.abc import Iterator
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np

from twofold.compare.judge.checks.parts import taken
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Quantity, exactly, pattern
from twofold.compare.sides.trace import path_of
from twofold.scratch.module import Array

PASSES, DRAWS = 1000, 60_000  # of a layer by itself, at least, and of every unit and record: shows a share 5 % off
PAIRED = 1000  # entries of which every pair is looked at, whichever records they lie in
STEPS = 4  # of training, with an evaluation between them
CHUNK = 3  # records, where training is in chunks
FALSE_ALARMS = 1e-9


def drawn(trial: Trial) -> Iterator[Quantity]:
    """The share of entries kept, of units and of records; that no two go together; that every draw is a new one."""
    if not trial.actual["masks"]:
        return
    scratch, expected = trial.scratch(), dict(trial.reference().model.named_modules())
    scratch.load(trial.state)
    layers = taken(scratch, trial.inputs)
    steps = in_training(trial)
    for path in dict.fromkeys(map(path_of, trial.actual["masks"])):
        if path not in layers or not hasattr(expected.get(path), "p"):
            continue
        module, inputs = layers[path]
        keep = 1 - getattr(module, "p", expected[path].p)  # where the arguments differ other checks say so
        masks: list[Array] = []
        while len(masks) < PASSES or len(masks) * min(len(masks[0]), masks[0][0].size) < DRAWS:
            module.forward(*inputs)
            masks.append(vars(module)["mask"] != 0)
        yield from of_passes(path, np.array(masks).reshape(len(masks), len(masks[0]), -1), keep)
        yield from of_training(path, [mask for key, mask in steps if path_of(key) == path], keep)


def of_passes(path: str, masks: Array, keep: float) -> Iterator[Quantity]:
    """Masks (passes, records, units) of one layer that is told to keep this part."""
    apart = (masks - keep) / np.sqrt(keep * (1 - keep))  # mean 0 and variance 1 where all is right

    def share(what: str, axes: tuple[int, ...]) -> Quantity:
        found, samples = masks.mean(axis=axes), masks.size // max(1, masks.mean(axis=axes).size)
        away = np.abs(apart.mean(axis=axes)) * np.sqrt(samples)
        worst = int(np.argmax(away))
        told = f"keeps {np.ravel(found)[worst]:.3g}{f' ({worst})' if found.size > 1 else ''}, told to keep {keep:.3g}"
        wrong = np.ravel(away > bound(found.size))
        return drawn_wrongly(f"{path} share{what}", wrong, np.ravel(found)[worst] - keep, told)

    def together(what: str, samples: Array) -> Quantity:
        """No two columns of (samples, columns) correlate."""
        correlation = np.triu(samples.T @ samples / len(samples), 1)
        first, second = np.unravel_index(int(np.abs(correlation).argmax()), correlation.shape)
        most = abs(float(correlation[first, second]))
        told = f"{what} {first} and {second} correlate by {most:.3g}"
        pairs = correlation.shape[0] * (correlation.shape[0] - 1) // 2
        wrong = np.abs(correlation) * np.sqrt(len(samples)) > bound(pairs)
        return drawn_wrongly(f"{path} {what} independent", wrong, correlation[first, second], told)

    passes, records, units = masks.shape
    yield share("", (0, 1, 2))
    yield share(" of each unit", (0, 1))
    yield share(" of each record", (0, 2))
    if units > 1:
        yield together("units", apart.reshape(-1, units))
    if records > 1:
        yield together("records", apart.swapaxes(1, 2).reshape(-1, records))
    if records > 1 and units > 1 and records * units <= PAIRED:
        yield together("entries", apart.reshape(passes, -1))
    following = float((apart[1:] * apart[:-1]).mean())
    wrong = np.array(abs(following) * np.sqrt(apart[1:].size) > bound(1))
    yield drawn_wrongly(f"{path} passes independent", wrong, following, "a mask follows the one before it")
    yield from all_new(path, "passes", masks.reshape(passes, -1), keep)


def of_training(path: str, masks: list[Array], keep: float) -> Iterator[Quantity]:
    """Those of training steps and of their chunks, by shape."""
    for shape in dict.fromkeys(mask.shape for mask in masks):
        rows = np.array([mask.ravel() for mask in masks if mask.shape == shape])
        if len(rows) > 1:
            yield from all_new(path, f"training steps of {shape[0]} records", rows, keep)


def all_new(path: str, what: str, rows: Array, keep: float) -> Iterator[Quantity]:
    """No mask twice, where so many could not be alike by chance."""
    chance = (keep**2 + (1 - keep) ** 2) ** rows.shape[1] * len(rows) ** 2 / 2
    if chance < FALSE_ALARMS:
        _, first = np.unique(rows, axis=0, return_index=True)
        again = np.isin(np.arange(len(rows)), first, invert=True)
        yield drawn_wrongly(f"{path} {what} drawn anew", again, float(again.sum()), f"{what} share a mask")


def drawn_wrongly(name: str, wrong: Array, away: float, told: str) -> Quantity:
    """A failure if anything is `wrong`, which keeps what, and how far from right the worst is."""
    quantity = exactly(name, not wrong.any(), told, "scratch")
    return replace(quantity, largest=abs(float(away)), entries=pattern(wrong)) if wrong.any() else quantity


def bound(tests: int) -> float:
    """How many standard deviations any of so many may be away."""
    return NormalDist().inv_cdf(1 - FALSE_ALARMS / (2 * tests))


def in_training(trial: Trial) -> list[tuple[str, Array]]:
    """The masks of some training steps, whole and in chunks, with an evaluation before each; by the trace's key."""
    if trial.target is None or trial.case.optimizer is None or len(trial.inputs) != 1:
        return []
    found: list[tuple[str, Any]] = []
    (x,) = trial.inputs
    for chunk in (None, CHUNK):
        side = trial.scratch()
        side.load(trial.state)
        side.chunk = chunk
        for _ in range(STEPS):
            side.train(False)
            side.evaluate(np.array(x), np.array(trial.target))
            side.train()
            with side.watch() as trace:
                side.train_step(np.array(x), np.array(trial.target))
            found += trace.masks.items()
    return found
