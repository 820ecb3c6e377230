"""A document under examination: its name, its bytes, read no further than allowed.

Rules kept here
 * A document is a file or bytes; whoever reads all of it says how much at most.
 * Digests are taken in pieces and remembered, so that a large detached file is read once per algorithm.
"""

from __future__ import annotations

import io
import mmap
from pathlib import Path
from typing import BinaryIO

from archive_core.digests import digest_stream


class TooLargeError(ValueError):
    """The document has more bytes than its format's examiner reads."""


class Document:
    """`content` is the bytes, or the file that holds them. A name is what references may call it by."""

    def __init__(self, name: str, content: bytes | Path) -> None:
        self.name = name
        self._content = content
        self.size = len(content) if isinstance(content, bytes) else content.stat().st_size
        self._digests: dict[str, bytes] = {}

    def open(self) -> BinaryIO:
        """A seekable stream over the bytes, to be closed by the caller."""
        if isinstance(self._content, bytes):
            return io.BytesIO(self._content)
        return self._content.open("rb")

    def mapped(self) -> bytes | mmap.mmap:
        """The bytes without reading them all: a memory map for a file."""
        if isinstance(self._content, bytes):
            return self._content
        with self._content.open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if self.size else b""

    def head(self, size: int) -> bytes:
        with self.open() as stream:
            return stream.read(size)

    def read(self, most: int) -> bytes:
        """All bytes; raises `TooLargeError` when there are more than `most`."""
        if self.size > most:
            raise TooLargeError(f"{self.size} bytes, of which at most {most} are read")
        with self.open() as stream:
            return stream.read(most + 1)

    def digest(self, algorithm: str) -> bytes:
        """Raises ValueError for an algorithm that `archive_core.digests` does not know."""
        if algorithm not in self._digests:
            with self.open() as stream:
                digests, _ = digest_stream(stream, [algorithm])
            self._digests[algorithm] = digests[algorithm].value
        return self._digests[algorithm]
