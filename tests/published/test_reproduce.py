"""The published figures run again: which there are, what is missing, and that real ones come out."""

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twofold.compare.cli import main
from twofold.compare.commands import reproduce as command
from twofold.compare.commands.reproduce import run
from twofold.compare.errors import Status
from twofold.compare.pair import Twin
from twofold.compare.published import fc_net, known_norms, known_values, mnist_cnn, sine_rnn
from twofold.compare.published.figure import Basis, Curves, Entry, Run, Series
from twofold.compare.published.judge import judged, judged_series, ulp_of
from twofold.compare.published.judge import unavailable as not_computed
from twofold.compare.published.table import chosen, figures, missing, runs


def test_every_published_pair_and_figure_is_listed() -> None:
    table = runs()
    count = {run.pair: 0 for run in table}
    for found in table:
        count[found.pair] += sum(len(series.entries) for series in found.series)
    assert count["mnist-cnn"] == 160
    assert count["sine-rnn"] == 4 * 25 * 2 + 4 * 2
    assert count["catcar-mlp"] == 1
    assert count["bn-convnet"] == 11
    assert count["notmnist-mlp"] == 4 * 7
    assert sum(count[f"activity-{cell}"] for cell in ("rnn", "lstm", "gru")) == 10 + 18
    logged = 4 + 92 + 2 * (2 * 21 + 4 * 6 + 2 * 26)
    known = (2 + 21) + 2 + 6 + 12 + 2 * 20 + 2 * 20 + 3 * 20 + 6
    norms = (3 * 2 * 3 - 3) + 6 + 2 + 3 * 2 * 4
    assert count["fc-net"] == logged + known + norms + 10
    assert count["three-layer-convnet"] == 2 + 30 + 2 * 16 + 24 + 24 + 2 * 2 * 3 + 8 + 2 * 4 + 2
    names = [(found.pair, found.name) for found in table]
    assert len(names) == len(set(names))


def test_what_is_not_to_be_had_says_why(tmp_path: Path) -> None:
    (place,) = chosen(["trigram-lm"])
    reason = missing(runs()[place], tmp_path)
    assert "eee443/assign2_data2.h5: no such file" in reason
    (tmp_path / "eee443").mkdir()
    (tmp_path / "eee443/assign2_data2.h5").touch()
    assert "lost in the source" in missing(runs()[place], tmp_path)


def test_missing_files_make_a_run_unavailable(tmp_path: Path) -> None:
    place = chosen(["mnist-cnn"])[0]
    assert "no --data DIR given" in missing(runs()[place], None)
    found = not_computed(runs()[place], missing(runs()[place], tmp_path))
    assert len(found) == 32
    assert {figure.basis for figure in found} == {Basis.UNAVAILABLE}
    assert not any(figure.disagrees for figure in found)


def twofold(*arguments: object) -> int:
    sys.argv = ["twofold", "reproduce", *map(str, arguments)]
    with pytest.raises(SystemExit) as exit:
        main()
    return int(exit.value.code or 0)


def test_where_nothing_is_available_nothing_is_proven(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert twofold("trigram-lm", "notmnist-mlp", "--data", tmp_path, "--json", "-") == Status.NOTHING_PROVEN
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)["figures"]) == 3 + 28
    assert "nothing was proven: none of 31 figures could be judged, 31 unavailable" in captured.err


