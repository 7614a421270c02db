"""The Module protocol, the initialisers and the dtypes of scratch."""

import inspect
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from planting import plant

import scratch
from compare import nest
from compare.pairs import PAIRS
from compare.pairs.layers import LAYERS
from scratch import init
from scratch.models.mnist_cnn import MnistCNN
from scratch.models.trigram_lm import TrigramLM
from scratch.models.two_conv_net import TwoConvNet
from scratch.optim import Optimizer


def test_names_are_attribute_paths_in_order() -> None:
    names = [name for name, _ in MnistCNN().named_parameters()]
    assert names[:2] == ["conv1.weight", "conv1.bias"]
    assert names[-2:] == ["fc2.weight", "fc2.bias"]


def test_a_gradient_starts_at_zero_in_the_dtype_of_its_parameter() -> None:
    grad = scratch.Parameter(np.ones((2, 3), np.float32)).grad
    assert (grad.dtype, grad.shape, grad.any()) == (np.float32, (2, 3), False)


def test_a_missing_bias_is_no_parameter() -> None:
    assert [name for name, _ in scratch.Linear(2, 3, bias=False).named_parameters()] == ["weight"]


def test_state_is_a_copy_both_ways() -> None:
    layer = scratch.Linear(2, 3)
    state = layer.state_dict()
    layer.load_state_dict(state)
    state["weight"][...] = 7
    assert not (layer.weight.data == 7).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("bias"), "missing \\['bias'\\]"),
        (lambda state: state.update(extra=np.zeros(1)), "unexpected \\['extra'\\]"),
        (lambda state: state.update(weight=np.zeros((2, 3))), "weight: expected shape \\(3, 2\\), found \\(2, 3\\)"),
    ],
)
def test_loading_names_what_differs(change, message: str) -> None:
    layer = scratch.Linear(2, 3)
    state = layer.state_dict()
    before = layer.state_dict()
    change(state)
    with pytest.raises(ValueError, match=message):
        layer.load_state_dict(state)
    assert all((before[name] == value).all() for name, value in layer.state_dict().items())


def test_modes_reach_every_module() -> None:
    model = MnistCNN().eval()
    assert not any(module.training for _, module in model.named_modules())
    assert all(module.training for _, module in model.train().named_modules())


def test_gradients_accumulate_until_zeroed() -> None:
    layer, x = scratch.Linear(2, 3), np.ones((4, 2), np.float32)
    for _ in range(2):
        layer.backward(np.ones_like(layer(x)))
    assert (layer.bias.grad == 8).all()
    layer.zero_grad()
    assert not layer.bias.grad.any()


def test_one_seed_draws_one_model() -> None:
    first, second, other = (TrigramLM(rng=np.random.default_rng(seed)).state_dict() for seed in (3, 3, 4))
    assert all((first[name] == second[name]).all() for name in first)
    assert not any((first[name] == other[name]).any() for name in first)


DRAWS = [
    ("uniform", lambda rng: init.uniform((300, 400), 0.5, rng), 0.5 / 3**0.5, 0.5),
    ("normal", lambda rng: init.normal((300, 400), 0.02, rng), 0.02, None),
    ("default", lambda rng: init.default((300, 400), 400, rng), 0.05 / 3**0.5, 0.05),
    ("xavier_uniform", lambda rng: init.xavier_uniform((300, 500), rng), (2 / 800) ** 0.5, (6 / 800) ** 0.5),
    ("scaled_normal", lambda rng: init.scaled_normal((8, 8, 50, 50), rng), 1 / 400, None),
]


