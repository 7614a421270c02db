"""How large gradients are on their way back, and updates beside their weights, while a side trains.

Everything is measured on a second side of the same pair with the same weights, buffers and dropout masks: the training
goes on bit for bit as if nobody had looked. Norms are Euclidean, over a whole batch, and before any clipping.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from twofold.compare.sides import Scratch, Side
from twofold.compare.sides.trace import Trace, path_of
from twofold.compare.training.through_time import calls, unrolled
from twofold.compare.training.train import Training, build
from twofold.scratch.module import Array

Kind = Literal["output", "parameter", "state", "update"]


@dataclass(frozen=True)
class Norms:
    """Norms of a batch's gradients: by module in order of execution, by parameter, by recurrent layer and time step.

    Modules are those without others in them, with a further name for every call after the first, as in a Trace. A
    layer's time steps go on through its calls, and are 0 where the gradient is cut off.
    """

    outputs: dict[str, float]
    parameters: dict[str, float]
    states: dict[str, list[float]]


class Row(NamedTuple):
    """One value at a training step, counted from 1: `kind` as in Watched; `time` counts from 0, None but for states."""

    step: int
    kind: Kind
    name: str
    time: int | None
    value: float


class Watched:
    """Gradients and updates of a training at the steps before which `record` is called, kept as `rows`.

    Their kinds: "output" and "parameter", norms of the gradients of a module's output and of a parameter; "state", of
    the gradient of a recurrent layer's h_t; "update", by how much of itself a parameter moved.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.rows: list[Row] = []
        self._double = double(training)
        self._step = 0
        self._before: dict[str, Array] = {}

    def record(self, inputs: Array, target: Array) -> None:
        """Before a step: the gradients of its batch, with the dropout masks that the step will draw."""
        self._step = len(self.training.steps.get("loss", ())) + 1
        self._before = parameters(self.training.side)
        norms = measure(self.training, inputs, target, self._double)
        self._add("output", norms.outputs)
        self._add("parameter", norms.parameters)
        for name, values in norms.states.items():
            self.rows += [Row(self._step, "state", name, t, value) for t, value in enumerate(values)]

    def stepped(self) -> None:
        """After a step: its updates, if it was recorded."""
        if self._before:
            self._add("update", update_ratios(self._before, parameters(self.training.side)))
            self._before = {}

    def _add(self, kind: Kind, values: Mapping[str, float]) -> None:
        self.rows += [Row(self._step, kind, name, None, value) for name, value in values.items()]


def measure(training: Training, inputs: Array, target: Array, on: Side | None = None) -> Norms:
    """The gradients of a batch with the training's weights, in training mode.

    `on` is a double to measure on, for many batches; without it one is made.
    """
    side = on or double(training)
    side.load(training.side.state())
    side.train()
    side.zero_grad()
    with generators_kept(side), side.watch() as trace:
        if training.draws:
            draw_as_the_next_step(training, side)
        side.forward((inputs,))
        side.loss(target)
        side.backward()
    gradients = side.gradients()
    return Norms(
        outputs={name: norm(trace.grad_outputs[name]) for name in leaf_outputs(side, trace)},
        parameters={name: norm(gradient) for name, gradient in gradients.items()},
        states=state_norms(side, trace),
    )


def first_batch(nets: Sequence[tuple[str, Training]]) -> list[tuple[str, dict[str, float]]]:
    """For each named net, at its first batch, the norm of the gradient of what each layer with weights gives."""
    found = []
    for name, training in nets:
        norms = measure(training, *training.batch(0))
        layers = {parameter.rpartition(".")[0] for parameter in norms.parameters}
        found.append((name, {key: value for key, value in norms.outputs.items() if path_of(key) in layers}))
    return found


def update_ratios(before: Mapping[str, Array], after: Mapping[str, Array]) -> dict[str, float]:
    """||after - before|| / ||before|| of every array; inf for one that left 0, and 0 for one that stayed there."""
    found = {}
    for name, old in before.items():
        moved, size = norm(after[name].astype(np.float64) - old), norm(old)
        found[name] = moved / size if size else np.inf if moved else 0.0
    return found


def norm(array: Array) -> float:
    """The Euclidean norm in float64, without underflow where all entries are tiny."""
    largest = float(np.abs(array).max(initial=0))
    if largest == 0 or not np.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm((array.astype(np.float64) / largest).ravel()))


def parameters(side: Side) -> dict[str, Array]:
    """Copies by name."""
    names = {name for name, _ in side.model.named_parameters()}
    return {name: array for name, array in side.state().items() if name in names}


def double(training: Training) -> Side:
    """A second side like the training's, to measure on."""
    with generators_kept(training.side):
        return build(training.pair, training.configuration)


@contextmanager
def generators_kept(side: Side) -> Iterator[None]:
    """torch's generators, from which a new model and dropout draw, stand afterwards where they stood before."""
    if isinstance(side, Scratch):  # each of its modules has one of its own
        yield
    else:
        torch, kind = side.torch, side.torch.device(side.device).type
        places = [] if kind == "cpu" else range(torch.get_device_module(kind).device_count())
        with torch.random.fork_rng(places, device_type="cuda" if kind == "cpu" else kind):  # of the CPU always
            yield


def draw_as_the_next_step(training: Training, side: Side) -> None:
    stand_in = copy.copy(training)
    stand_in.side = side
    stand_in._reseed()


def leaf_outputs(side: Side, trace: Trace) -> list[str]:
    """In order of execution the outputs that a gradient reached, of modules that have no others in them."""
    paths = [path for path, _ in side.model.named_modules() if path]
    outer = {path for path in paths if any(other.startswith(f"{path}.") for other in paths)}
    return [name for name in trace.outputs if name in trace.grad_outputs and path_of(name) not in outer]


def state_norms(side: Side, trace: Trace) -> dict[str, list[float]]:
    """By recurrent layer and time step, the steps of its calls one after the other."""
    found = {}
    for path, layer in recurrent(side):
        norms: list[float] = []
        for call in calls(path, layer, trace):
            steps = call.x.shape[1 if layer.batch_first else 0]
            norms += map(norm, unrolled(side, layer, call).states) if call.reached else [0.0] * steps
        found[path] = norms
    return found


def recurrent(side: Side) -> list[tuple[str, Any]]:
    return [(path, layer) for path, layer in side.model.named_modules() if hasattr(layer, "weight_hh_l0")]