@pytest.mark.parametrize("agrees", [True, False])
def test_exit_status(agrees: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = Run("pair", "run", (Series("loss", (Entry("loss 0", "1.23", 0),)),), lambda directory: {})
    curves = {"loss": Curves(np.array([1.23]), np.array([1.23 if agrees else 1.26]))}
    monkeypatch.setattr("twofold.compare.commands.reproduce.chosen", lambda names: [0])
    monkeypatch.setattr("twofold.compare.commands.reproduce.runs", lambda: [made])
    monkeypatch.setattr("twofold.compare.commands.reproduce.reproduced", lambda *_: [(0, judged(made, curves))])
    assert twofold("--data", tmp_path, "--out", tmp_path / "kept") == (0 if agrees else 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("sparse-autoencoder",), "no published figures of 'sparse-autoencoder'"), (("--data", "nowhere"), "nowhere")],
)
def test_bad_usage_is_one_line(arguments, message: str, capsys: pytest.CaptureFixture) -> None:
    assert twofold(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def place_of(pair: str, name: str) -> int:
    (place,) = [n for n, run in enumerate(runs()) if (run.pair, run.name) == (pair, name)]
    return place


REAL = [
    ("mnist-cnn", "8 and 8 filters"),
    ("mnist-cnn", "2 and 8 filters"),
    ("fc-net", "five_layer_50"),
    ("fc-net", "known values: two-layer net"),
    ("fc-net", "known values: two-layer net, scores"),
    ("fc-net", "known values: linear"),
    ("fc-net", "known values: relu"),
    ("fc-net", "known values: sgd momentum"),
    ("fc-net", "known values: rmsprop"),
    ("fc-net", "known values: adam"),
    ("fc-net", "known values: batch norm"),
    ("fc-net", "known values: batch norm, test mode, features"),
    ("three-layer-convnet", "known values: convolution"),
    ("three-layer-convnet", "known values: max pooling"),
    ("three-layer-convnet", "known values: batch norm, test mode"),
    ("sine-rnn", "sine, hidden 100, right gradient"),
    ("sine-rnn", "triangle, hidden 100, right gradient"),
]


@pytest.mark.parametrize(("pair", "name"), REAL)
def test_real_figures_come_out_to_the_digit(pair: str, name: str, real_data: Path) -> None:
    found = figures(place_of(pair, name), real_data)
    assert found
    assert {figure.basis for figure in found} == {Basis.DIGIT}
    assert not [figure for figure in found if figure.disagrees]


FINER_THAN_THEY_RESOLVE = [
    ("fc-net", "initial losses", {"15-20-30-10, no penalty", "15-20-30-10, keep 0.5"}),
    ("fc-net", "known values: losses", {"svm"}),
    ("fc-net", "known values: batch norm, initial losses", {"loss", "loss_reg_3.14"}),
    ("fc-net", "known values: dropout statistics", {"mean, keep 0.25", "mean, keep 0.4", "mean, keep 0.7"}),
    ("three-layer-convnet", "initial losses", {"L2 0.5"}),
]


@pytest.mark.parametrize(("pair", "name", "fine"), FINER_THAN_THEY_RESOLVE)
def test_constants_come_out_as_far_as_their_arithmetic_resolves(pair: str, name: str, fine: set[str]) -> None:
    """Which of the finer ones need the envelope is the machine's; no other may."""
    found = figures(place_of(pair, name), None)
    assert not [figure for figure in found if figure.disagrees]
    assert {figure.name for figure in found if figure.basis is not Basis.DIGIT} <= fine


@pytest.mark.parametrize(("pair", "name"), [case[:2] for case in FINER_THAN_THEY_RESOLVE])
def test_a_hundred_ulps_are_too_many_for_any_constant(pair: str, name: str) -> None:
    made = runs()[place_of(pair, name)]
    curves = made.compute(Path())
    for series in made.series:
        (entry,) = series.entries
        off = float(entry.published) + 100 * float(ulp_of(curves[series.name], entry))
        wrong = replace(series, entries=(replace(entry, published=repr(off)),))
        (figure,) = judged_series(pair, name, wrong, curves[series.name])
        assert figure.agrees == {"scratch": False, "reference": False}
        assert figure.disagrees


NORMS = [
    ("fc-net", "layer norm", 20, 4),
    ("three-layer-convnet", "spatial batch norm", 9, 3),
    ("three-layer-convnet", "spatial group norm", 4, 4),
]


@pytest.mark.parametrize(("pair", "name", "digits", "noise"), NORMS)
def test_means_that_rounding_alone_leaves_are_not_informative(pair: str, name: str, digits: int, noise: int) -> None:
    found = figures(place_of(pair, f"known values: {name}"), None)
    assert not [figure for figure in found if figure.disagrees]
    assert [figure.basis for figure in found] == [Basis.DIGIT] * digits + [Basis.NOT_INFORMATIVE] * noise
    for figure in found[digits:]:
        assert figure.name.startswith("gamma 1, beta 0: means")
        assert (
            max(abs(float(text)) for text in (figure.published, figure.scratch or "", figure.reference or "")) < 1e-14
        )


def test_the_scores_differ_by_less_than_the_source_allows() -> None:
    """By 1e-6 in sum; equal digits alone would allow a quarter of that."""
    found = runs()[place_of("fc-net", "known values: two-layer net, scores")]
    curves, texts = (
        found.compute(Path()),
        {entry.name: entry.published for one in found.series for entry in one.entries},
    )
    for side in ("scratch", "reference"):
        assert sum(abs(getattr(curves[name], side)[0] - float(text)) for name, text in texts.items()) < 1e-6


OTHER = {
    "sgd momentum": (known_values, "MOMENTUM", known_values.MOMENTUM.given(nesterov=True)),
    "rmsprop": (known_values, "RMSPROP", known_values.RMSPROP.given(eps=1e-6)),
    "adam": (known_values, "ADAM", known_values.ADAM.given(betas=(0.9, 0.9))),
    "max pooling": (known_values, "POOL", known_values.POOL.given(kernel_size=1)),
    "batch norm": (known_norms, "FEATURES", known_norms.FEATURES.given(eps=1e-4)),
    "layer norm": (known_norms, "RECORDS", known_norms.RECORDS.given(eps=1e-6)),
    "spatial batch norm": (known_norms, "CHANNELS", known_norms.CHANNELS.given(eps=1e-6)),
    "spatial group norm": (known_norms, "GROUPS", known_norms.GROUPS.given(num_groups=3)),
    "batch norm, test mode": (known_norms, "BIASED", Twin("twofold.scratch:BatchNorm2d", "torch.nn:BatchNorm2d")),
}


@pytest.mark.parametrize("name", OTHER)
def test_another_rule_gives_other_figures_on_both_sides(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Test mode, for one, comes out with the biased variance alone, which is not torch's."""
    module, twin, other = OTHER[name]
    monkeypatch.setattr(module, twin, other)
    (place,) = [n for n, run in enumerate(runs()) if run.name == f"known values: {name}"]
    wrong = [figure for figure in figures(place, None) if figure.disagrees]
    assert any(figure.agrees == {"scratch": False, "reference": False} for figure in wrong)


def test_the_update_as_published_brings_out_the_second_epoch() -> None:
    """Epoch 2 needs the wrong update, which is why it is kept."""
    name = "sine, hidden 100"
    setup, data, drawn = sine_rnn.prepared([name])
    published = [row[1:] for row in sine_rnn.read("sine-rnn")["runs"][0]["losses"][:2]]
    for side in (setup.scratch(), setup.reference()):
        sine_rnn.load(side, drawn)
        found = sine_rnn.epochs(side, data)
        for texts in published:
            for value, text in zip(next(found), texts, strict=True):
                assert sine_rnn.FORM.units_off(value, text) == 0


def test_the_runs_before_are_drawn_too() -> None:
    """The second run's weights are not the first's, and do not depend on what was trained."""
    first, second = mnist_cnn.plans([(8, 8), (8, 8)])
    assert not np.array_equal(first[0]["conv1.weight"], second[0]["conv1.weight"])
    again = list(mnist_cnn.plans([(8, 8), (8, 8)]))[1]
    assert np.array_equal(second[1], again[1])


def test_a_plan_draws_in_the_order_of_the_source() -> None:
    solver = fc_net.Solver(2000, 100, 2)
    plan = fc_net.drawn(solver, {}, np.random.RandomState(0))
    rng = np.random.RandomState(0)
    batch, subset = rng.choice(2000, 100), rng.choice(2000, 1000)
    assert np.array_equal(plan.batches[0], batch)
    assert np.array_equal(plan.subsets[0], subset)
    assert len(plan.batches) == 40
    assert len(plan.subsets) == 3  # after the first step and after each epoch


def test_a_run_of_nothing_prints_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(["bn-convnet"], tmp_path, None) is Status.NOTHING_PROVEN
    assert "11 unavailable" in capsys.readouterr().out


def test_each_run_is_printed_and_kept_as_it_comes(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    """An interruption loses none that is done, and going on gives what one call would have given."""
    pairs, once, again = ["catcar-mlp", "two-layer-fc", "fc-net"], tmp_path / "once.json", tmp_path / "again.json"
    ready = [place for place in chosen(pairs) if not missing(runs()[place], None)]
    monkeypatch.setattr(command, "chosen", lambda names: ready[:4])
    assert run(pairs, None, once, out=tmp_path / "whole") is Status.DONE
    real = command.reproduced

    def interrupted(places: Sequence[int], *more: Any) -> Iterator[Any]:
        yield from itertools.islice(real(places, *more), 2)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(command, "reproduced", interrupted)
        run(pairs, None, again, out=tmp_path / "parts")
    out = capsys.readouterr().out
    assert "interrupted; 2 of 4 runs are done, --resume goes on" in out and not again.exists()
    assert out.index(runs()[ready[1]].name) < out.index("interrupted")
    done = []
    monkeypatch.setattr(command, "reproduced", lambda places, *more: done.extend(places) or real(places, *more))
    assert run(pairs, None, again, out=tmp_path / "parts", resume=True) is Status.DONE
    assert len(done) == 2 and capsys.readouterr().out.count("(finished before)") == 2
    assert once.read_bytes() == again.read_bytes()
