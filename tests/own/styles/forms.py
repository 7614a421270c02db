"""One linear map with a loss, over data of every form: float32, integers, labels from 1, columns, one sample."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def softmax(s, axis):
    e = np.exp(s - s.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


class Rows:
    """Samples in rows."""

    def __init__(self, rng, n_in, n_out, dtype=np.float64):
        self.weight = (0.5 * rng.standard_normal((n_in, n_out))).astype(dtype)
        self.bias = (0.5 * rng.standard_normal((1, n_out))).astype(dtype)

    def scores(self, x):
        return x @ self.weight + self.bias

    def backward(self, x, d):
        return {"weight": x.T @ d, "bias": d.sum(axis=0, keepdims=True)}

    def from_one(self, x, labels):
        """Labels run from 1."""
        p = softmax(self.scores(x), 1)
        d = (p - np.eye(p.shape[1])[np.asarray(labels) - 1]) / len(x)
        return -np.log(p[np.arange(len(x)), np.asarray(labels) - 1]).mean(), p, self.backward(x, d)

    def signs(self, x, y):
        """Labels are -1 and 1."""
        s = self.scores(x)[:, 0]
        loss = np.log1p(np.exp(-y * s)).mean()
        d = -y / (1 + np.exp(y * s)) / y.size
        return loss, s, self.backward(x, d[:, None])

    def one_hot(self, x, t):
        p = softmax(self.scores(x), 1)
        return -(t * np.log(p)).sum() / len(x), self.backward(x, (p - t) / len(x))

    def squares(self, x, y):
        e = self.scores(x) - y.reshape(-1, 1)
        return np.mean(e**2), self.backward(x, 2 * e / e.size)

    def binary(self, x, y):
        a = 1 / (1 + np.exp(-self.scores(x)))
        y = np.asarray(y).reshape(a.shape)
        loss = -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))
        return loss, a, self.backward(x, (a - y) / len(a))

    def hard_float32(self, x, y):
        x = np.asarray(x, dtype=np.float32)
        e = (x @ self.weight.astype(np.float32) + self.bias.astype(np.float32)) - np.float32(y)
        d = (2 / e.size * e).astype(np.float32)
        return float((e**2).mean()), {"weight": x.T @ d, "bias": d.sum(axis=0, keepdims=True)}

    def margins(self, x, y):
        """The hinge over all other classes."""
        s = self.scores(x)
        n = np.arange(len(x))
        gap = np.maximum(0, s - s[n, y][:, None] + 1)
        gap[n, y] = 0
        d = (gap > 0).astype(float)
        d[n, y] = -d.sum(axis=1)
        return gap.sum() / s.size, self.backward(x, d / s.size)


class Columns:
    """Samples in columns."""

    def __init__(self, rng, n_in, n_out):
        self.W = 0.5 * rng.standard_normal((n_out, n_in))
        self.b = 0.5 * rng.standard_normal((n_out, 1))

    def cost(self, X, Y):
        A = softmax(self.W @ X + self.b, 0)
        m = X.shape[1]
        self.dW = (A - Y) @ X.T / m
        self.db = (A - Y).sum(axis=1, keepdims=True) / m
        return -np.sum(Y * np.log(A)) / m, A

    def single(self, x, y):
        """One sample, a vector."""
        a = np.tanh(self.W @ x + self.b[:, 0])
        d = (a - y) * (1 - a * a)
        self.dW, self.db = np.outer(d, x), d.reshape(-1, 1)
        return 0.5 * np.sum((a - y) ** 2)


class Table:
    """Words by their numbers, a list of them, a mean, and a score for each class."""

    def __init__(self, rng):
        self.params = {"E": rng.standard_normal((9, 4)), "W": rng.standard_normal((4, 3))}

    def loss(self, ids, label):
        E, W = self.params["E"], self.params["W"]
        h = E[ids].mean(axis=0)
        p = softmax(h @ W, 0)
        d = p.copy()
        d[label] -= 1
        dE = np.zeros_like(E)
        for i in ids:
            dE[i] += W @ d / len(ids)
        return -np.log(p[label]), {"E": dE, "W": np.outer(h, d)}


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(9, 4)
        self.out = nn.Linear(4, 3, bias=False)

    def forward(self, ids):
        return self.out(self.emb(ids).mean(0))


def signed(out, y):
    return F.softplus(-y * out.squeeze(-1)).mean()


def start(n_out=3, seed=41, batch=6, **more):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    return rng, Rows(rng, 4, n_out, **more), nn.Linear(4, n_out), rng.standard_normal((batch, 4))


def call_from_one():
    rng, model, net, x = start()
    return model.from_one, net, (x, rng.permutation([1, 2, 3, 1, 2, 3])), {"loss": F.cross_entropy}


def call_list_from_one():
    _rng, model, net, x = start()
    return model.from_one, net, (x, [3, 1, 2, 2, 1, 3]), {"loss": F.cross_entropy}


def call_signs():
    _rng, model, net, x = start(1)
    return model.signs, net, (x, np.array([1.0, -1, -1, 1, 1, -1])), {"loss": signed}


def call_integer_signs():
    _rng, model, net, x = start(1)
    return model.signs, net, (x, np.array([1, -1, -1, 1, 1, -1])), {"loss": signed}


def call_one_hot():
    _rng, model, net, x = start()
    return model.one_hot, net, (x, np.eye(3)[[0, 2, 1, 1, 0, 2]]), {"loss": nn.CrossEntropyLoss()}


def call_one_hot_integers():
    _rng, model, net, x = start()
    return (
        model.one_hot,
        nn.Sequential(net, nn.LogSoftmax(1)),
        (x, np.eye(3, dtype=int)[[0, 2, 1, 1, 0, 2]]),
        {"loss": nn.NLLLoss()},
    )


def call_flat_target():
    rng, model, net, x = start(1)
    return model.squares, net, (x, rng.standard_normal(6)), {"loss": nn.MSELoss()}


def call_column_target():
    rng, model, net, x = start(1)
    return model.squares, net, (x, rng.standard_normal((6, 1))), {"loss": F.mse_loss}


def call_row_target():
    rng, model, net, x = start(1)
    return model.squares, net, (x, rng.standard_normal((1, 6))), {"loss": F.mse_loss}


def call_batch_of_one():
    _rng, model, net, x = start(2, batch=1)
    return model.one_hot, net, (x, np.array([[0.0, 1.0]])), {"loss": nn.CrossEntropyLoss()}


def call_binary_integers():
    _rng, model, net, x = start(1)
    return model.binary, net, (x, np.array([0, 1, 1, 0, 1, 1])), {"loss": nn.BCEWithLogitsLoss()}


def call_binary_list():
    _rng, model, net, x = start(1)
    return model.binary, nn.Sequential(net, nn.Sigmoid()), (x, [0, 1, 1, 0, 1, 0]), {"loss": nn.BCELoss()}


def call_float32():
    _rng, model, net, x = start(3, dtype=np.float32)
    return (
        model.one_hot,
        net,
        (x.astype(np.float32), np.eye(3, dtype=np.float32)[[0, 2, 1, 1, 0, 2]]),
        {"loss": nn.CrossEntropyLoss()},
    )


def call_hard_float32():
    rng, model, net, x = start(3)
    return model.hard_float32, net, (x, rng.standard_normal((6, 3))), {"loss": nn.MSELoss()}


def call_float32_only():
    rng, model, net, x = start(3, dtype=np.float32)
    y = rng.standard_normal((6, 3)).astype("f")
    return model.hard_float32, net, (x.astype("f"), y), {"loss": nn.MSELoss(), "dtypes": ("float32",)}


def call_margins():
    _rng, model, net, x = start()
    return model.margins, net, (x, np.array([0, 2, 1, 1, 0, 2])), {"loss": nn.MultiMarginLoss()}


def call_columns():
    rng, _, net, x = start()
    model = Columns(rng, 4, 3)
    return model.cost, net, (x.T.copy(), np.eye(3)[:, [0, 2, 1, 1, 0, 2]]), {"loss": nn.CrossEntropyLoss()}


def call_single():
    rng, *_ = start()
    model, net = Columns(rng, 4, 3), nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    return model.single, net, (rng.standard_normal(4), rng.uniform(-1, 1, 3)), {"loss": halves}


def halves(out, y):
    return 0.5 * ((out - y) ** 2).sum()


def call_words():
    rng, *_ = start()
    return Table(rng).loss, Bag(), ([1, 4, 4, 8, 0], 2), {"loss": F.cross_entropy}


def call_reference_data():
    _rng, model, net, x = start()
    y = np.array([3, 1, 2, 2, 1, 3])
    return model.from_one, net, (x, y), {"loss": F.cross_entropy, "reference_data": (torch.tensor(x), y - 1)}
