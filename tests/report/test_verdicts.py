"""What `check` says of a pair that does not pass: at most twelve lines, the verdict first, nothing twice."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.judge.planting import plant
from tests.judge.verdicts import Net, against, net
from twofold import scratch
from twofold.compare.commands.check import status as status_of_check
from twofold.compare.faults import FAULTS
from twofold.compare.faults.suspects import suspects
from twofold.compare.judge.battery import DTYPES, Result, run
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.diagnosis import arbiter, gradients, slopes
from twofold.compare.judge.evidence.floor import judge
from twofold.compare.judge.finding import Blame, Divergence, Finding, Quantity, Verdict
from twofold.compare.pair import Case
from twofold.compare.pairs import PAIRS
from twofold.compare.report.console import print_check
from twofold.compare.report.results import as_json
from twofold.compare.report.telling.verdicts import told
from twofold.compare.screen import Screen

HERE = __name__
pytestmark = pytest.mark.xdist_group("verdicts")  # what is measured is measured once
QUICK = [
    CHECKS_BY_NAME[name] for name in ("forward", "gradient", "grad_output", "chunks", "strides", "numerical", "twice")
]


class Other(Net):
    """A tanh of another shape."""

    def __init__(self) -> None:
        super().__init__()
        self.tanh = nn.Hardtanh()


class Noisy(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * (1 + 1e-3 * torch.randn(()))


@contextmanager
def fault(name: str) -> Iterator[None]:
    with next(fault for fault in FAULTS if fault.id == name).planted():
        yield


@contextmanager
def scaled(by: float) -> Iterator[None]:
    """Of every linear layer's way back, where no longdouble is there to settle it."""
    right = scratch.Linear.backward
    with pytest.MonkeyPatch.context() as patch:
        for module in (arbiter, gradients, slopes):
            patch.setattr(module, "WIDE", "float64")
        patch.setattr(scratch.Linear, "backward", lambda self, dout: right(self, dout) * by)
        yield


@contextmanager
def in_single() -> Iterator[None]:
    """The one that float32 alone does not show."""
    with pytest.MonkeyPatch.context() as patch:
        plant(patch, scratch.Tanh, "backward", "(1 - out * out)", "(1 - out * out) * dout.dtype.type(1 + 1e-9)")
        yield


@dataclass(frozen=True)
class Wrong:
    """A fault, and how its verdict begins."""

    verdict: str
    case: Callable[[], Case]
    planted: Callable[[], Any] = nullcontext
    dtypes: tuple[str, ...] = DTYPES
    whole: bool = False  # by every check, and suspects


def screen(width: int) -> Screen:
    found = Screen()
    found.width = width
    return found


def pair(name: str) -> Callable[[], Case]:
    return lambda: PAIRS[name].case()


WRONG = {
    "scratch": Wrong(
        "catcar-mlp: not the same: scratch is wrong, in tanh2 (backward)",
        pair("catcar-mlp"),
        lambda: fault("tanh-not-squared"),
        whole=True,
    ),
    "scratch, gates": Wrong(
        "activity-lstm: not the same: scratch is wrong, in recurrent (backward), "
        "gate f from t = 6 down to t = 0; i, g and o follow at t = 5",
        pair("activity-lstm"),
        lambda: fault("lstm-cell-of-the-step"),
    ),
    "scratch, an update": Wrong(
        "catcar-mlp: not the same: scratch is wrong, in fc1.weight (optimizer, step 1)",
        pair("catcar-mlp"),
        lambda: fault("sgd-ascends"),
        whole=True,
    ),
    "one precision": Wrong(
        "catcar-mlp in float64: not the same: scratch is wrong, in tanh2 (backward)", pair("catcar-mlp"), in_single
    ),
    "reference": Wrong("net: not the same: the reference is wrong, in net (backward)", lambda: net("half")),
    "conventions": Wrong(
        "net: not the same: the conventions differ, in tanh (forward)", lambda: against(f"{HERE}:Other")
    ),
    "open": Wrong(
        "net: not the same: who is wrong is open, in fc2 (backward)",
        lambda: net("none"),
        lambda: scaled(1 + 3e-14),
        ("float64",),
    ),
    "scratch, by itself": Wrong(
        "mnist-cnn: not the same: scratch is wrong, found by twice",
        pair("mnist-cnn"),
        lambda: fault("bias-gradient-overwritten"),
    ),
    "pair": Wrong(
        "catcar-mlp: not judged: the pair is wrong",
        lambda: replace(PAIRS["catcar-mlp"], optimizer=PAIRS["catcar-mlp"].optimizer.given(fused=False)).case(),
        whole=True,
    ),
    "raises": Wrong(
        "catcar-mlp: not the same: scratch is wrong, in tanh2 (backward)", pair("catcar-mlp"), lambda: fault_raising()
    ),
    "not settled": Wrong("net: not settled in 6 of 7 checks", lambda: against(f"{HERE}:Noisy")),
}


