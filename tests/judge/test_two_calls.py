"""A side that takes the wrong call back is found by the check `twice`, and the wrapping of calls by no other."""

from typing import Any

import pytest

from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Verdict
from twofold.compare.layers import LAYERS
from twofold.compare.pairs import PAIRS
from twofold.compare.threads import one_thread
from twofold.scratch import calls

CASES = {
    **{case.name: case for case in LAYERS if case.name in ("linear", "tanh", "conv", "lstm", "mse-mean")},
    **{name: PAIRS[name].case() for name in ("catcar-mlp", "bn-convnet", "trigram-lm", "activity-gru")},
}


def first_first(real: Any) -> Any:
    return lambda self, module: self.all()[0]


def without_restoring(real: Any) -> Any:
    return lambda self, module: None


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [(calls.Calls, "next", first_first), (calls.Call, "give_back", without_restoring)],
    ids=["the first call first", "the caches of the last call"],
)
@pytest.mark.parametrize("case", CASES)
def test_the_wrong_call_taken_back_fails_twice(
    owner: Any, name: str, wrong: Any, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with one_thread():
        assert CHECKS_BY_NAME["twice"](Trial(CASES[case], "float64")).verdict is Verdict.PASS
        monkeypatch.setattr(owner, name, wrong(getattr(owner, name)))
        finding = CHECKS_BY_NAME["twice"](Trial(CASES[case], "float64"))
    assert finding.verdict is Verdict.FAIL
    assert any("of two calls" in quantity.name for quantity in finding.quantities if quantity.verdict is Verdict.FAIL)
