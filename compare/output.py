"""What is written: to files, whole or not at all, and as JSON for programs."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twofold.compare.errors import BadInput
from twofold.compare.strict import dumps

PART = ".part"  # behind a file's name while it is written
LOCK = ".lock"
STANDARD_OUTPUT = Path("-")


def write(path: Path, content: str | bytes) -> None:
    """Written aside, synced and put in place: whatever happens meanwhile, the old file or the new one is there whole.

    A device or pipe is written to as it is. Raises BadInput in one line where it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    with told(path):
        if is_special(path):
            path.write_bytes(data)
            return
        aside = path.with_name(path.name + PART)
        try:
            with aside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_json(path: Path, content: Any) -> None:
    """Strict JSON, to a file or to standard output for "-"; what is no number, or infinite, is null."""
    text = dumps(content, indent=1)
    if path == STANDARD_OUTPUT:
        print(text)
    else:
        write(path, text + "\n")


def try_file(path: Path | None) -> None:
    """Tried before the work, changing nothing. Raises BadInput in one line where a file cannot be written."""
    if path is None or path == STANDARD_OUTPUT:
        return
    with told(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if is_special(path):
            path.open("wb").close()
            return
        aside = path.with_name(path.name + PART)
        aside.write_bytes(b"\0")
        aside.unlink()


def make_folder(folder: Path) -> None:
    """A folder that can be written to. Raises BadInput in one line."""
    with told(folder, "a folder to write to"):
        folder.mkdir(parents=True, exist_ok=True)
    try_file(folder / "try")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One run a folder, made where it is not there, until the process ends, however it ends. Raises BadInput."""
    from filelock import FileLock, Timeout

    make_folder(folder)
    lock = FileLock(folder / LOCK)
    with told(folder / LOCK):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BadInput(
                f"{folder}: expected no other run in this folder, found one at work; try another --out"
            ) from None
    try:
        clear(folder)
        yield
    finally:
        lock.release()


def clear(folder: Path) -> None:
    """Takes away what an earlier run did not finish writing."""
    with told(folder, "a folder to write to"):
        for left in folder.glob(f"*{PART}"):
            if left.is_file():
                left.unlink()


@contextmanager
def told(path: Path, expected: str = "a file to write to") -> Iterator[None]:
    """What the file system refuses in one line, of the user's to mend."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"{path}: expected {expected}, found: {error.strerror or error}") from error


def is_special(path: Path) -> bool:
    """Whether what stands there is neither file nor folder: a device, a pipe."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def sync_folder(folder: Path) -> None:
    """The new name too survives a power cut, where the system can be asked for that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
