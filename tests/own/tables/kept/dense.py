"""Nets of dense layers: their arrays, the ways in which these may be kept, and mistakes."""

from tests.own.tables.kept.owner import DENSE, Faults, Owner, keyed, linears, of, returned

OWNERS: dict[str, Owner] = {
    "params-dict": Owner(
        1,
        "params_dict",
        "call",
        lambda p: keyed(p.scratch.__self__.params, "W1 b1 W2 b2 W3 b3"),
        returned(1),
        linears({"0": "1", "2": "2", "4": "3"}),
    ),
    "pixels": Owner(
        1,
        "pixels",
        "call",
        lambda p: keyed(p.scratch.__self__.params, "W1 b1 W2 b2"),
        returned(1),
        linears({"fc1": "1", "fc2": "2"}),
    ),
    "columns": Owner(
        3,
        "columns",
        "call",
        lambda p: keyed(p.held("parameters"), "W1 b1 W2 b2 W3 b3"),
        returned(1, "d"),
        linears({"0": "1", "2": "2", "4": "3"}, "{}"),
    ),
    "lists-biases-first": Owner(
        8,
        "lists_biases_first",
        "call",
        lambda p: {
            f"{word}{n + 1}": (getattr(p.keywords["params"], many), n)
            for word, many in (("W", "weights"), ("b", "biases"))
            for n in range(3)
        },
        of(
            1,
            lambda p, given: {
                f"{word}{n + 1}": given[1][place][n] for word, place in (("W", 1), ("b", 0)) for n in range(3)
            },
        ),
        linears({"net.0": "1", "net.2": "2", "net.4": "3"}, "{}"),
    ),
    "flat-vector": Owner(
        0,
        "flat_vector",
        "call",
        lambda p: {"theta": (p.cell("theta"), "cell_contents")},
        of(1, lambda p, given: {"theta": given[1]}),
        {
            "net.0.weight": "theta[:20].reshape(4, 5)",
            "net.0.bias": "theta[20:24]",
            "net.2.weight": "theta[24:36].reshape(3, 4)",
            "net.2.bias": "theta[36:39]",
        },
    ),
}

WAYS: dict[str, dict[str, dict[str, str]]] = {
    "params-dict": DENSE,
    "pixels": {"shuffled": "p0 b2; q7 W2.T; r2 b1; s5 W1.T", "lying": "W1 W2; W2 W1; b1 b2; b2 b1"},
    "columns": {
        "shuffled": "p0 b2; q7 W3; r2 W2; s5 b1; t1 W1; u9 b3",
        "transposed": "p0 W2.T; q7 W1.T; r2 b3; s5 W3.T; t1 b1; u9 b2",
        "flat-biases": "p0 b2.ravel(); q7 W3.T; r2 W2; s5 b1.ravel(); t1 W1.T; u9 b3.ravel()",
        "first-column": "p0 hstack([b3, W3]); q7 hstack([b1, W1]); r2 hstack([b2, W2])",
    },
    "lists-biases-first": {
        "shuffled": "p0 b2; q7 W3; r2 W2; s5 b1; t1 W1; u9 b3",
        "transposed": "p0 W2.T; q7 W1.T; r2 b3; s5 W3.T; t1 b1; u9 b2",
        "one-vector": DENSE["one-vector"],
    },
    "flat-vector": {
        "shuffled": "theta concatenate([theta[:20].reshape(4, 5).ravel('F'), theta[20:24], "
        "theta[24:36].reshape(3, 4).ravel('F'), theta[36:]])",
        "biases-last": "v concatenate([theta[24:36], theta[36:], theta[:20], theta[20:24]])",
        "apart": "p0 theta[36:]; q7 theta[:20].reshape(4, 5).T; r2 theta[20:24]; s5 theta[24:36].reshape(3, 4).T",
    },
}

FAULTS: dict[str, Faults] = {
    "params-dict": {
        "transpose": ({"dh2 @ W2.T": "dh2 @ W2"}, "backward: transpose forgotten"),
        "bias-mean": ({"dh1.sum(axis=0)": "dh1.mean(axis=0)"}, "backward: mean of a bias gradient"),
        "skipped": ({"scores = h2 @ W3 + b3": "scores = h1 @ W3 + b3"}, "forward: a layer skipped"),
        "forward-transpose": ({"h1 @ W2 + b2": "h1 @ W2.T + b2"}, "forward: a square matrix transposed"),
        "outside": ({"np.maximum(0, X @ W1 + b1)": "np.maximum(0, X @ W1) + b1"}, "forward: bias behind the ReLU"),
    },
    "columns": {
        "sigmoid": ({"dA * AL * (1 - AL)": "dA * AL"}, "backward: half of a derivative"),
        "minus": ({"Z = W @ A + b": "Z = W @ A - b"}, "forward: a bias taken off"),
    },
    "lists-biases-first": {
        "sigmoid": ({"y) * sigmoid_prime(zs[-1])": "y)"}, "backward: a derivative forgotten"),
        "minus": ({"np.dot(w, a) + b": "np.dot(w, a) - b"}, "forward: a bias taken off"),
    },
    "flat-vector": {
        "sigmoid": ({"a2 * (1 - a2)": "(1 - a2)"}, "backward: half of a derivative"),
        "minus": ({"X @ Theta1.T + b1": "X @ Theta1.T - b1"}, "forward: a bias taken off"),
    },
}
