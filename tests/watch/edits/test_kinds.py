"""Each kind of edit: a statement as it is wrong, and one that must be among its edits."""

import ast
from textwrap import dedent, indent

import pytest

from tests.watch.edits.files import made, written
from twofold.compare.watch.edits.edit import Edit
from twofold.compare.watch.edits.listing import MOST, edits_of

# A function around the statement: what else it has to offer.
AROUND = """
    import numpy as np

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    class Net:
        def forward(self, x):
            if self.training:
                self.h1, self.h2 = np.tanh(x), 0.3 * x
            return self.h1 / self.scale

        def backward(self, x, W1, W2, dout, h1, h2, c_prev, c_next, db, mean, eps, t, z, stride, i, j):
            N = len(x)
            d1 = dout * (1 - h1**2)
            dW1 = h1.T @ d1 + self.reg * W1
            centred = d1 - d1.mean(axis=0)
"""
KINDS = {
    "divisor dropped": ("d /= N * N", "d /= N"),
    "factor dropped": ("d = 2 * dout", "d = dout"),
    "divided": ("d = x @ W1", "d = x @ W1 / N"),
    "divided by a length": ("d = dout.sum()", "d = dout.sum() / len(x)"),
    "times two": ("d = dout - x", "d = (dout - x) * 2"),
    "halved": ("d = dout - x", "d = (dout - x) / 2"),
    "negative": ("d = dout - x", "d = x - dout"),
    "sign dropped": ("db = -dout.sum(axis=0)", "db = dout.sum(axis=0)"),
    "sum for mean": ("db = dout.mean(axis=0)", "db = dout.sum(axis=0)"),
    "mean for sum": ("db = np.sum(dout, axis=0)", "db = np.mean(dout, axis=0)"),
    "transpose": ("dh = dout @ W1", "dh = dout @ W1.T"),
    "no transpose": ("dh = dout @ W1.T", "dh = dout @ W1"),
    "transpose in dot": ("dh = np.dot(dout, W1)", "dh = np.dot(dout, W1.T)"),
    "transposed whole": ("dW = (x.T @ dout)", "dW = (x.T @ dout).T"),
    "axis": ("e = np.exp(x).sum(axis=0, keepdims=True)", "e = np.exp(x).sum(axis=1, keepdims=True)"),
    "keepdims": ("e = x.sum(axis=1)", "e = x.sum(axis=1, keepdims=True)"),
    "no keepdims": ("e = x.sum(axis=1, keepdims=True)", "e = x.sum(axis=1)"),
    "one axis of two": ("db = dout.sum(axis=(0, 1))", "db = dout.sum(axis=(0,))"),
    "plus for minus": ("d = d1 - dout", "d = d1 + dout"),
    "times for plus": ("d = dout + h1", "d = dout * h1"),
    "over for times": ("y = 1.0 * (1 + x)", "y = 1.0 / (1 + x)"),
    "term dropped": ("d = dout + 2 * h1 - x", "d = dout + 2 * h1"),
    "idle term": ("d = dout @ W1", "d = dout @ W1 + c_next"),
    "term of a neighbour": ("dW2 = h2.T @ dout", "dW2 = h2.T @ dout + self.reg * W2"),
    "mask": ("d[h2 <= 0] = 0", "d[h1 <= 0] = 0"),
    "mask bound": ("d[h1 < 0] = 0", "d[h1 <= 0] = 0"),
    "of a step before": ("df = d1 * c_next", "df = d1 * c_prev"),
    "exchanged": ("a, b = h1 @ x, h2 @ z", "a, b = (h2 @ x, h1 @ z)"),
    "arguments": ("d = np.outer(x, dout)", "d = np.outer(dout, x)"),
    "square": ("d = dout * (1 - h1)", "d = dout * (1 - h1 ** 2)"),
    "a square, not twice": ("d = 1 - h1 * 2", "d = 1 - h1 ** 2"),
    "complement": ("d = dout * z", "d = dout * (1 - z)"),
    "factor that enters nothing": ("d = h2 * z + h1", "d = h2 * z + h1 * centred"),
    "product forgotten": ("dW = dout", "dW = c_next.T @ dout"),
    "taken from": ("d = mean", "d = c_next - mean"),
    "no square": ("d = dout * (1 - h1**2)", "d = dout * (1 - h1)"),
    "square of an operand": ("dW = x.T @ dout", "dW = x.T @ dout ** 2"),
    "slope of elsewhere": ("d = dout @ W1", "d = dout @ W1 * (1 - h1 ** 2)"),
    "rest of a slope": ("d = dout * z", "d = dout * z * (1 - z)"),
    "index": ("dW = d1 @ x[t]", "dW = d1 @ x[t - 1]"),
    "index of its own step": ("dW = d1 @ x[t - 1]", "dW = d1 @ x[t]"),
    "slice": ("y = x[1:]", "y = x[2:]"),
    "slice from the end": ("y = x[:t]", "y = x[t:]"),
    "reversed kernel": ("y = W1[:, :, t] * x", "y = W1[::-1, ::-1, t] * x"),
    "kernel forwards": ("y = W1[::-1, ::-1, t] * x", "y = W1[:, :, t] * x"),
    "padding": ("y = x[:, : -2 * t, : -2 * t]", "y = x[:, t:-t, t:-t]"),
    "stride": ("x[i, j] += dout", "x[i * stride, j * stride] += dout"),
    "eps outside": ("y = x / np.sqrt(z + eps)", "y = x / (np.sqrt(z) + eps)"),
    "eps inside": ("y = x / (np.sqrt(z) + eps)", "y = x / np.sqrt(z + eps)"),
    "root": ("y = x / z", "y = x / np.sqrt(z)"),
    "constant": ("y = x * 0.1", "y = x * 0.9"),
    "known constant": ("y = z + 1e-3", "y = z + 1e-05"),
    "eps": ("y = x / np.sqrt(z)", "y = x / (np.sqrt(z) + 1e-05)"),
    "eps by name": ("y = x / np.sqrt(z)", "y = x / np.sqrt(z + eps)"),
    "power of a decay": ("y = z / (1 - 0.9)", "y = z / (1 - 0.9 ** t)"),
    "counted from one": ("y = 0.5 ** (t // 4)", "y = 0.5 ** ((t - 1) // 4)"),
    "added": ("db = dout.sum()", "db += dout.sum()"),
    "overwritten": ("db += dout", "db = dout"),
    "subtracted": ("db += dout", "db -= dout"),
    "repeated indices": ("db[t] += dout", "np.add.at(db, t, dout)"),
    "in place": ("self.h1 = dout", "self.h1[...] = dout"),
    "copy": ("d = dout", "d = dout.copy()"),
    "dropped": ("d1 -= 1", "pass"),
    "divided after": ("d = dout - x", "d = dout - x\nd = d / N"),
    "divided before": ("return x @ d1", "d1 = d1 / N\nreturn x @ d1"),
    "path of a mean": ("d = d1 * z", "d = d1 * z - d1.mean(axis=0)"),
    "path of a deviation": ("d = d1 - d1.mean(axis=0)", "d = d1 - d1.mean(axis=0) - h2 * (d1 * h2).mean(axis=0)"),
    "softmax": ("d = z * (1 - z) * dout", "d = z * (dout - (dout * z).sum(axis=-1, keepdims=True))"),
    "maximum": ("y = np.exp(x)", "y = np.exp(x - x.max(axis=-1, keepdims=True))"),
    "function": ("y = np.exp(x)", "y = np.tanh(x)"),
    "function forgotten": ("d = 1 - x**2", "d = 1 - np.tanh(x) ** 2"),
    "function of the file": ("d = x * dout", "d = sigmoid(x) * dout"),
    "condition": ("y = x if self.training and t else h1", "y = x if self.training else h1"),
    "condition forgotten": ("y = x if x.max() > 0 else h1", "y = x if x.max() > 0 and (not c_next) else h1"),
    "None": ("return (d1, None)", "return (d1, c_next)"),
    "inside a call": ("y = np.sum(x * z + h1)", "y = np.sum(x * z) + h1"),
    "Bessel": ("var = 0.9 * eps + 0.1 * z", "var = 0.9 * eps + 0.1 * z * (N / (N - 1))"),
}
KNOWN = (0.9, 1e-5)


