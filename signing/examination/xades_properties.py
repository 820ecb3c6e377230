"""What XAdES puts into an XML signature (ETSI EN 319 132-1; TS 101 903 1.1.1 to 1.4.1), found and read.

Rules kept here
 * Only the QualifyingProperties in a ds:Object of the signature itself are its own.
 * Signed properties count only when a reference of the signature leads to this very element; whoever puts a
   look-alike somewhere else gains nothing.
 * Values are read liberally, and what cannot be read is left out with a finding: never guessed.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from asn1crypto import x509
from lxml import etree

from archive_core.digests import hash_bytes
from archive_core.findings import Finding
from archive_core.ports import ValidationData
from signing.certificates import load_certificate
from signing.judgement import PARSER_ERRORS
from signing.signature_math import UnsupportedAlgorithmError
from signing.xml_signatures.algorithms import digest_of
from signing.xml_signatures.names import DS, XADES_141, XADES_EN, XADES_VERSIONS, element, elements, local_name, text_of
from signing.xml_signatures.reading import decode_base64
from signing.xml_signatures.references import CheckedReference
from signing.xml_signatures.signature import XmlSignature

MAX_CERTIFICATES = 200
_INSTANT = re.compile(
    r"(?P<y>-?\d{4,})-(?P<mo>\d\d)-(?P<d>\d\d)T(?P<h>\d\d):(?P<mi>\d\d):(?P<s>\d\d)(?P<f>\.\d+)?"
    r"(?P<z>Z|[+-]\d\d:\d\d)?"
)


@dataclass(frozen=True)
class CertificateReference:
    """A digest of the signer's certificate."""

    digest: str
    value: bytes

    def fits(self, certificate: x509.Certificate) -> bool:
        return hmac.compare_digest(self.value, hash_bytes(self.digest, certificate.dump()))


@dataclass(frozen=True)
class Properties:
    """The qualifying properties of one signature. `unsigned` are the unsigned signature properties in order."""

    namespace: str
    qualifying: etree._Element
    signed: etree._Element | None
    unsigned: tuple[etree._Element, ...]

    def signature_property(self, name: str) -> etree._Element | None:
        return self._signed_property("SignedSignatureProperties", name)

    def data_properties(self, name: str) -> list[etree._Element]:
        parent = None if self.signed is None else element(self.signed, self.namespace, "SignedDataObjectProperties")
        return [] if parent is None else elements(parent, self.namespace, name)

    def _signed_property(self, group: str, name: str) -> etree._Element | None:
        parent = None if self.signed is None else element(self.signed, self.namespace, group)
        return None if parent is None else element(parent, self.namespace, name)

    def unsigned_named(self, *names: str) -> list[etree._Element]:
        return [one for one in self.unsigned if local_name(one) in names]


def properties_of(signature: XmlSignature) -> Properties | None:
    """The signature's own properties, or None for plain XMLDSig. Of several in it, those whose Target names it;
    Target alone, which is not signed, excludes none."""
    found = [
        (qualifying, namespace)
        for holder in signature.objects
        for namespace in XADES_VERSIONS
        for qualifying in elements(holder, namespace, "QualifyingProperties")
    ]
    named = [one for one in found if one[0].get("Target", "") == f"#{signature.identifier}"]
    return _properties(*(named or found)[0]) if found else None


def _properties(qualifying: etree._Element, namespace: str) -> Properties:
    unsigned: list[etree._Element] = []
    for group in elements(qualifying, namespace, "UnsignedProperties"):
        for inner in elements(group, namespace, "UnsignedSignatureProperties"):
            unsigned += [child for child in inner if isinstance(child.tag, str)]
    return Properties(namespace, qualifying, element(qualifying, namespace, "SignedProperties"), tuple(unsigned))


def covers_properties(properties: Properties, checked: Iterable[CheckedReference]) -> bool:
    """Whether an intact reference leads to these signed properties."""
    return any(one.intact and one.node is properties.signed and properties.signed is not None for one in checked)


# -- signed properties --------------------------------------------------------------------------


def claimed_time(properties: Properties) -> datetime | None:
    """SigningTime, or None where there is none that can be read."""
    return read_instant(text_of(properties.signature_property("SigningTime")))


def read_instant(text: str) -> datetime | None:
    """An xsd:dateTime in UTC, taken as UTC where it names no zone; None for anything else."""
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        return None
    try:
        moment = datetime(
            int(match["y"]), int(match["mo"]), int(match["d"]), int(match["h"]), int(match["mi"]), int(match["s"]),
            int((match["f"] or ".0")[1:7].ljust(6, "0")), tzinfo=_zone(match["z"]),
        )  # fmt: skip
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if text in (None, "Z"):
        return UTC
    assert text is not None
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-offset if text[0] == "-" else offset)


