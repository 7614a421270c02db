"""A module that is called more than once before its backward pass, as torch has it; and what is kept of calls."""

import copy
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from twofold import scratch
from twofold.compare.sides.trace import watch_scratch
from twofold.scratch import GRU, LSTM, RNN, Linear, Module, ReLU, Sequential, Tanh, calls
from twofold.scratch.calls import MOST_CALLS
from twofold.scratch.models.activity import Activity
from twofold.scratch.module import Array


class Again(Module):
    """Its part on its part's own output."""

    def __init__(self, part: Module) -> None:
        self.part = part

    def forward(self, x: Array) -> Array:
        return self.part(self.part(x))

    def backward(self, dout: Array) -> Array:
        return self.part.backward(self.part.backward(dout))


class Branches(Module):
    """Its part's difference for x and twice x."""

    def __init__(self, part: Module) -> None:
        self.part = part

    def forward(self, x: Array) -> Array:
        return self.part(x) - self.part(2 * x)

    def backward(self, dout: Array) -> Array:
        dtwice = self.part.backward(-dout)
        return self.part.backward(dout) + 2 * dtwice


class Direct(Branches):
    """By `forward` itself."""

    def forward(self, x: Array) -> Array:
        return self.part.forward(x) - self.part.forward(2 * x)


class Crossed(Module):
    """Two parts, each called twice; their gradients are asked for in another order than that of the calls."""

    def __init__(self, first: Module, second: Module) -> None:
        self.first, self.second = first, second

    def forward(self, x: Array) -> Array:
        one, two = self.first(x), self.second(x)
        return self.first(one) * 1.0 + self.second(two)

    def backward(self, dout: Array) -> Array:
        done = self.first.backward(self.first.backward(dout))
        return done + self.second.backward(self.second.backward(dout))


class Inherited(Again):
    """What it has from the class above, with one call more."""

    def forward(self, x: Array) -> Array:
        return self.part(super().forward(x))

    def backward(self, dout: Array) -> Array:
        return super().backward(self.part.backward(dout))


class Deeper(Module):
    """Calls itself."""

    def __init__(self, part: Module) -> None:
        self.part, self.depth = part, 3

    def forward(self, x: Array) -> Array:
        x = self.part(x)
        self.cache = self.depth
        if self.depth > 1:
            self.depth -= 1
            x = self(x)
            self.depth += 1
            self.cache = self.depth
        return x

    def backward(self, dout: Array) -> Array:
        if self.cache > 1:
            dout = self.backward(dout)
        return self.part.backward(dout)


def mlp(seed: int = 0) -> Sequential:
    rng = np.random.default_rng(seed)
    layers = {"fc1": Linear(3, 5, rng=rng), "tanh": Tanh(), "fc2": Linear(5, 3, rng=rng)}
    return Sequential({**layers, "relu": ReLU()})


def torchs(model: Module) -> Any:
    """mlp's output in torch, with this one's weights: a function of x, and its weights by name."""
    weights = {name: torch.tensor(array, requires_grad=True) for name, array in model.state_dict().items()}

    def forward(x: Any, path: str = "") -> Any:
        hidden = torch.tanh(x @ weights[f"{path}fc1.weight"].T + weights[f"{path}fc1.bias"])
        return torch.relu(hidden @ weights[f"{path}fc2.weight"].T + weights[f"{path}fc2.bias"])

    return forward, weights


Reference = Callable[[Callable[..., Any], Any], Any]
NETS: dict[str, tuple[Callable[[], Module], Reference]] = {
    "again": (lambda: Again(mlp()), lambda f, x: f(f(x, "part."), "part.")),
    "branches": (lambda: Branches(mlp()), lambda f, x: f(x, "part.") - f(2 * x, "part.")),
    "direct": (lambda: Direct(mlp()), lambda f, x: f(x, "part.") - f(2 * x, "part.")),
    "again in branches": (
        lambda: Branches(Again(mlp())),
        lambda f, x: f(f(x, "part.part."), "part.part.") - f(f(2 * x, "part.part."), "part.part."),
    ),
    "crossed": (
        lambda: Crossed(mlp(), mlp(1)),
        lambda f, x: f(f(x, "first."), "first.") + f(f(x, "second."), "second."),
    ),
    "inherited": (lambda: Inherited(mlp()), lambda f, x: f(f(f(x, "part."), "part."), "part.")),
    "deeper": (lambda: Deeper(mlp()), lambda f, x: f(f(f(x, "part."), "part."), "part.")),
    "in a sequence": (
        lambda: Sequential({"one": Again(mlp()), "two": Branches(mlp(1))}),
        lambda f, x: (
            f(f(f(x, "one.part."), "one.part."), "two.part.") - f(2 * f(f(x, "one.part."), "one.part."), "two.part.")
        ),
    ),
}


