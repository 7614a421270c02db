"""Layer table x checks and pair table x checks: a case is data, a check is a function, a test is their product."""

import re
from functools import cache

import pytest

from twofold.compare.judge import battery
from twofold.compare.judge.battery import DTYPES
from twofold.compare.judge.checks.table import BATTERY, CHECKS_BY_NAME, Check
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Finding, Verdict
from twofold.compare.layers import EMPTY, LAYERS, REDUCTIONS, SINGLE
from twofold.compare.pair import Case, Draw, Twin
from twofold.compare.pairs import MAIN, PAIRS
from twofold.compare.threads import one_thread

# The plain loop versions under the same cases: a third opinion on the fast ones.
LOOPS = tuple(
    Case(
        f"loop-{case.name}",
        Twin(f"twofold.scratch:Loop{layer}", case.model.reference, case.model.arguments),
        case.inputs,
    )
    for case in LAYERS
    if (layer := case.model.scratch.rpartition(":")[2]) in ("Conv2d", "MaxPool2d")
)
CASES = {case.name: case for case in (*LAYERS, *SINGLE, *LOOPS, *(pair.case() for pair in PAIRS.values()))}
VARIANTS = PAIRS.keys() - set(MAIN)


@cache
def trial(case: str, dtype: str, device: str = "cpu", seed: int = 0) -> Trial:
    return Trial(CASES[case], dtype, device, seed)


def explained(finding: Finding) -> str:
    return f"{finding.verdict}: {finding.reason or finding.worst}; {finding.first_divergence}"


def assert_passes(check: Check, given: Trial) -> None:
    with one_thread():
        finding = check(given)
    assert finding.verdict is Verdict.PASS, explained(finding)


def dtypes_of(case: str) -> tuple[str, ...]:
    """A variant has its system's layers, and a loop the fast form's cases, which are judged in both."""
    return DTYPES[:1] if case in VARIANTS or case.startswith("loop-") else DTYPES


def applies(check: Check, case: str, dtype: str) -> bool:
    """Whether a case has a use for a check; one that raises here is to fail as a test."""
    if check.name == "extremes" and (case in VARIANTS or re.search(r"-batch-\d$", case)):
        return False  # a layer by itself meets the same values in the case that this is a form of
    try:
        return not check.lacking(trial(case, dtype))
    except Exception:
        return True


# What a case has no use for is not generated; one worker does all checks of a case, so that they share its runs.
PRODUCT = [
    pytest.param(case, dtype, check.name, marks=pytest.mark.xdist_group(f"{case} {dtype}"))
    for case in CASES
    for dtype in dtypes_of(case)
    for check in BATTERY
    if applies(check, case, dtype)
]


@pytest.mark.parametrize(("case", "dtype", "check"), PRODUCT)
def test_case(case: str, dtype: str, check: str) -> None:
    assert_passes(CHECKS_BY_NAME[check], trial(case, dtype))


@pytest.mark.parametrize("check", CHECKS_BY_NAME)
def test_every_check_applies_to_some_case(check: str) -> None:
    cases = ("mnist-cnn", "linear")
    assert any(not CHECKS_BY_NAME[check].lacking(trial(case, "float64")) for case in cases)


@pytest.mark.parametrize(("slope", "rounds"), [(0.01, True), (0.3, True), (0.25, False), (0.0, False)])
def test_a_leaky_relu_keeps_integers_where_its_slope_is_a_power_of_two(slope: float, rounds: bool) -> None:
    leaky = Twin("twofold.scratch:LeakyReLU", "torch.nn:LeakyReLU", {"negative_slope": slope})
    given = Trial(Case("leaky", leaky, (Draw((6, 17)),)), "float64")
    assert CHECKS_BY_NAME["exact"].lacking(given) == ("LeakyReLU rounds even integers" if rounds else "")


def test_names_of_cases_are_unique() -> None:
    assert len(CASES) == len(LAYERS) + len(SINGLE) + len(LOOPS) + len(PAIRS)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_binary_cross_entropy_meets_the_classes_at_both_ends(reduction: str) -> None:
    target = trial(f"softmax-bce-{reduction}", "float64").inputs[1]
    assert {0, 4} <= set(target.tolist())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pair", MAIN)
def test_another_seed_raises_no_false_alarm(pair: str, dtype: str) -> None:
    result = battery.run(PAIRS[pair].case(), dtype, seed=1)
    assert result.passed, [explained(finding) for finding in result.findings]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", EMPTY, ids=lambda case: case.name)
def test_a_batch_of_none_raises_nothing_and_proves_nothing(case: Case, dtype: str) -> None:
    given, told = Trial(case, dtype), {}
    with one_thread():
        for check in BATTERY:
            finding = check(given)
            assert finding.verdict in (Verdict.PASS, Verdict.VACUOUS, Verdict.NOT_APPLICABLE), explained(finding)
            told[check.name] = finding.verdict
    assert told["forward"] is told["gradient"] is Verdict.VACUOUS
    assert told["names"] is told["twice"] is Verdict.PASS


FORMS = {
    "two_layer_fc": ({"inputs": 30, "hidden": 7, "bias": False}, (6, 30), "TwoLayerFC"),
    "two_conv_net": ({"channels": 2, "filters": (4, 3), "image": (9, 11)}, (5, 2, 9, 11), "TwoConvNet"),
}


@pytest.mark.parametrize("home", FORMS)
def test_the_three_forms_of_a_reference_are_one_computation(home: str) -> None:
    """Module, Sequential and raw tensors with the same weights: outputs and gradients bit for bit."""
    arguments, shape, name = FORMS[home]
    results = []
    for form in (name, f"Sequential{name}", f"Raw{name}"):
        twin = Twin(f"twofold.scratch.models.{home}:{name}", f"twofold.reference.models.{home}:{form}", arguments)
        given = Trial(Case("forms", twin, (Draw(shape),)), "float64")
        side = given.reference()
        side.load(given.state)
        with one_thread():
            out, back = side.forward(given.inputs), side.backward(given.cotangents)
        results.append([out, *back, *side.gradients().values()])
    for arrays in zip(*results, strict=True):
        assert len({array.tobytes() for array in arrays}) == 1


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_case_on_cuda(case: str, dtype: str, cuda: str) -> None:
    result = battery.run(CASES[case], dtype, cuda)
    assert result.passed, [
        explained(finding)
        for finding in result.findings
        if finding.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)
    ]
