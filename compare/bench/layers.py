"""Single layers forward and backward, optimizers alone, and the plain loops against the fast forms."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare import nest
from twofold.compare.bench import equal, products
from twofold.compare.bench.rows import Row
from twofold.compare.bench.timing import Work, interleaved
from twofold.compare.judge.evidence.draws import redrawn
from twofold.compare.layers import case, loss
from twofold.compare.pair import Case, Draw, Twin
from twofold.compare.sides import Reference, Scratch, Side
from twofold.scratch.module import Array

BUDGET = 0.15  # seconds a row


def conv(n: int, c: int, size: int, out: int, k: int, stride: int = 1, padding: int = 0) -> Case:
    form = "".join([f" by {stride}" * (stride > 1), f", pad {padding}" * (padding > 0)])
    sizes = {"in_channels": c, "out_channels": out, "kernel_size": k, "stride": stride, "padding": padding}
    return case(f"conv {c}x{size}x{size}, {out} of {k}x{k}{form}", "Conv2d", Draw((n, c, size, size)), **sizes)


def recurrent(layer: str) -> Case:
    return case(f"{layer} 3 -> 128, 150 steps", layer, Draw((150, 32, 3)), input_size=3, hidden_size=128)


LAYERS: tuple[Case, ...] = (
    conv(100, 3, 31, 25, 3, stride=2, padding=1),
    conv(64, 32, 32, 16, 3, padding=1),
    conv(64, 3, 32, 32, 5, padding=2),
    conv(32, 8, 24, 8, 5),
    case("max pool 2x2 of 3x32x32", "MaxPool2d", Draw((100, 3, 32, 32)), kernel_size=2),
    case("batch norm of 32x16x16", "BatchNorm2d", Draw((64, 32, 16, 16)), num_features=32),
    case("group norm of 32x16x16, 8 groups", "GroupNorm", Draw((64, 32, 16, 16)), num_groups=8, num_channels=32),
    case("batch norm of 100", "BatchNorm1d", Draw((100, 100)), num_features=100),
    case("layer norm of 100", "LayerNorm", Draw((100, 100)), normalized_shape=100),
    case("ReLU of 32x32x32", "ReLU", Draw((50, 32, 32, 32))),
    case("leaky ReLU of 100", "LeakyReLU", Draw((100, 100))),
    case("tanh of 64", "Tanh", Draw((32, 64))),
    case("sigmoid of 128", "Sigmoid", Draw((200, 128))),
    *(recurrent(layer) for layer in ("RNN", "SigmoidRNN", "LSTM", "GRU", "ResetFirstGRU")),
    case("linear 3072 -> 100", "Linear", Draw((100, 3072)), in_features=3072, out_features=100),
    case("embedding of 250 in 16", "Embedding", Draw((200, 3), high=250), num_embeddings=250, embedding_dim=16),
    loss("cross-entropy of 250", "CrossEntropyLoss", Draw((200, 250)), Draw((200,), high=250)),
    loss("hinge of 10", "MultiClassHingeLoss", Draw((100, 10)), Draw((100,), high=10), home="twofold.reference.losses"),
    loss("MSE of 768", "MSELoss", Draw((32, 768)), Draw((32, 768))),
)

# Parameters of which Adam is timed alone: 1e3, 1e5, 1e6.
MATRICES = ((25, 40), (250, 400), (1000, 1000))

# At a reduced size, for they are some hundred times slower.
LOOPS: tuple[tuple[Case, str], ...] = (
    (conv(2, 3, 16, 4, 3, padding=1), "twofold.scratch:LoopConv2d"),
    (
        case("max pool 2x2 of 3x16x16", "MaxPool2d", Draw((4, 3, 16, 16)), kernel_size=2),
        "twofold.scratch:LoopMaxPool2d",
    ),
)


def layer_rows(form: Case, dtype: str) -> list[Row]:
    """Forward and backward of one layer against torch's."""
    return both_ways("layer", form, dtype, lambda dtype: Reference(form.model, dtype=dtype))


