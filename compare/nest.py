"""Nested tuples of arrays, such as an LSTM's output (out, (h_n, c_n)): the form in which torch gives and takes."""

from collections.abc import Callable, Iterator
from typing import Any


def flatten(nested: Any) -> list[Any]:
    """The leaves from left to right; None is a leaf."""
    if isinstance(nested, tuple):
        return [leaf for part in nested for leaf in flatten(part)]
    return [nested]


def apply(function: Callable[[Any], Any], nested: Any) -> Any:
    """The same nesting with every leaf but None replaced by function(leaf)."""
    if isinstance(nested, tuple):
        return tuple(apply(function, part) for part in nested)
    return None if nested is None else function(nested)


def fill(nested: Any, leaves: Iterator[Any]) -> Any:
    """The same nesting with its leaves taken from `leaves`."""
    if isinstance(nested, tuple):
        return tuple(fill(part, leaves) for part in nested)
    return next(leaves)


def numbered(name: str, nested: Any) -> dict[str, Any]:
    """{name: leaf} for a single leaf, {name[0]: leaf, name[1]: leaf, ...} for several; None is left out."""
    leaves = flatten(nested)
    names = [name] if len(leaves) == 1 else [f"{name}[{n}]" for n in range(len(leaves))]
    return {key: leaf for key, leaf in zip(names, leaves, strict=True) if leaf is not None}
