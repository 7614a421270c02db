"""Mistakes in the call: each is one clear line, that says what was expected, what was found, what to write instead."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from twofold import judge

RNG = np.random.default_rng(9)
X, Y, ONES = RNG.standard_normal((5, 3)), RNG.standard_normal((5, 2)), np.ones((5, 3))


class Fit:
    def __init__(self, n_out: int = 2) -> None:
        self.W, self.b = RNG.standard_normal((3, n_out)), RNG.standard_normal(n_out)

    def loss(self, x: Any, y: Any) -> Any:
        e = x @ self.W + self.b - y
        return np.mean(e**2), {"W": x.T @ e * 2 / e.size, "b": 2 * e.sum(0) / e.size}

    def only_loss(self, x: Any, y: Any) -> Any:
        return self.loss(x, y)[0]

    def nothing(self, x: Any, y: Any) -> None:
        return None

    def breaks(self, x: Any, y: Any) -> None:
        raise RuntimeError("no such thing")

    def step(self, x: Any, y: Any) -> None:
        pass


FIT, NET, MSE = Fit(), nn.Linear(3, 2), {"loss": nn.MSELoss()}


def broken(*tensors: Any) -> None:
    raise RuntimeError("not built yet")


def bare(x: Any, y: Any) -> Any:
    return np.mean((x @ np.ones((3, 2)) - y) ** 2)


HALF, WHOLE = X.astype(np.float16), {"W": np.ones((3, 2), int), "b": np.zeros(2, int)}
MISTAKES: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "shape": (lambda: judge(FIT.loss, NET, RNG.standard_normal((5, 4)), Y, **MSE), ("(5, 4)",)),
    "float16": (lambda: judge(FIT.loss, NET, HALF, Y, **MSE), ("data[0]", "float16", "astype")),
    "float16 params": (
        lambda: judge(FIT.loss, NET, X, Y, params={"W": FIT.W.astype(np.float16)}, **MSE),
        ("float16", "astype"),
    ),
    "integer params": (lambda: judge(bare, NET, X, Y, params=WHOLE, **MSE), ("int64", "astype(float)")),
    "forgotten target": (lambda: judge(FIT.loss, NET, X), ("scratch", "y")),
    "loss without target": (lambda: judge(FIT.loss, NET, X, **MSE), ("target",)),
    "forgotten params": (lambda: judge(bare, NET, X, Y, **MSE), ("params",)),
    "layout name": (
        lambda: judge(FIT.loss, NET, X, Y, layout={"weights": "W.T"}, **MSE),
        ("layout", "weight", "'weights'"),
    ),
    "layout expression": (lambda: judge(FIT.loss, NET, X, Y, layout={"weight": "V.T"}, **MSE), ("V.T", "W (3, 2)")),
    "layout shape": (
        lambda: judge(FIT.loss, NET, X, Y, layout={"weight": "W"}, **MSE),
        ("layout", "(3, 2)", "(2, 3)"),
    ),
    "layout product": (lambda: judge(FIT.loss, NET, X, Y, layout={"weight": "2 * W.T"}, **MSE), ("layout", "2 * W.T")),
    "step alone": (lambda: judge(FIT.loss, NET, X, Y, step=FIT.step, **MSE), ("optimizer=", "reference_step=")),
    "idle step": (
        lambda: judge(FIT.loss, NET, X, Y, step=FIT.step, optimizer=lambda p: torch.optim.SGD(p, lr=0.1), **MSE),
        ("step", "params="),
    ),
    "step no callable": (lambda: judge(FIT.loss, NET, X, Y, step=3, optimizer=1, **MSE), ("step", "callable")),
    "scratch raises": (lambda: judge(FIT.breaks, NET, X, Y, **MSE), ("no such thing", "(5, 3)")),
    "scratch gives nothing": (lambda: judge(FIT.nothing, NET, X, Y, **MSE), ("scratch", "nothing")),
    "reference raises": (lambda: judge(FIT.loss, broken, X, Y, **MSE), ("not built yet", "reference")),
    "reference is none": (lambda: judge(FIT.loss, 3, X, Y, **MSE), ("reference", "nn.Module")),
    "empty": (lambda: judge(FIT.loss, NET, X[:0], Y[:0], **MSE), ("(0, 3)",)),
    "no data": (lambda: judge(FIT.loss, NET), ("data",)),
    "ragged": (lambda: judge(FIT.loss, NET, [[1.0, 2, 3], [1.0]], Y, **MSE), ("data[0]",)),
    "words": (lambda: judge(FIT.loss, NET, ["a", "b"], Y, **MSE), ("data[0]",)),
    "a word": (lambda: judge(FIT.loss, NET, "train.csv", Y, **MSE), ("train.csv",)),
    "words in an array": (lambda: judge(FIT.loss, NET, np.array(["a", "b"]), Y, **MSE), ("data[0]", "<U1")),
    "none": (lambda: judge(FIT.loss, NET, None, Y, **MSE), ("None",)),
    "other width": (lambda: judge(FIT.loss, nn.Linear(3, 4), X, Y, **MSE), ("(5, 2)", "reference_data=")),
    "more weights": (
        lambda: judge(FIT.loss, nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)), X, Y, **MSE),
        ("1.weight (2, 2)", "layout"),
    ),
    "other object": (lambda: judge(FIT.loss, NET, X, Y, params=Fit(), **MSE), ("params", "effect")),
    "not a pair": (lambda: judge((1, 2), NET, X), ("pair",)),
    "three": (lambda: judge((FIT.loss, FIT.loss, FIT.loss), NET, X), ("pair", "3")),
    "not callable": (lambda: judge(4, NET, X), ("scratch", "callable")),
    "loss not callable": (lambda: judge(FIT.loss, NET, X, Y, loss="mse"), ("loss", "mse")),
    "dtype": (lambda: judge(FIT.loss, NET, X, Y, dtypes=("float8",), **MSE), ("float8", "float32")),
    "reference data": (
        lambda: judge(FIT.loss, NET, X, Y, reference_data=(X,), **MSE),
        ("reference_data", "2", "1"),
    ),
    "device": (lambda: judge(FIT.loss, NET, X, Y, device="tpu", **MSE), ("device", "'cuda'", "'tpu'")),
    "modes": (lambda: judge(FIT.loss, NET, X, Y, modes=FIT.step, **MSE), ("modes", "two")),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_call_is_one_line(name: str) -> None:
    call, words = MISTAKES[name]
    with pytest.raises(ValueError) as raised:
        call()
    told = str(raised.value)
    assert type(raised.value).__name__ == "BadCall", told
    assert "\n" not in told
    assert [word for word in words if word not in told] == [], told
