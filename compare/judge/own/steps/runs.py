"""A training step of the stranger's against torch's: re-synchronised step by step, then 50 steps that run free.

The stranger's side goes first, and keeps what state it has. Torch's then takes the same steps, each from the weights
that the stranger's had before it, with an optimizer of its own. What a step changes is compared, not what it leaves.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.floor import farther, judge, largest, strays
from twofold.compare.judge.evidence.operations import all_moved
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.evidence.trial import DOUBTFUL, RERUNS
from twofold.compare.judge.finding import Quantity
from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.gates import LIMIT
from twofold.compare.judge.own.call import Call
from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors, is_real
from twofold.compare.sides.foreign.data import given, in_dtype, redrawn
from twofold.compare.sides.foreign.reference import UsersReference, arity
from twofold.compare.sides.foreign.trees import Reach, is_of_optim, is_tensor
from twofold.scratch.module import Array

FEW = 2  # re-runs of a step; more where an error makes one doubt


@dataclass
class Run:
    """Some steps: the weights before and after each by leaf, and the data of each."""

    before: list[Tensors] = field(default_factory=list)
    after: list[Tensors] = field(default_factory=list)
    data: list[tuple[Any, ...]] = field(default_factory=list)
    kept: list[dict[str, Array]] = field(default_factory=list)  # what else of the parameters' shapes stands somewhere


@dataclass(frozen=True)
class Stepped:
    """The first step that differs, and its quantities; None where all agree."""

    dtype: str
    step: int | None
    quantities: dict[str, Quantity]
    actual: Tensors
    golden: Tensors
    gradients: Tensors  # torch's own at that step
    before: Tensors
    data: tuple[Any, ...]
    state: tuple[str, ...] = ()  # in words, what of the stranger's is torch's state


def arguments_of(step: Callable[..., Any], data: tuple[Any, ...]) -> tuple[Any, ...]:
    """As many of the data as the step takes."""
    return data[: arity(step)]


def batches(bout: Bout, one: Draw, steps: int) -> list[tuple[Any, ...]]:
    """The user's own first, then others of its kind."""
    rng = np.random.default_rng([bout.seed, 31])
    if any(way.text == "as given" for way in bout.pairing.ways):
        return [one.data] * steps
    return [one.data, *(tuple(redrawn(array, rng) for array in one.data) for _ in range(steps - 1))]


def scratch_run(
    bout: Bout, call: Call, one: Draw, dtype: str, data: list[tuple[Any, ...]], seen: Any = nullcontext
) -> Run:
    """The stranger's steps; `seen` makes a context for the last of them."""
    foreign, run = bout.foreign, Run()
    shapes = {leaf.shape for leaf in bout.leaves}
    with foreign.afresh(one.values, dtype):
        for n, batch in enumerate(data):
            theirs = tuple(in_dtype(array, dtype) for array in batch)
            run.before.append({name: value.astype(np.float64) for name, value in foreign.read().items()})
            with seen() if n == len(data) - 1 else nullcontext():
                call.step(*arguments_of(call.step, theirs))
            run.after.append({name: value.astype(np.float64) for name, value in foreign.read().items()})
            run.data.append(batch)
            run.kept.append(beside(foreign, shapes))
    return run


def beside(foreign: Any, shapes: set[tuple[int, ...]]) -> dict[str, Array]:
    """Arrays of a parameter's shape that are none: where an optimizer may keep its state."""
    own = {(id(slot.holder), slot.key) for leaf in foreign.leaves for slot in leaf.slots}
    found = {}
    for slot in Reach(foreign.reach.roots).slots:
        value = slot.get()
        if (id(slot.holder), slot.key) not in own and isinstance(value, np.ndarray) and value.shape in shapes:
            found[slot.name] = np.array(value, np.float64)
    return found


