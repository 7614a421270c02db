"""What a long command has finished, a file each, so that an interruption loses nothing.

A file says what its content was made of: arguments, data, versions, and a digest of this package's own source. It is
taken up again only where all of that is the same.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

import numpy as np

from twofold.compare.output import make_folder, write

SCHEMA = 1
ROOMS = ("scratch", "reference", "compare")


def keep(folder: Path, name: str, made_of: Mapping[str, Any], content: Any) -> None:
    """A file is whole or not there. Raises BadInput where it cannot be written."""
    make_folder(folder)
    text = json.dumps({"schema": SCHEMA, "of": dict(made_of), "content": content}, allow_nan=False)
    write(file_of(folder, name), text)


def kept(folder: Path, name: str, made_of: Mapping[str, Any]) -> Any:
    """The content that was made of the same; None where there is none."""
    try:
        found = json.loads(file_of(folder, name).read_text())
    except (OSError, ValueError, RecursionError):
        return None
    same = isinstance(found, dict) and found.get("schema") == SCHEMA and found.get("of") == dict(made_of)
    return found.get("content") if same else None


def file_of(folder: Path, name: str) -> Path:
    """Names hold spaces, slashes and whatever else a folder may not take, and some differ in these alone."""
    word = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:60]
    return folder / f"{word}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}.json"


@cache
def versions() -> dict[str, str]:
    """What decides results besides arguments and data."""
    import twofold

    source = hashlib.sha256()
    for room in ROOMS:
        (home,) = getattr(twofold, room).__path__
        for path in sorted(Path(home).rglob("*.py")):
            source.update(str(path.relative_to(home)).encode() + b"\0" + path.read_bytes() + b"\0")
    found = {name: version(name) for name in ("numpy", "torch")}
    return {**found, "python": python_version(), "source": source.hexdigest()}


def digest(parts: Iterable[Any]) -> str:
    """Of arrays with their shapes, or of bytes."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.dtype} {part.shape}\0".encode())
            part = np.ascontiguousarray(part).data
        found.update(part)
    return found.hexdigest()
