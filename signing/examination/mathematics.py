"""Whether one CMS signer's value and digests fit, and whose certificate they fit (RFC 5652 5.4, 5.6; RFC 5035).

Rules kept here
 * The digest algorithm of the SignerInfo digests both the content and the signed attributes (RFC 5652 5.4).
 * Everything is looked at: a missing certificate does not keep the message digest from being compared, a digest
   that does not fit does not keep the value from being checked. `failure` is the gravest of what was found.
 * The signer's certificate is the one that the signer identifier names; where none is inside, one that the
   signing-certificate attribute names. A key that fits although nothing names it is a finding.
 * Signed attributes that contradict the SignerInfo, or that may occur once and occur twice, make the value not
   intact: what was signed cannot be told (RFC 5652 11, RFC 6211 3).
 * Trust, time and revocation are not judged here.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from asn1crypto import algos, cms, core, x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from archive_core.findings import Finding, SubIndication, Verdict
from signing import ber
from signing.certificates import same_name
from signing.examination.cms_reading import Attribute, SignedData, Signer
from signing.examination.values import Reference
from signing.judgement import PARSER_ERRORS, Judgement, malformed, unsupported
from signing.signature_math import (
    SignatureScheme,
    UnsupportedAlgorithmError,
    check_signature,
    digest_name,
    signature_scheme,
)
from signing.signer_reference import SignerReference, signer_references
from signing.suitability import UsedSignature

OID_CONTENT_TYPE = "1.2.840.113549.1.9.3"
OID_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
OID_SIGNING_TIME = "1.2.840.113549.1.9.5"
OID_ESS_V1 = "1.2.840.113549.1.9.16.2.12"
OID_ESS_V2 = "1.2.840.113549.1.9.16.2.47"
_OID_ALGORITHM_PROTECTION = "1.2.840.113549.1.9.52"
_SINGLE = (OID_CONTENT_TYPE, OID_MESSAGE_DIGEST, OID_SIGNING_TIME, _OID_ALGORITHM_PROTECTION)
MAX_DIRECT = 320 * 1024 * 1024
"""Bytes of content that is signed directly, without signed attributes, and so must be held at once."""


class Content(Protocol):
    """What is signed."""

    def digest(self, algorithm: str) -> bytes: ...

    def read(self, most: int) -> bytes: ...


@dataclass(frozen=True)
class Mathematics:
    """What was found out about one signer. `value_intact` and `references` as in `SignatureExamination`.

    `names_certificate` is True when a signing-certificate attribute names `certificate` by its digest (AdES);
    False when there is no such attribute. `failure` is None when all fits.
    """

    value_intact: bool | None
    references: tuple[Reference, ...]
    certificate: x509.Certificate | None = None
    names_certificate: bool = False
    used: UsedSignature | None = None
    scheme: str = ""
    digest: str = ""
    failure: Judgement | None = None
    findings: tuple[Finding, ...] = ()


def check_signer(
    signer: Signer,
    message: SignedData,
    content: Content | None,
    *,
    more: Sequence[x509.Certificate] = (),
    counter: bool = False,
) -> Mathematics:
    """Never raises for bad input. `content` is None where the detached data were not given; `counter` for a
    counter-signature, whose content is the signature value that it signs (RFC 5652 11.4)."""
    if signer.info is None:
        return Mathematics(None, (), failure=malformed(signer.fault))
    name = "counter-signed value" if counter else "message-digest"
    try:
        digest = digest_name(signer.info["digest_algorithm"])
        scheme = signature_scheme(signer.info["signature_algorithm"])
    except UnsupportedAlgorithmError as error:
        return Mathematics(None, (Reference(name, content is not None, False),), failure=unsupported(str(error)))
    except PARSER_ERRORS as error:
        return Mathematics(None, (), failure=malformed(f"the algorithms cannot be read: {error}"))
    problems, findings = _attribute_problems(signer, message, scheme, digest, counter=counter)
    reference, problem = _message_digest(signer, content, name, digest)
    certificates = _Candidates.of(signer, message, more)
    value, certificate = _value(signer, content, certificates, digest, scheme)
    if value and problems:  # the octets fit, but they state something else than what is there, or twice
        value = False
    if signer.signed_attributes is None and reference.found:
        reference = Reference(name, found=True, intact=value is True, algorithm=digest)
    elif problem is not None:
        problems.append(problem)
    named, naming, notes = _naming(certificates, certificate)
    problems += _value_problems(value, certificate) + naming
    used = (signer.info["signature_algorithm"], certificate.public_key) if certificate is not None else None
    return Mathematics(
        value, (reference,), certificate, named, used, scheme.name, digest, _gravest(problems), tuple(findings) + notes
    )


def _gravest(problems: Iterable[Judgement]) -> Judgement | None:
    """FAILED before INDETERMINATE; among equals the first."""
    found = list(problems)
    return next((one for one in found if one.verdict is Verdict.FAILED), found[0] if found else None)


# -- attributes -------------------------------------------------------------------------------


def _attribute_problems(
    signer: Signer, message: SignedData, scheme: SignatureScheme, digest: str, *, counter: bool
) -> tuple[list[Judgement], list[Finding]]:
    problems: list[Judgement] = []
    findings: list[Finding] = []
    if message.was_ber:
        findings.append(
            Finding("BER_LENGTHS", "encoded with indefinite lengths, checked in definite form", clause="X.690 10.1")
        )
    if scheme.digest not in (None, digest):
        problems.append(malformed(f"the signature uses {scheme.digest}, the signer's digest algorithm is {digest}"))
    if signer.signed_attributes is None:
        if message.content_type != "1.2.840.113549.1.7.1" and not counter:
            problems.append(malformed("content other than id-data needs signed attributes (RFC 5652 5.3)"))
        return problems, findings
    for oid in _SINGLE:
        if len(signer.values(oid)) > 1 or sum(one.oid == oid for one in signer.signed) > 1:
            problems.append(malformed(f"the signed attribute {oid} occurs more than once (RFC 5652 11)"))
    problems += _content_type_problems(signer, message, counter=counter)
    problems += _protection_problems(signer)
    return problems, findings


def _content_type_problems(signer: Signer, message: SignedData, *, counter: bool) -> list[Judgement]:
    stated = signer.values(OID_CONTENT_TYPE)
    if counter:
        return [malformed("a counter-signature states a content type (RFC 5652 11.4)")] if stated else []
    if not stated:
        return [malformed("the content-type attribute is missing (RFC 5652 11.1)")]
    try:
        kind = core.ObjectIdentifier.load(stated[0], strict=True).dotted
    except PARSER_ERRORS as error:
        return [malformed(f"the content-type attribute cannot be read: {error}")]
    if kind != message.content_type:
        return [malformed(f"the content-type attribute says {kind}, the content is {message.content_type}")]
    return []


def _protection_problems(signer: Signer) -> list[Judgement]:
    """RFC 6211: the algorithms under protection must be those of the SignerInfo."""
    assert signer.info is not None
    for value in signer.values(_OID_ALGORITHM_PROTECTION):
        try:
            protected = cms.CMSAlgorithmProtection.load(value, strict=True)
            pairs = [(protected["digest_algorithm"], signer.info["digest_algorithm"])]
            if not isinstance(protected["signature_algorithm"], core.Void):
                pairs.append((protected["signature_algorithm"], signer.info["signature_algorithm"]))
            same = all(_same_identifier(one, other) for one, other in pairs)
        except PARSER_ERRORS as error:
            return [malformed(f"the algorithm protection attribute cannot be read: {error}")]
        if not same:
            return [malformed("the algorithm protection attribute names other algorithms (RFC 6211 2)")]
    return []


def _same_identifier(one: core.Sequence, other: core.Sequence) -> bool:
    """The same algorithm with the same parameters, octet for octet; absent and NULL are the same (RFC 5754 2)."""
    parameters = [value["parameters"].dump() for value in (one, other)]
    first, second = (b"" if octets == b"\x05\x00" else octets for octets in parameters)
    return bool(one["algorithm"].dotted == other["algorithm"].dotted) and first == second


def _message_digest(
    signer: Signer, content: Content | None, name: str, digest: str
) -> tuple[Reference, Judgement | None]:
    missing = Judgement(Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND, "the signed data were not given")
    if content is None:
        return Reference(name, found=False, intact=False, algorithm=digest), missing
    if signer.signed_attributes is None:
        return Reference(name, found=True, intact=False, algorithm=digest), None  # judged with the value
    stated = signer.values(OID_MESSAGE_DIGEST)
    try:
        values = [core.OctetString.load(value, strict=True).native for value in stated]
    except PARSER_ERRORS as error:
        return Reference(name, True, False, digest), malformed(f"the message-digest attribute cannot be read: {error}")
    if not values:
        return Reference(name, True, False, digest), malformed("the message-digest attribute is missing")
    actual = content.digest(digest)
    if all(hmac.compare_digest(value, actual) for value in values):
        return Reference(name, found=True, intact=True, algorithm=digest), None
    text = "the message-digest attribute is not the digest of the signed data"
    return Reference(name, True, False, digest), Judgement(Verdict.FAILED, SubIndication.HASH_FAILURE, text)


# -- certificates -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Candidates:
    """Certificates that may be the signer's, in the order in which they are tried."""

    named: tuple[x509.Certificate, ...]
    others: tuple[x509.Certificate, ...]
    references: tuple[SignerReference, ...]
    fault: str
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, signer: Signer, message: SignedData, more: Sequence[x509.Certificate]) -> _Candidates:
        references, fault, findings = _references(signer)
        known = (*message.certificates, *more)
        by_identifier = [one for one in known if _is_named(one, signer)]
        by_digest = [one for one in known if one not in by_identifier and any(_fits(ref, one) for ref in references)]
        fitting = [one for one in by_identifier if all(_fits(ref, one) for ref in references)]
        named = dict.fromkeys((*fitting, *by_identifier, *by_digest))
        rest = tuple(one for one in dict.fromkeys(message.certificates) if one not in named)
        return cls(tuple(named), rest, references, fault, findings)


