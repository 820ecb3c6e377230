"""JSON web signatures (JWS, RFC 7515) and JAdES (ETSI TS 119 182-1): recognised, named, and not examined.

Rules kept here
 * No well-kept library judges JAdES (signed data by `sigD`, time-stamps and validation data in `etsiU`), so nothing
   is said of such signatures but that they are there: "not examined", never "no signatures".
 * JSON without the members of a JWS has no signatures, and is examined.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from datetime import datetime

from signing.examination.documents import Document, TooLargeError
from signing.examination.trust import ExaminationTrust
from signing.examination.values import DocumentFormat, Examination, not_examined

MAX_JSON = 64 * 1024 * 1024
MAX_DEPTH = 100
_PART = rb"[A-Za-z0-9_-]+"
_COMPACT = re.compile(rb"\s*(?P<header>" + _PART + rb")\.[A-Za-z0-9_-]*\.(?P<value>" + _PART + rb")\s*")
_BEGINNING = re.compile(rb"\s*(?P<header>eyJ[A-Za-z0-9_-]*)")
_BLANKS = b" \t\r\n"


def recognises(head: bytes) -> bool:
    """A JSON object or array, or the compact form, which begins with an encoded `{"`."""
    stripped = head.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANKS)
    return stripped.startswith((b"{", b"[")) or _BEGINNING.match(head) is not None


def examine(document: Document, *, detached: Sequence[Document], trust: ExaminationTrust, at: datetime) -> Examination:
    """Says whether it is a JWS; `detached` and `trust` are asked by nobody."""
    try:
        octets = document.read(MAX_JSON)
        signed = _is_compact(octets) or _has_signature(octets)
    except (TooLargeError, ValueError, RecursionError) as error:
        reason = f"not examined: no JSON that is read: {error}"
        return not_examined(document.name, DocumentFormat.JSON, reason, at=at, size=document.size)
    if signed:
        reason = "not examined: a JSON web signature (JWS, JAdES)"
        return not_examined(document.name, DocumentFormat.JSON, reason, at=at, size=document.size)
    digest = document.digest("sha256").hex()
    return Examination(document.name, DocumentFormat.JSON, True, at, size=document.size, sha256=digest)


def _is_compact(octets: bytes) -> bool:
    """RFC 7515 7.1: header, payload (empty when detached) and value, the header an object with `alg`."""
    match = _COMPACT.fullmatch(octets)
    if match is None:
        return False
    header = match["header"]
    try:
        decoded = json.loads(base64.urlsafe_b64decode(header + b"=" * (-len(header) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(decoded, dict) and "alg" in decoded


def _has_signature(octets: bytes) -> bool:
    """RFC 7515 7.2, anywhere in the document: `signatures`, or `signature` beside a header."""
    waiting = [(json.loads(octets.decode("utf-8-sig")), 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
        if isinstance(value, dict):
            if _is_jws(value):
                return True
            waiting += [(one, depth + 1) for one in value.values()]
        elif isinstance(value, list):
            waiting += [(one, depth + 1) for one in value]
    return False


def _is_jws(value: dict[str, object]) -> bool:
    one = isinstance(value.get("signature"), str) and ("protected" in value or "header" in value)
    return one or (isinstance(value.get("signatures"), list) and "payload" in value)
