"""The matrix products that a layer cannot do without, so that they can be timed alone: how near to the limit it is.

Counted by the layer's definition: linear one product forward and two backward; a convolution the same three for every
image, unfolded; a recurrent layer one a time step for its state, either way, and one over all steps for its input, for
the input's gradient and for each weight's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from compare.bench.timing import Work
from compare.judge.trace import Trace, call_of
from scratch import Conv2d, Linear, Module
from scratch.layers.recurrent import Recurrent


@dataclass(frozen=True)
class Product:
    """`count` products of (rows, inner) by (inner, columns)."""

    rows: int
    inner: int
    columns: int
    count: int = 1

    def work(self, dtype: DTypeLike) -> Work:
        rng = np.random.default_rng(0)
        left, right = (
            rng.random(shape).astype(dtype) for shape in ((self.rows, self.inner), (self.inner, self.columns))
        )
        out = np.empty((self.rows, self.columns), dtype)

        def multiply() -> None:
            for _ in range(self.count):
                np.matmul(left, right, out=out)

        return multiply


Products = list[Product]


def of_layer(layer: Module, shape: tuple[int, ...]) -> tuple[Products, Products]:
    """Of the forward and the backward pass, for an input of this shape; none for a layer that multiplies none."""
    if isinstance(layer, Linear):
        return of_linear(int(np.prod(shape[:-1])), layer.in_features, layer.out_features)
    if isinstance(layer, Conv2d):
        out, (height, width) = layer.out_channels, layer.output_size(shape[2:])
        window, pixels, images = math.prod(layer.weight.data.shape[1:]), height * width, shape[0]
        dweight, dinput = Product(out, pixels, window, images), Product(window, out, pixels, images)
        return [Product(out, window, pixels, images)], [dweight, dinput]
    if isinstance(layer, Recurrent):
        batch, steps = shape[:2] if layer.batch_first else (shape[1], shape[0])
        stacked, hidden = layer.gates * layer.hidden_size, layer.hidden_size
        forward, backward = of_linear(batch * steps, layer.input_size, stacked)
        forward += [Product(batch, hidden, stacked, steps)]
        return forward, [*backward, Product(batch, stacked, hidden, steps), Product(stacked, batch * steps, hidden)]
    return [], []


def of_linear(records: int, inputs: int, outputs: int) -> tuple[Products, Products]:
    dinput, dweight = Product(records, outputs, inputs), Product(outputs, records, inputs)
    return [Product(records, inputs, outputs)], [dinput, dweight]


def of_step(model: Module, trace: Trace) -> Products:
    """All products of a training step that was watched; of a call that got no gradient only the forward pass's."""
    modules = dict(model.named_modules())
    sent = {call_of(key) for key in trace.sent}
    products: Products = []
    for call in dict.fromkeys(call_of(key) for key in trace.outputs):
        given = trace.inputs[call] if call in trace.inputs else trace.inputs[f"{call}[0]"]
        forward, backward = of_layer(modules[call.partition("#")[0]], given.shape)
        products += forward + (backward if call in sent else [])
    return products


def together(products: Sequence[Product], dtype: DTypeLike) -> Work | None:
    """One after the other; None for no product at all."""
    works = [product.work(dtype) for product in products]

    def multiply() -> None:
        for work in works:
            work()

    return multiply if works else None