def loop_rows(form: Case, loops: str, dtype: str) -> list[Row]:
    """Forward and backward of a fast form against the loops that define it."""
    plain = Twin(loops, loops, form.model.arguments)
    return both_ways("loops", form, dtype, lambda dtype: Scratch(plain, dtype=dtype))


def both_ways(kind: str, form: Case, dtype: str, other: Callable[[DTypeLike], Side]) -> list[Row]:
    rng = np.random.default_rng(0)
    inputs = nest.apply(lambda draw: draw(rng, dtype), form.inputs)
    batch = inputs[0].shape[1 if form.time_axis == 0 else 0]
    scratch = Scratch(form.model, dtype=dtype)
    state = redrawn(scratch.state(), rng)
    cotangents: list[Any] = []

    def compare() -> equal.Differences:
        scratch.load(state)
        cotangents.append(
            nest.apply(lambda out: np.asarray(rng.standard_normal(out.shape), dtype), scratch.forward(inputs))
        )
        return equal.of_layer(scratch, other, state, inputs, cotangents[0], form.constants)

    if differences := equal.guarded(compare):
        return [Row(kind, form.name, part, dtype, batch, None, None, differences) for part in ("forward", "backward")]
    ours, theirs = works(scratch, state, inputs, cotangents[0]), works(other(dtype), state, inputs, cotangents[0])
    passes = products.of_layer(scratch.model, inputs[0].shape)
    alone = (passes.forward, passes.weights + passes.inputs) if kind == "layer" else ([], [])
    return [
        Row(kind, form.name, part, dtype, batch, interleaved(a, b, products.together(multiplied, dtype), BUDGET))
        for part, a, b, multiplied in zip(("forward", "backward"), ours, theirs, alone, strict=True)
    ]


def works(side: Side, state: Mapping[str, Array], inputs: Any, cotangents: Any) -> tuple[Work, Work]:
    """One side's forward pass, and the backward pass of what it gave; nothing is copied."""
    side.load(state)
    side.train()
    model = side.model
    if isinstance(side, Scratch):
        model(*inputs)
        douts = cotangents if isinstance(cotangents, tuple) else (cotangents,)
        return lambda: model(*inputs), lambda: model.backward(*douts)
    given = [tensor.requires_grad_(tensor.is_floating_point()) for tensor in map(side.tensor, inputs)]
    outs, tensors = nest.flatten(model(*given)), [side.tensor(array) for array in nest.flatten(cotangents)]
    wanted = [tensor for tensor in (*given, *model.parameters()) if tensor.requires_grad]
    gradients = partial(side.torch.autograd.grad, outs, wanted, tensors, retain_graph=True)
    return lambda: model(*given), gradients


def adam_row(shape: tuple[int, int], dtype: str) -> Row:
    """The update alone, by the same gradient over and over."""
    matrix = {"in_features": shape[1], "out_features": shape[0], "bias": False}
    linear = Twin("twofold.scratch:Linear", "torch.nn:Linear", matrix)
    adam = Twin("twofold.scratch:Adam", "torch.optim:Adam", {"lr": 1e-3})
    scratch, rng = Scratch(linear, None, adam, dtype), np.random.default_rng(0)
    gradients = {"weight": rng.standard_normal(shape).astype(dtype)}
    moments = {"step": np.array(3), "exp_avg": rng.standard_normal(shape), "exp_avg_sq": rng.random(shape)}
    state = {"weight": {key: value.astype(dtype) if value.ndim else value for key, value in moments.items()}}

    def compare() -> equal.Differences:
        def run(dtype: DTypeLike, seed: int | None) -> equal.Arrays:
            return equal.update(Reference(linear, None, adam, dtype), gradients, state) if seed is None else {}

        return equal.differing(equal.update(scratch, gradients, state), run, dtype)

    name = f"Adam, {shape[0] * shape[1]:,} parameters"
    if differences := equal.guarded(compare):
        return Row("layer", name, "update", dtype, 1, None, None, differences)
    reference = Reference(linear, None, adam, dtype)
    reference.set_gradients(gradients)
    return Row("layer", name, "update", dtype, 1, interleaved(scratch.step, reference.step, budget=BUDGET))
