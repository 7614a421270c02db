"""Which failures of a trial follow from another: the same side at the same place or later, and nothing of their own."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import Divergence, Finding, Verdict
from twofold.compare.sides.trace import path_of

OPEN = "inconclusive"
# In order of execution. What an optimizer makes of given gradients follows from nothing before it.
STAGES = ("forward", "loss", "backward", "optimizer", "update", "train_step")


@dataclass
class Cluster:
    """A failure, and those of other checks that follow from it."""

    head: Finding
    rest: list[Finding] = field(default_factory=list)


def decisive(result: Result) -> Finding | None:
    """The failure that the verdict is of: of those with its side and place the first that is measured in floors."""
    cause = result.cause
    if cause is None or not cause.first_divergence:
        return cause
    alike = [f for f in failed(result) if side_of(f) == side_of(cause) and same_place(f, cause)]
    measured = (f for f in alike if any(q.floor for q in f.quantities if q.verdict is Verdict.FAIL))
    return next(measured, alike[0] if alike else cause)


def same_place(one: Finding, other: Finding) -> bool:
    """One optimizer is one place, whichever of its tensors is named."""
    first, second = one.first_divergence, other.first_divergence
    if first and second and first.stage == second.stage == "optimizer":
        return True
    return first == second


def clusters(result: Result) -> list[Cluster]:
    """The failures of a trial, each with those that follow from it; the one that decides comes first."""
    head = decisive(result)
    if head is None:
        return []
    found, order = [Cluster(head)], modules(result)
    for finding in failed(result):
        if finding.check == head.check:
            continue
        before = next((cluster for cluster in found if follows(finding, cluster.head, order)), None)
        if before:
            before.rest.append(finding)
        else:
            found.append(Cluster(finding))
    return found


def failed(result: Result) -> list[Finding]:
    return [finding for finding in result.findings if finding.verdict is Verdict.FAIL]


def side_of(finding: Finding) -> str:
    return finding.blame.side if finding.blame else OPEN


def modules(result: Result) -> list[str]:
    """Paths in order of execution, as the outputs were judged, and the loss."""
    outputs = next((finding.quantities for finding in result.findings if finding.check == "forward"), ())
    return [*dict.fromkeys(path_of(quantity.name) for quantity in outputs), "loss"]


def follows(finding: Finding, first: Finding, order: Sequence[str]) -> bool:
    """Whether a failure says nothing that `first` does not: no other side, place before it, or known mistake."""
    if finding.blame and finding.blame == first.blame:
        return True
    if side_of(finding) not in (side_of(first), OPEN):
        return False
    if finding.causes and first.causes and not set(finding.causes) & set(first.causes):
        return False
    where, start = finding.first_divergence, first.first_divergence
    if where is None or start is None:
        # a gradient that is not the derivative of its own loss is wrong wherever that begins
        return finding.check == "numerical" or not finding.convicted
    return not earlier(where, start, order)


def earlier(where: Divergence, start: Divergence, order: Sequence[str]) -> bool:
    """Whether it comes before `start`, or is none of its consequences; a module that is not in `order` is not known."""
    stages = STAGES.index(where.stage), STAGES.index(start.stage)
    if where.stage == "optimizer" or stages[0] != stages[1]:
        return stages[0] < stages[1] or (where.stage == "optimizer" and start.stage != "optimizer")
    if where.stage not in ("forward", "backward") or not {where.module, start.module} <= set(order):
        return False
    apart = order.index(where.module) - order.index(start.module)
    return apart < 0 if where.stage == "forward" else apart > 0
