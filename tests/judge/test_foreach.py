"""A reference whose optimizer writes to gradients, as torch's foreach forms do, is compared with what was given."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from twofold import judge
from twofold.compare.judge import battery
from twofold.compare.judge.battery import DTYPES
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.finding import Verdict
from twofold.compare.pair import Twin
from twofold.compare.pairs import PAIRS
from twofold.scratch import SGD

NESTEROV = {"lr": 0.3, "momentum": 0.9, "nesterov": True}
CASE = replace(PAIRS["catcar-mlp"].case(), optimizer=Twin("twofold.scratch:SGD", "torch.optim:SGD", NESTEROV))
CHECKS = [CHECKS_BY_NAME["optimizer"], CHECKS_BY_NAME["resync"]]


@pytest.fixture(autouse=True)
def foreach(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU what is the default on CUDA: SGD with Nesterov's momentum adds it into `p.grad`."""

    class Foreach(torch.optim.SGD):
        def __init__(self, parameters: object, **how: object) -> None:
            super().__init__(parameters, **how, foreach=True)  # type: ignore[arg-type]

    Foreach.__module__, Foreach.__name__ = "torch.optim", "SGD"
    monkeypatch.setattr(torch.optim, "SGD", Foreach)
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = Foreach([weight], **NESTEROV)
    weight.grad = torch.ones(3)
    optimizer.step()
    assert not torch.equal(weight.grad, torch.ones(3)), "this torch does not write to gradients any more"


@pytest.mark.parametrize("dtype", DTYPES)
def test_nobody_is_blamed(dtype: str) -> None:
    found = battery.run(CASE, dtype, checks=CHECKS)
    assert found.passed, [finding.worst for finding in found.findings]


def test_scratch_that_writes_to_gradients_is_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    own = SGD.step

    def writing(self: SGD) -> None:
        own(self)
        for parameter in self.parameters.values():
            parameter.grad *= 2

    monkeypatch.setattr(SGD, "step", writing)
    optimizer, _ = battery.run(CASE, "float64", checks=CHECKS).findings
    assert optimizer.verdict is Verdict.FAIL
    assert all(q.name.endswith(" gradient") for q in optimizer.quantities if q.verdict is Verdict.FAIL)


@pytest.mark.parametrize("wrong", [False, True])
def test_a_strangers_steps_are_judged_by_the_gradients_that_were_given(wrong: bool) -> None:
    rng = np.random.default_rng(0)
    weight, velocity = rng.standard_normal((4, 3)), np.zeros((4, 3))
    x, y = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))

    def loss_and_gradient(x: np.ndarray, y: np.ndarray) -> tuple:
        apart = x @ weight - y
        return (apart**2).mean(), {"weight": 2 * x.T @ apart / apart.size}

    def step(x: np.ndarray, y: np.ndarray) -> None:
        slope = loss_and_gradient(x, y)[1]["weight"]
        velocity[...] = 0.9 * velocity + slope
        weight[...] -= 0.1 * (slope + (0.8 if wrong else 0.9) * velocity)

    verdict = judge(
        loss_and_gradient,
        torch.nn.Linear(4, 3, bias=False),
        x,
        y,
        loss=torch.nn.functional.mse_loss,
        params={"weight": weight},
        step=step,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True),
    )
    assert verdict.same != wrong and (not wrong or verdict.side != "reference"), str(verdict)
