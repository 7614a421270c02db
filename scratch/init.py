"""Initialisers: each fills a float array with draws from the given generator and returns it.

Raise TypeError for another generator than NumPy's, ValueError for a spread below 0 or a weight without a fan in.
"""

import math

import numpy as np
from numpy.random import Generator

from twofold.scratch.checks import refuse
from twofold.scratch.module import Array, Module


def generator(rng: Generator | int | None) -> Generator:
    """The given one, one that begins with a given seed, or a new one. Raises TypeError for anything else."""
    if rng is None or isinstance(rng, int | np.integer):
        return np.random.default_rng(rng)
    if not hasattr(rng, "random"):
        refuse("rng", "a numpy.random.Generator, a seed or None", f"a {type(rng).__name__}", TypeError)
    return rng


def uniform(shape: tuple[int, ...], bound: float, rng: Generator) -> Array:
    """U(-bound, bound) as float32."""
    must_draw("uniform", bound, rng)
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def normal(shape: tuple[int, ...], std: float, rng: Generator) -> Array:
    """N(0, std^2) as float32."""
    must_draw("normal", std, rng)
    return (std * rng.standard_normal(shape)).astype(np.float32)


def must_draw(name: str, spread: float, rng: Generator) -> None:
    """Raises TypeError for no generator, ValueError for a spread that is none."""
    if not isinstance(rng, Generator):
        refuse(name, "a numpy.random.Generator", f"a {type(rng).__name__}", TypeError)
    if not 0 <= spread < math.inf:
        refuse(name, "a spread of at least 0", f"{spread}")


def fan_in(shape: tuple[int, ...]) -> int:
    """Inputs that reach one output unit: all axes of a weight (out, in, ...) but the first."""
    return math.prod(shape[1:])


def default(shape: tuple[int, ...], fan: int, rng: Generator) -> Array:
    """U(-1/sqrt(fan), 1/sqrt(fan)): torch's default for Linear and Conv2d (fan = fan in) and LSTM (fan = hidden)."""
    return uniform(shape, 1 / math.sqrt(fan) if fan else 0.0, rng)


def xavier_uniform(shape: tuple[int, ...], rng: Generator) -> Array:
    """U(-a, a) with a = sqrt(6 / (fan in + fan out)), Glorot and Bengio 2010, for a weight (out, in, ...)."""
    must_have_fans("xavier_uniform", shape)
    fan_out = shape[0] * math.prod(shape[2:])
    return uniform(shape, math.sqrt(6 / max(1, fan_in(shape) + fan_out)), rng)


def kaiming_normal(shape: tuple[int, ...], rng: Generator) -> Array:
    """N(0, 2 / fan in) for a weight in front of a ReLU, He et al. 2015."""
    must_have_fans("kaiming_normal", shape)
    return normal(shape, math.sqrt(2 / max(1, fan_in(shape))), rng)


def scaled_normal(shape: tuple[int, ...], rng: Generator) -> Array:
    """N(0, 1/number of entries): the filter banks of `mnist-cnn`."""
    return normal(shape, 1 / math.sqrt(max(1, math.prod(shape))), rng)


def must_have_fans(name: str, shape: tuple[int, ...]) -> None:
    if len(shape) < 2:
        refuse(name, "a weight (out, in, ...)", f"shape {shape}")


def zero_biases(module: Module) -> None:
    """Sets every parameter whose name says bias to 0."""
    for name, parameter in module.named_parameters():
        if "bias" in name.rpartition(".")[2]:
            parameter.data[...] = 0