def policy(properties: Properties) -> str:
    """The identifier of the signature policy, "implied", or empty."""
    stated = properties.signature_property("SignaturePolicyIdentifier")
    if stated is None:
        return ""
    if element(stated, properties.namespace, "SignaturePolicyImplied") is not None:
        return "implied"
    found = stated.find(f".//{{{properties.namespace}}}Identifier")
    return text_of(found)[:1000]


def certificate_references(properties: Properties) -> tuple[tuple[CertificateReference, ...], tuple[Finding, ...]]:
    """The digests in SigningCertificate and SigningCertificateV2."""
    references: list[CertificateReference] = []
    findings: list[Finding] = []
    for name in ("SigningCertificateV2", "SigningCertificate"):
        stated = properties.signature_property(name)
        for cert in [] if stated is None else elements(stated, properties.namespace, "Cert"):
            digest = element(cert, properties.namespace, "CertDigest")
            try:
                if digest is None:
                    raise ValueError("no digest")
                algorithm = digest_of(element(digest, DS, "DigestMethod"))
                references.append(
                    CertificateReference(algorithm, decode_base64(text_of(element(digest, DS, "DigestValue"))))
                )
            except (UnsupportedAlgorithmError, ValueError) as error:
                text = f"a reference in {name} cannot be read: {error}"
                findings.append(Finding("SIGNING_CERTIFICATE_UNREADABLE", text, clause="EN 319 132-1 5.2.2"))
    return tuple(references), tuple(findings)


# -- material -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Material:
    """Certificates and revocation data in a signature. `key_info` are the certificates in KeyInfo, in order."""

    key_info: tuple[x509.Certificate, ...]
    others: tuple[x509.Certificate, ...]
    crls: tuple[bytes, ...]
    ocsps: tuple[bytes, ...]
    findings: tuple[Finding, ...]

    @property
    def validation_data(self) -> ValidationData:
        certificates = tuple(one.dump() for one in (*self.key_info, *self.others))
        return ValidationData(certificates, self.crls, self.ocsps)


def material_of(signature: XmlSignature, properties: Properties | None) -> Material:
    """All certificates, CRLs and OCSP responses that the signature brings with it."""
    findings: list[Finding] = []
    inside = [] if signature.key_info is None else list(signature.key_info.iter(f"{{{DS}}}X509Certificate"))
    key_info = _certificates(inside, findings)
    holders = [] if properties is None else [one for one in properties.unsigned if local_name(one) in _VALUES]
    others = _certificates(_named(holders, "EncapsulatedX509Certificate"), findings)
    crls = _octets(_named(holders, "EncapsulatedCRLValue"), "a CRL", findings)
    ocsps = _octets(_named(holders, "EncapsulatedOCSPValue"), "an OCSP response", findings)
    return Material(key_info, others, crls, ocsps, tuple(findings))


_VALUES = frozenset(
    {
        "CertificateValues",
        "RevocationValues",
        "AttrAuthoritiesCertValues",
        "AttributeRevocationValues",
        "TimeStampValidationData",
        "AnyValidationData",
    }
)


def _named(holders: Iterable[etree._Element], name: str) -> Iterator[etree._Element]:
    for holder in holders:
        for node in holder.iter(etree.Element):
            if local_name(node) == name:
                yield node


def _octets(nodes: Iterable[etree._Element], what: str, findings: list[Finding]) -> tuple[bytes, ...]:
    found: dict[bytes, None] = {}
    for node in nodes:
        try:
            found[decode_base64(text_of(node))] = None
        except ValueError as error:
            findings.append(Finding("VALIDATION_DATA_UNREADABLE", f"{what} cannot be read: {error}"))
    return tuple(found)


def _certificates(nodes: Iterable[etree._Element], findings: list[Finding]) -> tuple[x509.Certificate, ...]:
    found: list[x509.Certificate] = []
    for der in _octets(nodes, "a certificate", findings):
        if len(found) >= MAX_CERTIFICATES:
            findings.append(Finding("VALIDATION_DATA_LIMIT", f"only {MAX_CERTIFICATES} certificates are looked at"))
            break
        try:
            found.append(load_certificate(der))
        except PARSER_ERRORS as error:
            findings.append(Finding("VALIDATION_DATA_UNREADABLE", f"a certificate cannot be read: {error}"))
    return tuple(found)


def evidence_records(properties: Properties | None) -> Sequence[etree._Element]:
    """The evidence records in a signature (TS 119 132-3, SealingEvidenceRecords)."""
    if properties is None:
        return []
    return [
        record
        for one in properties.unsigned
        if one.tag in (f"{{{XADES_EN}}}SealingEvidenceRecords", f"{{{XADES_141}}}SealingEvidenceRecords")
        for record in one
        if isinstance(record.tag, str)
    ]
