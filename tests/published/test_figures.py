"""The published figures: how two numbers are compared, on what basis, and what is told of it."""

import json

import numpy as np
import pytest

from twofold.compare.commands.reproduce import as_json, beginnings, summary
from twofold.compare.published.figure import Basis, Curves, Entry, Figure, Series
from twofold.compare.published.judge import judged_series
from twofold.compare.published.judge import unavailable as not_computed
from twofold.compare.published.printed import Form
from twofold.compare.published.table import runs
from twofold.compare.published.training import accuracies

PRINTED = [
    ("2.30", 2.3049, Form(), 0),
    ("2.30", 2.2951, Form(), 0),
    ("2.30", 2.3051, Form(), 1),
    ("2.30", 2.2849, Form(), 2),
    ("0.000000", -1e-9, Form(), 0),
    ("-0.5", -0.52, Form(), 0),
    ("12", 12.4, Form(), 0),
    ("1.5e-05", 1.54e-5, Form(), 0),
    ("1.5e-05", 1.56e-5, Form(), 1),
    ("9.9e-05", 1.0e-4, Form(), 1),
    ("19439.0456083", 19439.045608304, Form(decimals=8), 0),
    ("19439.0456083", 19439.04560831, Form(decimals=8), 1),
    ("2.508255638232932", 2.508255641, Form(digits=9), 0),
    ("2.508255638232932", 2.508255631, Form(digits=9), 1),
    ("2.3004790897684924", 2.3004790897684924, Form(), 0),
    ("2.3004790897684924", float(np.nextafter(2.3004790897684924, 3)), Form(), 4),
    ("2.30", float("nan"), Form(), float("inf")),
    ("2.30", float("inf"), Form(), float("inf")),
]


@pytest.mark.parametrize(("published", "value", "form", "units"), PRINTED)
def test_units_of_the_last_place(published: str, value: float, form: Form, units: float) -> None:
    assert form.units_off(value, published) == units


def test_final_zeros_are_dropped_where_the_source_dropped_them() -> None:
    assert Form().write(2.3, "2.30") == "2.30"
    assert Form(decimals=8).write(15.15317, "15.1") == "15.15317"
    assert Form(decimals=8).write(3.0, "15.1") == "3"


def log(texts: list[str], **arguments) -> Series:
    return Series("loss", tuple(Entry(f"loss {n}", text, n) for n, text in enumerate(texts)), **arguments)


def judge(series: Series, scratch: list[float], reference: list[float], twins=(), coarsest=None) -> list[Figure]:
    left, right, *others = (np.array(values, float) for values in (scratch, reference, *twins))
    return judged_series("pair", "run", series, Curves(left, right, tuple(others), coarsest=coarsest))


def test_digits_name_the_side_that_is_off() -> None:
    (figure,) = judge(log(["1.23"]), [1.234], [1.236])
    assert figure.basis is Basis.DIGIT
    assert figure.agrees == {"scratch": True, "reference": False}
    assert figure.reason == "reference is off by 1 in the last place"
    assert figure.disagrees


def test_only_the_recipe_allows_units() -> None:
    (figure,) = judge(log(["1.23"], units=2), [1.25], [1.26])
    assert figure.agrees == {"scratch": True, "reference": False}
    assert "the recipe allows 2" in figure.reason


def ulps_above(value: float, ulps: int, dtype: str = "float64") -> float:
    return value + ulps * float(np.spacing(np.dtype(dtype).type(value)))


FINE = 2.3042759220785896  # its last printed place is finer than one ulp


def test_an_ulp_that_is_larger_than_the_printed_digit_is_told_and_without_twins_not_allowed() -> None:
    (figure,) = judge(log([repr(FINE)]), [FINE], [ulps_above(FINE, 1)])
    assert figure.basis is Basis.DIGIT
    assert figure.disagrees
    assert "one ulp of float64 is 4.4 there" in figure.reason


@pytest.mark.parametrize(
    ("ulps", "basis", "agrees"), [(0, "digit", True), (1, "envelope", True), (100, "envelope", False)]
)
def test_what_is_printed_finer_than_its_arithmetic_lies_in_the_envelope(ulps: int, basis: str, agrees: bool) -> None:
    """Twins that do not part at all leave 8 envelopes of 8 ulps."""
    (figure,) = judge(log([repr(FINE)]), [FINE], [ulps_above(FINE, ulps)], [[ulps_above(FINE, ulps)]])
    assert figure.basis == basis
    assert figure.agrees == {"scratch": True, "reference": agrees}
    assert bool(figure.reason) is (basis == "envelope")
    assert not figure.reason or figure.reason.startswith("printed finer than float64 resolves; ")


def test_twins_do_not_excuse_what_is_printed_coarser() -> None:
    value = 2.302371489704412  # one unit of the last place is 2.3 ulps
    (figure,) = judge(log([repr(value)]), [value], [ulps_above(value, 3)], [[ulps_above(value, 30)]])
    assert figure.basis is Basis.DIGIT
    assert figure.disagrees


@pytest.mark.parametrize(("ulps", "agrees"), [(2, True), (40, False)])
def test_a_coarser_term_sets_what_a_sum_resolves(ulps: int, agrees: bool) -> None:
    series, penalty = log(["2.508255638232932"], form=Form(digits=9)), np.float32(0.2056696)
    published, ulp = 2.508255638232932, float(np.spacing(penalty))
    found = published + ulps * ulp
    (figure,) = judge(series, [found], [found], [[found - ulp]], penalty)
    assert figure.basis is Basis.ENVELOPE
    assert figure.disagrees is not agrees
    assert figure.reason.startswith("printed finer than float32 resolves; ")
    (figure,) = judge(series, [found], [found], [[found - ulp]])
    assert figure.basis is Basis.DIGIT
    assert figure.disagrees


