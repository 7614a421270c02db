"""The published figures as they lie beside this file."""

import json
from importlib import resources
from typing import Any

from twofold.compare.published.figure import Entry


def read(name: str) -> Any:
    """The content of `name`.json."""
    return json.loads(resources.files("twofold.compare.published").joinpath(f"{name}.json").read_text(encoding="utf-8"))


def single(name: str, published: Any) -> tuple[Entry, ...]:
    """A column of one figure."""
    return (Entry(name, str(published), 0),)
