"""One pass over a file: its size, its digests, and for a large one the digests of its chunks.

Chunks of 4 MiB exist so that a range can be verified and healed in mid-stream (design.md 3). Their
list is a file of the package and a member of its data group, so it is as proven as the content.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from archive_core import canonical, reading
from archive_core.digests import Digest, MultiHasher, hash_bytes
from archive_core.errors import NameNotAcceptedError, SubmissionError

CHUNK_SIZE = 4 * 1024 * 1024
"""Bytes in a chunk; a file of at most this size has no chunk list."""

CHUNK_DIGEST = "sha512"

MAX_CHUNK_LIST_BYTES = 256 * 1024 * 1024
"""Enough for a file of 8 TiB."""


@dataclass(frozen=True, slots=True)
class Measured:
    size: int
    digests: Mapping[str, Digest]
    chunks: tuple[bytes, ...]
    """sha512 of each chunk, in order; empty for a file that is no longer than one chunk."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading without following a link; raises `SubmissionError` otherwise."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SubmissionError(f"cannot read {path.name!a}: {error.strerror}", path=ascii(path.name)) from error
    stream = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise NameNotAcceptedError(f"{path.name!a} is not a regular file", path=ascii(path.name))
    return stream


def measure(source: Path | bytes, algorithms: Collection[str]) -> Measured:
    """Size, digests and chunk digests of a file or of bytes, read once."""
    hasher = MultiHasher(algorithms)
    chunks: list[bytes] = []
    if isinstance(source, bytes):
        hasher.update(source)
        chunks = [
            hash_bytes(CHUNK_DIGEST, source[start : start + CHUNK_SIZE]) for start in range(0, len(source), CHUNK_SIZE)
        ]
    else:
        with open_regular(source) as stream:
            while chunk := _read(stream, source):
                hasher.update(chunk)
                chunks.append(hash_bytes(CHUNK_DIGEST, chunk))
    return Measured(hasher.size, hasher.digests(), tuple(chunks) if hasher.size > CHUNK_SIZE else ())


def _read(stream: BinaryIO, source: Path) -> bytes:
    try:
        return stream.read(CHUNK_SIZE)
    except OSError as error:
        raise SubmissionError(f"cannot read {source.name!a}: {error.strerror}", path=ascii(source.name)) from error


def chunk_list(measured: Measured) -> bytes:
    """The chunk list file of a large file."""
    return canonical.write(
        {"algorithm": CHUNK_DIGEST, "chunk_size": CHUNK_SIZE, "digests": [value.hex() for value in measured.chunks]}
    )


@dataclass(frozen=True, slots=True)
class ChunkList:
    chunk_size: int
    digests: tuple[Digest, ...]

    @classmethod
    def parse(cls, data: bytes) -> ChunkList:
        """Read a chunk list file; raises `MalformedDocumentError` when it is not one of ours."""
        value = canonical.read_canonical(data, max_bytes=MAX_CHUNK_LIST_BYTES, max_depth=3)
        value = reading.members(value, ("algorithm", "chunk_size", "digests"), "the chunk list")
        algorithm = reading.digest_name(value["algorithm"], "the chunk list's algorithm")
        listed = reading.items(value["digests"], "the chunk list's digests", most=MAX_CHUNK_LIST_BYTES)
        return cls(
            reading.integer(value["chunk_size"], "the chunk list's chunk_size", least=1),
            tuple(Digest(algorithm, reading.digest(text, algorithm, "a digest of a chunk")) for text in listed),
        )
