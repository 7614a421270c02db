"""The same model run otherwise: with other thresholds, other memory, in evaluation mode."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from unittest.mock import patch

import numpy as np

from compare.judge.branches import pinned
from compare.judge.contract import same
from compare.judge.floor import Quantity, Verdict, exactly
from compare.judge.trial import Divergence, Reading, Trial, identical, leaves, not_seen
from scratch.module import Array

PASSES = 20  # over which dropout masks are counted
# Thresholds at which a fast path of scratch changes, and what the check "chunks" sets them to.
THRESHOLDS = {
    ("scratch.layers.conv", "CHUNK_BYTES"): 1,
    ("scratch.layers.linear", "BLOCK_BYTES"): 1,
    ("scratch.layers.pooling", "BLOCK_BYTES"): 1,
}


def chunks(trial: Trial) -> Iterator[Quantity]:
    """Scratch with its thresholds shrunk, so that its fast paths change where they otherwise would not."""
    with ExitStack() as stack:
        for (module, name), value in THRESHOLDS.items():
            stack.enter_context(patch(f"{module}.{name}", value))
        found = trial.observe(trial.scratch())
    yield from beside_the_plain(trial, found)


def strides(trial: Trial) -> Iterator[Quantity]:
    """Scratch given the same values in arrays that are not contiguous, inputs and cotangents alike."""
    with patch("compare.sides._copy", scattered):
        found = trial.observe(trial.scratch())
    yield from beside_the_plain(trial, found)


def beside_the_plain(trial: Trial, found: Reading) -> Iterator[Quantity]:
    """Another run of scratch, which is convicted where its plain run agrees."""
    for stage in ("forward", "gradient"):
        plain = {quantity.name: quantity.verdict for quantity in trial.judged(stage)}
        for quantity in trial.judged(stage, found):
            alone = quantity.verdict is Verdict.FAIL and plain.get(quantity.name) is not Verdict.FAIL
            yield replace(quantity, side="scratch") if alone else quantity


def scattered(array: Array) -> Array:
    """A copy whose axes lie in reverse order in memory, with a gap after every entry."""
    view = np.zeros((*reversed(array.shape), 2), array.dtype).T[0, ...]
    view[...] = array
    return view


def unchunked(trial: Trial) -> str:
    homes = {module for module, _ in THRESHOLDS}
    return (
        ""
        if any(type(leaf).__module__ in homes for leaf in leaves(trial.scratch().model))
        else "no layer of it has a threshold"
    )


def modes(trial: Trial) -> Iterator[Quantity]:
    """Both modes reach every module; evaluation gives the same outputs and leaves the buffers alone."""
    scratch, reference = trial.scratch(), trial.reference()
    for mode in (False, True):
        for side in (scratch, reference):
            side.train(mode)
        flags, expected = scratch.modes(), reference.modes()
        for path in (path for path in flags if path in expected) if trial.shows_modules else ("",):
            told = flags.get(path), expected.get(path)
            name = f"{path or 'model'} told to {'train' if mode else 'evaluate'}"
            deaf = "reference" if told[0] == mode else "scratch"
            yield exactly(name, told[0] == told[1] == mode, f"scratch says {told[0]}, reference {told[1]}", deaf)
    yield from drawn(trial)
    found = trial.observe(scratch, training=False)
    unchanged = same(scratch.state(), trial.state)
    yield exactly("state after evaluation", unchanged, "a pass in eval mode changes it", "scratch")
    again = trial.observe(scratch, training=False)
    carried = "something is carried over from one call to the next"
    yield exactly("a second evaluation", same(found["forward"], again["forward"]), carried, "scratch")
    for stage in ("forward", "gradient"):
        yield from (replace(quantity, name=f"{quantity.name} evaluating") for quantity in evaluated(trial)[stage])


def drawn(trial: Trial) -> Iterator[Quantity]:
    """Of dropout what no comparison sees, as the reference takes scratch's masks: their share, and that each is new."""
    scratch, expected = trial.scratch(), dict(trial.reference().model.named_modules())
    if not trial.found["masks"]:
        return
    scratch.load(trial.state)
    passes = []
    for _ in range(PASSES):
        with scratch.watch() as trace:
            scratch.forward(trial.inputs)
        passes.append(trace.masks)
    for key in passes[0]:
        if not hasattr(module := expected.get(key.partition("#")[0]), "p"):
            continue
        masks, keep = np.array([masks[key] for masks in passes]), 1 - module.p  # type: ignore[union-attr]
        told = f"keeps {masks.mean():.3g} of all entries, told to keep {keep:.3g}"
        sigma = np.sqrt(keep * (1 - keep) / masks.size)
        yield exactly(f"{key} share", bool(abs(masks.mean() - keep) <= 6 * sigma), told, "scratch")
        rows = masks.reshape(len(masks) * masks.shape[1], -1)
        anew = rows.shape[1] < 8 or len(np.unique(rows, axis=0)) > len(rows) / 2  # few units repeat by chance
        yield exactly(f"{key} drawn anew", anew, "passes or samples share one mask", "scratch")


@lru_cache(maxsize=1)
def evaluated(trial: Trial) -> dict[str, list[Quantity]]:
    """One pass in evaluation mode, by stage."""
    found = trial.observe(trial.scratch(), training=False)
    with pinned((side := trial.reference("float64")).model, found["taken"], found["masks"]):
        star = trial.observe(side, training=False)
    # a reference that does in both modes the same has the same floors too
    measured = trial.measured if identical(star, trial.star) else trial.measure(found, training=False)
    return {stage: trial.judged_by(measured, stage, found) for stage in ("forward", "backward", "gradient")}


def first_evaluated(trial: Trial) -> Divergence | None:
    where = trial.locate(evaluated(trial), between=not_seen)
    return where and replace(where, evaluating=True)
