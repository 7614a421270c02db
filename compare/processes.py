"""Work spread over processes, which end with the one that began them, however it ends."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import Any, TypeVar

from twofold.compare.errors import BadInput

T = TypeVar("T")


def spread(function: Callable[..., T], work: Iterable[tuple[Any, ...]], jobs: int) -> Iterator[tuple[int, T]]:
    """What `function` makes of each item's arguments as it comes, with the item's place.

    Items are begun in order; when the caller stops, or is stopped, nothing more is computed. Raises BadInput where a
    process is killed.
    """
    # spawned, not forked: a fork copies torch's threads in whatever state they are
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=end_with_parent) as pool:
        before = set(active_children())
        places = {pool.submit(function, *item): place for place, item in enumerate(work)}
        try:
            for future in as_completed(places):
                yield places[future], future.result()
        except BrokenProcessPool as error:
            told = "one that was killed, as where memory runs out; fewer --jobs need less"
            raise BadInput(f"--jobs {jobs}: expected every process to finish its work, found {told}") from error
        except BaseException:
            for worker in set(active_children()) - before:
                worker.terminate()
            raise
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


def end_with_parent() -> None:
    """In a worker: it computes no longer than its parent lives. Ctrl-C is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if (parent := parent_process()) is not None:
        Thread(target=ended, args=(parent.sentinel,), daemon=True).start()


def ended(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
