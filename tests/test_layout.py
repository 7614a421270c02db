"""The tree is the argument: one import name, imports go down only, models are mirrored, every model has a pair."""

import ast
import sys
from pathlib import Path

import pytest

from tests.places import ROOT
from twofold.compare.pairs import MAIN, PAIRS

# What each side may import beside itself and the standard library; compare may import whatever is installed.
ALLOWED = {"scratch": {"twofold.scratch", "numpy"}, "reference": {"twofold.reference", "torch"}}
ROOMS = ("twofold", "scratch", "reference", "compare")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TABLE = [str(path.relative_to(ROOT)) for path in (ROOT / "compare/pairs").glob("*.py")]
NO_TORCH = ["twofold/__init__.py", "compare/pair.py", "compare/cli.py", *sorted(TABLE)]


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """The dotted names that a file imports, anywhere or at module level only."""
    tree = ast.parse(path.read_text())
    names = set()
    for node in ast.walk(tree) if everywhere else iter(tree.body):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def top(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def within(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


@pytest.mark.parametrize("side", ALLOWED)
def test_the_sides_know_nothing_of_each_other(side: str) -> None:
    for path in (ROOT / side).rglob("*.py"):
        foreign = {
            name
            for name in imports(path)
            if name.partition(".")[0] not in sys.stdlib_module_names
            and not any(within(name, allowed) or within(name, f"twofold.{side}") for allowed in ALLOWED[side])
            and name != f"twofold.{side}"
        }
        assert not foreign, f"{path} imports {foreign}"


def test_twofold_is_the_only_name() -> None:
    """A user's own scratch.py, reference.py or compare.py can neither hide ours nor be hidden by it."""
    for path in FILES:
        assert not top(imports(path)) & {"scratch", "reference", "compare", "tests"}, path


# The rooms, from the ground up: each imports only what stands before it.
ORDER = (
    "scratch",
    "reference",
    *(
        f"compare/{name}"
        for name in ("errors", "interrupts", "names", "nest", "strict", "records", "output", "keeping")
    ),
    *(f"compare/{name}" for name in ("keeping", "screen", "sharding", "processes", "environment", "pair", "layers")),
    *(f"compare/{name}" for name in ("sides", "watch", "threads", "data", "training", "tables", "pairs")),
    *(
        f"compare/judge/{name}"
        for name in ("gates", "finding", "evidence", "checks", "diagnosis", "battery", "full", "own")
    ),
    *(f"compare/{name}" for name in ("faults", "published", "bench", "report", "commands", "options", "cli")),
    "twofold",
)


def room(path: Path) -> str:
    """The folder that a file stands in, or the file itself where that holds several rooms."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "/".join(parts[: 1 if parts[0] != "compare" else 3 if parts[1] == "judge" else 2])


def named(path: Path) -> str:
    """What a file is imported as."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in ("twofold", *parts[parts[0] == "twofold" :]) if part != "__init__")


def arrows() -> dict[str, set[str]]:
    """The graph of imports between the rooms. The version, in the package's own file, is no arrow."""
    homes = {named(path): room(path) for path in FILES if path.stem != "__init__" or path.parent.name != "twofold"}
    graph: dict[str, set[str]] = {}
    for path in FILES:
        for name in imports(path):
            while name and name not in homes:
                name = name.rpartition(".")[0]
            if name and homes[name] != room(path):
                graph.setdefault(room(path), set()).add(homes[name])
    return graph


def test_imports_go_down() -> None:
    graph = arrows()
    empty = {"compare/__init__", "compare/judge/__init__", "compare/templates"}
    assert {room(path) for path in FILES} - empty == set(ORDER)
    assert graph["compare/judge/battery"] >= {"compare/judge/checks", "compare/judge/diagnosis"}
    for upper, lowers in graph.items():
        for lower in lowers:
            assert ORDER.index(lower) < ORDER.index(upper), f"{upper} imports {lower}"


@pytest.mark.parametrize("path", NO_TORCH)
def test_the_table_and_the_commands_need_no_torch(path: str) -> None:
    found = imports(ROOT / path, everywhere=False)
    assert not top(found) & {"torch", "torchvision", "matplotlib", "h5py"}
    assert not any(within(name, "twofold.reference") for name in found)


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
    written = {f"twofold.{side}.models.{name.removesuffix('.py')}:{c}" for name, cs in models(side).items() for c in cs}
    assert built == written


def test_the_main_systems_are_pairs() -> None:
    assert set(MAIN) <= PAIRS.keys()


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_both_builders_have_one_name(pair) -> None:
    sides = pair.model.scratch, pair.model.reference
    ours, theirs = (name.removeprefix(f"twofold.{side}") for name, side in zip(sides, ALLOWED, strict=True))
    assert theirs in (ours, ours.replace(":", ":Sequential"), ours.replace(":", ":Raw"))


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_check_sizes_are_small(pair) -> None:
    for draw in pair.check.inputs:
        assert 5 <= draw.shape[0] <= 8
        assert all(size <= 23 for size in draw.shape)


def test_no_file_without_a_topic() -> None:
    names = {path.stem for path in ROOT.rglob("*.py") if ".venv" not in path.parts}
    assert not names & {"utils", "common", "helpers", "base", "misc"}


if __name__ == "__main__":  # the graph, to be read
    for name in ORDER:
        print(f"{name:26}", ", ".join(sorted(arrows().get(name, ()), key=ORDER.index)))
