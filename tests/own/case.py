"""What a case of the table is, and how a stranger's file becomes one: as it stands, or with a mistake in its text."""

import atexit
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from numpy.typing import NDArray

from tests.own.lines import by_hand, faulty, first_uses

Array = NDArray[Any]

STYLES = Path(__file__).parent / "styles"
COPIES = count()
PLACES = "faulty line", "first use", "elsewhere", "none"
IN_TORCH = "tensors_with_g", "kernels", "functions"  # the styles whose hand-written side is torch's tensors


@dataclass(frozen=True)
class Call:
    """What a user would write: `judge(*arguments, **keywords)`; the arguments are scratch, reference, *data."""

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    file: Path | None = None  # where the style's text was written
    arrays: Mapping[str, Array] = field(default_factory=dict)  # numbers for what a layout is written over
    torch: tuple[Mapping[str, Array], ...] = ()  # torch's tensors then, by name or expression; any one of these


@dataclass(frozen=True, eq=False)
class Truth:
    """A call, and what a verdict on it has to say."""

    name: str  # "params-dict", "params-dict:bias-mean"
    style: int  # 1 to 26, the styles of the survey; 0: styles beside them
    make: Callable[[], Call]  # everything anew
    outcome: str = "same"  # or "different", "undecided"
    side: str | None = None  # "scratch", "reference", "conventions", "open"
    tensors: tuple[str, ...] = ()  # one of them is part of verdict.tensor; none given: any will do
    kind: str = ""  # where it lies, and what it is: "backward: mean of the bias gradient"
    file: str = ""  # the style's, without .py
    edits: Mapping[str, str] = field(default_factory=dict)  # of its text: the mistake
    base: Mapping[str, str] = field(default_factory=dict)  # edits before them, that are none
    brief: bool = False  # whether tests have it judged in float64 alone
    lined: bool = True  # whether its code lies in a file, so that there are lines to name

    @property
    def texts(self) -> tuple[str, str]:
        """The style's text without the mistake and with it."""
        return edited(self.file, self.base), edited(self.file, {**self.base, **self.edits})

    @cached_property
    def lines(self) -> tuple[int, ...]:
        """The lines of the file as written that hold the mistake: those of its statements, or around its hole."""
        return faulty(*self.texts) if self.edits else ()

    @cached_property
    def users(self) -> tuple[int, ...]:
        """The lines of the first statements that use what the mistaken one binds; of a `return` the caller's."""
        return first_uses(*self.texts) if self.edits else ()

    @property
    def has_line(self) -> bool:
        """Whether a line of scratch's is at fault."""
        return self.side == "scratch" and self.lined and bool(self.lines)

    @cached_property
    def is_by_hand(self) -> bool:
        """Whether its lines are of the hand-written side, whoever is said to be wrong."""
        return self.lined and bool(self.lines) and all(by_hand(self.texts[1], line) for line in self.lines)

    @property
    def kind_of(self) -> str:
        """The word that a kind begins with: "forward", "backward", "update", ..."""
        return self.kind.partition(":")[0]

    def placed(self, call: Call, place: Any) -> str:
        """Which of PLACES a verdict's place is."""
        faulty_line, first_use, elsewhere, none = PLACES
        if place.file is None or place.line is None:
            return none
        if call.file is None or Path(place.file).resolve() != call.file.resolve():
            return elsewhere
        return faulty_line if place.line in self.lines else first_use if place.line in self.users else elsewhere


@cache
def folder() -> Path:
    """Where the files with a mistake lie until the process ends."""
    path = Path(tempfile.mkdtemp(prefix="own-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def edited(style: str, edits: Mapping[str, str]) -> str:
    """The style's text, with each text, which must stand there once, exchanged for the other."""
    text = (STYLES / f"{style}.py").read_text()
    for old, new in edits.items():
        if text.count(old) != 1:
            raise ValueError(f"{style}.py has this {text.count(old)} times: {old}")
        text = text.replace(old, new)
    return text


def module(style: str, edits: Mapping[str, str], lined: bool = True) -> ModuleType:
    """The style's file as a new module, with these edits; or without a file, so that there are no lines to be seen."""
    text = edited(style, edits)
    return written(style, text) if lined else built(style, text)


def built(style: str, text: str) -> ModuleType:
    """A text as a module that lies in no file."""
    made = ModuleType(f"{style}_{next(COPIES)}")
    sys.modules[made.__name__] = made
    exec(compile(text, f"<{made.__name__}>", "exec"), vars(made))
    return made


def written(style: str, text: str) -> ModuleType:
    """A text as a module of its own file, which ends with the process."""
    number = next(COPIES)
    name, path = f"{style}_{number}", folder() / str(number) / f"{style}.py"
    path.parent.mkdir()
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


def file_of(made: ModuleType) -> Path | None:
    return Path(made.__file__) if getattr(made, "__file__", None) else None


def maker(style: str, call: str, edits: Mapping[str, str], lined: bool = True) -> Callable[[], Call]:
    def make() -> Call:
        made = module(style, edits, lined)
        with torch.random.fork_rng(devices=[]):
            scratch, reference, data, keywords = getattr(made, call)()
        return Call((scratch, reference, *data), keywords, file_of(made))

    return make


def right(name: str, style: int, file: str, call: str = "call") -> Truth:
    return Truth(name, style, maker(file, call, {}), file=file)


def wrong(
    name: str,
    style: int,
    file: str,
    edits: Mapping[str, str],
    kind: str,
    tensors: tuple[str, ...] = (),
    side: str = "scratch",
    call: str = "call",
) -> Truth:
    make = maker(file, call, edits)
    return Truth(name, style, make, "different", side, tensors, kind, file, edits)
