"""What a file may be, by its first octets, before any process is started for it.

Rules kept here
 * Whatever one of the examiners may recognise is named here: a file of which nothing is named is of no format that is
   known, whoever looks. That costs no library and microseconds.
"""

from __future__ import annotations

import re

HEAD = 4096
"""Octets that are looked at, as many as `registry` looks at."""

_BLANKS = b" \t\r\n\x0b\x0c"
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff", b"\xff\xfe", b"\xfe\xff")
_ARMOUR = (b"-----BEGIN CMS", b"-----BEGIN PKCS", b"-----BEGIN TIMESTAMP", b"-----BEGIN TS")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]+")
_COMPACT = re.compile(rb"\s*eyJ")


def may_be(head: bytes) -> tuple[str, ...]:
    """The formats (of `policies.examination.FORMATS`) that a file may have which begins with these octets."""
    found = []
    if b"%PDF-" in head:
        found.append("PDF")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        found.append("ASiC")
    bare = _unmarked(head)
    if bare.replace(b"\0", b"").lstrip(_BLANKS).startswith(b"<"):
        found.append("XML")
    if bare.lstrip(_BLANKS).startswith((b"{", b"[")) or _COMPACT.match(head):
        found.append("JSON")
    begin = head.lstrip()[:64]
    armoured = begin.startswith(_ARMOUR) or (begin[:2] in (b"MI", b"MH") and _BASE64.fullmatch(head) is not None)
    if armoured or head[:1] == b"\x30":
        found.append("CMS")
    return tuple(found)


def _unmarked(head: bytes) -> bytes:
    for mark in _MARKS:
        head = head.removeprefix(mark)
    return head
