"""What lies in the elements of `etsiU`, the unsigned header of a JAdES signature (ETSI TS 119 182-1 5.3, 5.4.3.3).

Rules kept here
 * Octets are base64 in a `val`, or in the text itself. What cannot be read is passed over here, and told where tokens
   and revocation data are read; of everything a bounded number is looked at.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archive_core.ports import ValidationData
from signing.certificates import is_readable

MAX_UNSIGNED = 200
"""Elements, and values in one."""


def tokens_of(container: Any) -> Iterator[bytes]:
    """The RFC 3161 tokens of a tstContainer (5.4.3.3)."""
    listed_ = container.get("tstTokens") if isinstance(container, dict) else None
    for one in listed_[:MAX_UNSIGNED] if isinstance(listed_, list) else []:
        text = one.get("val") if isinstance(one, dict) else None
        yield _octets(text) or b""  # what is no token is told where tokens are read


def material_of(unsigned: Sequence[tuple[str, Any]]) -> ValidationData:
    """`xVals`, `axVals`: certificates; `rVals`, `arVals`: lists and responses (5.3.5)."""
    certificates: list[bytes] = []
    crls: list[bytes] = []
    ocsps: list[bytes] = []
    for name, value in unsigned:
        if name in ("xVals", "axVals") and isinstance(value, list):
            certificates += [_octets(one.get("x509Cert")) for one in value if isinstance(one, dict)]
        elif name in ("rVals", "arVals") and isinstance(value, dict):
            crls += [_octets(one) for one in _listed(value, "crlVals")]
            ocsps += [_octets(one) for one in _listed(value, "ocspVals")]
    return ValidationData(
        tuple(der for der in certificates[:MAX_UNSIGNED] if is_readable(der)),
        tuple(der for der in crls[:MAX_UNSIGNED] if der),
        tuple(der for der in ocsps[:MAX_UNSIGNED] if der),
    )


def _listed(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []


def _octets(value: Any) -> bytes:
    """Base64 of a pkiOb, or of a certificate object around it; empty where there is none."""
    text = value.get("val") if isinstance(value, dict) else value
    if not isinstance(text, str):
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