def _references(signer: Signer) -> tuple[tuple[SignerReference, ...], str, tuple[Finding, ...]]:
    attributes = {one.oid: one.values for one in _ess(signer)}
    if not attributes:
        return (), "", ()
    try:
        found, findings = signer_references(attributes)
    except Judgement as judgement:
        return (), judgement.message, ()
    return tuple(found), "", findings


def _ess(signer: Signer) -> list[Attribute]:
    return [one for one in signer.signed if one.oid in (OID_ESS_V1, OID_ESS_V2)]


def _fits(reference: SignerReference, certificate: x509.Certificate) -> bool:
    try:
        return reference.fits(certificate)
    except PARSER_ERRORS:
        return False


def _is_named(certificate: x509.Certificate, signer: Signer) -> bool:
    assert signer.info is not None
    identifier = signer.info["sid"]
    try:
        if identifier.name == "subject_key_identifier":
            return bool(certificate.key_identifier == identifier.chosen.native)
        named = identifier.chosen
        if named["serial_number"].native != certificate.serial_number:
            return False
        return same_name(named["issuer"], certificate.issuer)
    except PARSER_ERRORS:
        return False


def _naming(
    candidates: _Candidates, certificate: x509.Certificate | None
) -> tuple[bool, list[Judgement], tuple[Finding, ...]]:
    """Whether the signing-certificate attribute names the certificate found (EN 319 102-1 5.2.3.4)."""
    findings = candidates.findings
    if candidates.fault:
        problem = Judgement(Verdict.INDETERMINATE, SubIndication.SIG_CONSTRAINTS_FAILURE, candidates.fault[:300])
        return False, [problem], findings
    if certificate is None:
        return False, [], findings
    if certificate in candidates.others:
        text = "a certificate inside fits the signature, but the signer identifier does not name it"
        findings += (Finding("SIGNER_IDENTIFIER", text, clause="RFC 5652 5.3"),)
    if not candidates.references:
        return False, [], findings
    if all(_fits(reference, certificate) for reference in candidates.references):
        return True, [], findings
    text = "the signing-certificate attribute names another certificate than the signer's (RFC 5035 5.4)"
    problem = Judgement(Verdict.INDETERMINATE, SubIndication.NO_SIGNING_CERTIFICATE_FOUND, text)
    return False, [problem], findings


