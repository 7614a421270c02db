"""Nested tuples, lists and dicts of arrays, such as an LSTM's output (out, (h_n, c_n)): as torch gives and takes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def parts_of(nested: Any) -> list[tuple[str, Any]] | None:
    """What a tuple, list or dict holds, with the key that a dict has for it, by which it is sorted; None for a leaf."""
    if isinstance(nested, Mapping):
        return [(f"[{key}]", nested[key]) for key in sorted(nested, key=str)]
    return [("", part) for part in nested] if isinstance(nested, tuple | list) else None


def flatten(nested: Any) -> list[Any]:
    """The leaves from left to right; None is a leaf."""
    parts = parts_of(nested)
    return [nested] if parts is None else [leaf for _, part in parts for leaf in flatten(part)]


def apply(function: Callable[[Any], Any], nested: Any) -> Any:
    """The same nesting with every leaf but None replaced by function(leaf)."""
    if isinstance(nested, Mapping):
        return {key: apply(function, part) for key, part in nested.items()}
    if isinstance(nested, tuple | list):
        return (list if isinstance(nested, list) else tuple)(apply(function, part) for part in nested)
    return None if nested is None else function(nested)


def fill(nested: Any, leaves: Iterator[Any]) -> Any:
    """The same nesting with its leaves taken from `leaves`."""
    if isinstance(nested, Mapping):
        return {key: fill(nested[key], leaves) for key in sorted(nested, key=str)}
    if isinstance(nested, tuple | list):
        return (list if isinstance(nested, list) else tuple)(fill(part, leaves) for part in nested)
    return next(leaves)


def numbered(name: str, nested: Any) -> dict[str, Any]:
    """{name: leaf} for a single leaf, {name[0]: leaf, name[1]: leaf, ...} for several; None is left out.

    What stands in a dict goes by its key: {name[key]: leaf}.
    """
    leaves = list(_labelled(nested))
    if parts_of(nested) is None or (len(leaves) == 1 and not leaves[0][0]):
        labels = [name]
    else:
        labels = [f"{name}{label or f'[{n}]'}" for n, (label, _) in enumerate(leaves)]
    return {key: leaf for key, (_, leaf) in zip(labels, leaves, strict=True) if leaf is not None}


def _labelled(nested: Any, label: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with the keys of the dicts that hold it; below a dict what has no key of its own has its place."""
    parts = parts_of(nested)
    if parts is None:
        yield label, nested
        return
    for n, (key, part) in enumerate(parts):
        yield from _labelled(part, f"{label}{key or (f'[{n}]' if label else '')}")
