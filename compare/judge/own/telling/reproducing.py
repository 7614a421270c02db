"""A difference kept as numbers, with a script that shows it again: repro.npz and repro.py."""

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from twofold.scratch.module import Array


@dataclass(frozen=True)
class Evidence:
    """One run: what went in, and of the tensor that differs first what each side made of it.

    `scratch` is the user's callable, and `paths` say by which expression each parameter is reached from the object or
    file that it belongs to: where a script can import them, it calls it again.
    """

    tensor: str
    actual: Array
    expected: Array
    limit: float  # how far apart the two may lie at the most
    data: tuple[Any, ...] = ()
    params: Mapping[str, Array] = field(default_factory=dict)
    scratch: Callable[..., Any] | None = None
    paths: Mapping[str, str] = field(default_factory=dict)


SCRIPT = '''"""{headline}

What went in, and what each side made of {tensor}, is in repro.npz.
"""

from pathlib import Path

import numpy as np

kept = np.load(Path(__file__).parent / "repro.npz")
{again}
actual, expected = kept["actual"].astype(float), kept["expected"].astype(float)
print("{tensor}, scratch:", actual, "the reference:", expected, sep="\\n")
off = np.abs(actual - expected).max() if actual.shape == expected.shape else np.inf
print("off by", np.nan_to_num(off, nan=np.inf), "where", float(kept["limit"]), "is allowed")
'''

AGAIN = """
# the user's own code once more, on the same numbers
import importlib.util

spec = importlib.util.spec_from_file_location("users", {file!r})
users = importlib.util.module_from_spec(spec)
spec.loader.exec_module(users)
{params}
print("{call} gives:", users.{call}(*[kept[f"data {{n}}"] for n in range({count})]), sep="\\n")
"""


def write(evidence: Evidence, folder: Path, told: str) -> Path:
    """Writes both files and returns the script; nothing in them is pickled. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"data {n}": np.asarray(array) for n, array in enumerate(evidence.data)}
    arrays |= {f"param {name}": np.asarray(value) for name, value in evidence.params.items()}
    arrays |= {"actual": evidence.actual, "expected": evidence.expected, "limit": np.array(evidence.limit)}
    np.savez(folder / "repro.npz", allow_pickle=False, **arrays)
    headline = told.replace("\\", "/").replace('"""', "'''")
    path = folder / "repro.py"
    path.write_text(SCRIPT.format(headline=headline, tensor=evidence.tensor, again=again(evidence)))
    return path


def again(evidence: Evidence) -> str:
    """The lines that call scratch again; "" where it stands in no file that can be imported."""
    found = importable(evidence.scratch)
    if found is None:
        return ""
    file, owner, call = found
    prefix = f"users.{owner}." if owner else "users."
    lines = [f"{prefix}{path.lstrip('.')} = kept[{f'param {name}'!r}]" for name, path in evidence.paths.items()]
    return AGAIN.format(file=file, params="\n".join(lines), call=call, count=len(evidence.data))


def importable(scratch: Any) -> tuple[str, str, str] | None:
    """File, the name of the object that it is bound to, if any, and how it is called there.

    Only of a file that is imported: one that is run would judge again.
    """
    module = sys.modules.get(getattr(scratch, "__module__", ""))
    file = getattr(module, "__file__", None)
    if module is None or file is None or module.__name__ == "__main__":
        return None
    name = getattr(scratch, "__name__", "")
    if inspect.ismethod(scratch):
        owner = next((key for key, value in vars(module).items() if value is scratch.__self__), None)
        return (file, owner, f"{owner}.{name}") if owner else None
    return (file, "", name) if getattr(module, name, None) is scratch else None
