"""Reads a ZIP file from an untrusted source: refused precisely or read in bounded time and memory.

Rules kept here
 * There is one way to read the file. Local headers, contents and central directory follow each other
   without gap or overlap from the first byte to the last; what is said twice is said the same way.
   Several disks, encryption and links are refused; so is anything before or after. Comments are refused
   unless the limits say that they are passed over (ASiC containers carry them).
 * Names are checked as names of deposited files are, and must stay distinct everywhere. Folder
   entries carry nothing and are passed over.
 * Limits are applied to what is declared before anything is unpacked, and to what really comes out
   while it is; size and CRC-32 of an entry are compared at its end.
 * Stored and deflated entries only (APPNOTE 4.4.5). Every refusal is an `UnsafeContainerError`.
"""

from __future__ import annotations

import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NoReturn, Self

from archive_core import zip_layout as layout
from archive_core.digests import CHUNK
from archive_core.errors import NameNotAcceptedError, UnsafeContainerError
from archive_core.names import verify_distinct, verify_path

_REFUSED_FLAGS = layout.ENCRYPTED | layout.STRONG | layout.MASKED
_REFUSED_EXTRAS = {
    0x0017: "strong encryption",
    0x9901: "AES encryption",
    0x7075: "a second name (Unicode Path)",
    0x0008: "an extended language encoding",
}


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """What is read. `ratio` bounds unpacked to packed size for entries over a mebibyte; sizes are
    in bytes. With `comments`, those of the file and of entries are passed over."""

    entries: int = 250_000
    directory: int = 256 * 1024 * 1024
    entry_size: int = 2**44
    total_size: int = 2**45
    ratio: int = 200
    comments: bool = False


DEFAULT_LIMITS = ZipLimits()
_RATIO_FREE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """One file in the container, as declared. `data_offset` is where its packed bytes begin."""

    name: str
    method: int
    size: int
    packed: int
    crc: int
    data_offset: int


@dataclass(frozen=True, slots=True)
class _Header:
    """What the central directory says of an entry; `folder` entries are not shown."""

    raw_name: bytes
    flags: int
    method: int
    stamp: tuple[int, int]
    crc: int
    packed: int
    size: int
    offset: int

    @property
    def folder(self) -> bool:
        return self.raw_name.endswith(b"/")


