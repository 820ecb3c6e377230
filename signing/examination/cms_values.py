"""What CAdES attributes hold: times, policies, tokens, validation values (EN 319 122-1 5, TS 101 733).

Rules kept here
 * A value that cannot be read is passed over with a finding where it would have mattered, never an exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from asn1crypto import cms, core

from archive_core.findings import Finding
from archive_core.ports import ValidationData
from signing import ber
from signing.examination.cms_reading import Attribute, Signer
from signing.judgement import PARSER_ERRORS

OID_CONTENT_STAMP = "1.2.840.113549.1.9.16.2.20"
OID_SIGNATURE_STAMP = "1.2.840.113549.1.9.16.2.14"
OID_X_STAMP = "1.2.840.113549.1.9.16.2.25"
OID_REFERENCES_STAMP = "1.2.840.113549.1.9.16.2.26"
OID_ARCHIVE_V2 = "1.2.840.113549.1.9.16.2.48"
OID_ARCHIVE_V3 = "0.4.0.1733.2.4"
OID_CERTIFICATE_REFERENCES = "1.2.840.113549.1.9.16.2.21"
OID_REVOCATION_REFERENCES = "1.2.840.113549.1.9.16.2.22"
OID_CERTIFICATE_VALUES = "1.2.840.113549.1.9.16.2.23"
OID_REVOCATION_VALUES = "1.2.840.113549.1.9.16.2.24"
OID_COUNTER_SIGNATURE = "1.2.840.113549.1.9.6"
OID_RECORD_INTERNAL = "1.2.840.113549.1.9.16.2.49"
OID_RECORD_EXTERNAL = "1.2.840.113549.1.9.16.2.50"
_OID_POLICY = "1.2.840.113549.1.9.16.2.15"
_OID_SIGNING_TIME = "1.2.840.113549.1.9.5"
_OID_ADOBE_REVOCATION = "1.2.840.113583.1.1.8"


def claimed_time(signer: Signer) -> datetime | None:
    """The signing-time attribute, as the signer says."""
    for value in signer.values(_OID_SIGNING_TIME):
        try:
            stated = cms.Time.load(value, strict=True).native
        except PARSER_ERRORS:
            continue
        if isinstance(stated, datetime):
            return stated.astimezone(UTC)
    return None


def policy_of(signer: Signer) -> str:
    """The identifier of the signature policy, "implied" for an empty one, "" without any."""
    for value in signer.values(_OID_POLICY):
        try:
            found = ber.element(value)
            if found.tag == 0x05:
                return "implied"
            return str(core.ObjectIdentifier.load(ber.children(found.contents)[0].raw).dotted)
        except PARSER_ERRORS:
            return "unreadable"
    return ""


def stamp_values(attributes: Sequence[Attribute], oid: str) -> list[bytes]:
    """The tokens of an attribute, as sent."""
    return [value for one in attributes if one.oid == oid for value in one.values]


def embedded_values(signer: Signer) -> tuple[ValidationData, tuple[Finding, ...]]:
    """certificate-values and revocation-values (EN 319 122-1 A.1.1.2, A.1.2.2), and Adobe's revocation archive."""
    certificates: list[bytes] = []
    crls: list[bytes] = []
    ocsps: list[bytes] = []
    findings: list[Finding] = []
    for one in (*signer.unsigned, *signer.signed):
        for value in one.values:
            try:
                if one.oid == OID_CERTIFICATE_VALUES:
                    certificates += [item.raw for item in ber.children(ber.element(value).contents)]
                elif one.oid in (OID_REVOCATION_VALUES, _OID_ADOBE_REVOCATION):
                    _revocation_values(value, crls, ocsps)
            except PARSER_ERRORS as error:
                findings.append(Finding("ATTRIBUTE_UNREADABLE", f"attribute {one.oid}: {error}"))
    return ValidationData(tuple(certificates), tuple(crls), tuple(ocsps)), tuple(findings)


def _revocation_values(value: bytes, crls: list[bytes], ocsps: list[bytes]) -> None:
    for part in ber.children(ber.element(value).contents):
        if part.tag not in (0xA0, 0xA1):
            continue
        (inner,) = ber.children(part.contents)
        (crls if part.tag == 0xA0 else ocsps).extend(item.raw for item in ber.children(inner.contents))
