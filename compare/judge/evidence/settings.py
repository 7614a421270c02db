"""The arguments that two objects were made with, and which of them differ."""

from collections.abc import Mapping
from typing import Any

PLAIN = (bool, int, float, str, tuple, type(None))


def settings(ours: Any, theirs: Mapping[str, Any]) -> str:
    """Every plain attribute that both have by one name, with other values: "padding: (1, 1) against (2, 2)"."""
    kept = {name: value for name, value in vars(ours).items() if isinstance(value, PLAIN) and name != "training"}
    told = [
        f"{name}: {value} against {theirs[name]}"
        for name, value in kept.items()
        if isinstance(theirs.get(name, value), PLAIN) and not alike(value, theirs.get(name, value))
    ]
    return "; ".join(told)


def alike(ours: Any, theirs: Any) -> bool:
    """Equal, where torch keeps 2 for (2, 2) and counts True and 1 as one."""
    if isinstance(ours, tuple) != isinstance(theirs, tuple):
        ours, theirs = (value if isinstance(value, tuple) else (value,) for value in (ours, theirs))
        size = max(len(ours), len(theirs))
        ours, theirs = (value * size if len(value) == 1 else value for value in (ours, theirs))
    return bool(ours == theirs)
