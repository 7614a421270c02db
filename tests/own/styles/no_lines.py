"""Code without lines that could be watched: made from a text that lies in no file, or of NumPy's functions alone."""

from functools import partial

import numpy as np
import torch
from torch import nn

SOURCE = """
import numpy as np

def loss(p, x, y):
    h = np.tanh(x @ p["t1"].T + p["r2"])
    k = np.tanh(h @ p["q7"] + p["u9"])
    out = k @ p["s5"] + p["p0"]
    e = out - y
    d = 2 * e / e.size
    dk = d @ p["s5"].T * (1 - k**2)
    dh = dk @ p["q7"].T * (1 - h**2)
    grads = {"s5": k.T @ d, "p0": d.sum(axis=0), "q7": h.T @ dk, "u9": dk.sum(axis=0)}
    return (e**2).mean(), out, grads | {"t1": dh.T @ x, "r2": dh.sum(axis=0)}
"""


def built():
    space = {"__name__": "built"}
    exec(compile(SOURCE, "<built>", "exec"), space)
    return space["loss"]


def call_built():
    """Only `loss` runs, of which there are no lines in a file."""
    rng = np.random.default_rng(324)
    torch.manual_seed(324)
    shapes = {"p0": (3,), "q7": (5, 5), "r2": (5,), "s5": (5, 3), "t1": (5, 4), "u9": (5,)}
    params = {name: 0.6 * rng.standard_normal(shape) for name, shape in shapes.items()}
    reference = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 3))
    data = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    return partial(built(), params), reference, data, {"params": params, "loss": nn.MSELoss()}


def call_numpy():
    """Two linear maps in one of NumPy's own functions; forward alone."""
    rng = np.random.default_rng(325)
    torch.manual_seed(325)
    params = {"p0": rng.standard_normal((3, 5)), "q7": rng.standard_normal((4, 5))}
    net = partial(np.einsum, "kj,ij,ni->nk", params["p0"], params["q7"])
    reference = nn.Sequential(nn.Linear(4, 5, bias=False), nn.Linear(5, 3, bias=False))
    return net, reference, (rng.standard_normal((6, 4)),), {"params": params}
