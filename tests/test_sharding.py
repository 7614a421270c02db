"""Work is dealt whole, evenly and always in the same way; what is not one run is refused in a sentence."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from twofold.compare.errors import BadInput
from twofold.compare.sharding import Part, Shard, as_json, gathered, read_part, shard_of, whole


def shards(count: int) -> list[Shard]:
    return [Shard(n, count) for n in range(1, count + 1)]


@pytest.mark.parametrize("items", [0, 1, 2, 5, 92])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_everything_is_dealt_once_and_evenly(items: int, count: int) -> None:
    parts = [shard.deal(range(items)) for shard in shards(count)]
    assert sorted(chain(*parts)) == list(range(items))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert gathered(shards(count), parts, items) == list(range(items))


def test_neighbours_go_to_all_shards() -> None:
    """Both dtypes of every pair stand next to each other, and one takes longer than the other."""
    work = [(pair, kind) for pair in range(10) for kind in ("float64", "float32")]
    for shard in shards(2):
        mine = [kind for _, kind in shard.deal(work)]
        assert mine.count("float64") == mine.count("float32") == 5


def test_what_does_not_fall_to_a_shard_is_not_gathered() -> None:
    with pytest.raises(ValueError):
        gathered(shards(2), [[0, 3], [1]], 4)


@pytest.mark.parametrize(("text", "expected"), [("1/1", Shard(1, 1)), ("2/3", Shard(2, 3)), ("3/3", Shard(3, 3))])
def test_a_shard_is_written_as_k_of_n(text: str, expected: Shard) -> None:
    assert shard_of(text) == expected and str(expected) == text


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "1", "/2", "1/2/3", "-1/3", "1.0/2", "٢/٣", "", "all"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"--shard: expected K/N with K from 1 to N, .*, found "):
        shard_of(text)


def test_a_shard_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchrun counts from 0."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert shard_of("env") == Shard(2, 3)


@pytest.mark.parametrize(
    ("rank", "world", "told"),
    [
        (None, "2", "expected the whole number RANK in the environment, as torchrun sets it, found none"),
        ("1", None, "expected the whole number WORLD_SIZE in the environment, as torchrun sets it, found none"),
        ("x", "2", "found 'x'"),
        ("2", "2", "expected RANK below WORLD_SIZE, 2, found 2"),
    ],
)
def test_a_wrong_environment(rank: str | None, world: str | None, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", rank), ("WORLD_SIZE", world)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as caught:
        shard_of("env")
    assert str(caught.value) == f"--shard env: {told}" or str(caught.value).endswith(told)


RUN = {"command": "check", "pairs": ["a", "b"], "seed": 0}
MADE = {"torch": "2", "source": "0" * 64}
PARTS = [Part(shard, RUN, MADE, f"{shard.number}.json") for shard in shards(3)]


def test_shards_are_put_in_order() -> None:
    assert whole([PARTS[2], PARTS[0], PARTS[1]]) == [1, 2, 0]
    assert [read_part(as_json(part), part.file) for part in PARTS] == PARTS


def changed(part: Part, **more: Any) -> Part:
    return replace(part, **more)


REFUSED: Mapping[str, tuple[list[Part], str]] = {
    "missing": (PARTS[:2], "merge: expected all 3 shards, found no 3/3"),
    "doubled": (
        [*PARTS, changed(PARTS[1], file="again.json")],
        "again.json: expected every shard once, found 2/3 in 2.json too",
    ),
    "of another count": (
        [*PARTS[:2], changed(PARTS[2], shard=Shard(3, 4))],
        "3.json: expected one of 3 shards, as 1.json, found 3/4",
    ),
    "of other options": (
        [*PARTS[:2], changed(PARTS[2], run=RUN | {"seed": 1})],
        "3.json: expected a shard of a run with seed 0, as 1.json, found 1",
    ),
    "of other pairs": (
        [*PARTS[:2], changed(PARTS[2], run=RUN | {"pairs": ["a"]})],
        "3.json: expected a shard of a run with pairs a, b, as 1.json, found a",
    ),
    "of more options": (
        [*PARTS[:2], changed(PARTS[2], run=RUN | {"new": 1})],
        "3.json: expected a shard of a run with new none, as 1.json, found 1",
    ),
    "of another version": (
        [*PARTS[:2], changed(PARTS[2], made_with=MADE | {"torch": "3"})],
        "3.json: expected a shard made with torch 2, as 1.json, found 3",
    ),
    "of other source": (
        [*PARTS[:2], changed(PARTS[2], made_with=MADE | {"source": "f" * 64})],
        "3.json: expected a shard made with source 000000000000..., as 1.json, found ffffffffffff...",
    ),
    "one of very many": (
        [changed(PARTS[0], shard=Shard(1, 10**9))],
        "merge: expected all 1000000000 shards, found no 2/1000000000, 3/1000000000, 4/1000000000, 5/1000000000, "
        "6/1000000000, ...",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_one_run_is_refused(kind: str) -> None:
    parts, told = REFUSED[kind]
    with pytest.raises(BadInput) as caught:
        whole(parts)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        {"number": 1},
        {"number": "1", "of": 2, "run": {}, "with": {}},
        {"number": 3, "of": 2, "run": {}, "with": {}},
        {"number": 1, "of": 2, "run": 5, "with": {}},
    ],
)
def test_what_says_of_no_shard_is_refused(content: Any) -> None:
    with pytest.raises(BadInput, match=r"^x\.json: expected a shard, as --shard K/N --json FILE writes it"):
        read_part(content, "x.json")
