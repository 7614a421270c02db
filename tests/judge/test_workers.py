"""Shares of a batch have its gradient, or it is said why not; what people do wrong in sharing is found by `workers`."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from twofold.compare.faults.fault import Fault, edit, misbehaviour
from twofold.compare.judge.battery import run
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.finding import Finding, Verdict
from twofold.compare.pair import Case
from twofold.compare.pairs import PAIRS
from twofold.compare.sides import Reference
from twofold.compare.training.shares import refusal, shares, sizes

SHARES = "twofold.compare.training.shares:"
# A mean over records, a sum over records, a penalty, words, and time.
CASES = ("catcar-mlp", "fc-net", "sine-rnn", "trigram-lm", "mnist-cnn", "three-layer-convnet")

FAULTS = (
    misbehaviour(
        "unweighted-average",
        "shares of several sizes counted alike",
        edit(f"{SHARES}weight", "workers * share.own / share.whole", "float(share.own > 0)"),
        checks=("workers",),
    ),
    misbehaviour(
        "weight-without-workers",
        "a share weighted, and the mean over workers forgotten",
        edit(f"{SHARES}weight", "workers * share.own / share.whole", "share.own / share.whole"),
        checks=("workers",),
    ),
    misbehaviour(
        "empty-share-counted",
        "the record that an empty share runs on counted",
        edit(f"{SHARES}weight", "share.own / share.whole", "max(1, share.own) / share.whole"),
        checks=("workers",),
    ),
    misbehaviour(
        "reduction-forgotten",
        "every worker with its own gradient",
        edit(f"{SHARES}reduced", "return {", "return found[0] if len(found) > 1 else {"),
        checks=("workers",),
    ),
    misbehaviour(
        "sum-for-mean",
        "gradients added up and not divided",
        edit(f"{SHARES}reduced", " / len(found)", ""),
        checks=("workers",),
    ),
    misbehaviour(
        "ranks-with-other-seeds",
        "every worker shuffling by a seed of its own",
        edit(
            f"{SHARES}shares",
            "taken = slice(start, start + own) if own else slice(0, 1)",
            "taken = np.random.default_rng(len(found)).permutation(len(target))[start : start + own] if own else [0]",
        ),
        checks=("workers",),
    ),
    misbehaviour(
        "last-record-dropped",
        "shares of one size, and the rest of the batch dropped",
        edit(f"{SHARES}shares", "start + own)", "start + own - (len(of) > 1 and own > 1))"),
        checks=("workers",),
    ),
    misbehaviour(
        "penalty-weighted",
        "the penalty taken as often as the share's loss",
        edit(
            f"{SHARES}objective",
            "loss + side.penalty()",
            "loss + side.penalty() * weight(side.criterion, share, workers) / workers",
        ),
        checks=("workers",),
        home="three-layer-convnet",
    ),
)


def found(case: Case, dtype: str = "float64") -> Finding:
    (finding,) = run(case, dtype, checks=[CHECKS_BY_NAME["workers"]]).findings
    return finding


@pytest.mark.parametrize("name", CASES)
def test_workers_have_the_gradient_of_the_whole_batch(name: str) -> None:
    finding = found(PAIRS[name].case())
    assert finding.verdict is Verdict.PASS
    told = {quantity.name.partition(" of ")[2] for quantity in finding.quantities}
    assert len(told) == 4 and "1 worker" in told


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_mistakes_in_sharing_are_found(fault: Fault) -> None:
    case = PAIRS[fault.home or "catcar-mlp"].case()
    with fault.planted():
        finding = found(case)
    assert finding.verdict is Verdict.FAIL
    assert min(q.ratio for q in finding.quantities if q.verdict is Verdict.FAIL) > 1e9
    (alone,) = ({q.verdict for q in finding.quantities if q.name.endswith(" of 1 worker")},)
    assert alone == {Verdict.PASS}, "one worker is none"


REFUSED = {
    "bn-convnet": "norm1 (BatchNorm2d) takes the statistics of all records",
    "fc-net-batch-norm": "norm1 (BatchNorm1d) takes the statistics of all records",
    "fc-net-dropout": "dropout1 (Dropout) draws one mask for all records",
    "sparse-autoencoder": "its loss, SparseAutoencoderLoss, is no sum or mean over records",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_shared_is_told(name: str) -> None:
    finding = found(PAIRS[name].case())
    assert finding.verdict is Verdict.NOT_APPLICABLE
    assert finding.reason == f"a batch is not shared: {REFUSED[name]}"


class Centred(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        out = super().forward(input)
        return out - out.mean(dim=0)


class Noisy(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input + torch.randn_like(input))


def side(model: nn.Module, loss: nn.Module) -> Reference:
    case = PAIRS["catcar-mlp"].case()
    made = Reference(case.model, case.loss, dtype="float64")
    made.model, made.criterion = model.double(), loss
    return made


WEIGHTS = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)


@pytest.mark.parametrize(
    ("model", "loss", "told"),
    [
        (nn.Linear(4, 3), nn.CrossEntropyLoss(), ""),
        (nn.Linear(4, 3), nn.CrossEntropyLoss(reduction="sum"), ""),
        (nn.Linear(4, 3), nn.CrossEntropyLoss(WEIGHTS), "its loss, CrossEntropyLoss, is no sum or mean over records"),
        (nn.Linear(4, 3), nn.CrossEntropyLoss(WEIGHTS, reduction="sum"), ""),
        (Centred(4, 3), nn.CrossEntropyLoss(), "what it makes of a record hangs on the others"),
        (Noisy(4, 3), nn.CrossEntropyLoss(), "it draws numbers in training"),
    ],
)
def test_other_models_and_losses(model: nn.Module, loss: nn.Module, told: str) -> None:
    rng = torch.Generator().manual_seed(0)
    inputs = torch.randn(7, 4, generator=rng, dtype=torch.float64).numpy()
    assert refusal(side(model, loss), inputs, torch.arange(7).remainder(3).numpy()) == told


def test_sides_that_differ_alone_are_no_matter_of_workers() -> None:
    case = PAIRS["catcar-mlp"].case()
    wrong = replace(case, model=replace(case.model, reference="twofold.reference.models.catcar_mlp:CatCarMLP"))
    assert found(wrong).verdict is Verdict.PASS
    from twofold.compare.faults import FAULTS as KNOWN

    with next(fault for fault in KNOWN if fault.id == "tanh-not-squared").planted():
        assert found(case).reason == "the sides differ without any workers"


def test_it_is_judged_in_float64_alone() -> None:
    assert found(PAIRS["catcar-mlp"].case(), "float32").reason == "shares of a batch are compared in float64 alone"


@pytest.mark.parametrize(("records", "workers"), [(38, 1), (38, 2), (7, 3), (2, 3), (1, 4)])
def test_every_record_is_in_one_share(records: int, workers: int) -> None:
    import numpy as np

    of = sizes(records, workers)
    assert sum(of) == records and max(of) - min(of) <= 1 and len(of) == workers
    batch = np.arange(records)
    dealt = shares(batch, batch, of)
    assert np.concatenate([share.inputs[: share.own] for share in dealt]).tolist() == batch.tolist()
    assert all(len(share.target) >= 1 and share.whole == records for share in dealt)
