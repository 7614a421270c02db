"""Who is wrong: a derivative of each side's own loss, or of what it gives, against the gradient that it hands over.

Where the forward passes agree one slope decides, along the disagreement of the two gradients. Where they do not, each
side is held to its own: two functions that are both rightly differentiated are conventions, and nobody is wrong.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twofold.compare.judge.diagnosis.slopes import WIDE, rms, settled
from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors, is_float_array
from twofold.compare.judge.own.meeting.roles import extracted
from twofold.compare.sides.foreign.data import in_dtype
from twofold.scratch.module import Array

PART = 1e-3  # of the difference of two gradients: how near each must lie to its own slope
TOLD = 1e-6  # of a slope, which is what difference quotients tell of it


@dataclass(frozen=True)
class Slope:
    """What the derivative along a direction says, and what both gradients do; None where nothing settles."""

    of: str  # whose loss
    slope: float | None
    scratch: float
    reference: float


@dataclass(frozen=True)
class Told:
    """The side that is wrong, the evidence in one sentence, and the tensor that shows it."""

    side: str
    reason: str
    tensor: str = ""


Directions = Mapping[str, Array]  # by leaf, and "data 0" for a datum


def objective(bout: Bout, one: Draw, directions: Directions, dtype: str) -> Callable[[float], Any]:
    """The stranger's own loss, or what a random combination of his outputs gives, as a function of the step."""

    def at(h: float) -> Any:
        kind = np.dtype(dtype).type
        values = {
            name: value.astype(dtype) + kind(h) * directions[name].astype(dtype) if name in directions else value
            for name, value in one.values.items()
        }
        data = tuple(
            array.astype(dtype) + kind(h) * directions[f"data {n}"].astype(dtype)
            if f"data {n}" in directions
            else in_dtype(array, dtype)
            if is_float_array(array)
            else array
            for n, array in enumerate(one.data)
        )
        with bout.foreign.afresh(values, dtype):
            raw = bout.foreign.call(data)
        return of_outputs(bout, one, bout.of_raw(raw))

    return at


def of_outputs(bout: Bout, one: Draw, tensors: Tensors) -> Any:
    """The loss that was found, else the reference's loss of these outputs, else outputs times what they are sent."""
    if "loss" in tensors:
        return tensors["loss"][()]
    names = [name for name in tensors if name.startswith("output")]
    if not names:
        raise ValueError("nothing that has a slope")
    if not bout.foreign.is_pair and bout.reference.criterion is not None:
        target = bout.reference.tensor(bout.pairing.ways[-1].apply(one.data[-1]), "float64")
        out = bout.reference.torch.from_numpy(np.asarray(tensors[names[0]], np.float64)).to(bout.reference.device)
        return float(bout.reference.criterion(out, target))
    return sum((tensors[name] * bout.send(n, tensors[name])).sum() for n, name in enumerate(names))


def own_slope(bout: Bout, one: Draw, directions: Directions, within: float) -> float | None:
    """In longdouble where the code stands it, else in float64."""
    for dtype in dict.fromkeys((WIDE, "float64")):
        try:
            along = objective(bout, one, directions, dtype)
            if dtype != "float64" and np.asarray(along(0.0)).dtype != np.dtype(dtype):
                continue
            if (found := settled(along, within)) is not None:
                return found
        except Exception:  # not every code takes longdouble
            continue
    return None


def reference_slope(bout: Bout, one: Draw, directions: Directions, within: float) -> float | None:
    """Of the reference's forward pass in float64; no autograd is asked."""

    def at(h: float) -> float:
        values = {n: v + h * directions[n] if n in directions else v for n, v in one.values.items()}
        data = tuple(
            array + h * directions[f"data {n}"] if f"data {n}" in directions else array
            for n, array in enumerate(one.data)
        )
        run = bout.golden(Draw(one.label, values, one.shares, data), backward=False)
        if run.loss is not None:
            return float(run.loss)
        return float(sum((out * bout.send(n, out)).sum() for n, out in enumerate(run.outputs)))

    return settled(at, within)


def in_theirs(bout: Bout, name: str, value: Array) -> tuple[str, Array] | None:
    """A gradient as a direction of the stranger's own tensor: its leaf or datum, and its shape there."""
    if name.startswith("d data "):
        n = int(name.removeprefix("d data "))
        value = value.T if bout.pairing.ways[n].text == ".T" else value
        return (f"data {n}", value) if value.shape == np.shape(bout.foreign.data[n]) else None
    leaf = bout.leaf(name.removeprefix("d "))
    if value.size != np.prod(leaf.shape):
        return None
    entry = bout.pairing.layout.alone(leaf)
    if entry is None:
        return (leaf.name, value) if value.shape == leaf.shape else None
    flat = np.empty(value.size)
    flat[(entry.index - entry.index.min()).ravel()] = value.ravel()
    return leaf.name, flat.reshape(leaf.shape)


