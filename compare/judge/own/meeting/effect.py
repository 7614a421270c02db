"""The proof that a parameter is one: moved alone it changes something that comes out."""

import numpy as np

from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors


def without_effect(bout: Bout, one: Draw) -> list[str]:
    """The parameters that change neither loss nor outputs: copies, or never used, or such as cancel."""
    begun = forward_of(bout, one)
    if not begun:
        return []
    rng = np.random.default_rng([bout.seed, 37])
    idle = []
    for leaf in bout.leaves:
        if not bout.pairing.layout.covered(leaf):
            continue
        value = one.values[leaf.name]
        moved = {**one.values, leaf.name: value + (np.abs(value).max() or 1) * rng.standard_normal(value.shape)}
        found = forward_of(bout, Draw(one.label, moved, one.shares, one.data))
        if all(name in found and np.array_equal(begun[name], found[name], equal_nan=True) for name in begun):
            idle.append(leaf.name)
    return idle


def forward_of(bout: Bout, one: Draw) -> Tensors:
    """Loss and outputs, as far as they are finite: what is NaN throughout shows no effect of anything."""
    try:
        found = bout.of_raw(bout.call(one))
    except Exception:  # told where it is met first
        return {}
    forward = {name: value for name, value in found.items() if name == "loss" or name.startswith("output")}
    return {name: value for name, value in forward.items() if np.isfinite(value).any()}
