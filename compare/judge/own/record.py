"""All that was found of a pair, for the verdict and what is told of it."""

from dataclasses import dataclass, field

from twofold.compare.judge.finding import Quantity
from twofold.compare.judge.own.call import Call
from twofold.compare.judge.own.deciding.who import order
from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors, failed


@dataclass
class Compared:
    """One draw in one dtype: what both sides gave, and what was judged."""

    dtype: str
    one: Draw
    actual: Tensors
    golden: Tensors
    quantities: dict[str, Quantity]
    training: bool | None = None  # the mode, where both were entered
    torchs: Tensors = field(default_factory=dict)  # every gradient that torch has, also those that scratch lacks
    coarse: bool = False  # judged by the floor of float32, which the code computes in

    @property
    def failed(self) -> list[str]:
        return failed(self.quantities)


@dataclass
class Record:
    """All that was found, for the verdict and what is told of it."""

    call: Call
    bout: Bout
    compared: list[Compared] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    training: list[tuple[str, str]] = field(default_factory=list)  # what is told of steps that agree

    @property
    def explicit(self) -> bool:
        """Whether every parameter was meant by the user, who gave them one by one."""
        return self.bout.explicit

    @property
    def failing(self) -> Compared | None:
        """The first that fails, float64 before float32 and random parameters before the user's own."""
        return next((one for one in self.compared if one.failed), None)


def first_tensor(record: Record, compared: Compared) -> str:
    """The first that differs: an output, then the loss, then gradients as a backward pass meets them."""
    bad = compared.failed
    outputs = sorted(name for name in bad if name.startswith("output"))
    ranked = [*outputs, *(name for name in bad if name == "loss"), *order(record.bout, bad)]
    ranked += [name for name in bad if name.startswith("buffer ")]
    return ranked[0]
