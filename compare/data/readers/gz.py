"""gzip, read as far as is asked for and no further."""

from __future__ import annotations

import zlib

from twofold.compare.data.readers.source import Damaged, Source, outgrown

WINDOW = 31  # zlib's way to say: gzip's header and checksum, and the largest window
STEP = 1 << 16  # compressed bytes at a time


class Inflated:
    """The content of a gzip file, of one member or several; zeros after a member say nothing."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._member, self._begun = zlib.decompressobj(WINDOW), False
        self._rest = b""  # read, and not yet decompressed
        self._stored = self._given = 0  # bytes read and given so far

    def read(self, count: int) -> bytes:
        """The next bytes, at most `count`, which is above 0; none at the end.

        Raises EOFError for a file that ends within a member, zlib.error for a damaged one, and Damaged for one that
        goes on and on without any content.
        """
        while True:
            if not self._begun:
                self._rest = self._rest.lstrip(b"\0")
            self._begun = self._begun or bool(self._rest)
            piece = self._member.decompress(self._rest, count)
            self._rest = self._member.unconsumed_tail
            if self._member.eof:
                self._rest = self._member.unused_data
                self._member, self._begun = zlib.decompressobj(WINDOW), False
            if piece:
                self._given += len(piece)
                return piece
            if not self._rest and not self._more(count):
                return b""

    def _more(self, count: int) -> bool:
        self._rest = self._source.read(STEP)
        self._stored += len(self._rest)
        if not self._rest and self._begun:
            raise EOFError("the file ends before its gzip data does")
        if outgrown(self._stored, self._given + count):
            raise Damaged(f"{self._stored:,} bytes of gzip without content")
        return bool(self._rest)
