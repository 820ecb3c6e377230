"""What a token says before anybody believes it: imprint and time of its TSTInfo (RFC 3161 2.4.2).

Rules kept here
 * Only the place of the TSTInfo is read; whether it is signed, by whom and with what trust is for
   the `TimestampValidator`. The two must agree on imprint and time, and verification checks that.
 * Lengths inside a token are definite but need not be in their shortest form: it was encoded by
   others, it is covered as it is, and no part of it is encoded again here.
 * Certificates and revocation lists may be large: they are skipped whole, not walked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from archive_core.digests import DIGEST_OIDS
from archive_core.evidence import der

SIGNED_DATA = "1.2.840.113549.1.7.2"
TST_INFO = "1.2.840.113549.1.9.16.1.4"

_MAX_VALUES = 10_000
"""Certificates, revocation values or attributes in one place of a token."""
_MAX_ELEMENTS = 10_000
_MAX_DEPTH = 32

_TIME = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9}))?Z")


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """`imprint_algorithm` is our name of it, or a dotted OID that we do not know."""

    imprint_algorithm: str
    imprint: bytes
    gen_time: datetime
    policy: str
    serial_number: int


@dataclass(frozen=True, slots=True)
class SignedDataParts:
    """The fields of a token's SignedData (RFC 5652 5.1), as elements of what was received."""

    version: der.Element
    digest_algorithms: der.Element
    content: der.Element
    certificates: der.Element | None
    crls: der.Element | None
    signer_infos: der.Element


def parse_token(token: bytes) -> TokenInfo:
    """Read a ContentInfo that must be a SignedData over a TSTInfo; raises MalformedEvidenceError."""
    return _parse_tst_info(read_signed_data(token).content.content)


def read_signed_data(token: bytes) -> SignedDataParts:
    """Take a token apart, all within bounds; `content` is its eContent, an OCTET STRING.

    Raises MalformedEvidenceError unless it is a ContentInfo with a SignedData over a TSTInfo.
    """
    content_info = der.expect(_only(token), der.SEQUENCE, "a ContentInfo", after=_only(token))
    content_type, content = _children(content_info, 2, "a ContentInfo")
    if der.oid(der.expect(content_type, der.OID, "a content type", after=content_info)) != SIGNED_DATA:
        raise der.malformed("a time-stamp token is a SignedData", content_type.start)
    der.expect(content, der.context(0), "the content of a ContentInfo", after=content_type)
    (signed_data,) = _children(content, 1, "the content of a ContentInfo")
    der.expect(signed_data, der.SEQUENCE, "a SignedData", after=signed_data)
    fields = list(der.children(signed_data, most=6, minimal=False))
    optional = {field.tag: field for field in fields[3:-1]}
    if len(fields) < 4 or not set(optional) <= {der.context(0), der.context(1)} or len(optional) != len(fields) - 4:
        raise der.malformed("a SignedData has other fields than these", signed_data.start)
    for field in (*fields[:3], fields[-1]):
        der.check_walkable(field, depth=_MAX_DEPTH, elements=_MAX_ELEMENTS)
    for large in optional.values():
        for _ in der.children(large, most=_MAX_VALUES, minimal=False):
            pass
    return SignedDataParts(
        version=der.expect(fields[0], der.INTEGER, "a CMS version", after=signed_data),
        digest_algorithms=der.expect(fields[1], der.SET, "digestAlgorithms", after=fields[0]),
        content=_encapsulated(der.expect(fields[2], der.SEQUENCE, "encapContentInfo", after=fields[1])),
        certificates=optional.get(der.context(0)),
        crls=optional.get(der.context(1)),
        signer_infos=der.expect(fields[-1], der.SET, "signerInfos", after=fields[2]),
    )


def _encapsulated(encap_content_info: der.Element) -> der.Element:
    content_type, content = _children(encap_content_info, 2, "encapContentInfo")
    if der.oid(der.expect(content_type, der.OID, "an eContentType", after=encap_content_info)) != TST_INFO:
        raise der.malformed("a time-stamp token holds a TSTInfo", content_type.start)
    der.expect(content, der.context(0), "an eContent", after=content_type)
    (octets,) = _children(content, 1, "an eContent")
    return der.expect(octets, der.OCTET_STRING, "an OCTET STRING", after=content)


def _parse_tst_info(encoded: bytes) -> TokenInfo:
    root = _only(encoded)
    fields = list(der.children(der.expect(root, der.SEQUENCE, "a TSTInfo", after=root), most=10, minimal=False))
    if len(fields) < 5:
        raise der.malformed("a TSTInfo has at least five fields", root.start)
    version, policy, message_imprint, serial, time = fields[:5]
    if der.integer(der.expect(version, der.INTEGER, "a version", after=root)) != 1:
        raise der.malformed("a TSTInfo has version 1", version.start)
    der.expect(message_imprint, der.SEQUENCE, "a messageImprint", after=policy)
    algorithm, hashed = _children(message_imprint, 2, "a messageImprint")
    der.expect(algorithm, der.SEQUENCE, "a hashAlgorithm", after=message_imprint)
    algorithm_oid = next(der.children(algorithm, most=2, minimal=False), None)
    dotted = der.oid(der.expect(algorithm_oid, der.OID, "a hash algorithm", after=algorithm))
    return TokenInfo(
        imprint_algorithm=DIGEST_OIDS.get(dotted, dotted),
        imprint=der.expect(hashed, der.OCTET_STRING, "a hashedMessage", after=algorithm).content,
        gen_time=_parse_time(der.expect(time, der.GENERALIZED_TIME, "genTime", after=serial)),
        policy=der.oid(der.expect(policy, der.OID, "a policy", after=version)),
        serial_number=der.integer(der.expect(serial, der.INTEGER, "a serial number", after=message_imprint)),
    )


def _parse_time(element: der.Element) -> datetime:
    """genTime in UTC, with `Z`, seconds and an optional fraction (RFC 3161 2.4.2), to the microsecond."""
    found = _TIME.fullmatch(element.content)
    if not found:
        raise der.malformed("genTime is not YYYYMMDDhhmmss[.s...]Z", element.start)
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    leap = second == 60
    try:
        instant = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
        fraction = int((found[7] or b"0").ljust(9, b"0")) // 1000
        return instant + timedelta(seconds=leap, microseconds=fraction)
    except (ValueError, OverflowError) as error:
        raise der.malformed(f"genTime is no date: {error}", element.start) from error


def _only(data: bytes) -> der.Element:
    return der.read_only_element(data, minimal=False)


def _children(element: der.Element, count: int, what: str) -> list[der.Element]:
    found = list(der.children(element, most=count, minimal=False))
    if len(found) != count:
        raise der.malformed(f"{what} has {count} fields", element.start)
    return found
