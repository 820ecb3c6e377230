"""A small, bounded reader of DER: what hostile bytes meet first.

Rules kept here
 * Only definite lengths in their shortest form (X.690 10.1) and tag numbers below 31 are read; all
   else raises `MalformedEvidenceError` at the offset where it stands.
 * Nothing is copied before it is asked for and nothing is followed by recursion: time is linear in
   the number of elements, memory in the depth.
 * Octets are sliced out of what was received. Nothing is ever encoded again from a parsed form,
   because time-stamp renewal covers the octets as they came (RFC 4998 5.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archive_core.errors import MalformedEvidenceError

INTEGER, OCTET_STRING, OID, GENERALIZED_TIME = 0x02, 0x04, 0x06, 0x18
SEQUENCE, SET = 0x30, 0x31
CONSTRUCTED = 0x20

_LONG_TAG = 0x1F
_MAX_LENGTH_OCTETS = 4
_MAX_OID_OCTETS = 64


def context(number: int, *, constructed: bool = True) -> int:
    """The identifier octet of a context-specific tag."""
    return 0x80 | (CONSTRUCTED if constructed else 0) | number


@dataclass(frozen=True, slots=True)
class Element:
    """One TLV inside `data`: identifier octet and the offsets of header, content and end."""

    data: bytes
    tag: int
    start: int
    body: int
    end: int

    @property
    def raw(self) -> bytes:
        """The complete TLV as received."""
        return self.data[self.start : self.end]

    @property
    def content(self) -> bytes:
        return self.data[self.body : self.end]

    def __len__(self) -> int:
        return self.end - self.body


def wrap(tag: int, *contents: bytes) -> bytes:
    """The octets of an element with that identifier octet around contents that are not touched."""
    body = b"".join(contents)
    length = len(body)
    if length < 0x80:
        return bytes([tag, length]) + body
    octets = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | octets]) + length.to_bytes(octets) + body


def malformed(message: str, offset: int) -> MalformedEvidenceError:
    return MalformedEvidenceError(f"{message} (at offset {offset})", offset=offset)


def read_element(data: bytes, start: int, limit: int, *, minimal: bool = True) -> Element:
    """The element at `start`, which must end at or before `limit`.

    With `minimal=False` a definite length may be longer than needed (BER, X.690 8.1.3.5): inside a
    token that somebody else encoded this changes nothing for us.
    """
    if start + 2 > limit:
        raise malformed("the data ends inside a header", start)
    tag = data[start]
    if tag & _LONG_TAG == _LONG_TAG:
        raise malformed("a tag number above 30 has no place here", start)
    length, body = data[start + 1], start + 2
    if length & 0x80:
        octets = length & 0x7F
        if octets == 0:
            raise malformed("an indefinite length is not DER", start)
        if octets > _MAX_LENGTH_OCTETS or body + octets > limit:
            raise malformed("a length is too long", start)
        length = int.from_bytes(data[body : body + octets])
        body += octets
        if minimal and (length < 0x80 or length < 1 << (8 * (octets - 1))):
            raise malformed("a length is not in its shortest form", start)
    if body + length > limit:
        raise malformed("an element is longer than what holds it", start)
    return Element(data, tag, start, body, body + length)


def read_only_element(data: bytes, *, minimal: bool = True) -> Element:
    """The one element that the data consist of; nothing may follow it."""
    element = read_element(data, 0, len(data), minimal=minimal)
    if element.end != len(data):
        raise malformed("there is something after the end", element.end)
    return element


def children(element: Element, *, most: int, minimal: bool = True) -> Iterator[Element]:
    """The elements inside a constructed element, at most `most` of them."""
    if not element.tag & CONSTRUCTED:
        raise malformed("a constructed element was expected", element.start)
    offset, count = element.body, 0
    while offset < element.end:
        count += 1
        if count > most:
            raise malformed(f"more than {most} elements in one place", element.start)
        child = read_element(element.data, offset, element.end, minimal=minimal)
        yield child
        offset = child.end


def short_strings(element: Element, *, longest: int, most: int) -> Iterator[bytes]:
    """The contents of the OCTET STRINGs that a SEQUENCE OF consists of, each of 1 to `longest`
    octets (below 128), at most `most` of them: the hot loop of reading hash lists."""
    data, offset, end = element.data, element.body, element.end
    for _ in range(most):
        if offset == end:
            return
        if offset + 2 > end or data[offset] != OCTET_STRING or not 0 < data[offset + 1] <= longest:
            raise malformed(f"an OCTET STRING of 1 to {longest} octets was expected", offset)
        begin, offset = offset + 2, offset + 2 + data[offset + 1]
        if offset > end:
            raise malformed("an element is longer than what holds it", begin)
        yield data[begin:offset]
    if offset != end:
        raise malformed(f"more than {most} elements in one place", element.start)


def expect(element: Element | None, tag: int, what: str, *, after: Element) -> Element:
    """The element itself when it has that tag; otherwise raises naming what was expected."""
    if element is None:
        raise malformed(f"{what} is missing", after.end)
    if element.tag != tag:
        raise malformed(f"{what} was expected", element.start)
    return element


def check_walkable(root: Element, *, depth: int, elements: int, minimal: bool = False) -> None:
    """Walk everything below `root`; raises when it is nested deeper than `depth` or has more than
    `elements` elements, or when a length does not fit. Primitive contents are not looked at."""
    ends, offset, count = [root.end], root.body, 0
    if not root.tag & CONSTRUCTED:
        return
    while ends:
        if offset == ends[-1]:
            ends.pop()
            continue
        count += 1
        if count > elements:
            raise malformed(f"more than {elements} elements", root.start)
        element = read_element(root.data, offset, ends[-1], minimal=minimal)
        if element.tag & CONSTRUCTED:
            if len(ends) >= depth:
                raise malformed(f"nested deeper than {depth}", element.start)
            ends.append(element.end)
            offset = element.body
        else:
            offset = element.end


def integer(element: Element) -> int:
    """A (small) INTEGER in its shortest form."""
    content = element.content
    if not 0 < len(content) <= 32:
        raise malformed("an INTEGER of 1 to 32 octets was expected", element.start)
    if len(content) > 1 and (content[0] == 0) == (content[1] < 0x80) and content[0] in (0x00, 0xFF):
        raise malformed("an INTEGER is not in its shortest form", element.start)
    return int.from_bytes(content, signed=True)


def oid(element: Element) -> str:
    """An OBJECT IDENTIFIER in dotted form (X.690 8.19)."""
    content = element.content
    if not 0 < len(content) <= _MAX_OID_OCTETS or content[-1] & 0x80:
        raise malformed("an OBJECT IDENTIFIER is empty, too long or unfinished", element.start)
    arcs, value, fresh = [], 0, True
    for octet in content:
        if fresh and octet == 0x80:
            raise malformed("an OBJECT IDENTIFIER is not in its shortest form", element.start)
        value, fresh = (value << 7) | (octet & 0x7F), not octet & 0x80
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))
