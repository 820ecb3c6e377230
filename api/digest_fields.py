"""Digest fields of RFC 9530: `Content-Digest` and `Repr-Digest`, as RFC 8941 dictionaries.

Rules kept here
 * Active algorithms only: `sha-512` and `sha-256` (RFC 9530 7.2). Members of other algorithms may be
   ignored (RFC 9530 2), but a field in which nothing can be checked is refused, because a claim that
   nobody checks protects nobody.
 * A value that is not a byte sequence of the algorithm's length is refused, never skipped.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping

from archive_core.digests import Digest, digest_size
from archive_core.errors import UsageError

ALGORITHMS = {"sha-512": "sha512", "sha-256": "sha256"}
"""The names of RFC 9530 to ours."""

_MEMBER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):\s*", re.ASCII)
_MAX_FIELD = 2048


def parse_digest_field(text: str) -> dict[str, str]:
    """Our algorithm name to lower-case hex for each active member; raises `UsageError`."""
    if len(text) > _MAX_FIELD:
        raise UsageError(f"a digest field has at most {_MAX_FIELD} characters")
    found: dict[str, str] = {}
    for member in text.split(","):
        match = _MEMBER.fullmatch(member)
        if not match:
            raise UsageError("a digest field is written sha-512=:BASE64:, after RFC 9530", field=text[:80])
        name = ALGORITHMS.get(match[1])
        if name is not None:
            found[name] = _value(name, match[2]).hex()
    if not found:
        raise UsageError("the digest field names no algorithm that is checked here", known=sorted(ALGORITHMS))
    return found


def _value(name: str, text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise UsageError(f"the {name} digest is not base64") from None
    if len(value) != digest_size(name):
        raise UsageError(f"a {name} digest has {digest_size(name)} bytes, not {len(value)}")
    return value


def merge_claims(claims: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """All claims about the same bytes as one; raises `UsageError` when two contradict each other."""
    merged: dict[str, str] = {}
    for claim in claims:
        for name, value in claim.items():
            if merged.setdefault(name, value.lower()) != value.lower():
                raise UsageError(f"two different {name} digests are claimed for the same bytes")
    return merged


def write_digest_field(*digests: Digest) -> str:
    """The field value for digests of active algorithms; raises KeyError for any other."""
    names = {ours: theirs for theirs, ours in ALGORITHMS.items()}
    return ", ".join(f"{names[d.algorithm]}=:{base64.b64encode(d.value).decode('ascii')}:" for d in digests)
