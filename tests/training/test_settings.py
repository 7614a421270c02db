"""Settings as they are written on the command line: parsed, put in their place, and read back."""

from dataclasses import replace
from typing import Any

import pytest

from tests.training.test_sweep import PAIR
from twofold.compare.errors import BadInput
from twofold.compare.pairs import PAIRS
from twofold.compare.training import settings


def test_values_have_the_type_of_the_default() -> None:
    given = ["hidden=512x64", "lr=1", "momentum=0", "nesterov=False", "batch=4", "reduction=sum", "records=7"]
    values = ((512, 64), 1.0, 0.0, False, 4, "sum", 7)
    keys = ("hidden", "lr", "momentum", "nesterov", "batch", "reduction", "records")
    assert settings.points(PAIR, given) == [dict(zip(keys, values, strict=True))]
    rules = ["stop_below=1", "patience=3", "clip=0.5"]
    assert settings.parse(PAIR, rules) == {"stop_below": 1.0, "patience": 3, "clip": 0.5}
    assert settings.parse(PAIR, ["optimizer=Adam", "betas=0.9x0.99"])["betas"] == (0.9, 0.99)
    assert settings.parse(PAIR, ["hidden=none", "records=None"]) == {"hidden": (), "records": None}


def test_every_setting_is_read_back_as_it_is_written() -> None:
    for name, pair in PAIRS.items():
        point = settings.all_of(pair)
        texts = [f"{key}={settings.written(value)}" for key, value in point.items()]
        assert settings.parse(pair, texts) == point, name
        assert settings.all_of(settings.pair_at(pair, point)) == point, name


COUPLED = [
    (["optimizer+lr=SGD:0.01,Adam:0.001"], [{"optimizer": "SGD", "lr": 0.01}, {"optimizer": "Adam", "lr": 0.001}]),
    (
        ["hidden+lr=4:0.1,5x6:0.2", "batch=1,2"],
        [
            {"hidden": (4,), "lr": 0.1, "batch": 1},
            {"hidden": (4,), "lr": 0.1, "batch": 2},
            {"hidden": (5, 6), "lr": 0.2, "batch": 1},
            {"hidden": (5, 6), "lr": 0.2, "batch": 2},
        ],
    ),
]


@pytest.mark.parametrize(("given", "points"), COUPLED)
def test_coupled_settings_change_together(given: list[str], points: list[dict[str, Any]]) -> None:
    assert settings.points(PAIR, given) == points


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("optimizer+lr=SGD,Adam", "expected OPTIMIZER:LR for each, found 'SGD'"),
        ("optimizer+lr=SGD:", "found 'SGD:'"),
        ("optimizer+lr=SGD:0.1:3", "found 'SGD:0.1:3'"),
        ("optimizer+lr=SGD:0.1,SGD:0.10", "expected each value once"),
        ("lr+lr=1:2", "lr: expected once, with all its values, found twice"),
        ("batch=0", "expected at least 1, found 0"),
        ("records=0", "expected at least 1, found 0"),
        ("patience=often", "expected a whole number, found 'often'"),
        ("stop_below=low", "expected a number, found 'low'"),
    ],
)
def test_what_cannot_be_read_is_one_line(setting: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as raised:
        settings.points(PAIR, [setting])
    assert "\n" not in str(raised.value)


def test_one_value_is_what_train_takes() -> None:
    with pytest.raises(BadInput, match=r"one value, found 'lr=0\.1,0\.2'; .* joined by x, as 512x64"):
        settings.parse(PAIR, ["lr=0.1,0.2"])


@pytest.mark.parametrize(
    ("annotation", "length"),
    [(tuple[float, float], 2), (tuple[int, int, int], 3), (tuple[int, ...], None), (int, None), ("tuple", None)],
)
def test_how_many_values_a_setting_has(annotation: Any, length: int | None) -> None:
    assert settings.length(annotation) == length


def test_a_second_stage_goes_with_the_rules_that_begin_it() -> None:
    staged = PAIRS["activity-rnn"]
    assert settings.pair_at(staged, {}).recipe.second_stage
    for point in ({"stop_below": None}, {"stop_below": None, "patience": None}):
        assert settings.pair_at(staged, point).recipe.second_stage is None
    assert settings.pair_at(staged, {"stop_below": None, "patience": 3}).recipe.second_stage


@pytest.mark.parametrize(
    ("text", "value"), [("None", None), ("3", 3), ("0.5", 0.5), ("2x3", (2, 3)), ("batch", "batch"), ("true", True)]
)
def test_a_default_of_none_takes_what_is_written(text: str, value: Any) -> None:
    found = settings.Key("model", "norm", None).parse(text)
    assert (type(found), found) == (type(value), value)


def test_none_where_the_argument_may_be_none() -> None:
    assert settings.Key("model", "norm", "batch", optional=True).parse("None") is None
    assert settings.Key("model", "norm", "batch").parse("None") == "None"


def test_a_name_that_two_parts_share_is_written_with_its_part() -> None:
    both = replace(PAIR, penalty=replace(PAIR.optimizer, arguments={}))  # an optimizer's arguments once more
    known = settings.keys(both)
    assert known.keys() >= {"optimizer.lr", "penalty.lr", "hidden"}
    assert not known.keys() & {"lr", "model.hidden"}
    assert settings.pair_at(both, {"penalty.lr": 0.5}).penalty == both.penalty.given(lr=0.5)


def test_every_combination_the_last_key_first() -> None:
    points = settings.points(PAIR, ["hidden=4,5x6", "lr=0.1,0.2"])
    assert list(map(settings.label, points)) == [
        "hidden=4, lr=0.1",
        "hidden=4, lr=0.2",
        "hidden=5x6, lr=0.1",
        "hidden=5x6, lr=0.2",
    ]


def test_a_point_changes_its_part_of_the_pair() -> None:
    second = replace(PAIR, recipe=replace(PAIR.recipe, patience=3, second_stage={"lr": 0.1, "momentum": 0.3}))
    found = settings.pair_at(second, {"hidden": (5,), "optimizer": "Adam", "eps": 1e-4, "batch": 4, "reduction": "sum"})
    assert found.model.arguments == {"pixels": 16, "hidden": (5,)}
    assert (found.optimizer.scratch, found.optimizer.reference) == ("twofold.scratch:Adam", "torch.optim:Adam")
    assert found.optimizer.arguments == {"lr": 0.35, "eps": 1e-4}
    assert found.recipe.second_stage == {"lr": 0.1}
    assert (found.recipe.batch, found.loss.arguments) == (4, {"reduction": "sum"})
