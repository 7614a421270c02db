"""The battery: each check is a function from a trial to the quantities that it judged."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np

from compare import curves, nest, numerical, optimizers
from compare.branches import pinned
from compare.finding import Finding, gravest, waived
from compare.floor import Quantity, Verdict, exactly
from compare.sides import Side
from compare.trial import RERUNS, Divergence, Reading, Trial, Unrepeatable, leaves, moved
from scratch.module import Array, Module

EXACT_LAYERS = {"Linear", "Conv2d", "LoopConv2d", "MaxPool2d", "LoopMaxPool2d", "ReLU", "Flatten", "Embedding"}
# Thresholds at which a fast path of scratch changes, and what the check "chunks" sets them to.
THRESHOLDS = {("scratch.layers.conv", "CHUNK_BYTES"): 1}


@dataclass(frozen=True)
class Check:
    """`run` judges; `lacking` says what the check needs and the trial has not; `locate` names the first to differ."""

    name: str
    proves: str
    run: Callable[[Trial], Iterable[Quantity]]
    lacking: Callable[[Trial], str] = lambda trial: ""
    locate: Callable[[Trial], Divergence | None] = lambda trial: None

    def __call__(self, trial: Trial) -> Finding:
        """Whatever a side raises while it runs is a failure, said in one line."""
        try:
            reason = self.lacking(trial)
            if reason:
                return Finding(self.name, Verdict.NOT_APPLICABLE, reason=reason)
            quantities = tuple(self.run(trial))
            verdict = gravest(q.verdict for q in quantities)
            divergence = self.locate(trial) if verdict is Verdict.FAIL else None
        except Unrepeatable as error:
            return Finding(self.name, Verdict.INCONCLUSIVE, reason=str(error))
        except Exception as error:
            return Finding(self.name, Verdict.FAIL, reason=raised(error))
        return waived(Finding(self.name, verdict, quantities, "", divergence), trial.case.waivers)


def raised(error: Exception) -> str:
    """What was raised and by which line, in one line."""
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    place = f" at {frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}" if frame else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"


def names(trial: Trial) -> Iterator[Quantity]:
    scratch, reference = trial.scratch().state(), trial.reference().state()
    if not scratch and not reference:
        yield exactly("no parameters", True, "")
    for name in dict.fromkeys((*scratch, *reference)):
        shapes = [state[name].shape if name in state else "nothing" for state in (scratch, reference)]
        yield exactly(name, shapes[0] == shapes[1], f"scratch has {shapes[0]}, reference {shapes[1]}")


def load(trial: Trial) -> Iterator[Quantity]:
    for side in (trial.scratch(), trial.reference()):
        side.load(trial.state)
        read = side.state()
        for name, value in trial.state.items():
            equal = name in read and np.array_equal(read[name], value)
            yield exactly(f"{name} in {side.name}", equal, "what was loaded is not what is read back")
        if not trial.state:
            yield exactly(f"{side.name} has no state", not read, f"reads {sorted(read)}")


def memory(trial: Trial) -> Iterator[Quantity]:
    """Arrays that were handed in or out are overwritten; no side may notice."""
    sides: tuple[Side, ...] = (trial.scratch(), trial.reference())
    for side in sides:
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
            yield exactly(f"{what} of {side.name}", equal, "the side keeps the very memory that it handed over")


def copied(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: array.copy() for name, array in arrays.items()}


def same(first: dict[str, Array], second: dict[str, Array]) -> bool:
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


def exact(trial: Trial) -> Iterator[Quantity]:
    """Small integers everywhere: sums are exact in any order, ties and zeros are real, nothing is pinned."""
    whole, bound = integers(trial, signed=True), integers(trial, signed=False)
    most, exact_to = largest(bound.observe(bound.reference("float64"))), 2.0 ** np.finfo(trial.dtype).nmant
    if most > exact_to / 4:
        reason = f"partial sums up to {most:.3g} may exceed the exact integers of {trial.dtype}"
        yield Quantity("bound", most, 0.0, 0.0, Verdict.INCONCLUSIVE, reason=reason)
        return
    scratch, reference = whole.observe(whole.scratch()), whole.observe(whole.reference())
    for stage in ("forward", "backward", "gradient") if trial.shows_modules else ("gradient",):
        for name in dict.fromkeys((*scratch[stage], *reference[stage])):
            missing = name not in scratch[stage] or name not in reference[stage]
            equal = not missing and np.array_equal(scratch[stage][name], reference[stage][name])
            yield exactly(f"{stage} {name}", equal, "missing on one side" if missing else "not bit for bit equal")


def integers(trial: Trial, signed: bool) -> Trial:
    """The trial with weights in {-1, 0, 1}, inputs up to 3, cotangents up to 2; unsigned: their absolute values."""
    whole = Trial(trial.case, trial.dtype, trial.device, trial.seed)
    rng = trial.rng("integers")

    def draw(array: Array, most: int) -> Array:
        if not np.issubdtype(array.dtype, np.floating):
            return array
        drawn = rng.integers(-most, most + 1, array.shape).astype(array.dtype)
        return drawn if signed else np.abs(drawn)

    whole.state = {name: draw(array, 1) for name, array in trial.state.items()}
    whole.inputs = nest.apply(lambda array: draw(array, 3), trial.inputs)
    whole.cotangents = nest.apply(lambda array: draw(array, 2), trial.cotangents)
    return whole


def largest(reading: Reading) -> float:
    stages = ("forward", "backward", "gradient")
    return max(float(np.abs(array).max(initial=0)) for stage in stages for array in reading[stage].values())


def inexact(trial: Trial) -> str:
    if trial.device != "cpu":
        return "bit for bit is promised on the CPU alone"
    others = sorted({type(module).__name__ for module in leaves(trial.scratch().model)} - EXACT_LAYERS)
    return f"{', '.join(others)} rounds even integers" if others else ""


def twice(trial: Trial) -> Iterator[Quantity]:
    """Scratch's second backward doubles every gradient exactly; nothing handed out or in and no cache is written to."""
    side = trial.scratch()
    side.load(trial.state)
    model, inputs, cotangents = side.model, nest.apply(np.array, trial.inputs), nest.apply(np.array, trial.cotangents)
    sent = cotangents if isinstance(cotangents, tuple) else (cotangents,)
    out = model(*inputs)
    kept_out, caches = nest.apply(np.array, out), cached(model)
    dinputs = model.backward(*sent)
    once, kept_dinputs = side.gradients(), nest.apply(np.array, dinputs)
    for path, arrays in cached(model).items():
        yield exactly(f"cache of {path or 'model'}", alike(arrays, caches[path]), "backward writes to its cache")
    again = model.backward(*sent)
    for name, gradient in side.gradients().items():
        yield exactly(name, np.array_equal(gradient, 2 * once[name]), "the second backward does not add the same again")
    yield exactly("input gradient", alike(again, kept_dinputs), "the second backward sends another gradient back")
    yield exactly("cotangent", alike(cotangents, trial.cotangents), "backward writes to the gradient that it was given")
    yield exactly("input", alike(inputs, trial.inputs), "the input is written to")
    model(*nest.apply(lambda a: a[::-1].copy(), trial.inputs))
    model.backward(*sent)
    yield exactly("returned output", alike(out, kept_out), "a later call overwrites what forward returned")
    yield exactly("returned gradient", alike(dinputs, kept_dinputs), "a later call overwrites what backward returned")


