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


Kept = tuple[str, Any, int]  # its name, what holds it, and its digest


def noted(module: Any) -> tuple[str, list[Kept]]:
    """Its class, and what its backward pass reads: its cache and its weights, but no bias."""
    kept = [("cache", array, digest(array)) for array in arrays(module.cache) if array.dtype != object]
    for name, value in vars(module).items():
        if hasattr(value, "grad") and not name.startswith("bias"):
            kept.append((name, value, digest(value.data)))
    return type(module).__name__, kept


def changed(kept: list[Kept]) -> str | None:
    """The name of the first that is no longer as it was."""
    for name, holder, before in kept:
        if digest(holder if name == "cache" else holder.data) != before:
            return name
    return None
