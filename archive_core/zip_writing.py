"""Writes a ZIP file whose bytes follow from its entries alone.

Rules kept here
 * Same names and contents in the same order give the same bytes: no time of writing (1 January
   1980, the earliest that the format knows), no owner, no compressor's version. Everything is
   stored, not compressed: that is readable without any decompressor, and cannot be a bomb.
 * Sizes and checksums stand before the content (no data descriptors), so that the file can be
   streamed out and be read by strict readers. An entry larger than `BUFFER` is therefore read twice; one
   that changes in between ends in `FixityError`, never in a wrong archive.
 * Where one can go back in the file and the size is known beforehand, such an entry is read once: it is
   digested in a thread while it is written, and its header is written last, over the room left for it.
 * Memory is bounded by `BUFFER` and the list of names. ZIP64 where a number needs it, only there.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from archive_core import zip_layout as layout
from archive_core.digests import new_hasher, read_chunks
from archive_core.errors import FixityError
from archive_core.names import verify_distinct, verify_path

Source = bytes | Path | Callable[[], Iterable[bytes]]
"""Where content comes from: the bytes, a file, or a function that starts a new pass over it."""


@dataclass(frozen=True, slots=True)
class SizedSource:
    """A function that starts a new pass over content of a known size in bytes."""

    size: int
    start: Callable[[], Iterable[bytes]]

    def __call__(self) -> Iterable[bytes]:
        return self.start()


BUFFER = 8 * 1024 * 1024
"""Bytes of one entry that are kept in memory rather than read a second time."""

_EPOCH_DATE, _EPOCH_TIME = (0 << 9) | (1 << 5) | 1, 0
_REGULAR_FILE = 0o100644 << 16
_MADE_BY_UNIX = 3 << 8


@dataclass(frozen=True, slots=True)
class WrittenEntry:
    """What was written under a name: size in bytes, CRC-32, sha512 (hex)."""

    name: str
    size: int
    crc: int
    sha512: str
    offset: int


@dataclass(frozen=True, slots=True)
class _Measured:
    size: int
    crc: int
    sha512: str
    kept: bytes | None


class ZipWriter:
    """Appends entries to a binary stream that need not be seekable; call `finish` at the end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._begin = stream.tell() if stream.seekable() else None
        self._position = 0
        self.entries: list[WrittenEntry] = []

    def add(self, name: str, source: Source) -> WrittenEntry:
        """Write one entry. Raises `NameNotAcceptedError`, and `FixityError` for content that is not
        the same twice."""
        verify_path(name)
        if isinstance(source, SizedSource) and source.size > BUFFER and self._begin is not None:
            entry = self._copy_once(name, source, self._begin)
            self.entries.append(entry)
            return entry
        measured = _measure(source)
        entry = WrittenEntry(name, measured.size, measured.crc, measured.sha512, self._position)
        self._write(_local_header(entry))
        if measured.kept is not None:
            self._write(measured.kept)
        else:
            self._copy_again(name, source, measured)
        self.entries.append(entry)
        return entry

    def finish(self) -> None:
        """Write the central directory. Raises `NameNotAcceptedError` when two names clash."""
        verify_distinct(entry.name for entry in self.entries)
        start = self._position
        for entry in self.entries:
            self._write(_central_header(entry))
        size = self._position - start
        count = len(self.entries)
        if count >= layout.MAX16 or size >= layout.MAX32 or start >= layout.MAX32:
            self._write(_zip64_end(count, size, start))
        self._write(
            layout.END.pack(
                layout.END_SIGNATURE,
                0,
                0,
                min(count, layout.MAX16),
                min(count, layout.MAX16),
                min(size, layout.MAX32),
                min(start, layout.MAX32),
                0,
            )
        )

    def _copy_once(self, name: str, source: SizedSource, begin: int) -> WrittenEntry:
        place, digesting = self._position, _Digesting()
        self._write(_local_header(WrittenEntry(name, source.size, 0, "", place)))
        with ThreadPoolExecutor(1, thread_name_prefix="digesting") as pool:
            under_way: Future[None] | None = None
            for chunk in source():
                if under_way is not None:
                    under_way.result()
                under_way = pool.submit(digesting.update, chunk)
                self._write(chunk)
            if under_way is not None:
                under_way.result()
        if digesting.size != source.size:
            raise FixityError(f"{name[:80]!a} has another size than expected", name=name)
        entry = WrittenEntry(name, source.size, digesting.crc, digesting.sha512.hexdigest(), place)
        self._stream.seek(begin + place)
        self._stream.write(_local_header(entry))
        self._stream.seek(begin + self._position)
        return entry

    def _copy_again(self, name: str, source: Source, measured: _Measured) -> None:
        hasher, size = new_hasher("sha512"), 0
        for chunk in _chunks(source):
            size += len(chunk)
            if size > measured.size:
                break
            hasher.update(chunk)
            self._write(chunk)
        if size != measured.size or hasher.hexdigest() != measured.sha512:
            raise FixityError(f"{name[:80]!a} changed while it was being written", name=name)

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._position += len(data)


