"""A CMS SignedData from anywhere, taken apart without judging it (RFC 5652 5).

Rules kept here
 * Octets that were signed are sliced, never re-encoded. Only BER with indefinite lengths is brought to definite
   lengths first, because signatures cover the DER form (RFC 5652 5.4).
 * Zero octets and line ends after the SignedData are padding; anything else there is told.
 * One unreadable part (a certificate, a revocation value, a signer) does not hide the others: it is left out with
   a finding, or, for a signer, kept with the reason.
 * Number of signers, certificates and revocation values has limits; what lies beyond is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from asn1crypto import cms, core, x509

from archive_core.findings import Finding
from signing import ber
from signing.certificates import load_certificate
from signing.cms import OID_SIGNED_DATA
from signing.judgement import PARSER_ERRORS

MAX_CMS = 320 * 1024 * 1024
"""Bytes of a CMS document with its content inside; a data-box message has at most 100 MB."""
MAX_SIGNERS = 200
MAX_VALUES = 1_000
"""Certificates, CRLs and OCSP responses of one SignedData, each."""

_OID_OCSP_RESPONSE = "1.3.6.1.5.5.7.16.2"
_OID_BASIC_OCSP = "1.3.6.1.5.5.7.48.1.1"


class CmsError(ValueError):
    """The octets are no SignedData that can be taken apart."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """`raw` is the whole Attribute as sent; `values` the DER of each value."""

    oid: str
    values: tuple[bytes, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Signer:
    """One SignerInfo. `fault` says why it could not be read; then only `raw` counts.

    `signed_attributes` is the SET that was signed, as sent; `fields` the raw octets of every field before the
    unsigned attributes, in order (RFC 5652 5.3), which archive time-stamps cover.
    """

    raw: bytes
    info: cms.SignerInfo | None = None
    fault: str = ""
    version: int = 0
    signed_attributes: bytes | None = None
    signed: tuple[Attribute, ...] = ()
    unsigned: tuple[Attribute, ...] = ()
    fields: tuple[bytes, ...] = ()
    signature: bytes = b""
    signature_raw: bytes = b""

    def values(self, oid: str) -> tuple[bytes, ...]:
        """All values of a signed attribute, over all its occurrences."""
        return tuple(value for attribute in self.signed if attribute.oid == oid for value in attribute.values)


@dataclass(frozen=True, slots=True)
class SignedData:
    """`content` is None when detached. The `…_raw` fields are octets as sent (in definite form); `raw` is the whole
    ContentInfo as sent."""

    version: int
    content_type: str
    content: bytes | None
    content_info_raw: bytes
    certificates: tuple[x509.Certificate, ...] = ()
    certificates_raw: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    revocations_raw: tuple[bytes, ...] = ()
    signers: tuple[Signer, ...] = ()
    was_ber: bool = False
    findings: tuple[Finding, ...] = field(default=())
    raw: bytes = b""


def signed_by(message: SignedData) -> list[x509.Name]:
    """Who issued the certificates of the signers, where these are named by issuer and number in a way that can be
    read."""
    found = []
    for signer in message.signers:
        try:
            identifier = signer.info["sid"] if signer.info is not None else None
            if identifier is not None and identifier.name == "issuer_and_serial_number":
                name = identifier.chosen["issuer"]
                _ = name.hashable
                found.append(name)
        except PARSER_ERRORS:
            continue  # told where the signer is looked for
    return found


def parse_signed_data(octets: bytes, *, max_size: int = MAX_CMS) -> SignedData:
    """Raises `CmsError`."""
    try:
        octets, rest = ber.first_element(octets)
        sent = octets
        shape = ber.scan(octets, max_size=max_size, max_elements=ber.MAX_LIST_ELEMENTS)
        if shape.needs_definite_form:
            octets = ber.definite(octets)
        outer = ber.children(_of(ber.element(octets), 0x30, "ContentInfo").contents)
        if len(outer) != 2 or _oid(outer[0]) != OID_SIGNED_DATA:
            raise CmsError("the content type is not id-signedData")
        (wrapped,) = ber.children(_of(outer[1], 0xA0, "content").contents)
        found = _signed_data(_of(wrapped, 0x30, "SignedData").contents)
    except PARSER_ERRORS as error:
        raise error if isinstance(error, CmsError) else CmsError(f"no SignedData that can be read: {error}") from error
    findings = found.findings
    if rest.strip(b"\0\r\n"):
        text = f"{len(rest)} octets follow the signed data, and nobody vouches for them"
        findings += (Finding("TRAILING_OCTETS", text, clause="X.690 8.1"),)
    return replace(found, was_ber=shape.needs_definite_form, findings=findings, raw=sent)


def content_type_of(head: bytes) -> str | None:
    """The content type that a ContentInfo begins with, or None when the octets begin no ContentInfo."""
    try:
        first, start, _ = ber.read_header(head + b"\0" * 16, 0, 1 << 62)
        if first != 0x30:
            return None
        kind, begin, length = ber.read_header(head, start, len(head))
        if kind != 0x06 or not length:
            return None
        return str(core.ObjectIdentifier.load(head[start : begin + length]).dotted)
    except PARSER_ERRORS:
        return None


def _of(found: ber.Element, tag: int, what: str) -> ber.Element:
    if found.tag != tag:
        raise CmsError(f"{what} has identifier octet {found.tag:#04x}, not {tag:#04x}")
    return found


def _oid(item: ber.Element) -> str:
    return str(core.ObjectIdentifier.load(_of(item, 0x06, "an object identifier").raw).dotted)


def _signed_data(contents: bytes) -> SignedData:
    parts = ber.children(contents)
    if len(parts) < 4:
        raise CmsError("SignedData has too few fields")
    version = int(core.Integer.load(_of(parts[0], 0x02, "version").raw).native)
    _of(parts[1], 0x31, "digestAlgorithms")
    content_type, content = _encapsulated(_of(parts[2], 0x30, "encapContentInfo").contents)
    found = SignedData(version, content_type, content, parts[2].raw)
    for part in parts[3:-1]:
        if part.tag == 0xA0:
            found = _with_certificates(found, ber.children(part.contents))
        elif part.tag == 0xA1:
            found = _with_revocations(found, ber.children(part.contents))
        else:
            raise CmsError(f"SignedData has a field with identifier octet {part.tag:#04x}")
    signers = ber.children(_of(parts[-1], 0x31, "signerInfos").contents)
    if len(signers) > MAX_SIGNERS:
        raise CmsError(f"{len(signers)} signers, of which at most {MAX_SIGNERS} are looked at")
    return replace(found, signers=tuple(read_signer(item.raw) for item in signers))


def _encapsulated(contents: bytes) -> tuple[str, bytes | None]:
    fields = ber.children(contents)
    if not 1 <= len(fields) <= 2:
        raise CmsError("encapContentInfo has unexpected fields")
    if len(fields) == 1:
        return _oid(fields[0]), None
    inner = ber.children(_of(fields[1], 0xA0, "eContent").contents)
    if not inner:
        return _oid(fields[0]), None
    if inner[0].tag == 0x04:
        return _oid(fields[0]), inner[0].contents
    return _oid(fields[0]), inner[0].contents  # PKCS #7: the content's type and length are not digested (RFC 2315 9.3)


def _with_certificates(found: SignedData, items: Iterable[ber.Element]) -> SignedData:
    certificates, raw, findings = list(found.certificates), list(found.certificates_raw), list(found.findings)
    for item in items:
        raw.append(item.raw)
        if item.tag != 0x30:
            continue  # attribute certificates and other formats: covered by archive time-stamps, else not looked at
        if len(certificates) >= MAX_VALUES:
            findings.append(Finding("MATERIAL_LIMIT", f"only {MAX_VALUES} certificates are looked at"))
            break
        try:
            certificates.append(_certificate(item.raw))
        except PARSER_ERRORS as error:
            findings.append(Finding("CERTIFICATE_UNREADABLE", str(error), clause="RFC 5280 4.1"))
    return replace(found, certificates=tuple(certificates), certificates_raw=tuple(raw), findings=tuple(findings))


def _certificate(raw: bytes) -> x509.Certificate:
    """Raises ValueError also where the serial number is padded: no DER (X.690 8.3.2), and other programs refuse it."""
    certificate = load_certificate(raw)
    serial = certificate["tbs_certificate"]["serial_number"].contents
    if len(serial) > 1 and (serial[0], serial[1] >= 0x80) in ((0x00, False), (0xFF, True)):
        raise ValueError("not a certificate that can be read: its serial number is padded")
    return certificate


def _with_revocations(found: SignedData, items: Iterable[ber.Element]) -> SignedData:
    """CRLs and OCSP responses (RFC 5652 10.2.1, RFC 5940)."""
    crls, ocsps, raw = list(found.crls), list(found.ocsps), list(found.revocations_raw)
    findings = list(found.findings)
    for item in items:
        raw.append(item.raw)
        if len(raw) > MAX_VALUES:
            findings.append(Finding("MATERIAL_LIMIT", f"only {MAX_VALUES} revocation values are looked at"))
            break
        try:
            if item.tag == 0x30:
                crls.append(item.raw)
            elif item.tag == 0xA1:
                kind, value = ber.children(item.contents)
                if _oid(kind) in (_OID_OCSP_RESPONSE, _OID_BASIC_OCSP):
                    ocsps.append(value.raw)
        except PARSER_ERRORS as error:
            findings.append(Finding("REVOCATION_UNREADABLE", str(error), clause="RFC 5652 10.2.1"))
    return replace(found, crls=tuple(crls), ocsps=tuple(ocsps), revocations_raw=tuple(raw), findings=tuple(findings))


def read_signer(raw: bytes) -> Signer:
    """A SignerInfo in definite form (also a counter-signature's, RFC 5652 11.4)."""
    try:
        return _signer(raw)
    except PARSER_ERRORS as error:
        return Signer(raw, fault=f"the SignerInfo cannot be read: {error}")


def _signer(raw: bytes) -> Signer:
    fields = ber.children(_of(ber.element(raw), 0x30, "SignerInfo").contents)
    info = cms.SignerInfo.load(raw, strict=True)
    version = int(core.Integer.load(_of(fields[0], 0x02, "version").raw).native)
    _ = info["sid"].name, info["digest_algorithm"]["algorithm"].dotted, info["signature_algorithm"]["algorithm"].dotted
    signed = next((item for item in fields[3:4] if item.tag == 0xA0), None)
    unsigned = next((item for item in fields[5:] if item.tag == 0xA1), None)
    signature = _of(fields[5 if signed is not None else 4], 0x04, "signature")
    if unsigned is None and fields[-1].tag == 0xA1:
        unsigned = fields[-1]
    return Signer(
        raw,
        info,
        version=version,
        signed_attributes=ber.tagged(0x31, signed.contents) if signed is not None else None,
        signed=_attributes(signed.contents) if signed is not None else (),
        unsigned=_attributes(unsigned.contents) if unsigned is not None else (),
        fields=tuple(item.raw for item in fields if item is not unsigned),
        signature=signature.contents,
        signature_raw=signature.raw,
    )


def _attributes(contents: bytes) -> tuple[Attribute, ...]:
    found: list[Attribute] = []
    for item in ber.children(contents):
        kind, values = ber.children(_of(item, 0x30, "Attribute").contents)
        inner = ber.children(_of(values, 0x31, "attribute values").contents)
        found.append(Attribute(_oid(kind), tuple(value.raw for value in inner), item.raw))
    return tuple(found)
