"""One two-layer net whose parameters stand in containers of every kind, gradients beside them or returned."""

from collections import namedtuple
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

SIZES = 4, 5, 3


def drawn(rng):
    a, b, c = SIZES
    return (
        0.6 * rng.standard_normal((a, b)),
        0.4 * rng.standard_normal(b),
        0.6 * rng.standard_normal((b, c)),
        0.4 * rng.standard_normal(c),
    )


def two_layers(x, y, W1, b1, W2, b2):
    h = np.tanh(x @ W1 + b1)
    s = h @ W2 + b2
    p = np.exp(s - s.max(1, keepdims=True))
    p = p / p.sum(1, keepdims=True)
    n = np.arange(len(x))
    d = p.copy()
    d[n, y] -= 1
    d /= len(x)
    dz = d @ W2.T * (1 - h * h)
    return -np.log(p[n, y]).mean(), p, x.T @ dz, dz.sum(axis=0), h.T @ d, d.sum(axis=0)


@dataclass
class Layer:
    kernel: np.ndarray
    offset: np.ndarray
    kernel_grad: np.ndarray | None = None
    offset_grad: np.ndarray | None = None


@dataclass
class Model:
    first: Layer
    second: Layer
    history: list = field(default_factory=list)

    def fit(self, x, y):
        one, two = self.first, self.second
        loss, _p, *g = two_layers(x, y, one.kernel, one.offset, two.kernel, two.offset)
        one.kernel_grad, one.offset_grad, two.kernel_grad, two.offset_grad = g
        self.history.append(float(loss))
        return loss


Params = namedtuple("Params", "W1 b1 W2 b2")


def of_namedtuple(params, x, y):
    loss, _p, *g = two_layers(x, y, *params)
    return loss, Params(*g)


class Slotted:
    __slots__ = ("b1", "b1_grad", "b2", "b2_grad", "loss", "w1", "w1_grad", "w2", "w2_grad")

    def __init__(self, w1, b1, w2, b2):
        self.w1, self.b1, self.w2, self.b2 = w1, b1, w2, b2

    def compute(self, x, y):
        self.loss, _, *g = two_layers(x, y, self.w1, self.b1, self.w2, self.b2)
        self.w1_grad, self.b1_grad, self.w2_grad, self.b2_grad = g


def of_nested(net, x, y):
    loss, _p, a, b, c, d = two_layers(
        x, y, net["layer1"]["W"], net["layer1"]["b"], net["layer2"]["W"], net["layer2"]["b"]
    )
    return {"cost": loss, "g": {"layer1": {"W": a, "b": b}, "layer2": {"W": c, "b": d}}}


U, u, V, v = drawn(np.random.default_rng(3))
dJdU = dJdu = dJdV = dJdv = None


def of_globals(x, y):
    global dJdU, dJdu, dJdV, dJdv
    J, _prob, dJdU, dJdu, dJdV, dJdv = two_layers(x, y, U, u, V, v)
    return J


class Static:
    W1, b1, W2, b2 = drawn(np.random.default_rng(4))

    @classmethod
    def loss(cls, x, y):
        loss, _p, *g = two_layers(x, y, cls.W1, cls.b1, cls.W2, cls.b2)
        return loss, {f"nabla_{k}": value for k, value in zip(("W1", "b1", "W2", "b2"), g, strict=False)}

    @staticmethod
    def evaluate(x, y):
        loss, _p, *g = two_layers(x, y, Static.W1, Static.b1, Static.W2, Static.b2)
        return loss, {f"g{k}": value for k, value in zip(("W1", "b1", "W2", "b2"), g, strict=False)}


def enclosed():
    weights = list(drawn(np.random.default_rng(5)))

    def outer():
        def inner(x, y):
            loss, _p, *g = two_layers(x, y, *weights)
            return loss, g

        return inner

    return outer()


class Called:
    def __init__(self, parts):
        self._theta = dict(zip(("wh", "bh", "wo", "bo"), parts, strict=False))
        self.lr = 0.1
        self.moments = {k: np.zeros_like(a) for k, a in self._theta.items()}

    @property
    def theta(self):
        return self._theta

    def __call__(self, x, y):
        loss, probs, *g = two_layers(x, y, *self.theta.values())
        return loss, probs, dict(zip(("wh_grad", "bh_grad", "wo_grad", "bo_grad"), g, strict=False))