@contextmanager
def fault_raising() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        head = "def backward(self, dout: np.ndarray) -> np.ndarray:"
        raising = f'{head}\n    raise ValueError("no slope")'.replace("np.ndarray", "Array")
        plant(patch, scratch.Tanh, "backward", head.replace("np.ndarray", "Array"), raising)
        yield


@cache
def results(name: str) -> list[Result]:
    wrong = WRONG[name]
    more: dict[str, Any] = {"suspects": suspects} if wrong.whole else {"checks": QUICK}
    with wrong.planted():
        return [run(wrong.case(), dtype, **more) for dtype in wrong.dtypes]


every = pytest.mark.parametrize("name", WRONG)


@every
def test_the_verdict_comes_first_and_few_lines_follow(name: str) -> None:
    first, *rest = told(results(name))
    assert first.startswith(WRONG[name].verdict), first
    assert 1 <= len(rest) <= 11 and all(re.match(r"  \S", line) for line in rest)
    assert len(set(rest)) == len(rest)
    assert not any(line.endswith(("line", "lines")) for line in rest), "there is room for these"


@every
def test_a_line_has_a_number_or_a_place(name: str) -> None:
    places = {q.name for result in results(name) for f in result.findings for q in f.quantities}
    places |= {f.first_divergence.module for r in results(name) for f in r.findings if f.first_divergence}
    for line in told(results(name))[1:]:
        assert re.search(r"\d", line) or any(place in line for place in places), line


@every
def test_the_cause_is_told_once(name: str) -> None:
    causes = {f.probable_cause for result in results(name) for f in result.findings} - {""}
    lines = told(results(name))
    assert sum(re.match("  cause ", line) is not None for line in lines) == (1 if causes else 0)
    assert all(sum(cause in line for line in lines) <= 1 for cause in causes)


@every
def test_who_is_told_once(name: str) -> None:
    """What a comparison says by itself stands beside it."""
    findings = [finding for result in results(name) for finding in result.findings]
    blamed = {f.blame.reason for f in findings if f.blame} - {q.reason for f in findings for q in f.quantities}
    lines = told(results(name))
    assert sum(any(reason in line for reason in blamed) for line in lines) <= 1
    assert sum(line.startswith("  who ") for line in lines) == any(finding.blame for finding in findings)


@every
def test_keys_are_aligned(name: str) -> None:
    lines = told(results(name))[1:]
    width = max(len(re.match(r"  (\S.*?)  ", f"{line}  ").group(1)) for line in lines)  # type: ignore[union-attr]
    assert all(line[2 + width : 4 + width] == "  " and line[4 + width] != " " for line in lines), lines


@pytest.mark.parametrize("name", ["scratch", "scratch, gates", "scratch, an update", "reference", "conventions"])
def test_the_share_comes_before_floors_and_value_stands_beside_value(name: str) -> None:
    """Of the numbers that were measured: the share of the row's largest entry, and both sides at the worst one."""
    lines = told(results(name))
    measured = r"off by [\d.e+-]+ (%|times), [\d.e+]+ floors, limit 8; .*scratch \S+, reference \S+ at \[[\d, ]+\]"
    assert re.search(measured, lines[1]), lines[1]
    assert sum("floors" in line for line in lines) >= 1


