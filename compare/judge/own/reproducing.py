"""A difference kept as numbers, with a script that shows it again: repro.npz and repro.py."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from twofold.scratch.module import Array


@dataclass(frozen=True)
class Evidence:
    """One run: what went in, and of the tensor that differs first what each side made of it.

    `scratch` is the user's callable, which is run again where a script can import it by its file and name; `after`
    are the parameters' names by the place that they have among the callable's arguments, if they are arguments.
    """

    tensor: str
    actual: Array
    expected: Array
    limit: float  # how far apart the two may lie at the most
    data: tuple[Any, ...] = ()
    params: Mapping[str, Array] = field(default_factory=dict)
    scratch: Callable[..., Any] | None = None


SCRIPT = '''"""{headline}

What went in, and what each side made of {tensor}, is in repro.npz.
"""

from pathlib import Path

import numpy as np

kept = np.load(Path(__file__).parent / "repro.npz")
actual, expected, limit = kept["actual"], kept["expected"], kept["limit"]
{again}
apart = np.abs(actual.astype(float) - expected.astype(float))
print("{tensor}, scratch:\\n", actual, "\\nthe reference:\\n", expected)
print("off by", np.nan_to_num(apart, nan=np.inf).max(), "where", float(limit), "is allowed")
'''

AGAIN = """
import importlib.util

spec = importlib.util.spec_from_file_location("{module}", {file!r})
users = importlib.util.module_from_spec(spec)
spec.loader.exec_module(users)
print("{name} again, on the same numbers:", users.{name}(*[kept[f"data {{n}}"] for n in range({count})], *[{given}]))
"""


def write(evidence: Evidence, folder: Path, told: str) -> Path:
    """Writes both files and returns the script; nothing in them is pickled."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"data {n}": np.asarray(array) for n, array in enumerate(evidence.data)}
    arrays |= {f"param {name}": value for name, value in evidence.params.items()}
    arrays |= {"actual": evidence.actual, "expected": evidence.expected, "limit": np.array(evidence.limit)}
    np.savez(folder / "repro.npz", allow_pickle=False, **arrays)
    script = SCRIPT.format(headline=told.replace("\\", "\\\\").replace('"""', "'''"), tensor=evidence.tensor, again="")
    path = folder / "repro.py"
    path.write_text(script)
    return path


def importable(scratch: Any) -> tuple[str, str] | None:
    """File and name of a function that stands at the top of a file."""
    name, file = getattr(scratch, "__qualname__", ""), None
    try:
        file = inspect.getsourcefile(scratch)
    except TypeError:
        return None
    return (file, name) if file and name.isidentifier() else None