class Property:
    """Arrays are made from one flat vector whenever they are asked for."""

    def __init__(self, parts):
        self.flat = np.concatenate([a.ravel() for a in parts])

    def part(self, begin, *shape):
        return self.flat[begin : begin + int(np.prod(shape))].reshape(shape)

    @property
    def W1(self):
        return self.part(0, 4, 5)

    @property
    def b1(self):
        return self.part(20, 5)

    @property
    def W2(self):
        return self.part(25, 5, 3)

    @property
    def b2(self):
        return self.part(40, 3)

    def loss_and_grad(self, x, y):
        loss, _p, *g = two_layers(x, y, self.W1, self.b1, self.W2, self.b2)
        return loss, np.concatenate([a.ravel() for a in g])


def task(seed=31):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    return net, (rng.standard_normal((7, 4)), rng.integers(0, 3, 7)), {"loss": F.cross_entropy}, drawn(rng)


def call_dataclass():
    net, data, keywords, (a, b, c, d) = task()
    return Model(Layer(a, b), Layer(c, d)).fit, net, data, keywords


def call_namedtuple():
    net, data, keywords, parts = task()
    params = Params(*parts)
    return (lambda x, y: of_namedtuple(params, x, y)), net, data, keywords | {"params": params}


def call_slots():
    net, data, keywords, parts = task()
    return Slotted(*parts).compute, net, data, keywords


def call_nested():
    net, data, keywords, (a, b, c, d) = task()
    tree = {"layer1": {"W": a, "b": b}, "layer2": {"W": c, "b": d}}
    return (lambda x, y: of_nested(tree, x, y)), net, data, keywords | {"params": tree}


def call_list_of_dicts():
    net, data, keywords, (a, b, c, d) = task()
    layers = [{"W": a, "b": b[None]}, {"W": c, "b": d[None]}]

    def run(x, y):
        loss, _p, *g = two_layers(x, y, layers[0]["W"], layers[0]["b"], layers[1]["W"], layers[1]["b"])
        return loss, [{"dW": g[0], "db": g[1][None]}, {"dW": g[2], "db": g[3][None]}]

    return run, net, data, keywords | {"params": layers}


def call_globals():
    net, data, keywords, _ = task()
    return of_globals, net, data, keywords


def call_classmethod():
    net, data, keywords, _ = task()
    return Static.loss, net, data, keywords


def call_staticmethod():
    net, data, keywords, _ = task()
    return Static.evaluate, net, data, keywords


def call_closures():
    net, data, keywords, _ = task()
    return enclosed(), net, data, keywords


def call_partial():
    net, data, keywords, parts = task()
    return partial(of_namedtuple, list(parts)), net, data, keywords


def call_callable():
    net, data, keywords, parts = task()
    return Called(parts), net, data, keywords


def call_property():
    net, data, keywords, parts = task()
    return Property(parts).loss_and_grad, net, data, keywords


def call_namespace():
    net, data, keywords, (a, b, c, d) = task()
    own = SimpleNamespace(hidden=SimpleNamespace(W=a, b=b), top=SimpleNamespace(W=c, b=d), seen=0)

    def run(x, y):
        own.seen += len(x)
        loss, _p, *g = two_layers(x, y, own.hidden.W, own.hidden.b, own.top.W, own.top.b)
        own.hidden.dW, own.hidden.db, own.top.dW, own.top.db = g
        return loss

    return run, net, data, keywords | {"params": own}


def call_read_only():
    net, data, keywords, parts = task()
    params = dict(zip(("W1", "b1", "W2", "b2"), parts, strict=False))
    for array in params.values():
        array.flags.writeable = False

    def run(x, y):
        loss, _p, *g = two_layers(x, y, *params.values())
        return loss, dict(zip(params, g, strict=False))

    return run, net, data, keywords | {"params": params}


def call_stale():
    """The list was made once and is what is passed; the net reads its attributes."""
    net, data, keywords, parts = task()
    model = Called(parts)
    params = list(model.theta.values())
    return (lambda x, y: model(x, y)), net, data, keywords | {"params": params}
