"""Where the checkout is, and the folder of real data files beside it."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REAL_DATA = ROOT.parent / "shared" / "data"

PACKAGE = ("twofold", "scratch", "reference", "compare")


def copied(folder: Path) -> Path:
    """A copy of what is installed, as in a clone, for tests that write into it."""
    for name in PACKAGE:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder
