"""The contracts of layers, by kind: integers, shapes, sizes, empty batches, one record alone, and special values."""

from typing import Any

import numpy as np

from tests.scratch.contracts.sides import Contract, drawn
from twofold.scratch.module import Array

INTEGERS = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
CELLS = ("RNN", "LSTM", "GRU")

# Of each layer what it is built with and a shape that it takes.
TAKES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "Linear": ({"in_features": 3, "out_features": 4}, (5, 3)),
    "Conv2d": ({"in_channels": 3, "out_channels": 4, "kernel_size": 2}, (2, 3, 5, 4)),
    "MaxPool2d": ({"kernel_size": 2}, (2, 3, 5, 4)),
    "ReLU": ({}, (5, 3)),
    "LeakyReLU": ({}, (5, 3)),
    "Tanh": ({}, (5, 3)),
    "Sigmoid": ({}, (5, 3)),
    "Flatten": ({}, (5, 3, 2)),
    "BatchNorm1d": ({"num_features": 3}, (5, 3)),
    "BatchNorm2d": ({"num_features": 3}, (5, 3, 2, 4)),
    "LayerNorm": ({"normalized_shape": 3}, (5, 3)),
    "GroupNorm": ({"num_groups": 2, "num_channels": 4}, (5, 4, 3)),
    "RNN": ({"input_size": 3, "hidden_size": 4}, (6, 5, 3)),
    "LSTM": ({"input_size": 3, "hidden_size": 4}, (6, 5, 3)),
    "GRU": ({"input_size": 3, "hidden_size": 4}, (6, 5, 3)),
}
PLAIN = {  # norms without parameters, which then can tell no shape
    "BatchNorm1d": {"affine": False},
    "BatchNorm2d": {"affine": False},
    "LayerNorm": {"elementwise_affine": False},
    "GroupNorm": {"affine": False},
}


def values(*shape: int, dtype: str = "float32") -> Array:
    return drawn("x", shape, dtype)


def case(layer: str, *inputs: Any, **more: Any) -> Contract:
    """The layer as in TAKES, its arguments changed by `change`."""
    arguments = {**TAKES.get(layer, ({}, ()))[0], **more.pop("change", {})}
    return Contract(layer, arguments, inputs, **more)


def ramp(shape: tuple[int, ...], dtype: str) -> Array:
    """0, 1, 2, 0, ... in this dtype."""
    return (np.arange(np.prod(shape)) % 3).reshape(shape).astype(dtype)


def integers() -> list[Contract]:
    """Images, features and tokens of each width."""
    rows = [case(layer, ramp(shape, dtype)) for layer, (_, shape) in TAKES.items() for dtype in INTEGERS]
    table = {"num_embeddings": 300, "embedding_dim": 5}
    for dtype in INTEGERS:
        last = 255 if dtype.startswith("u") else 127
        tokens = np.array([[0, 1, last], [2, last, last - 1]]).astype(dtype)
        rows += [case("Embedding", tokens, change=table), case("Embedding", tokens[0, 2], change=table)]
        rows += [case("Embedding", tokens[:0], change=table)]
    for wrong in (np.array([-1, 2]), np.array([0, 300]), np.array([2**64 - 1], "uint64"), values(2), [0, 1], 1):
        rows.append(case("Embedding", wrong, change=table))
    return rows


def shapes() -> list[Contract]:
    """One size too few, too many, or one that broadcasts; axes moved, missing or too many; and gradients likewise."""
    rows = []
    for layer, (_, shape) in TAKES.items():
        for change in ({}, *([PLAIN[layer]] if layer in PLAIN else ())):
            for axis in range(1, len(shape)):
                # of two values, as a group then has, a norm's gradient is nothing but rounding
                for size in (1,) * (layer != "GroupNorm") + (shape[axis] + 1, 2 * shape[axis]):
                    wrong = (*shape[:axis], size, *shape[axis + 1 :])
                    rows.append(case(layer, values(*wrong), change=change))
            rows += [case(layer, values(*shape[::-1]), change=change)]
            rows += [case(layer, values(shape[0], *shape[2:], shape[1]), change=change)]
            rows += [case(layer, values(*shape, 2), change=change)]
            rows += [case(layer, values(2, *shape), change=change), case(layer, values(*shape[1:]), change=change)]
            rows += [case(layer, values(3), change=change), case(layer, np.float32(0.5), change=change)]
            rows += [case(layer, values(*shape), change=change, training=False)]
    return rows


