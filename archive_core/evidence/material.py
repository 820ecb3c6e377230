"""Chain and revocation data beside tokens and inside them: put together, and put inside.

Rules kept here
 * What is put inside a token goes into the unsigned places of its SignedData (RFC 5652 5.1: certificates,
   crls). Every other octet stays as it came, and so do the values that were there, in their order: signers
   that sort their sets get sorted ones back, others keep theirs.
 * That happens once, before a token is covered; then its octets are final (RFC 4998 4.2, 5.2).
 * A revocation list is preferred: OCSP responses make the CMS version 5 (RFC 5652 5.1), and not every tool
   reads such tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archive_core.evidence import der
from archive_core.evidence.token import read_signed_data
from archive_core.ports import ValidationData

_OCSP_RESPONSE = bytes.fromhex("06082b06010505071002")
"""id-ri-ocsp-response (RFC 5940), complete."""
_BASIC_OCSP = bytes.fromhex("06092b0601050507300101")
"""id-pkix-ocsp-basic (RFC 6960 4.2.1), complete: what BSI TR-ESOR-ERS has for a BasicOCSPResponse."""
_MOST = 10_000


def merged(parts: Iterable[ValidationData]) -> ValidationData:
    """All of it, each item once, in the order of first mention."""
    certificates: dict[bytes, None] = {}
    crls: dict[bytes, None] = {}
    ocsps: dict[bytes, None] = {}
    for part in parts:
        certificates.update(dict.fromkeys(part.certificates))
        crls.update(dict.fromkeys(part.crls))
        ocsps.update(dict.fromkeys(part.ocsps))
    return ValidationData(tuple(certificates), tuple(crls), tuple(ocsps))


def with_inside(token: bytes, data: ValidationData) -> bytes:
    """The token with these certificates, lists and responses inside, each once; the token itself when it
    holds them all. Raises `MalformedEvidenceError` for what is no token."""
    parts = read_signed_data(token)
    certificates = _joined(parts.certificates, data.certificates)
    revocation = _joined(parts.crls, (*data.crls, *(_other(response) for response in data.ocsps)))
    version = parts.version.raw
    if data.ocsps and der.integer(parts.version) < 5:
        version = der.wrap(der.INTEGER, b"\x05")
    content_info = der.read_only_element(token, minimal=False)
    content_type, explicit = der.children(content_info, most=2, minimal=False)
    (signed_data,) = der.children(explicit, most=1, minimal=False)
    fields = list(der.children(signed_data, most=6, minimal=False))
    made = [version, fields[1].raw, fields[2].raw]
    made += [der.wrap(der.context(0), *certificates)] if certificates else []
    made += [der.wrap(der.context(1), *revocation)] if revocation else []
    made.append(fields[-1].raw)
    if _same(made, fields):
        return token
    body = der.wrap(der.SEQUENCE, *made)
    return der.wrap(der.SEQUENCE, content_type.raw, der.wrap(der.context(0), body))


def _same(made: Sequence[bytes], fields: Sequence[der.Element]) -> bool:
    """Whether nothing was added: the contents are equal, however long their lengths are written."""
    if len(made) != len(fields):
        return False
    return all(
        der.read_only_element(new, minimal=False).content == old.content for new, old in zip(made, fields, strict=True)
    )


def _joined(held: der.Element | None, more: Iterable[bytes]) -> list[bytes]:
    there = [child.raw for child in der.children(held, most=_MOST, minimal=False)] if held is not None else []
    known = set(there)
    new = [item for item in dict.fromkeys(more) if item not in known]
    joined = [*there, *new]
    return sorted(joined) if there == sorted(there) else joined


def _other(response: bytes) -> bytes:
    """An OCSP response as OtherRevocationInfoFormat (RFC 5652 10.2.1): whole, or its basic part alone."""
    first = next(der.children(der.read_only_element(response, minimal=False), most=3, minimal=False), None)
    is_basic = first is not None and first.tag == der.SEQUENCE
    return der.wrap(der.context(1), _BASIC_OCSP if is_basic else _OCSP_RESPONSE, response)
