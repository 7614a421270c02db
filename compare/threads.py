"""How many threads both sides compute with."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from threadpoolctl import threadpool_limits

from twofold.compare.sides import import_torch


@contextmanager
def threads(count: int) -> Iterator[None]:
    """torch and NumPy's BLAS on equally many threads each; afterwards each has as many as before."""
    torch = import_torch()
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)


def one_thread() -> AbstractContextManager[None]:
    """Equal terms for timing, and small tensors gain nothing from more."""
    return threads(1)
