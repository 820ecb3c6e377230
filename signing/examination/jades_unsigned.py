"""What lies in `etsiU`, the unsigned header of a JAdES signature (ETSI TS 119 182-1 5.3, 5.4.3.3).

Rules kept here
 * Elements are objects of one member, or base64url of such; time-stamps are over the text as it stands, so that it is
   kept beside what it says, also of an element that cannot be read.
 * Octets are base64 in a `val`, or in the text itself. What cannot be read is passed over here, and told where tokens
   and revocation data are read; of everything a bounded number is looked at.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archive_core.findings import Finding
from archive_core.ports import ValidationData
from signing.certificates import is_readable
from signing.jws import JwsError, decoded, read_json

MAX_UNSIGNED = 200
"""Elements, and values in one."""
_CLAUSE = "TS 119 182-1 5.3.1"


@dataclass(frozen=True, slots=True)
class Element:
    """`name` is empty where the element cannot be read. `text` is its base64url, None where it is a JSON object."""

    name: str
    value: Any
    text: str | None


def elements_of(unprotected: Mapping[str, Any]) -> tuple[tuple[Element, ...], tuple[Finding, ...]]:
    """The elements in their order, and what is wrong with them."""
    listed_ = unprotected.get("etsiU", [])
    if not isinstance(listed_, list):
        return (), (Finding("ETSIU_UNREADABLE", "etsiU is no list", clause=_CLAUSE),)
    elements: list[Element] = []
    findings: list[Finding] = []
    for item in listed_[:MAX_UNSIGNED]:
        text = item if isinstance(item, str) else None
        try:
            name, value = _member(item)
        except JwsError as error:
            findings.append(Finding("ETSIU_UNREADABLE", str(error), clause=_CLAUSE))
            name, value = "", None
        elements.append(Element(name, value, text))
    if len(listed_) > MAX_UNSIGNED:
        findings.append(Finding("ETSIU_LIMIT", f"only {MAX_UNSIGNED} elements of etsiU are looked at", clause=_CLAUSE))
    return tuple(elements), tuple(findings)


def _member(item: object) -> tuple[str, Any]:
    value = read_json(decoded(item, "an element of etsiU")) if isinstance(item, str) else item
    if not isinstance(value, dict) or len(value) != 1:
        raise JwsError("an element of etsiU is not one member")
    ((name, held),) = value.items()
    return name, held


def tokens_of(container: Any) -> Iterator[bytes]:
    """The RFC 3161 tokens of a tstContainer (5.4.3.3), or of a list of such."""
    for one in container[:MAX_UNSIGNED] if isinstance(container, list) else [container]:
        listed_ = one.get("tstTokens") if isinstance(one, dict) else None
        for token in listed_[:MAX_UNSIGNED] if isinstance(listed_, list) else []:
            text = token.get("val") if isinstance(token, dict) else None
            yield _octets(text) or b""  # what is no token is told where tokens are read


def material_of(elements: Sequence[Element]) -> ValidationData:
    """`xVals`, `axVals`: certificates; `rVals`, `arVals`: lists and responses (5.3.5); all of these also inside of
    `tstVD` and `anyValData`."""
    certificates: list[bytes] = []
    crls: list[bytes] = []
    ocsps: list[bytes] = []
    for name, value in _values(elements):
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


def _values(elements: Sequence[Element]) -> Iterator[tuple[str, Any]]:
    for element in elements:
        if element.name in ("tstVD", "anyValData") and isinstance(element.value, dict):
            yield from element.value.items()
        else:
            yield element.name, element.value


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
