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


def sums(criterion: Any) -> bool:
    """Whether a loss is a sum over records, and not their mean."""
    return getattr(criterion, "reduction", "mean") == "sum"


def weight(criterion: Any, share: Share, workers: int) -> float:
    """How many times a share's loss is taken, before the mean over workers."""
    if sums(criterion):
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
    return reduced([gradients(side, share, len(of)) for share in shares(inputs, target, of)])


def reduced(found: Sequence[dict[str, Array]]) -> dict[str, Array]:
    """The mean over workers, as DistributedDataParallel takes it."""
    return {name: np.sum([one[name] for one in found], axis=0) / len(found) for name in found[0]}


def refusal(side: Reference, inputs: Array, target: Array) -> str:
    """Why no shares of a batch have its gradient, measured in float64 on some records one by one; "" where they have.

    No weight is asked here, and no penalty: records are shares of one size.
    """
    modules = [(path or "the model", module) for path, module in side.model.named_modules()]
    if told := first(modules, side.torch.nn.modules.dropout._DropoutNd):
        return f"{told} draws one mask for all records"
    if told := first(modules, side.torch.nn.modules.batchnorm._BatchNorm):
        return f"{told} takes the statistics of all records"
    records = [(inputs[n : n + 1], target[n : n + 1]) for n in range(min(len(target), PROBED))]
    try:
        whole, again = (without_penalty(side, inputs[:PROBED], target[:PROBED]) for _ in range(2))
        alone = [without_penalty(side, *record) for record in records]
    except Exception as error:  # whatever a model or a loss makes of one record
        return f"it takes no record by itself: {' '.join(str(error).split())}"
    if far(whole, again):
        return "it draws numbers in training"
    count = 1 if sums(side.criterion) else len(alone)
    added = {name: sum((found[name] for found, _ in alone), np.zeros(())) / count for name in whole[0]}
    together = added, np.concatenate([out for _, out in alone])
    if not far(whole, together):
        return ""
    if far(({}, whole[1]), ({}, together[1])):
        return "what it makes of a record hangs on the others"
    return f"its loss, {type(side.criterion).__name__}, is no sum or mean over records"


def first(modules: Sequence[tuple[str, Any]], kind: type) -> str:
    return next((f"{path} ({type(module).__name__})" for path, module in modules if isinstance(module, kind)), "")


Pass = tuple[dict[str, Array], Array]  # gradients and outputs


def without_penalty(side: Reference, inputs: Array, target: Array) -> Pass:
    side.train()
    side.zero_grad()
    out = side.model(side.tensor(inputs))
    side.criterion(out, side.tensor(target)).backward()
    return side.gradients(), array_of(out)


def far(one: Pass, other: Pass) -> bool:
    """Whether two passes differ by more than rounding."""
    arrays = {**one[0], "<output>": one[1]}, {**other[0], "<output>": other[1]}
    if arrays[0].keys() != arrays[1].keys():
        return True
    largest = max((np.abs(gradient).max(initial=0) for gradient in one[0].values()), default=0)
    bounds = dict.fromkeys(one[0], largest) | {"<output>": np.abs(one[1]).max(initial=0)}
    return any(np.abs(arrays[0][name] - arrays[1][name]).max(initial=0) > ROUNDING * bounds[name] for name in bounds)
