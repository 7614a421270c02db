"""Gradients against the values that they belong to, where both sides share the same mistake."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from tests.judge.planting import plant
from tests.judge.verdicts import only
from twofold import scratch
from twofold.compare.judge.battery import run
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.finding import Finding, Verdict
from twofold.compare.layers import LAYERS
from twofold.compare.pair import Case, Pair, Twin
from twofold.compare.pairs import PAIRS
from twofold.reference import losses


class Skewed(torch.autograd.Function):
    """The identity, whose gradient is a little too large."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, dout: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return dout * (1 + 1e-5)


def skewed(kind: type[nn.Module]) -> type[nn.Module]:
    class Wrong(kind):  # type: ignore[misc, valid-type]
        def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return super().forward(Skewed.apply(input), target)

    return Wrong


class SkewedPenalty(losses.L2Penalty):
    def __call__(self) -> torch.Tensor:
        return Skewed.apply(super().__call__())


def __getattr__(name: str) -> Any:
    """Skewed_X is torch's or our loss X with that gradient."""
    kind = name.removeprefix("Skewed_")
    if kind == name:
        raise AttributeError(name)
    return skewed(getattr(nn, kind, None) or getattr(losses, kind))


HOMES = {
    "CrossEntropyLoss": "fc-net-tanh",
    "SoftmaxBCELoss": "trigram-lm-bce",
    "HalfMSELoss": "catcar-mlp",
    "MultiClassHingeLoss": "fc-net-svm",
    "SparseAutoencoderLoss": "sparse-autoencoder",
}


def numerical(case: Case) -> Finding:
    (finding,) = run(case, "float64", checks=[CHECKS_BY_NAME["numerical"]]).findings
    return finding


def wrongly(finding: Finding) -> set[str]:
    return {quantity.name for quantity in finding.quantities if quantity.verdict is Verdict.FAIL}


@pytest.mark.parametrize("kind", HOMES)
def test_a_loss_whose_gradient_both_sides_have_wrong_is_found(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = PAIRS[HOMES[kind]].case()
    back = getattr(scratch, kind).backward
    monkeypatch.setattr(getattr(scratch, kind), "backward", lambda self, dloss=1.0: back(self, dloss) * (1 + 1e-5))
    both = replace(case, loss=replace(case.loss, reference=f"{__name__}:Skewed_{kind}"))
    assert run(both, "float64", checks=[CHECKS_BY_NAME["loss"]]).passed
    assert wrongly(only(both, "float64", "numerical")) == {"loss of scratch", "loss of reference"}


def test_a_penalty_whose_gradient_both_sides_have_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    case = PAIRS["fc-net-two-layer"].case()
    plant(monkeypatch, scratch.L2Penalty, "backward", "self.reg * weight.data", "(1 + 1e-5) * self.reg * weight.data")
    both = replace(case, penalty=replace(case.penalty, reference=f"{__name__}:SkewedPenalty"))
    assert wrongly(only(both, "float64", "numerical")) == {"penalty of scratch", "penalty of reference"}


def test_the_side_that_alone_is_wrong_is_convicted() -> None:
    case = PAIRS["catcar-mlp"].case()
    theirs = replace(case, loss=replace(case.loss, reference=f"{__name__}:Skewed_HalfMSELoss"))
    finding = only(theirs, "float64", "numerical")
    assert finding.blame.side == "reference"


def test_every_loss_and_penalty_of_a_pair_is_a_layer_case() -> None:
    def named(twin: Twin | None) -> set[str]:
        return {twin.scratch} if twin else set()

    def of(pair: Pair) -> set[str]:
        return named(pair.loss) | named(pair.penalty)

    alone = {name for case in LAYERS for name in named(case.model) | named(case.penalty)}
    assert set().union(*map(of, PAIRS.values())) <= alone


def test_every_loss_of_scratch_is_a_layer_case() -> None:
    ours = {name for name in vars(scratch) if name.endswith(("Loss", "Penalty"))} - {"Loss"}
    alone = {twin.scratch.rpartition(":")[2] for case in LAYERS for twin in (case.model, case.penalty) if twin}
    assert ours <= alone