OUT = {"Linear": (5, 4), "Conv2d": (2, 4, 4, 3), "MaxPool2d": (2, 3, 2, 2), "Flatten": (5, 6)}


def gradients() -> list[Contract]:
    """What is sent back: of the right shape, of others that broadcast or reshape to it, and of other dtypes."""
    rows = []
    for layer, (_, shape) in TAKES.items():
        out = OUT.get(layer, (*shape[:-1], 4) if layer in CELLS else shape)
        wrong = {(1,), (*out[:-1], 1), (1, *out[1:]), (*out, 1), (1, *out), out[::-1], (int(np.prod(out)),), ()}
        for one in sorted(wrong):
            rows.append(case(layer, values(*shape), dout=np.ones(one, np.float32)))
        rows += [case(layer, values(*shape), dout=drawn("dout", out, dtype)) for dtype in ("float32", "float64")]
        rows += [case(layer, values(*shape), dout=1.0), case(layer, values(*shape), dout=values(*out).tolist())]
        rows += [case(layer, values(*shape), dout=np.ones(out, "complex64"))]
    table = {"num_embeddings": 4, "embedding_dim": 3}
    for one in ((2, 3), (3, 2), (1, 3), (2, 1), (6,), (2, 3, 1), (1, 2, 3)):
        rows.append(case("Embedding", np.array([3, 1]), change=table, dout=np.ones(one, np.float32)))
    for cell in CELLS:
        for state in ((1, 5, 4), (5, 4), (1, 1, 4), (1, 5, 1), (1, 4, 5), (2, 5, 4)):
            both = (np.ones(state, np.float32),) * 2 if cell == "LSTM" else np.ones(state, np.float32)
            rows.append(case(cell, values(6, 5, 3), dout=(values(6, 5, 4), both)))
            rows.append(case(cell, values(6, 5, 3), both))
    return rows


def states() -> list[Contract]:
    """A state that is one array, a list, of another dtype, missing in part, or too many."""
    x, one = values(6, 5, 3), values(1, 5, 4)
    rows = [case("LSTM", x, state) for state in (one, values(2, 5, 4), values(2, 1, 5, 4), (one,), (one, None))]
    rows += [case("LSTM", x, state) for state in ((None, one), (one, one, one), [one, one], (one, one[:, :1]), ())]
    rows += [case("LSTM", x, (one, one.astype("float64"))), case("LSTM", x, 0)]
    for cell in ("RNN", "GRU"):
        rows += [case(cell, x, state) for state in ((one, one), (one,), [one], one.astype("float64"), one.tolist())]
    for cell in CELLS:
        for first in (False, True):
            alone = values(1, 4)
            of = {"batch_first": first}
            rows += [case(cell, values(6, 3), change=of)]
            rows += [case(cell, values(6, 3), (alone, alone) if cell == "LSTM" else alone, change=of)]
            rows += [case(cell, values(6, 3), (one, one) if cell == "LSTM" else one, change=of)]
            rows += [case(cell, values(0, 5, 3), change=of), case(cell, values(6, 0, 3), change=of)]
            rows += [case(cell, values(0, 3), change=of), case(cell, values(3), change=of)]
            rows += [case(cell, values(6, 5, size), change=of) for size in (1, 2, 4, 0)]
    rows += [case(cell, values(6, 5, 3), change={"bias": False}) for cell in CELLS]
    return rows


def empty() -> list[Contract]:
    """No record, or records of no size."""
    rows = []
    for layer, (_, shape) in TAKES.items():
        for axis in range(len(shape)):
            none = (*shape[:axis], 0, *shape[axis + 1 :])
            rows += [case(layer, values(*none), training=mode) for mode in (True, False)]
    return rows


def alone() -> list[Contract]:
    """A record without a batch axis."""
    rows = [case(layer, values(*shape[1:])) for layer, (_, shape) in TAKES.items() if layer not in CELLS]
    rows += [
        case("Conv2d", values(3, 5, 4), dout=np.ones(shape, np.float32)) for shape in ((4, 4, 3), (1, 4, 4, 3), (4, 3))
    ]
    rows += [
        case("MaxPool2d", values(3, 5, 4), dout=np.ones(shape, np.float32))
        for shape in ((3, 2, 2), (1, 3, 2, 2), (3, 2))
    ]
    rows += [case("Linear", values(3), dout=np.ones(shape, np.float32)) for shape in ((4,), (1, 4), (1,))]
    return rows


