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

from twofold.compare.bench.timing import Work
from twofold.compare.sides.trace import Trace, call_of
from twofold.scratch import Conv2d, Linear, Module
from twofold.scratch.layers.recurrent import Recurrent


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


@dataclass(frozen=True)
class Passes:
    """The products of a layer: of its forward pass, for its weights' gradients, and for its input's gradient."""

    forward: Products
    weights: Products
    inputs: Products


def of_layer(layer: Module, shape: tuple[int, ...]) -> Passes:
    """For an input of this shape; none for a layer that multiplies none."""
    if isinstance(layer, Linear):
        return of_linear(math.prod(shape[:-1]), layer.in_features, layer.out_features)
    if isinstance(layer, Conv2d):
        out, (height, width) = layer.out_channels, layer.output_size(shape[2:])
        window, pixels, images = math.prod(layer.weight.data.shape[1:]), height * width, shape[0]
        dweight, dinput = Product(out, pixels, window, images), Product(window, out, pixels, images)
        return Passes([Product(out, window, pixels, images)], [dweight], [dinput])
    if isinstance(layer, Recurrent):
        batch, steps = shape[:2] if layer.batch_first else (shape[1], shape[0])
        stacked, hidden = layer.gates * layer.hidden_size, layer.hidden_size
        of_input = of_linear(batch * steps, layer.input_size, stacked)
        through_time = [Product(batch, stacked, hidden, steps), Product(stacked, batch * steps, hidden)]
        forward = [*of_input.forward, Product(batch, hidden, stacked, steps)]
        return Passes(forward, of_input.weights + through_time, of_input.inputs)
    return Passes([], [], [])


def of_linear(records: int, inputs: int, outputs: int) -> Passes:
    dinput, dweight = Product(records, outputs, inputs), Product(outputs, records, inputs)
    return Passes([Product(records, inputs, outputs)], [dweight], [dinput])


def of_step(model: Module, step: Trace, whole: Trace) -> Products:
    """All products of a training step that was watched, beside one `whole` pass of its model down to the input.

    A call that only the latter sent something back through has its weights' gradients in the step, and no input's;
    one that neither did has its forward pass alone. A step in chunks makes the calls of a pass over and over.
    """
    modules = dict(model.named_modules())
    in_step, in_whole = ({call_of(key) for key in trace.grad_inputs} for trace in (step, whole))
    calls = list(dict.fromkeys(call_of(key) for key in step.outputs))
    a_pass = list(dict.fromkeys(call_of(key) for key in whole.outputs))
    products: Products = []
    for n, call in enumerate(calls):
        given = step.inputs[call] if call in step.inputs else step.inputs[f"{call}[0]"]
        passes = of_layer(modules[call.partition("#")[0]], given.shape)
        products += passes.forward
        products += passes.weights if a_pass[n % len(a_pass)] in in_whole else []
        products += passes.inputs if call in in_step else []
    return products


def together(products: Sequence[Product], dtype: DTypeLike) -> Work | None:
    """One after the other; None for no product at all."""
    works = [product.work(dtype) for product in products]

    def multiply() -> None:
        for work in works:
            work()

    return multiply if works else None
