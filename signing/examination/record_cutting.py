"""Cutting evidence records out of a CMS message, as whoever made them saw it (RFC 4998 A.1, A.2).

Rules kept here
 * The attribute's values go, lengths on the way to them are put right, and no other octet is touched: what was sent
   with indefinite lengths keeps them. Some programs hash the definite form of that instead, so both are given.
 * Where no unsigned attribute is left, the set is either absent or empty: both are given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from signing import ber
from signing.judgement import PARSER_ERRORS


@dataclass(frozen=True, slots=True)
class _Part:
    """An element whose length may be indefinite: its identifier octet, all its octets, and those of its contents
    without the two that end an indefinite one."""

    tag: int
    raw: bytes
    contents: bytes
    indefinite: bool

    def holding(self, contents: bytes) -> bytes:
        """The same with other contents, in the same form."""
        if self.indefinite:
            return bytes([self.tag]) + b"\x80" + contents + b"\0\0"
        return ber.tagged(self.tag, contents)

    def parts(self) -> list[_Part]:
        found, rest = [], self.contents
        while rest:
            raw, rest = ber.first_element(rest)
            found.append(_part(raw))
        return found


def _part(raw: bytes) -> _Part:
    tag, start, length = ber.read_header(raw, 0, len(raw))
    if length is None:
        return _Part(tag, raw, raw[start:-2], True)
    return _Part(tag, raw, raw[start : start + length], False)


def without_records(message: bytes, index: int, dropped: set[bytes]) -> list[bytes]:
    """The message (a ContentInfo as sent) without these values among the unsigned attributes of the signer with this
    index, in every form in which they may have been hashed. Unchanged where it cannot be taken apart."""
    try:
        made = list(_cut(_part(message), index, dropped))
        return list(dict.fromkeys([*made, *map(ber.definite, made)]))
    except PARSER_ERRORS:
        return [message]


def _cut(message: _Part, index: int, dropped: set[bytes]) -> Iterator[bytes]:
    kind, wrapped = message.parts()
    (signed,) = wrapped.parts()
    *fields, signers = signed.parts()
    infos = signers.parts()
    before = b"".join(field.raw for field in fields)
    for form in _signer(infos[index], dropped):
        all_infos = b"".join(form if number == index else info.raw for number, info in enumerate(infos))
        body = signed.holding(before + signers.holding(all_infos))
        yield message.holding(kind.raw + wrapped.holding(body))


def _signer(info: _Part, dropped: set[bytes]) -> Iterator[bytes]:
    *fields, unsigned = info.parts()
    kept = b"".join(_attribute(attribute, dropped) for attribute in unsigned.parts())
    before = b"".join(field.raw for field in fields)
    if not kept:
        yield info.holding(before)
    yield info.holding(before + unsigned.holding(kept))


def _attribute(attribute: _Part, dropped: set[bytes]) -> bytes:
    oid, values = attribute.parts()
    there = values.parts()
    left = [value.raw for value in there if ber.definite(value.raw) not in dropped]
    if len(left) == len(there):
        return attribute.raw
    return attribute.holding(oid.raw + values.holding(b"".join(left))) if left else b""
