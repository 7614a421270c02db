"""Where it begins, and what is nobody's: glue, a way back that raises, a loss's hook, noise, a wrong pair."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from tests.judge.planting import plant
from tests.judge.verdicts import only
from twofold import scratch
from twofold.compare.commands import check
from twofold.compare.judge.battery import run
from twofold.compare.judge.finding import Verdict
from twofold.compare.layers import PENALTIES
from twofold.compare.pair import Case, Draw, Twin
from twofold.compare.pairs import PAIRS
from twofold.scratch import Linear, Module, Sequential

HERE = __name__
LOSS = Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss")
SGD = Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.1})


def small_net() -> Module:
    return Sequential(
        {
            "fc1": Linear(5, 7),
            "tanh1": scratch.Tanh(),
            "fc2": Linear(7, 6),
            "tanh2": scratch.Tanh(),
            "fc3": Linear(6, 3),
        }
    )


class Net(nn.Module):
    """Three linear layers and two tanhs; what subclasses do stands in the glue between them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(5, 7), nn.Linear(7, 6), nn.Linear(6, 3)
        self.tanh1, self.tanh2 = nn.Tanh(), nn.Tanh()

    def glue(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc3(self.tanh2(self.fc2(self.glue(self.tanh1(self.fc1(x))))))


class Detached(Net):
    def glue(self, x: torch.Tensor) -> torch.Tensor:
        return x.detach()


class HalfDetached(Net):
    def glue(self, x: torch.Tensor) -> torch.Tensor:
        return 0.5 * x + 0.5 * x.detach()


class Raises(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, dout: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        raise ValueError("no way back")


class RaisesInGlue(Net):
    def glue(self, x: torch.Tensor) -> torch.Tensor:
        return Raises.apply(x)  # type: ignore[no-any-return]


class RaisesInModule(Net):
    def __init__(self) -> None:
        super().__init__()
        own = self.tanh2.forward
        self.tanh2.forward = lambda x: Raises.apply(own(x))  # type: ignore[method-assign]


class DetachesInModule(Net):
    """The module gives what no gradient comes back from."""

    def __init__(self) -> None:
        super().__init__()
        own = self.tanh1.forward
        self.tanh1.forward = lambda x: own(x).detach()  # type: ignore[method-assign]


class FunctionalDropout(Net):
    def glue(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(x, 0.3, self.training)


class Noise(nn.Tanh):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + 1e-3 * torch.rand_like(x)


class NoisyModule(Net):
    def __init__(self) -> None:
        super().__init__()
        self.tanh2 = Noise()


class NoisyWayBack(Net):
    """Its output repeats itself, and its gradient does not."""

    def glue(self, x: torch.Tensor) -> torch.Tensor:
        if x.requires_grad:
            x.register_hook(lambda grad: grad * (1 + 0.01 * torch.rand_like(grad)))
        return x


def noisy(named: Any, lr: float) -> Any:
    optimizer = torch.optim.SGD([p for _, p in named], lr=lr)
    optimizer.register_step_post_hook(lambda self, args, kwargs: shaken(self))
    return optimizer


@torch.no_grad()
def shaken(optimizer: Any) -> None:
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.add_(1e-3 * torch.rand_like(parameter))


class HookingLoss(nn.CrossEntropyLoss):
    """Leaves a hook on the output that it was given."""

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if input.requires_grad:
            input.register_hook(lambda grad: 2 * grad)
        return super().forward(input, target)


def case(reference: str, **changes: Any) -> Case:
    made = Case(
        "small",
        Twin(f"{HERE}:small_net", f"{HERE}:{reference}"),
        (Draw((6, 5)),),
        LOSS,
        Draw((6,), high=3),
        SGD,
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("reference", "failing", "place"),
    [
        ("Detached", "gradient", ("backward", "small")),
        ("HalfDetached", "gradient", ("backward", "small")),
        ("DetachesInModule", "gradient", ("backward", "tanh1")),
        ("RaisesInModule", "gradient", ("backward", "tanh2")),
        ("RaisesInGlue", "gradient", ("backward", "tanh1")),
    ],
)
def test_what_the_reference_does_on_the_way_back_is_placed(
    reference: str, failing: str, place: tuple[str, str]
) -> None:
    finding = only(case(reference), "float64", failing)
    where = finding.first_divergence
    assert finding.blame.side == "reference", finding.blame
    assert where and (where.stage, where.module) == place, where


def test_a_hook_that_a_loss_leaves_on_the_output_is_the_losss() -> None:
    hooking = case("Net", loss=Twin(LOSS.scratch, f"{HERE}:HookingLoss"))
    result = run(hooking, "float64")
    failed = {finding.check for finding in result.findings if finding.verdict is Verdict.FAIL}
    assert failed == {"loss", "strides", "numerical", "resync", "curve"}
    finding = only(hooking, "float64", "loss")
    where = finding.first_divergence
    assert finding.blame.side == "reference" and where and (where.stage, where.module) == ("backward", "loss"), finding


@pytest.mark.parametrize(
    ("reference", "changes", "named"),
    [
        ("FunctionalDropout", {}, "tanh1"),
        ("NoisyModule", {}, "tanh2 (forward)"),
        ("NoisyWayBack", {}, "backward"),
    ],
)
def test_a_reference_that_does_not_repeat_itself_decides_nothing(
    reference: str, changes: dict[str, Any], named: str
) -> None:
    result = run(case(reference, **changes), "float64")
    verdicts = {finding.check: finding.verdict for finding in result.findings}
    assert Verdict.FAIL not in verdicts.values(), verdicts
    unsure = [finding for finding in result.findings if finding.verdict is Verdict.INCONCLUSIVE]
    assert {"forward", "gradient", "resync", "curve"} <= {finding.check for finding in unsure}
    assert all(
        "does not repeat itself" in finding.reason or "begins from the same state" in finding.reason
        for finding in unsure
    )


def test_an_optimizer_that_does_not_repeat_itself_decides_nothing() -> None:
    result = run(case("Net", optimizer=Twin(SGD.scratch, f"{HERE}:noisy", {"lr": 0.1})), "float64")
    unsure = {finding.check: finding.reason for finding in result.findings if finding.verdict is Verdict.INCONCLUSIVE}
    assert unsure.keys() == {"optimizer", "resync", "curve"}, unsure
    assert not any(finding.verdict is Verdict.FAIL for finding in result.findings)


# What convicts a side by itself comes first


class Deaf(Net):
    """Takes no other mode, and is wrong besides."""

    def train(self, mode: bool = True) -> Any:
        return super().train(True)

    def glue(self, x: torch.Tensor) -> torch.Tensor:
        return x * 1.001


def test_what_convicts_by_itself_makes_the_headline() -> None:
    result = run(case("Deaf"), "float64")
    assert result.cause and result.cause.blame
    assert (result.cause.check, result.cause.blame.side) == ("modes", "reference")


# A pair that is wrong


WRONG = {
    "classes beyond the logits": {"target": Draw((6,), high=4)},
    "a rare class beyond the logits": {"target": Draw((6,), high=5)},
    "a wrong width": {"inputs": (Draw((6, 4)),)},
    "fewer targets than records": {"target": Draw((4,), high=3)},
    "an optimizer's argument that one side lacks": {"optimizer": SGD.given(fused=False)},
    "a loss's argument that one side lacks": {"loss": LOSS.given(label_smoothing=0.0)},
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_pair_that_is_wrong_blames_no_side(wrong: str, dtype: str) -> None:
    result = run(case("Net", **WRONG[wrong]), dtype)
    assert result.pair_is_wrong and not result.passed
    sides = {finding.blame.side for finding in result.findings if finding.blame}
    assert sides == {"pair"}, [(finding.check, finding.blame) for finding in result.findings if finding.blame]


def test_a_pair_that_is_wrong_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    pair = PAIRS["catcar-mlp"]
    wrong = replace(pair, optimizer=pair.optimizer.given(fused=False))
    assert check.run(check.Wanted([wrong], "float64", "cpu")) == 2
    assert "catcar-mlp: not judged: the pair is wrong" in capsys.readouterr().out


@pytest.mark.parametrize("case", [*PENALTIES, PAIRS["fc-net-two-layer"].case()], ids=lambda case: case.name)
def test_a_penalty_is_told_from_the_loss(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one layer is the whole model."""
    plant(monkeypatch, scratch.L2Penalty, "backward", "self.reg * weight.data", "1.001 * self.reg * weight.data")
    assert only(case, "float64", "resync").first_divergence.module == "penalty"
    monkeypatch.undo()
    assert case.loss
    kind = case.loss.named("scratch")
    back = kind.backward
    monkeypatch.setattr(kind, "backward", lambda self, dloss=1.0: back(self, dloss) * 1.001)
    assert only(case, "float64", "resync").first_divergence.module == "loss"


@pytest.mark.parametrize(("side", "refusing"), [("scratch", "careful_scratch"), ("reference", "careful")])
def test_arguments_that_one_side_refuses_convict_nobody(side: str, refusing: str) -> None:
    """torch refuses a rate below zero, and scratch takes it."""
    twin = replace(SGD, **{side: f"{HERE}:{refusing}"})
    result = run(case("Net", optimizer=twin), "float64")
    assert not result.passed
    assert {finding.blame.side for finding in result.findings if finding.blame} == {"inconclusive"}


def careful(named: Any, lr: float) -> Any:
    raise ValueError("no such rate")


def careful_scratch(named: Any, lr: float) -> Any:
    raise ValueError("no such rate")
