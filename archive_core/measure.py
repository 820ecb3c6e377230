"""One pass over a file: its size, its digests, and for a large one the digests of its chunks.

Chunks of 4 MiB exist so that a range can be verified and healed in mid-stream (design.md 3). Their
list is a file of the package and a member of its data group, so it is as proven as the content.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from archive_core import canonical, reading
from archive_core.digests import Digest, MultiHasher, hash_bytes
from archive_core.errors import NameNotAcceptedError, SubmissionError
from archive_core.ports import KnownBytes

CHUNK_SIZE = 4 * 1024 * 1024
"""Bytes in a chunk; a file of at most this size has no chunk list."""

CHUNK_DIGEST = "sha512"

MAX_CHUNK_LIST_BYTES = 256 * 1024 * 1024
"""Enough for a file of 8 TiB."""


SMALL = 128 * 1024
"""A file of at most so many bytes is read in one piece, which is handed out with its measures."""


@dataclass(frozen=True, slots=True)
class Measured:
    size: int
    digests: Mapping[str, Digest]
    chunks: tuple[bytes, ...]
    """sha512 of each chunk, in order; empty for a file that is no longer than one chunk."""
    content: KnownBytes | None = None
    """The bytes that were measured, of a small file."""


def measure(source: Path | bytes, algorithms: Collection[str]) -> Measured:
    """Size, digests and chunk digests of a regular file or of bytes, read once; raises
    `SubmissionError`. Links are not followed."""
    if isinstance(source, bytes):
        return _measure_bytes(source, algorithms)
    descriptor, announced = _open_regular(source)
    try:
        # Room for what was announced and a byte more: what the file has grown by meanwhile is read as well.
        content = _read(descriptor, min(announced, SMALL) + 1, source)
        if announced < len(content) <= SMALL:
            content += _read(descriptor, SMALL + 1 - len(content), source)
        if len(content) <= SMALL:
            return _measure_bytes(content, algorithms)
        return _measure_rest(descriptor, content, algorithms, source)
    finally:
        os.close(descriptor)


def _measure_bytes(content: bytes, algorithms: Collection[str]) -> Measured:
    chunks: tuple[bytes, ...] = ()
    if len(content) > CHUNK_SIZE:
        starts = range(0, len(content), CHUNK_SIZE)
        chunks = tuple(hash_bytes(CHUNK_DIGEST, content[start : start + CHUNK_SIZE]) for start in starts)
    digests = {name: Digest.of(name, content) for name in algorithms}
    return Measured(len(content), digests, chunks, KnownBytes(content) if len(content) <= SMALL else None)


def _measure_rest(descriptor: int, begun: bytes, algorithms: Collection[str], source: Path) -> Measured:
    """A file that is not small, of which the beginning was read; chunks and whole are hashed side by side."""
    hasher = MultiHasher(algorithms)
    chunks: list[Future[bytes]] = []
    with ThreadPoolExecutor(1, thread_name_prefix="chunks") as beside:
        chunk = begun + _read(descriptor, CHUNK_SIZE - len(begun), source)
        while chunk:
            if chunks:
                chunks[-1].result()  # no more than two chunks are in memory
            chunks.append(beside.submit(hash_bytes, CHUNK_DIGEST, chunk))
            hasher.update(chunk)
            chunk = _read(descriptor, CHUNK_SIZE, source)
    listed = tuple(future.result() for future in chunks) if hasher.size > CHUNK_SIZE else ()
    return Measured(hasher.size, hasher.digests(), listed)


def _open_regular(path: Path) -> tuple[int, int]:
    """A descriptor of a regular file, and its size at this moment."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SubmissionError(f"cannot read {path.name!a}: {error.strerror}", path=ascii(path.name)) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise NameNotAcceptedError(f"{path.name!a} is not a regular file", path=ascii(path.name))
    return descriptor, found.st_size


def _read(descriptor: int, size: int, source: Path) -> bytes:
    """So many bytes, fewer only at the end of the file."""
    try:
        data = os.read(descriptor, size)
        while 0 < len(data) < size and (more := os.read(descriptor, size - len(data))):
            data += more
    except OSError as error:
        raise SubmissionError(f"cannot read {source.name!a}: {error.strerror}", path=ascii(source.name)) from error
    return data


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
