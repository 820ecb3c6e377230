"""Whether an XML signature's value and references fit, and whose certificate they fit (EN 319 132-1, XMLDSig).

Rules kept here
 * Everything is looked at, as in `signing.examination.mathematics`; `failure` is the gravest of what was found.
 * A reference that calls itself one to SignedProperties or to an Object must lead to this signature's own
   (wrapping); a countersignature must lead to the value that it countersigns.
 * The signer's certificate is one that the covered SigningCertificate(V2) names; a certificate in KeyInfo whose key
   fits without being named gives no signer (EN 319 102-1 5.2.3.4). A bare public key has no certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asn1crypto import x509
from lxml import etree

from archive_core.findings import Finding, SubIndication, Verdict
from signing.examination.mathematics import Mathematics
from signing.examination.values import Reference
from signing.examination.xades_properties import (
    CertificateReference,
    Material,
    Properties,
    certificate_references,
    covers_properties,
)
from signing.judgement import PARSER_ERRORS, Judgement, malformed, unsupported
from signing.signature_math import UnsupportedAlgorithmError, signature_scheme
from signing.xml_signatures.algorithms import key_of_value
from signing.xml_signatures.names import (
    COUNTERSIGNED_TYPE,
    DS,
    MANIFEST_TYPE,
    OBJECT_TYPE,
    SIGNED_PROPERTIES_TYPES,
    elements,
)
from signing.xml_signatures.references import CheckedReference, Resolver
from signing.xml_signatures.signature import Value, XmlSignature

MAX_MANIFEST_ENTRIES = 5_000
_MANIFEST = f"{{{DS}}}Manifest"


@dataclass(frozen=True)
class Checked:
    """`mathematics` with the references of SignedInfo and of manifests in it as they were checked."""

    mathematics: Mathematics
    direct: tuple[CheckedReference, ...]
    entries: tuple[CheckedReference, ...]
    covered: bool
    """Whether the signed properties are under the signature."""


def check_xml_signature(
    signature: XmlSignature,
    properties: Properties | None,
    material: Material,
    resolver: Resolver,
    *,
    more: Sequence[x509.Certificate] = (),
    countersigned: etree._Element | None = None,
) -> Checked:
    """Never raises for bad input. `countersigned` is the SignatureValue that a counter-signature is about."""
    direct = tuple(resolver.check(reference) for reference in signature.references)
    entries = _manifest_entries(direct, resolver)
    covered = properties is not None and covers_properties(properties, direct)
    references, problems = _reported(signature, properties, direct, entries, countersigned)
    named: tuple[CertificateReference, ...] = ()
    findings: tuple[Finding, ...] = ()
    if properties is not None and covered:
        named, findings = certificate_references(properties)
    try:
        value = Value.of(signature)
        scheme = signature_scheme(value.algorithm)
    except UnsupportedAlgorithmError as error:
        return _without_value(direct, entries, covered, references, [*problems, unsupported(str(error))])
    except (*PARSER_ERRORS, etree.LxmlError, RecursionError) as error:
        failure = malformed(f"the signature value cannot be read: {error}")
        return _without_value(direct, entries, covered, references, [*problems, failure])
    found = _signer(signature, value, material, named, more)
    problems += _signer_problems(found, named)
    used = value.used_with(found.certificate.public_key) if found.certificate is not None else None
    mathematics = Mathematics(
        found.fits,
        references,
        found.certificate,
        found.named,
        used,
        scheme.name,
        scheme.digest or "",
        gravest(problems),
        findings + material.findings,
    )
    return Checked(mathematics, direct, entries, covered)


def gravest(problems: Sequence[Judgement]) -> Judgement | None:
    """FAILED before INDETERMINATE; among equals the first."""
    return next((one for one in problems if one.verdict is Verdict.FAILED), problems[0] if problems else None)


def _without_value(
    direct: tuple[CheckedReference, ...],
    entries: tuple[CheckedReference, ...],
    covered: bool,
    references: tuple[Reference, ...],
    problems: Sequence[Judgement],
) -> Checked:
    return Checked(Mathematics(None, references, failure=gravest(problems)), direct, entries, covered)


# -- references ---------------------------------------------------------------------------------


def _manifest_entries(direct: Sequence[CheckedReference], resolver: Resolver) -> tuple[CheckedReference, ...]:
    """The references in manifests that the signature refers to (XMLDSig 5.1), one level deep. What they say of data
    outside is the business of whoever has these data: it is looked at when any of it is there."""
    found: list[CheckedReference] = []
    for one in direct:
        if one.node is None or not (one.type == MANIFEST_TYPE or one.node.tag == _MANIFEST):
            continue
        manifests = [one.node] if one.node.tag == _MANIFEST else list(one.node.iter(_MANIFEST))
        for manifest in manifests:
            listed = elements(manifest, DS, "Reference")[: MAX_MANIFEST_ENTRIES - len(found)]
            found += [resolver.check(reference) for reference in listed]
    known = resolver.has_outside or any(one.found for one in found)
    return tuple(found) if known else ()


def _reported(
    signature: XmlSignature,
    properties: Properties | None,
    direct: Sequence[CheckedReference],
    entries: Sequence[CheckedReference],
    countersigned: etree._Element | None,
) -> tuple[tuple[Reference, ...], list[Judgement]]:
    references: list[Reference] = []
    problems: list[Judgement] = []
    for one in direct:
        astray = _astray(one, signature, properties)
        if astray and one.intact:
            references.append(Reference(_name(one), found=False, intact=False, algorithm=one.algorithm, indirect=True))
            problems.append(_missing(astray))
            continue
        references.append(Reference(_name(one), one.found, one.intact, one.algorithm))
        problems += _problem(one)
    for one in entries:
        references.append(Reference(f"{_name(one)} (manifest)", one.found, one.intact, one.algorithm, indirect=True))
        problems += _problem(one)
    if properties is not None and all(one.type in SIGNED_PROPERTIES_TYPES for one in direct):
        references.append(Reference("signed data", found=False, intact=False, indirect=True))
        problems.append(_missing("nothing but its own properties is under the signature"))
    if countersigned is not None:
        about = any(one.node is countersigned and one.intact for one in direct)
        references.append(Reference("countersigned value", found=True, intact=about, indirect=True))
        if not about:
            text = "the counter-signature is not over the signature value that it stands beside"
            problems.append(Judgement(Verdict.FAILED, SubIndication.HASH_FAILURE, text))
    return tuple(references), problems


def _astray(one: CheckedReference, signature: XmlSignature, properties: Properties | None) -> str:
    """Why a reference that fits does not count, or empty."""
    if one.type in SIGNED_PROPERTIES_TYPES and (properties is None or one.node is not properties.signed):
        return "the reference to the signed properties leads to others than this signature's"
    if one.type == OBJECT_TYPE and one.node is not None and one.node.getparent() is not signature.node:
        return "a reference to an Object leads to something that is no part of this signature"
    if one.type == COUNTERSIGNED_TYPE and one.node is not None and one.node.tag != f"{{{DS}}}SignatureValue":
        return "a reference to a countersigned signature leads to something else"
    return ""


def _name(one: CheckedReference) -> str:
    return (one.uri if one.uri is not None else "(no URI)")[:1000] or "(the document)"


def _problem(one: CheckedReference) -> list[Judgement]:
    name = _name(one)
    if not one.found:
        return [_missing(f"{name}: {one.problem}")]
    if one.intact:
        return []
    if one.unsupported:
        return [unsupported(f"{name}: {one.problem}")]
    return [Judgement(Verdict.FAILED, SubIndication.HASH_FAILURE, f"{name}: {one.problem}")]


def _missing(text: str) -> Judgement:
    return Judgement(Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND, text)


# -- the signer ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Signer:
    fits: bool | None
    certificate: x509.Certificate | None
    named: bool


def _signer(
    signature: XmlSignature,
    value: Value,
    material: Material,
    named: Sequence[CertificateReference],
    more: Sequence[x509.Certificate],
) -> _Signer:
    known = tuple(dict.fromkeys((*material.key_info, *material.others, *more)))
    fitting = [one for one in known if any(reference.fits(one) for reference in named)]
    answers: list[bool | None] = []
    for certificate in fitting:
        answers.append(value.fits(certificate.public_key))
        if answers[-1]:
            return _Signer(True, certificate, True)
    for certificate in material.key_info:
        if certificate not in fitting:
            answers.append(value.fits(certificate.public_key))
            if answers[-1]:
                return _Signer(True, certificate, False)
    for key_value in _key_values(signature):
        try:
            key = key_of_value(key_value)
        except (UnsupportedAlgorithmError, *PARSER_ERRORS):
            answers.append(None)
            continue
        answers.append(value.fits(key))
        if answers[-1]:
            return _Signer(True, None, False)
    fits = False if False in answers else None
    return _Signer(fits, fitting[0] if fitting else None, bool(fitting))


def _key_values(signature: XmlSignature) -> list[etree._Element]:
    return [] if signature.key_info is None else elements(signature.key_info, DS, "KeyValue")


def _signer_problems(found: _Signer, named: Sequence[CertificateReference]) -> list[Judgement]:
    if found.fits is False:
        text = "the signature value does not fit what was signed and the signer's key"
        return [Judgement(Verdict.FAILED, SubIndication.SIG_CRYPTO_FAILURE, text)]
    if found.certificate is None:
        text = "the signer's certificate is neither inside nor given"
        return [Judgement(Verdict.INDETERMINATE, SubIndication.NO_SIGNING_CERTIFICATE_FOUND, text)]
    if found.fits is None:
        return [unsupported("the signature algorithm with the signer's key")]
    if named and not found.named:
        text = "the signed properties name another certificate than the signer's (EN 319 132-1 5.2.2)"
        return [Judgement(Verdict.INDETERMINATE, SubIndication.NO_SIGNING_CERTIFICATE_FOUND, text)]
    return []