def edits(statement: str, before: str = "", after: str = "") -> list[Edit]:
    lines = [line for line in (before, statement, after) if line]
    text = dedent(AROUND) + indent("\n".join(lines), " " * 8) + "\n"
    file, _ = made(text)
    return list(edits_of(file, text.splitlines().index(indent(statement, " " * 8)) + 1, KNOWN))


def by_itself(statement: ast.stmt) -> bool:
    """Whether something is divided by itself."""
    parts = [node for node in ast.walk(statement) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]
    return any(ast.dump(node.left) == ast.dump(node.right) for node in parts)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_edit(kind: str) -> None:
    statement, wanted = KINDS[kind]
    found = edits(statement)
    assert wanted in {written(edit) for edit in found}
    assert len({written(edit) for edit in found}) == len(found) <= MOST, "each once, and some hundreds"
    assert not [edit.told for edit in found if any(map(by_itself, edit.statements))], "that makes up for a mistake"
    assert [edit.rank for edit in found] == sorted(edit.rank for edit in found)
    assert ast.unparse(ast.parse(statement)) not in {written(edit) for edit in found}


def test_two_statements() -> None:
    found = {written(edit) for edit in edits("db = d1 * h1", after="dg = dout * h2")}
    assert {"dg = dout * h2\ndb = d1 * h1", "db = dout * h2\ndg = d1 * h1", "db = d1 * h2\ndg = dout * h1"} <= found


TOLD = {
    "db = dout.mean(axis=0)": "with `sum` for `mean` in line 18",
    "dh = dout @ W1": "with `W1.T` for `W1` in line 18",
    "e = np.exp(x).sum(axis=0)": "with axis=1 for axis=0 in line 18",
    "d = dout / N": "with `/ N` dropped in line 18",
}


@pytest.mark.parametrize("statement", TOLD)
def test_what_is_told(statement: str) -> None:
    assert TOLD[statement] in [edit.told for edit in edits(statement)[:6]]


LEFT_ALONE = ("import math", "while t > 0:\n            t = t - 1", "print(x * 2)", "np.save(x, z / 2)", "pass")


@pytest.mark.parametrize("statement", LEFT_ALONE)
def test_what_is_left_alone(statement: str) -> None:
    text = dedent(AROUND) + " " * 8 + statement + "\n"
    file, _ = made(text)
    start = len(dedent(AROUND).splitlines()) + 1
    assert [edit.told for line in range(start, start + 2) for edit in edits_of(file, line)] == []


def test_nothing_stands_at_a_line() -> None:
    file, _ = made("x = 1\n")
    assert list(edits_of(file, 7)) == [] == list(edits_of("no file.py", 1))


def test_loops_are_over_what_they_were_over() -> None:
    """A loop that goes over what its body appends to never ends."""
    file, _ = made("def f(xs):\n    ys = []\n    for x in xs:\n        ys.append(x)\n    return ys\n")
    headers = {written(edit).splitlines()[0] for edit in edits_of(file, 3)}
    assert not {one for one in headers if "in ys" in one}
    assert not {one for one in map(written, edits_of(file, 4)) if "xs.append" in one}
