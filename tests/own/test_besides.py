"""Two differences: a forward pass that is off by next to nothing, and a gradient that is off by far more."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch import nn

from twofold import Verdict, judge

rng = np.random.default_rng(5)
X, Y = rng.standard_normal((7, 3)), rng.integers(0, 4, 7)
W, b = rng.standard_normal((3, 4)), rng.standard_normal(4)


def loss_of(little: float, slope: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Softmax and cross-entropy with something within the log; `slope` is of what is sent to the scores."""

    def loss(x: Any, y: Any) -> Any:
        p = np.exp(x @ W + b)
        p /= p.sum(axis=1, keepdims=True)
        rows = np.arange(len(y))
        total = -np.log(p[rows, y] + little).mean()
        d = p.copy()
        d[rows, y] -= 1
        d = slope(d) / len(y)
        return total, {"W": x.T @ d, "b": d.sum(axis=0)}

    return loss


def verdict_on(little: float, slope: Callable[[Any], Any]) -> Verdict:
    layout = {"weight": "W.T", "bias": "b"}
    params = {"W": W, "b": b}
    given = {"loss": nn.CrossEntropyLoss(), "params": params, "layout": layout, "dtypes": ("float64",)}
    return judge(loss_of(little, slope), nn.Linear(3, 4), X, Y, **given)


CASES = {  # what stands within the log, what is made of the gradient; whose it is, and what is told first
    "next to nothing, and a gradient that is off": (1e-12, lambda d: 1.5 * d, "scratch", "W"),
    "much, and a gradient that is off": (1e-1, lambda d: 1.5 * d, "scratch", "loss"),
    "next to nothing, and a gradient that is off by as little": (1e-12, lambda d: d * (1 + 1e-9), "open", "loss"),
    "next to nothing, and nothing else": (1e-12, lambda d: d, "conventions", "loss"),
}


@pytest.mark.parametrize("what", CASES)
def test_what_is_told_first(what: str) -> None:
    little, slope, side, first = CASES[what]
    verdict = verdict_on(little, slope)
    assert (verdict.outcome, verdict.side, verdict.tensor) == ("different", side, first), str(verdict)
    besides = [text for key, text in verdict.lines if key == "loss" and "besides" in text]
    assert bool(besides) == (first != "loss"), str(verdict)


def test_the_line_is_that_of_the_gradient() -> None:
    verdict = verdict_on(1e-12, lambda d: 1.5 * d)
    assert verdict.place.line is not None
    text = dict(verdict.lines)["line"]
    assert "slope(d)" in text or "1.5 * d" in text, str(verdict)
