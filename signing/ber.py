"""A first look at foreign BER: bounded, iterative, before any parser that recurses or is lazy.

Rules kept here
 * Nothing is read beyond the buffer; depth, number of elements and size have limits.
 * One element fills the buffer exactly: what trails it is refused, not ignored.
 * Octets that were signed are never re-encoded. Only a token in indefinite-length form is brought to
   definite lengths (`definite`), because its signature covers the DER form (RFC 5652 5.4); order of
   sets and all primitive contents stay as sent.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_SIZE = 16 * 1024 * 1024
"""Bytes of a token or seal. Tokens with several complete CRLs inside stay below."""
MAX_DEPTH = 40
MAX_ELEMENTS = 300_000
"""Elements of a token or seal: room for revocation lists with tens of thousands of entries."""
MAX_LIST_ELEMENTS = 2_000_000
"""Elements of a revocation list that stands by itself."""

_STRING_TAGS = frozenset({3, 4, 12, 18, 19, 20, 21, 22, 25, 26, 27, 28, 30})
"""Universal types that BER allows in constructed form."""


class BerError(ValueError):
    """The octets are not one BER element within the limits."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a scan saw."""

    elements: int
    depth: int
    indefinite: bool
    constructed_strings: bool

    @property
    def needs_definite_form(self) -> bool:
        return self.indefinite or self.constructed_strings


def scan(data: bytes, *, max_size: int = MAX_SIZE, max_elements: int = MAX_ELEMENTS) -> Shape:
    """Walk every element once; raises `BerError`. Linear in the size, bounded in depth and number."""
    size = len(data)
    if size > max_size:
        raise BerError(f"{size} bytes are more than the limit of {max_size}")
    ends: list[int | None] = []  # of the open elements; None: ended by end-of-contents octets
    limits = [size]  # where the innermost definite-length element around ends
    position = elements = deepest = 0
    indefinite = constructed_strings = False
    while ends or not elements:
        if ends and (ends[-1] == position or (ends[-1] is None and data[position : position + 2] == b"\0\0")):
            position += 0 if ends.pop() is not None else 2
            limits.pop()
            continue
        first, header_end, length = read_header(data, position, limits[-1])
        elements += 1
        if elements > max_elements:
            raise BerError(f"more than {max_elements} elements")
        if not first & 0x20:
            if length is None:
                raise BerError(f"primitive element with indefinite length at octet {position}")
            position = header_end + length
            continue
        constructed_strings |= first & 0xC0 == 0 and first & 0x1F in _STRING_TAGS
        indefinite |= length is None
        ends.append(None if length is None else header_end + length)
        limits.append(limits[-1] if length is None else header_end + length)
        if len(ends) > MAX_DEPTH:
            raise BerError(f"nested more than {MAX_DEPTH} deep")
        deepest = max(deepest, len(ends))
        position = header_end
    if position != size:
        raise BerError(f"{size - position} octets after the end of the element")
    return Shape(elements, deepest, indefinite, constructed_strings)


def read_header(data: bytes, position: int, limit: int) -> tuple[int, int, int | None]:
    """(identifier octet, where the contents begin, their length or None when indefinite)."""
    start = position
    if position + 2 <= limit and data[position] & 0x1F != 0x1F and data[position + 1] < 0x80:  # nearly always
        if position + 2 + data[position + 1] > limit:
            raise BerError(f"element at octet {start} reaches beyond what holds it")
        return data[position], position + 2, data[position + 1]
    if position + 2 > limit:
        raise BerError(f"element cut off at octet {start}")
    first = data[position]
    position += 1
    if first & 0x1F == 0x1F:
        for _ in range(4):
            if position >= limit:
                raise BerError(f"element cut off at octet {start}")
            position += 1
            if not data[position - 1] & 0x80:
                break
        else:
            raise BerError(f"tag number too large at octet {start}")
    if position >= limit:
        raise BerError(f"element cut off at octet {start}")
    octet = data[position]
    position += 1
    if octet < 0x80:
        length: int | None = octet
    elif octet == 0x80:
        length = None
    else:
        count = octet & 0x7F
        if count > 8 or position + count > limit:
            raise BerError(f"length too large at octet {start}")
        length = int.from_bytes(data[position : position + count], "big")
        position += count
    if length is not None and position + length > limit:
        raise BerError(f"element at octet {start} reaches beyond what holds it")
    return first, position, length


def first_element(data: bytes) -> tuple[bytes, bytes]:
    """The first element's octets and what follows them; raises `BerError`. Elements of indefinite length are
    walked through without recursion."""
    position, open_ends = 0, 0
    while True:
        if open_ends and data[position : position + 2] == b"\0\0":
            position, open_ends = position + 2, open_ends - 1
        else:
            _, start, length = read_header(data, position, len(data))
            position = start + (length or 0)
            open_ends += length is None
        if not open_ends:
            return data[:position], data[position:]


def definite(data: bytes) -> bytes:
    """The same element with definite, minimal lengths and strings in one piece.

    `data` must have passed `scan`, which bounds the recursion.
    """
    encoded, _ = _definite(data, 0, len(data))
    return encoded


def _definite(data: bytes, position: int, limit: int) -> tuple[bytes, int]:
    first, header_end, length = read_header(data, position, limit)
    tag = data[position : position + 1] if first & 0x1F != 0x1F else _long_tag(data, position)
    if not first & 0x20:
        end = header_end + (length or 0)
        return tag + _length(length or 0) + data[header_end:end], end
    parts: list[bytes] = []
    end = header_end
    stop = limit if length is None else header_end + length
    while end < stop and not (length is None and data[end : end + 2] == b"\0\0"):
        part, end = _definite(data, end, stop)
        parts.append(part)
    if length is None:
        end += 2
    if first & 0xC0 == 0 and first & 0x1F in _STRING_TAGS:
        return _joined_string(first, parts), end
    contents = b"".join(parts)
    return tag + _length(len(contents)) + contents, end


def _joined_string(first: int, parts: list[bytes]) -> bytes:
    """One primitive string from its already definite segments."""
    contents = [part[read_header(part, 0, len(part))[1] :] for part in parts]
    if first & 0x1F == 3 and contents:  # a bit string: every segment begins with its unused-bits octet
        joined = contents[-1][:1] + b"".join(segment[1:] for segment in contents)
    else:
        joined = b"".join(contents)
    return bytes([first & ~0x20]) + _length(len(joined)) + joined


def _long_tag(data: bytes, position: int) -> bytes:
    end = position + 1
    while data[end] & 0x80:
        end += 1
    return data[position : end + 1]


def _length(length: int) -> bytes:
    if length < 0x80:
        return bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def tagged(tag: int, contents: bytes) -> bytes:
    """A definite-length element around contents that stay as they are."""
    return bytes([tag]) + _length(len(contents)) + contents


@dataclass(frozen=True, slots=True)
class Element:
    """One definite-length element: its identifier octet, all its octets, and its contents."""

    tag: int
    raw: bytes
    contents: bytes


def element(data: bytes, position: int = 0) -> Element:
    """The definite-length element that begins at a position; raises `BerError`."""
    first, start, length = read_header(data, position, len(data))
    if length is None:
        raise BerError("indefinite length where a definite one is needed")
    return Element(first, data[position : start + length], data[start : start + length])


def children(contents: bytes) -> list[Element]:
    """The elements that fill the contents of a constructed element."""
    found: list[Element] = []
    position = 0
    while position < len(contents):
        found.append(element(contents, position))
        position += len(found[-1].raw)
    return found
