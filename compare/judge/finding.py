"""What is said: the verdict on a tensor, a check's finding, where a difference begins and who is wrong."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isnan

import numpy as np

from twofold.compare.errors import Status
from twofold.compare.judge.gates import LIMIT, GateMap
from twofold.scratch.module import Array


class Verdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    VACUOUS = "vacuous"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Quantity:
    """One tensor judged: `error` and `floor` are those of its worst row, `ratio` is error / floor.

    `rows_proven` counts the rows whose largest entry exceeds LIMIT floors: only those prove anything. `side` is the one
    that the comparison by itself convicts, such as the one with a NaN. What fails has its worst entry: where it lies,
    what scratch (`actual`) and the reference (`golden`) have there, and the error as a share of golden's largest entry.
    """

    name: str
    error: float
    floor: float
    ratio: float
    verdict: Verdict
    rows: int = 1
    rows_proven: int = 1
    reason: str = ""
    limit: float = LIMIT
    side: str = ""
    largest: float | None = None  # error of any row, where a smaller one is worse in floors
    entries: str = ""  # which entries differ, how many and a hash, where none may
    relative: float | None = None  # error / golden's largest entry, in the row if that proves anything
    index: tuple[int, ...] | None = None  # of the worst entry
    actual: float | None = None
    golden: float | None = None


def error_of(quantity: Quantity) -> float:
    """The largest anywhere: which row is the worst in floors hangs on the floors."""
    return quantity.error if quantity.largest is None else quantity.largest


def exactly(name: str, equal: bool, reason: str, side: str = "") -> Quantity:
    """A comparison without rounding; `reason` and `side` say what differs and by whom, dropped where nothing does."""
    if equal:
        return Quantity(name, 0.0, 0.0, 0.0, Verdict.PASS)
    return Quantity(name, float("inf"), 0.0, float("inf"), Verdict.FAIL, reason=reason, side=side)


def beside(quantity: Quantity, actual: Array, golden: Array, index: tuple[int, ...]) -> Quantity:
    """The quantity with what either side has at its worst entry."""
    values = float(actual[index]), float(golden[index])
    return replace(quantity, index=index, actual=values[0], golden=values[1])


def first_place(array: Array) -> tuple[int, ...]:
    """The index of the largest entry, the first of several: in a mask that of the first that is set."""
    return tuple(int(n) for n in np.unravel_index(int(np.argmax(array)), array.shape))


def bit_for_bit(name: str, ours: Sequence[Array], theirs: Sequence[Array], reason: str, side: str = "") -> Quantity:
    """A comparison without rounding that keeps how large the difference is, and of which entries; NaN equals NaN."""
    shapes = [[array.shape for array in arrays] for arrays in (ours, theirs)]
    if shapes[0] != shapes[1]:
        return replace(exactly(name, False, reason, side), entries="other shapes")
    unequal = flat([(a != b) & ((a == a) | (b == b)) for a, b in zip(ours, theirs, strict=True)]) != 0
    if not unequal.any():
        return exactly(name, True, "")
    with np.errstate(all="ignore"):
        largest = float(np.abs(flat(ours) - flat(theirs))[unequal].max())
    return replace(exactly(name, False, reason, side), largest=largest, entries=pattern(unequal))


def flat(arrays: Sequence[Array]) -> Array:
    return np.concatenate([np.empty(0), *(np.ravel(array) for array in arrays)])


def pattern(mask: Array) -> str:
    """How many entries, and a hash of which."""
    return f"{int(mask.sum())} of {mask.size}, {zlib.crc32(np.packbits(mask).tobytes()):08x}"


def not_finite(name: str, scratch: Array, reference: Array, strays: bool = False, where: str = "") -> Quantity | None:
    """The failure of a tensor with NaN, or with inf where the other has not the same, on either side.

    A side is convicted that alone has it; `strays` says that a re-run of the reference has.
    """
    lone = {"scratch": ~np.isfinite(scratch), "reference": ~np.isfinite(reference)}
    bad = [side for side, places in lone.items() if (places & (scratch != reference)).any()]
    if strays:
        bad = [*bad, *({"reference"} - set(bad))]
    if not bad:
        return None
    found = exactly(name, False, f"NaN or inf in {where}{' and '.join(bad)}", bad[0] if len(bad) == 1 else "")
    if (apart := lone[bad[0]] & (scratch != reference)).any():
        found = beside(found, scratch, reference, first_place(apart))
    return replace(found, entries=pattern(lone[bad[0]]))


# From the one that decides most to the one that decides least.
GRAVITY = (Verdict.FAIL, Verdict.VACUOUS, Verdict.INCONCLUSIVE, Verdict.PASS, Verdict.NOT_APPLICABLE)


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that decides; nothing at all proves nothing: vacuous."""
    return min(verdicts, key=GRAVITY.index, default=Verdict.VACUOUS)


def status_of(verdicts: Iterable[Verdict]) -> Status:
    """What a command ends with that gave these: only what fails is a difference, and only what passes is proven."""
    found = set(verdicts)
    if Verdict.FAIL in found:
        return Status.DIFFERENT
    return Status.DONE if found == {Verdict.PASS} else Status.NOTHING_PROVEN