def drawn(shape: tuple[int, ...] = (4, 3), seed: int = 5) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def same(model: Module, weights: dict[str, Any], times: int = 1) -> None:
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(parameter.grad, times * weights[name].grad.numpy(), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_a_net_that_calls_a_module_more_than_once_has_torchs_gradients(name: str, watched: bool) -> None:
    build, reference = NETS[name]
    model = build().to(np.float64)
    forward, weights = torchs(model)
    x, dout = drawn(), drawn(seed=6)
    given = torch.tensor(x, requires_grad=True)
    reference(forward, given).backward(torch.tensor(dout))

    def passes() -> None:
        model(x)
        for times in (1, 2):
            np.testing.assert_allclose(model.backward(dout), given.grad.numpy(), rtol=1e-10, atol=1e-13)
            same(model, weights, times)
        model.accumulate(dout)
        same(model, weights, 3)

    if not watched:
        return passes()
    with watch_scratch(model) as trace:
        passes()
    assert trace.grad_outputs.keys() == trace.outputs.keys()
    for key, sent in trace.grad_inputs.items():
        assert sent.shape == trace.inputs[key].shape


@pytest.mark.parametrize("name", NETS)
def test_a_net_that_is_called_twice_from_outside_takes_its_last_call_back_first(name: str) -> None:
    build, reference = NETS[name]
    model = build().to(np.float64)
    forward, weights = torchs(model)
    batches = drawn(), drawn((2, 3), 7)
    douts = [drawn(x.shape, 8) for x in batches]
    taken = [torch.tensor(x, requires_grad=True) for x in batches]
    for x, dout in zip(taken, douts, strict=True):
        reference(forward, x).backward(torch.tensor(dout))
    for x in batches:
        model(x)
    for x, dout in list(zip(taken, douts, strict=True))[::-1]:
        np.testing.assert_allclose(model.backward(dout), x.grad.numpy(), rtol=1e-10, atol=1e-13)
    same(model, weights)
    with pytest.raises(RuntimeError, match="expected a backward pass for each of 2 calls, found one more"):
        model.backward(douts[0])


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_a_recurrent_layer_that_is_stepped_by_hand(kind: Any, mode: bool) -> None:
    layer = kind(3, 4, rng=np.random.default_rng(0)).to(np.float64).train(mode)
    other = getattr(torch.nn, kind.__name__)(3, 4).double()
    other.load_state_dict({name: torch.tensor(array) for name, array in layer.state_dict().items()})
    x, dout = drawn((6, 2, 3)), drawn((6, 2, 4), 1)
    other(torch.tensor(x))[0].backward(torch.tensor(dout))
    state: tuple[Any, ...] = ()
    for step in x:
        state = (layer(step[None], *state)[1],)
    dstate: tuple[Any, ...] = ()
    for sent in dout[::-1]:
        dstate = (layer.backward(sent[None], *dstate)[1],)
    for name, parameter in layer.named_parameters():
        np.testing.assert_allclose(parameter.grad, getattr(other, name).grad.numpy(), rtol=1e-10, atol=1e-13)


def test_calls_that_no_gradient_reaches_are_passed_over_within_a_net_that_is_called_twice() -> None:
    """A truncated net calls its cell twice, and takes back the second call only."""
    model = Activity("gru", 3, 4, (), 2, truncate=2, rng=np.random.default_rng(0)).to(np.float64)
    first, second, dout = drawn((2, 5, 3)), drawn((2, 6, 3), 1), drawn((2, 2))
    expected = []
    for x in (first, second):
        model(x)
        expected.append(model.backward(dout))
    alone = {name: parameter.grad.copy() for name, parameter in model.named_parameters()}
    model.zero_grad()
    model(first), model(second)
    for dx in expected[::-1]:
        np.testing.assert_array_equal(model.backward(dout), dx)
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(parameter.grad, alone[name], rtol=1e-12, atol=1e-14)


def test_a_validation_in_the_middle_of_a_step_is_passed_over() -> None:
    model, x, other, dout = mlp().to(np.float64), drawn(), drawn((7, 3), 9), drawn(seed=6)
    model(x)
    expected = model.backward(dout)
    model(x)
    for _ in range(2):
        model.eval()(other)
    np.testing.assert_array_equal(model.train().backward(dout), expected)
    np.testing.assert_array_equal(model.backward(dout), expected)
    model.eval()(other)
    with pytest.raises(RuntimeError, match="expected a forward pass in the mode of its backward pass"):
        model.train().backward(drawn((7, 3)))
    assert model.eval().backward(drawn((7, 3))).shape == (7, 3)


def test_a_gradient_may_be_asked_for_in_the_other_mode() -> None:
    model, x, dout = mlp().to(np.float64), drawn(), drawn(seed=6)
    model(x)
    expected = model.backward(dout)
    model.eval()(drawn((7, 3)))
    model.train()(x)
    np.testing.assert_array_equal(model.eval().backward(dout), expected)
    model = mlp().to(np.float64).eval()
    model(x)
    np.testing.assert_array_equal(model.train().backward(dout), expected)


def test_parts_may_be_taken_back_by_hand() -> None:
    model, x, dout = Again(mlp()).to(np.float64), drawn(), drawn(seed=6)
    model(x)
    expected = model.backward(dout)
    model(x)
    np.testing.assert_array_equal(model.part.backward(model.part.backward(dout)), expected)
    model(x)
    for _ in range(2):
        for layer in reversed(model.part.layers()):  # type: ignore[attr-defined]
            dout = layer.backward(dout)
    np.testing.assert_array_equal(dout, expected)


def test_a_loss_may_be_called_for_each_step() -> None:
    loss, x, target = scratch.CrossEntropyLoss(), drawn((3, 4, 5)), np.array([[0, 1, 2, 3], [4, 3, 2, 1], [0, 0, 4, 4]])
    expected = []
    for step, classes in zip(x, target, strict=True):
        loss(step, classes)
        expected.append(loss.backward())
    for step, classes in zip(x, target, strict=True):
        loss(step, classes)
    for dx in expected[::-1]:
        np.testing.assert_array_equal(loss.backward(), dx)


@pytest.mark.parametrize("kind", [scratch.Linear, scratch.Conv2d, scratch.LSTM, scratch.LayerNorm])
def test_a_backward_pass_before_any_forward_pass_is_refused(kind: Any) -> None:
    layer = {scratch.LayerNorm: lambda: kind(2), scratch.Conv2d: lambda: kind(2, 3, 1)}.get(kind, lambda: kind(2, 3))()
    with pytest.raises(RuntimeError, match=f"{kind.__name__} expected a forward pass before its backward pass"):
        layer.backward(np.ones((4, 2)))


@pytest.mark.parametrize("mode", [True, False])
def test_nothing_grows_where_nobody_asks_for_gradients(mode: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MOST_BYTES", (1 << 24, 1 << 24))
    small, large = mlp().train(mode), Again(Linear(700, 700)).train(mode)
    batch, x = drawn((700, 700)).astype(np.float32), drawn().astype(np.float32)

    def run(times: int) -> int:
        for _ in range(times):
            large(batch)
        for _ in range(10 * times):
            small(x)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before, after = run(MOST_CALLS // 10 + 1), run(MOST_CALLS // 10 + 1)
    finally:
        tracemalloc.stop()
    assert after < before + 100_000
    assert before < 12 * batch.nbytes + 1_000_000


def test_what_was_forgotten_is_told() -> None:
    layer, x = Linear(2, 3), np.ones((1, 2), np.float32)
    for _ in range(MOST_CALLS + 1):
        layer(x)
    for _ in range(MOST_CALLS):
        layer.backward(np.ones((1, 3), np.float32))
    with pytest.raises(RuntimeError, match="Linear expected a backward pass for more calls than are kept"):
        layer.backward(np.ones((1, 3), np.float32))
    layer(x)
    for _ in range(2):
        layer.backward(np.ones((1, 3), np.float32))


def test_a_pass_that_raises_leaves_the_calls_as_they_were() -> None:
    model, x, dout = Again(mlp()).to(np.float64), drawn(), drawn(seed=6)
    model(x)
    expected = model.backward(dout)
    model(x)
    with pytest.raises(ValueError, match="Linear expected an input of shape"):
        model(np.ones((2, 7)))
    with pytest.raises(ValueError):
        model.backward(np.ones((2, 7)))
    np.testing.assert_array_equal(model.backward(dout), expected)


def test_threads_and_copies_have_calls_of_their_own() -> None:
    model, dout = Again(mlp()).to(np.float64), drawn(seed=6)
    batches = [drawn(seed=seed) for seed in range(8)]
    expected = []
    for x in batches:
        model(x)
        expected.append(model.backward(dout))
    found: list[Any] = [None] * len(batches)

    def work(n: int) -> None:
        own = copy.deepcopy(model)
        for _ in range(20):
            own(batches[n])
            found[n] = own.backward(dout)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


CHANGED: dict[str, tuple[Callable[[], Module], Callable[[Any, Array, Any], Any]]] = {
    "the input of a linear layer": (lambda: Linear(3, 3), lambda layer, x, out: x.__imul__(2)),
    "one entry of it": (lambda: Linear(3, 3), lambda layer, x, out: x.__setitem__((0, 0), 7)),
    "the output of tanh": (Tanh, lambda layer, x, out: out.__iadd__(1)),
    "the input of relu, to NaN": (ReLU, lambda layer, x, out: x.fill(np.nan)),
    "a weight, as by an optimizer's step": (
        lambda: Linear(3, 3),
        lambda layer, x, out: scratch.SGD(weighed(layer), lr=0.1).step(),
    ),
    "another array for a weight": (lambda: Linear(3, 3), lambda layer, x, out: layer.to(np.longdouble)),
    "a weight within a net": (mlp, lambda layer, x, out: layer.fc2.weight.data.__imul__(-1)),
    "what a part has kept": (mlp, lambda layer, x, out: layer.tanh.cache.__imul__(-1)),
    "the input of a norm": (lambda: scratch.LayerNorm(3), lambda layer, x, out: layer.weight.data.__imul__(2)),
    "an lstm's weight": (lambda: LSTM(3, 3), lambda layer, x, out: layer.weight_hh_l0.data.__imul__(2)),
}


def weighed(layer: Module) -> list[tuple[str, Any]]:
    """With gradients that are not zero."""
    for _, parameter in layer.named_parameters():
        parameter.grad[...] = 1
    return list(layer.named_parameters())


@pytest.mark.parametrize("what", CHANGED)
def test_what_is_changed_in_place_before_a_backward_pass_is_refused(what: str) -> None:
    build, change = CHANGED[what]
    layer = build().to(np.float64)
    x = drawn((2, 4, 3)) if isinstance(layer, LSTM) else drawn()
    for _ in range(2):
        out = layer(x.copy())
        layer.backward(np.ones_like(out) if isinstance(out, np.ndarray) else np.ones_like(out[0]))
    given = x.copy()
    out = layer(given)
    change(layer, given, out)
    with pytest.raises(
        RuntimeError, match=r"^\w+ expected its \w+ as its forward pass left it, found it changed in place$"
    ):
        layer.backward(np.ones_like(out) if isinstance(out, np.ndarray) else np.ones_like(out[0]))


def test_a_change_within_the_forward_pass_is_refused_too() -> None:
    class Doubling(Module):
        def __init__(self) -> None:
            self.tanh = Tanh()

        def forward(self, x: Array) -> Array:
            out = self.tanh(x)
            out *= 2
            return out

        def backward(self, dout: Array) -> Array:
            return self.tanh.backward(2 * dout)

    model, x = Doubling(), drawn()
    model(x)
    with pytest.raises(RuntimeError, match=r"^Tanh expected its cache as"):
        model.backward(x)


def test_what_no_gradient_reads_may_change_in_place() -> None:
    """A bias, the output of a linear layer, and the input of tanh, which keeps its output; as in torch."""
    layer, tanh, x = Linear(3, 3).to(np.float64), Tanh(), drawn()
    out = layer(x)
    layer.bias.data += 1
    out += 1
    layer.backward(np.ones_like(out))
    given = x.copy()
    tanh(given)
    given += 1
    tanh.backward(np.ones_like(out))


def test_of_a_large_array_samples_are_looked_at() -> None:
    relu, x = ReLU(), drawn((300, 100))
    relu(x)
    x += 1
    with pytest.raises(RuntimeError, match=r"^ReLU expected its cache as"):
        relu.backward(np.ones_like(x))
