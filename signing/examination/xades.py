"""XML documents with signatures in them: XAdES enveloped, enveloping and detached, and plain XMLDSig.

Rules kept here
 * Every ds:Signature in the document is one signature; one in a CounterSignature property is a counter-signature
   with its parent's id.
 * The level says what is in the signature (EN 319 132-1 6): B needs signed properties under the signature that
   name the signer's certificate.
 * What is outside of the document is found only among the detached data that were given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from archive_core.findings import Finding
from archive_core.ports import ValidationData
from signing.examination.documents import Document, TooLargeError
from signing.examination.evidence import not_judged
from signing.examination.facts import certificate_facts
from signing.examination.judging import Facts, conclude
from signing.examination.material import listed
from signing.examination.mathematics import Mathematics
from signing.examination.stamping import examine_stamps, proven_time
from signing.examination.trust import ExaminationTrust
from signing.examination.values import (
    Coverage,
    DocumentFormat,
    EvidenceExamination,
    Examination,
    Level,
    SignatureExamination,
    SignatureFormat,
    TimestampExamination,
    TimestampKind,
    not_examined,
)
from signing.examination.xades_mathematics import Checked, check_xml_signature, gravest
from signing.examination.xades_properties import (
    Properties,
    claimed_time,
    evidence_records,
    material_of,
    policy,
    properties_of,
)
from signing.examination.xades_stamps import stamps_of
from signing.judgement import PARSER_ERRORS, Judgement, malformed
from signing.signature_math import UnsupportedAlgorithmError
from signing.suitability import algorithms_of
from signing.xml_signatures.names import DS, FILTER2, SIGNATURE, XPATH, local_name, text_of
from signing.xml_signatures.reading import MAX_SIZE, XmlRefusedError, looks_like_xml, parse_xml
from signing.xml_signatures.references import CheckedReference, Outside, Resolver
from signing.xml_signatures.signature import MalformedSignatureError, XmlSignature, find_signatures, take_apart

_XML_EVIDENCE = "{urn:ietf:params:xml:ns:ers}EvidenceRecord"


def recognises(head: bytes) -> bool:
    return looks_like_xml(head)


def examine(document: Document, *, detached: Sequence[Document], trust: ExaminationTrust, at: datetime) -> Examination:
    """Every signature in an XML document. What cannot be read is "not examined", with the reason."""
    try:
        tree = parse_xml(document.read(MAX_SIZE))
    except (TooLargeError, XmlRefusedError) as error:
        return not_examined(document.name, DocumentFormat.XML, f"not examined: {error}", at=at, size=document.size)
    if tree.getroot().tag == _XML_EVIDENCE:
        reason = "not examined: an evidence record in XML (RFC 6283)"
        return not_examined(document.name, DocumentFormat.XML, reason, at=at, size=document.size)
    found, complete = examine_tree(tree, {one.name: one for one in detached}, trust=trust, at=at)
    return Examination(
        document.name,
        DocumentFormat.XML,
        examined=True,
        at=at,
        complete=complete,
        signatures=found,
        evidence_records=sum(one.evidence_records for one in found),
        size=document.size,
        sha256=document.digest("sha256").hex(),
        findings=() if complete else (Finding("SIGNATURE_LIMIT", "there are more signatures than are looked at"),),
    )


@dataclass(frozen=True)
class Container:
    """What is around an XML signature in a container. `stamps` are time-stamps outside that cover the signature,
    `existence` is what an evidence record outside proves; `failure` says what the container's format found wrong. In a
    container names alone say which data are meant."""

    prefix: str = ""
    stamps: tuple[TimestampExamination, ...] = ()
    existence: datetime | None = None
    failure: Judgement | None = None


def examine_tree(
    tree: etree._ElementTree,
    outside: Mapping[str, Outside],
    *,
    trust: ExaminationTrust,
    at: datetime,
    around: Container | None = None,
) -> tuple[tuple[SignatureExamination, ...], bool]:
    """Every signature of a document that was read, and whether these are all. `outside` by the names that
    references use. Never raises for bad input."""
    nodes, complete = find_signatures(tree.getroot())
    alone = _alone(nodes, outside) if around is None else None
    resolver = Resolver(tree.getroot(), outside, alone=alone, by_digest=around is None)
    around = around or Container()
    places: dict[etree._Element, str] = {}
    found: list[SignatureExamination] = []
    for node in nodes:
        parent = _countersigned(node)
        places[node] = _place(around.prefix, places, parent)
        found.append(_One(node, parent, places, resolver, trust, at, around).examined())
    return tuple(found), complete


def _place(prefix: str, places: Mapping[etree._Element, str], parent: etree._Element | None) -> str:
    if parent is not None and parent in places:
        beside = sum(_countersigned(one) is parent for one in places)
        return f"{places[parent]} counter-signature {beside + 1}"
    alone = sum(_countersigned(one) is None for one in places)
    return f"{prefix}signature {alone + 1}"


def _countersigned(node: etree._Element) -> etree._Element | None:
    """The signature in whose CounterSignature property this one stands."""
    holder = node.getparent()
    if holder is None or local_name(holder) != "CounterSignature":
        return None
    return next(holder.iterancestors(SIGNATURE), None)


def _alone(nodes: Iterable[etree._Element], outside: Mapping[str, Outside]) -> Outside | None:
    """The one datum given, where references to one place lead outside: it is meant, whatever it is called."""
    if len(outside) != 1:
        return None
    uris = {reference.get("URI") for node in nodes for reference in node.iter(f"{{{DS}}}Reference")}
    leading_out = [uri for uri in uris if uri is None or (uri and not uri.startswith("#"))]
    return next(iter(outside.values())) if len(leading_out) == 1 else None


class _One:
    """One ds:Signature on the way to its `SignatureExamination`."""

    def __init__(
        self,
        node: etree._Element,
        parent: etree._Element | None,
        places: Mapping[etree._Element, str],
        resolver: Resolver,
        trust: ExaminationTrust,
        at: datetime,
        around: Container,
    ) -> None:
        self.node, self.parent, self.resolver = node, parent, resolver
        self.place, self.parent_place = places[node], places.get(parent, "") if parent is not None else ""
        self.trust, self.at, self.around = trust, at, around

    def examined(self) -> SignatureExamination:
        try:
            signature = take_apart(self.node)
        except MalformedSignatureError as error:
            return self._malformed(error)
        properties = properties_of(signature)
        material = material_of(signature, properties)
        data = material.validation_data
        more = self.trust.candidates()
        countersigned = None if self.parent is None else self.parent.find(f"{{{DS}}}SignatureValue")
        checked = check_xml_signature(
            signature, properties, material, self.resolver, more=more, countersigned=countersigned
        )
        mathematics = checked.mathematics
        tokens, notes = stamps_of(signature, properties, self.resolver, prefix=f"{self.place} time-stamp ")
        control = min(proven_time(self.around.stamps) or self.at, self.at)
        stamps = examine_stamps(tokens, trust=self.trust, at=control, data=data)
        problems = [one for one in (mathematics.failure, self.around.failure) if one is not None]
        facts = Facts(
            failure=gravest(problems),
            references=mathematics.references,
            certificate=mathematics.certificate,
            used=mathematics.used,
            digests=tuple(sorted({one.algorithm for one in mathematics.references if one.algorithm})),
            material=data,
            timestamps=(*stamps, *self.around.stamps),
            existence=self.around.existence,
        )
        conclusion = conclude(facts, trust=self.trust, at=self.at)
        records = self._records(properties)
        coverage, covers = _covered(signature, properties, checked, self.parent_place)
        certificate = mathematics.certificate
        return SignatureExamination(
            self.place,
            SignatureFormat.XML_DSIG if properties is None else SignatureFormat.XADES,
            conclusion.verdict,
            conclusion.sub_indication,
            conclusion.message,
            mathematics.value_intact,
            mathematics.references,
            level=_level(properties, checked, (*stamps, *self.around.stamps), data),
            signer=certificate_facts(certificate) if certificate is not None else None,
            claimed_time=claimed_time(properties) if properties is not None and checked.covered else None,
            proven_time=conclusion.proven_time,
            signature_algorithm=mathematics.scheme,
            digest_algorithm=mathematics.digest,
            policy=policy(properties) if properties is not None and checked.covered else "",
            coverage=coverage,
            covers=covers,
            qualified=conclusion.qualified,
            timestamps=stamps,
            evidence_records=len(records),
            records=records,
            test_trust=conclusion.test_trust,
            parent=self.parent_place,
            used=listed(data, "signature"),
            missing=conclusion.missing,
            findings=(
                *_remarks(properties, checked),
                *_weak(facts, self.trust, self.at),
                *notes,
                *mathematics.findings,
                *conclusion.findings,
            ),
        )

    def _records(self, properties: Properties | None) -> tuple[EvidenceExamination, ...]:
        return tuple(
            not_judged(f"{self.place} evidence record {number}", "an evidence record in an XML signature is not judged")
            for number, _ in enumerate(evidence_records(properties), start=1)
        )

    def _malformed(self, error: MalformedSignatureError) -> SignatureExamination:
        failure = malformed(str(error))
        return SignatureExamination(
            self.place,
            SignatureFormat.XML_DSIG,
            failure.verdict,
            failure.sub_indication,
            failure.message,
            None,
            (),
            parent=self.parent_place,
        )


def _level(
    properties: Properties | None, checked: Checked, stamps: Iterable[TimestampExamination], data: ValidationData
) -> Level:
    if properties is None or not checked.covered or not _names_signer(properties, checked.mathematics):
        return Level.NONE
    kinds = {one.kind for one in stamps}
    if TimestampKind.SIGNATURE not in kinds:
        return Level.B
    if not (data.crls or data.ocsps):
        return Level.T
    return Level.LTA if kinds & {TimestampKind.ARCHIVE, TimestampKind.CONTAINER} else Level.LT


def _names_signer(properties: Properties, mathematics: Mathematics) -> bool:
    stated = (properties.signature_property(name) for name in ("SigningCertificateV2", "SigningCertificate"))
    return mathematics.names_certificate or any(one is not None for one in stated)


def _remarks(properties: Properties | None, checked: Checked) -> tuple[Finding, ...]:
    found: list[Finding] = []
    if properties is not None and not checked.covered:
        text = "the signed properties are not under the signature: what they say proves nothing"
        found.append(Finding("SIGNED_PROPERTIES_NOT_COVERED", text, clause="EN 319 132-1 4.4.2"))
    if any(one.node is not None and one.node.tag == f"{{{DS}}}Manifest" for one in checked.direct):
        text = "a manifest is signed; of what it names outside, only data that were given are looked at"
        found.append(Finding("MANIFEST", text, clause="XMLDSig 5.1"))
    for one in (*checked.direct, *checked.entries):
        if one.ambiguous:
            text = "several elements have the identifier that a reference names"
            found.append(Finding("DUPLICATE_ID", text, where=(one.uri or "")[:200], clause="XMLDSig 4.4.3.2"))
        elif one.problem and not one.intact:
            found.append(Finding("REFERENCE", one.problem, where=(one.uri or "")[:200], clause="XMLDSig 3.2.1"))
    return tuple(found)


def _weak(facts: Facts, trust: ExaminationTrust, at: datetime) -> tuple[Finding, ...]:
    """Digests and signature schemes that are not suitable at the instant of judgement, trusted or not."""
    try:
        digests, schemes = algorithms_of([facts.used] if facts.used is not None else [], facts.digests)
    except (UnsupportedAlgorithmError, *PARSER_ERRORS):
        return ()  # told as the failure of the signature
    said = [(name, trust.algorithms.digest(name, at=at)) for name in digests]
    said += [(f"{name} with {bits} bits", trust.algorithms.signature(name, bits, at=at)) for name, bits in schemes]
    return tuple(
        Finding("WEAK_ALGORITHM", f"{what}: {one.reason}", clause="EN 319 102-1 5.2.8")
        for what, one in said
        if not one.good
    )


# -- what is covered ----------------------------------------------------------------------------


def _covered(
    signature: XmlSignature, properties: Properties | None, checked: Checked, parent: str
) -> tuple[Coverage, tuple[str, ...]]:
    data = [one for one in checked.direct if properties is None or one.node is not properties.signed]
    entries = [one for one in checked.entries if one.intact]
    covers = tuple(dict.fromkeys(_words(one, parent) for one in (*data, *entries) if one.intact))
    if any(one.intact and _covers_whole(one, signature) for one in data):
        return Coverage.WHOLE, covers
    if not covers:
        return Coverage.UNCLEAR, ()
    if all(one.outside for one in data if one.intact):
        return Coverage.DETACHED, covers
    return Coverage.PART, covers


def _words(one: CheckedReference, parent: str) -> str:
    if one.outside:
        return one.outside[:200]
    if one.whole_document:
        return "the document"
    if parent and one.node is not None and one.node.tag == f"{{{DS}}}SignatureValue":
        return f"value of {parent}"
    name = local_name(one.node) if one.node is not None else ""
    return f"{name} {(one.uri or '')[:200]}".strip()


def _covers_whole(one: CheckedReference, signature: XmlSignature) -> bool:
    """The document with nothing but this signature taken away; other filters may take away more."""
    root = signature.node.getroottree().getroot()
    if not (one.whole_document or one.node is root):
        return False
    steps = list(one.element.iter(f"{{{DS}}}Transform"))
    return all(step.get("Algorithm") not in (XPATH, FILTER2) or _hides_signatures(step) for step in steps)


_NOT_SIGNATURES = re.compile(r"not\(\s*ancestor-or-self::(?P<prefix>[\w.-]+):Signature\s*\)")
_SIGNATURES = re.compile(r"(/descendant::|//)(?P<prefix>[\w.-]+):Signature")


def _hides_signatures(step: etree._Element) -> bool:
    """Whether a filter is one of the two usual ones that take away signatures and nothing else."""
    expressions = [node for node in step if local_name(node) == "XPath"]
    if len(expressions) != 1:
        return False
    (node,) = expressions
    kind = node.get("Filter")
    match = (_NOT_SIGNATURES if kind is None else _SIGNATURES).fullmatch(text_of(node))
    return match is not None and kind in (None, "subtract") and node.nsmap.get(match["prefix"]) == DS
