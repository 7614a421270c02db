"""Update rules and optimizers of strangers: each form right and wrong, who is wrong, why, and what to do to go on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.own.rules.forms import MOMENTUM, RIGHT, SGD, plain
from tests.own.rules.mistakes import CONVENTIONS, MISTAKES, Case, changed
from twofold.compare.judge.own.rules import is_rule, judge_rule
from twofold.compare.judge.own.telling.verdict import MOST, BadCall, Verdict

ADAM = torch.optim.Adam


def reference(parameters: Any) -> Any:
    return SGD(parameters, lr=0.01)


def told(verdict: Verdict) -> str:
    """The verdict in words, which are few lines, each with a number or a place."""
    lines = str(verdict).splitlines()
    assert len(lines) <= MOST and not any("more lines" in line for line in lines)
    assert all(any(letter.isdigit() for letter in line) for line in lines[1:]), lines
    assert "Traceback" not in str(verdict)
    return str(verdict)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_rule_in_any_form_is_the_same(name: str) -> None:
    """Of five seeds none raises a false alarm."""
    scratch, optimizer = RIGHT[name]
    for seed in range(5):
        verdict = judge_rule(scratch, optimizer, seed=seed)
        assert verdict.same, f"seed {seed}: {verdict}"
        told(verdict)


def judged(case: Case, **how: Any) -> Verdict:
    return judge_rule(changed(case.form, case.old, case.new), case.reference, **how)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_scratchs(name: str) -> None:
    case = MISTAKES[name]
    verdict = judged(case)
    assert (verdict.outcome, verdict.side) == ("different", "scratch")
    assert case.cause in verdict.cause
    assert bool(case.cause) is bool(verdict.cause)
    assert verdict.place.step
    assert "against torch.optim." in told(verdict)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_what_others_define_so_is_a_convention(name: str) -> None:
    case = CONVENTIONS[name]
    verdict = judged(case)
    assert verdict.side == "conventions"
    assert case.cause in verdict.cause
    assert case.go_on in told(verdict).partition("to go on")[2]


@pytest.mark.parametrize("name", ["no correction", "no root", "sums for means", "no eps"])
def test_a_mistake_in_float32_alone(name: str) -> None:
    verdict = judged(MISTAKES[name], dtypes=("float32",))
    assert verdict.side == "scratch"
    assert MISTAKES[name].cause in verdict.cause


@pytest.mark.parametrize("name", ["another momentum", "other betas", "a decay by itself", "eps in the root"])
def test_a_convention_in_float32_alone(name: str) -> None:
    """What is solved for is rounded to what one might have written."""
    verdict = judged(CONVENTIONS[name], dtypes=("float32",), seed=3)
    assert verdict.side == "conventions"
    assert CONVENTIONS[name].cause in verdict.cause


def test_what_is_to_go_on_makes_both_the_same() -> None:
    for case in (CONVENTIONS["another eps"], CONVENTIONS["a decay by itself"], CONVENTIONS["another momentum"]):
        verdict = judged(case)
        call = dict(verdict.lines)["to go on"]
        kind, _, options = call.rpartition(")")[0].partition("(")
        given = eval(f"dict({options})")
        again = judge_rule(
            changed(case.form, case.old, case.new),
            lambda p, k=kind, o=given: getattr(torch.optim, k.split(".")[-1])(p, **o),
        )
        assert again.same, again


def test_the_state_is_matched_up_to_a_factor() -> None:
    scratch, optimizer = RIGHT["config with a velocity"]
    assert 'config["velocity"] = -0.01 x momentum_buffer' in str(judge_rule(scratch, optimizer))
    scratch, optimizer = RIGHT["arrays and a count"]
    assert "m = exp_avg, v = exp_avg_sq" in str(judge_rule(scratch, optimizer))


def test_a_verdict_is_kept_as_data_and_as_a_script(tmp_path: Path) -> None:
    verdict = judged(MISTAKES["no root"])
    plain_data = verdict.to_json()
    assert plain_data["side"] == "scratch" and plain_data["place"]["step"] == 1
    assert verdict.reproduce(tmp_path).exists()
    assert "step 1 in float64" in verdict.report()


def writing(w: Any, dw: Any) -> None:
    dw += 0.1 * w
    w -= 0.01 * dw


def test_a_gradient_is_not_to_be_written_into() -> None:
    verdict = judge_rule(writing, lambda p: SGD(p, lr=0.01, weight_decay=0.1))
    assert (verdict.side, verdict.tensor) == ("scratch", "dw")
    assert verdict.place.file == __file__ and verdict.place.line == writing.__code__.co_firstlineno + 1
    assert f"test_rules.py:{verdict.place.line}" in told(verdict)


def keeping(w: Any, dw: Any, state: Any) -> None:
    if "v" not in state:
        state["v"] = dw
    else:
        state["v"] *= 0.9
        state["v"] += dw
    w -= 0.01 * state["v"]


def test_a_gradient_that_is_kept_is_written_into_later() -> None:
    """The velocity is the first gradient itself, and the second step changes it."""
    verdict = judge_rule(keeping, lambda p: SGD(p, **MOMENTUM))
    assert (verdict.side, verdict.tensor, verdict.place.step) == ("scratch", "dw", 2)
    assert verdict.place.line == keeping.__code__.co_firstlineno + 4


def late(w: Any, dw: Any, state: Any) -> None:
    state["t"] = state.get("t", 0) + 1
    w -= 0.01 * (dw if state["t"] < 4 else state["missing"])


def test_what_raises_is_placed() -> None:
    verdict = judge_rule(late, reference)
    assert verdict.side == "scratch"
    assert (verdict.place.step, verdict.place.line) == (4, late.__code__.co_firstlineno + 2)
    assert "KeyError" in told(verdict)


def test_float64_for_float32_is_said() -> None:
    verdict = judge_rule(lambda w, dw: (w - 0.01 * dw).astype(np.float64), reference)
    assert verdict.same
    assert "float64 comes back where float32 is given" in str(verdict)
    assert "it computes in float32" in str(judge_rule(*RIGHT["single"]))


def test_a_nan_is_not_to_be_hidden() -> None:
    verdict = judge_rule(lambda w, dw: w - 0.01 * np.nan_to_num(dw), reference)
    assert (verdict.side, verdict.place.step) == ("scratch", 11)
    assert "NaN" in told(verdict)


def hooked(parameters: Any) -> Any:
    optimizer = SGD(parameters, lr=0.01)
    optimizer.register_step_post_hook(lambda *_: [p.data.mul_(1.01) for p in parameters] and None)
    return optimizer


class Twice(SGD):
    def step(self, closure: Any = None) -> None:
        for p in self.param_groups[0]["params"]:
            p.data -= 2 * self.param_groups[0]["lr"] * p.grad


class Signs(torch.optim.Optimizer):
    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.01})

    def step(self, closure: Any = None) -> None:
        for p in self.param_groups[0]["params"]:
            p.data -= 0.01 * p.grad.sign()


class Drawing(SGD):
    def step(self, closure: Any = None) -> None:
        for p in self.param_groups[0]["params"]:
            p.data -= torch.rand(p.shape) * p.grad


@pytest.mark.parametrize(
    ("optimizer", "side"), [(hooked, "reference"), (Twice, "reference"), (Signs, "open"), (reference, "scratch")]
)
def test_the_reference_is_asked_for_what_its_class_says(optimizer: Any, side: str) -> None:
    wrong = plain if side != "scratch" else lambda w, dw: w - 0.01 * dw * (np.abs(dw) > 1e-6)
    verdict = judge_rule(wrong, optimizer if optimizer is not Twice else lambda p: Twice(p, lr=0.01))
    assert verdict.side == side
    told(verdict)


def test_a_reference_that_is_wrong_for_both_is_open() -> None:
    verdict = judge_rule(lambda w, dw: w - 0.03 * dw**3, lambda p: Twice(p, lr=0.01))
    assert verdict.side == "open"


def test_what_does_not_repeat_is_undecided() -> None:
    assert judge_rule(plain, lambda p: Drawing(p, lr=0.01)).outcome == "undecided"
    draws = np.random.default_rng(0)
    assert judge_rule(lambda w, dw: w - 0.01 * dw * np.random.default_rng().random(), reference).outcome == "undecided"
    assert draws is not None


class Held:
    velocity: dict[str, Any] = {}  # noqa: RUF012  the mistake

    def update(self, w: Any, dw: Any, name: str) -> Any:
        self.velocity[name] = 0.9 * self.velocity.get(name, 0) + dw
        return w - 0.01 * self.velocity[name]


def test_a_state_in_the_class_outlives_its_object() -> None:
    verdict = judge_rule(Held(), lambda p: SGD(p, **MOMENTUM))
    assert (verdict.side, verdict.tensor) == ("scratch", "velocity")
    told(verdict)


STATE: dict[str, Any] = {}


def with_globals(w: Any, dw: Any, name: str) -> None:
    STATE[name] = 0.9 * STATE.get(name, 0) + dw
    w -= 0.01 * STATE[name]


def test_nothing_of_the_strangers_is_changed() -> None:
    """Globals, generators and an instance are as they were, and no call knows of the one before."""
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    for _ in range(2):
        assert judge_rule(with_globals, lambda p: SGD(p, **MOMENTUM)).same
    assert STATE == {}
    assert np.array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    instance = RIGHT["an instance a tensor"][0]
    assert instance.m is None and instance.t == 0


def test_groups_are_those_of_the_reference() -> None:
    def grouped(p: Any) -> Any:
        return SGD([{"params": p[:1], "weight_decay": 0.1}, {"params": p[1:]}], lr=0.01)

    def right(params: Any, grads: Any) -> None:
        for p, g in zip(params, grads, strict=True):
            p -= 0.01 * (g + (0.1 * p if p.ndim > 1 else 0))

    assert judge_rule(right, grouped).same
    assert judge_rule(plain, grouped).side == "scratch"


def missing(w: Any, dw: Any, config: Any) -> Any:
    return w - config["learning_rate"] * dw


def misspelt(w: Any, dw: Any) -> Any:
    return w - 0.01 * np.sqr(dw)  # type: ignore[attr-defined]


BAD = {
    "no number": (3, ADAM, "write scratch="),
    "nothing moves": (lambda w, dw: w, ADAM, "0 weights move"),
    "a name that is not there": (misspelt, ADAM, "'sqr' at test_rules.py:"),
    "a key that is not there": (missing, ADAM, "config or {'learning_rate': ...}"),
    "a closure that torch needs": (plain, torch.optim.LBFGS, "write reference=lambda params:"),
    "sparse gradients": (plain, torch.optim.SparseAdam, "write reference=lambda params:"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_in_the_call_is_one_line(name: str) -> None:
    scratch, optimizer, words = BAD[name]
    with pytest.raises(BadCall) as caught:
        judge_rule(scratch, optimizer)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_half_precision_is_refused() -> None:
    with pytest.raises(BadCall, match="float16"):
        judge_rule(plain, ADAM, dtypes=("float16",))


def test_what_a_rule_is_told_by_its_reference() -> None:
    assert is_rule(ADAM, ()) and is_rule(reference, ())
    assert not is_rule(ADAM, (np.zeros(2),))
    assert not is_rule(torch.nn.Linear(2, 2), ()) and not is_rule(lambda x: x, ()) and not is_rule(torch.sin, ())


@pytest.mark.parametrize("kind", ["ASGD", "Rprop", "RAdam", "Adafactor", "NAdam", "Adadelta", "Adamax"])
def test_any_of_torchs_classes_is_a_definition(kind: str) -> None:
    """Without a formula: a rule that is another is seen."""
    verdict = judge_rule(lambda w, dw: w - 1e-4 * np.tanh(dw), getattr(torch.optim, kind))
    assert verdict.side == "scratch"
    told(verdict)
