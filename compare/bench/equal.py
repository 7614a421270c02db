"""Whether both sides give the same, before anything is timed: the judge's floor at full size, with fewer re-runs.

A line for each tensor that differs. `twofold check` says where such a difference begins and who is wrong.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare import nest
from twofold.compare.judge.evidence.branches import pinned
from twofold.compare.judge.evidence.floor import farther, judge_all, strays
from twofold.compare.judge.evidence.rounding import perturbed, perturbing
from twofold.compare.judge.finding import Verdict, raised
from twofold.compare.sides import Reference, Scratch, Side, States
from twofold.scratch.module import Array

RERUNS = 2  # moved by one unit in the last place

Arrays = dict[str, Array]
Differences = tuple[str, ...]


def differing(
    actual: Mapping[str, Array],
    reference: Callable[[DTypeLike, int | None], Mapping[str, Array]],
    dtype: DTypeLike,
    waived: Iterable[str] = (),
) -> Differences:
    """What scratch gave, judged by runs of the reference in a dtype and moved by a seed, or not moved."""
    golden, plain = reference("float64", None), () if dtype == "float64" else (None,)
    strayed: Arrays = {}
    for seed in (*plain, *range(RERUNS)):
        run = reference(dtype, seed)
        strayed = farther(strayed, {name: strays(run[name], golden[name]) for name in run if name in golden})
    lines = []
    for quantity in judge_all(actual, golden, strayed, dtype):
        if quantity.verdict is Verdict.FAIL and quantity.name not in waived:
            error = f"error {quantity.error:.3g}, {quantity.ratio:.3g} floors, limit {quantity.limit:g}"
            lines.append(f"{quantity.name}: {error if np.isfinite(quantity.ratio) else quantity.reason}")
    return tuple(lines)


def guarded(compare: Callable[[], Differences]) -> Differences:
    """What is raised meanwhile is a difference too."""
    try:
        return compare()
    except Exception as error:
        return (raised(error),)


def of_step(
    scratch: Scratch,
    reference: Callable[[DTypeLike], Reference],
    state: Mapping[str, Array],
    batch: tuple[Array, Array],
    waived: Iterable[str] = (),
) -> Differences:
    """One training step from equal weights: output, loss, gradients, and the update by equal gradients from zero."""
    with scratch.watch() as trace:
        actual = step(scratch, state, batch)
    gradients, optimizer = scratch.gradients(), scratch.optimizer_state()
    actual |= update(scratch, gradients, optimizer)
    sides = {str(scratch.dtype): reference(scratch.dtype)}
    if scratch.dtype == np.float32 and not shows_modules(sides["float32"]):
        return ()  # nothing to pin: pre-activations within rounding of zero would pass for differences; see float64

    def run(dtype: DTypeLike, seed: int | None) -> Arrays:
        name = str(np.dtype(dtype))
        side = sides[name] = sides.get(name) or reference(dtype)
        with pinned(side, trace.inputs, trace.masks), perturbing(side, seed):
            arrays = step(side, state, batch, seed)
        return arrays if seed is not None else arrays | update(side, gradients, optimizer)

    return differing(actual, run, scratch.dtype, waived)


def step(side: Side, state: Mapping[str, Array], batch: tuple[Array, Array], seed: int | None = None) -> Arrays:
    """Output, loss and gradients of the very step that is timed."""
    (x, target) = (given(side, array) for array in batch)
    side.load(perturbed(state, seed))
    side.train()
    loss, out = side.train_step(perturbed(x, seed), target)
    return {"<output>": np.array(out), "loss": np.array(loss, side.dtype), **side.gradients()}


def update(side: Side, gradients: Mapping[str, Array], optimizer: States) -> Arrays:
    """What the optimizer makes of given gradients and state where all parameters are zero: the change itself."""
    side.load({name: np.zeros_like(array) for name, array in side.state().items()})
    side.load_optimizer_state(optimizer)
    side.set_gradients(gradients)
    side.step()
    after = side.state()
    return {f"{name} updated": after[name] for name in gradients}


def of_layer(
    scratch: Scratch,
    other: Callable[[DTypeLike], Side],
    state: Mapping[str, Array],
    inputs: Any,
    cotangents: Any,
    constants: Iterable[str] = (),
) -> Differences:
    """Output and gradients of one layer, against its reference or against another form of itself.

    `constants` are inputs that get no gradient, such as a loss's target.
    """

    def run(side: Side, seed: int | None = None) -> Arrays:
        side.load(perturbed(state, seed))
        side.train()
        side.zero_grad()
        out = side.forward(perturbed(inputs, seed))
        dinputs = side.backward(cotangents)
        return nest.numbered("<output>", out) | nest.numbered("<input>", dinputs) | side.gradients()

    return differing(run(scratch), lambda dtype, seed: run(other(dtype), seed), scratch.dtype, constants)


def shows_modules(reference: Reference) -> bool:
    """Whether it has modules of which ReLUs and pools take scratch's signs and winners; raw tensors have none."""
    return any(True for _ in reference.model.children())


def given(side: Side, array: Array) -> Array:
    """In the side's dtype; integers stay."""
    return array.astype(side.dtype, copy=False) if np.issubdtype(array.dtype, np.floating) else array
