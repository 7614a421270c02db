"""How many threads both sides compute with."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from threadpoolctl import threadpool_limits

from twofold.compare.sides import import_torch


@contextmanager
def threads(count: int, backend: str = "reference") -> Iterator[None]:
    """NumPy's BLAS and, for the reference, torch on so many threads; afterwards each has as many as before.

    Scratch alone asks for no torch.
    """
    with threadpool_limits(count):
        if backend == "scratch":
            yield
            return
        torch = import_torch()
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def one_thread() -> AbstractContextManager[None]:
    """Equal terms for timing, and small tensors gain nothing from more."""
    return threads(1)