class _Digesting:
    """Size, CRC-32 and sha512 of what goes by."""

    def __init__(self) -> None:
        self.size, self.crc, self.sha512 = 0, 0, new_hasher("sha512")

    def update(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.crc = zlib.crc32(chunk, self.crc)
        self.sha512.update(chunk)


def _chunks(source: Source) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
    elif isinstance(source, Path):
        with source.open("rb") as stream:
            yield from read_chunks(stream)
    else:
        yield from source()


def _measure(source: Source) -> _Measured:
    digesting = _Digesting()
    kept: list[bytes] | None = []
    for chunk in _chunks(source):
        digesting.update(chunk)
        if kept is not None:
            kept.append(chunk)
            if digesting.size > BUFFER:
                kept = None
    content = None if kept is None else b"".join(kept)
    return _Measured(digesting.size, digesting.crc, digesting.sha512.hexdigest(), content)


def _flags(name: bytes) -> int:
    return 0 if name.isascii() else layout.UTF8


def _local_header(entry: WrittenEntry) -> bytes:
    name = entry.name.encode("utf-8")
    large = entry.size >= layout.MAX32
    shown = layout.MAX32 if large else entry.size
    extra = _zip64_extra(entry.size, entry.size) if large else b""
    return (
        layout.LOCAL.pack(
            layout.LOCAL_SIGNATURE,
            45 if large else 20,
            _flags(name),
            layout.STORED,
            _EPOCH_TIME,
            _EPOCH_DATE,
            entry.crc,
            shown,
            shown,
            len(name),
            len(extra),
        )
        + name
        + extra
    )


def _central_header(entry: WrittenEntry) -> bytes:
    name = entry.name.encode("utf-8")
    large, far = entry.size >= layout.MAX32, entry.offset >= layout.MAX32
    numbers = ([entry.size, entry.size] if large else []) + ([entry.offset] if far else [])
    extra = _zip64_extra(*numbers) if numbers else b""
    shown = layout.MAX32 if large else entry.size
    needed = 45 if numbers else 20
    return (
        layout.CENTRAL.pack(
            layout.CENTRAL_SIGNATURE,
            _MADE_BY_UNIX | 45,
            needed,
            _flags(name),
            layout.STORED,
            _EPOCH_TIME,
            _EPOCH_DATE,
            entry.crc,
            shown,
            shown,
            len(name),
            len(extra),
            0,
            0,
            0,
            _REGULAR_FILE,
            layout.MAX32 if far else entry.offset,
        )
        + name
        + extra
    )


def _zip64_extra(*numbers: int) -> bytes:
    body = b"".join(number.to_bytes(8, "little") for number in numbers)
    return layout.ZIP64_EXTRA.to_bytes(2, "little") + len(body).to_bytes(2, "little") + body


def _zip64_end(count: int, size: int, start: int) -> bytes:
    end = layout.END64.pack(
        layout.END64_SIGNATURE, layout.END64.size - 12, _MADE_BY_UNIX | 45, 45, 0, 0, count, count, size, start
    )
    return end + layout.END64_LOCATOR.pack(layout.END64_LOCATOR_SIGNATURE, 0, start + size, 1)
