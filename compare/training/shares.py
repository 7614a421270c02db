"""A batch in shares, one a worker: the mean of their gradients, each share's loss weighted, is that of the whole batch.

DistributedDataParallel gives every worker the mean of all workers' gradients. So the loss of a share of n of N records
is taken W n / N times where it is a mean over records, with W workers, and W times where it is a sum; a penalty, which
every worker has whole, is taken as it is. A worker without a record takes one of another's, which counts 0 times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twofold.compare.sides import Reference
from twofold.compare.sides.trace import array_of
from twofold.scratch.module import Array

ROUNDING = 1e-9  # of the largest gradient: far above what float64 rounds, far below what records do to each other
PROBED = 8  # records


@dataclass(frozen=True)
class Share:
    """What a worker takes of a batch of `whole` records: `own` from `start` on, or none and one to run on."""

    inputs: Array
    target: Array
    start: int
    own: int
    whole: int


def sizes(records: int, workers: int) -> list[int]:
    """As equal as can be, the first ones larger."""
    return [records // workers + (n < records % workers) for n in range(workers)]


def shares(inputs: Array, target: Array, of: Sequence[int]) -> list[Share]:
    """A batch cut into shares of these sizes."""
    found, start = [], 0
    for own in of:
        taken = slice(start, start + own) if own else slice(0, 1)
        found.append(Share(inputs[taken], target[taken], start, own, len(target)))
        start += own
    return found


def weight(criterion: Any, share: Share, workers: int) -> float:
    """How many times a share's loss is taken, before the mean over workers."""
    if getattr(criterion, "reduction", "mean") == "sum":
        return float(workers if share.own else 0)
    return workers * share.own / share.whole


def objective(side: Reference, out: Any, target: Any, share: Share, workers: int) -> Any:
    """The weighted loss of a share, and the whole penalty."""
    loss = side.criterion(out, target) * weight(side.criterion, share, workers)
    return loss + side.penalty() if side.penalty else loss


def gradients(side: Reference, share: Share, workers: int) -> dict[str, Array]:
    """Of one worker, before the mean over workers, in training mode; what the loss does not reach is left out."""
    side.train()
    side.zero_grad()
    objective(side, side.model(side.tensor(share.inputs)), side.tensor(share.target), share, workers).backward()
    return side.gradients()


def mean_gradients(side: Reference, inputs: Array, target: Array, of: Sequence[int]) -> dict[str, Array]:
    """What every worker has after the reduction, were there as many workers as sizes."""
    return mean([gradients(side, share, len(of)) for share in shares(inputs, target, of)])


def mean(found: Sequence[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.sum([one[name] for one in found], axis=0) / len(found) for name in found[0]}


def refusal(side: Reference, inputs: Array, target: Array) -> str:
    """Why no shares of a batch have its gradient, measured in float64 on some records; "" where they have."""
    modules = [(path or "the model", module) for path, module in side.model.named_modules()]
    if told := first(modules, side.torch.nn.modules.dropout._DropoutNd):
        return f"{told} draws a mask for the records of a batch together"
    if len(target) < 2:
        return ""
    whole, again = (mean_gradients(side, inputs, target, [len(target)]) for _ in range(2))
    if far(whole, again):
        return "it draws numbers in training"
    parts = mean_gradients(side, inputs, target, [1, len(target) - 1])
    if not far(whole, parts):
        return ""
    if told := first(modules, side.torch.nn.modules.batchnorm._BatchNorm):
        return f"{told} takes the statistics of a whole batch"
    if any(far({"": a}, {"": b}) for a, b in zip(*outputs(side, inputs), strict=True)):
        return "what the model makes of a record hangs on the records beside it"
    return f"its loss, {type(side.criterion).__name__}, is no sum or mean over records"


def first(modules: Sequence[tuple[str, Any]], kind: type) -> str:
    return next((f"{path} ({type(module).__name__})" for path, module in modules if isinstance(module, kind)), "")


def far(one: dict[str, Array], other: dict[str, Array]) -> bool:
    """Whether two sets of gradients differ by more than rounding."""
    if one.keys() != other.keys():
        return True
    largest = max((np.abs(array).max(initial=0) for array in one.values()), default=0)
    return any(np.abs(one[name] - other[name]).max(initial=0) > ROUNDING * largest for name in one)


def outputs(side: Reference, inputs: Array) -> tuple[list[Array], list[Array]]:
    """Of every record beside the others, and by itself."""
    with side.torch.no_grad():
        return list(array_of(side.model(side.tensor(inputs)))), [
            array_of(side.model(side.tensor(inputs[n : n + 1])))[0] for n in range(len(inputs))
        ]
