"""A pair's modules: each figure stands at its module, and where the difference begins is open."""

import re
from dataclasses import replace
from html import unescape
from math import inf

import pytest

from tests.report.reports import KINDS, green, lstm, passing, raises, trial
from tests.report.test_page import of, undrawn
from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import Blame, Divergence, Finding, Quantity, Verdict
from twofold.compare.report.page.spine import Row, bar, share, spine
from twofold.compare.report.pair import PairReport

__all__ = ["undrawn"]
LAYERS = {
    "": "Net",
    "body": "Sequential",
    "body.fc": "Linear",
    "body.act": "ReLU",
    "loss": "MSELoss",
    "optimizer": "SGD",
}


def net(*findings: Finding) -> PairReport:
    """Of these findings alone, in one trial."""
    whole = green("net")
    result = Result("net", "float64", "cpu", 0.1, findings)
    return replace(whole, about=replace(whole.about, layers=LAYERS), results=[result], full_size="not taken")


def found(check: str, **ratios: float) -> Finding:
    """Quantities by name, `__` for a dot; beyond the limit they fail."""
    told = [
        Quantity(
            name.replace("__", "."), r * 1e-16, 1e-16, r, Verdict.FAIL if r > 8 else Verdict.PASS, relative=r / 1e9
        )
        for name, r in ratios.items()
    ]
    verdict = Verdict.FAIL if any(r > 8 for r in ratios.values()) else Verdict.PASS
    return Finding(check, verdict, tuple(told))


def rows(report: PairReport) -> dict[str, Row]:
    return {row.path: row for row in spine(report).rows}


PLACES = {
    "forward": ({"body": 1, "body__fc": 2, "body__act": 3}, ["body", "body.fc", "body.act"]),
    "gradient": ({"body__fc__weight": 2, "scale": 1}, ["body.fc", ""]),
    "grad_output": ({"body__act": 2, "body__other": 1}, ["body.act", "body"]),
    "loss": ({"loss": 1}, ["loss"]),
    "optimizer": ({"body__fc__weight": 1}, ["optimizer"]),
}


@pytest.mark.parametrize("check", PLACES)
def test_a_tensor_stands_at_its_module(check: str) -> None:
    ratios, places = PLACES[check]
    told = rows(net(found(check, **ratios)))
    for ratio, place in zip(ratios.values(), places, strict=True):
        row = told[place]
        one = row.down if check in ("forward", "loss") else row.up
        assert one and one.text == f"{ratio:.1f}"
    assert [path for path, row in told.items() if not row.figures] == [path for path in LAYERS if path not in places]


def test_calls_and_parts_of_an_output_are_the_modules() -> None:
    told = Finding(
        "forward", Verdict.PASS, tuple(Quantity(n, 1, 1, 1, Verdict.PASS) for n in ("body.fc#1", "body.fc[0]"))
    )
    assert len(rows(net(told))["body.fc"].figures) == 2


def test_what_the_loss_sends_back_is_no_forward_figure() -> None:
    told = Finding("loss", Verdict.PASS, (Quantity("gradient of the output", 1, 1, 1, Verdict.PASS),))
    row = rows(net(told))["loss"]
    assert row.up and not row.down


def test_of_several_trials_the_worst_is_told() -> None:
    report = net(found("gradient", body__fc__weight=2))
    more = replace(report.results[0], dtype="float32", findings=(found("gradient", body__fc__weight=5),))
    row = rows(replace(report, results=[*report.results, more]))["body.fc"]
    assert [(one.trial, one.ratio) for one in row.figures] == [("float32", 5)]


FIRST = {
    "where the difference begins": (
        [replace(found("gradient", body__fc__weight=99), first_divergence=Divergence("backward", "body.fc"))],
        "body.fc",
    ),
    "the first output": ([found("forward", body__fc=99, body__act=99)], "body.fc"),
    "the last gradient": ([found("grad_output", body__act=99, body=99)], "body.act"),
    "an output before a gradient": ([found("grad_output", body__act=99), found("forward", body__fc=99)], "body.fc"),
    "another check alone": ([found("chunks", body__fc__weight=99)], "body.fc"),
    "the optimizer": ([found("optimizer", body__fc__weight=99)], "optimizer"),
    "none": ([found("forward", body__fc=7)], None),
}


