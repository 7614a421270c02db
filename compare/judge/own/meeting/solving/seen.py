"""All float arrays that scratch's code makes in one call, as far as its lines can be watched."""

from collections.abc import Mapping, Sequence
from typing import Any

from twofold.compare.sides.foreign.calls import Foreign, Raw
from twofold.compare.sides.foreign.trees import is_users_file
from twofold.compare.watch.lines import Dropped, watched
from twofold.scratch.module import Array


def seen(
    foreign: Foreign, values: Mapping[str, Array], data: Sequence[Any], send: Any, seed: int
) -> tuple[list[Array], bool]:
    """The arrays, and whether lines bound any. Raises what the code raises."""
    with foreign.afresh(values, seed=seed):
        try:
            with watched(is_users_file) as watcher:
                raw = foreign.call(data, send)
        except Dropped:
            return given_back(foreign.call(data, send)), False
    return [*watcher.trace.values, *given_back(raw)], bool(watcher.trace.values)


def given_back(raw: Raw) -> list[Array]:
    return [*(found.value for found in raw.found), *(raw.outputs or [])]
