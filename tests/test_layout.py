"""The tree is the argument: imports go down only, models are mirrored, every model has a pair."""

import ast
import sys
from pathlib import Path

import pytest

from compare.pairs import MAIN, PAIRS

ROOT = Path(__file__).resolve().parents[1]
# What each package may import beside itself and the standard library; compare may import whatever is installed.
ALLOWED = {"scratch": {"scratch", "numpy"}, "reference": {"reference", "torch"}}
TABLE = [str(path.relative_to(ROOT)) for path in (ROOT / "compare/pairs").glob("*.py")]
NO_TORCH = ["compare/pair.py", "compare/cli.py", *sorted(TABLE)]


def imported(path: Path, everywhere: bool = True) -> set[str]:
    """Top-level names of the packages that a file imports, anywhere or at module level only."""
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if everywhere else iter(tree.body)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(str(node.module).partition(".")[0])
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_go_down(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        foreign = imported(path) - ALLOWED[package] - sys.stdlib_module_names
        assert not foreign, f"{path} imports {foreign}"


def test_compare_imports_the_sides_and_no_tests() -> None:
    for path in (ROOT / "compare").rglob("*.py"):
        assert "tests" not in imported(path), path


@pytest.mark.parametrize("path", NO_TORCH)
def test_the_table_and_the_commands_need_no_torch(path: str) -> None:
    assert not imported(ROOT / path, everywhere=False) & {"torch", "torchvision", "matplotlib", "h5py", "reference"}


def classes(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)}


def models(side: str) -> dict[str, set[str]]:
    return {path.name: classes(path) for path in (ROOT / side / "models").glob("*.py")}


def test_models_are_mirrored() -> None:
    """The same files and class names; the reference may hold further forms of a model."""
    ours, theirs = models("scratch"), models("reference")
    assert ours.keys() == theirs.keys()
    assert all(classes <= theirs[name] for name, classes in ours.items())


@pytest.mark.parametrize("side", ["scratch", "reference"])
def test_every_model_has_a_pair(side: str) -> None:
    built = {getattr(pair.model, side) for pair in PAIRS.values()}
    written = {f"{side}.models.{name.removesuffix('.py')}:{c}" for name, cs in models(side).items() for c in cs}
    assert built == written


def test_the_main_systems_are_pairs() -> None:
    assert set(MAIN) <= PAIRS.keys()


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_both_builders_have_one_name(pair) -> None:
    ours, theirs = pair.model.scratch.removeprefix("scratch"), pair.model.reference.removeprefix("reference")
    assert theirs in (ours, ours.replace(":", ":Sequential"), ours.replace(":", ":Raw"))


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_check_sizes_are_small(pair) -> None:
    for draw in pair.check.inputs:
        assert 5 <= draw.shape[0] <= 8
        assert all(size <= 23 for size in draw.shape)


def test_no_file_without_a_topic() -> None:
    names = {path.stem for path in ROOT.rglob("*.py") if ".venv" not in path.parts}
    assert not names & {"utils", "common", "helpers", "base", "misc"}
