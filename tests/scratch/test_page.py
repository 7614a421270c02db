"""docs/scratch.md has every public class, its arguments and what of torch's it lacks; its example runs."""

import inspect
import re
from importlib import import_module
from typing import Any

import pytest
import torch

from tests.places import ROOT
from twofold import scratch

PAGE = (ROOT / "docs/scratch.md").read_text()
ROWS = {
    cells[0].strip("` "): cells
    for cells in ([cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines())
    if len(cells) == 5 and cells[0].startswith("`")
}
# Of all classes alike, as the page says above its tables.
ALIKE = {"device", "dtype", "inplace", "rng", "foreach", "fused", "capturable", "differentiable", "params"}
PASSED_ON = {"args", "kwargs"}
CELL = set(inspect.signature(torch.nn.RNNBase).parameters) - {"mode", "proj_size"}
# torch's recurrent layers say *args of themselves.
ALSO = {"RNN": CELL | {"nonlinearity"}, "GRU": CELL, "LSTM": CELL | {"proj_size"}}


def words(cell: str) -> set[str]:
    """Those in backquotes, and what stands in that place of the row that a cell refers to."""
    same = re.fullmatch(r"as `(\w+)`", cell)
    return {f"as {same[1]}"} if same else set(re.findall(r"`(\w+)`", cell))


def arguments(kind: Any) -> set[str]:
    found = set(inspect.signature(kind).parameters)
    return {name for name in found - ALIKE - PASSED_ON if not name.startswith("_")}


@pytest.mark.parametrize("name", scratch.__all__)
def test_a_class_is_on_the_page_with_its_arguments(name: str) -> None:
    _, torchs, taken, lacking, computes = ROWS[name]
    assert computes
    if taken.startswith("as "):
        assert taken == lacking
        assert issubclass(getattr(scratch, name), getattr(scratch, taken.removeprefix("as ").strip("`")))
        return
    assert not words(taken) & words(lacking)
    assert words(taken) <= arguments(getattr(scratch, name)) <= words(taken) | words(lacking)
    if torchs != "none":
        home, _, kind = torchs.strip("`").rpartition(".")
        theirs = getattr(import_module(f"torch.{home}"), kind)
        expected = ALSO.get(name, arguments(theirs)) - ALIKE
        assert words(taken) | words(lacking) == expected | ({"layers"} if name == "Sequential" else set())


def test_nothing_else_is_on_the_page() -> None:
    assert set(ROWS) == set(scratch.__all__)


def test_what_torch_has_under_the_name_is_beside_it() -> None:
    alone = {name for name, row in ROWS.items() if row[1] == "none"}
    assert not any(hasattr(torch.nn, name) or hasattr(torch.optim, name) for name in alone)


def test_the_example_runs_and_learns() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["value"] < names["loss"](torch_start(names), names["y"])


def torch_start(names: dict[str, Any]) -> Any:
    """What the net gives before it learned: the same draws once more."""
    rng = names["np"].random.default_rng(0)
    first, second = scratch.Linear(4, 8, rng=rng), scratch.Linear(8, 3, rng=rng)
    return second(scratch.ReLU()(first(names["x"])))
