"""The errors of a recurrent layer by time step and gate, and what they say in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from twofold.scratch.module import Array

Stage = Literal["forward", "backward"]

LIMIT = 8.0  # floors: up to so many are equal


@dataclass(frozen=True)
class GateMap:
    """The error of every time step and gate in floors: `ratios` (T, gates)."""

    stage: Stage
    gates: tuple[str, ...]
    ratios: Array

    @property
    def failing(self) -> Array:
        return ~(self.ratios <= LIMIT)

    @property
    def steps(self) -> list[int]:
        """The time steps that differ, in order of execution: backward from the last."""
        steps = np.flatnonzero(self.failing.any(axis=1)).tolist()
        return steps if self.stage == "forward" else steps[::-1]

    @property
    def first(self) -> tuple[int, tuple[str, ...]] | None:
        """The step at which the difference starts, and the gates that differ there."""
        return (self.steps[0], self._failing_at(self.steps[0])) if self.steps else None

    def line(self) -> str:
        """In words, such as "backward: gate f from t = 5 down to t = 0; i, g and o follow at t = 4; t = 6 agrees"."""
        if self.first is None:
            return f"{self.stage}: {self._named(self.gates)} agrees at every step"
        start, gates = self.first
        parts, seen = [f"{self.stage}: {self._named(gates)} {self._extent()}"], set(gates)
        for step in self.steps:
            if late := [gate for gate in self._failing_at(step) if gate not in seen]:
                parts.append(f"{_listed(late)} {'follows' if len(late) == 1 else 'follow'} at t = {step}")
                seen.update(late)
        before = range(start) if self.stage == "forward" else range(start + 1, len(self.ratios))
        if len(before) == 1:
            parts.append(f"t = {before[0]} agrees")
        elif before:
            parts.append(f"t = {before[0]} to {before[-1]} agree")
        return "; ".join(parts)

    def _failing_at(self, step: int) -> tuple[str, ...]:
        return tuple(gate for gate, fails in zip(self.gates, self.failing[step], strict=True) if fails)

    def _named(self, gates: Sequence[str]) -> str:
        if len(self.gates) == 1:
            return self.gates[0]
        if len(gates) == len(self.gates):
            return "every gate"
        return f"gate{'s' if len(gates) > 1 else ''} {_listed(gates)}"

    def _extent(self) -> str:
        steps = self.steps
        if len(steps) == 1:
            return f"only at t = {steps[0]}"
        if len(steps) <= abs(steps[0] - steps[-1]):  # some between agree
            return f"at t = {_listed(steps)}"
        return f"from t = {steps[0]} {'down' if self.stage == 'backward' else 'up'} to t = {steps[-1]}"


def _listed(words: Sequence[object]) -> str:
    *most, last = map(str, words)
    return f"{', '.join(most)} and {last}" if most else last
