"""What both sides are given, drawn from one seed."""

import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.random import Generator

from twofold.compare import nest
from twofold.compare.judge.evidence.naming import calls_of, renamed
from twofold.compare.judge.evidence.rounding import saturating
from twofold.compare.pair import Case
from twofold.compare.sides import Reference, Scratch, Side
from twofold.compare.sides.trace import Keep, Names
from twofold.scratch.calls import unwatched
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
class Rehearsal:
    """What one forward pass of either side shows, before anything is compared.

    `names` are the reference's calls by scratch's names where those are others, `output` what it gave; it `saturates`
    where it takes a tanh or a sigmoid, also within a cell.
    """

    output: Any
    names: Names
    shows_modules: bool
    saturates: bool
    notes: tuple[str, ...]


def shapes_alone(stage: str, name: str, array: Array) -> Array:
    """Keeps a view of one zero."""
    return np.broadcast_to(np.zeros((), array.dtype), array.shape)


def described(outputs: Mapping[str, Array]) -> list[tuple[str, tuple[int, ...]]]:
    """Which calls were made, in order, and the shapes of what they gave."""
    return [(name, array.shape) for name, array in outputs.items()]


class Draws:
    """Parameters, inputs, target and cotangents, all from one seed, and the sides that are given them."""

    integral = False  # whether all of it are small integers, as for the check "exact"

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
        unwatched(side.model)
        return side

    def reference(self, dtype: str | None = None, device: str = "cpu") -> Reference:
        """On the CPU, with the names that scratch has for its modules' calls, if it can be run at all."""
        names: Names = MappingProxyType({})
        with suppress(Exception):
            names = self.rehearsal.names
        return self.unnamed_reference(dtype, names, device=device)

    def away(self) -> Reference:
        """The reference on the trial's device, which is judged beside the CPU's as scratch is."""
        return self.reference(device=self.device)

    def unnamed_reference(
        self, dtype: str | None = None, names: Names = MappingProxyType({}), device: str = "cpu"
    ) -> Reference:
        case, dtype = self.case, dtype or self.dtype
        given = case.model, case.loss, case.optimizer, dtype, device
        return Reference(*given, penalty=case.penalty, clip=case.clip, names=names, known=self.state)

    @cached_property
    def rehearsal(self) -> Rehearsal:
        """In evaluation mode; numbers are looked at only where the two sides call other modules, or in another order.

        A scratch side that raises shows nothing; the checks meet it again.
        """
        with saturating(0) as met:
            output, theirs = self.rehearsed(self.unnamed_reference(), shapes_alone)
        ours: Mapping[str, Array] = {}
        with suppress(Exception):
            _, ours = self.rehearsed(self.scratch(), shapes_alone)
        if ours and described(ours) != described(theirs):
            (_, ours), (_, theirs) = (self.rehearsed(side) for side in (self.scratch(), self.unnamed_reference()))
        names = renamed(ours, theirs) if ours else {}
        shared = {names.get(call, call) for call in calls_of(theirs)} - {None}
        alone = [f"the reference's {call}" for call, own in names.items() if own is None]
        alone += [f"scratch's {call}" for call in calls_of(ours) if call not in shared]
        notes = [f"{own}: the reference calls it {call}" for call, own in names.items() if own is not None]
        notes += [f"{call} has nothing to be compared with" for call in alone]
        return Rehearsal(output, names, bool(shared), bool(met), tuple(notes))

    def rehearsed(self, side: Side, keep: Keep | None = None) -> tuple[Any, Mapping[str, Array]]:
        """What a side gives, and what is kept of what its modules give."""
        side.load(self.state)
        side.train(False)
        with side.watch(keep) as trace:
            return side.forward(self.inputs), trace.outputs

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Their names, in scratch's order: the reference may know them by others, and in another."""
        return tuple(name for name, _ in self.scratch().model.named_parameters())

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
        return self.draw_cotangents(self.rehearsal.output, self.rng("cotangents"))
