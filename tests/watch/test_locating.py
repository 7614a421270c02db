"""Where two sides part: a mistake in a known line is found there or at its first use; right code parts nowhere."""

from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from tests.own.lines import faulty, first_uses  # noqa: E402
from tests.watch.nets import FUNCTIONS, MISTAKES, STEPS, TEXTS  # noqa: E402
from tests.watch.texts import PRELUDE, watch, written  # noqa: E402
from twofold.compare.watch.flow import Flow  # noqa: E402
from twofold.compare.watch.locating import Parting, parted  # noqa: E402
from twofold.compare.watch.matching import ONE, WITHIN, Pool, multiple  # noqa: E402
from twofold.compare.watch.operations import Operations, explicit  # noqa: E402
from twofold.scratch.module import Array  # noqa: E402

Arrays = dict[str, Array]
HOW = ("random", "one sample", "the same samples", "rank one", "zeros", "symmetric")


def drawn(style: str, how: str) -> tuple[Array, Array, Arrays]:
    """Inputs, targets and parameters, samples in rows; `how` brings equal values about."""
    rng = np.random.default_rng(7)
    n = 1 if how == "one sample" else 5
    if style == "steps":
        sizes: dict[str, tuple[int, ...]] = {"wx": (3, 4), "wh": (4, 4), "b": (4,)}
        x, y = rng.normal(size=(3, n, 3)), rng.normal(size=(n, 4))
    else:
        sizes = {"w1": (3, 4), "b1": (4,), "w2": (4, 3), "b2": (3,)}
        x, y = rng.normal(size=(n, 3)), np.eye(3)[rng.integers(0, 3, n)]
    p = {name: rng.normal(size=shape) for name, shape in sizes.items()}
    if how == "the same samples":
        x[...], y[...] = x[..., :1, :], y[:1]
    elif how == "rank one":
        x[...] = np.arange(1.0, n + 1)[:, None] * x[..., :1, :]
    elif how == "zeros":
        p["wh" if style == "steps" else "w2"][:, 0] = 0
    elif how == "symmetric":
        name = "wh" if style == "steps" else "w1"
        p[name][:3, :3] += p[name][:3, :3].T
    return x, y, p


@cache
def torchs(style: str, how: str) -> tuple[Arrays, Pool]:
    x, y, p = drawn(style, how)
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in {**p, "x": x}.items()}
    target, operations = torch.tensor(y), Operations()
    with explicit(operations, {}, {name: leaf for name, leaf in leaves.items() if name != "x"}):
        if style == "steps":
            out = torch.zeros(x.shape[1], 4, dtype=torch.float64)
            for step in leaves["x"].unbind():
                out = (step @ leaves["wx"] + out @ leaves["wh"] + leaves["b"]).tanh()
            loss = F.mse_loss(out, target)
        else:
            h = F.linear(leaves["x"], leaves["w1"].t(), leaves["b1"]).tanh()
            out = F.linear(h, leaves["w2"].t(), leaves["b2"])
            loss = F.cross_entropy(out, target)
        loss.backward()
    found = {name: leaf.grad.numpy() for name, leaf in leaves.items()}
    found |= {"out": out.detach().numpy(), "loss": np.asarray(loss.item())}
    return found, Pool([*((("torch", name), value) for name, value in found.items()), *operations.values()])


def located(style: str, text: str, how: str) -> tuple[Parting | None, Flow, list[str]]:
    """Where a text parts from torch, and what results differ."""
    x, y, p = drawn(style, how)
    golden, pool = torchs(style, how)
    if style == "columns":
        x, y, p = x.T, y.T, {name: value[:, None] if value.ndim == 1 else value.T for name, value in p.items()}
        golden = {name: value[:, None] if value.ndim == 1 else value.T for name, value in golden.items()}
    module = written(text)
    results, watcher = watch(lambda: module.run(x, y, p), given=[x, y, *p.values()])
    assert not watcher.dropped
    wrong, right, off = {}, set(), []
    for name, array in results.items():
        value = np.asarray(array)
        same = np.allclose(value, golden[name], rtol=1e-9, atol=1e-12)
        if not same and value.size > 1:
            factor = multiple(np.sort(value.ravel()), golden[name].ravel(), WITHIN["float64"])
            off += [factor] if factor is not None and abs(factor - 1) > ONE else []
        if (number := watcher.trace.known(value)) is None:
            continue
        if same:
            right.add(number)
        else:
            wrong[name] = number
    flow = Flow(watcher.trace, pool, wrong, right - set(wrong.values()), off)
    return parted(flow) if wrong else None, flow, list(wrong)


# What is told elsewhere, and why; what is told must be no more than this.
ELSEWHERE = {
    ("samples", 'grads["b2"] = d'): "what is put away is another's value: its number is that of the line that made it",
    ("functions", "e / e.sum(axis=0"): "of one sample, or equal ones, it gives the same number throughout",
}

CASES = [(style, *mistake) for style, mistakes in MISTAKES.items() for mistake in mistakes]


@cache
def placed(style: str, old: str, new: str, how: str) -> str:
    text = TEXTS[style]
    assert text.count(old) == 1, old
    before, after = PRELUDE + text, PRELUDE + text.replace(old, new)
    found, _, wrong = located(style, text.replace(old, new), how)
    if not wrong:
        return "nothing differs"
    if found is None:
        return "none"
    line = found.statement.line
    return (
        "faulty line"
        if line in faulty(before, after)
        else ("first use" if line in first_uses(before, after) else f"elsewhere: {line} {found.statement.text}")
    )


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("style", TEXTS)
def test_right_code_parts_nowhere(style: str, how: str) -> None:
    found, flow, wrong = located(style, TEXTS[style], how)
    assert (found, wrong) == (None, [])
    assert not [value for value in flow.right if not flow.agrees(value)]


@pytest.mark.parametrize(("style", "old", "new"), CASES)
def test_a_mistake_is_found(style: str, old: str, new: str) -> None:
    for how in HOW:
        where = placed(style, old, new, how)
        if (style, new) not in ELSEWHERE:
            assert where in ("faulty line", "first use", "nothing differs"), f"{how}: {where}"
        assert how != "random" or where != "nothing differs"


def test_most_are_the_faulty_line() -> None:
    told = [placed(*case, "random") for case in CASES]
    assert told.count("faulty line") >= 0.8 * len(told)
    assert sum(one.startswith("elsewhere") for one in told) == 1


def test_a_wrong_result_that_no_line_made() -> None:
    _, flow, _ = located("functions", FUNCTIONS.replace("(1 - h**2)", "(1 - h)"), "random")
    flow.wrong = {"w1": len(flow.trace.values)}  # as what compiled code gives
    flow.trace.values.append(np.full((3, 4), 2.5))
    assert parted(flow) is None


def test_what_is_told_of_a_place() -> None:
    text = STEPS.replace("dwh += hs[t - 1].T @ dz", "dwh += hs[t].T @ dz")
    found, _, wrong = located("steps", text, "random")
    assert found is not None
    assert wrong == ["wh"]
    assert (found.name, found.times, found.runs, found.statement.text) == ("dwh", 0, 3, "dwh += hs[t].T @ dz")
    assert {one.name for one in found.agreeing} >= {"dz"}
    assert found.suspects[0] is found.statement
    other = found.suspects[1]
    assert found.shifted(other.file, other.line).statement is other
    assert found.shifted("nowhere", 1).statement is found.statement