def cached(model: Module) -> dict[str, tuple[Array, ...]]:
    """Copies of the arrays in every module's cache."""
    caches = {path: nest.flatten(vars(module).get("cache")) for path, module in model.named_modules()}
    return {path: tuple(np.array(a) for a in kept if isinstance(a, np.ndarray)) for path, kept in caches.items()}


def chunks(trial: Trial) -> Iterator[Quantity]:
    """Scratch with its thresholds shrunk, so that its fast paths change where they otherwise would not."""
    with ExitStack() as stack:
        for (module, name), value in THRESHOLDS.items():
            stack.enter_context(patch(f"{module}.{name}", value))
        found = trial.observe(trial.scratch())
    for stage in ("forward", "gradient"):
        yield from trial.judged(stage, found)


def unchunked(trial: Trial) -> str:
    homes = {module for module, _ in THRESHOLDS}
    return (
        ""
        if any(type(leaf).__module__ in homes for leaf in leaves(trial.scratch().model))
        else "no layer of it has a threshold"
    )


def alike(first: object, second: object) -> bool:
    leaves = zip(nest.flatten(first), nest.flatten(second), strict=True)
    return all((a is None and b is None) or np.array_equal(a, b) for a, b in leaves)


def modes(trial: Trial) -> Iterator[Quantity]:
    """Both modes reach every module; evaluation gives the same outputs and leaves the buffers alone."""
    scratch, reference = trial.scratch(), trial.reference()
    for mode in (False, True):
        for side in (scratch, reference):
            side.train(mode)
        flags, expected = scratch.modes(), reference.modes()
        for path in dict.fromkeys((*flags, *expected)) if trial.shows_modules else ("",):
            told = flags.get(path), expected.get(path)
            name = f"{path or 'model'} {'training' if mode else 'evaluating'}"
            yield exactly(name, told[0] == told[1] == mode, f"scratch says {told[0]}, reference {told[1]}")
    found, taken = evaluated(trial, scratch)
    again, _ = evaluated(trial, scratch)
    yield exactly("a second evaluation", same(found, again), "something is carried over from one call to the next")
    before = trial.state
    yield exactly("state after evaluation", same(scratch.state(), before), "a forward pass in eval mode changes it")
    runs = []
    for side, seed in (
        (trial.reference("float64"), None),
        *((reference, seed) for seed in range(RERUNS)),
        *(((reference, None),) if trial.dtype != "float64" else ()),
    ):
        with pinned(side.model, taken):
            runs.append(evaluated(trial, side, seed)[0])
    yield from trial.judge(found, runs[0], runs[1:])