def worst(quantities: Iterable[Quantity]) -> Quantity | None:
    """The quantity of the gravest verdict with the largest ratio."""
    return min(quantities, key=lambda q: (GRAVITY.index(q.verdict), -q.ratio), default=None)


def worst_by_name(rounds: Iterable[tuple[str, Sequence[Quantity]]]) -> list[Quantity]:
    """Of every name the worst quantity over labelled rounds; a failure says in which round.

    Its `entries` are those of all rounds that keep them.
    """
    kept: dict[str, Quantity] = {}
    entries: dict[str, list[str]] = {}
    for label, quantities in rounds:
        for quantity in quantities:
            if quantity.verdict is Verdict.FAIL:
                entries.setdefault(quantity.name, []).extend(
                    [f"{label}: {quantity.entries}"] if quantity.entries else []
                )
                quantity = replace(quantity, reason=f"{label}: {quantity.reason}")
            kept[quantity.name] = graver(kept.get(quantity.name), quantity)
    return [replace(q, entries=digest(told)) if (told := entries.get(q.name)) else q for q in kept.values()]


def graver(one: Quantity | None, other: Quantity) -> Quantity:
    """Of two that fail the first, unless the other's error is larger by a tenth.

    By floors it would be now one, now the other, and so it would between two errors that rounding alone tells apart:
    both are other ones on another machine.
    """
    if one is None:
        return other
    if one.verdict is other.verdict is Verdict.FAIL:
        return other if isnan(other.error) > isnan(one.error) or other.error > 1.1 * one.error else one
    return worst(_proof_first([one, other])) or other


def digest(told: Sequence[str]) -> str:
    """How many rounds, and a hash of what each says."""
    return f"{len(told)} rounds, {zlib.crc32(' '.join(told).encode()):08x}"


def _proof_first(rivals: list[Quantity]) -> list[Quantity]:
    """One round that proves a tensor is enough: a vacuous one beside a pass does not count."""
    proven = [q for q in rivals if q.verdict is not Verdict.VACUOUS]
    return proven or rivals


@dataclass(frozen=True)
class Divergence:
    """The first that differs: the stage (forward, backward, loss, optimizer, update), its module, the step from 1.

    Stage train_step: a step by forward and backward agrees, and the same as training takes it does not.
    """

    stage: str
    module: str
    step: int | None = None
    tensor: str | None = None
    evaluating: bool = False


@dataclass(frozen=True)
class Spot:
    """The line of scratch with which a difference begins, and what torch has in its place.

    `name` is what it binds that torch has not, `when` which of the times that it ran, `agree` what it reads that torch
    has.
    """

    file: str  # from the folder that holds scratch
    line: int
    text: str
    name: str = ""
    when: str = ""
    agree: tuple[str, ...] = ()
    reference: str = ""
    first: int = 0  # the line of what differs first, where another is meant
    edit: str = ""  # a small edit of the line with which all comparisons agree, if one was found

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Blame:
    """scratch, reference, conventions, pair (wrong as it stands) or inconclusive, and the evidence in one sentence."""

    side: str
    reason: str


@dataclass(frozen=True)
class Finding:
    """One check's result: what it judged, and once it is diagnosed where a failure begins, who is wrong and why.

    `error` is what a side raised, until the diagnosis has read it.
    """

    check: str
    verdict: Verdict
    quantities: tuple[Quantity, ...] = ()
    reason: str = ""
    error: Exception | None = None
    first_divergence: Divergence | None = None
    blame: Blame | None = None
    gates: GateMap | None = None  # of the recurrent layer that differs first
    probable_cause: str = ""
    causes: tuple[str, ...] = ()  # planted faults that look the same, by id
    spot: Spot | None = None  # the line of scratch's with which it begins

    @property
    def worst(self) -> Quantity | None:
        return worst(self.quantities)

    @property
    def convicted(self) -> str:
        """The one side that what was compared convicts by itself, if any."""
        sides = {q.side for q in self.quantities if q.verdict is Verdict.FAIL} & {"scratch", "reference"}
        return sides.pop() if len(sides) == 1 else ""


def on(device: str, quantity: Quantity) -> Quantity:
    """What was judged of the reference's own run on a device: it is convicted by what fails.

    That nothing is proven of a tensor the checks of scratch say.
    """
    if quantity.verdict is Verdict.VACUOUS:
        return replace(quantity, verdict=Verdict.NOT_APPLICABLE)
    if quantity.verdict is not Verdict.FAIL:
        return quantity
    told = quantity.reason.replace("reference", "float64 on the CPU").replace("scratch", device)
    apart = f"{quantity.ratio:.2g} floors from the CPU's; " if np.isfinite(quantity.ratio) else ""
    return replace(quantity, side="reference", reason=f"the reference is wrong on {device}: {apart}{told}")


def failures(quantities: Iterable[Quantity]) -> set[str]:
    return {quantity.name for quantity in quantities if quantity.verdict is Verdict.FAIL}


def raised(error: Exception) -> str:
    """What was raised and by which line, in one line."""
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    place = f" at {frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}" if frame else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"
