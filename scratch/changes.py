"""What may not change between a forward pass and its backward pass: what torch's version counters see, by samples."""

from collections.abc import Iterator
from typing import Any

from numpy import ndarray

SAMPLES = 1 << 12  # of an array's entries, evenly over it


def arrays(nested: Any) -> Iterator[Any]:
    """Those in tuples, lists and dicts."""
    if isinstance(nested, ndarray):
        yield nested
    elif isinstance(nested, tuple | list | dict):
        for part in nested.values() if isinstance(nested, dict) else nested:
            yield from arrays(part)


def digest(array: Any) -> int:
    step = max(1, array.size // SAMPLES)
    return hash((array.flat[::step] if step > 1 else array).tobytes())


def noted(module: Any) -> tuple[str, list[tuple[Any, str, int]]]:
    """Its class, and by their holders the digests of what its backward pass reads: cache and weights, but no bias."""
    kept = [(array, "", digest(array)) for array in arrays(module.cache) if array.dtype != object]
    for name, value in vars(module).items():
        if hasattr(value, "grad") and not name.startswith("bias"):
            kept.append((value, "data", digest(value.data)))
    return type(module).__name__, kept


def changed(kept: list[tuple[Any, str, int]]) -> bool:
    return any(digest(getattr(holder, name) if name else holder) != before for holder, name, before in kept)
