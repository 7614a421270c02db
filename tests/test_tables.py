"""The table of pairs is found by looking: a new file is enough, and a broken one is one line that names it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.places import copied
from twofold.compare.errors import BadInput
from twofold.compare.pair import CheckSize, Draw, Pair, Twin
from twofold.compare.pairs import FILES, PAIRS
from twofold.compare.tables import look, must_be_sound

MLP = PAIRS["notmnist-mlp"]
HEAD = "from dataclasses import replace\nfrom twofold.compare.pairs.notmnist import MLP\n"
FILE = Path("pairs/mine.py")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of pairs that can be imported as `table`."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "table"
    folder.mkdir()
    (folder / "__init__.py").touch()
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "table"]:
        del sys.modules[name]


def test_every_file_is_read_but_those_with_an_underscore(package: Path) -> None:
    (package / "mine.py").write_text(f'{HEAD}PAIRS = (replace(MLP, name="mine"), replace(MLP, name="other"))\n')
    (package / "_notes.py").write_text("1 / 0\n")
    pairs, files = look("table", package)
    assert list(pairs) == list(files) == ["mine", "other"]
    assert set(files.values()) == {package / "mine.py"}


BROKEN = {
    "no PAIRS": ("x = 1\n", "expected PAIRS, a tuple of pairs, found none"),
    "empty": ("PAIRS = ()\n", "expected PAIRS, a tuple of pairs, found ()"),
    "no pairs in it": (f"{HEAD}PAIRS = (MLP, 3)\n", "expected nothing but pairs in PAIRS, found 3"),
    "a pair by itself": (f"{HEAD}PAIRS = MLP\n", "expected PAIRS, a tuple of pairs, found Pair("),
    "a name twice": (f"{HEAD}PAIRS = (MLP, MLP)\n", "a name of its own for each pair, found 'notmnist-mlp' also in"),
    "not Python": (
        "PAIRS = (\n",
        "expected a table of pairs, found SyntaxError: '(' was never closed (mine.py, line 1)",
    ),
    "a missing import": ("import nosuchmodule\n", "ModuleNotFoundError: No module named 'nosuchmodule'"),
    "an unknown field": (f"{HEAD}PAIRS = (replace(MLP, colour=1),)\n", "TypeError: "),
    "a second stage without a first": (
        f"{HEAD}PAIRS = (replace(MLP, recipe=replace(MLP.recipe, patience=None, second_stage={{}})),)\n",
        "ValueError: a second stage needs",
    ),
    "a variant of nothing": (
        f'{HEAD}PAIRS = (replace(MLP, name="mine", variant_of="gone"),)\n',
        "expected mine to be a variant of a pair, found 'gone'",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_one_line_that_names_it(kind: str, package: Path) -> None:
    text, told = BROKEN[kind]
    (package / "mine.py").write_text(text)
    with pytest.raises(BadInput) as raised:
        look("table", package)
    line = str(raised.value)
    assert line.startswith(f"{package / 'mine.py'}: ") and told in line and "\n" not in line


def test_a_name_in_two_files_names_both(package: Path) -> None:
    for name in ("mine", "other"):
        (package / f"{name}.py").write_text(f'{HEAD}PAIRS = (replace(MLP, name="one"),)\n')
    with pytest.raises(BadInput) as raised:
        look("table", package)
    assert all(f"{package / name}.py" in str(raised.value) for name in ("mine", "other"))


def without_rng(pixels: int = 784, hidden: int = 1000, classes: int = 10) -> None:
    """A builder that draws by itself."""


def model(**names: str) -> Twin:
    return replace(MLP.model, **names)


def check(inputs: tuple[int, ...] = (8, 17), high: int = 9, **arguments: Any) -> CheckSize:
    return CheckSize({**MLP.check.arguments, **arguments}, (Draw(inputs),), Draw((inputs[0],), high=high))


UNSOUND: dict[str, tuple[dict[str, Any], str]] = {
    "no such module": ({"model": model(scratch="twofold.scratch.models.gone:Net")}, "No module named"),
    "no such class": ({"model": model(scratch="twofold.scratch.models.notmnist_mlp:Net")}, "has no attribute 'Net'"),
    "no such reference": ({"model": model(reference="twofold.reference.models.gone:Net")}, "No module named"),
    "no such loss": ({"loss": Twin("twofold.scratch:Loss", "torch.nn:Loss")}, "expected loss 'twofold.scratch:Loss'"),
    "no such optimizer": ({"optimizer": Twin("twofold.scratch:SGD", "torch.optim:SDG")}, "'torch.optim:SDG'"),
    "an argument that nobody takes": ({"model": MLP.model.given(width=3)}, "found 'width'"),
    "an argument of one side": ({"model": model(reference="torch.nn:Linear")}, "torch.nn:Linear with arguments among"),
    "an optimizer's argument": ({"optimizer": MLP.optimizer.given(betas=(0, 0))}, "found 'betas'"),
    "no rng": ({"model": model(scratch=f"{__name__}:without_rng")}, "without_rng to take rng"),
    "no such metric": ({"metrics": ("accuracy", "f1")}, "expected metrics among accuracy"),
    "no such data": ({"dataset": "imagenet"}, "expected a data set among mnist"),
    "a check size of another width": ({"check": check((8, 16))}, "expected a check size that model and loss take"),
    "an unknown size": ({"check": check(depth=3)}, "model at check size"),
    "a class beyond the logits": ({"check": check(high=40)}, "expected a check size that model and loss take"),
}


@pytest.mark.parametrize("kind", UNSOUND)
def test_what_cannot_run_is_one_line_that_names_file_and_pair(kind: str) -> None:
    changes, told = UNSOUND[kind]
    with pytest.raises(BadInput) as raised:
        must_be_sound(replace(MLP, **changes), FILE)
    line = str(raised.value)
    assert line.startswith(f"{FILE}: notmnist-mlp: expected ") and told in line and "\n" not in line


@pytest.mark.parametrize("pair", PAIRS)
def test_every_pair_is_sound(pair: str) -> None:
    must_be_sound(PAIRS[pair], FILES[pair])


def test_training_scratch_alone_asks_nothing_of_the_reference() -> None:
    broken: Pair = replace(MLP, model=model(reference="nosuchmodule:Net"))
    must_be_sound(broken, FILE, ("scratch",))
    with pytest.raises(BadInput, match="nosuchmodule"):
        must_be_sound(broken, FILE)


def test_what_one_side_alone_refuses_is_for_the_battery_to_find() -> None:
    must_be_sound(replace(MLP, model=model(reference=f"{__name__}:Refusing")), FILE)


def __getattr__(name: str) -> Any:
    """A reference that raises; torch is imported when it is asked for."""
    if name != "Refusing":
        raise AttributeError(name)
    from twofold.reference.models.notmnist_mlp import NotMnistMLP

    class Refusing(NotMnistMLP):
        def forward(self, x: Any) -> Any:
            raise ValueError("no")

    return Refusing


COMMANDS = (("list",), ("check", "mine"), ("train", "mine", "--backend", "scratch"), ("report", "mine"))


@pytest.mark.parametrize("command", COMMANDS, ids=[row[0] for row in COMMANDS])
def test_the_commands_say_it_before_anything_runs(command: tuple[str, ...], tmp_path: Path) -> None:
    clone = copied(tmp_path)
    (clone / "compare/pairs/mine.py").write_text(f'{HEAD}PAIRS = (replace(MLP, name="mine", metrics=("f1",)),)\n')
    run = [sys.executable, "-m", "twofold", *command]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, cwd=clone)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("twofold: compare/pairs/mine.py: mine: expected metrics among accuracy")
    assert done.stderr.count("\n") == 1


def test_the_table_knows_the_file_of_every_pair() -> None:
    assert FILES.keys() == PAIRS.keys()
    assert all(path.is_file() for path in FILES.values())
