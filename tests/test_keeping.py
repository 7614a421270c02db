"""What is kept of a long command: read back as it was, and never where anything that made it is another."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from twofold.compare.errors import BadInput
from twofold.compare.judge.finding import Divergence, Finding, Quantity, Verdict
from twofold.compare.judge.gates import GateMap
from twofold.compare.keeping import digest, file_of, keep, kept, versions
from twofold.compare.records import read, written
from twofold.compare.strict import dumps

OF = {"pair": "a", "seed": 0}
FINDING = Finding(
    "gradient",
    Verdict.FAIL,
    (
        Quantity("w", math.inf, 0.0, math.nan, Verdict.FAIL, index=(1, 2), golden=-math.inf),
        Quantity("b", 1.0, 2.0, 0.5, Verdict.PASS),
    ),
    first_divergence=Divergence("backward", "fc1", 3),
    gates=GateMap("forward", ("i", "f"), np.array([[1.0, np.inf], [np.nan, 8.0]])),
    causes=("F1",),
)


def test_a_record_comes_back_as_it_was() -> None:
    content = json.loads(json.dumps(written(FINDING), allow_nan=False))
    again = read(Finding, content)
    assert repr(again) == repr(FINDING)
    assert again.gates.line() == FINDING.gates.line() if FINDING.gates else False


@dataclass(frozen=True)
class Some:
    word: str
    count: int | None
    share: float
    side: Literal["scratch", "reference"]
    either: "Some | str" = ""


RIGHT = {"word": "a", "count": None, "share": "nan", "side": "scratch", "either": "b"}
BAD: list[Any] = [
    None,
    3,
    [],
    "text",
    {},
    {**RIGHT, "word": 3},
    {**RIGHT, "count": "3"},
    {**RIGHT, "count": True},
    {**RIGHT, "share": "much"},
    {**RIGHT, "side": "both"},
    {**RIGHT, "either": None},
    {**RIGHT, "more": 1},
]


@pytest.mark.parametrize("content", BAD, ids=str)
def test_what_is_no_record_is_refused(content: Any) -> None:
    assert read(Some, RIGHT).word == "a"
    with pytest.raises((ValueError, TypeError, KeyError)):
        read(Some, content)


@pytest.mark.parametrize("other", [{**OF, "seed": 1}, {"pair": "a"}, {**OF, "more": None}], ids=str)
def test_what_was_made_of_something_else_is_not_taken_up(other: dict[str, Any], tmp_path: Path) -> None:
    keep(tmp_path / "new", "a / b", OF, [1])
    assert kept(tmp_path / "new", "a / b", OF) == [1]
    assert kept(tmp_path / "new", "a / b", other) is None
    assert kept(tmp_path / "new", "a - b", OF) is None
    assert not list(tmp_path.rglob("*.part"))


DAMAGES = [b"", b"[]", b"3", b'{"schema": 1}', b"\xff", b"[" * 100_000]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: repr(damage[:9]))
def test_a_damaged_file_is_not_taken_up(damage: bytes, tmp_path: Path) -> None:
    keep(tmp_path, "a", OF, [1])
    file_of(tmp_path, "a").write_bytes(damage)
    assert kept(tmp_path, "a", OF) is None


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("a file")
    with pytest.raises(BadInput, match="there: expected a folder to write to, found: File exists"):
        keep(tmp_path / "there", "a", OF, [1])


def test_digests_tell_bytes_shapes_and_types_apart() -> None:
    zeros: list[Any] = [np.zeros(4, dtype) for dtype in (np.float64, np.float32, np.int64)]
    parts = [b"", b"a", *zeros, np.zeros((2, 2)), -np.zeros(4)]
    assert len({digest([part]) for part in parts}) == len(parts)
    assert digest([np.arange(6.0).reshape(2, 3).T]) == digest([np.arange(6.0).reshape(2, 3).T.copy()])
    assert versions().keys() == {"numpy", "torch", "python", "source"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_json_has_null_for_what_is_not_finite(value: float) -> None:
    assert dumps({"a": [value, (value, 1.5)], "b": {"c": value}}) == '{"a": [null, [null, 1.5]], "b": {"c": null}}'