# -- the signature value ----------------------------------------------------------------------


def _value(
    signer: Signer, content: Content | None, candidates: _Candidates, digest: str, scheme: SignatureScheme
) -> tuple[bool | None, x509.Certificate | None]:
    """(fits, whose certificate). None: there is no certificate, or no way to judge."""
    signed = _signed_octets(signer, content)
    if not signed or scheme.digest not in (None, digest):
        return (None if not signed else False), (candidates.named[0] if candidates.named else None)
    judged = False
    for certificate in (*candidates.named, *(() if candidates.named else candidates.others)):
        outcome = _fits_key(certificate, signer, signed, digest)
        if outcome:
            return True, certificate
        judged |= outcome is False and certificate in candidates.named
    first = candidates.named[0] if candidates.named else None
    return (False if judged else None), first


def _signed_octets(signer: Signer, content: Content | None) -> list[bytes]:
    """What the value may have been computed over: signed attributes as sent, and in DER order (RFC 5652 5.4)."""
    if signer.signed_attributes is None:
        return [content.read(MAX_DIRECT)] if content is not None else []
    sent = signer.signed_attributes
    ordered = ber.tagged(0x31, b"".join(sorted(one.raw for one in ber.children(ber.element(sent).contents))))
    return [sent] if ordered == sent else [sent, ordered]


def _fits_key(certificate: x509.Certificate, signer: Signer, signed: Sequence[bytes], digest: str) -> bool | None:
    assert signer.info is not None
    algorithm: algos.SignedDigestAlgorithm = signer.info["signature_algorithm"]
    for octets in signed:
        try:
            check_signature(certificate.public_key, algorithm, signer.signature, octets, digest=digest)
        except InvalidSignature:
            continue
        except (UnsupportedAlgorithmError, UnsupportedAlgorithm):
            return None
        except PARSER_ERRORS:
            continue
        return True
    return False


def _value_problems(value: bool | None, certificate: x509.Certificate | None) -> list[Judgement]:
    if value:
        return []
    if certificate is None:
        text = "the signer's certificate is neither inside nor given"
        return [Judgement(Verdict.INDETERMINATE, SubIndication.NO_SIGNING_CERTIFICATE_FOUND, text)]
    if value is None:
        return [unsupported("the signature algorithm, or its data are not there")]
    text = "the signature value does not fit what was signed and the signer's key"
    return [Judgement(Verdict.FAILED, SubIndication.SIG_CRYPTO_FAILURE, text)]