def evaluated(trial: Trial, side: Side, seed: int | None = None) -> tuple[dict[str, Array], dict[str, Array]]:
    state, inputs = (trial.state, trial.inputs) if seed is None else moved((trial.state, trial.inputs), seed)
    side.load(state)
    side.train(False)
    with side.watch() as trace:
        out = side.forward(inputs)
    return nest.numbered("<output>", out), trace.inputs


def unseen(trial: Trial) -> str:
    if len(leaves(trial.scratch().model)) < 2:
        return "it is a single layer"
    return "" if trial.shows_modules else "the reference has no modules to watch"


def untrained(trial: Trial) -> str:
    return "" if trial.case.optimizer and trial.case.loss else "it has no loss and optimizer of its own"


BATTERY: tuple[Check, ...] = (
    Check("names", "parameters and buffers have equal names and shapes", names),
    Check("load", "both sides read back bit for bit what was loaded", load),
    Check("memory", "no array is shared across the border", memory),
    Check("exact", "integers agree bit for bit, ties and zeros included", exact, inexact),
    Check("forward", "every module's output", lambda trial: trial.judged("forward"), locate=lambda t: t.divergence),
    Check(
        "loss",
        "the loss and its gradient",
        lambda trial: trial.judged("loss"),
        lambda trial: "" if trial.case.loss else "it has no loss of its own",
    ),
    Check(
        "gradient",
        "the gradient of every parameter and of the input",
        lambda trial: trial.judged("gradient"),
        locate=lambda trial: trial.divergence,
    ),
    Check(
        "backward",
        "the gradient through every module",
        lambda trial: trial.judged("backward"),
        unseen,
        locate=lambda trial: trial.divergence,
    ),
    Check("chunks", "outputs and gradients with the thresholds of fast paths shrunk", chunks, unchunked),
    Check("twice", "a second backward doubles exactly, and nothing is overwritten", twice),
    Check(
        "numerical",
        "scratch's gradient is the derivative of scratch's output",
        numerical.directional,
        numerical.lacking,
    ),
    Check("modes", "training and evaluation reach every module", modes),
    Check("optimizer", "equal gradients move parameters and state equally", optimizers.equal_gradients, untrained),
    Check("resync", "20 training steps, each from the same state", curves.resynchronised, untrained, curves.first_step),
    Check("curve", "50 free steps inside the envelope", curves.free, lambda t: untrained(t) or curves.no_verdict(t)),
)

CHECKS_BY_NAME = {check.name: check for check in BATTERY}
