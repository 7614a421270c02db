"""How a fault gets into code that has none: one piece of a method's own source is replaced."""

import inspect
import sys
import textwrap
from typing import Any

import pytest


def plant(patch: pytest.MonkeyPatch, owner: Any, name: str, right: str, wrong: str) -> None:
    """Puts `wrong` in the place of `right`, which must stand exactly once in owner.name."""
    method = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(method))
    assert source.count(right) == 1, f"{right!r} is not once in {owner.__name__}.{name}"
    planted: dict[str, Any] = {}
    exec(source.replace(right, wrong), vars(sys.modules[method.__module__]), planted)
    patch.setattr(owner, name, planted[name])