class ZipContainer:
    """An open container whose structure was checked whole; contents are checked as they are read."""

    def __init__(self, stream: BinaryIO, limits: ZipLimits = DEFAULT_LIMITS) -> None:
        """Reads the structure; `stream` must be seekable and stays the caller's. Raises
        `UnsafeContainerError`."""
        self._stream = stream
        self._limits = limits
        headers, directory_start = _read_directory(stream, limits)
        self.entries: dict[str, ZipEntry] = {}
        position = 0
        for header in sorted(headers, key=lambda item: item.offset):
            if header.offset != position:
                _refuse(f"gap or overlap before {_shown(header.raw_name)}")
            entry, position = _read_local(stream, header, directory_start)
            if not header.folder:
                self.entries[entry.name] = entry
        if position != directory_start:
            _refuse("gap or overlap before the central directory")
        _check_names(headers)
        self._opened: BinaryIO | None = None

    @classmethod
    def open(cls, path: Path, limits: ZipLimits = DEFAULT_LIMITS) -> Self:
        """Opens a file; use as a context manager. Raises OSError when it cannot be opened."""
        stream = path.open("rb")
        try:
            container = cls(stream, limits)
        except BaseException:
            stream.close()
            raise
        container._opened = stream
        return container

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.close()

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of an entry; raises KeyError when there is none by that name, and
        `UnsafeContainerError` at the latest at its end when size or CRC-32 are not as declared."""
        entry = self.entries[name]
        size, crc = 0, 0
        for chunk in self._unpacked(entry):
            size += len(chunk)
            if size > entry.size:
                _refuse(f"{_quoted(name)} unpacks to more than the declared {entry.size} bytes")
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if size != entry.size:
            _refuse(f"{_quoted(name)} unpacks to {size} bytes, not to the declared {entry.size}")
        if crc != entry.crc:
            _refuse(f"{_quoted(name)} does not have its CRC-32")

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """The whole content of a small entry; raises KeyError and `UnsafeContainerError`."""
        if self.entries[name].size > max_bytes:
            _refuse(f"{_quoted(name)} has more than {max_bytes} bytes")
        return b"".join(self.chunks(name))

    def _packed(self, entry: ZipEntry) -> Iterator[bytes]:
        position, left = entry.data_offset, entry.packed
        while left:
            self._stream.seek(position)
            chunk = self._stream.read(min(CHUNK, left))
            if not chunk:
                _refuse(f"the container ends within {_quoted(entry.name)}")
            position, left = position + len(chunk), left - len(chunk)
            yield chunk

    def _unpacked(self, entry: ZipEntry) -> Iterator[bytes]:
        if entry.method == layout.STORED:
            yield from self._packed(entry)
            return
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for packed in self._packed(entry):
                rest = packed
                while rest and not unpacker.eof:
                    chunk = unpacker.decompress(rest, CHUNK)
                    if chunk:
                        yield chunk
                    rest = unpacker.unconsumed_tail
                if unpacker.eof and (rest or unpacker.unused_data):
                    break
            while not unpacker.eof and (chunk := unpacker.decompress(b"", CHUNK)):
                yield chunk
        except zlib.error as error:
            raise UnsafeContainerError(f"{_quoted(entry.name)} cannot be unpacked: {error}") from error
        if not unpacker.eof or unpacker.unused_data:
            _refuse(f"the packed bytes of {_quoted(entry.name)} do not end where declared")


# -- structure --------------------------------------------------------------------------------


def _read_directory(stream: BinaryIO, limits: ZipLimits) -> tuple[list[_Header], int]:
    """All central headers and the offset of the first, with every end record checked."""
    end = _end_record(stream, limits)
    _, disk, directory_disk, here, count, size, start, _ = layout.END.unpack(_at(stream, end, layout.END.size))
    if disk or directory_disk:
        _refuse("the ZIP file is split over several disks")
    boundary = end
    locator = end - layout.END64_LOCATOR.size
    if locator >= 0 and _at(stream, locator, 4) == layout.END64_LOCATOR_SIGNATURE.to_bytes(4, "little"):
        here, count, size, start, boundary = _read_zip64_end(stream, locator, (here, count, size, start))
    if here != count:
        _refuse("the end record contradicts itself about the number of entries")
    if start + size != boundary:
        _refuse("the central directory does not reach from its offset to the end record")
    if count > limits.entries or size > limits.directory:
        _refuse(f"more than {limits.entries} entries or {limits.directory} bytes of central directory")
    return _parse_directory(_at(stream, start, size), count, start, limits), start


def _end_record(stream: BinaryIO, limits: ZipLimits) -> int:
    """Where the end record lies: with its comment it fills the rest of the file, and no other place does."""
    stream.seek(0, 2)
    size = stream.tell()
    if size < layout.END.size:
        _refuse("the file is too short for a ZIP file")
    longest = layout.END.size + (layout.MAX16 if limits.comments else 0)
    tail = _at(stream, max(0, size - longest), min(size, longest))
    mark = layout.END_SIGNATURE.to_bytes(4, "little")
    found = []
    position = tail.find(mark)
    while 0 <= position <= len(tail) - layout.END.size:
        comment = int.from_bytes(tail[position + layout.END.size - 2 : position + layout.END.size], "little")
        if position + layout.END.size + comment == len(tail):
            found.append(size - len(tail) + position)
        position = tail.find(mark, position + 1)
    if not found:
        _refuse(
            f"the file does not end in the end record of a ZIP file{'' if limits.comments else ' without a comment'}"
        )
    if len(found) > 1:
        _refuse("the file has several end records")
    return found[0]


def _read_zip64_end(stream: BinaryIO, locator: int, told: tuple[int, int, int, int]) -> tuple[int, int, int, int, int]:
    _, disk, offset, disks = layout.END64_LOCATOR.unpack(_at(stream, locator, layout.END64_LOCATOR.size))
    if disk or disks > 1 or offset + layout.END64.size != locator:
        _refuse("the ZIP64 end record is not where its locator says")
    signature, rest, _, _, own_disk, directory_disk, here, count, size, start = layout.END64.unpack(
        _at(stream, offset, layout.END64.size)
    )
    if signature != layout.END64_SIGNATURE or rest != layout.END64.size - 12 or own_disk or directory_disk:
        _refuse("the ZIP64 end record is malformed")
    limits = (layout.MAX16, layout.MAX16, layout.MAX32, layout.MAX32)
    for short, long, unset in zip(told, (here, count, size, start), limits, strict=True):
        if short not in (long, unset):
            _refuse("the end records contradict each other")
    return here, count, size, start, offset


def _parse_directory(directory: bytes, count: int, start: int, limits: ZipLimits) -> list[_Header]:
    headers, position, total = [], 0, 0
    for _ in range(count):
        if position + layout.CENTRAL.size > len(directory):
            _refuse("the central directory holds fewer entries than the end record says")
        fields = layout.CENTRAL.unpack_from(directory, position)
        signature, _, needed, flags, method, time, date, crc, packed, size = fields[:10]
        name_length, extra_length, comment_length, disk, _, attributes, offset = fields[10:]
        body = position + layout.CENTRAL.size
        position = body + name_length + extra_length + comment_length
        if signature != layout.CENTRAL_SIGNATURE or position > len(directory):
            _refuse("the central directory is malformed")
        if comment_length and not limits.comments:
            _refuse("the central directory has comments")
        name = directory[body : body + name_length]
        if needed & 0xFF > layout.NEWEST_VERSION:
            _refuse(f"{_shown(name)} needs a newer version of the ZIP format")
        extras = _extras(directory[body + name_length : body + name_length + extra_length], name)
        size, packed, offset, disk = _zip64_values(extras, name, (size, packed, offset, disk))
        header = _Header(name, flags, method, (time, date), crc, packed, size, offset)
        _check_header(header, attributes, disk, start, limits)
        total += size
        headers.append(header)
    if position != len(directory):
        _refuse("the central directory holds more than the end record says")
    if total > limits.total_size:
        _refuse(f"the entries unpack to more than {limits.total_size} bytes")
    return headers


def _check_header(header: _Header, attributes: int, disk: int, start: int, limits: ZipLimits) -> None:
    shown = _shown(header.raw_name)
    if header.flags & _REFUSED_FLAGS:
        _refuse(f"{shown} is encrypted")
    if header.method not in (layout.STORED, layout.DEFLATED):
        _refuse(f"{shown} is packed by method {header.method}; only stored and deflated are read")
    kind = stat.S_IFMT(attributes >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > header.folder:
        _refuse(f"{shown} is a link or another special file")
    if disk or header.offset >= start:
        _refuse(f"{shown} lies outside of this file")
    if header.method == layout.STORED and header.packed != header.size:
        _refuse(f"{shown} is stored, but its sizes differ")
    if header.folder and (header.size or header.packed > 2):
        _refuse(f"the folder {shown} has content")
    if header.size > limits.entry_size:
        _refuse(f"{shown} has more than {limits.entry_size} bytes")
    if header.size > max(_RATIO_FREE, header.packed * limits.ratio):
        _refuse(f"{shown} unpacks to more than {limits.ratio} times its packed size")


def _read_local(stream: BinaryIO, header: _Header, directory_start: int) -> tuple[ZipEntry, int]:
    """Compare the local header with the central one; gives the entry and where the next begins."""
    shown = _shown(header.raw_name)
    fields = layout.LOCAL.unpack(_at(stream, header.offset, layout.LOCAL.size))
    signature, _, flags, method, time, date, crc, packed, size, name_length, extra_length = fields
    after = header.offset + layout.LOCAL.size
    if signature != layout.LOCAL_SIGNATURE or after + name_length + extra_length > directory_start:
        _refuse(f"there is no local header for {shown}")
    variable = _at(stream, after, name_length + extra_length)
    name = variable[:name_length]
    extras = _extras(variable[name_length:], name)
    size, packed, _, _ = _zip64_values(extras, name, (size, packed, 0, 0))
    if (name, flags, method, (time, date)) != (header.raw_name, header.flags, header.method, header.stamp):
        _refuse(f"local and central header of {shown} contradict each other")
    data = after + name_length + extra_length
    end = data + header.packed
    numbers, expected = (crc, packed, size), (header.crc, header.packed, header.size)
    if flags & layout.DESCRIPTOR:
        if any(number not in (0, right) for number, right in zip(numbers, expected, strict=True)):
            _refuse(f"local and central header of {shown} contradict each other")
        end = _after_descriptor(stream, end, expected, zip64=layout.ZIP64_EXTRA in extras, limit=directory_start)
    elif numbers != expected:
        _refuse(f"local and central header of {shown} contradict each other")
    if end > directory_start:
        _refuse(f"the content of {shown} runs into the central directory")
    return (
        ZipEntry(_decoded(header), header.method, header.size, header.packed, header.crc, data),
        end,
    )


def _after_descriptor(stream: BinaryIO, offset: int, expected: tuple[int, int, int], *, zip64: bool, limit: int) -> int:
    """Where the data descriptor (4.3.9) ends; it must repeat the central header's numbers."""
    crc, packed, size = expected
    widths = (8,) if zip64 else (4, 8)
    for width in widths:
        if max(packed, size) >= 1 << (8 * width):
            continue
        body = crc.to_bytes(4, "little") + packed.to_bytes(width, "little") + size.to_bytes(width, "little")
        for form in (layout.DESCRIPTOR_SIGNATURE.to_bytes(4, "little") + body, body):
            if offset + len(form) <= limit and _at(stream, offset, len(form)) == form:
                return offset + len(form)
    raise UnsafeContainerError("a data descriptor contradicts the central directory")