@pytest.mark.parametrize(("name", "draw", "std", "bound"), DRAWS, ids=[row[0] for row in DRAWS])
def test_initialiser(name: str, draw, std: float, bound: float | None) -> None:
    values = draw(np.random.default_rng(0)).astype(np.float64)
    # five standard errors of the mean and of the standard deviation of this many draws
    assert abs(values.mean()) < 5 * std / values.size**0.5
    assert abs(values.std() - std) < 5 * std / (2 * values.size) ** 0.5
    assert bound is None or bound * 0.999 < np.abs(values).max() <= bound * (1 + 1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("case", LAYERS, ids=[case.name for case in LAYERS])
def test_every_layer_keeps_the_dtype(case, dtype) -> None:
    rng = np.random.default_rng(0)
    layer = case.model.build("scratch").to(dtype)
    inputs = nest.apply(lambda draw: draw(rng, dtype), case.inputs)
    out = layer(*inputs)
    sent = out if isinstance(out, tuple) else (out,)
    back = nest.flatten(layer.backward(*sent))
    grads = [parameter.grad for _, parameter in layer.named_parameters()]
    assert {array.dtype for array in (*nest.flatten(out), *back, *grads) if array is not None} == {np.dtype(dtype)}


def test_dropout_keeps_the_mean_and_draws_from_its_generator() -> None:
    x = np.ones((400, 500), np.float32)
    first, second = (scratch.Dropout(0.3, rng=np.random.default_rng(5)) for _ in range(2))
    out = first(x)
    np.testing.assert_array_equal(out, second(x))
    assert set(np.unique(out)) == {np.float32(0), np.float32(1) / np.float32(1 - 0.3)}
    assert abs(out.mean() - 1) < 5 * (0.3 / 0.7 / x.size) ** 0.5
    np.testing.assert_array_equal(first.backward(x), out)
    for result in (first.eval()(x), first.backward(x)):
        np.testing.assert_array_equal(result, x)
        assert not np.shares_memory(result, x)


@pytest.mark.parametrize(
    ("p", "draws", "kept"), [(0.25, [0.0, 0.25, 0.5], [0, 1, 1]), (0, [0.0, 0.5, 0.75], [1, 1, 1])]
)
def test_dropout_zeroes_what_is_drawn_below_p(p: float, draws: list[float], kept: list[int]) -> None:
    drawn = SimpleNamespace(random=lambda shape: np.array(draws).reshape(shape))
    out = scratch.Dropout(p, rng=drawn)(np.ones(3))
    np.testing.assert_array_equal(out, np.array(kept) / (1 - p))


def test_clipping_by_value() -> None:
    parameter = scratch.Parameter(np.zeros(3))
    parameter.grad[...] = [-20, 3, 20]
    scratch.clip_grad_value_([parameter], 10)
    assert parameter.grad.tolist() == [-10, 3, 10]


def test_l2_penalty_by_hand() -> None:
    """0.5 * 0.1 * (1 + 4 + 9) on the weight alone, and 0.1 W into its gradient."""
    layer = scratch.Linear(3, 1)
    layer.weight.data[...] = [1, 2, 3]
    penalty = scratch.L2Penalty(layer.named_parameters(), reg=0.1)
    assert penalty.forward() == pytest.approx(0.7)
    layer.weight.grad[...] = 1
    penalty.backward()
    np.testing.assert_allclose(layer.weight.grad, [[1.1, 1.2, 1.3]], rtol=1e-6)
    assert not layer.bias.grad.any()


@pytest.mark.parametrize("optimizer", [scratch.SGD, scratch.Adam, scratch.RMSprop, scratch.Adagrad])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_optimizers_keep_the_dtype(optimizer, dtype) -> None:
    parameter = scratch.Parameter(np.ones(3, dtype))
    parameter.grad[...] = 1
    arguments = {"momentum": 0.5} if optimizer in (scratch.SGD, scratch.RMSprop) else {}
    updated = optimizer([("p", parameter)], weight_decay=0.1, **arguments)
    updated.step()
    assert parameter.data.dtype == dtype
    assert (parameter.data < 1).all()
    assert all(value.dtype == (np.int64 if key == "step" else dtype) for key, value in updated.state["p"].items())


def test_sgd_by_hand() -> None:
    """Two steps with momentum 0.5 and decay 0.1 from p = 1 with gradient 2 and lr 0.1, worked on paper."""
    parameter = scratch.Parameter(np.array([1.0]))
    optimizer = scratch.SGD([("p", parameter)], lr=0.1, momentum=0.5, weight_decay=0.1)
    parameter.grad[...] = 2
    optimizer.step()  # g = 2.1, v = 2.1, p = 0.79
    assert parameter.data[0] == pytest.approx(0.79, rel=1e-15, abs=0)
    optimizer.step()  # g = 2.079, v = 3.129, p = 0.4771
    assert parameter.data[0] == pytest.approx(0.4771, rel=1e-15, abs=0)


def test_the_first_momentum_is_a_copy_of_the_gradient() -> None:
    parameter = scratch.Parameter(np.zeros(1))
    optimizer = scratch.SGD([("p", parameter)], lr=0.5, momentum=0.5)
    parameter.grad[...] = 4
    optimizer.step()  # v = 4, p = -2
    parameter.grad[...] = 0
    optimizer.step()  # v = 2, p = -3
    assert parameter.data.tolist() == [-3]


@pytest.mark.parametrize("tokens", [(-1, 2), (0, 3)])
def test_tokens_outside_the_table_are_refused(tokens: tuple[int, int]) -> None:
    with pytest.raises(IndexError, match=f"tokens from {tokens[0]} to {tokens[1]}, the table has 3 rows"):
        scratch.Embedding(3, 2)(np.array(tokens))


def test_a_token_by_itself_and_none_at_all_are_taken() -> None:
    table = scratch.Embedding(3, 2)
    np.testing.assert_array_equal(table(np.array([2])), table.weight.data[2:])
    assert table(np.empty((0, 4), int)).shape == (0, 4, 2)


def test_a_leaky_relu_has_its_lower_slope_at_zero() -> None:
    layer = scratch.LeakyReLU(0.25)
    layer(np.array([-1.0, 0.0, 1.0]))
    assert layer.backward(np.ones(3)).tolist() == [0.25, 0.25, 1]


def test_a_change_of_dtype_leaves_counters_alone() -> None:
    norm = scratch.BatchNorm1d(3).to(np.float64)
    assert {holder.data.dtype for _, holder in norm.named_state()} == {np.dtype(np.float64), np.dtype(np.int64)}


def test_biases_are_told_by_their_own_name() -> None:
    model = scratch.Sequential({"unbiased": scratch.Linear(2, 3)})
    init.zero_biases(model)
    assert [bool(values.any()) for values in model.state_dict().values()] == [True, False]


@pytest.mark.parametrize("layer", [scratch.Conv2d(1, 1, 5), scratch.MaxPool2d(5)])
def test_a_window_that_does_not_fit_is_refused(layer) -> None:
    with pytest.raises(ValueError, match="does not fit an input of \\(4, 6\\)"):
        layer(np.zeros((1, 1, 4, 6), np.float32))


TORCHS = {
    "torch.optim": ("SGD", "Adam", "RMSprop", "Adagrad"),
    "torch.nn": ("Linear", "Embedding", "Conv2d", "MaxPool2d", "LSTM", "RNN", "GRU", "CrossEntropyLoss", "MSELoss")
    + ("LeakyReLU", "Dropout", "BatchNorm1d", "BatchNorm2d", "LayerNorm", "GroupNorm"),
    "reference.losses": ("HalfMSELoss", "SparseAutoencoderLoss", "L2Penalty"),
}
DEFAULTS = [(name, home) for home, names in TORCHS.items() for name in names]


@pytest.mark.parametrize(("name", "home"), DEFAULTS)
def test_arguments_and_defaults_are_torchs(name: str, home: str) -> None:
    """torch.nn.LSTM takes its arguments unnamed; its documented defaults are bias=True, batch_first=False."""
    ours = dict(inspect.signature(getattr(scratch, name).__init__).parameters)
    theirs = dict(inspect.signature(getattr(import_module(home), name).__init__).parameters)
    compared = 0
    for argument, parameter in ours.items():
        if argument in theirs and parameter.default is not inspect.Parameter.empty:
            assert parameter.default == theirs[argument].default, argument
            compared += 1
        unnamed = name in ("LSTM", "RNN", "GRU")
        assert argument in theirs or argument in ("rng", "named_parameters") or unnamed, argument
    expected = {"Linear": 1, "Conv2d": 3, "MaxPool2d": 1, "CrossEntropyLoss": 1, "MSELoss": 1, "SGD": 5, "Adam": 4}
    expected |= {"RMSprop": 5, "Adagrad": 5, "LeakyReLU": 1, "Dropout": 1, "BatchNorm1d": 3, "BatchNorm2d": 3}
    expected |= {"LayerNorm": 3, "GroupNorm": 2, "HalfMSELoss": 1, "SparseAutoencoderLoss": 2, "L2Penalty": 1}
    assert compared == expected.get(name, 0)


def test_tied_parameters_and_modules_go_by_their_first_name() -> None:
    model = scratch.Sequential({"first": scratch.Linear(3, 3), "second": scratch.Linear(3, 3)})
    vars(model)["second"].weight = vars(model)["first"].weight
    vars(model)["third"] = vars(model)["first"]
    assert [name for name, _ in model.named_parameters()] == ["first.weight", "first.bias", "second.bias"]
    assert [path for path, _ in model.named_modules()] == ["", "first", "second"]


def test_zero_grad_of_an_optimizer() -> None:
    parameter = scratch.Parameter(np.ones(3))
    parameter.grad[...] = 1
    scratch.SGD([("p", parameter)]).zero_grad()
    assert not parameter.grad.any()


REFUSED = [
    (lambda: scratch.CrossEntropyLoss()(np.zeros((2, 3)), np.array([0, -1])), IndexError, "classes from -1 to 0"),
    (lambda: scratch.CrossEntropyLoss()(np.zeros((2, 3, 4)), np.zeros((2, 4), int)), ValueError, "expected logits"),
    (lambda: scratch.CrossEntropyLoss()(np.zeros((2, 3)), np.array([3, 0])), IndexError, "classes from 0 to 3"),
    (lambda: scratch.CrossEntropyLoss()(np.zeros((2, 3)), np.zeros(3, int)), ValueError, "expected logits"),
    (lambda: scratch.MSELoss()(np.zeros((2, 1)), np.zeros(2)), ValueError, "input has shape"),
    (lambda: scratch.MSELoss("average"), ValueError, "mean, sum or none"),
    (lambda: scratch.SGD([], nesterov=True), ValueError, "nesterov needs a momentum"),
    (lambda: scratch.SGD([], momentum=0.5, dampening=0.1, nesterov=True), ValueError, "and no dampening"),
    (lambda: scratch.SGD([]).load_state_dict({"p": {}}), ValueError, r"expected the state of \[\], found \['p'\]"),
    (lambda: scratch.Dropout(1), ValueError, r"expected a probability in \[0, 1\), found 1"),
    (lambda: scratch.Dropout(-0.1), ValueError, "found -0.1"),
    (lambda: scratch.GroupNorm(4, 6), ValueError, "6 channels do not make 4 equal groups"),
    (lambda: scratch.BatchNorm1d(3)(np.zeros((1, 3))), ValueError, r"more than one value .* found \(1, 3\)"),
    (lambda: scratch.MaxPool2d(2)(np.zeros((1, 1, 4, 4, 4))), ValueError, "zip"),
    (lambda: scratch.Conv2d(1, 1, 2).output_size((4, 4, 4)), ValueError, "zip"),
    (lambda: scratch.Module()(0), NotImplementedError, "Module has no forward"),
    (lambda: scratch.Module().backward(0), NotImplementedError, "Module has no backward"),
    (lambda: Optimizer([("p", scratch.Parameter(np.zeros(1)))]).step(), NotImplementedError, "has no update"),
    (
        lambda: scratch.LSTM(2, 3)(np.zeros((4, 5, 2)), (np.zeros((1, 1, 3)), np.zeros((1, 1, 3)))),
        ValueError,
        r"expected a state of shape \(1, 5, 3\), found \(1, 1, 3\)",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_would_silently_broadcast_is_refused(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# F27 and F29: what systems.md says of the initial weights, as their standard deviation at recipe size.
INITIAL = {
    "mnist-cnn": {"conv1.weight": 200**-0.5, "conv2.weight": 1600**-0.5, "fc1.weight": 0.01, "fc2.weight": 0.01},
    "catcar-mlp": dict.fromkeys(["fc1.weight", "fc1.bias", "fc2.weight"], 0.02),
    "trigram-lm": dict.fromkeys(["embedding.weight", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"], 0.01),
    "activity-lstm": {
        "recurrent.weight_ih_l0": (2 / 131) ** 0.5,
        "recurrent.weight_hh_l0": (2 / 256) ** 0.5,
        "classifier.fc1.weight": (2 / 192) ** 0.5,
        "classifier.fc2.weight": (2 / 128) ** 0.5,
        "classifier.fc3.weight": (2 / 70) ** 0.5,
    },
    "sparse-autoencoder": dict.fromkeys(["encoder.weight", "encoder.bias", "decoder.weight"], (2 / 320) ** 0.5),
    "fc-net-dropout": {"fc1.weight": 1e-2, "fc2.weight": 1e-2},
    "three-layer-convnet": {"conv1.weight": 1e-3, "fc1.weight": 1e-3, "fc2.weight": 1e-3},
    "two-layer-fc": {"fc1.weight": (2 / 3072) ** 0.5, "fc2.weight": (2 / 4000) ** 0.5},
    "two-conv-net": {"conv1.weight": (2 / 75) ** 0.5, "conv2.weight": (2 / 288) ** 0.5},
    "notmnist-mlp": {"fc1.weight": (2 / 1784) ** 0.5, "fc1.bias": (2 / 1784) ** 0.5},
    "sine-rnn": dict.fromkeys(["rnn.weight_ih_l0", "rnn.weight_hh_l0"], 12**-0.5),
}


def assert_initial_weights(pair: str) -> None:
    """The spread of each, nothing drawn twice in one or in two, and biases that are zero where they are not drawn."""
    state, expected = PAIRS[pair].initial_state(seed=0), INITIAL[pair]
    for name, std in expected.items():
        values = state[name].astype(np.float64)
        assert abs(values.std() - std) < 5 * std / (2 * values.size) ** 0.5, f"{name}: another spread"
        assert np.unique(values).size > 0.9 * values.size, f"{name}: drawn twice"
    starts = np.concatenate([state[name].ravel()[:50] / std for name, std in expected.items()])
    assert np.unique(starts.round(4)).size > 0.9 * starts.size, "two start equal"
    drawn_biases = ("catcar-mlp", "trigram-lm", "sparse-autoencoder", "notmnist-mlp")
    for name in state.keys() - expected.keys():
        assert "bias" not in name or (pair in drawn_biases) == state[name].any(), name


@pytest.mark.parametrize("pair", INITIAL)
def test_initial_weights(pair: str) -> None:
    assert_initial_weights(pair)


@pytest.mark.parametrize(
    ("draw", "method", "pair", "seen"),
    [
        ("uniform", "uniform", "activity-lstm", r"recurrent\.weight_ih_l0: drawn twice"),
        ("normal", "standard_normal", "trigram-lm", "two start equal"),
    ],
)
def test_a_generator_seeded_at_every_draw_is_seen(
    draw: str, method: str, pair: str, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F27: all gates start equal, each of which draws its own matrix, or all layers."""
    plant(monkeypatch, init, draw, f"rng.{method}(", f"np.random.default_rng(0).{method}(")
    with pytest.raises(AssertionError, match=seen):
        assert_initial_weights(pair)


def test_initial_weights_that_nobody_keeps_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """F29: the layers keep those they were built with."""
    plant(monkeypatch, TwoConvNet, "__init__", "layer.weight.data = init", "init")
    with pytest.raises(AssertionError, match=r"conv1\.weight: another spread"):
        assert_initial_weights("two-conv-net")


@pytest.mark.parametrize(
    ("layer", "fan"),
    [
        (scratch.Linear(70, 300), 70),
        (scratch.Conv2d(3, 200, (4, 5)), 60),
        *((cell(30, 100), 100) for cell in (scratch.RNN, scratch.LSTM, scratch.GRU)),
    ],
)
def test_a_layer_by_itself_starts_as_torchs(layer, fan: int) -> None:
    """U(-1/sqrt(fan), 1/sqrt(fan)), each parameter drawn by itself."""
    starts = set()
    for name, values in layer.state_dict().items():
        assert values.dtype == np.float32
        assert 0.96 < np.abs(values).max() * fan**0.5 <= 1 + 1e-6, name
        assert abs(values.astype(np.float64).std() * (3 * fan) ** 0.5 - 1) < 5 / (2 * values.size) ** 0.5, name
        starts.add(values.flat[0])
    assert len(starts) == len(layer.state_dict())


@pytest.mark.parametrize("norm", [scratch.BatchNorm1d(3), scratch.LayerNorm(3), scratch.GroupNorm(3, 3)])
def test_a_norm_starts_as_the_plain_one(norm) -> None:
    expected = {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1, "num_batches_tracked": 0}
    for name, values in norm.state_dict().items():
        assert (values == expected[name]).all(), name
        assert values.dtype == (np.int64 if name == "num_batches_tracked" else np.float32), name


def test_embeddings_start_standard_normal() -> None:
    values = scratch.Embedding(300, 400).weight.data.astype(np.float64)
    assert abs(values.std() - 1) < 5 / (2 * values.size) ** 0.5


def test_two_values_a_channel_are_enough_for_a_batch_norm() -> None:
    out = scratch.BatchNorm1d(1)(np.array([[1.0], [3.0]], np.float32))
    np.testing.assert_allclose(out, [[-1], [1]], rtol=1e-4)


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "MSELoss", "HalfMSELoss", "MultiClassHingeLoss"])
def test_a_loss_goes_back_from_its_own_value(name: str) -> None:
    loss, rng = getattr(scratch, name)(), np.random.default_rng(0)
    classes = name in ("CrossEntropyLoss", "MultiClassHingeLoss")
    loss(rng.random((4, 5), np.float32), np.array([0, 1, 4, 2]) if classes else rng.random((4, 5), np.float32))
    assert loss.backward().dtype == np.float32
    np.testing.assert_array_equal(loss.backward(), loss.backward(1.0))


def test_the_autoencoders_loss_goes_back_from_its_own_value() -> None:
    loss, rng = scratch.SparseAutoencoderLoss(), np.random.default_rng(0)
    loss(rng.random((4, 5), np.float32), rng.random((4, 3), np.float32))
    assert loss.backward().dtype == np.float32
    np.testing.assert_array_equal(loss.backward(), loss.backward(1.0))


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("cell", ["RNN", "SigmoidRNN", "LSTM", "GRU", "ResetFirstGRU"])
def test_what_a_recurrent_layer_returns_is_the_callers_own(cell: str, batch_first: bool) -> None:
    """Written to before the backward pass, it changes no gradient."""
    rng = np.random.default_rng(0)
    layer, x = getattr(scratch, cell)(3, 4, batch_first=batch_first), rng.standard_normal((5, 2, 3)).astype(np.float32)
    found = []
    for written in (False, True):
        results = nest.flatten(layer(x))
        dout = np.ones_like(results[0])
        for array in results if written else ():
            array.fill(77)
        layer.zero_grad()
        back = nest.flatten(layer.backward(dout))
        found.append(back + [parameter.grad.copy() for _, parameter in layer.named_parameters()])
    for once, again in zip(*found, strict=True):
        assert once.dtype == np.float32
        np.testing.assert_array_equal(once, again)


def test_a_convolutions_gradient_over_a_long_batch_keeps_its_digits() -> None:
    """Of 200000 images, where a sum one by one in float32 is off by 1e-5 and more."""
    rng = np.random.default_rng(0)
    x, dout = (rng.random((200_000, 1, 1, 1), np.float32) for _ in range(2))
    layer = scratch.Conv2d(1, 1, 1)
    layer(x)
    layer.backward(dout)
    np.testing.assert_allclose(layer.weight.grad, (x.astype(np.float64) * dout).sum(), rtol=1e-6)


def test_sigmoid_and_cross_entropy_of_large_inputs_are_finite() -> None:
    x = np.array([[-1000.0, 0.0, 1000.0]], np.float32)
    assert scratch.Sigmoid()(x).tolist() == [[0.0, 0.5, 1.0]]
    loss = scratch.CrossEntropyLoss()
    assert loss(x, np.array([0])) == 2000
    assert np.isfinite(loss.backward()).all()


sizes = st.integers(1, 3)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_convolution_of_any_shape_is_the_loops(data) -> None:
    """On small integers, where every sum is exact, fast and plain agree bit for bit."""
    draw = data.draw
    n, c, o, kh, kw, sh, sw, ph, pw = (draw(sizes) for _ in range(9))
    h, w = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    assume(h + 2 * (ph - 1) >= kh and w + 2 * (pw - 1) >= kw)
    agree_on_integers("Conv2d", (n, c, h, w), c, o, (kh, kw), (sh, sw), (ph - 1, pw - 1))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_pooling_of_any_shape_is_the_loops(data) -> None:
    draw = data.draw
    n, c, kh, kw, sh, sw = (draw(sizes) for _ in range(6))
    h, w = draw(st.integers(kh, 9)), draw(st.integers(kw, 9))
    agree_on_integers("MaxPool2d", (n, c, h, w), (kh, kw), (sh, sw))


def agree_on_integers(layer: str, shape: tuple[int, ...], *arguments) -> None:
    rng = np.random.default_rng(0)
    fast, plain = (getattr(scratch, name)(*arguments) for name in (layer, f"Loop{layer}"))
    state = {name: rng.integers(-3, 4, a.shape).astype(a.dtype) for name, a in fast.state_dict().items()}
    x = rng.integers(-3, 4, shape).astype(np.float32)
    results = []
    for module in (fast, plain):
        module.load_state_dict(state)
        out = module(x)
        dx = module.backward(np.arange(out.size, dtype=np.float32).reshape(out.shape) % 5 - 2)
        results.append([out, dx, *(parameter.grad for _, parameter in module.named_parameters())])
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)
