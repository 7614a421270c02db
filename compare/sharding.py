"""Work dealt to hosts that know nothing of each other: which part falls to one of them, and whether all is there."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from twofold import __version__
from twofold.compare.errors import BadInput
from twofold.compare.keeping import versions

T = TypeVar("T")
ENVIRONMENT = "env"
MOST = 5  # missing shards that are named


@dataclass(frozen=True)
class Shard:
    """One of `of` parts, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def deal(self, work: Sequence[T]) -> list[T]:
        """Its part: one item of every round, each round begun one shard later than the one before.

        So parts differ by one item at most, and what stands next to each other, as the dtypes of a pair, is parted.
        """
        return [item for n, item in enumerate(work) if (n + n // self.of) % self.of == self.number - 1]


def shard_of(text: str) -> Shard:
    """What --shard means: "2/3", or "env" for RANK and WORLD_SIZE as torchrun sets them. Raises BadInput."""
    if text == ENVIRONMENT:
        rank, world = (number_in("--shard", name) for name in ("RANK", "WORLD_SIZE"))
        if rank >= world:
            raise BadInput(f"--shard env: expected RANK below WORLD_SIZE, {world}, found {rank}")
        return Shard(rank + 1, world)
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise BadInput(f"--shard: expected K/N with K from 1 to N, such as 2/3, or env, found {text!r}")
    return Shard(int(found[1]), int(found[2]))


def number_in(option: str, name: str) -> int:
    """A count in the environment. Raises BadInput."""
    value = os.environ.get(name)
    if value is None or not re.fullmatch(r"\d{1,9}", value, re.ASCII):
        found = "none" if value is None else repr(value)
        raise BadInput(
            f"{option} env: expected the whole number {name} in the environment, as torchrun sets it, found {found}"
        )
    return int(value)


@dataclass(frozen=True)
class Part:
    """What a host says of its part: which it is, of which run, made with what, and where it was read."""

    shard: Shard
    run: Mapping[str, Any]  # the command and what it was given
    made_with: Mapping[str, Any]  # versions, and the digest of this package's source
    file: str = ""


def made_with() -> dict[str, str]:
    """What decides results beside what is asked for."""
    return {"twofold": __version__, **versions()}


def as_json(part: Part) -> dict[str, Any]:
    return {"number": part.shard.number, "of": part.shard.of, "run": part.run, "with": part.made_with}


def read_part(content: Any, file: str) -> Part:
    """What stands under "shard" in a file. Raises BadInput for what is none."""
    try:
        shard = Shard(content["number"], content["of"])
        if not (type(shard.number) is type(shard.of) is int and 1 <= shard.number <= shard.of):
            raise ValueError(str(shard))
        return Part(shard, dict(content["run"]), dict(content["with"]), file)
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(f"{file}: expected a shard, as --shard K/N --json FILE writes it, found another file") from error


def whole(parts: Sequence[Part]) -> list[int]:
    """The places of all shards of one run, in their order. Raises BadInput for what is missing, doubled or foreign."""
    first, there = parts[0], dict[int, int]()
    for place, part in enumerate(parts):
        must_be_alike(first, part)
        if part.shard.number in there:
            before = parts[there[part.shard.number]].file
            raise BadInput(f"{part.file}: expected every shard once, found {part.shard} in {before} too")
        there[part.shard.number] = place
    if absent := first.shard.of - len(there):
        numbers = islice((n for n in range(1, first.shard.of + 1) if n not in there), MOST)
        told = ", ".join(str(Shard(n, first.shard.of)) for n in numbers) + (", ..." if absent > MOST else "")
        raise BadInput(f"merge: expected all {first.shard.of} shards, found no {told}")
    return [there[n] for n in sorted(there)]


def must_be_alike(first: Part, part: Part) -> None:
    """Raises BadInput naming the first thing in which a shard is of another run."""
    if part.shard.of != first.shard.of:
        raise BadInput(f"{part.file}: expected one of {first.shard.of} shards, as {first.file}, found {part.shard}")
    for what, ours, theirs in (("made with", first.made_with, part.made_with), ("of a run with", first.run, part.run)):
        for key in dict.fromkeys((*ours, *theirs)):
            if ours.get(key) != theirs.get(key):
                told = f"{what} {key} {shown(ours.get(key))}, as {first.file}"
                raise BadInput(f"{part.file}: expected a shard {told}, found {shown(theirs.get(key))}")


def gathered(parts: Sequence[Shard], items: Sequence[Sequence[T]], count: int) -> list[T]:
    """What the shards hold, one after the other in the order of the whole run's work, of so many items.

    Raises ValueError where a shard does not hold as many as fall to it.
    """
    places = [place for shard in parts for place in shard.deal(range(count))]
    found = [item for one in items for item in one]
    return [item for _, item in sorted(zip(places, found, strict=True), key=lambda pair: pair[0])]


def shown(value: Any) -> str:
    """In a message; a digest by its beginning."""
    text = "none" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{text[:12]}..." if re.fullmatch(r"[0-9a-f]{64}", text) else text