@contextmanager
def stepping(bout: Bout, call: Call) -> Iterator[Callable[[tuple[Any, ...], int | None, str], Tensors]]:
    """Torch's step: the user's own, or loss, backward and a step of his optimizer. All is put back afterwards.

    Gives the gradients that the optimizer was given: its foreach forms write to them.
    """
    reference = bout.reference
    torch = reference.torch
    reach = Reach({"": call.reference_step}) if call.reference_step is not None else None
    with reference.kept():
        if call.reference_step is not None:

            def own(data: tuple[Any, ...], seed: int | None, dtype: str) -> Tensors:
                tensors = [reference.tensor(array, dtype) for array in data]
                with all_moved(seed) if seed is not None else nullcontext():
                    call.reference_step(*arguments_of(call.reference_step, tuple(tensors)))
                return gradients_of(reference)

            try:
                yield own
            finally:
                assert reach is not None
                reach.put_back()
            return
        optimizer = made(call.optimizer, list(reference.parameters.values()))

        def usual(data: tuple[Any, ...], seed: int | None, dtype: str) -> Tensors:
            optimizer.zero_grad()
            tensors = [reference.tensor(array, dtype) for array in data]
            with all_moved(seed) if seed is not None else nullcontext(), torch.enable_grad():
                out = reference.reference(*(tensors[:-1] if reference.criterion else tensors))
                _, loss = reference.parted(out, tensors[-1])
                loss.backward()
            given = gradients_of(reference)
            optimizer.step()
            return given

        usual.optimizer = optimizer  # type: ignore[attr-defined]
        yield usual


def gradients_of(reference: UsersReference) -> Tensors:
    """Copies, in float64."""
    gradients = {name: parameter.grad for name, parameter in reference.parameters.items()}
    return {name: np.array(g.detach().cpu().numpy(), np.float64) for name, g in gradients.items() if g is not None}


def made(optimizer: Any, parameters: list[Any]) -> Any:
    return optimizer(parameters) if callable(optimizer) and not is_of_optim(optimizer) else optimizer


@dataclass
class Torchs:
    """What torch's steps changed, each from the stranger's weights; its gradients and state."""

    change: list[Tensors] = field(default_factory=list)
    gradients: list[Tensors] = field(default_factory=list)
    state: dict[str, Array] = field(default_factory=dict)  # what the optimizer keeps at the end, by leaf and entry


def torch_run(
    bout: Bout, call: Call, one: Draw, run: Run, dtype: str, seed: int | None, free: bool = False, seen: Any = None
) -> Torchs:
    """The steps of `run` on torch's side, each from the weights before it; `free` from the first alone.

    `seen` makes a context for the last of them.
    """
    found, layout = Torchs(), bout.pairing.layout
    with stepping(bout, call) as step:
        for n, (before, batch) in enumerate(zip(run.before, run.data, strict=True)):
            data = given(batch, bout.pairing.ways)
            if not free or not n:
                state = bout.state(before, one.shares)
                if seed is not None:
                    state = perturbed({name: np.asarray(a, dtype) for name, a in state.items()}, seed)
                bout.reference.load(state, dtype, gradients=True)
            started = layout.from_torch(now(bout))
            if seed is not None and not free:
                data = tuple(perturbed(in_dtype(a, dtype), seed) if is_real(a) else a for a in data)
            with seen() if seen is not None and n == len(run.data) - 1 else nullcontext():
                grads = step(data, None if free else seed, dtype)
            ended = layout.from_torch(now(bout))
            found.change.append({name: ended[name] - started[name] for name in ended})
            found.gradients.append(layout.gradients(grads) if grads else {})
        if (optimizer := getattr(step, "optimizer", None)) is not None:
            found.state = states(bout, optimizer)
    return found


def now(bout: Bout) -> dict[str, Array]:
    return {
        name: parameter.detach().cpu().numpy().astype(np.float64)
        for name, parameter in bout.reference.parameters.items()
    }


def states(bout: Bout, optimizer: Any) -> dict[str, Array]:
    """What torch's optimizer keeps, in the stranger's layout."""
    by_entry: dict[str, dict[str, Array]] = {}
    for name, parameter in bout.reference.parameters.items():
        for entry, value in optimizer.state.get(parameter, {}).items():
            if is_tensor(value) and value.shape == parameter.shape:
                by_entry.setdefault(entry, {})[name] = value.detach().cpu().numpy().astype(np.float64)
    return {
        f"{leaf}'s {entry}": value
        for entry, tensors in by_entry.items()
        for leaf, value in bout.pairing.layout.gradients(tensors).items()
    }


