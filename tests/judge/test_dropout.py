"""How dropout draws: what no comparison sees, as the reference takes scratch's masks."""

import pytest

from tests.judge.planting import plant
from tests.judge.verdicts import only
from twofold import scratch
from twofold.compare.judge.battery import run
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.finding import Verdict
from twofold.compare.pairs import PAIRS

CASE = PAIRS["fc-net-dropout"].case()

# right, wrong, what must fail
DRAWN = {
    "a record kept 5 % less": (
        ">= self.p",
        ">= (self.p * (1 + 0.05 * (np.arange(len(x)) == 2)))[:, None]",
        "share of each record",
    ),
    "a unit kept 5 % more": (
        ">= self.p",
        ">= self.p * (1 - 0.05 * (np.arange(x.shape[1]) == 7))",
        "share of each unit",
    ),
    "a unit of one record as another of the record before": (
        "self.cache = self.mask",
        "self.mask[1:, 0] = self.mask[:-1, 5]; self.cache = self.mask",
        "entries independent",
    ),
    "a unit dropped where another is kept": (
        "self.cache = self.mask",
        "self.mask[:, 3] = ~self.mask[:, 11]; self.cache = self.mask",
        "units independent",
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_otherwise_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong, failing = DRAWN[name]
    plant(monkeypatch, scratch.Dropout, "forward", right, wrong)
    failed = {q.name for q in only(CASE, "float64", "modes").quantities if q.verdict is Verdict.FAIL}
    assert f"dropout1 {failing}" in failed


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_other_seeds_raise_no_false_alarm(dtype: str, seed: int) -> None:
    assert run(CASE, dtype, seed=seed, checks=[CHECKS_BY_NAME["modes"]]).passed
