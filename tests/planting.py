"""How a fault gets into code that has none: one piece of a method's own source is replaced."""

from typing import Any

import pytest

from compare.faults.fault import reworded


def plant(patch: pytest.MonkeyPatch, owner: Any, name: str, right: str, wrong: str) -> None:
    """Puts `wrong` in the place of `right`, which must stand exactly once in owner.name."""
    patch.setattr(owner, name, reworded(getattr(owner, name), [(right, wrong)]))
