"""How a fault gets into code that has none: one piece of a method's own source is replaced."""

from typing import Any

import pytest

from twofold.compare.faults.fault import reworded, source_of


def plant(patch: pytest.MonkeyPatch, owner: Any, name: str, right: str, wrong: str) -> None:
    """Puts `wrong` in the place of `right`, which must stand exactly once in owner.name."""
    function, changes = getattr(owner, name), [(right, wrong)]
    if "super()" in source_of(function):  # which is short for this only where the class is written
        changes.append(("super()", f"super({owner.__name__}, self)"))
    patch.setattr(owner, name, reworded(function, changes))
