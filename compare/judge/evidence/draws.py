"""What both sides are given, drawn from one seed."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import Generator

from twofold.compare import nest
from twofold.compare.judge.evidence.rounding import saturating
from twofold.compare.pair import Case
from twofold.compare.sides import Reference, Scratch
from twofold.scratch.module import Array


def redrawn(state: Mapping[str, Array], rng: Generator) -> dict[str, Array]:
    """Weights N(0, 1)/sqrt(fan in), biases 0.3 N(0, 1), gammas 1 + 0.5 N(0, 1): no tensor zero, none alike.

    Running means like biases, running variances U(0.5, 1.5); counters stay.
    """

    def draw(name: str, array: Array) -> Array:
        if not np.issubdtype(array.dtype, np.floating):
            return array
        normal = rng.standard_normal(array.shape)
        if name.endswith("running_var"):
            return rng.uniform(0.5, 1.5, array.shape)
        if array.ndim >= 2:
            return normal / np.sqrt(array[0].size)
        return 0.3 * normal if any(word in name.rpartition(".")[2] for word in ("bias", "mean")) else 1 + 0.5 * normal

    return {name: draw(name, array).astype(array.dtype) for name, array in state.items()}


@dataclass(frozen=True)
class Glimpse:
    """What one forward pass shows of the reference: its output, the modules that it calls, whether it `saturates`."""

    output: Any
    modules: frozenset[str]
    saturates: bool  # takes a tanh or a sigmoid, also within a cell


class Draws:
    """Parameters, inputs, target and cotangents, all from one seed, and the sides that are given them."""

    def __init__(self, case: Case, dtype: str, device: str = "cpu", seed: int = 0) -> None:
        self.case, self.dtype, self.device, self.seed = case, dtype, device, seed
        self.state = redrawn(self.scratch().state(), self.rng("state"))
        self.inputs = self.draw_inputs(self.rng("inputs"))

    def rng(self, purpose: str) -> Generator:
        return np.random.default_rng([self.seed, zlib.crc32(f"{self.case.name} {purpose}".encode())])

    def scratch(self, dtype: str | None = None) -> Scratch:
        case = self.case
        given = case.model, case.loss, case.optimizer, dtype or self.dtype
        side = Scratch(*given, penalty=case.penalty, clip=case.clip, chunk=case.chunk)
        side.reseed(self.seed)
        return side

    def reference(self, dtype: str | None = None) -> Reference:
        case, dtype = self.case, dtype or self.dtype
        return Reference(
            case.model, case.loss, case.optimizer, dtype, self.device, penalty=case.penalty, clip=case.clip
        )

    def draw_inputs(self, rng: Generator) -> tuple[Any, ...]:
        return nest.apply(lambda draw: draw(rng, self.dtype), self.case.inputs)

    def draw_target(self, rng: Generator) -> Array | None:
        return self.case.target(rng, self.dtype) if self.case.target else None

    def draw_cotangents(self, out: Any, rng: Generator) -> Any:
        """Random ones, never ones: a sum is blind to whole terms of a gradient."""
        return nest.apply(lambda array: rng.standard_normal(array.shape).astype(self.dtype), out)

    @cached_property
    def target(self) -> Array | None:
        return self.draw_target(self.rng("target"))

    @cached_property
    def cotangents(self) -> Any:
        return self.draw_cotangents(self.glimpse.output, self.rng("cotangents"))

    @cached_property
    def glimpse(self) -> Glimpse:
        """The reference's first forward pass, of which no number is judged."""
        side = self.reference()
        side.load(self.state)
        with saturating(0) as met, side.watch(lambda stage, name, array: np.empty(0)) as trace:
            output = side.forward(self.inputs)
        return Glimpse(output, frozenset(trace.outputs), bool(met))
