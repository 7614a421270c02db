"""torch's operations one by one: fused ones written out give its own numbers, and of each is known whence it is."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from twofold.compare.sides.trace import watch_reference  # noqa: E402
from twofold.compare.watch.operations import Operations, explicit  # noqa: E402

EXACT = 1e-12


def normal(*shape: int, seed: int = 0) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=torch.float64)


def inner(*shape: int) -> Any:
    return normal(*shape).sigmoid().detach()


LABELS = torch.tensor([2, 0, 1, 2])
MASK = torch.ones(3, 3, dtype=torch.bool).tril()
ADDED = torch.zeros(3, 3, dtype=torch.float64).masked_fill(~MASK, -torch.inf)
HIDDEN = ADDED.clone()
HIDDEN[1] = -torch.inf

# What is called, its tensors, and whether it is written out: else torch's own answers.
CALLS: dict[str, tuple[Callable[..., Any], list[Any], bool]] = {
    "linear": (F.linear, [normal(4, 3), normal(2, 3), normal(2)], True),
    "linear without bias": (F.linear, [normal(4, 3), normal(2, 3)], True),
    "linear of sequences": (F.linear, [normal(4, 5, 3), normal(2, 3), normal(2)], True),
    "linear of one": (F.linear, [normal(3), normal(2, 3), normal(2)], True),
    "linear by one row": (F.linear, [normal(4, 3), normal(3)], True),
    "linear by keywords": (
        lambda x, w, b: F.linear(input=x, weight=w, bias=b),
        [normal(4, 3), normal(2, 3), normal(2)],
        True,
    ),
    "conv1d": (
        lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1),
        [normal(2, 3, 7), normal(4, 3, 3), normal(4)],
        True,
    ),
    "conv2d": (
        lambda x, w, b: F.conv2d(x, w, b, (2, 1), (1, 2), groups=2),
        [normal(2, 4, 6, 5), normal(6, 2, 3, 3), normal(6)],
        True,
    ),
    "conv2d of one": (F.conv2d, [normal(4, 6, 5), normal(6, 4, 3, 3), normal(6)], True),
    "conv2d to the same": (
        lambda x, w, b: F.conv2d(x, w, bias=b, padding="same", dilation=2),
        [normal(2, 4, 6, 5), normal(6, 4, 3, 3), normal(6)],
        True,
    ),
    "conv2d without bias": (F.conv2d, [normal(2, 4, 6, 5), normal(6, 4, 3, 3)], False),
    "softmax": (lambda x: F.softmax(x, 1), [normal(4, 3)], True),
    "softmax by keywords": (lambda x: F.softmax(input=x, dim=0), [normal(4, 3)], True),
    "torch.softmax": (lambda x: torch.softmax(x, dim=-1), [normal(2, 4, 3)], True),
    "Tensor.softmax": (lambda x: x.softmax(0), [normal(4, 3)], True),
    "softmax to another type": (lambda x: F.softmax(x, 1, dtype=torch.float64), [normal(4, 3)], False),
    "softmax of large numbers": (lambda x: F.softmax(x, 1), [1000 * normal(4, 3)], True),
    "log_softmax": (lambda x: F.log_softmax(x, -1), [normal(2, 4, 3)], True),
    "torch.log_softmax": (lambda x: torch.log_softmax(x, 1), [normal(4, 3)], True),
    "Tensor.log_softmax": (lambda x: x.log_softmax(1), [normal(4, 3)], True),
    "silu": (F.silu, [normal(4, 3)], True),
    "silu in place": (lambda x: F.silu(x.clone(), inplace=True), [normal(4, 3)], False),
    "gelu": (F.gelu, [normal(4, 3)], True),
    "gelu by tanh": (lambda x: F.gelu(x, approximate="tanh"), [normal(4, 3)], True),
    "mish": (F.mish, [100 * normal(4, 3)], True),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (3,), w, b), [normal(2, 4, 3), normal(3), normal(3)], True),
    "layer_norm over two": (lambda x, w: F.layer_norm(x, (4, 3), w, eps=0.1), [normal(2, 4, 3), normal(4, 3)], True),
    "layer_norm alone": (lambda x: F.layer_norm(x, (3,)), [normal(4, 3)], True),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [normal(5, 3), normal(3), normal(3)], True),
    "batch_norm of images": (lambda x: F.batch_norm(x, None, None, training=True, eps=0.1), [normal(2, 3, 4, 4)], True),
    "batch_norm in evaluation": (
        lambda x, w, b: F.batch_norm(x, normal(3), inner(3), w, b),
        [normal(5, 3, 2), normal(3), normal(3)],
        True,
    ),
    "cross_entropy": (lambda x: F.cross_entropy(x, LABELS), [normal(4, 3)], True),
    "cross_entropy by keywords": (lambda x: F.cross_entropy(input=x, target=LABELS), [normal(4, 3)], True),
    "cross_entropy, sum": (lambda x: F.cross_entropy(x, LABELS, reduction="sum"), [normal(4, 3)], True),
    "cross_entropy, each": (lambda x: F.cross_entropy(x, LABELS, reduction="none"), [normal(4, 3)], True),
    "cross_entropy of one": (lambda x: F.cross_entropy(x, LABELS[0]), [normal(3)], True),
    "cross_entropy of probabilities": (lambda x: F.cross_entropy(x, inner(4, 3)), [normal(4, 3)], True),
    "cross_entropy with weights": (lambda x: F.cross_entropy(x, LABELS, inner(3)), [normal(4, 3)], False),
    "cross_entropy, smoothed": (lambda x: F.cross_entropy(x, LABELS, label_smoothing=0.1), [normal(4, 3)], False),
    "cross_entropy, some ignored": (lambda x: F.cross_entropy(x, LABELS, ignore_index=2), [normal(4, 3)], False),
    "cross_entropy of images": (lambda x: F.cross_entropy(x, LABELS.view(2, 2)), [normal(2, 3, 2)], False),
    "nll_loss": (lambda x: F.nll_loss(x, LABELS), [normal(4, 3)], True),
    "nll_loss, some ignored": (lambda x: F.nll_loss(x, LABELS, ignore_index=0), [normal(4, 3)], False),
    "mse_loss": (lambda x, y: F.mse_loss(x, y), [normal(4, 3), normal(4, 3, seed=1)], True),
    "mse_loss, sum": (lambda x, y: F.mse_loss(x, y, reduction="sum"), [normal(4, 3), normal(4, 3, seed=1)], True),
    "binary_cross_entropy": (lambda x: F.binary_cross_entropy(x.sigmoid(), inner(4, 1)), [normal(4, 1)], True),
    "binary_cross_entropy at an end": (
        lambda x: F.binary_cross_entropy(x.clamp(0, 1), inner(4, 1)),
        [torch.tensor([[0.0], [1.0], [0.5], [0.1]], dtype=torch.float64)],
        False,
    ),
    "attention": (F.scaled_dot_product_attention, [normal(2, 3, 4, seed=n) for n in range(3)], True),
    "attention, causal": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3),
        [normal(2, 3, 4, seed=n) for n in range(3)],
        True,
    ),
    "attention, causal over more": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        [normal(2, 3, 4), normal(2, 5, 4, seed=1), normal(2, 5, 6, seed=2)],
        True,
    ),
    "attention, masked": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, MASK),
        [normal(2, 3, 4, seed=n) for n in range(3)],
        True,
    ),
    "attention, added": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=ADDED),
        [normal(2, 3, 4, seed=n) for n in range(3)],
        True,
    ),
    "attention, a row masked": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=HIDDEN),
        [normal(2, 3, 4, seed=n) for n in range(3)],
        False,
    ),
}


def results(call: Callable[..., Any], tensors: list[Any], written: bool) -> tuple[list[Any], Operations]:
    """Outputs and gradients, with all that is kept where it is written out."""
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    operations = Operations()
    if written:
        with explicit(operations, {}, {f"p{n}": leaf for n, leaf in enumerate(leaves)}):
            out = call(*leaves)
            send(out)
    else:
        send(out := call(*leaves))
    outs = [one for one in (out if isinstance(out, tuple) else (out,)) if one is not None]
    return [one.detach() for one in flat(outs)] + [leaf.grad for leaf in leaves], operations


def flat(outs: Any) -> list[Any]:
    return [one for out in outs for one in (flat(out) if isinstance(out, tuple | list) else [out])]


def send(out: Any) -> None:
    outs = [one for one in flat([out]) if one is not None and one.requires_grad]
    torch.autograd.backward(outs, [normal(*one.shape, seed=n) for n, one in enumerate(outs)])


def same(one: Any, other: Any) -> bool:
    size = max(float(other.nan_to_num().abs().max()), 1.0) if other.numel() else 1.0
    return one.shape == other.shape and torch.allclose(one, other, rtol=0, atol=EXACT * size, equal_nan=True)


@pytest.mark.parametrize("what", CALLS)
def test_a_formula_is_torchs(what: str) -> None:
    call, tensors, is_written = CALLS[what]
    plain, _ = results(call, tensors, False)
    written, operations = results(call, tensors, True)
    assert len(plain) == len(written)
    assert all(same(one, other) for one, other in zip(written, plain, strict=True))
    fused = what.partition(" ")[0].partition(",")[0].rpartition(".")[2]
    fused = {"attention": "scaled_dot_product_attention"}.get(fused, fused)
    names = [operation.name for operation in operations]
    assert names
    if not fused.startswith("conv"):  # of which the bias alone is taken apart
        assert (fused in names) != is_written
    assert ("view" in names) == is_written or not fused.startswith("conv")


CELLS = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}
KINDS = [
    {},
    {"batch_first": True},
    {"num_layers": 2},
    {"bidirectional": True},
    {"bias": False},
    {"num_layers": 2, "bidirectional": True, "bias": False, "batch_first": True},
]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("how", KINDS, ids=str)
@pytest.mark.parametrize("given", [False, True])
def test_recurrent(cell: str, how: dict[str, Any], given: bool) -> None:
    torch.manual_seed(1)
    net = CELLS[cell](3, 2, **how).double()
    x = normal(4, 5, 3)
    n = 4 if how.get("batch_first") else 5
    many = how.get("num_layers", 1) * (2 if how.get("bidirectional") else 1)
    states = tuple(normal(many, n, 2, seed=k) for k in range(2 if cell == "LSTM" else 1))
    more = () if not given else (states if cell == "LSTM" else states[0],)
    assert_same(net, (x, *more))


OTHERS = {
    "RNN of relu": (lambda: nn.RNN(3, 2, nonlinearity="relu"), [(4, 5, 3)]),
    "one sequence alone": (lambda: nn.LSTM(3, 2), [(4, 3)]),
    "LSTM that projects": (lambda: nn.LSTM(3, 4, proj_size=2), [(4, 5, 3)]),
    "LSTM that projects, without bias": (lambda: nn.LSTM(3, 4, proj_size=2, bias=False), [(4, 5, 3)]),
    "LSTMCell": (lambda: nn.LSTMCell(3, 2), [(5, 3)]),
    "LSTMCell without bias": (lambda: nn.LSTMCell(3, 2, bias=False), [(5, 3)]),
    "GRUCell": (lambda: nn.GRUCell(3, 2), [(5, 3), (5, 2)]),
    "RNNCell": (lambda: nn.RNNCell(3, 2), [(5, 3)]),
    "RNNCell of relu": (lambda: nn.RNNCell(3, 2, nonlinearity="relu"), [(3,)]),
    "LSTM with dropout in evaluation": (lambda: nn.LSTM(3, 2, 2, dropout=0.5).eval(), [(4, 5, 3)]),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(3), [(5, 3)]),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3, momentum=None), [(2, 3, 4, 4)]),
    "BatchNorm1d without statistics": (lambda: nn.BatchNorm1d(3, track_running_stats=False, affine=False), [(5, 3)]),
    "BatchNorm1d in evaluation": (lambda: nn.BatchNorm1d(3).eval(), [(5, 3)]),
    "LayerNorm": (lambda: nn.LayerNorm((4, 3), bias=False), [(2, 4, 3)]),
    "Conv2d of mirrors": (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), [(2, 2, 5, 5)]),
    "an encoder's layer": (lambda: nn.TransformerEncoderLayer(4, 2, 6, 0.0, batch_first=True), [(2, 3, 4)]),
    "an encoder's layer in evaluation": (lambda: nn.TransformerEncoderLayer(4, 2, 6, 0.0).eval(), [(2, 3, 4)]),
}


@pytest.mark.parametrize("what", OTHERS)
def test_modules(what: str) -> None:
    make, shapes = OTHERS[what]
    torch.manual_seed(1)
    assert_same(make().double(), [normal(*shape, seed=n) for n, shape in enumerate(shapes)])


ATTENTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "without weights": ({}, {"need_weights": False}),
    "weights of each head": ({"batch_first": True}, {"average_attn_weights": False}),
    "masked": ({}, {"attn_mask": ~MASK}),
    "masked without weights": ({}, {"attn_mask": ~MASK, "need_weights": False}),
    "causal": ({}, {"attn_mask": ~MASK, "need_weights": False, "is_causal": True}),
    "added": ({"bias": False}, {"attn_mask": ADDED}),
    "a row masked": ({}, {"attn_mask": HIDDEN}),
    "a row masked without weights": ({}, {"attn_mask": HIDDEN, "need_weights": False}),
    "other sizes": ({"kdim": 5, "vdim": 6}, {}),
    "padded": ({}, {"key_padding_mask": torch.tensor([[False, True, False]] * 2)}),
    "with more keys": ({"add_bias_kv": True, "add_zero_attn": True}, {}),
}


@pytest.mark.parametrize("what", ATTENTIONS)
def test_multi_head(what: str) -> None:
    how, given = ATTENTIONS[what]
    torch.manual_seed(1)
    net = nn.MultiheadAttention(4, 2, **how).double()
    sizes = 4, how.get("kdim", 4), how.get("vdim", 4)
    shape = (2, 3) if how.get("batch_first") else (3, 2)
    assert_same(net, [normal(*shape, size, seed=n) for n, size in enumerate(sizes)], **given)


def assert_same(net: Any, given: Any, **how: Any) -> None:
    found = []
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for written in (False, True):
        net.load_state_dict(before)
        net.zero_grad()
        leaves = [one.clone().requires_grad_() if isinstance(one, torch.Tensor) else one for one in given]
        operations = Operations()
        if written:
            with explicit(operations, {"net": net}, dict(net.named_parameters())):
                out = net(*leaves, **how)
                send(out)
            assert len(operations)
        else:
            out = net(*leaves, **how)
            send(out)
        outs = [one.detach() for one in flat([out]) if one is not None]
        grads = [leaf.grad for leaf in leaves if isinstance(leaf, torch.Tensor)]
        grads += [parameter.grad for parameter in net.parameters()]
        found.append([*outs, *grads, *(value.clone() for value in net.buffers())])
    assert len(found[0]) == len(found[1])
    for plain, one in zip(*found, strict=True):
        assert same(one.double(), plain.double())


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.second = nn.Linear(3, 4), nn.Tanh(), nn.Sequential(nn.Linear(4, 2))
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x: Any) -> Any:
        return self.second(self.act(self.first(x))) * self.scale


def test_what_is_kept_of_each() -> None:
    torch.manual_seed(0)
    net = Net().double()
    x = normal(5, 3)
    operations = Operations()
    with explicit(operations, {"": net}, dict(net.named_parameters())):
        out = net(x)
        loss = F.mse_loss(out, torch.zeros(5, 2, dtype=torch.float64))
        loss.backward()
    by_label = {operation.label: operation for operation in operations}
    assert {operation.module for operation in operations} == {"", "first", "act", "second.0"}
    tanh = by_label["tanh of act"]
    assert np.allclose(tanh.value, net.first(x).tanh().detach().numpy(), rtol=1e-12, atol=0)
    products = [operation for operation in operations if operation.name in ("matmul", "__matmul__")]
    assert [one.uses for one in products] == [("first.weight",), ("second.0.weight",)]
    scaled = next(one for one in operations if one.uses == ("scale",))
    sent = (2 * out / 10).detach().numpy()
    assert scaled.gradient is not None
    assert np.allclose(scaled.gradient, sent, rtol=1e-12, atol=0)
    assert any(np.allclose(one, sent * net.scale.detach().numpy()) for one in scaled.sent)
    assert operations.found[products[1].inputs[0]] is tanh
    turned = [operation for operation in operations if operation.arranged]
    names = [f"{layer}.{name}" for layer in ("first", "second.0") for name in ("weight", "bias")]
    assert {one.uses for one in turned} == {(name,) for name in names}
    assert all(np.isfinite(value).all() for _, value in operations.values())
    assert ("gradient", "what tanh of act sends back") in [label for label, _ in operations.values()]
    before = len(operations)
    net(x).sum().backward()  # what comes later is not seen
    assert len(operations) == before
    assert np.allclose(scaled.gradient, sent)


# Several results of one operation, and of which two is used: no gradient comes to the others.
SEVERAL: dict[str, Callable[[Any], Any]] = {
    "chunk": lambda h: h.chunk(2, -1),
    "split": lambda h: h.split([1, 3], -1)[::-1],
    "unbind": lambda h: h.unbind(1),
    "var_mean": lambda h: torch.var_mean(h, -1),
    "max": lambda h: torch.max(h, -1),
    "qr": lambda h: torch.linalg.qr(h[:4]),
}


class First(nn.Module):
    """Gives all of them, of which the net uses the first."""

    def __init__(self, several: Callable[[Any], Any]) -> None:
        super().__init__()
        self.several = several

    def forward(self, h: Any) -> Any:
        return tuple(self.several(h))


@pytest.mark.parametrize("what", SEVERAL)
def test_a_result_that_nothing_uses_has_no_gradient(what: str) -> None:
    inner, last = nn.Linear(3, 4).double(), First(SEVERAL[what])
    net = nn.ModuleDict({"inner": inner, "last": last})
    operations = Operations()
    with explicit(operations, {"": net}, dict(net.named_parameters())), watch_reference(net) as trace:
        last(inner(normal(5, 3)))[0].sum().backward()
    assert inner.weight.grad is not None and np.isfinite(inner.weight.grad.numpy()).all()
    assert [name for name in trace.grad_outputs if name.startswith("last")] == ["last[0]"]
    assert {"last[0]", "last[1]"} <= set(trace.outputs)
    made = [one for one in operations if one.module == "last"]
    assert any(one.gradient is None for one in made) and any(one.gradient is not None for one in made)


def test_a_module_that_raises_leaves_its_path() -> None:
    class Fails(nn.Module):
        def forward(self, x: Any) -> Any:
            raise ValueError

    net = nn.ModuleDict({"fails": Fails(), "works": nn.Tanh()})
    operations = Operations()
    with explicit(operations, {"": net}, {}):
        with pytest.raises(ValueError):
            net["fails"](normal(2))
        net["works"](normal(2))
        normal(2).exp()
    assert [one.label for one in operations if one.name in ("tanh", "exp")] == ["tanh of works", "exp"]


def test_what_torch_refuses_is_refused() -> None:
    with explicit(Operations(), {}, {}):
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            F.batch_norm(normal(1, 3), None, None, training=True)
        with pytest.raises(ValueError, match="target size"):
            F.binary_cross_entropy(inner(4, 1), inner(4))
        with warnings.catch_warnings(), pytest.raises(UserWarning, match="target size"):
            warnings.simplefilter("error")
            F.mse_loss(normal(4, 1), normal(4))