def test_values_have_the_digits_that_tell_them_apart() -> None:
    """Of one part in a billion nine would be the same."""
    line = told(results("one precision"))[1]
    ours, theirs = re.search(r"scratch (\S+), reference (\S+) at", line).groups()  # type: ignore[union-attr]
    assert ours != theirs and ours[:8] == theirs[:8]


def test_both_dtypes_are_one() -> None:
    float64, float32 = results("scratch")
    together = told([float64, float32])
    assert together[0].startswith("catcar-mlp: ") and "(float64)" in together[1]
    assert told([float64])[0] == together[0]
    assert told([float64])[1] == together[1].removesuffix(" (float64)")


@pytest.mark.parametrize(
    ("float64", "float32", "blocks", "cause"),
    [
        ("residual is 0.001 x the input", "residual is 0.00100004 x the input", 1, "residual is 0.001 x the input"),
        ("residual is 0.001 x the input", "residual is 0.002 x the input", 2, "residual is 0.001 x the input"),
        ("all zero", "equal after transposition", 2, "all zero, in tanh2"),
        ("all zero; as by a: b", "as by a: b", 1, "all zero; as by a: b, in tanh2"),
        ("", "all zero", 1, "all zero, in tanh2"),
        ("all zero", "", 1, "all zero, in tanh2"),
    ],
)
def test_causes_that_agree_are_one(float64: str, float32: str, blocks: int, cause: str) -> None:
    """Numbers may differ by rounding, and one trial may know more than the other."""
    found = [
        trial(replace(HEAD, probable_cause=cause), dtype=dtype)
        for cause, dtype in ((float64, "float64"), (float32, "float32"))
    ]
    lines = told(found)
    assert sum(not line.startswith("  ") for line in lines) == blocks
    assert next(line.split(maxsplit=1)[1] for line in lines if line.startswith("  cause")) == cause


def test_a_trial_that_passes_is_not_meant() -> None:
    float64, float32 = results("one precision")
    assert float32.passed and told([float32]) == []
    assert told([float64])[0].startswith("catcar-mlp: not the same")


def test_what_follows_is_counted() -> None:
    follows = next(line for line in told(results("scratch")) if line.startswith("  follows"))
    failed = {f.check for result in results("scratch") for f in result.findings if f.verdict is Verdict.FAIL}
    assert follows.split(": ")[1].split(", ") == [
        "grad_output", "sizes", "chunks", "strides", "numerical", "modes", "resync", "curve"
    ]  # fmt: skip
    assert failed == {"gradient", *follows.split(": ")[1].split(", ")}
    assert follows.split(maxsplit=1)[1].startswith("8 checks follow from it: ")


def test_the_last_line_is_the_summary() -> None:
    console, wrong = screen(80), [replace(result, pair="other") for result in results("pair")]
    with console.capture() as captured:
        status = status_of_check(print_check(console, [*results("scratch"), *wrong]))
    _, told_of = captured.get().rsplit("\n\n", 1)
    lines = told_of.splitlines()
    assert status == 2 and lines[-1].startswith("0 of 4 trials agree; ")
    assert lines[:-1] == [*told(results("scratch")), *told(wrong)]
    assert not re.search(r"\x1b|\[/", told_of)


def test_json_has_what_is_printed() -> None:
    float64, _ = results("scratch")
    (check,) = (c for c in as_json([float64])["results"][0]["checks"] if c["check"] == "gradient")
    failing = {q["name"]: q for q in check["quantities"] if q["verdict"] == "fail"}
    worst = failing["fc1.weight"]
    assert len(worst["index"]) == 2 and abs(worst["actual"] - worst["golden"]) == pytest.approx(worst["error"])
    assert f"off by {100 * worst['relative']:.3g} %" in told([float64])[1]
    passing = next(
        q for c in as_json([float64])["results"][0]["checks"] for q in c["quantities"] if q["verdict"] == "pass"
    )
    assert passing["index"] is passing["actual"] is passing["relative"] is None


# The worst entry


