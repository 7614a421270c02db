"""Both sides on the same numbers: what each made of them, and how far rounding moves the reference."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.floor import farther, judge, strays, sure
from twofold.compare.judge.evidence.operations import all_moved
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.evidence.trial import DOUBTFUL, MORE_RERUNS, RERUNS
from twofold.compare.judge.finding import Quantity, Verdict
from twofold.compare.judge.own.meeting.images import IMAGES
from twofold.compare.judge.own.meeting.masks import count, found, under
from twofold.compare.judge.own.meeting.pairing import Pairing, draw, drawn_shares
from twofold.compare.judge.own.meeting.roles import Roles, extracted
from twofold.compare.judge.own.meeting.solving.pool import Pool
from twofold.compare.judge.own.meeting.solving.seen import seen as watched
from twofold.compare.sides.foreign.calls import Foreign, Raw
from twofold.compare.sides.foreign.data import given, in_dtype, read_only, way_to
from twofold.compare.sides.foreign.leaves import Leaf
from twofold.compare.sides.foreign.reference import Run, UsersReference
from twofold.scratch.module import Array

Tensors = dict[str, Array]  # "loss", "output", "d W1", "d data 0"


@dataclass(frozen=True)
class Draw:
    """One set of numbers for both: parameters by leaf, and the data as the stranger takes them."""

    label: str
    values: Mapping[str, Array]
    shares: Mapping[str, Array]
    data: tuple[Any, ...]


@dataclass
class Bout:
    """The pair, what stands for what, and the runs of both sides on a draw."""

    foreign: Foreign
    reference: UsersReference
    pairing: Pairing
    roles: Roles
    seed: int = 0
    explicit: bool = False  # whether every parameter was given one by one, and so is meant
    training: bool | None = None
    shapes: list[tuple[int, ...]] = field(default_factory=list)  # of the reference's outputs
    buffers: dict[str, str] = field(default_factory=dict)  # torch's buffers by the stranger's
    dropouts: dict[bool | None, int] = field(default_factory=dict)  # how many torch meets, by mode
    masks: dict[tuple[str, bool | None], Sequence[Array | None]] = field(default_factory=dict)  # by draw and mode

    @property
    def near(self) -> "Bout":
        """With the reference where all that it computes is seen."""
        return replace(self, reference=self.reference.near)

    @property
    def leaves(self) -> Sequence[Leaf]:
        return self.foreign.leaves

    def leaf(self, name: str) -> Leaf:
        return next(leaf for leaf in self.leaves if leaf.name == name)

    def send(self, n: int, out: Array) -> Array:
        """What a pair's backward is sent for its n-th output: random, in the shape that the output has here."""
        rng = np.random.default_rng([self.seed, 11, n])
        return rng.standard_normal(out.size).reshape(out.shape).astype(out.dtype)

    def unmatched(self) -> Tensors:
        """What torch has nothing for: a parameter, as what has a gradient is, is zero; all else stays as it was."""
        alone = [leaf for leaf in self.leaves if not self.pairing.layout.covered(leaf)]
        meant = {leaf.name for leaf in alone if self.explicit or leaf.name in self.roles.gradients}
        own = self.foreign.read() if alone else {}
        return {leaf.name: own[leaf.name] * (0.0 if leaf.name in meant else 1.0) for leaf in alone}

    # the reference

    def state(self, values: Mapping[str, Array], shares: Mapping[str, Array]) -> dict[str, Array]:
        pairing = self.pairing
        known = drawn_shares(pairing.layout, shares, self.reference.shapes())
        kept = {torchs: values[f"buffer {own}"] for own, torchs in self.buffers.items() if f"buffer {own}" in values}
        return {**pairing.layout.to_torch(values, known), **pairing.extra, **kept}

    def golden(
        self, one: Draw, dtype: str = "float64", moved: int | None = None, seen: Any = None, backward: bool = True
    ) -> Run:
        """The reference's run on a draw; with a seed everything in it is moved by one unit in the last place.

        `seen` makes a context that the pass runs in.
        """
        state = self.state(one.values, one.shares)
        data: tuple[Any, ...] = given(one.data, self.pairing.ways)
        if moved is not None:
            kind = dtype if dtype in ("float64", "float32") else "float32"
            state = perturbed({name: np.asarray(value, kind) for name, value in state.items()}, moved)
            data = tuple(perturbed(in_dtype(a, kind), moved) if is_real(a) else a for a in data)
        masks = self.masks_of(one)

        @contextmanager
        def moving() -> Iterator[None]:
            with under(masks), all_moved(moved) if moved is not None else seen() if seen else nullcontext():
                yield

        return self.reference.run(state, data, dtype, self.send, moving, backward, self.training)

    def masks_of(self, one: Draw) -> Sequence[Array | None]:
        """Of torch's dropouts, in the order in which they are met: what scratch left out on such a draw."""
        key = one.label, self.training
        if key not in self.masks:
            state, data = self.state(one.values, one.shares), given(one.data, self.pairing.ways)
            self.masks[key] = ()
            if self.training not in self.dropouts:
                self.dropouts[self.training] = count(self.reference.near, state, data, self.training)
            if self.dropouts[self.training]:
                try:
                    data_of_theirs, send = self.given(one, "float64"), self.send_in("float64")
                    arrays, _ = watched(self.foreign, one.values, data_of_theirs, send, 0)
                    self.masks[key] = found(self.reference.near, state, data, Pool(arrays), self.training)
                except Exception:  # told where it is called to be compared
                    return ()
        return self.masks[key]

    def explained(self, one: Draw) -> bool:
        """Whether the masks of all of torch's dropouts were found: then they are what is random."""
        masks = self.masks_of(one)
        return bool(masks) and all(mask is not None for mask in masks)

    def of_run(self, run: Run) -> Tensors:
        """A run of the reference by the names of what is compared, gradients as the stranger has them."""
        found: Tensors = {} if run.loss is None else {"loss": run.loss}
        for n, (output, value) in enumerate(zip(self.roles.outputs, run.outputs, strict=False)):
            if output is not None:
                found["output" if len(self.roles.outputs) == 1 else f"output[{n}]"] = IMAGES[output.image](value)
        gradients = self.pairing.layout.gradients(run.gradients)
        for leaf in self.leaves:
            if any(name in run.gradients for name in self.pairing.layout.torch_names(leaf)):
                found[f"d {leaf.name}"] = self.pairing.layout.in_rows(leaf, gradients[leaf.name])
        for n in self.roles.inputs:
            if n < len(run.inputs) and (sent := run.inputs[n]) is not None:
                found[f"d data {n}"] = sent
        for own, torchs in self.buffers.items():
            found[f"buffer {own}"] = run.buffers[torchs]
        return found

    # the stranger's side

    def call(self, one: Draw, dtype: str = "float64", seed: int = 0, locked: bool = False) -> Raw:
        """One run from the state that everything was found in; `locked` data cannot be written to."""
        self.foreign.locked = locked
        try:
            with self.foreign.afresh(one.values, dtype, seed), self.foreign.computing(dtype):
                return self.foreign.call(self.given(one, dtype, locked), self.send_in(dtype, locked))
        finally:
            self.foreign.locked = False

    def given(self, one: Draw, dtype: str, locked: bool = False) -> tuple[Any, ...]:
        kind = dtype if dtype in ("float64", "float32", "longdouble") else "float32"
        data = tuple(in_dtype(array, kind) for array in one.data)
        return tuple(map(read_only, data)) if locked else data

    def send_in(self, dtype: str, locked: bool = False) -> Any:
        def send(n: int, out: Array) -> Array:
            sent = self.send(n, self.as_torchs(n, out)).astype(out.dtype if out.dtype.kind == "f" else "float64")
            back = self.as_theirs(n, sent, out.shape)
            return read_only(back) if locked else back

        return send

    def as_torchs(self, n: int, out: Array) -> Array:
        """An output in the shape that the reference gives it."""
        output = self.roles.outputs[n] if n < len(self.roles.outputs) else None
        moved = way_to(out, self.shapes[n], output.way) if output is not None and n < len(self.shapes) else None
        return out if moved is None else moved

    def as_theirs(self, n: int, sent: Array, shape: tuple[int, ...]) -> Array:
        """What is sent back through the axes that the output was moved by."""
        where = self.as_torchs(n, np.arange(sent.size, dtype=np.float64).reshape(shape)).astype(np.int64)
        back = np.empty(sent.size, sent.dtype)
        back[where.ravel()] = sent.ravel()
        return back.reshape(shape)

    def of_raw(self, raw: Raw) -> Tensors:
        """A call of the stranger's code by the names of what is compared, in torch's shapes where axes moved."""
        leaves = [leaf for leaf in self.leaves if self.pairing.layout.covered(leaf)]
        found = extracted(raw, self.roles, leaves, self.shapes)
        for name, value in found.items():
            if name.startswith("d data "):
                found[name] = self.moved_data(int(name.removeprefix("d data ")), value)
            elif name.startswith("d "):
                leaf = self.leaf(name.removeprefix("d "))
                found[name] = self.pairing.layout.in_rows(leaf, value) if value.shape == leaf.shape else value
        for own in self.buffers:
            value = raw.buffers[own]
            found[f"buffer {own}"] = value.reshape(self.buffer_shape(own)) if value.size else value
        return found

    def buffer_shape(self, own: str) -> tuple[int, ...]:
        return tuple(self.reference.tensors[self.buffers[own]].shape)

    def moved_data(self, n: int, value: Array) -> Array:
        try:
            return np.asarray(self.pairing.ways[n].apply(value))
        except Exception:  # of another shape than the data: judged as such
            return value

    # the comparison

    def compare(self, one: Draw, kind: str, actual: Tensors, golden: Tensors) -> dict[str, Quantity]:
        """Every tensor judged against the reference's in float64, by the floor of a dtype."""
        found = self.judged(actual, golden, {}, kind)
        if sure(found.values()):
            return found
        strayed = self.strayed(one, kind, golden, range(RERUNS))
        found = self.judged(actual, golden, strayed, kind)
        if any(DOUBTFUL[0] < q.ratio < DOUBTFUL[1] for q in found.values()):
            more = self.strayed(one, kind, golden, range(RERUNS, RERUNS + MORE_RERUNS))
            found = self.judged(actual, golden, farther(strayed, more), kind)
        return found

    def strayed(self, one: Draw, dtype: str, golden: Tensors, seeds: Sequence[int]) -> Tensors:
        """How far each row of the re-runs strays from golden."""
        found: Tensors = {}
        runs = [self.golden(one, dtype, seed) for seed in seeds]
        if dtype != "float64" and 0 in seeds:
            runs.append(self.golden(one, dtype))
        for run in runs:
            tensors = self.of_run(run)
            found = farther(
                found,
                {name: strays(a.astype(np.float64), golden[name]) for name, a in tensors.items() if name in golden},
            )
        return found

    def judged(self, actual: Tensors, golden: Tensors, strayed: Tensors, dtype: str) -> dict[str, Quantity]:
        found = {}
        numpys = dtype if dtype in ("float64", "float32") else "float32"
        for name, value in actual.items():
            more = strayed.get(name)
            if name not in golden:
                if not value.any():
                    continue
                found[name] = replace(
                    judge(name, value, None, None, numpys), reason="the reference has no gradient for it"
                )
                continue
            with np.errstate(over="ignore"):
                value = value.astype(numpys) if value.dtype.kind in "fiu" else value
            found[name] = judge(name, value, golden[name], more, numpys)
        return found


def is_float_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def is_real(value: Any) -> bool:
    """Floats that are no classes, as the 0 and 1 of a target are: those stay what they are."""
    return is_float_array(value) and bool((value != np.round(value)).any())


def random_draw(bout: Bout, data: Sequence[Any], label: str, seed: int) -> Draw:
    values, shares = draw(bout.pairing.layout, bout.reference, seed)
    return Draw(label, {**values, **bout.unmatched(), **drawn_buffers(bout, seed)}, shares, tuple(data))


def drawn_buffers(bout: Bout, seed: int) -> Tensors:
    """Running means like biases, running variances U(0.5, 1.5), whatever else N(0, 0.09)."""
    rng = np.random.default_rng([seed, 23])
    found: Tensors = {}
    for leaf in bout.foreign.kept_buffers:
        name = f"{leaf.name} {bout.buffers.get(leaf.name, '')}"
        normal = rng.standard_normal(leaf.shape)
        found[f"buffer {leaf.name}"] = rng.uniform(0.5, 1.5, leaf.shape) if "var" in name else 0.3 * normal
    return found


def failed(quantities: Mapping[str, Quantity]) -> list[str]:
    return [name for name, quantity in quantities.items() if quantity.verdict is Verdict.FAIL]
