"""Nets made of layer objects: their arrays, the ways in which these may be kept, and mistakes."""

from typing import Any

import numpy as np

from tests.own.tables.kept.owner import (
    DENSE,
    Faults,
    Owner,
    Parts,
    beside,
    keyed,
    layered,
    linears,
    no_gradients,
    of,
    only,
    returned,
)


def numpy_ml_layers(parts: Parts) -> Any:
    parts.scratch(*parts.data)  # parameters are made at the first call
    return parts.held("layers")


def nothing_layers(parts: Parts) -> Any:
    return [layer for layer in parts.held("net").layers if layer.params]


class WithGrads(list):
    """A layer's params, whose grads take their precision."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer.params)
        self.layer = layer

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self.layer.params[key], self.layer.grads[key] = value, np.zeros_like(value)


OWNERS: dict[str, Owner] = {
    "layers-from-nothing": Owner(
        9,
        "layers_from_nothing",
        "call",
        lambda p: {
            f"{word}{n}": (held, place)
            for n, held in enumerate(map(WithGrads, nothing_layers(p)), start=1)
            for word, place in (("W", 0), ("b", 1))
        },
        of(
            1,
            lambda p, given: {
                f"{word}{n}": layer.grads[place]
                for n, layer in enumerate(nothing_layers(p), start=1)
                for word, place in (("W", 0), ("b", 1))
            },
        ),
        linears({"0": "1", "2": "2", "4": "3"}),
    ),
    "nnfs-objects": Owner(
        11,
        "nnfs_objects",
        "call",
        lambda p: layered(p.keywords["params"], "weights", "biases"),
        lambda p: (
            lambda given: (
                (p.keywords["params"][-1].output,),
                beside(p.keywords["params"], "dweights", "dbiases"),
            )
        ),
        linears({"0": "1", "2": "2", "4": "3"}),
    ),
    "numpy-ml": Owner(
        12,
        "numpy_ml",
        "call",
        lambda p: layered(numpy_ml_layers(p), "W", "b", "parameters"),
        of(2, lambda p, given: beside(p.held("layers"), "W", "b", "gradients")),
        linears({"0": "1", "2": "2", "4": "3"}),
    ),
    "pairs-of-parameters": Owner(
        13,
        "pairs_of_parameters",
        "call",
        lambda p: layered(p.held("net").layers[::2], "w", "b", "params"),
        of(2, lambda p, given: beside(p.held("net").layers[::2], "w", "b", "grads")),
        linears({"0": "1", "2": "2", "4": "3"}),
    ),
    "updated-inside": Owner(
        14,
        "updated_inside",
        "call",
        lambda p: layered(p.keywords["params"][::2], "W", "w0"),
        no_gradients,
        linears({"0": "1", "2": "2", "4": "3"}),
    ),
    "small-mlp": Owner(
        19,
        "small_mlp",
        "call",
        lambda p: keyed(p.held("model"), "wte fc1_weight fc1_bias fc2_weight fc2_bias"),
        returned(2),
        {
            "wte.weight": "wte",
            "fc1.weight": "fc1_weight.T",
            "fc1.bias": "fc1_bias",
            "fc2.weight": "fc2_weight.T",
            "fc2.bias": "fc2_bias",
        },
    ),
    "autograd-tensors": Owner(
        22,
        "autograd_tensors",
        "call",
        lambda p: {name.replace("w", "W"): (tensor, "data") for name, tensor in p.keywords["params"].items()},
        of(2, lambda p, given: {name.replace("w", "W"): t.grad for name, t in p.keywords["params"].items()}),
        linears({"fc1": "1", "fc2": "2", "fc3": "3"}),
    ),
    "modules": Owner(
        0,
        "modules",
        "call",
        lambda p: {
            f"{word}{n}": (getattr(getattr(p.scratch, f"fc{n}"), part), "data")
            for n in (1, 2, 3)
            for word, part in (("W", "weight"), ("b", "bias"))
        },
        only(
            lambda p: {
                f"{word}{n}": getattr(getattr(p.scratch, f"fc{n}"), part).grad
                for n in (1, 2, 3)
                for word, part in (("W", "weight"), ("b", "bias"))
            }
        ),
        linears({"fc1": "1", "fc2": "2", "fc3": "3"}, "{}"),
        pair=True,
    ),
}

WAYS: dict[str, dict[str, dict[str, str]]] = {
    "layers-from-nothing": {"shuffled": DENSE["shuffled"], "lying": DENSE["lying"], "last-row": DENSE["last-row"]},
    "nnfs-objects": {"shuffled": DENSE["shuffled"], "transposed": DENSE["transposed"]},
    "numpy-ml": {"shuffled": DENSE["shuffled"], "first-column": DENSE["first-column"]},
    "pairs-of-parameters": {
        "shuffled": DENSE["shuffled"],
        "lying": DENSE["lying"],
        "two-vectors": DENSE["two-vectors"],
    },
    "updated-inside": {"shuffled": DENSE["shuffled"], "transposed": DENSE["transposed"]},
    "small-mlp": {
        "shuffled": "p0 fc2_weight.T; q7 fc1_bias; r2 wte; s5 fc2_bias; t1 fc1_weight.T",
        "transposed": "p0 wte.T; q7 fc2_bias; r2 fc1_bias; s5 fc1_weight; t1 fc2_weight",
    },
    "autograd-tensors": {"shuffled": DENSE["shuffled"], "transposed": DENSE["transposed"], "lying": DENSE["lying"]},
    "modules": {"shuffled": "p0 b2; q7 W3; r2 W2; s5 b1; t1 W1; u9 b3", "transposed": DENSE["transposed"]},
}

FAULTS: dict[str, Faults] = {
    "layers-from-nothing": {
        "sigmoid": ({"(1.0 - self.out) * self.out": "(1.0 - self.out)"}, "backward: half of a derivative"),
        "minus": ({"np.dot(x, W) + b": "np.dot(x, W) - b"}, "forward: a bias taken off"),
    },
    "nnfs-objects": {
        "mask": ({"dinputs[self.inputs <= 0]": "dinputs[dvalues <= 0]"}, "backward: ReLU mask of the gradient"),
        "double": (
            {"np.dot(inputs, self.weights) + self.biases": "np.dot(inputs, self.weights) + 2 * self.biases"},
            "forward: a bias twice",
        ),
    },
    "numpy-ml": {
        "tanh": ({"1 - np.tanh(Z) ** 2": "1 - np.tanh(Z)"}, "backward: a square forgotten"),
        "steeper": ({"return np.tanh(Z) if": "return np.tanh(2 * Z) if"}, "forward: a factor in the tanh"),
    },
    "pairs-of-parameters": {
        "tanh": ({"1 - np.tanh(self.inputs) ** 2": "1 - self.inputs**2"}, "backward: derivative elsewhere"),
        "path": ({"return np.tanh(inputs)": "return np.tanh(inputs) + inputs"}, "forward: a path too many"),
    },
    "updated-inside": {
        "updated": ({"accum_grad @ W.T": "accum_grad @ self.W.T"}, "backward: through the updated weight"),
        "slope": ({"X, 0.2 * X": "X, 0.1 * X"}, "forward: another slope"),
    },
    "small-mlp": {
        "repeated": ({"np.add.at(dwte, idx, demb)": "dwte[idx] += demb"}, "backward: repeated indices lost"),
        "minus": ({"self.fc1_weight + self.fc1_bias": "self.fc1_weight - self.fc1_bias"}, "forward: a bias taken off"),
    },
    "autograd-tensors": {
        "axis": ({"* g.sum(axis=1": "* g.sum(axis=0"}, "backward: softmax along a wrong axis"),
        "abs": ({"np.maximum(self.data, 0)": "np.abs(self.data)"}, "forward: absolute value for ReLU"),
    },
    "modules": {
        "of-what": ({"d2) * (1 - self.h1**2)": "d2) * (1 - self.h2**2)"}, "backward: derivative elsewhere"),
        "path": ({"self.fc2.forward(self.h1))": "self.fc2.forward(self.h1)) + self.h1"}, "forward: a path too many"),
    },
}