def between(bout: Bout, one: Draw, name: str, ours: Array, theirs: Array, coarse: bool) -> Slope | None:
    """The slope along the disagreement of two gradients of one tensor."""
    if ours.shape != theirs.shape or not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return None
    apart = (ours.astype(float) - theirs.astype(float)) / (np.abs(ours - theirs).max() or 1)
    found = in_theirs(bout, name, apart)
    if found is None:
        return None
    where, direction = found
    size = rms(one.values[where] if where in one.values else one.data[int(where.removeprefix("data "))])
    scale = size / rms(direction)
    direction = direction * scale
    a, b = float((ours * apart).sum()) * scale, float((theirs * apart).sum()) * scale
    within = abs(a - b) / 8
    slope = None if coarse else own_slope(bout, one, {where: direction}, within)
    if slope is not None:
        return Slope("scratch's own loss", slope, a, b)
    return Slope("the reference's forward pass", reference_slope(bout, one, {where: direction}, within), a, b)


TIES = 8  # directions in which equal numbers move together, of which the one that tells most is taken


def at_ties(bout: Bout, one: Draw, name: str, ours: Array, theirs: Array, coarse: bool) -> Told | None:
    """Where a kink is met exactly because data are equal: the slope along a direction that keeps them so."""
    found = in_theirs(bout, name, ours), in_theirs(bout, name, theirs)
    if found[0] is None or found[1] is None:
        return None
    where = found[0][0]
    values = one.values[where] if where in one.values else one.data[int(where.removeprefix("data "))]
    kinds, places = np.unique(values, return_inverse=True)
    if len(kinds) == values.size:
        return None
    rng = np.random.default_rng(29)
    drawn = [rng.standard_normal(len(kinds))[places].reshape(values.shape) * rms(values) for _ in range(TIES)]
    told = [(float((found[0][1] * d).sum()), float((found[1][1] * d).sum()), d) for d in drawn]
    a, b, direction = max(told, key=lambda item: abs(item[0] - item[1]))
    gap = abs(a - b)
    if gap <= 1e-9 * max(abs(a), abs(b)):
        return Told(
            "conventions", f"they differ at exact ties alone, where both are slopes: {a:.6g} along equal numbers"
        )
    slope = None if coarse else own_slope(bout, one, {where: direction}, gap / 8)
    if slope is None:
        return None
    text = f"along equal numbers scratch's own loss has slope {slope:.6g}; its gradient gives {a:.6g}, torch's {b:.6g}"
    if abs(slope - b) <= gap / 4:
        return Told("scratch", text)
    return Told("reference", text) if abs(slope - a) <= gap / 4 else None


def of_gradient(bout: Bout, one: Draw, name: str, ours: Array, theirs: Array, coarse: bool = False) -> Told:
    """Where the forward passes agree: which of two gradients is the derivative."""
    if ours.shape != theirs.shape:
        return Told("scratch", f"a gradient of shape {ours.shape} for a tensor of shape {theirs.shape}")
    found = between(bout, one, name, ours, theirs, coarse)
    if found is None or found.slope is None:
        tied = at_ties(bout, one, name, ours, theirs, coarse)
        return tied or Told("open", "the difference quotients do not settle")
    gap = abs(found.scratch - found.reference)
    numbers = f"{found.of} has slope {found.slope:.6g} along the disagreement"
    told = f"{numbers}; scratch's gradient gives {found.scratch:.6g}, torch's {found.reference:.6g}"
    if abs(found.slope - found.reference) <= gap / 4:
        return Told("scratch", told)
    if abs(found.slope - found.scratch) <= gap / 4:
        return Told("reference", told)
    tied = at_ties(bout, one, name, ours, theirs, coarse)
    return tied or Told("open", f"{told}: neither is the derivative")


def random_directions(bout: Bout, one: Draw, tensors: Tensors) -> dict[str, Array]:
    rng = np.random.default_rng([bout.seed, 13])
    found = {}
    for leaf in bout.leaves:
        if f"d {leaf.name}" in tensors:
            found[leaf.name] = rms(one.values[leaf.name]) * rng.standard_normal(leaf.shape)
    for name in tensors:
        if name.startswith("d data ") and is_float_array(one.data[n := int(name.removeprefix("d data "))]):
            found[f"data {n}"] = rms(one.data[n]) * rng.standard_normal(one.data[n].shape)
    return found


