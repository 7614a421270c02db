"""Every case on the device, and the whole battery for five pairs: no false alarm, and something is judged."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from twofold.compare.judge import battery
from twofold.compare.judge.battery import DTYPES
from twofold.compare.judge.checks.table import CHECKS_BY_NAME, ON_DEVICE, battery_on
from twofold.compare.judge.evidence.resync import few_steps
from twofold.compare.judge.finding import Finding, Verdict
from twofold.compare.layers import LAYERS
from twofold.compare.pair import Case
from twofold.compare.pairs import MAIN, PAIRS


def of_pairs() -> Iterator[Case]:
    """Every pair; one that updates as a pair before it does, and is no system, by its passes alone."""
    seen = set()
    for pair in PAIRS.values():
        case = pair.case()
        update = pair.optimizer.scratch, pair.penalty is None, pair.clip is None
        yield case if pair.name in MAIN or update not in seen else replace(case, optimizer=None)
        seen.add(update)


CASES = {case.name: case for case in (*LAYERS, *of_pairs())}
# A net of layers and one with dropout, a convolution, a cell, and tokens.
WHOLE = ("catcar-mlp", "fc-net-dropout", "mnist-cnn", "activity-lstm", "trigram-lm")
CHECKS = (ON_DEVICE, CHECKS_BY_NAME["exact"])


def explained(finding: Finding) -> str:
    return f"{finding.check} {finding.verdict}: {finding.reason or finding.worst}"


@pytest.mark.parametrize("case", CASES)
def test_case_on_the_device(case: str, device: str) -> None:
    with few_steps():
        found = battery.run(CASES[case], "float32", device, checks=CHECKS)
    assert found.passed, [explained(finding) for finding in found.findings]
    on_device, exact = found.findings
    assert on_device.verdict is Verdict.PASS and len(on_device.quantities) > 2
    assert exact.verdict is Verdict.NOT_APPLICABLE or any(q.name.endswith(device) for q in exact.quantities)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pair", WHOLE)
def test_whole_battery_on_the_device(pair: str, dtype: str, device: str) -> None:
    with few_steps():
        found = battery.run(PAIRS[pair].case(), dtype, device)
    assert found.passed, [explained(finding) for finding in found.findings]
    assert [finding.check for finding in found.findings] == [check.name for check in battery_on(device)]
    names = {quantity.name for finding in found.findings for quantity in finding.quantities}
    assert any(name.endswith(f"in reference on {device}") for name in names), "what was loaded there is read back"
