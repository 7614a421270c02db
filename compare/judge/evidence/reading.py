"""What one run gave or was kept of it, and what the re-runs beside it say of rounding."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from twofold.compare.judge.evidence.branches import Flip
from twofold.compare.judge.evidence.floor import farther
from twofold.compare.judge.finding import Quantity
from twofold.compare.sides.trace import Keep, same_bits
from twofold.scratch.module import Array

# What one run gave, or what was kept of it, by stage and name. Stages: forward (every module in order, then the
# output), loss, backward (the gradient of every module's output), gradient (of every parameter and input).
Reading = dict[str, dict[str, Array]]


@dataclass(frozen=True)
class Measured:
    """The float64 reference, the branches that it would have taken otherwise, and its re-runs in the trial's dtype.

    Of these `strayed` has how far each row of a tensor did from golden, in the one that strays most, and `off` the
    tensors that go wrong in that dtype alone.
    """

    golden: Reading
    flips: list[Flip] = field(default_factory=list)
    strayed: Reading = field(default_factory=dict)
    reruns: int = 0
    off: Mapping[str, Mapping[str, Quantity]] = field(default_factory=dict)

    def beside(self, *runs: Reading) -> "Measured":
        """With further re-runs, of each how far it strays."""
        strayed = dict(self.strayed)
        for run in runs:
            strayed |= {
                stage: farther(strayed.get(stage, {}), rows)
                for stage, rows in run.items()
                if stage not in ("asked", "passed")
            }
        return replace(self, strayed=strayed, reruns=self.reruns + len(runs))


class Unrepeatable(Exception):
    """The reference gives other numbers for equal inputs: its noise would pass for the floor."""


def idle_in(actual: Reading, golden: Reading) -> set[str]:
    """The parameters that no gradient reaches on either side: torch has None, scratch zeros."""
    return {name for name, array in actual["gradient"].items() if name not in golden["gradient"] and not array.any()}


def used(state: Mapping[str, Array], idle: set[str]) -> dict[str, Array]:
    """Without what an optimizer keeps for parameters that no gradient reaches: torch leaves them out of its step."""
    return {name: array for name, array in state.items() if " " not in name or name.partition(" ")[0] not in idle}


def identical(first: Reading, second: Reading) -> bool:
    """Bit for bit, NaN included."""
    keep = equal_to(first)
    return repeated(
        first, {stage: {name: keep(stage, name, a) for name, a in second[stage].items()} for stage in second}
    )


def equal_to(first: Reading) -> Keep:
    """Keeps of a tensor whether it is bit for bit that of a run before."""
    return lambda stage, name, array: np.array(name in first[stage] and same_bits(array, first[stage][name]))


def repeated(first: Reading, equal: Reading) -> bool:
    """Whether a run, of which is kept what is equal, has all that the first has, and alike."""
    return all(first[stage].keys() == equal[stage].keys() and all(equal[stage].values()) for stage in first)
