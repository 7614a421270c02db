"""A user's file, opened: what it is and how large is known before it is read, and it is read in pieces."""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError

from twofold.compare.data.errors import mismatch

PIECE = 1 << 20  # bytes of one read; whoever wants more comes again
SLACK = 1 << 17  # bytes by which compressed data may be longer than its content, beside a hundredth
HEAD = 512

KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a FIFO",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
# What stands where data should, whatever the format.
IMPOSTORS = {
    "a git-lfs pointer, which `git lfs pull` replaces by the file": rb"version https?://(git-lfs|hawser)\.github\.com/",
    "a git-annex pointer, which `git annex get` replaces by the file": rb"/?(\.git)?/annex/objects/",
    "an HTML page": rb"(<\?xml[^>]*>\s*)?<(!--|(!doctype\s+html|html|head|body)\b)",
    "an XML page": rb"<\?xml\b",
}
# Formats, for whom expects another one.
FORMATS = {
    "a gzip file": rb"\x1f\x8b",
    "a zip archive": rb"PK(\x03\x04|\x05\x06)",
    "an npy file": rb"\x93NUMPY",
    "an HDF5 file": rb"\x89HDF\r\n\x1a\n",
    "a Python pickle, which is never loaded": rb"\x80[\x02-\x05]",
    "a bzip2 file": rb"BZh[1-9]1AY&SY",
    "an xz file": rb"\xfd7zXZ\x00",
    "a 7z archive": rb"7z\xbc\xaf\x27\x1c",
    "a zstd file": rb"\x28\xb5\x2f\xfd",
    "a PDF document": rb"%PDF-",
    "a PNG picture": rb"\x89PNG\r\n",
    "a JPEG picture": rb"\xff\xd8\xff",
    "text in UTF-16": rb"\xff\xfe|\xfe\xff",
}
# What damaged files bring forth in the libraries that read them.
PROBLEMS = (
    OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, RuntimeError, SyntaxError,
    AttributeError, TokenError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip


class Damaged(Exception):
    """What a reader of ours says of a file, without the file's name."""


class Source(io.FileIO):
    """A regular file: its `size` in bytes and its first bytes, `head`. A read of more than PIECE raises Damaged."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self.size = os.fstat(self.fileno()).st_size
        self.head = super().read(HEAD) or b""
        self.seek(0)

    def read(self, size: int | None = -1) -> bytes:
        wanted = max(self.size - self.tell(), 0) if size is None or size < 0 else size
        if wanted > PIECE:
            raise Damaged(f"{wanted:,} bytes to be read in one piece")
        return super().read(wanted) or b""


@contextmanager
def opened(path: Path, form: str, formats: tuple[str, ...] = ()) -> Iterator[Source]:
    """`path` as a Source, whose reader expects `form`, which may begin as `formats` do, of FORMATS.

    DataError for what is no regular file or cannot be read, for what its first bytes give away as something else, and
    for whatever a library raises inside over a damaged file.
    """
    if obstacle := what(path):
        raise mismatch(path, form, obstacle)
    try:
        with Source(path) as source:
            if other := called(source.head, formats) if source.size else "an empty file":
                raise mismatch(path, form, other)
            yield source
    except Damaged as error:
        raise mismatch(path, form, error) from error
    except PROBLEMS as error:
        raise mismatch(path, form, f"{type(error).__name__}: {error}") from error


def what(path: Path) -> str:
    """What stands at `path` in place of a regular file; empty for a regular file."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return "a link to nothing" if os.path.islink(path) else "no such file"
    except OSError as error:
        return error.strerror or type(error).__name__
    return next((name for test, name in KINDS.items() if test(mode)), "" if stat.S_ISREG(mode) else "no file")


def called(head: bytes, formats: tuple[str, ...] = ()) -> str:
    """What begins with `head`, if that is known and none of `formats`; else empty."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # a page may come in UTF-16
        text = head.decode("utf-16", "ignore").lstrip().encode()
    for name, start in IMPOSTORS.items():
        if re.match(start, text, re.IGNORECASE):
            return name
    return next((name for name, start in FORMATS.items() if name not in formats and re.match(start, head)), "")


def pieces(read: Callable[[int], bytes], count: int) -> bytearray:
    """`count` bytes as `read` gives them, fewer where it has no more: memory is taken as they come."""
    data = bytearray()
    while len(data) < count and (piece := read(min(PIECE, count - len(data)))):
        data += piece
    return data


def outgrown(stored: int, content: int) -> bool:
    """Whether compressed data of `stored` bytes is longer than a content of `content` bytes can make it."""
    return stored > content + content // 100 + SLACK
