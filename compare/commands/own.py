"""`twofold check FILE.py`: a user's file is run, and every call of `judge` in it gives its verdict."""

import ast
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from twofold.compare.errors import BadInput, Status
from twofold.compare.judge.own import judge as judging
from twofold.compare.judge.own.contract import line_of
from twofold.compare.judge.own.telling.verdict import Verdict
from twofold.compare.output import write_json
from twofold.compare.screen import Screen

START = """
no call of judge was made in {file}; what would serve: {found}. To start from:

    from twofold import judge
    net = nn.Sequential(...)                                    # the torch model that should be the same
    verdict = judge({call}, net, X, y, loss=nn.functional.cross_entropy)
    print(verdict)

docs/own-pair.md has an example for each way to hold parameters and gradients."""


def is_file(name: str) -> bool:
    return name.endswith(".py")


def run(files: Sequence[str], json_file: Path | None) -> Status:
    """Prints each verdict as it comes. The status: bad input where nothing was judged."""
    console = Screen(stderr=json_file == Path("-"), soft_wrap=True)
    verdicts: list[Verdict] = []

    def told(verdict: Verdict) -> None:
        verdicts.append(verdict)
        console.lines(f"{verdict}\n")

    judging.LISTENERS.append(told)
    try:
        for file in files:
            before = len(verdicts)
            execute(Path(file))
            if len(verdicts) == before:
                console.lines(START.format(file=file, **serving(Path(file))))
                return Status.BAD_INPUT
    finally:
        judging.LISTENERS.remove(told)
    same = sum(verdict.same for verdict in verdicts)
    console.print(f"{same} of {len(verdicts)} are the same; {sum(v.seconds for v in verdicts):.1f} s of judging")
    if json_file:
        write_json(json_file, {"schema": 1, "verdicts": [verdict.to_json() for verdict in verdicts]})
    if any(verdict.outcome == "different" for verdict in verdicts):
        return Status.DIFFERENT
    return Status.DONE if same == len(verdicts) else Status.NOTHING_PROVEN


def execute(file: Path) -> None:
    """Runs a file as its own program. Raises BadInput where it is not there, or raises itself."""
    if not file.is_file():
        raise BadInput(f"expected a file of your own or a pair's name, found no file {str(file)!r}")
    sys.path.insert(0, str(file.resolve().parent))
    try:
        runpy.run_path(str(file), run_name="__main__")
    except BadInput:
        raise
    except SystemExit:
        pass
    except AssertionError as error:
        if not str(error).startswith(("not the same", "undecided")):  # assert_equivalent has been told already
            raise BadInput(raised(file, error)) from error
    except Exception as error:
        raise BadInput(raised(file, error)) from error
    finally:
        sys.path.remove(str(file.resolve().parent))


def raised(file: Path, error: Exception) -> str:
    place = line_of(error)
    where = f"{place.file}:{place.line}" if place.file else str(file)
    return f"{where} raises {type(error).__name__}: {' '.join(str(error).split())}"


def serving(file: Path) -> dict[str, str]:
    """Functions and methods whose names say that they give a loss or gradients, or pairs of forward and backward."""
    found: list[str] = []
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.append(node.name)
        elif isinstance(node, ast.ClassDef):
            found += [f"{node.name}().{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)]
    words = ("loss", "cost", "backprop", "backward", "forward", "grad", "step", "update")
    likely = [name for name in found if any(word in name.lower() for word in words) and "__" not in name]
    call = next((name for name in likely if "loss" in name.lower() or "cost" in name.lower()), "loss_and_gradients")
    forward = next((name for name in likely if "forward" in name.lower()), "")
    backward = next((name for name in likely if "backward" in name.lower()), "")
    if call == "loss_and_gradients" and forward and backward:
        call = f"({forward}, {backward})"
    return {"found": ", ".join(likely[:8]) or "no function named loss, forward, backward, step or update", "call": call}