@pytest.mark.parametrize(("shaken", "agrees"), [(0.4, True), (0.01, False)])
def test_an_accuracy_may_be_off_by_the_images_that_rounding_decides(shaken: float, agrees: bool) -> None:
    """Of 200 images one leads by 1 where a twin gives 1 - shaken: within 8 envelopes of zero or not."""
    reference, twin = np.full((1, 200), 5.0), np.full((1, 200), 5.0)
    reference[0, 7], twin[0, 7] = 1, 1 - shaken
    scratch = np.where(reference == 1, -1, reference)
    curves = accuracies(scratch, reference, (twin,))
    for text, inside in (("1.000000", agrees), ("0.985000", False)):
        (figure,) = judged_series("pair", "run", log([text], exact=0), curves)
        assert figure.basis is Basis.ENVELOPE
        assert figure.agrees["reference"] is (inside or text == "1.000000")
        assert figure.agrees["scratch"] is inside


def test_many_undecided_images_leave_nothing_informative() -> None:
    reference = np.where(np.arange(100) < 10, 1.0, 9.0)[None]
    curves = accuracies(reference, reference, (np.where(reference == 1, 0.5, reference),))
    (figure,) = judged_series("pair", "run", log(["1.000000"], exact=0), curves)
    assert figure.basis is Basis.NOT_INFORMATIVE


def test_only_logs_begin_somewhere() -> None:
    texts = ["1.00", "1.00"]
    assert beginnings(judge(log(texts, exact=1), [1, 1], [1, 1], [[1, 1]])) == [
        "loss: digit from 0 on, envelope from 1 on"
    ]
    constant = Series("keep 0.5", (Entry("keep 0.5", repr(FINE), 0),))
    assert not beginnings(judge(constant, [FINE], [ulps_above(FINE, 1)], [[FINE]]))


def test_the_basis_goes_from_digits_over_the_envelope_to_nothing() -> None:
    series = log(["1.00", "1.00", "1.00", "1.00", "1.00"], exact=2)
    twin = [1, 1, 1.001, 1.02, 1]
    found = judge(series, [1, 1, 1.0079, 1.5, 1], [1, 1.006, 1, 1, 1], [twin, [1] * 5])
    assert [figure.basis for figure in found] == ["digit", "digit", "envelope", "not informative", "not informative"]
    assert found[1].agrees == {"scratch": True, "reference": False}  # an exact figure gets no envelope
    assert found[2].agrees == {"scratch": True, "reference": True}
    assert found[3].agrees == {"scratch": False, "reference": True}
    assert not found[3].disagrees
    assert "passes 1% of the value at step 4" in found[4].reason


def test_outside_eight_envelopes() -> None:
    (figure,) = judge(log(["1.01"], exact=0), [1.009], [1], [[1.001]])
    assert figure.basis is Basis.ENVELOPE
    assert figure.agrees == {"scratch": True, "reference": False}


def test_without_twins_only_digits_count() -> None:
    (figure,) = judge(log(["1.0"], exact=0), [1], [1])
    assert figure.basis is Basis.NOT_INFORMATIVE


def test_twins_that_stopped_leave_nothing_informative() -> None:
    found = judge(log(["1.0", "1.0"], exact=0), [1, 1], [1, 1], [[1.001]])
    assert [figure.basis for figure in found] == ["envelope", "not informative"]


RANGES = [(80.4, 80.0, True), (80.4, 99.0, False), (84.0, 80.0, False)]


@pytest.mark.parametrize(("published", "scratch", "inside"), RANGES)
def test_the_range_of_the_twins(published: float, scratch: float, inside: bool) -> None:
    series = log([str(published)], exact=0, within_range=True)
    (figure,) = judge(series, [scratch], [80.1], [[79.0], [81.0]])
    assert figure.basis is Basis.ENVELOPE
    assert figure.agrees["scratch"] is inside
    assert "span 79 to 81" in figure.reason


def test_json_has_the_promised_form() -> None:
    wrong = judge(log(["1.23", "1.24"], exact=1), [1.23, 1.24], [1.25, 1.24])
    content = json.loads(json.dumps(as_json([*wrong, *not_computed(runs()[-1], "no data")])))
    assert content["schema"] == 1
    keys = ["pair", "run", "name", "published", "scratch", "reference", "agrees", "basis", "reason"]
    for figure in content["figures"]:
        assert list(figure) == keys
        assert all(type(agrees) is bool for agrees in figure["agrees"].values())
        assert set(figure["agrees"]) == {"scratch", "reference"}
    assert [figure["basis"] for figure in content["figures"][:3]] == ["digit", "not informative", "unavailable"]
    assert content["figures"][0]["published"] == "1.23"
    assert content["figures"][-1]["scratch"] is None


def test_the_summary_names_what_disagrees() -> None:
    text = summary(judge(log(["1.23", "1.24"]), [1.23, 1.24], [1.25, 1.24]), 3)
    assert text.splitlines()[0].startswith("1 of 2 figures agree on both sides: 1 of 2 to the digit")
    assert text.splitlines()[1] == "disagrees: pair, run: loss 0"