SIZES = (3, np.int64(3), np.uint8(3), (3,), [3], (3, 2), [3, 2], (np.int32(3), 2), np.array([3, 2]), np.array(3))
WRONG = (0, -1, (0, 2), (2, -1), (1, 2, 3), (), 2.0, (2.0, 2), "2", None, True)


def sizes() -> list[Contract]:
    """Windows, strides, padding and numbers of features in every form that people write."""
    x, rows = values(2, 3, 7, 6), []
    for size in (*SIZES, *WRONG):
        rows += [case("Conv2d", x, change={name: size}) for name in ("kernel_size", "stride", "padding")]
        rows += [case("MaxPool2d", x, change={name: size}) for name in ("kernel_size", "stride")]
    for padding in ("same", "valid", "Same", "full"):
        for kernel in (1, 2, 3, (2, 3), (4, 1), (3, 8)):
            for stride in (1, 2):
                change = {"kernel_size": kernel, "padding": padding, "stride": stride}
                rows += [case("Conv2d", x, change=change), case("Conv2d", x[0], change=change)]
                rows += [case("Conv2d", x, change={**change, "out_channels": 9})]
    counts = {
        "Linear": ("in_features", "out_features"),
        "Conv2d": ("in_channels", "out_channels"),
        "Embedding": ("num_embeddings", "embedding_dim"),
        "BatchNorm1d": ("num_features",),
        "BatchNorm2d": ("num_features",),
        "GroupNorm": ("num_groups", "num_channels"),
        "LayerNorm": ("normalized_shape",),
        **dict.fromkeys(CELLS, ("input_size", "hidden_size")),
    }
    for layer, names in counts.items():
        arguments, shape = TAKES.get(layer, ({"num_embeddings": 3, "embedding_dim": 4}, (2,)))
        given = np.array([0, 2]) if layer == "Embedding" else values(*shape)
        for name in names:
            right = arguments[name]
            for count in (np.int64(right), np.uint8(right), np.array(right), float(right), str(right), None, -1, 0):
                rows.append(case(layer, given, change={**arguments, name: count}))
    for shape in ((3,), [3], (np.int64(3),), np.array([3]), (5, 3), (), (3.0,), (1,), (5, 1), (1, 3)):
        rows += [case("LayerNorm", values(4, 5, 3), change={"normalized_shape": shape})]
        rows += [case("LayerNorm", values(4, 5, 3), change={"normalized_shape": shape, "elementwise_affine": False})]
    return rows


def options() -> list[Contract]:
    """Momenta, eps, slopes and probabilities at their borders and beyond."""
    rows = []
    for layer, shape in (("BatchNorm1d", (5, 3)), ("BatchNorm1d", (5, 3, 4)), ("BatchNorm2d", (5, 3, 2, 4))):
        for momentum in (None, 0, 1, 0.0, 1.0, 0.3, 2.0, -0.5, "0.1"):
            rows += [
                case(layer, values(*shape), change={"momentum": momentum}, training=mode) for mode in (True, False)
            ]
        rows += [case(layer, values(*shape), change={"affine": affine}) for affine in (True, False)]
    for layer in PLAIN:
        arguments, shape = TAKES[layer]
        for eps in (1e-5, 1e-3, 0, 1, np.float32(1e-3), np.float64(1e-3), -1e-5, "1e-5"):
            rows += [case(layer, values(*shape), change={**arguments, "eps": eps})]
    rows += [case("BatchNorm1d", values(1, 3), training=mode) for mode in (True, False)]
    rows += [case("BatchNorm1d", values(1, 3, 1)), case("BatchNorm1d", values(1, 3, 2))]
    rows += [case("BatchNorm2d", values(1, 3, 1, 1)), case("BatchNorm2d", values(1, 3, 1, 2))]
    rows += [case("LeakyReLU", values(5, 3), change={"negative_slope": s}) for s in (0, 1, 2.5, -0.5, np.float64(0.3))]
    rows += [case("GroupNorm", values(5, 4, 3), change={"num_groups": groups}) for groups in (1, 2, 4, 3, 8)]
    rows += [case("GroupNorm", values(1, 4, 1), change={"num_groups": groups}) for groups in (1, 2, 4)]
    rows += [case("GroupNorm", values(1, 4), change={"num_groups": groups}) for groups in (1, 2, 4)]
    return rows


