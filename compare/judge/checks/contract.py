"""What scratch promises whatever it computes: names, memory of its own, and a backward pass that can be repeated."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Quantity, Verdict, bit_for_bit, exactly
from twofold.compare.sides import Scratch, Side
from twofold.scratch.module import Array, Module


def names(trial: Trial) -> Iterator[Quantity]:
    """Names and shapes, and of buffers the values that they begin with; parameters are drawn."""
    side, other = trial.scratch(), trial.reference()
    scratch, reference, frozen = side.state(), other.state(), other.frozen()
    unseen = other.unregistered()
    if not scratch and not reference:
        yield exactly("no parameters", True, "")
    for name in dict.fromkeys((*scratch, *reference)):
        shapes = [state[name].shape if name in state else "nothing" for state in (scratch, reference)]
        said = f"scratch has {shapes[0]}, reference {shapes[1]}"
        if name not in reference and unseen:
            said += f"; torch registers no modules in {', '.join(unseen)}: nn.ModuleList does"
        yield exactly(name, shapes[0] == shapes[1], said, "conventions")
        if name in frozen:
            said = "the reference has it frozen: requires_grad is False"
            yield exactly(f"{name} requires_grad", False, said, "conventions")
        if name in scratch and name in reference and scratch[name].dtype != reference[name].dtype:
            said = f"scratch has {scratch[name].dtype}, reference {reference[name].dtype}"
            yield exactly(f"{name} dtype", False, said, "scratch")
    parameters = dict(side.model.named_parameters())
    for name in (name for name in scratch if name in reference and name not in parameters):
        said = "buffers begin with other values"
        yield bit_for_bit(f"{name} at first", [scratch[name]], [reference[name]], said, "conventions")


def sides(trial: Trial) -> list[Side]:
    """Scratch's, the reference's, and on a device the reference's there."""
    return [trial.scratch(), trial.reference(), *([trial.away()] if trial.device != "cpu" else [])]


def told(side: Side) -> str:
    device = getattr(side, "device", "cpu")
    return side.name if device == "cpu" else f"{side.name} on {device}"


def load(trial: Trial) -> Iterator[Quantity]:
    for side in sides(trial):
        side.load(trial.state)
        read = side.state()
        for name, value in trial.state.items():
            equal = name in read and np.array_equal(read[name], value)
            guilty = side.name if name in read else ""  # else the sides name their tensors otherwise
            yield exactly(f"{name} in {told(side)}", equal, "what was loaded is not what is read back", guilty)
        if not trial.state:
            yield exactly(f"{told(side)} has no state", not read, f"reads {sorted(read)}", side.name)


def memory(trial: Trial) -> Iterator[Quantity]:
    """Arrays that were handed in or out are overwritten; no side may notice."""
    for side in sides(trial):
        state, inputs = copied(trial.state), nest.apply(np.array, trial.inputs)
        side.load(state)
        side.zero_grad()
        out = side.forward(inputs)
        dinputs = side.backward(trial.cotangents)
        handed = {"state": state, "inputs": nest.numbered("input", inputs), "outputs": nest.numbered("<output>", out)}
        handed |= {"input gradients": nest.numbered("input", dinputs)}
        handed |= {"read state": side.state(), "gradients": side.gradients()}
        before = copied(side.state()), copied(side.gradients())
        for what, arrays in handed.items():
            for array in arrays.values():
                array.fill(77)
            equal = all(map(same, before, (side.state(), side.gradients())))
            yield exactly(
                f"{what} of {told(side)}", equal, "the side keeps the very memory that it handed over", side.name
            )


def copied(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: array.copy() for name, array in arrays.items()}


def same(first: dict[str, Array], second: dict[str, Array]) -> bool:
    return first.keys() == second.keys() and all(identical(first[name], second[name]) for name in first)


def identical(first: Array, second: Array) -> bool:
    """Equal, NaN included."""
    floating = np.issubdtype(first.dtype, np.floating)
    return np.array_equal(first, second, equal_nan=bool(floating))