def compared(bout: Bout, call: Call, one: Draw, run: Run, dtype: str) -> Stepped:
    """Every step judged against torch's, by the floor of its re-runs and of the weights that it is read from."""
    golden = torch_run(bout, call, one, run, "float64", None)
    moved = [torch_run(bout, call, one, run, dtype, seed) for seed in range(FEW)]
    if dtype != "float64":
        moved.append(torch_run(bout, call, one, run, dtype, None))
    found = against(bout, run, dtype, golden, moved)
    if any(DOUBTFUL[0] < q.ratio < DOUBTFUL[1] for q in found.quantities.values()):
        moved += [torch_run(bout, call, one, run, dtype, seed) for seed in range(FEW, RERUNS)]
        found = against(bout, run, dtype, golden, moved)
    return found


def against(bout: Bout, run: Run, dtype: str, golden: "Torchs", moved: "list[Torchs]") -> Stepped:
    """The steps up to the first that differs."""
    eps = float(np.finfo(dtype).eps)
    quantities: dict[str, Quantity] = {}
    for n, (before, after) in enumerate(zip(run.before, run.after, strict=True)):
        found: dict[str, Quantity] = {}
        actual = {name: after[name] - before[name] for name in after}
        for leaf in bout.leaves:
            if not bout.pairing.layout.covered(leaf):
                continue
            rows = partial(bout.pairing.layout.in_rows, leaf)
            want = rows(golden.change[n][leaf.name])
            away: Tensors = {}
            for other in moved:
                away = farther(away, {"": strays(rows(other.change[n][leaf.name]), want)})
            read = 2 * eps * largest(rows(np.maximum(np.abs(before[leaf.name]), np.abs(after[leaf.name]))))
            quantity = judge(leaf.name, rows(actual[leaf.name]).astype(dtype), want, away[""] + read, dtype)
            found[leaf.name] = quantity
        quantities = {**quantities, **{f"{name}, step {n + 1}": q for name, q in found.items()}}
        if any(q.verdict is Mark.FAIL for q in found.values()):
            return Stepped(
                dtype, n + 1, found, actual, golden.change[n], golden.gradients[n], run.before[n], run.data[n]
            )
    return Stepped(dtype, None, quantities, {}, {}, {}, {}, (), tuple(state_factors(run, golden.state)))


def state_factors(run: Run, kept: Mapping[str, Array]) -> list[str]:
    """What of the stranger's arrays is torch's state up to one constant factor, as a velocity is -lr times a buffer."""
    found = []
    for name, array in run.kept[-1].items():
        for entry, want in kept.items():
            if array.shape != want.shape or not want.any() or not array.any():
                continue
            factor = float((array * want).sum() / (want * want).sum())
            if np.abs(array - factor * want).max() <= 1e-6 * np.abs(array).max():
                found.append(f"{name} = {factor:.6g} x {entry}")
    return found


def outside(bout: Bout, call: Call, one: Draw, data: list[tuple[Any, ...]]) -> tuple[int, str] | None:
    """The first of many free steps at which the weights leave the envelope of references one ulp apart, and which."""
    run = scratch_run(bout, call, one, "float64", data)
    golden = torch_run(bout, call, one, run, "float64", None, free=True)
    twins = [torch_run(bout, call, one, run, "float64", seed, free=True) for seed in range(RERUNS)]
    start = run.before[0]
    reached = {leaf.name: 0.0 for leaf in bout.leaves}
    sums = [{name: np.zeros_like(value) for name, value in start.items()} for _ in range(2 + len(twins))]
    for n in range(len(data)):
        changes = [{k: run.after[n][k] - run.before[n][k] for k in start}, golden.change[n]]
        for total, change in zip(sums, [*changes, *(twin.change[n] for twin in twins)], strict=True):
            for name in total:
                total[name] = total[name] + change[name]
        for leaf in bout.leaves:
            if not bout.pairing.layout.covered(leaf):
                continue
            mine, want, *others = (total[leaf.name] for total in sums)
            size = float(np.abs(start[leaf.name] + want).max(initial=0))
            spread = max(float(np.abs(other - want).max(initial=0)) for other in others)
            reached[leaf.name] = max(reached[leaf.name], spread)
            allowed = LIMIT * (reached[leaf.name] + 8 * float(np.finfo(np.float64).eps) * size)
            if not float(np.abs(mine - want).max(initial=0)) <= allowed:
                return n + 1, leaf.name
    return None
