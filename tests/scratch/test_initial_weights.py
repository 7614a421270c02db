"""The weights that models and layers start from, by their distributions and the generator that draws them."""

import numpy as np
import pytest
import torch

from tests.judge.planting import plant
from twofold import scratch
from twofold.compare.pairs import PAIRS
from twofold.scratch import init
from twofold.scratch.models.two_conv_net import TwoConvNet

DRAWS = [
    ("uniform", lambda rng: init.uniform((300, 400), 0.5, rng), 0.5 / 3**0.5, 0.5),
    ("normal", lambda rng: init.normal((300, 400), 0.02, rng), 0.02, None),
    ("default", lambda rng: init.default((300, 400), 400, rng), 0.05 / 3**0.5, 0.05),
    ("xavier_uniform", lambda rng: init.xavier_uniform((300, 500), rng), (2 / 800) ** 0.5, (6 / 800) ** 0.5),
    ("xavier_uniform", lambda rng: init.xavier_uniform((90, 40, 5, 7), rng), (2 / 4550) ** 0.5, (6 / 4550) ** 0.5),
    ("kaiming_normal", lambda rng: init.kaiming_normal((90, 40, 5, 7), rng), (2 / 1400) ** 0.5, None),
    ("scaled_normal", lambda rng: init.scaled_normal((8, 8, 50, 50), rng), 1 / 400, None),
]


@pytest.mark.parametrize(("name", "draw", "std", "bound"), DRAWS, ids=[row[0] for row in DRAWS])
def test_initialiser(name: str, draw, std: float, bound: float | None) -> None:
    values = draw(np.random.default_rng(0)).astype(np.float64)
    # five standard errors of the mean and of the standard deviation of this many draws
    assert abs(values.mean()) < 5 * std / values.size**0.5
    assert abs(values.std() - std) < 5 * std / (2 * values.size) ** 0.5
    assert bound is None or bound * 0.999 < np.abs(values).max() <= bound * (1 + 1e-6)


@pytest.mark.parametrize("shape", [(3, 5), (4, 3, 2), (4, 3, 2, 5), (3, 0), (0, 3), (1, 0)])
def test_fans_are_torchs(shape: tuple[int, ...]) -> None:
    """By the widest that torch draws of a constant fan, as a bound or a standard deviation."""
    fan, fan_out = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    bounds: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(init, "uniform", lambda shape, bound, rng: bounds.append(bound))
        patch.setattr(init, "normal", lambda shape, std, rng: bounds.append(std))
        init.xavier_uniform(shape, np.random.default_rng(0))
        init.kaiming_normal(shape, np.random.default_rng(0))
        init.default(shape, init.fan_in(shape), np.random.default_rng(0))
    expected = [(6 / (fan + fan_out)) ** 0.5, (2 / max(fan, 1)) ** 0.5, fan**-0.5 if fan else 0]
    assert bounds == pytest.approx(expected, rel=1e-15, abs=0)


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda rng: init.uniform((2,), 1.0, 7), TypeError, r"uniform expected a numpy.random.Generator, found a int"),
        (lambda rng: init.normal((2,), 1.0, None), TypeError, "normal expected a numpy.* found a NoneType"),
        (lambda rng: init.uniform((2,), -1.0, rng), ValueError, "uniform expected a spread of at least 0, found -1.0"),
        (lambda rng: init.uniform((2,), np.inf, rng), ValueError, "uniform expected .* found inf"),
        (lambda rng: init.normal((2,), -1.0, rng), ValueError, "normal expected .* found -1.0"),
        (lambda rng: init.normal((2,), np.nan, rng), ValueError, "normal expected .* found nan"),
        (
            lambda rng: init.xavier_uniform((2,), rng),
            ValueError,
            r"xavier_uniform expected a weight .* found shape \(2,\)",
        ),
        (
            lambda rng: init.kaiming_normal((2,), rng),
            ValueError,
            r"kaiming_normal expected a weight .* found shape \(2,\)",
        ),
    ],
)
def test_what_no_initialiser_can_draw(draw, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        draw(np.random.default_rng(0))


def test_weights_of_no_inputs_are_empty_and_their_biases_zero() -> None:
    """As torch has it."""
    rng = np.random.default_rng(0)
    assert not init.default((3,), 0, rng).any()
    assert init.scaled_normal((1, 1), np.random.default_rng(0)) == init.normal((1, 1), 1.0, np.random.default_rng(0))
    for draw in (init.xavier_uniform, init.kaiming_normal, init.scaled_normal):
        assert draw((3, 0), rng).shape == (3, 0)


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
    "sine-rnn-fan-in": {"rnn.weight_ih_l0": 150**-0.5, "rnn.weight_hh_l0": 300**-0.5, "output.weight": 300**-0.5},
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
        (scratch.Linear(70, 300, rng=np.random.default_rng(0)), 70),
        (scratch.Conv2d(3, 200, (4, 5), rng=np.random.default_rng(0)), 60),
        *((cell(30, 100, rng=np.random.default_rng(0)), 100) for cell in (scratch.RNN, scratch.LSTM, scratch.GRU)),
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
