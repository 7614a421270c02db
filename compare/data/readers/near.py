"""Files whose names are nearly right: dots for dashes, capitals, another folder or suffix, a second download."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path

DEPTH, MOST = 3, 2000  # folders that are looked into, one within the other; entries that are looked at
ALIKE = 0.8  # SequenceMatcher's ratio
SUFFIX = re.compile(r"(\.(gz|zip|bz2|xz|zst|7z|tar|tgz|txt|part|download|crdownload|\d+)|\s*\(\d+\))+$")


def near(directory: Path, names: Collection[str], known: Collection[str]) -> str:
    """The file under `directory` whose name is nearest to one of `names`, if it is near; paths in `known` are none."""
    best, found = 0.0, ""
    for path in islice(_files(directory, DEPTH), MOST):
        relative = path.relative_to(directory).as_posix()
        if relative not in known:
            likeness = max(_likeness(relative, name) for name in names)
            best, found = (likeness, relative) if likeness > best else (best, found)
    return found


def _likeness(path: str, name: str) -> float:
    """0 for names that are not alike; a number that is not the same makes another file, as of data_batch_1 and _2."""
    one, other = _plain(path), _plain(name)
    if re.findall(r"\d", one) != re.findall(r"\d", other):
        return 0.0
    ratio = SequenceMatcher(None, one, other, autojunk=False).ratio()
    return ratio if ratio >= ALIKE else 0.0


def _plain(path: str) -> str:
    return re.sub(r"[^a-z0-9]", "", SUFFIX.sub("", path.rpartition("/")[2].lower()))


def _files(directory: Path, depth: int) -> Iterator[Path]:
    """The regular files in `directory`, by name, before those in its folders."""
    try:
        with os.scandir(directory) as entries:
            some = sorted(islice(entries, MOST), key=lambda entry: entry.name)
    except OSError:  # no folder, or none that may be looked into: nothing is found there
        return
    yield from (Path(entry.path) for entry in some if os.path.isfile(entry.path))
    if depth > 1:
        for entry in some:
            if os.path.isdir(entry.path):
                yield from _files(Path(entry.path), depth - 1)