@pytest.mark.parametrize(
    ("shape", "axis", "index"),
    [((), 0, ()), ((7,), 0, (3,)), ((5, 4), 0, (2, 1)), ((3, 5, 4), 1, (2, 4, 0)), ((3, 5, 4), 0, (1, 0, 3))],
)
def test_where_the_worst_entry_lies(shape: tuple[int, ...], axis: int, index: tuple[int, ...]) -> None:
    golden = np.asarray(1 + np.arange(np.prod(shape, dtype=int), dtype=float).reshape(shape))
    actual = golden.copy()
    actual[index] *= 1.5
    found = judge("x", actual, golden, None, "float64", axis)
    assert (found.index, found.actual, found.golden) == (index, 1.5 * golden[index], golden[index])
    row = golden if golden.ndim < 2 else golden.take(index[axis], axis)
    assert found.relative == pytest.approx(0.5 * golden[index] / row.max())


def test_a_row_that_proves_nothing_is_measured_by_its_tensor() -> None:
    golden = np.array([[0.0, 0.0], [4.0, 2.0]])
    found = judge("x", golden + [[1.0, 0.0], [0.0, 0.0]], golden, None, "float64")
    assert (found.relative, found.index) == (0.25, (0, 0))
    assert judge("x", golden + 1, 0 * golden, None, "float64").relative is None


@pytest.mark.parametrize(("bad", "index"), [(np.nan, (1, 0)), (np.inf, (1, 0))])
def test_where_the_first_nan_lies(bad: float, index: tuple[int, int]) -> None:
    golden = np.ones((2, 3))
    actual = golden.copy()
    actual[1] = bad
    found = judge("x", actual, golden, None, "float64")
    assert (found.index, found.golden) == (index, 1.0) and str(found.actual) == str(bad)


# What follows from what, by hand


BACK = Divergence("backward", "tanh2")
ORDER = ("fc1", "tanh1", "fc2", "tanh2")


def fails(
    check: str,
    where: Divergence | None = None,
    side: str = "scratch",
    reason: str = "of its own",
    causes: tuple[str, ...] = (),
    convicts: str = "",
) -> Finding:
    bad = Quantity(f"of {check}", 0.5, 0.1, 5e9, Verdict.FAIL, reason="row 1 of 2", relative=0.5, side=convicts)
    return Finding(
        check, Verdict.FAIL, (bad,), "", None, where, Blame(side, f"{check}: {reason}"), None, "; ".join(causes), causes
    )


def trial(*findings: Finding, dtype: str = "float64", device: str = "cpu") -> Result:
    outputs = Finding("forward", Verdict.PASS, tuple(Quantity(name, 0, 1, 0, Verdict.PASS) for name in ORDER))
    listed = [] if any(finding.check == "forward" for finding in findings) else [outputs]
    return Result("mine", dtype, device, 1.0, (*listed, *findings))


HEAD = fails("gradient", BACK, causes=("known",))
FOLLOWING = {
    "the same place": fails("chunks", BACK),
    "later on the way back": fails("sizes", Divergence("backward", "fc1")),
    "in a step of training": fails("resync", Divergence("backward", "tanh2", 3)),
    "an update": fails("resync", Divergence("update", "fc1", 1, "fc1.weight")),
    "in evaluation mode": fails("modes", replace(BACK, evaluating=True)),
    "who is open": fails("curve", None, "inconclusive"),
    "not the derivative of its own": fails("numerical", None, convicts="scratch"),
    "the same known mistake": fails("strides", BACK, causes=("known", "another")),
    "told by the same": Finding("twice", Verdict.FAIL, blame=HEAD.blame),
}
OWN = {
    "another side": fails("strides", BACK, "reference"),
    "another known mistake": fails("strides", BACK, causes=("another",)),
    "an earlier place on the way back": fails("sizes", Divergence("backward", "loss")),
    "an earlier module": fails("sizes", Divergence("forward", "tanh2")),
    "it writes over memory": fails("twice", None, convicts="scratch"),
    "an optimizer, given equal gradients": fails("optimizer", Divergence("optimizer", "fc1", 1, "fc1.weight")),
}


