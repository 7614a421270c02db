"""Settles whether two implementations of a neural network are the same computation.

In a clone the folders scratch, reference and compare stand beside this one; the wheel holds them inside.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twofold.compare.judge.own.judge import assert_equivalent, judge
    from twofold.compare.judge.own.telling.verdict import BadCall, Verdict
    from twofold.compare.pair import CheckSize, Draw, Pair, Recipe, Twin

__version__ = "0.2.0"
__all__ = [
    "BadCall",
    "CheckSize",
    "Draw",
    "Pair",
    "Recipe",
    "Twin",
    "Verdict",
    "__version__",
    "assert_equivalent",
    "judge",
]

if not (Path(__file__).parent / "scratch").is_dir():
    __path__.append(str(Path(__file__).parents[1]))

# What users import, and where it stands: imported when first asked for, so that `import twofold` costs nothing.
HOMES = {
    **dict.fromkeys(("CheckSize", "Draw", "Pair", "Recipe", "Twin"), "twofold.compare.pair"),
    **dict.fromkeys(("judge", "assert_equivalent"), "twofold.compare.judge.own.judge"),
    **dict.fromkeys(("Verdict", "BadCall"), "twofold.compare.judge.own.telling.verdict"),
}
ROOMS = ("scratch", "reference", "compare")


def __getattr__(name: str) -> Any:
    if name in ROOMS:
        return import_module(f"{__name__}.{name}")
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
