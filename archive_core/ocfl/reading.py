"""Content that is verified while it is read.

The last piece is handed out only after the digest of the whole was found right, so a reader that
took everything without an error has the right bytes, and one that got an error has not got all.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from archive_core.digests import CHUNK, new_hasher
from archive_core.errors import FixityError


class VerifyingStream(io.RawIOBase):
    """A forward-only stream over `source`; raises `FixityError` instead of the end of wrong bytes."""

    def __init__(self, source: BinaryIO, algorithm: str, expected: str, where: str) -> None:
        self._source = source
        self._hasher = new_hasher(algorithm)
        self._expected = expected
        self._where = where
        self._ready = memoryview(b"")
        self._held = self._next()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._ready and self._held:
            self._advance()
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _advance(self) -> None:
        """Release what is held, once it is known that more follows or that the whole is right."""
        following = self._next()
        self._ready, self._held = memoryview(self._held), following

    def _next(self) -> bytes:
        piece = self._source.read(CHUNK)
        self._hasher.update(piece)
        if not piece and self._hasher.hexdigest() != self._expected:
            raise FixityError("a stored file does not have its recorded digest", where=self._where)
        return piece
