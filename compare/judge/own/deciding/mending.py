"""Which small edit of a suspected line makes all comparisons agree: tried in memory, on every draw, mode and dtype."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from twofold.compare.judge.evidence.floor import farther, sure
from twofold.compare.judge.evidence.trial import MORE_RERUNS, RERUNS
from twofold.compare.judge.finding import Verdict
from twofold.compare.judge.own.contract import as_integers, first_call, kept_parameters, repeats
from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors
from twofold.compare.judge.own.meeting.preparing import enter_mode
from twofold.compare.judge.own.record import Compared, Record
from twofold.compare.watch.edits.searching import RUNS, SECONDS, Mended, numbers_among, search

ROUGHLY = 1e-3  # of a tensor's largest entry: what lies farther off is not judged at all


def mended(
    record: Record,
    failing: Compared,
    lines: Sequence[tuple[str, int]],
    seconds: float = SECONDS,
    runs: int = RUNS,
) -> Mended | None:
    """The first edit of these lines under which nothing fails, on the failing draw and then on all others.

    The lines (file, line) come in order of suspicion. None where none is found within so many runs and seconds.
    """
    others = [one for one in record.compared if one is not failing]
    trials = [Trial(record, one) for one in (failing, *others)]

    def agrees() -> int | None:
        total = 0
        for trial in trials:
            count = trial.agreeing()
            if count is None:
                return None
            total += count
        return total if keeps_its_contract(record) else None

    return search(lines, agrees, numbers_of(record.bout), runs, seconds)


def keeps_its_contract(record: Record) -> bool:
    """Whether the edited code writes to nothing that it is given, and repeats itself, as the code before it did."""
    bout, draws = record.bout, list({id(one.one): one.one for one in record.compared}.values())
    one, other = fresh(draws[0]), fresh(draws[1]) if len(draws) > 1 else None
    raw, breach = first_call(bout, one, "float64")
    if raw is None or breach is not None or kept_parameters(bout, one, raw):
        return False
    return repeats(bout, one, other, raw) is None and as_integers(bout, one, bout.of_raw(raw)) is None


class Trial:
    """One comparison made again with the code as it is now; what the reference gives is kept."""

    def __init__(self, record: Record, before: Compared) -> None:
        self.record, self.before, self.bout = record, before, record.bout
        self.kind = "float32" if before.coarse else before.dtype
        self.left = {name for name, q in before.quantities.items() if q.verdict is Verdict.NOT_APPLICABLE}
        self.needed = set(before.quantities) - self.left
        self.strayed: Tensors | None = None

    def agreeing(self) -> int | None:
        """How many tensors agree; None where one fails, is missing, or where nothing is proved any more."""
        with in_mode(self.record, self.before.training):
            actual = self.bout.of_raw(self.bout.call(fresh(self.before.one), self.before.dtype))
            if not self.needed <= set(actual) or not self.is_near(actual):
                return None
            actual = {name: value for name, value in actual.items() if name not in self.left}
            found = self.bout.judged(actual, self.before.golden, self.strayed or {}, self.kind)
            if self.strayed is None and not sure(found.values()):
                self.strayed = self.rerun()
                found = self.bout.judged(actual, self.before.golden, self.strayed, self.kind)
        if any(quantity.verdict is Verdict.FAIL for quantity in found.values()):
            return None
        return sum(quantity.verdict is Verdict.PASS for quantity in found.values()) or None

    def is_near(self, actual: Tensors) -> bool:
        """Whether it is worth judging: of every tensor shape and numbers are roughly the reference's."""
        for name in self.needed & set(self.before.golden):
            value, golden = actual[name], self.before.golden[name]
            if value.shape != golden.shape:
                return False
            finite = np.isfinite(golden)
            with np.errstate(all="ignore"):
                apart = np.abs(value.astype(float) - golden)[finite]
                if not (apart <= ROUGHLY * np.abs(golden[finite]).max(initial=0)).all() and self.kind == "float64":
                    return False
        return True

    def rerun(self) -> Tensors:
        """How far the reference strays when everything in it moves."""
        one, golden = self.before.one, self.before.golden
        first = self.bout.strayed(one, self.kind, golden, range(RERUNS))
        return farther(first, self.bout.strayed(one, self.kind, golden, range(RERUNS, RERUNS + MORE_RERUNS)))


@contextmanager
def in_mode(record: Record, training: bool | None) -> Iterator[None]:
    """While it lasts both sides are in the mode of a comparison."""
    bout = record.bout
    before = bout.training, bout.foreign.enter
    if training is not None:
        enter_mode(bout, record.call, training)
    try:
        yield
    finally:
        bout.training, bout.foreign.enter = before


def fresh(one: Draw) -> Draw:
    """The draw with data of its own: an edit may write to what it is given."""
    return replace(one, data=tuple(np.array(a) if isinstance(a, np.ndarray) else a for a in one.data))


def numbers_of(bout: Bout) -> tuple[float, ...]:
    """Those of the reference's modules, and of its loss."""
    parts = (part for module in bout.reference.modules.values() for part in module.modules())
    return numbers_among([*parts, bout.reference.criterion])
