"""The gradient of every hidden state of a recurrent layer, which a trace of the whole layer does not show.

A layer takes a whole sequence, and what it is sent back is the gradient of its outputs alone, not what reaches h_t
through the later steps. So the layer itself is run a step at a time, with its own weights and the state handed on.
Backward, step t + 1 gives the gradient of the state that it took, which is that of h_t through time; with the gradient
of output t it is the whole one. Summed over the steps, the gradients of the parameters are the layer's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.sides import Reference, Scratch, Side
from twofold.compare.sides.trace import Trace, array_of, call_key
from twofold.scratch.module import Array


@dataclass(frozen=True)
class Call:
    """What a layer took in one call and what its results were sent: states (1, N, H), an LSTM's two; None for nothing.

    x and `of_out` are (N, T, I) and (N, T, H), or (T, N, I) and (T, N, H) for a layer that is not `batch_first`.
    """

    x: Array
    first: tuple[Array, ...]
    of_out: Array | None
    of_last: tuple[Array | None, ...]

    @property
    def reached(self) -> bool:
        """Whether any gradient came to it: none comes to the steps before a truncation."""
        return self.of_out is not None or any(gradient is not None for gradient in self.of_last)


@dataclass(frozen=True)
class Unrolled:
    """Gradients of a call made a step at a time: of every h_t (N, H), of x, and of the layer's parameters."""

    states: list[Array]
    x: Array
    parameters: dict[str, Array]


def calls(path: str, layer: Any, trace: Trace) -> list[Call]:
    """The calls of a recurrent layer in a trace, in order."""
    found: list[Call] = []
    while f"{(key := call_key(path, len(found)))}[0]" in trace.outputs:
        names = [name for n in (1, 2) if (name := f"{key}[{n}]") in trace.outputs]
        x = trace.inputs[key if key in trace.inputs else f"{key}[0]"]  # numbered only where a state stands behind it
        shape = (1, x.shape[0 if layer.batch_first else 1], layer.hidden_size)
        first = tuple(trace.inputs.get(name, np.zeros(shape, x.dtype)) for name in names)
        of_last = tuple(trace.grad_outputs.get(name) for name in names)
        found.append(Call(x, first, trace.grad_outputs.get(f"{key}[0]"), of_last))
    return found


def unrolled(side: Side, layer: Any, call: Call) -> Unrolled:
    """The gradients of a call of a layer of this side; its `grad` and cache are not kept on scratch's side."""
    axis = 1 if layer.batch_first else 0
    steps = np.split(call.x, call.x.shape[axis], axis)
    last = [
        np.zeros_like(first) if sent is None else sent for first, sent in zip(call.first, call.of_last, strict=True)
    ]
    if call.of_out is None:
        of_outs = [np.zeros_like(last[0]) for _ in steps]
    else:
        of_outs = [part.swapaxes(0, axis) for part in np.split(call.of_out, len(steps), axis)]  # (1, N, H) each
    if isinstance(side, Scratch):
        return by_scratch(layer, steps, call.first, of_outs, last, axis)
    return by_reference(side, layer, steps, call.first, of_outs, last, axis)


def nested(states: Sequence[Any]) -> Any:
    """As a layer takes them: one alone, or an LSTM's pair."""
    return states[0] if len(states) == 1 else tuple(states)


def by_scratch(
    layer: Any, steps: list[Array], first: Sequence[Array], of_outs: list[Array], last: list[Array], axis: int
) -> Unrolled:
    layer.zero_grad()
    taken = [first]
    for x in steps[:-1]:
        taken.append(nest.flatten(layer(x, nested(taken[-1]))[1]))
    states, dsteps, dstate = [], [], list(last)
    for x, state, of_out in reversed(list(zip(steps, taken, of_outs, strict=True))):
        layer(x, nested(state))
        dstate[0] = dstate[0] + of_out
        states.append(dstate[0][0])
        nothing = np.zeros_like(of_out).swapaxes(0, axis)  # the output is the state, whose gradient has it already
        dx, before = layer.backward(nothing, nested(dstate))
        dsteps.append(dx)
        dstate = nest.flatten(before)
    gradients = {name: parameter.grad.copy() for name, parameter in layer.named_parameters()}
    return Unrolled(states[::-1], np.concatenate(dsteps[::-1], axis), gradients)


def by_reference(
    side: Reference,
    layer: Any,
    steps: list[Array],
    first: Sequence[Array],
    of_outs: list[Array],
    last: list[Array],
    axis: int,
) -> Unrolled:
    inputs = [side.tensor(x).requires_grad_() for x in steps]
    state, hidden = [side.tensor(one) for one in first], []
    for x in inputs:
        state = nest.flatten(layer(x, nested(state))[1])
        hidden.append(state[0])
    sent = [*zip(hidden, of_outs, strict=True), *zip(state, last, strict=True)]
    results, gradients = zip(*[(tensor, side.tensor(gradient)) for tensor, gradient in sent], strict=True)
    parameters = dict(layer.named_parameters())
    wanted = [*hidden, *inputs, *parameters.values()]
    found = [array_of(gradient) for gradient in side.torch.autograd.grad(results, wanted, gradients)]
    count = len(steps)
    return Unrolled(
        [of_state[0] for of_state in found[:count]],
        np.concatenate(found[count : 2 * count], axis),
        dict(zip(parameters, found[2 * count :], strict=True)),
    )
