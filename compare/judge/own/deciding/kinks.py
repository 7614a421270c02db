"""Draws away from kinks: a stranger's ReLU cannot be pinned, so nothing may lie near where it turns."""

from collections.abc import Callable
from typing import Any

import numpy as np

from twofold.compare.judge.own.deciding.who import in_theirs, objective
from twofold.compare.judge.own.meeting.bout import Bout, Draw
from twofold.scratch.module import Array

CLEAR = 1e3  # units in the last place of the largest entry: how far every pre-activation must lie from its kink
TRIES = 20
ASKED = 32  # entries of a gradient that differ at a kink
EXACT = 64.0  # units: as near as that a kink is met but for rounding


def clear_of_kinks(bout: Bout, new: Callable[[int], Draw]) -> Draw:
    """The first draw clear of kinks in float32, else the one that comes nearest to it."""
    best, most = None, -1.0
    for n in range(TRIES):
        one = new(n)
        room = nearest(bout, one)
        if room > most:
            best, most = one, room
        if room >= CLEAR * np.finfo(np.float32).eps:
            break
    assert best is not None
    return best


def nearest(bout: Bout, one: Draw) -> float:
    """How near the reference comes to a kink, as a part of the tensor's largest entry; inf where it has none."""
    import torch

    from twofold.compare.sides.dispatch import DispatchMode

    ops = torch.ops.aten
    at_zero = {ops.relu, ops.relu_, ops.leaky_relu, ops.leaky_relu_, ops.abs, ops.threshold, ops.elu, ops.sign}
    found = [np.inf]

    def note(tensor: Any, kink: float = 0.0) -> None:
        values = (tensor.detach() - kink).abs()
        largest = float(tensor.detach().abs().max()) if tensor.numel() else 0.0
        if largest > 0:
            found.append(float(values.min()) / largest)

    class Watching(DispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            packet = function.overloadpacket
            if packet in at_zero and args[0].is_floating_point():
                note(args[0])
            elif packet in (ops.clamp, ops.clamp_min, ops.clamp_max, ops.hardtanh) and args[0].is_floating_point():
                for bound in args[1:3]:
                    if isinstance(bound, int | float):
                        note(args[0], bound)
            elif packet in (ops.maximum, ops.minimum) and args[0].is_floating_point():
                note(args[0] - args[1])
            out = function(*args, **(kwargs or {}))
            if packet is ops.max_pool2d_with_indices:
                found.append(gap(function, args, kwargs, out))
            return out

    try:
        with Watching():
            bout.golden(one)
    except Exception:  # a draw that the reference does not take is not clear of anything
        return -1.0
    return min(found)


def at_a_kink(bout: Bout, one: Draw) -> bool:
    """Whether the reference meets a kink exactly, or but for rounding: with biases of zero a dead layer does."""
    return bool(nearest(bout, one) <= EXACT * np.finfo(np.float64).eps)


def both_are_slopes(bout: Bout, one: Draw, name: str, ours: Array, theirs: Array) -> bool:
    """Whether both gradients are slopes of scratch's own loss, from below or above or between, in every entry apart.

    At a kink each is then as right as the other. Of many entries those that differ most are asked.
    """
    if ours.shape != theirs.shape or not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return False
    apart = np.abs(ours - theirs).ravel()
    differing = [n for n in np.argsort(-apart)[:ASKED] if apart[n] > 1e-9 * apart.max()]
    return all(between_slopes(bout, one, name, ours, theirs, int(n)) for n in differing)


def between_slopes(bout: Bout, one: Draw, name: str, ours: Array, theirs: Array, entry: int) -> bool:
    direction = np.zeros(ours.size)
    direction[entry] = 1.0
    found = in_theirs(bout, name, direction.reshape(ours.shape))
    if found is None:
        return False
    try:
        along = objective(bout, one, {found[0]: found[1]}, "float64")
        h, middle = 1e-6, float(along(0.0))
        slopes = (middle - float(along(-h))) / h, (float(along(h)) - middle) / h
    except Exception:  # nothing that has a slope
        return False
    a, b = float(ours.ravel()[entry]), float(theirs.ravel()[entry])
    slack = abs(a - b) / 100
    return all(min(slopes) - slack <= told <= max(slopes) + slack for told in (a, b))


def gap(function: Any, args: Any, kwargs: Any, out: Any) -> float:
    """Between the largest and the second of every window."""
    import torch

    x = args[0].detach()
    winners, places = out
    rest = x.flatten(-2).scatter(-1, places.flatten(-2), -torch.inf).reshape(x.shape)
    second, _ = function(rest, *args[1:], **(kwargs or {}))
    apart = (winners.detach() - second)[torch.isfinite(second)]
    largest = float(x.abs().max()) if x.numel() else 0.0
    return float(apart.min()) / largest if apart.numel() and largest else np.inf
