"""Fetching files through torchvision, which is imported here alone and only when asked for."""

from __future__ import annotations

import os
import platform
import tarfile
import tempfile
import zlib
from http.client import HTTPException
from pathlib import Path

from twofold.compare.data import cifar10, cifar10_mean_image
from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers import cifar_binary

NAMES = ("mnist", "cifar10", cifar10_mean_image.NAME)
CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # published beside it
CIFAR_FILES = (cifar10.FILES[0][0], *cifar10.MORE, cifar10.FILES[1][0])  # the archive's own paths, too
CIFAR_BYTES = 10_000 * cifar_binary.RECORD  # of each


def fetch(name: str, directory: Path) -> list[Path]:
    """Downloads `name` (of NAMES) into the layout under `directory`, and returns the paths of its files.

    Kept is a file of MNIST that is there with the right MD5, and CIFAR-10 where all six files are there in their size.
    DataError for another name, for a torchvision that is missing or does not fit the installed torch, for a directory
    that cannot be written, for an archive that cannot be unpacked, and where no mirror answers.
    """
    if name not in NAMES:
        raise mismatch("fetch", f"{' or '.join(NAMES)}, all that can be fetched", repr(name))
    try:
        from torchvision.datasets import CIFAR10, MNIST
    except (ImportError, RuntimeError, OSError) as error:  # RuntimeError: "operator torchvision::nms does not exist"
        raise mismatch(f"fetch {name}", "a torchvision that fits the installed torch", _line(error)) from error
    target = directory / ("mnist" if name == "mnist" else cifar10.FOLDER)
    try:
        target.mkdir(parents=True, exist_ok=True)
        if name == "mnist":
            return [_one(target / file, MNIST.mirrors, md5) for file, md5 in MNIST.resources]
        return _cifar(directory, CIFAR10.url.removesuffix(CIFAR10.filename))
    except OSError as error:
        raise mismatch(target, "a directory that can be written", _line(error)) from error


def _one(path: Path, mirrors: list[str], md5: str) -> Path:
    from torchvision.datasets.utils import check_integrity

    if not check_integrity(path, md5):
        with tempfile.TemporaryDirectory(dir=path.parent) as partial:  # so that `path` is whole or not there
            os.replace(_download(path, mirrors, md5, Path(partial)), path)
    return path


def _cifar(directory: Path, mirror: str) -> list[Path]:
    paths = [directory / file for file in CIFAR_FILES]
    if all(path.is_file() and path.stat().st_size == CIFAR_BYTES for path in paths):
        return paths
    if not hasattr(tarfile, "data_filter"):
        raise mismatch("fetch cifar10", "a tarfile with filters, of Python 3.11.4 or later", platform.python_version())
    archive = paths[0].with_name(CIFAR_ARCHIVE)
    with tempfile.TemporaryDirectory(dir=archive.parent) as partial:
        _unpack(archive, _download(archive, [mirror], CIFAR_MD5, Path(partial)))
        for path, file in zip(paths, CIFAR_FILES, strict=True):
            os.replace(Path(partial) / file, path)
    return paths


def _unpack(archive: Path, partial: Path) -> None:
    """The files of CIFAR-10 and no others, to the side of `partial`; a DataError names `archive`."""
    try:
        with tarfile.open(partial, "r:gz") as tar:
            members = [member for member in tar if member.name in CIFAR_FILES and member.isreg()]
            sizes = {member.name: member.size for member in members}
            if sizes != dict.fromkeys(CIFAR_FILES, CIFAR_BYTES):
                expected = f"{len(CIFAR_FILES)} plain files of {CIFAR_BYTES} bytes each"
                raise mismatch(archive, expected, f"{len(sizes)}, of {sorted(set(sizes.values()))} bytes")
            tar.extractall(partial.parent, members, filter="data")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise mismatch(archive, "a readable gzip-compressed tar archive", _line(error)) from error


def _download(path: Path, mirrors: list[str], md5: str, folder: Path) -> Path:
    """A file of the name of `path` in `folder`; DataError, which names `path`, where no mirror has it."""
    from torchvision.datasets.utils import download_url

    problems = []
    for mirror in mirrors:
        try:
            download_url(mirror + path.name, str(folder), path.name, md5)
            return folder / path.name
        except (OSError, HTTPException, RuntimeError) as error:  # no network; cut short; a wrong MD5
            problems.append(_line(error))
    raise mismatch(path, "a download from one of torchvision's mirrors", "; ".join(dict.fromkeys(problems)))


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