@pytest.mark.parametrize("what", FIRST)
def test_the_first_red_one_is_open_and_no_other(what: str) -> None:
    findings, path = FIRST[what]
    report = net(*findings)
    assert [row.path for row in spine(report).rows if row.open] == ([] if path is None else [path])
    assert of(report).count('<details class="module" open>') == (path is not None)


def test_another_check_that_fails_is_named_at_the_module() -> None:
    row = rows(net(found("forward", body__fc=1), found("chunks", body__fc__weight=99)))["body.fc"]
    assert row.others == ["chunks"] and row.red and row.down and row.down.verdict is Verdict.PASS


def test_of_other_checks_the_worst_are_told_and_the_rest_is_counted() -> None:
    others = [found(check, body__fc__weight=90 + n, body__fc__bias=80) for n, check in enumerate(("sizes", "chunks"))]
    many = [*others, found("modes", **{f"body__fc__w{n}": 50.0 for n in range(4)})]
    row = rows(net(found("gradient", body__fc__weight=99), *many))["body.fc"]
    assert [(f.check, f.ratio) for f in row.figures][:3] == [("gradient", 99), ("chunks", 91), ("sizes", 90)]
    assert (len(row.figures), row.more, row.others) == (7, 2, ["chunks", "sizes", "modes"])
    text = of(net(found("gradient", body__fc__weight=99), *many))
    assert "And 2 more of other checks: chunks, sizes, modes." in text
    assert "✗ chunks" not in text and "✗ chunks" in of(net(*many))  # a bar that is red says enough


def test_what_is_raised_stands_at_its_module() -> None:
    row = {row.path: row for row in spine(raises()).rows}["fc"]
    assert row.raised.startswith("ValueError") and not row.down
    where, blame = Divergence("forward", "nowhere"), Blame("scratch", "it alone raises")
    lost = Finding("forward", Verdict.FAIL, reason="no", first_divergence=where, blame=blame)
    assert not any(row.raised for row in spine(net(lost)).rows)


def test_bars_are_even_on_a_log_scale() -> None:
    assert [share(ratio, 1e4) for ratio in (0.0, 0.01, 0.1, 1, 10, 1e4, inf)] == [
        "0%", "0%", "17%", "33%", "50%", "100%", "100%",
    ]  # fmt: skip
    assert spine(lstm()).largest == "1e15" and spine(green()).largest == "80"
    assert bar([], 80) is None


TEXTS = {
    "within": (Quantity("q", 1, 1, 0.25, Verdict.PASS), "0.2"),
    "beyond": (Quantity("q", 1, 1, 1e6, Verdict.FAIL), "✗ 1e6"),
    "without bound": (Quantity("q", inf, 0, inf, Verdict.FAIL), "✗ ∞"),
    "equal": (Quantity("q", 0, 0, 0, Verdict.PASS), "✓"),
    "unproven": (Quantity("q", 0, 1, 0, Verdict.VACUOUS), "∅ 0.0"),
}


@pytest.mark.parametrize("what", TEXTS)
def test_a_figure_is_read_without_its_colour(what: str) -> None:
    quantity, text = TEXTS[what]
    row = rows(net(Finding("forward", quantity.verdict, (replace(quantity, name="body"),))))["body"]
    told = bar(row.figures, 80)
    assert told and told.text == text


def test_the_fold_has_the_tensors_gradients_first() -> None:
    text = of(net(found("forward", body__fc=1), found("gradient", body__fc__weight=99, body__fc__bias=3)))
    fold = text[text.index('<details class="module" open>') :].partition("</details>")[0]
    table = [unescape(re.sub(r"<[^>]*>", " ", row)).split() for row in fold.split("<tr>")[2:]]
    assert [row[0] for row in table] == ["body.fc.weight", "body.fc.bias", "body.fc"]
    assert (table[0][1:3], table[0][-3:]) == (["9.9e-08", "99"], ["gradient", "fail", "float64"])


def test_a_module_without_a_figure_says_so() -> None:
    text = of(net(found("forward", body__fc=1)))
    assert text.count("no figure of its own") == len(LAYERS) - 1


def test_every_pair_has_its_modules() -> None:
    text = of(*KINDS.values())
    assert text.count("<h3>Its modules</h3>") == sum(not report.stopped for report in KINDS.values())
    assert trial("a", "float64", passing("forward", 1.0)).passed