def given_along(bout: Bout, tensors: Tensors, directions: Directions) -> dict[str, float]:
    """By tensor what a gradient says of the slope along its direction."""
    told = {}
    for name, value in tensors.items():
        if not name.startswith("d "):
            continue
        found = in_theirs(bout, name, value)
        if found is not None and found[0] in directions:
            told[name] = float((found[1] * directions[found[0]]).sum())
    return told


def own_derivatives(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors, failed: Collection[str]) -> Told | None:
    """Where the forward passes differ: which side's gradients are not the derivatives of its own; None for neither.

    It is open where the two sides' gradients differ by less than a difference quotient can tell.
    """
    directions = random_directions(bout, one, ours)
    mine, other = given_along(bout, ours, directions), given_along(bout, theirs, directions)
    wrong: dict[str, list[str]] = {"scratch": [], "reference": []}
    unsettled, close = [], []
    for name in order(bout, mine):
        where = name.removeprefix("d ")
        one_way = {where: directions[where]}
        gap, least = abs(mine[name] - other.get(name, 0.0)), TOLD * abs(mine[name])
        close += [name] if name in failed and gap < least else []
        gap = max(gap, least, 1e-30)
        near = max(gap / 8, 1e-9 * abs(mine[name]))
        slopes = own_slope(bout, one, one_way, near), reference_slope(bout, one, one_way, near)
        for side, slope, told in zip(wrong, slopes, (mine.get(name), other.get(name)), strict=True):
            if told is None:
                continue
            if slope is None:
                unsettled.append(name)
            elif abs(slope - told) > max(PART * gap, TOLD * abs(told), 1e-12):
                sentence = f"its own loss has slope {slope:.6g} where its gradient of {where} gives {told:.6g}"
                wrong[side].append(f"{name}\n{sentence}")
    guilty = [side for side, found in wrong.items() if found]
    if len(guilty) == 1:
        name, _, sentence = wrong[guilty[0]][0].partition("\n")
        return Told(guilty[0], sentence, name)
    if guilty:
        return Told("open", "neither side's gradient is the derivative of its own loss")
    if not mine:
        return Told("open", "0 gradients were found, and nothing else says which forward pass is right")
    if close:
        reason = (
            f"{len(close)} gradients differ by less than {TOLD:g} of their value, which no difference quotient tells"
        )
        return Told("open", reason)
    if 2 * len(set(unsettled)) > len(mine):
        return Told("open", "the difference quotients do not settle")
    return None


def alone(bout: Bout, one: Draw, names: Sequence[str]) -> Told | None:
    """Of what torch has nothing for: the first whose gradient is not the slope of scratch's own loss; None if none is.

    No convention then, though with zeros there everything agrees.
    """
    raw = bout.call(one)
    for name in names:
        leaf = bout.leaf(name)
        value = extracted(raw, bout.roles, [leaf], bout.shapes).get(f"d {name}")
        if value is None or value.shape != leaf.shape:
            continue
        direction = np.random.default_rng([bout.seed, 13]).standard_normal(leaf.shape)
        told = float((value * direction).sum())
        off = 1e-6 * float(np.abs(value * direction).sum())
        slope = own_slope(bout, one, {name: direction}, off / 8)
        if slope is not None and abs(slope - told) > max(off, 1e-12):
            sentence = f"its own loss has slope {slope:.6g} where its gradient of {name} gives {told:.6g}"
            return Told("scratch", sentence, f"d {name}")
    return None


def order(bout: Bout, names: Any) -> list[str]:
    """Gradients in the order of a backward pass: of the last layer first, a weight before its bias."""
    position = {name: n for n, name in enumerate(bout.reference.shapes())}

    def rank(name: str) -> tuple[int, int]:
        if name.startswith("d data "):
            return (1, 0)
        torchs = bout.pairing.layout.torch_names(bout.leaf(name.removeprefix("d ")))
        modules = list(dict.fromkeys(n.rpartition(".")[0] for n in position))
        module = max((modules.index(t.rpartition(".")[0]) for t in torchs), default=0)
        first = min((position[t] for t in torchs), default=0)
        return (-module, first)

    return sorted((name for name in names if name.startswith("d ")), key=rank)
