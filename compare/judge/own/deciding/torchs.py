"""What torch computes on a draw, value by value, as scratch may have it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from twofold.compare.judge.own.deciding.relating import gates_of_torchs
from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors
from twofold.compare.sides.foreign.leaves import Leaf
from twofold.compare.sides.foreign.reference import Run
from twofold.compare.watch.locating import USE
from twofold.compare.watch.matching import WITHIN, Pool, multiple
from twofold.compare.watch.operations import Operations, explicit
from twofold.scratch.module import Array


def torchs(bout: Bout, one: Draw) -> tuple[Run, Operations]:
    """The reference's run with all that it computes on the way."""
    near, operations = bout.near, Operations()
    reference = near.reference
    run = near.golden(one, seen=lambda: explicit(operations, reference.all_modules, reference.parameters))
    return run, operations


def pool_of(bout: Bout, one: Draw, run: Run, operations: Operations) -> Pool:
    """Every value and gradient that torch has, each by what it is."""

    def arrays() -> Iterator[tuple[Any, Array]]:
        for n, array in enumerate(run.inputs):
            if array is not None:
                yield ("gradient", f"data[{n}]"), array
        for name, array in bout.pairing.layout.gradients(run.gradients).items():
            yield ("gradient", name), array
        for name, array in (*run.gradients.items(), *in_blocks(bout, run.gradients)):
            yield ("gradient", name), array
        yield from by_use(bout, one, run, operations)
        yield from operations.values()
        yield from ((("value", "mask"), mask) for mask in bout.masks_of(one) if mask is not None)
        for n, array in enumerate(run.outputs):
            yield ("value", "output"), array
            yield ("sent", "output"), bout.send(n, array)

    return Pool(arrays())


def by_use(bout: Bout, one: Draw, run: Run, operations: Operations) -> Iterator[tuple[Any, Array]]:
    """Of parameters that are used several times, as in each step of a sequence, what each use adds to the gradient.

    As scratch has its parameters, alone and summed from the last use on. What is looked up by index, as the rows of a
    tied embedding, adds what is left of the whole; a multiple of the parameter itself is a penalty's, and no use.
    """
    uses: dict[str, list[Array]] = {}
    for operation in operations.back:
        if operation.arranged and len(operation.uses) == 1 and operation.gradient is not None:
            name, gradient = operation.uses[0], operation.gradient
            shape = bout.reference.shapes().get(name, ())
            if gradient.shape[::-1] == shape and gradient.shape != shape:
                gradient = gradient.T
            if operation.name == "t" and gradient.ndim == 2:
                gradient = operation.gradient.T
            if gradient.shape == shape:
                uses.setdefault(name, []).append(gradient)
    held, within = bout.state(one.values, one.shares), WITHIN["float64"]
    for name, parts in uses.items():
        rest = run.gradients[name] - sum(parts) if name in run.gradients and name in held else np.zeros(())
        is_left = np.abs(rest).max() > within * max(np.abs(part).max() for part in parts)
        if is_left and multiple(np.sort(rest, axis=None), np.ravel(held[name]), within) is None:
            parts.append(rest)
    most = max(map(len, uses.values()), default=0)
    if most < 2:
        return
    sums: Tensors = {}
    for n in range(most):
        state = {name: found[n] for name, found in uses.items() if len(found) == most}
        sums = {name: sums[name] + value if name in sums else value for name, value in state.items()}
        for of in (state, sums):
            for name, array in (*bout.pairing.layout.gradients(of).items(), *in_blocks(bout, of)):
                yield ("gradient", name, USE), array


def in_blocks(bout: Bout, state: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """The gradients of recurrent layers gate by gate, of each tensor, and of what scratch has in one matrix."""
    layout = bout.pairing.layout
    for name, value in state.items():
        gates = gates_of_torchs(bout, name)
        if gates and len(value) % len(gates) == 0:
            yield from (
                (f"{name}[{gate}]", rows) for gate, rows in zip(gates, np.split(value, len(gates)), strict=True)
            )
    for leaf in layout.leaves:
        if any(name in state and gates_of_torchs(bout, name) for name in layout.torch_names(leaf)):
            whole = layout.gradients(state)[leaf.name]
            boxes = (box_of(places, leaf.shape) for places in blocks_of(bout, leaf))
            yield from ((leaf.name, whole[box]) for box in boxes if box is not None)


def blocks_of(bout: Bout, leaf: Leaf) -> Iterator[Array]:
    """The entries of scratch's array that stand for one of torch's tensors, for a gate of one, for a gate of several.

    A matrix may hold all gates of [x, h] with a bias, of which scratch's code has the gates one by one.
    """
    layout = bout.pairing.layout
    start, stop = layout.span(leaf)
    together: dict[int, list[Array]] = {}
    for entry in layout.users(leaf):
        gates = gates_of_torchs(bout, entry.names[0])
        count = len(gates) if gates and len(entry.index) % len(gates) == 0 else 1
        for n, places in enumerate([entry.index, *(np.split(entry.index, count) if count > 1 else ())]):
            within = places[(places >= start) & (places < stop)] - start
            if within.size:
                yield within
                together.setdefault(n, []).append(within)
    for n, several in together.items():
        if n and len(several) > 1:
            yield np.concatenate(several)


def box_of(places: Array, shape: tuple[int, ...]) -> tuple[slice, ...] | None:
    """The part of an array that holds these entries and no others; None where they are no such part."""
    if not places.size:
        return None
    at = np.unravel_index(places, shape)
    box = tuple(slice(int(one.min()), int(one.max()) + 1) for one in at)
    return box if np.prod([one.stop - one.start for one in box]) == places.size else None