def twice(trial: Trial) -> Iterator[Quantity]:
    """Scratch's second backward doubles every gradient exactly; nothing handed out or in and no cache is written to."""
    side = trial.scratch()
    side.load(trial.state)
    model, inputs, cotangents = side.model, nest.apply(np.array, trial.inputs), nest.apply(np.array, trial.cotangents)
    grad_output = cotangents if isinstance(cotangents, tuple) else (cotangents,)
    out = model(*inputs)
    kept_out, caches = nest.apply(np.array, out), cached(model)
    dinputs = model.backward(*grad_output)
    once, kept_dinputs = side.gradients(), nest.apply(np.array, dinputs)

    def holds(name: str, found: object, expected: object, reason: str) -> Quantity:
        """Equal arrays, and None where None is."""
        ours, theirs = (nest.flatten(nested) for nested in (found, expected))
        first, second = ([np.asarray(a) for a in some if a is not None] for some in (ours, theirs))
        if [a is None for a in ours] != [a is None for a in theirs]:
            return exactly(name, False, reason, "scratch")
        return bit_for_bit(name, first, second, reason, "scratch")

    for path, arrays in cached(model).items():
        yield holds(f"cache of {path or 'model'}", arrays, caches[path], "backward writes to its cache")
    again = model.backward(*grad_output)
    added = side.gradients()
    for name, gradient in added.items():
        if not np.array_equal(gradient, 2 * once[name]) and not np.isnan(gradient).any():
            # a sum of several terms rounds otherwise when it begins elsewhere: half of it must be the gradient
            halved = {**trial.actual["gradient"], name: gradient / 2}
            judged = trial.judged("gradient", {**trial.actual, "gradient": halved})
            (half,) = (quantity for quantity in judged if quantity.name == name)
            if half.verdict is Verdict.PASS:
                yield half
                continue
        again_added = holds(name, gradient, 2 * once[name], "the second backward does not add the same again")
        yield exactly(name, False, "NaN in scratch", "scratch") if np.isnan(gradient).any() else again_added
    yield holds("input gradient", again, kept_dinputs, "the second backward sends another gradient back")
    yield holds("cotangent", cotangents, trial.cotangents, "backward writes to the gradient that it was given")
    yield holds("input", inputs, trial.inputs, "the input is written to")
    model(*nest.apply(backwards, trial.inputs))
    model.backward(*grad_output)
    yield holds("returned output", out, kept_out, "a later call overwrites what forward returned")
    yield holds("returned gradient", dinputs, kept_dinputs, "a later call overwrites what backward returned")
    if trial.target is not None:
        side.forward(trial.inputs)
        side.loss(trial.target)
        single, double = (side.criterion.backward(side.dtype.type(dloss)) for dloss in (1, 2))
        yield holds("loss gradient", double, 2 * single, "the loss does not pass on the gradient that it is given")
    reason = "of two calls before their backward passes each gives another gradient than by itself"
    side = trial.scratch()  # one for both: what a call leaves behind shows in the next
    together, alone = two_calls(trial, side, (0, 1, 1, 0)), two_calls(trial, side, (1, 1, 0, 0))
    for name, both, each in zip(("gradients", "input gradients"), together, alone, strict=True):
        yield holds(f"{name} of two calls", both, each, reason)


def two_calls(trial: Trial, side: Scratch, passes: Sequence[int]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Gradients and what is sent back of two batches, each named twice in `passes`: forward and then backward."""
    batches = trial.inputs, nest.apply(backwards, trial.inputs)
    one = trial.cotangents if isinstance(trial.cotangents, tuple) else (trial.cotangents,)
    cotangents = one, nest.apply(lambda cotangent: -2 * cotangent, one)
    side.load(trial.state)
    side.zero_grad()
    called: set[int] = set()
    sent: list[Any] = []
    for n in passes:
        if n in called:
            sent += nest.flatten(side.model.backward(*nest.apply(np.array, cotangents[n])))
        else:
            called.add(n)
            side.reseed(n)
            side.model(*nest.apply(np.array, batches[n]))
    return tuple(side.gradients().values()), tuple(sent)


def backwards(array: Array) -> Array:
    """Another batch of the same kind: the records in reverse order."""
    return np.flip(array, 0) if array.ndim else array


def cached(model: Module) -> dict[str, tuple[Array, ...]]:
    """Copies of the arrays in every module's cache."""
    caches = {path: nest.flatten(vars(module).get("cache")) for path, module in model.named_modules()}
    return {path: tuple(np.array(a) for a in kept if isinstance(a, np.ndarray)) for path, kept in caches.items()}
