"""Fetching files through torchvision, which is imported here alone and only when asked for."""

from __future__ import annotations

import os
import tempfile
from http.client import HTTPException
from pathlib import Path

from compare.data.errors import mismatch


def fetch(name: str, directory: Path) -> list[Path]:
    """Downloads `name` (only "mnist") into the layout under `directory`, and returns the paths of its files.

    A file that is there with the right MD5 is kept. DataError for another name, for a torchvision that is missing or
    does not fit the installed torch, for a directory that cannot be written, and where no mirror answers.
    """
    if name != "mnist":
        raise mismatch("fetch", "mnist, the only data set that can be fetched", repr(name))
    try:
        from torchvision.datasets import MNIST
    except (ImportError, RuntimeError, OSError) as error:  # RuntimeError: "operator torchvision::nms does not exist"
        raise mismatch("fetch mnist", "a torchvision that fits the installed torch", _line(error)) from error
    target = directory / "mnist"
    try:
        target.mkdir(parents=True, exist_ok=True)
        return [_one(target / file, MNIST.mirrors, md5) for file, md5 in MNIST.resources]
    except OSError as error:
        raise mismatch(target, "a directory that can be written", _line(error)) from error


def _one(path: Path, mirrors: list[str], md5: str) -> Path:
    from torchvision.datasets.utils import check_integrity, download_url

    if check_integrity(path, md5):
        return path
    problems = []
    for mirror in mirrors:
        with tempfile.TemporaryDirectory(dir=path.parent) as partial:  # so that `path` is whole or not there
            try:
                download_url(mirror + path.name, partial, path.name, md5)
            except (OSError, HTTPException, RuntimeError) as error:  # no network; cut short; a wrong MD5
                problems.append(_line(error))
                continue
            os.replace(Path(partial) / path.name, path)
            return path
    raise mismatch(path, "a download from one of torchvision's mirrors", "; ".join(dict.fromkeys(problems)))


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
