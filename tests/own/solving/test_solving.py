"""Layouts found by values: every net with the runs that it takes, and a mistake in each that stays a mistake."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.own.case import written
from tests.own.solving import nets
from tests.own.solving.faults import FORWARD
from twofold import Verdict, judge
from twofold.compare.judge.own.meeting.solving import seen
from twofold.compare.watch.lines import Dropped

TEXT = Path(nets.__file__).read_text()
ONE = {"dtypes": ("float64",)}

# What stands for what, as far as it is asked, and how many runs of either side find it at the most.
SOLVED: Mapping[str, tuple[Mapping[str, str], int]] = {
    "three_layers": ({"0.weight": "q.T", "2.weight": "a.T", "4.weight": "s.T", "0.bias": "f", "4.bias": "k"}, 40),
    "channels_last": (
        {
            "0.weight": "k.transpose(3, 2, 0, 1)",
            "3.weight": "w.T.reshape(5, 3, 3, 4).transpose(0, 3, 1, 2).reshape(5, 36)",
        },
        30,
    ),
    "flipped_kernels": ({"conv.weight": "k[..., ::-1, ::-1]", "fc.weight": "w.T"}, 30),
    "lstm_four_matrices": (
        {"rnn.weight_ih_l0": "concatenate([m1[:, 4:7], m3[:, 4:7], m4[:, 4:7], m2[:, 4:7]])", "fc.weight": "q"},
        90,
    ),
    "lstm_one_matrix": (
        {"rnn.weight_hh_l0": "concatenate([all[0:4, 4:8].T, all[0:4, 0:4].T, all[0:4, 12:16].T, all[0:4, 8:12].T])"},
        90,
    ),
    "lstm_side_by_side": (
        {
            "rnn.weight_ih_l0": "concatenate([b[:, 8:12].T, b[:, 0:4].T, b[:, 4:8].T, b[:, 12:16].T])",
            "rnn.bias_ih_l0 + rnn.bias_hh_l0": "concatenate([c[8:12], c[0:4], c[4:8], c[12:16]])",
        },
        100,
    ),
    "gru_complement": (
        {
            "rnn.weight_hh_l0": "concatenate([s1.T, -s2.T, s0.T])",
            "rnn.bias_hh_l0": "concatenate([zeros(4), zeros(4), b3])",
        },
        60,
    ),
    "plain_rnn": ({"rnn.weight_ih_l0": "v", "rnn.bias_ih_l0 + rnn.bias_hh_l0": "c"}, 30),
    "attention_fused": (
        {"attention.in_proj_weight": "concatenate([w[:, 8:12].T, w[:, 4:8].T, w[:, 0:4].T])"},
        60,
    ),
    "attention_heads": ({"q.weight": "z.transpose(0, 2, 1).reshape(4, 4)", "o.weight": "o.T"}, 60),
    "tied_decoder": ({"table.weight": "t", "mix.weight": "m.T"}, 30),
    "tied_in_one_side": ({"table.weight": "t", "back.weight": "t"}, 30),
    "bias_in_matrix": (
        {"0.weight": "k[0:4].T", "0.bias": "k[4]", "2.weight": "m[:, 1:5]", "2.bias": "m[:, 0]"},
        30,
    ),
    "columns": ({"0.weight": "c", "2.weight": "a"}, 40),
    "labels_from_one": ({"0.weight": "c.T", "2.weight": "a.T"}, 40),
    "signs": ({"0.weight": "a.T", "2.weight": "c"}, 40),
    "dropped": ({"0.weight": "c.T", "3.weight": "a.T"}, 40),
    "norm_and_convolution_matrix": (
        {"conv.weight": "m.reshape(2, 2, 3, 4).transpose(3, 2, 0, 1)", "norm.weight": "b", "norm.bias": "a"},
        30,
    ),
    "units_apart": ({"0.weight": "stack([rows[0], rows[1], rows[2]])", "2.weight": "v.T"}, 30),
}


def judged(make: Callable[[], Any], **more: Any) -> Verdict:
    net, torchs, data, how = make()
    if (mode := how.pop("mode", None)) is not None:

        def enter(training: bool) -> None:
            mode["training"] = training

        how["modes"] = (lambda: enter(True), lambda: enter(False))
    return judge(net, torchs, *data, **ONE, **how, **more)


def runs_of(verdict: Verdict) -> int:
    line = next(text for name, text in verdict.lines if name == "layout")
    return int(line.partition("found in ")[2].split()[0])


@pytest.mark.parametrize("name", SOLVED)
def test_layouts_are_found(name: str) -> None:
    expected, most = SOLVED[name]
    verdict = judged(getattr(nets, name))
    assert verdict.outcome == "same", str(verdict)
    assert {key: verdict.layout[key] for key in expected} == expected
    assert runs_of(verdict) <= most


@pytest.mark.parametrize("name", ("channels_last", "lstm_one_matrix", "gru_complement", "bias_in_matrix", "signs"))
def test_what_is_printed_freezes_it(name: str) -> None:
    verdict = judged(getattr(nets, name))
    again = judged(getattr(nets, name), layout=verdict.layout)
    assert (again.outcome, dict(again.layout)) == ("same", dict(verdict.layout))


@pytest.mark.parametrize("name", FORWARD)
def test_a_mistake_ends_as_one(name: str) -> None:
    old, new = FORWARD[name]
    assert TEXT.count(old) == 1
    wrong: ModuleType = written("nets", TEXT.replace(old, new))
    verdict = judged(getattr(wrong, name))
    assert verdict.outcome == "different", str(verdict)


def test_equal_branches_may_be_exchanged() -> None:
    verdict = judged(nets.two_branches)
    assert verdict.outcome == "same"
    assert {verdict.layout["left.weight"], verdict.layout["right.weight"]} == {"p.T", "q.T"}
    assert "as well: left.weight = q.T, left.bias = t, right.weight = p.T, right.bias = s" in str(verdict)


@pytest.mark.parametrize("name", ("three_layers", "channels_last", "flipped_kernels", "bias_in_matrix", "columns"))
def test_without_lines_layers_are_peeled_off(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where nothing is bound that Python sees: from the last layer to the first, by what comes out."""

    def none(belongs: object) -> None:
        raise Dropped("no lines")

    monkeypatch.setattr(seen, "watched", none)
    expected, _ = SOLVED[name]
    verdict = judged(getattr(nets, name))
    assert verdict.outcome == "same", str(verdict)
    assert {key: verdict.layout[key] for key in expected} == expected
    assert runs_of(verdict) <= 150
    assert any("found without them" in told for told in verdict.not_checked)


def test_where_they_part_is_told() -> None:
    old, new = FORWARD["units_apart"]
    verdict = judged(written("nets", TEXT.replace(old, new)).units_apart)
    assert verdict.place.module == "2"
