"""Where in a recurrent layer two sides first differ: the time step and the gate.

Nothing inside a layer is read: whatever takes and gives what torch's layers do can be measured. The layer's input gets
a further feature for every time step t and sample n, 1 there and 0 elsewhere, and weight_ih_l0 a column for each.

Backward: with zeros in those columns the layer computes what it did before, and the gradient of column (t, n) is that
of the gates' pre-activations at (t, n).

Forward: the columns put chosen numbers into the pre-activations. A gate is tried with its own weights while the others
have none and get the same numbers: their mistakes stay out of it, and exchanging two of them changes nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare import nest
from twofold.compare.judge.evidence.floor import judge, strays
from twofold.compare.judge.evidence.reading import Reading
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.evidence.trial import RERUNS, Trial
from twofold.compare.judge.gates import GateMap, Stage
from twofold.compare.sides import import_torch
from twofold.compare.sides.trace import array_of, call_key
from twofold.scratch.module import Array, Parameter

GATES = {1: ("h",), 3: ("r", "z", "n"), 4: ("i", "f", "g", "o")}  # by the number of stacked matrices
INPUT, HIDDEN, BIASES = "weight_ih_l0", "weight_hh_l0", ("bias_ih_l0", "bias_hh_l0")
SATURATING = 50.0  # a pre-activation at which tanh and sigmoid are 1 to the last digit
MOST_COLUMNS = 512  # where there would be more, the first sample stands for all


@dataclass(frozen=True)
class Call:
    """One call of a layer that both sides are given: its weights, what it takes, and what its outputs are sent.

    `inputs` is x and the initial states, `grad_outputs` the gradients of out and of the last states, with None for what
    is not there, and empty where nothing goes backward.
    """

    weights: Mapping[str, Array]
    inputs: tuple[Array | None, ...]
    grad_outputs: tuple[Array | None, ...]
    batch_first: bool

    @property
    def x(self) -> Array:
        assert self.inputs[0] is not None
        return self.inputs[0]

    @property
    def dtype(self) -> np.dtype:
        return self.weights[INPUT].dtype

    @property
    def hidden(self) -> int:
        return self.weights[HIDDEN].shape[1]

    @property
    def gates(self) -> tuple[str, ...]:
        return GATES[len(self.weights[HIDDEN]) // self.hidden]

    @property
    def steps(self) -> int:
        return self.x.shape[1 if self.batch_first else 0]

    @property
    def columns(self) -> int:
        """One for each time step and sample."""
        return self.x.shape[0] * self.x.shape[1]

    def time_first(self, sequence: Array) -> Array:
        """Between the layer's layout and (T, N, ...), either way."""
        return sequence.swapaxes(0, 1) if self.batch_first else sequence

    def mapped(self, function: Callable[[Array], Array]) -> "Call":
        weights = {name: function(array) for name, array in self.weights.items()}
        inputs, grad_outputs = nest.apply(function, (self.inputs, self.grad_outputs))
        return replace(self, weights=weights, inputs=inputs, grad_outputs=grad_outputs)

    def to(self, dtype: DTypeLike) -> "Call":
        return self.mapped(lambda array: array.astype(dtype))

    def forward_only(self) -> "Call":
        return replace(self, grad_outputs=())

    def of_first_sample(self) -> "Call":
        def cut(leaves: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
            axes = (0 if self.batch_first else 1, 1, 1)  # of the samples, in the sequence and in the states
            return tuple(
                leaf if leaf is None else leaf.take([0], axis) for leaf, axis in zip(leaves, axes, strict=False)
            )

        return replace(self, inputs=cut(self.inputs), grad_outputs=cut(self.grad_outputs))

    def with_columns(self, columns: Array) -> "Call":
        """The further features of x, and their columns of weight_ih_l0: (gates * hidden, columns)."""
        marks = np.eye(self.columns, dtype=self.dtype).reshape(self.steps, -1, self.columns)
        x = np.concatenate([self.x, self.time_first(marks)], axis=2)
        weights = {**self.weights, INPUT: np.hstack([self.weights[INPUT], columns])}
        return replace(self, weights=weights, inputs=(x, *self.inputs[1:]))

    def trying(self, gate: int, drive: float = 1.0) -> "Call":
        """One gate with its own weights; the others get random numbers of the size `drive`, each the same."""
        stacked = np.arange(len(self.weights[HIDDEN])) // self.hidden  # the gate of each row
        kept = dict.fromkeys(self.weights, stacked == gate)
        if self.gates[gate] == "r":  # it is seen through W_hn h + b_hn alone
            kept[HIDDEN] = kept[BIASES[1]] = kept[HIDDEN] | (stacked == 2)
        weights = {name: np.where(kept[name], array.T, 0).T.astype(self.dtype) for name, array in self.weights.items()}
        numbers = drive * np.random.default_rng(0).standard_normal((self.hidden, self.columns), np.float32)
        if drive == SATURATING:
            numbers = drive * np.sign(numbers)
        driven = np.tile(numbers, (len(self.gates), 1))
        if self.gates[gate] == "r":
            driven[stacked == 2] /= drive
        columns = np.where(stacked[:, None] == gate, 0, driven)
        return replace(self, weights=weights).with_columns(columns.astype(self.dtype))


# Makes a call: the outputs from left to right, and the gradient of weight_ih_l0.
Run = Callable[[Call], tuple[list[Array], Array]]


def scratch_run(layer: Any) -> Run:
    """Runs the layer itself, not a copy, for a fault may hang on the instance; it is left as it was."""

    def run(call: Call) -> tuple[list[Array], Array]:
        own = dict(vars(layer))
        vars(layer).pop("_outside", None)
        vars(layer).update({name: Parameter(array.copy()) for name, array in call.weights.items()})
        if "input_size" in own:
            layer.input_size = call.weights[INPUT].shape[1]
        try:
            out = nest.apply(np.array, layer(*nested(nest.apply(np.array, call.inputs))))
            if call.grad_outputs:
                layer.backward(*nested(nest.apply(np.array, call.grad_outputs)))
            return nest.flatten(out), layer.weight_ih_l0.grad
        finally:
            vars(layer).clear()
            vars(layer).update(own)

    return run


def torch_run(layer: Any) -> Run:
    """Runs a torch module with the call's weights in the place of its own: in their dtype, on the CPU."""
    torch = import_torch()

    def run(call: Call) -> tuple[list[Array], Array]:
        weights = {name: torch.tensor(array) for name, array in call.weights.items()}
        weight = weights[INPUT].requires_grad_()
        own = dict(vars(layer))
        if "input_size" in own:
            layer.input_size = weight.shape[1]
        try:
            inputs = nested(nest.apply(torch.tensor, call.inputs))
            outs = nest.flatten(torch.func.functional_call(layer, weights, inputs))
        finally:
            if "input_size" in own:
                layer.input_size = own["input_size"]
        pairs = [(out, torch.tensor(d)) for out, d in zip(outs, call.grad_outputs, strict=False) if d is not None]
        reached = [(out, d) for out, d in pairs if out.requires_grad]
        gradient = None
        if reached:
            (gradient,) = torch.autograd.grad(
                [out for out, _ in reached], [weight], [d for _, d in reached], allow_unused=True
            )
        zeros = np.zeros_like(call.weights[INPUT])
        return [array_of(out) for out in outs], zeros if gradient is None else array_of(gradient)

    return run


def nested(leaves: Sequence[Any]) -> tuple[Any, ...]:
    """(x,), (x, h) or (x, (h, c)): as torch's layers take and give them."""
    x, *states = leaves
    if all(state is None for state in states):
        return (x,)
    return (x, states[0] if len(states) == 1 else tuple(states))


# What is compared, cell by cell: [t][gate], or [t][0] for the layer as a whole.
Cells = Callable[[Run, Call], Sequence[Sequence[Array]] | Array]


def whole(run: Run, call: Call) -> list[list[Array]]:
    """What the layer gives at each time step; its last states belong to the last."""
    (out, *states), _ = run(call.forward_only())
    steps = [[step.ravel()] for step in call.time_first(out)]
    steps[-1] = [np.concatenate([*steps[-1], *(state.ravel() for state in states)])]
    return steps


def by_gate(run: Run, call: Call, drive: float = 1.0) -> list[list[Array]]:
    """What the layer gives at each time step while one gate is tried."""
    tried = [whole(run, call.trying(gate, drive)) for gate in range(len(call.gates))]
    return [[out for (out,) in step] for step in zip(*tried, strict=True)]


def gate_gradients(run: Run, call: Call) -> Array:
    """The gradients of the gates' pre-activations: (T, gates, N, hidden)."""
    columns = np.zeros((len(call.weights[INPUT]), call.columns), call.dtype)
    _, gradient = run(call.with_columns(columns))
    found = gradient[:, -call.columns :].reshape(len(call.gates), call.hidden, call.steps, -1)
    return found.transpose(2, 0, 3, 1)


def judged(read: Cells, scratch: Run, reference: Run, call: Call, scale: Array | None = None) -> Array:
    """The error of each cell in floors; `scale` (T,) is the size of what a cell at t is made of, where that counts."""
    actual, golden = read(scratch, call), read(reference, call.to(np.float64))
    reruns = [read(reference, call.mapped(partial(perturbed, seed=seed))) for seed in range(RERUNS)]
    if call.dtype != np.float64:
        reruns.append(read(reference, call))

    def ratio(t: int, gate: int) -> float:
        cells = [np.ravel(run[t][gate]) for run in (actual, golden, *reruns)]
        if scale is not None:  # equal on all sides: it raises the floor and adds no error
            cells = [np.append(cell, cell.dtype.type(scale[t])) for cell in cells]
        ours, theirs, *runs = cells
        strayed = np.max([strays(run, theirs) for run in runs], axis=0)
        return judge(f"t = {t}", ours, theirs, strayed, call.dtype).ratio

    return np.array([[ratio(t, gate) for gate in range(len(golden[t]))] for t in range(len(golden))])


def arriving(reference: Run, call: Call) -> Array:
    """The largest number at each step that a gate's gradient is made of: what is sent, this step's and the later's.

    Where a gate is nearly closed or open its slope hangs on the last digits of its value. Rounding is then in
    proportion to what arrives, and not to the little that is left of it.
    """
    dout, *dstates = call.grad_outputs
    assert dout is not None
    met = gate_gradients(reference, call), call.time_first(dout)
    largest = np.maximum(*(np.abs(array.reshape(call.steps, -1)).max(axis=1) for array in met))
    largest[-1] = max(largest[-1], *(np.abs(d).max() for d in dstates if d is not None), 0)
    largest[:-1] = np.maximum(largest[:-1], largest[1:])
    return largest


def gate_map(
    layer: Any,
    reference: Any,
    inputs: tuple[Any, ...],
    grad_outputs: tuple[Any, ...] | None = None,
    stage: Stage | None = None,
) -> GateMap | None:
    """Where a scratch layer and a torch module differ that have the same weights: scratch's, in their dtype.

    `inputs` is what the layer takes and `grad_outputs` the gradients of its outputs, nested as in torch: (x,), (x, h0)
    or (x, (h0, c0)), None for what has none. The stage is forward if the outputs differ, else backward.

    Gives None where the two are not recurrent layers of one shape, or have nothing to show: no grad_outputs backward.
    """
    call = call_of(layer, inputs, grad_outputs)
    if call is None or not fits(reference, call):
        return None
    sides = scratch_run(layer), torch_run(reference)
    ours, theirs = ([out.shape for out in run(call.forward_only())[0]] for run in sides)
    if ours != theirs:
        return None
    outputs = GateMap("forward", call.gates, judged(whole, *sides, call).repeat(len(call.gates), axis=1))
    if stage == "forward" or (stage is None and outputs.steps):
        found = GateMap("forward", call.gates, judged(by_gate, *sides, call))
        if found.failing.any(axis=0).sum() > 1:  # what is added to one shows while others are tried
            found = saturated(*sides, call) or found
        return found if found.steps else outputs  # what no gate shows by itself belongs to all
    if not call.grad_outputs:
        return None
    scale = arriving(sides[1], call)
    return GateMap("backward", call.gates, judged(gate_gradients, *sides, call, scale))


def saturated(scratch: Run, reference: Run, call: Call) -> GateMap | None:
    """Each gate tried while the others are driven so far that nothing added to them shows; None if no one stands out.

    r is seen through n alone, which stays within reach: what is wrong with n is said of both.
    """
    found = GateMap("forward", call.gates, judged(partial(by_gate, drive=SATURATING), scratch, reference, call))
    wrong = {call.gates[n] for n in np.flatnonzero(found.failing.any(axis=0))}
    return found if len(wrong) == 1 or wrong == {"r", "n"} else None


def call_of(layer: Any, inputs: tuple[Any, ...], grad_outputs: tuple[Any, ...] | None) -> Call | None:
    """None for what is no recurrent layer, or takes no batch of sequences."""
    held = {name: vars(layer).get(name) for name in (INPUT, HIDDEN, *BIASES)}
    weights = {name: parameter.data for name, parameter in held.items() if isinstance(parameter, Parameter)}
    given, sent = nest.flatten(inputs), nest.flatten(() if grad_outputs is None else grad_outputs)
    if not {INPUT, HIDDEN} <= weights.keys() or given[0].ndim != 3:
        return None
    stacked, hidden = weights[HIDDEN].shape
    if stacked % hidden or stacked // hidden not in GATES:
        return None
    if sent and sent[0] is None:
        sent[0] = np.zeros((*given[0].shape[:2], hidden), weights[INPUT].dtype)
    call = Call(weights, tuple(given), tuple(sent), bool(getattr(layer, "batch_first", False)))
    return call if call.columns <= MOST_COLUMNS else call.of_first_sample()


def fits(reference: Any, call: Call) -> bool:
    """Whether a torch module has this layout and these weights, and no others."""
    shapes = {name: tuple(parameter.shape) for name, parameter in reference.named_parameters()}
    same_layout = getattr(reference, "batch_first", False) == call.batch_first
    return same_layout and shapes == {name: array.shape for name, array in call.weights.items()}


@lru_cache(maxsize=4)
def of_trial(trial: Trial, path: str) -> GateMap | None:
    """The map of a trial's layer at `path`, or of its only layer by the case's name, for what it met there.

    Of a layer that is called several times, the call where the difference starts.
    """
    scratch, reference = trial.scratch(), trial.reference()
    scratch.load(trial.state)
    if path == trial.case.name:
        return gate_map(scratch.model, reference.model, trial.inputs, trial.cotangents)
    ours, theirs = (dict(side.model.named_modules()).get(path) for side in (scratch, reference))
    if ours is None or theirs is None:
        return None
    maps = [gate_map(ours, theirs, *met) for met in calls(trial.actual, path)]
    forward = [found for found in maps if found and found.stage == "forward"]
    backward = [found for found in reversed(maps) if found and found.stage == "backward"]
    found = [*forward, *backward]
    return next((one for one in found if one.steps), found[0] if found else None)


def calls(met: Reading, path: str) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...] | None]]:
    """The inputs of a layer and the gradients of its outputs, call by call."""
    for key in (call_key(path, n) for n in count()):
        names = [name for name in (key, *(f"{key}[{n}]" for n in range(3))) if name in met["forward"]]
        if not names:
            return
        inputs = [met["input"][key]] if key in met["input"] else [met["input"].get(name) for name in names]
        grad_outputs = [met["backward"].get(name) for name in names]
        yield nested(inputs), None if all(d is None for d in grad_outputs) else nested(grad_outputs)
