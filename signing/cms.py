"""CMS SignedData with one signer, taken apart and checked mathematically (RFC 5652, RFC 5035).

Shared by time-stamp tokens and seals. Trust, time and revocation are not judged here.

Rules kept here
 * The octets that were signed are those received: signed attributes are only re-tagged as SET
   (RFC 5652 5.4), the content is the OCTET STRING's contents, nothing is sorted or re-encoded first.
 * Whatever is wrong leaves as a `Judgement` that carries verdict and sub-indication; library
   exceptions over malformed input become FAILED/FORMAT_FAILURE and nothing else.
 * A signature that cannot be judged here is INDETERMINATE/UNSUPPORTED with the algorithm's name.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from asn1crypto import algos, cms, core, x509
from cryptography.exceptions import InvalidSignature

from archive_core.digests import hash_bytes
from archive_core.findings import Finding, SubIndication, Verdict
from signing import ber
from signing.certificates import load_certificate, same_name
from signing.judgement import Judgement, malformed, reading
from signing.signature_math import (
    SignatureScheme,
    check_signature,
    digest_name,
    signature_scheme,
)
from signing.signer_reference import signer_references, single_value

OID_SIGNED_DATA = "1.2.840.113549.1.7.2"
OID_DATA = "1.2.840.113549.1.7.1"
OID_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_OID_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_OID_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_OID_OCSP_RESPONSE = "1.3.6.1.5.5.7.16.2"
_OID_BASIC_OCSP = "1.3.6.1.5.5.7.48.1.1"


@dataclass(frozen=True)
class SignedMessage:
    """A SignedData with exactly one SignerInfo, parsed.

    `content` is None when detached. `signed_attributes` is the SET that was signed. Certificates
    keep the order in which they were sent; `crls` and `ocsps` (BasicOCSPResponse or
    OCSPResponse, as sent) are DER.
    """

    content_type: str
    content: bytes | None
    version: int
    certificates: tuple[x509.Certificate, ...]
    crls: tuple[bytes, ...]
    ocsps: tuple[bytes, ...]
    signer: cms.SignerInfo
    signed_attributes: bytes | None
    attributes: dict[str, tuple[bytes, ...]]
    has_unsigned_attributes: bool
    findings: tuple[Finding, ...]


def parse_signed_message(octets: bytes, *, max_size: int = ber.MAX_SIZE) -> SignedMessage:
    """Take a complete ContentInfo apart; raises `Judgement`."""
    with reading("the ContentInfo"):
        shape = ber.scan(octets, max_size=max_size)
        findings: tuple[Finding, ...] = ()
        if shape.needs_definite_form:
            octets = ber.definite(octets)
            findings = (
                Finding(
                    "BER_LENGTHS", "encoded with indefinite lengths, checked in definite form", clause="X.690 10.1"
                ),
            )
        outer = ber.children(_expect(ber.element(octets), 0x30, "ContentInfo").contents)
        if len(outer) != 2 or core.ObjectIdentifier.load(outer[0].raw).dotted != OID_SIGNED_DATA:
            raise malformed("the content type is not id-signedData")
        (wrapped,) = ber.children(_expect(outer[1], 0xA0, "content").contents)
        return _parse_signed_data(_expect(wrapped, 0x30, "SignedData").contents, findings)


def _expect(found: ber.Element, tag: int, what: str) -> ber.Element:
    if found.tag != tag:
        raise malformed(f"{what} has identifier octet {found.tag:#04x}, not {tag:#04x}")
    return found


def _parse_signed_data(contents: bytes, findings: tuple[Finding, ...]) -> SignedMessage:
    parts = ber.children(contents)
    if len(parts) < 4:
        raise malformed("SignedData has too few fields")
    version = int(core.Integer.load(_expect(parts[0], 0x02, "version").raw).native)
    _expect(parts[1], 0x31, "digestAlgorithms")
    content_type, content = _encapsulated(_expect(parts[2], 0x30, "encapContentInfo").contents)
    rest = parts[3:]
    certificates: tuple[x509.Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    if rest and rest[0].tag == 0xA0:
        certificates = _certificates(rest.pop(0).contents)
    if rest and rest[0].tag == 0xA1:
        crls, ocsps = _revocation_values(rest.pop(0).contents)
    if len(rest) != 1:
        raise malformed("SignedData has unexpected fields")
    signers = ber.children(_expect(rest[0], 0x31, "signerInfos").contents)
    if len(signers) != 1:
        raise malformed(f"{len(signers)} signers where exactly one is needed (RFC 3161 2.4.2)")
    signer, signed_attributes, attributes, unsigned = _signer(signers[0])
    return SignedMessage(
        content_type,
        content,
        version,
        certificates,
        crls,
        ocsps,
        signer,
        signed_attributes,
        attributes,
        unsigned,
        findings,
    )


def _encapsulated(contents: bytes) -> tuple[str, bytes | None]:
    fields = ber.children(contents)
    if not 1 <= len(fields) <= 2:
        raise malformed("encapContentInfo has unexpected fields")
    content_type = str(core.ObjectIdentifier.load(fields[0].raw).dotted)
    if len(fields) == 1:
        return content_type, None
    (octets,) = ber.children(_expect(fields[1], 0xA0, "eContent").contents)
    return content_type, _expect(octets, 0x04, "eContent").contents


def _certificates(contents: bytes) -> tuple[x509.Certificate, ...]:
    """The X.509 certificates of a CertificateSet, each read to its end; attribute certificates are passed over."""
    found: list[x509.Certificate] = []
    for item in ber.children(contents):
        if item.tag == 0x30:
            found.append(load_certificate(item.raw))
        elif item.tag not in (0xA0, 0xA1, 0xA2, 0xA3):
            raise malformed(f"a certificate has identifier octet {item.tag:#04x}")
    return tuple(found)


def _revocation_values(contents: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """CRLs and BasicOCSPResponses of a RevocationInfoChoices (RFC 5652 10.2.1, RFC 5940)."""
    crls: list[bytes] = []
    ocsps: list[bytes] = []
    for item in ber.children(contents):
        if item.tag == 0x30:
            crls.append(item.raw)
        elif item.tag == 0xA1:
            kind, value = ber.children(item.contents)
            oid = core.ObjectIdentifier.load(kind.raw).dotted
            if oid in (_OID_OCSP_RESPONSE, _OID_BASIC_OCSP):
                ocsps.append(value.raw)
        else:
            raise malformed(f"a revocation value has identifier octet {item.tag:#04x}")
    return tuple(crls), tuple(ocsps)


def _signer(item: ber.Element) -> tuple[cms.SignerInfo, bytes | None, dict[str, tuple[bytes, ...]], bool]:
    fields = ber.children(_expect(item, 0x30, "SignerInfo").contents)
    signer = cms.SignerInfo.load(item.raw, strict=True)
    version, chosen = int(core.Integer.load(fields[0].raw).native), signer["sid"].name
    if version != {"issuer_and_serial_number": 1, "subject_key_identifier": 3}[chosen]:
        raise malformed(f"SignerInfo version {version} does not go with {chosen} (RFC 5652 5.3)")
    _ = signer["sid"].native, signer["signature"].native, signer["digest_algorithm"]["algorithm"].dotted
    _ = signer["signature_algorithm"]["algorithm"].dotted
    signed = next((field for field in fields[3:5] if field.tag == 0xA0), None)
    unsigned = any(field.tag == 0xA1 for field in fields[4:])
    if signed is None:
        return signer, None, {}, unsigned
    return signer, ber.tagged(0x31, signed.contents), _attributes(signed.contents), unsigned


def _attributes(contents: bytes) -> dict[str, tuple[bytes, ...]]:
    """Attribute identifier to the DER of its values; an attribute may occur only once (RFC 5652 11)."""
    found: dict[str, tuple[bytes, ...]] = {}
    for item in ber.children(contents):
        kind, values = ber.children(_expect(item, 0x30, "Attribute").contents)
        oid = str(core.ObjectIdentifier.load(kind.raw).dotted)
        if oid in found:
            raise malformed(f"signed attribute {oid} occurs twice")
        found[oid] = tuple(value.raw for value in ber.children(_expect(values, 0x31, "attribute values").contents))
    return found


# -- checks -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class CheckedSignature:
    """Whose signature it mathematically is, and made with what."""

    certificate: x509.Certificate
    scheme: SignatureScheme
    digest: str
    findings: tuple[Finding, ...]


def check_signed_message(
    message: SignedMessage, content: bytes, *, more_certificates: Iterable[x509.Certificate] = ()
) -> CheckedSignature:
    """Digest, content type, signer certificate reference and signature value; raises `Judgement`.

    `content` is what is signed: the message's own content, or the detached one.
    """
    with reading("the digest algorithm"):
        digest = digest_name(message.signer["digest_algorithm"])
    _check_content_type(message)
    _check_message_digest(message, digest, content)
    with reading("the signer's certificate"):
        certificate, findings = _signer_certificate(message, more_certificates)
    scheme, order = _check_value(message, certificate, digest)
    return CheckedSignature(certificate, scheme, digest, findings + order)


def _check_content_type(message: SignedMessage) -> None:
    if message.signed_attributes is None:
        raise malformed("there are no signed attributes")
    with reading("the content-type attribute"):
        stated = core.ObjectIdentifier.load(
            single_value(message.attributes, _OID_CONTENT_TYPE, "content-type"), strict=True
        ).dotted
    if stated != message.content_type:
        raise malformed(f"the content-type attribute says {stated}, the content is {message.content_type}")


def _check_message_digest(message: SignedMessage, digest: str, content: bytes) -> None:
    with reading("the message-digest attribute"):
        stated = core.OctetString.load(
            single_value(message.attributes, _OID_MESSAGE_DIGEST, "message-digest"), strict=True
        ).native
    if not hmac.compare_digest(stated, hash_bytes(digest, content)):
        raise Judgement(
            Verdict.FAILED, SubIndication.HASH_FAILURE, "the message-digest attribute is not the content's digest"
        )


def _signer_certificate(
    message: SignedMessage, more: Iterable[x509.Certificate]
) -> tuple[x509.Certificate, tuple[Finding, ...]]:
    """The certificate that both the signer identifier and the ESS attribute name (RFC 5035 3, RFC 5816)."""
    references, findings = signer_references(message.attributes)
    sid = message.signer["sid"]
    inside = [certificate for certificate in message.certificates if _is_named(certificate, sid)]
    for certificate in (*inside, *(certificate for certificate in more if _is_named(certificate, sid))):
        if all(reference.fits(certificate) for reference in references):
            return certificate, findings
    if inside:
        raise Judgement(
            Verdict.FAILED,
            SubIndication.SIG_CONSTRAINTS_FAILURE,
            "the signing-certificate attribute names another certificate than the signer's (RFC 5035 5.4)",
        )
    raise Judgement(
        Verdict.INDETERMINATE,
        SubIndication.NO_SIGNING_CERTIFICATE_FOUND,
        "the signer's certificate is neither inside nor supplied",
    )


def signer_certificate(message: SignedMessage) -> x509.Certificate:
    """The certificate inside that signer identifier and ESS attribute name; no signature is checked. Raises
    `Judgement`."""
    with reading("the signer's certificate"):
        return _signer_certificate(message, ())[0]


def _is_named(certificate: x509.Certificate, sid: cms.SignerIdentifier) -> bool:
    if sid.name == "subject_key_identifier":
        return bool(certificate.key_identifier == sid.chosen.native)
    named = sid.chosen
    if named["serial_number"].native != certificate.serial_number:
        return False
    return same_name(named["issuer"], certificate.issuer)


def _check_value(
    message: SignedMessage, certificate: x509.Certificate, digest: str
) -> tuple[SignatureScheme, tuple[Finding, ...]]:
    assert message.signed_attributes is not None
    signer = message.signer
    with reading("the signature algorithm"):
        algorithm: algos.SignedDigestAlgorithm = signer["signature_algorithm"]
        scheme = signature_scheme(algorithm)
        signature, key = signer["signature"].native, certificate.public_key
    if scheme.digest not in (None, digest):
        raise malformed(f"the signature uses {scheme.digest}, the signer's digest algorithm is {digest}")
    ordered = _in_der_order(message.signed_attributes)
    for signed in (message.signed_attributes, ordered):
        try:
            with reading("the signature"):
                check_signature(key, algorithm, signature, signed, digest=digest)
        except InvalidSignature:
            continue
        if message.signed_attributes == ordered:
            return scheme, ()
        note = (
            f"the signed attributes are not in DER order; signed {'in DER order' if signed == ordered else 'as sent'}"
        )
        return scheme, (Finding("SIGNED_ATTRIBUTES_ORDER", note, clause="RFC 5652 5.4"),)
    raise Judgement(
        Verdict.FAILED,
        SubIndication.SIG_CRYPTO_FAILURE,
        "the signature value does not fit the signed attributes and the signer's key",
    )


def _in_der_order(attributes: bytes) -> bytes:
    """The same SET OF in the order that DER asks for (X.690 11.6); some signers sign that and send another."""
    items = ber.children(ber.element(attributes).contents)
    return ber.tagged(0x31, b"".join(sorted(item.raw for item in items)))
