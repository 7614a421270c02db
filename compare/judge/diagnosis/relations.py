"""In words, how a wrong tensor relates to the right one: a multiple of it, its transposed, some rows of it missing.

Each relation is tried in turn and the first that holds is told; none of them knows what was planted.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.diagnosis.recurrence import GATES, HIDDEN
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Divergence, Verdict, failures
from twofold.scratch.module import Array


@dataclass(frozen=True)
class Scene:
    """A tensor that differs: scratch's and the reference's, and what may have come into it.

    `sizes` are the numbers that people forget to divide by, `other` tensors that may stand in its place: by name.
    """

    actual: Array
    golden: Array
    parameter: Array | None
    sizes: Mapping[str, int]
    others: Mapping[str, Array]
    gates: tuple[str, ...] = ()

    @property
    def residual(self) -> Array:
        return self.actual - self.golden

    def equal(self, first: Array, second: Array) -> bool:
        """Up to the square root of the dtype's precision, for the exact relation is looked for, not the floor."""
        within = np.sqrt(np.finfo(self.actual.dtype).eps) * np.abs(second).max(initial=0)
        return first.shape == second.shape and bool(np.abs(first - second).max(initial=0) <= within)


def missing(scene: Scene) -> str:
    return "" if scene.actual.any() else "all zero: it is forgotten"


def multiple(scene: Scene) -> str:
    """A constant factor, and the number that explains it."""
    factor = proportion(scene, scene.actual, scene.golden)
    if factor is None:
        return ""
    why = explained(factor, scene.sizes)
    if scene.golden.size == 1 and not why:  # one number is a multiple of any other
        return ""
    told = f"residual is {factor - 1:.6g} x the reference, cosine {np.sign(factor - 1):.4f}"
    return f"{told}, {why}" if why else told


def explained(factor: float, sizes: Mapping[str, int]) -> str:
    if np.isclose(factor, -1):
        return "the sign is reversed"
    for name, size in sizes.items():
        if size > 1 and np.isclose(factor, size):
            return f"{name.removesuffix(' size')} {size}: not divided by the {name}"
        if size > 1 and np.isclose(factor, 1 / size):
            return f"{name.removesuffix(' size')} {size}: divided by the {name} once too often"
    if np.isclose(factor, 2):
        return "it is counted twice"
    return "it is halved" if np.isclose(factor, 0.5) else ""


def proportion(scene: Scene, actual: Array, golden: Array) -> float | None:
    """The number by which one is a multiple of the other."""
    if actual.shape != golden.shape or not golden.any():
        return None
    factor = float((actual * golden).sum() / (golden * golden).sum())
    return factor if factor and scene.equal(actual, factor * golden) else None


def transposed(scene: Scene) -> str:
    square = scene.golden.ndim == 2 and len(set(scene.golden.shape)) == 1
    return "equal after transposition" if square and scene.equal(scene.actual.T, scene.golden) else ""


def reversed_axes(scene: Scene) -> str:
    axes = [axis for axis in range(scene.golden.ndim) if scene.golden.shape[axis] > 1]
    for count in (1, 2):
        for some in combinations(axes, count):
            if scene.equal(np.flip(scene.actual, some), scene.golden):
                kernel = scene.golden.ndim == 4 and some == (2, 3)
                return f"equal after {'turning the kernel by 180 degrees' if kernel else f'reversing {of_axes(some)}'}"
    return ""


def exchanged(scene: Scene) -> str:
    if len(scene.gates) < 2:
        return ""
    blocks = np.split(scene.actual, len(scene.gates))
    for first, second in combinations(range(len(blocks)), 2):
        order = list(range(len(blocks)))
        order[first], order[second] = second, first
        if scene.equal(np.concatenate([blocks[n] for n in order]), scene.golden):
            return f"equal after exchanging gates {scene.gates[first]} and {scene.gates[second]}"
    return ""


def shifted(scene: Scene) -> str:
    for axis, size in enumerate(scene.golden.shape):
        for by in (1, -1):
            ours, theirs = (slice(by, None), slice(None, -by)) if by > 0 else (slice(None, by), slice(-by, None))
            actual, golden = (
                np.moveaxis(a, axis, 0)[part] for a, part in ((scene.actual, ours), (scene.golden, theirs))
            )
            if size > 2 and golden.any() and scene.equal(actual, golden):
                return f"equal after shifting {of_axes((axis,))} by one"
    return ""


def misplaced(scene: Scene) -> str:
    for name, other in scene.others.items():
        if scene.equal(scene.actual, other):
            return f"equal to the reference's gradient of {name}"
    return ""


def decayed(scene: Scene) -> str:
    if scene.parameter is None or scene.parameter.size == 1:
        return ""
    factor = proportion(scene, scene.residual, scene.parameter)
    return f"residual is {factor:.6g} x the parameter itself: a decay or penalty" if factor else ""


def gate_rows(scene: Scene) -> str:
    if len(scene.gates) < 2:
        return ""
    blocks = [np.split(array, len(scene.gates)) for array in (scene.actual, scene.golden)]
    wrong = [gate for gate, ours, theirs in zip(scene.gates, *blocks, strict=True) if not scene.equal(ours, theirs)]
    return f"differs only in gate{'s' * (len(wrong) > 1)} {', '.join(wrong)}" if len(wrong) < len(blocks[0]) else ""


