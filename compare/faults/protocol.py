"""Faults against what every module promises: memory of its own, gradients that add up, a state that is its whole."""

from typing import Any

from twofold.compare.faults.fault import backward, biased, edit, misbehaviour, otherwise
from twofold.scratch.module import Module, Parameter


def trained(module: Any) -> bool:
    return any(isinstance(value, Parameter) for value in vars(module).values())


def nested(module: Any) -> bool:
    return any(isinstance(value, Module) for value in vars(module).values())


MODULE = "twofold.scratch.module:Module."

FAULTS = (
    misbehaviour(
        "F12",
        "a cached activation changed in place by the gradient",
        edit("Tanh.backward", "return dout * (1 - out * out)", "out *= -out\n    out += 1\n    return dout * out"),
        home="activity-lstm",
        checks=("twice",),
    ),
    misbehaviour(
        "cotangent-written-to",
        "the gradient that was given changed in place",
        edit("Tanh.backward", "return dout * (1 - out * out)", "dout *= 1 - out * out\n    return dout"),
        home="catcar-mlp",
        only_at_home=True,
        checks=("twice",),
    ),
    misbehaviour(
        "input-written-to",
        "the input changed in place",
        edit("ReLU.forward", "x.dtype), x)", "x.dtype), x, out=x)"),
        home="relu",
        only_at_home=True,
        checks=("twice",),
    ),
    misbehaviour(
        "workspace-returned",
        "a workspace returned, which the next call overwrites",
        edit(
            "Tanh.forward",
            "out = np.tanh(x)",
            'out = np.tanh(x, out=vars(self).setdefault("_work", np.empty_like(x)))',
        ),
        home="catcar-mlp",
        only_at_home=True,
        checks=("twice",),
    ),
    otherwise(
        "flattened-channels-last",
        "images flattened channels last",
        edit("Flatten.forward", "x.reshape(flat)", "np.moveaxis(x, 1, -1).reshape(flat)"),
        edit(
            "Flatten.backward",
            "dout.reshape(shape)",
            "np.moveaxis(dout.reshape(shape[0], *shape[2:], shape[1]), -1, 1)",
        ),
        harmless=("fc-net",),  # its records are flat
    ),
    misbehaviour(
        "gradient-overwritten",
        "the weight gradient overwritten instead of added to",
        edit("Linear.accumulate", "grad += dout_part", "grad[...] = dout_part"),
        checks=("twice",),
    ),
    misbehaviour(
        "bias-gradient-overwritten",
        "the bias gradient overwritten instead of added to",
        edit("Conv2d.add_bias_gradient", "self.bias.grad +=", "self.bias.grad ="),
        checks=("twice",),
        where=biased,
    ),
    misbehaviour(
        "dropout-cache-used-up",
        "dropout's mask gone after the first backward pass",
        edit(
            "Dropout.backward",
            "shape, dtype = self.cache",
            "shape, dtype = self.cache\n    self.cache = None, shape, dtype",
        ),
        checks=("twice",),
    ),
    misbehaviour(
        "flattened-in-memory-order",
        "arrays read in the order of memory",
        edit("Flatten.forward", "x.reshape(flat)", 'x.ravel(order="K").reshape(flat)'),
        home="two-layer-fc",
        only_at_home=True,
        checks=("strides",),
    ),
    misbehaviour(
        "views-handed-out",
        "the state handed out without a copy",
        edit(f"{MODULE}state_dict", "holder.data.copy()", "holder.data"),
        checks=("memory",),
        where=trained,
    ),
    misbehaviour(
        "state-kept",
        "a loaded state kept without a copy",
        edit(f"{MODULE}load_state_dict", "holder.data[...] = state[name]", "holder.data = state[name]"),
        checks=("memory",),
        where=trained,
    ),
    misbehaviour(
        "one-tensor-not-loaded",
        "the first tensor not loaded",
        edit(
            f"{MODULE}load_state_dict",
            "holder.data[...] = state[name]",
            "holder.data[...] = state[name] if name != next(iter(holders)) else holder.data",
        ),
        checks=("load",),
        where=trained,
    ),
    misbehaviour(
        "mode-not-passed-on",
        "the mode of the whole not passed on to its modules",
        edit(f"{MODULE}train", "module.training = mode", "module.training = mode if module is self else True"),
        checks=("modes",),
        where=nested,
        harmless=("two-layer-fc-raw", "two-conv-net-raw"),  # their references show no modes
    ),
    misbehaviour(
        "parameter-renamed",
        "a parameter by another name",
        edit("Linear.__init__", "self.bias = Parameter", "self.bias = None\n    self.offset = Parameter"),
        checks=("names", "load"),
        blame="conventions",
        where=biased,
    ),
    backward(
        "gradients-not-zeroed",
        "gradients not zeroed before the next step",
        edit(f"{MODULE}zero_grad", "parameter.grad[...] = 0", "pass"),
        checks=("resync",),
        where=trained,
    ),
)
