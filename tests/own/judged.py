"""A case of the tables as a stranger would have it judged, once for all tests that ask."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.own.case import Array, Call, Truth
from tests.own.truth import TRUTH
from twofold import Verdict, judge

KEY = re.compile(r"(\w[\w.]*)(\[[^+]*\])?")  # torch's name, and which part of it


@cache
def judged(truth: Truth) -> tuple[Call, Verdict]:
    """The right ones in both precisions; a mistake shows in one, and so does one layout of many.

    Lines are named where layouts are not the question: `python -m tests.own.table` has them all.
    """
    call = truth.make()
    both = truth.outcome == "same" and not truth.brief
    how = call.keywords if both else {"dtypes": ("float64",), **call.keywords}
    return call, judge(*call.arguments, **how, watch=truth in TRUTH)


def cases(*tables: tuple[Truth, ...]) -> list[Any]:
    """Parameters of a test, such that one worker does all that is asked of a case."""
    return [pytest.param(one, id=one.name, marks=pytest.mark.xdist_group(one.name)) for some in tables for one in some]


def must_be_true(truth: Truth, verdict: Verdict) -> None:
    assert (verdict.outcome, verdict.side) == (truth.outcome, truth.side), str(verdict)
    assert not truth.tensors or any(name in str(verdict.tensor) for name in truth.tensors), str(verdict)
    must_read_well(verdict)


def must_read_well(verdict: Verdict) -> None:
    """At most twelve lines, the verdict first, a number or a place in each that follows."""
    first, *rest = str(verdict).splitlines()
    assert first.startswith(("same: ", "not the same: ", "undecided")), first
    assert len(rest) < 12
    for line in rest:
        assert re.search(r"\d|:|=", line), line
    assert "Traceback" not in str(verdict)
    told = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
    assert (told["outcome"], told["side"], told["tensor"]) == (verdict.outcome, verdict.side, verdict.tensor)
    assert verdict.report().startswith(first)


def torchs(layout: Mapping[str, str], call: Call) -> dict[str, Array]:
    """Torch's tensors that a layout makes of a case's arrays; of a sum the first holds all, what it lacks is NaN."""
    shapes = {name: tuple(value.shape) for name, value in call.arguments[1].named_parameters()}
    found = {name: np.full(shape, np.nan) for name, shape in shapes.items()}
    for key, text in layout.items():
        value = np.asarray(eval(text, {"np": np, **vars(np), **call.arrays}))
        for n, part in enumerate(key.split(" + ")):
            name, where = KEY.fullmatch(part).groups()  # type: ignore[union-attr]
            whole = found[name]
            place = eval(f"whole{where}") if where else whole
            place[...] = value.reshape(place.shape) if n == 0 else 0.0
    return found


def agree(found: Mapping[str, Array], wanted: Mapping[str, Array]) -> bool:
    """Whether torch's tensors are these, by name or by an expression over names."""
    for key, value in wanted.items():
        got = sum(eval(f"whole{where or ''}", {"whole": found[name]}) for name, where in KEY.findall(key))
        if np.shape(got) != np.shape(value) or not np.allclose(got, value, rtol=1e-12, atol=1e-12):
            return False
    return True


def runs(verdict: Verdict) -> int:
    """How many runs a layout was searched with, as the verdict says."""
    told = re.search(r"found in ([\d,]+) runs?", dict(verdict.lines).get("layout", ""))
    return int(told[1].replace(",", "")) if told else 0
