"""Optimizers far from ordinary numbers: gradients from 1e-30 to 1e3, zeros, NaN; from the first step to the 1,000th."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.random import Generator

from twofold.compare.judge.checks.optimizers import SQUARES, twins_of
from twofold.compare.judge.checks.places import convicted, tensor
from twofold.compare.judge.evidence.floor import sure
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.evidence.trial import RERUNS, Trial
from twofold.compare.judge.finding import Quantity
from twofold.compare.pair import Twin
from twofold.compare.sides import import_torch, scratch
from twofold.compare.sides.reference import as_torch_keeps, kept_of
from twofold.compare.sides.trace import array_of
from twofold.scratch.module import Array, Parameter

NAME = "optimizer"
SHAPE = (3, 4)
MAGNITUDES = (1e-30, 1e-15, 1e-8, 1e-3, 1.0, 1e3)
STEPS = (9, 254, 999)  # already taken
CLIP = 0.5

Arrays = Mapping[str, Array]
States = Mapping[str, Mapping[str, Array]]


def rounds(trial: Trial) -> Iterator[tuple[str, list[Quantity]]]:
    """One step of a parameter for each magnitude, from the start and after so many steps."""
    for twin in twins_of(trial):
        rng = trial.rng(f"extremes {sorted(twin.arguments.items())}")
        gradients = drawn(rng, trial.dtype)
        start = {name: (twin.arguments["lr"] * rng.standard_normal(SHAPE)).astype(trial.dtype) for name in gradients}
        _, kept = by_torch(trial, twin, trial.dtype, start, {}, gradients)
        told = f"{twin.scratch.rpartition(':')[2]}({', '.join(f'{k}={v}' for k, v in twin.arguments.items())})"
        for steps in (0, *STEPS) if any(kept.values()) else (0,):
            state = midway(kept, steps, rng, trial.dtype) if steps else {}
            yield f"step {steps + 1} of {told}", judged(trial, twin, start, state, gradients)


def drawn(rng: Generator, dtype: str) -> dict[str, Array]:
    """Gradients of either sign by magnitude; zeros among others and alone; one NaN."""
    made = {f"gradients of {size:g}": size * rng.standard_normal(SHAPE) for size in MAGNITUDES}
    made["gradients of zero"] = np.zeros(SHAPE)
    made["some gradients of zero"] = np.where(rng.random(SHAPE) < 0.5, 0.0, rng.standard_normal(SHAPE))
    made["a gradient of NaN"] = rng.standard_normal(SHAPE)
    made["a gradient of NaN"][1, 2] = np.nan
    return {name: array.astype(dtype) for name, array in made.items()}


def midway(kept: States, steps: int, rng: Generator, dtype: str) -> dict[str, dict[str, Array]]:
    """What torch keeps of each parameter after so many steps with such gradients."""

    def draw(key: str, after_one: Array) -> Array:
        if key == "step":
            return np.array(steps)
        size = np.nanmax(np.abs(after_one.astype(np.float64)), initial=0)
        values = size * rng.standard_normal(SHAPE)
        return (np.abs(values) if key in SQUARES else values).astype(dtype)

    return {name: {key: draw(key, value) for key, value in entry.items()} for name, entry in kept.items()}


def judged(trial: Trial, twin: Twin, start: Arrays, state: States, gradients: Arrays) -> list[Quantity]:
    given = start, state, gradients
    actual = flat(*by_scratch(trial, twin, *given))
    run = partial(by_torch, trial, twin)
    plain = flat(*run(trial.dtype, *given))
    golden = plain if trial.dtype == "float64" else flat(*run("float64", *given))

    def compared(runs: Sequence[Arrays]) -> list[Quantity]:
        def of(name: str) -> Quantity:
            three = [found.get(name) for found in (actual, golden, plain)]
            judged = tensor(
                f"{NAME} {name}", three, [run[name] for run in runs if name in run], trial.dtype, sized=True
            )
            return convicted(judged, twin.reference.startswith("torch."))

        return [of(name) for name in dict.fromkeys((*actual, *golden))]

    runs = [] if golden is plain else [plain]
    if sure(least := compared(runs)):
        return least
    runs += [flat(*run(trial.dtype, *perturbed(given, seed))) for seed in range(RERUNS)]
    return compared(runs)


def flat(parameters: Arrays, state: States) -> dict[str, Array]:
    """The parameters, and each entry of the state, a row for each magnitude."""
    keys = dict.fromkeys(key for entry in state.values() for key in entry)
    stacked = {key: np.stack([entry[key] for entry in state.values() if key in entry]) for key in keys}
    return {"parameter": np.stack(list(parameters.values())), **stacked}


def by_scratch(trial: Trial, twin: Twin, start: Arrays, state: States, gradients: Arrays) -> tuple[Arrays, States]:
    parameters = {name: Parameter(np.array(value)) for name, value in start.items()}
    optimizer = twin.build("scratch", parameters.items())
    if state:
        optimizer.load_state_dict(state)
    for name, parameter in parameters.items():
        parameter.grad = np.array(gradients[name])
    if trial.case.clip is not None:
        scratch.clip_grad_value_(parameters.values(), CLIP)
    optimizer.step()
    return {name: parameter.data for name, parameter in parameters.items()}, optimizer.state_dict()


def by_torch(
    trial: Trial, twin: Twin, dtype: str, start: Arrays, state: States, gradients: Arrays
) -> tuple[Arrays, States]:
    torch = import_torch()

    def tensor_of(array: Array) -> Any:
        return torch.tensor(array, dtype=getattr(torch, dtype))

    parameters = {name: torch.nn.Parameter(tensor_of(value)) for name, value in start.items()}
    optimizer = twin.build("reference", parameters.items())
    for name, parameter in parameters.items():
        parameter.grad = tensor_of(gradients[name])
        if state:
            optimizer.state[parameter] = as_torch_keeps(state[name], tensor_of)
    if trial.case.clip is not None:
        torch.nn.utils.clip_grad_value_(parameters.values(), CLIP)
    optimizer.step()
    after = {name: kept_of(optimizer, parameter) for name, parameter in parameters.items()}
    return {name: array_of(p) for name, p in parameters.items()}, after