SPECIAL = (np.nan, np.inf, -np.inf, 1e30, 1e-30, 1e-45, -0.0)
HUGE = (3e38, -3e38, 1e20)
SUMMING = ("Linear", "Conv2d", *PLAIN, *CELLS)  # where an infinity may meet another
# torch has NaN for a variance that overflows in rows shorter than eight, and 0, as scratch, in longer ones
LONG = {"LayerNorm": ({"normalized_shape": 8}, (5, 8)), "GroupNorm": ({"num_groups": 2, "num_channels": 4}, (5, 4, 8))}


def special() -> list[Contract]:
    """NaN, infinities and numbers whose squares over- or underflow, in what goes in and in what is sent back."""
    rows = []
    for layer, (arguments, shape) in (TAKES | LONG).items():
        out = OUT.get(layer, (*shape[:-1], 4) if layer in CELLS else shape)
        change, loose = {**arguments}, layer in SUMMING
        for value in (*SPECIAL, *HUGE):
            x, dout = values(*shape), drawn("dout", out, "float32")
            x.reshape(-1)[[1, -2]] = value
            dout.reshape(-1)[[1, -2]] = value
            rows.append(case(layer, x, change=change, name=f"{layer} takes {value}", loose=loose))
            if value in HUGE and layer in SUMMING:
                continue  # the sum's order decides whether it overflows
            sent = {"dout": dout, "loose": loose, "name": f"{layer} is sent {value}"}
            rows.append(case(layer, values(*shape), change=change, **sent))
            if layer not in PLAIN or not np.isfinite(value) or abs(value) < 1:
                only = np.full(shape, value, np.float32)
                rows.append(case(layer, only, change=change, name=f"{layer} takes only {value}", loose=loose))
    x = values(2, 3, 5, 5)
    x[:, :, ::2] = np.nan
    dout = np.full((2, 3, 2, 2), np.inf, np.float32)
    rows += [case("MaxPool2d", x, change={"kernel_size": 3, "stride": 1})]
    rows += [case("MaxPool2d", values(2, 3, 5, 4), dout=dout), case("MaxPool2d", -np.inf * np.ones((2, 3, 5, 4), "f"))]
    wide = np.full((2, 3, 3, 2), 1, np.float32)
    wide[0, 0, 1, 1] = np.inf
    rows += [case("MaxPool2d", values(2, 3, 5, 4), dout=wide, change={"kernel_size": 3, "stride": 1})]
    return rows


FLOATS = ("float16", "float32", "float64", "complex64", "complex128", "object", "U3", "datetime64[s]")


def dtypes() -> list[Contract]:
    """A layer of one dtype given another, and layers of other dtypes."""
    rows = []
    for layer, (_, shape) in TAKES.items():
        for changes in ({}, *([PLAIN[layer]] if layer in PLAIN else ())):
            for own in ("float32", "float64", "float16", "int64", "complex64"):
                rows += [case(layer, values(*shape).astype(of), dtype=own, change=changes) for of in FLOATS]
    return rows


def forms() -> list[Contract]:
    """Lists, numbers, masked arrays, matrices and tensors where arrays belong, and strided views, which are arrays."""
    import torch

    rows = []
    for layer, (_, shape) in TAKES.items():
        x = values(*shape)
        wrong = (x.tolist(), tuple(x), 0.5, None, "x", np.ma.masked_array(x, x > 0), torch.from_numpy(x.copy()), {})
        rows += [case(layer, one) for one in wrong]
        views = (np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], x[::-1], x.astype(">f4"))
        rows += [case(layer, view, name=f"{layer} of a view {view.strides} {view.dtype.str}") for view in views]
        locked = x.copy()
        locked.flags.writeable = False
        rows += [case(layer, locked, name=f"{layer} of what may not be written")]
    matrix = values(5, 3).view(np.matrix)
    return rows + [case("Linear", matrix), case("Tanh", matrix), case("BatchNorm1d", matrix)]


KINDS = {
    kind.__name__: kind
    for kind in (integers, shapes, gradients, states, empty, alone, sizes, options, special, dtypes, forms)
}
