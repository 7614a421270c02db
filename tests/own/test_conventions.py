"""What is told as a convention explains everything that is compared, and says something."""

from typing import Any

import numpy as np
import pytest

from twofold.compare.judge.own.deciding.conventions import clipped

THEIRS = {"loss": np.array(2.0), "output": np.ones(3), "d W": np.linspace(-3.0, 3.0, 6).reshape(2, 3)}

# Scratch's beside them, and at which bound gradients were cut, if that is all there is.
CUT: dict[str, tuple[dict[str, Any], str]] = {
    "at one bound": ({"d W": np.clip(THEIRS["d W"], -1.5, 1.5)}, "gradients are clipped at 1.5"),
    "zeros": ({"d W": np.zeros((2, 3))}, ""),
    "zeros and another loss": ({"d W": np.zeros((2, 3)), "loss": np.array(2.1)}, ""),
    "with another loss": ({"d W": np.clip(THEIRS["d W"], -1.5, 1.5), "loss": np.array(2.1)}, ""),
    "with another output": ({"d W": np.clip(THEIRS["d W"], -1.5, 1.5), "output": np.zeros(3)}, ""),
    "nothing": ({}, ""),
    "but one": ({"d W": np.where(THEIRS["d W"] > 2, 2.0, THEIRS["d W"]) * [[1, 1, 1], [1, 1, 0.5]]}, ""),
}


@pytest.mark.parametrize("what", CUT)
def test_gradients_are_clipped_only_where_that_is_all(what: str) -> None:
    changed, told = CUT[what]
    found = clipped(None, None, {**THEIRS, **changed}, THEIRS)  # type: ignore[arg-type]
    assert (found.text if found else "") == told
