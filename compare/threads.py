"""How many threads both sides compute with."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from compare.sides import import_torch


@contextmanager
def one_thread() -> Iterator[None]:
    """torch and NumPy's BLAS on one thread each: equal terms for timing, and small tensors gain nothing from more."""
    torch = import_torch()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)
