"""The octets that a PDF signature covers, and the hole in which it stands (ISO 32000-2 12.8.1, EN 319 142-1 5.5).

Rules kept here
 * A ByteRange is four whole numbers: from the first octet to the hole, from its end on. The hole is exactly the
   hexadecimal string of /Contents with its angle brackets; anything else hidden in it is covered by nobody.
 * Files are mapped, digests taken in pieces: a large PDF is not held in memory.
 * Signature dictionaries are also looked for in the raw octets: none can be valid without standing there in clear,
   so that a broken cross-reference table hides no signature.
"""

from __future__ import annotations

import binascii
import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archive_core.digests import new_hasher

MAX_CONTENTS = 32 * 1024 * 1024
"""Octets of the hexadecimal string of one signature."""
MAX_FOUND = 500
_PIECE = 1024 * 1024
_BYTE_RANGE = re.compile(rb"/ByteRange\s{0,64}\[([^\]]{1,400})\]")
_NUMBER = re.compile(rb"[+-]?\d{1,20}")
_SPACE = re.compile(rb"[\0\t\n\f\r ]+")

Octets = bytes | mmap.mmap


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`numbers` as they stand in the dictionary, whatever they are."""

    numbers: tuple[int, ...]

    @property
    def hole(self) -> tuple[int, int]:
        """Where the hole begins and ends; only of a range that has no `fault`."""
        return self.numbers[1], self.numbers[2]

    @property
    def end(self) -> int:
        return self.numbers[2] + self.numbers[3] if len(self.numbers) == 4 else 0

    def fault(self, size: int) -> str:
        """Why these are no octets of a file of `size` that a signature can cover; "" when they are."""
        if len(self.numbers) != 4:
            return f"the ByteRange has {len(self.numbers)} numbers, not four"
        start, first, second, last = self.numbers
        if start != 0 or first <= 0 or second <= first or last <= 0:
            return f"the ByteRange {list(self.numbers)} is not a beginning, a hole and an end"
        if self.end > size:
            return f"the ByteRange reaches {self.end - size} octets beyond the end of the file"
        return ""


class Covered:
    """The octets under a ByteRange, as a `Content`."""

    name = "ByteRange"

    def __init__(self, octets: Octets, byte_range: ByteRange) -> None:
        self._octets = octets
        self._range = byte_range
        self._digests: dict[str, bytes] = {}

    def _pieces(self) -> Iterator[bytes]:
        numbers = self._range.numbers
        for begin, length in zip(numbers[::2], numbers[1::2], strict=False):
            end = min(begin + length, len(self._octets))
            for position in range(max(begin, 0), end, _PIECE):
                yield self._octets[position : min(position + _PIECE, end)]

    def digest(self, algorithm: str) -> bytes:
        if algorithm not in self._digests:
            hasher = new_hasher(algorithm)
            for piece in self._pieces():
                hasher.update(piece)
            self._digests[algorithm] = bytes(hasher.digest())
        return self._digests[algorithm]

    def read(self, most: int) -> bytes:
        found = bytearray()
        for piece in self._pieces():
            found += piece
            if len(found) > most:
                raise ValueError(f"more than {most} bytes")
        return bytes(found)


def hole_contents(octets: Octets, byte_range: ByteRange) -> bytes | None:
    """What the hexadecimal string in the hole says; None when the hole is no such string."""
    begin, end = byte_range.hole
    if end - begin > MAX_CONTENTS or octets[begin : begin + 1] != b"<" or octets[end - 1 : end] != b">":
        return None
    text = octets[begin + 1 : end - 1]
    try:
        return binascii.unhexlify(text)
    except ValueError:
        pass
    text = _SPACE.sub(b"", text)
    try:
        return binascii.unhexlify(text + b"0" * (len(text) % 2))
    except ValueError:
        return None


@dataclass(frozen=True)
class RawSignature:
    """A signature dictionary found in the raw octets: where its ByteRange stands, and what its hole says."""

    position: int
    byte_range: ByteRange
    contents: bytes | None = field(repr=False)


def raw_signatures(octets: Octets) -> tuple[list[RawSignature], bool]:
    """Everything that looks like a signature dictionary, and whether that is all of them."""
    found: list[RawSignature] = []
    for match in _BYTE_RANGE.finditer(octets):
        if len(found) >= MAX_FOUND:
            return found, False
        byte_range = ByteRange(tuple(int(number) for number in _NUMBER.findall(match[1])))
        contents = None if byte_range.fault(len(octets)) else hole_contents(octets, byte_range)
        found.append(RawSignature(match.start(), byte_range, contents))
    return found, True


def without_padding(contents: bytes) -> bytes:
    """/Contents is reserved before its length is known, and padded with zero octets."""
    return contents.rstrip(b"\0") or b""


def numbers_of(values: Sequence[object]) -> ByteRange:
    """A ByteRange from a parsed array; what is no whole number makes it faulty."""
    if len(values) > 64 or not all(isinstance(one, int) for one in values):
        return ByteRange(())
    return ByteRange(tuple(int(one) for one in values if isinstance(one, int)))
