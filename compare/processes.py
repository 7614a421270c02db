"""Work spread over processes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, TypeVar

T = TypeVar("T")


def spread(function: Callable[..., T], work: Iterable[tuple[Any, ...]], jobs: int) -> Iterator[tuple[int, T]]:
    """What `function` makes of each item's arguments as it comes, with the item's place.

    Items are begun in order; what is not begun when the caller stops is dropped.
    """
    # spawned, not forked: a fork copies torch's threads in whatever state they are
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        places = {pool.submit(function, *item): place for place, item in enumerate(work)}
        try:
            for future in as_completed(places):
                yield places[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def gathered(
    function: Callable[..., T], work: Sequence[tuple[Any, ...]], jobs: int, tell: Callable[[int, T], object]
) -> list[T]:
    """All results in the order of the work; `tell` hears of each as it comes, with how many are there."""
    found: dict[int, T] = {}
    for place, result in spread(function, work, jobs):
        found[place] = result
        tell(len(found), result)
    return [found[place] for place in range(len(work))]


def in_order(results: Iterable[tuple[int, T]]) -> Iterator[T]:
    """Each result as soon as all before it are there."""
    waiting: dict[int, T] = {}
    place = 0
    for found, result in results:
        waiting[found] = result
        while place in waiting:
            yield waiting.pop(place)
            place += 1