@pytest.mark.parametrize("what", FOLLOWING)
def test_what_says_nothing_of_its_own_follows(what: str) -> None:
    finding = FOLLOWING[what]
    lines = told([trial(HEAD, finding)])
    assert lines[-1].split(maxsplit=1) == ["follows", f"1 check follows from it: {finding.check}"]
    assert not any(line.startswith(f"  {finding.check} ") for line in lines)


@pytest.mark.parametrize("what", OWN)
def test_what_convicts_by_itself_has_a_line(what: str) -> None:
    finding = OWN[what]
    order = [HEAD, finding]
    lines = told([trial(*order)])
    assert not any("follow" in line for line in lines)
    assert any(line.startswith(f"  {finding.check} ") for line in lines), lines


def test_one_cause_of_two_sides_is_told_once() -> None:
    lines = told([trial(HEAD, fails("strides", BACK, "reference", causes=("known",)))])
    assert sum("known" in line for line in lines) == 1 and any(line.startswith("  strides ") for line in lines)


def test_what_follows_another_is_counted_there() -> None:
    own = fails("optimizer", Divergence("optimizer", "fc1", 1, "fc1.weight"), "reference")
    lines = told([trial(HEAD, own, replace(own, check="curve"))])
    assert any(re.match("  optimizer .*; 1 follows: curve$", line) for line in lines), lines


def test_of_much_as_much_as_there_is_room_for() -> None:
    """Twenty tensors, and ten checks of their own: the rest is counted."""
    bad = tuple(replace(HEAD.quantities[0], name=f"fc{n}.weight", ratio=100.0 - n) for n in range(20))
    others = [fails(f"check {n}", None, "scratch", f"because of {n}", convicts="scratch") for n in range(10)]
    lines = told([trial(replace(HEAD, quantities=bad), *others)])
    assert len(lines) == 12
    assert lines[1].startswith("  fc0.weight") and lines[-1].split() == ["more", "17", "tensors,", "5", "checks"]


def test_each_of_four_trials_that_disagree_has_its_lines_and_twelve_are_all() -> None:
    found = [
        trial(fails(f"gradient of {side}", BACK, side), fails("curve", BACK, side), dtype=dtype, device=device)
        for (dtype, device), side in zip(
            [(dtype, device) for device in ("cpu", "cuda") for dtype in DTYPES],
            ("scratch", "reference", "conventions", "inconclusive"),
            strict=True,
        )
    ]
    lines = told(found)
    assert len(lines) == 12
    assert [line for line in lines if not line.startswith("  ")] == [
        "mine in float64: not the same: scratch is wrong, in tanh2 (backward)",
        "mine in float32: not the same: the reference is wrong, in tanh2 (backward)",
        "mine in float64 on cuda: not the same: the conventions differ, in tanh2 (backward)",
        "mine in float32 on cuda: not the same: who is wrong is open, in tanh2 (backward)",
    ]


def test_no_line_is_told_again_in_another_dtype() -> None:
    later = fails("gradient", Divergence("backward", "fc1"), causes=("known",))
    lines = told([trial(HEAD), trial(later, dtype="float32")])
    assert len(set(lines)) == len(lines)
    assert sum("cause" in line for line in lines) == 1 and sum(not line.startswith("  ") for line in lines) == 2


@pytest.mark.parametrize("verdict", [Verdict.VACUOUS, Verdict.INCONCLUSIVE])
def test_what_proves_or_settles_nothing_is_told_once_with_its_reason(verdict: Verdict) -> None:
    unsure = [Finding(check, verdict, reason="it is too small") for check in ("twice", "modes")]
    lines = told([trial(HEAD, *unsure), trial(HEAD, *unsure, dtype="float32")])
    (line,) = (line for line in lines if "too small" in line)
    assert line.split(maxsplit=1) == [str(verdict), "2 checks, twice, modes: it is too small"]


def test_a_trial_in_which_nothing_fails_and_not_all_is_proven() -> None:
    vacuous = Finding("sizes", Verdict.VACUOUS, (Quantity("fc1", 0, 1, 0, Verdict.VACUOUS, reason="it is empty"),))
    assert told([trial(vacuous)]) == [
        "mine: nothing is proven in 1 of 2 checks",
        "  vacuous  sizes: fc1 it is empty",
    ]