def parts(scene: Scene) -> str:
    """A few indices of one axis that alone differ."""
    for axis in range(scene.golden.ndim):
        size = scene.golden.shape[axis]
        largest = np.abs(scene.golden).max(initial=0) * np.sqrt(np.finfo(scene.actual.dtype).eps)
        rows = np.abs(np.moveaxis(scene.residual, axis, 0).reshape(size, -1)).max(axis=1, initial=0) > largest
        wrong = np.flatnonzero(rows).tolist()
        if 0 < len(wrong) <= size / 2:
            gone = not np.moveaxis(scene.actual, axis, 0)[wrong].any()
            where = f"{', '.join(map(str, wrong[:4]))}{' and more' if len(wrong) > 4 else ''} of {size}"
            return f"differs only at {where} along axis {axis}" + (", where it is zero" if gone else "")
    return ""


def constant(scene: Scene) -> str:
    """The same error along some axes: what sums or means would give."""
    axes = [axis for axis, size in enumerate(scene.golden.shape) if size > 1]
    for count in range(len(axes), 0, -1):
        for some in combinations(axes, count):
            mean = np.broadcast_to(scene.residual.mean(axis=some, keepdims=True), scene.golden.shape)
            if scene.equal(scene.residual, mean):
                return f"residual is constant along {of_axes(some)}: a mean or sum over it is missing or too many"
    return ""


def centred(scene: Scene) -> str:
    """Only the part that a mean over an axis takes away differs."""
    for axis, size in enumerate(scene.golden.shape):
        if size > 2 and scene.golden.ndim > 1:
            per = proportion(scene, *(a - a.mean(axis=axis, keepdims=True) for a in (scene.actual, scene.golden)))
            if per is not None and np.isclose(per, 1):
                return f"equal but for its mean along {of_axes((axis,))}"
    return ""


def of_axes(axes: tuple[int, ...]) -> str:
    return f"ax{'e' if len(axes) > 1 else 'i'}s {' and '.join(map(str, axes))}"


RELATIONS: tuple[Callable[[Scene], str], ...] = (
    missing,
    multiple,
    transposed,
    reversed_axes,
    exchanged,
    shifted,
    misplaced,
    decayed,
    gate_rows,
    parts,
    constant,
    centred,
)


def relation(scene: Scene) -> str:
    """The first relation that holds; "" where none does, or nothing can be told."""
    if scene.actual.shape != scene.golden.shape:
        return shapes(scene)
    if not (np.isfinite(scene.actual).all() and np.isfinite(scene.golden).all() and scene.golden.any()):
        return ""
    return next((told for holds in RELATIONS if (told := holds(scene))), "")


def shapes(scene: Scene) -> str:
    ours, theirs = scene.actual.shape, scene.golden.shape
    if [n for n in ours if n != 1] == [n for n in theirs if n != 1]:
        return f"an axis of size 1 too many or too few: {ours} against {theirs}"
    return "transposed shape" if ours == theirs[::-1] else ""


@lru_cache(maxsize=4)
def relations(trial: Trial, where: Divergence) -> tuple[str, ...]:
    """Of the tensors that differ in the module where a trial's difference begins: "fc1.weight: equal after ..."."""
    if where.step or where.evaluating:
        return ()
    return tuple(f"{name}: {told}" for name, scene in scenes(trial, where) if (told := relation(scene)))


def scenes(trial: Trial, where: Divergence) -> Iterator[tuple[str, Scene]]:
    sizes = sizes_of(trial)
    if where.module == "loss":
        stage = "loss"
        names = [q.name for q in trial.judged("loss") if q.verdict is Verdict.FAIL]
    elif where.stage == "forward":
        stage = "forward"
        failed = failures(trial.judged("forward"))
        names = [name for name in trial.actual["forward"] if name in failed and trial.module_of(name) == where.module]
    elif where.stage == "backward":
        stage = "gradient"
        failed = failures(trial.judged("gradient"))
        names = [name for name in trial.actual["gradient"] if name in failed and trial.owner(name) == where.module]
        names = names or [name for name in failed if name.startswith("<input>")]
    else:
        return
    actual, golden = trial.actual[stage], trial.golden[stage]
    for name in names:
        if name in actual and name in golden:
            others = {other: array for other, array in golden.items() if other != name} if stage == "gradient" else {}
            parameter = trial.state.get(name) if stage == "gradient" else None
            yield name, Scene(actual[name], golden[name], parameter, sizes, others, gates_of(trial, name))


def gates_of(trial: Trial, name: str) -> tuple[str, ...]:
    """The gates stacked in a recurrent layer's weight or bias."""
    hidden = trial.state.get(f"{name.rpartition('.')[0]}.{HIDDEN}".removeprefix("."))
    if hidden is None or not name.endswith("_l0"):
        return ()
    return GATES.get(len(hidden) // hidden.shape[1], ())


def sizes_of(trial: Trial) -> dict[str, int]:
    """What a mean is taken over, by name."""
    x, out = nest.flatten(trial.inputs)[0], nest.flatten(trial.cotangents)[0]
    batch = 1 if x.ndim == 3 and trial.case.time_axis == 0 else 0
    sizes = {"batch size": x.shape[batch] if x.ndim > batch else 1}
    if x.ndim == 3:
        sizes["time steps"] = x.shape[trial.case.time_axis]
    if out.ndim > 1:
        sizes["outputs"] = out.shape[-1]
        sizes["outputs of the batch"] = out.size
    return sizes