def _extras(data: bytes, name: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    position = 0
    while position < len(data):
        if position + 4 > len(data):
            _refuse(f"the extra fields of {_shown(name)} are malformed")
        kind = int.from_bytes(data[position : position + 2], "little")
        length = int.from_bytes(data[position + 2 : position + 4], "little")
        position += 4 + length
        if position > len(data) or kind in fields:
            _refuse(f"the extra fields of {_shown(name)} are malformed")
        if kind in _REFUSED_EXTRAS:
            _refuse(f"{_shown(name)} has {_REFUSED_EXTRAS[kind]}")
        fields[kind] = data[position - length : position]
    return fields


def _zip64_values(extras: dict[int, bytes], name: bytes, told: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Size, packed size, offset and disk with the ZIP64 extra field (4.5.3) put in: it holds exactly
    those that do not fit."""
    widths = (8, 8, 8, 4)
    unset = (layout.MAX32, layout.MAX32, layout.MAX32, layout.MAX16)
    data = extras.get(layout.ZIP64_EXTRA, b"")
    values, position = list(told), 0
    for index, (value, width) in enumerate(zip(told, widths, strict=True)):
        if value != unset[index]:
            continue
        if position + width > len(data):
            _refuse(f"{_shown(name)} lacks its ZIP64 sizes")
        values[index] = int.from_bytes(data[position : position + width], "little")
        position += width
    if position != len(data):
        _refuse(f"the ZIP64 sizes of {_shown(name)} are malformed")
    return values[0], values[1], values[2], values[3]


def _check_names(headers: list[_Header]) -> None:
    files = []
    try:
        for header in headers:
            name = _decoded(header)
            verify_path(name.removesuffix("/") if header.folder else name)
            if not header.folder:
                files.append(name)
        verify_distinct(files)
        if len({header.raw_name for header in headers}) != len(headers):
            _refuse("a name occurs twice")
    except NameNotAcceptedError as error:
        raise UnsafeContainerError(str(error)) from error


def _decoded(header: _Header) -> str:
    """The name as text: UTF-8 where the flag says so, else ASCII; an older code page is a guess and
    is refused."""
    try:
        return header.raw_name.decode("utf-8" if header.flags & layout.UTF8 else "ascii")
    except UnicodeDecodeError:
        _refuse(f"the name {_shown(header.raw_name)} is not in UTF-8")


def _at(stream: BinaryIO, offset: int, length: int) -> bytes:
    if offset < 0:
        _refuse("an offset lies outside of the file")
    stream.seek(offset)
    data = stream.read(length)
    if len(data) != length:
        _refuse("an offset or length lies outside of the file")
    return data


def _shown(name: bytes) -> str:
    return ascii(name[:80].decode("utf-8", "replace"))


def _quoted(name: str) -> str:
    return ascii(name[:80])


def _refuse(message: str) -> NoReturn:
    raise UnsafeContainerError(message)
