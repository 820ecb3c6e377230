"""The time-stamps in an XML signature, and the octets that each should cover (ETSI EN 319 132-1 5.4, 5.5, annex A).

Rules kept here
 * The octets are computed from the signature as it stands; a token copied from elsewhere does not fit them.
 * Where editions of XAdES differ about what an archive time-stamp covers, each edition's octets are tried; what
   fits none of them is not intact. What cannot be found gives no octets: not found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from lxml import etree

from archive_core.digests import hash_bytes
from archive_core.findings import Finding
from signing.examination.stamping import Stamp
from signing.examination.values import TimestampKind
from signing.examination.xades_properties import Properties
from signing.judgement import PARSER_ERRORS
from signing.xml_signatures.canonical import DEFAULT, canonical, method_of
from signing.xml_signatures.names import DS, XADES_141, element, local_name, namespace_of, text_of
from signing.xml_signatures.node_sets import NodeSet
from signing.xml_signatures.reading import decode_base64
from signing.xml_signatures.references import Resolver
from signing.xml_signatures.signature import XmlSignature
from signing.xml_signatures.transforms import as_octets

MAX_STAMPS = 100

_KINDS = {
    "AllDataObjectsTimeStamp": TimestampKind.CONTENT,
    "IndividualDataObjectsTimeStamp": TimestampKind.CONTENT,
    "SignatureTimeStamp": TimestampKind.SIGNATURE,
    "SigAndRefsTimeStamp": TimestampKind.REFERENCES,
    "SigAndRefsTimeStampV2": TimestampKind.REFERENCES,
    "RefsOnlyTimeStamp": TimestampKind.REFERENCES_ONLY,
    "RefsOnlyTimeStampV2": TimestampKind.REFERENCES_ONLY,
    "ArchiveTimeStamp": TimestampKind.ARCHIVE,
    "ArchiveTimeStampV2": TimestampKind.ARCHIVE,
}
_REFERENCE_NAMES = (
    "CompleteCertificateRefs",
    "CompleteCertificateRefsV2",
    "CompleteRevocationRefs",
    "AttributeCertificateRefs",
    "AttributeCertificateRefsV2",
    "AttributeRevocationRefs",
)


@dataclass(frozen=True)
class _Around:
    """A signature with what its time-stamps may cover."""

    signature: XmlSignature
    properties: Properties
    resolver: Resolver


def stamps_of(
    signature: XmlSignature, properties: Properties | None, resolver: Resolver, *, prefix: str
) -> tuple[tuple[Stamp, ...], tuple[Finding, ...]]:
    """Every time-stamp token in the signature; `prefix` begins their identifiers."""
    if properties is None:
        return (), ()
    around = _Around(signature, properties, resolver)
    stamps: list[Stamp] = []
    findings: list[Finding] = []
    for holder in _holders(properties):
        tokens, notes = _tokens(holder)
        findings += notes
        before = frozenset(one.id for one in stamps)
        for token in tokens:
            if len(stamps) >= MAX_STAMPS:
                findings.append(Finding("TIMESTAMP_LIMIT", f"only {MAX_STAMPS} time-stamps are looked at"))
                return tuple(stamps), tuple(findings)
            name = local_name(holder)
            identifier = f"{prefix}T{len(stamps) + 1}"
            imprints = _imprints(around, holder)
            stamps.append(Stamp(identifier, _KINDS[name], token, imprints, covers=name, protects=before))
    return tuple(stamps), tuple(findings)


def _holders(properties: Properties) -> Iterator[etree._Element]:
    for name in ("AllDataObjectsTimeStamp", "IndividualDataObjectsTimeStamp"):
        yield from properties.data_properties(name)
    for one in properties.unsigned:
        if local_name(one) in _KINDS:
            yield one


def _tokens(holder: etree._Element) -> tuple[list[bytes], list[Finding]]:
    tokens: list[bytes] = []
    findings: list[Finding] = []
    for child in holder:
        if local_name(child) == "EncapsulatedTimeStamp":
            try:
                tokens.append(decode_base64(text_of(child)))
            except ValueError as error:
                findings.append(Finding("TIMESTAMP_UNREADABLE", f"a time-stamp in {local_name(holder)}: {error}"))
        elif local_name(child) == "XMLTimeStamp":
            findings.append(Finding("TIMESTAMP_UNREADABLE", "an XML time-stamp, which is not examined"))
    return tokens, findings


def _imprints(around: _Around, holder: etree._Element) -> Callable[[str], Iterable[bytes]]:
    def imprints(algorithm: str) -> Iterable[bytes]:
        seen: set[bytes] = set()
        for octets in _covered(around, holder):
            value = hash_bytes(algorithm, octets)
            if value not in seen:
                seen.add(value)
                yield value

    return imprints


def _covered(around: _Around, holder: etree._Element) -> Iterator[bytes]:
    """The octets that a time-stamp may be over; none when something of it is not there."""
    name = local_name(holder)
    try:
        if name == "AllDataObjectsTimeStamp":
            yield b"".join(_data_objects(around, holder))
        elif name == "IndividualDataObjectsTimeStamp":
            yield b"".join(_included(around, holder))
        elif name == "SignatureTimeStamp":
            yield _node(around, around.signature.value, holder)
        elif name.startswith("SigAndRefs"):
            value = _node(around, around.signature.value, holder)
            yield value + _before(around, holder, ("SignatureTimeStamp", *_REFERENCE_NAMES))
        elif name.startswith("RefsOnly"):
            yield _before(around, holder, _REFERENCE_NAMES)
        else:
            yield from _archived(around, holder)
    except LookupError:
        return
    except (*PARSER_ERRORS, etree.LxmlError, RecursionError):
        return  # what cannot be put together was not found


def _method(holder: etree._Element) -> etree._Element | None:
    method = element(holder, DS, "CanonicalizationMethod")
    return None if method is None or not method.get("Algorithm") else method


def _node(around: _Around, node: etree._Element, holder: etree._Element) -> bytes:
    method = _method(holder)
    nodes = NodeSet(around.signature.node.getroottree(), node, comments=True)
    return canonical(nodes, DEFAULT if method is None else method_of(method))


def _data_objects(around: _Around, holder: etree._Element) -> Iterator[bytes]:
    """Every reference but the one to the signed properties, in order (5.2.8.1)."""
    for reference in around.signature.references:
        if around.resolver.target(reference.get("URI")).node is not around.properties.signed:
            yield as_octets(around.resolver.content(reference), _method(holder))


def _included(around: _Around, holder: etree._Element) -> Iterator[bytes]:
    """The references that Include elements name, in order (5.2.8.2)."""
    by_name = {f"#{reference.get('Id')}": reference for reference in around.signature.references}
    for child in holder:
        if local_name(child) == "Include":
            yield as_octets(around.resolver.content(by_name[child.get("URI", "")]), _method(holder))


def _before(around: _Around, holder: etree._Element, names: Iterable[str]) -> bytes:
    """The unsigned properties of these names before the time-stamp, in order."""
    parts: list[bytes] = []
    for one in around.properties.unsigned:
        if one is holder:
            break
        if local_name(one) in names:
            parts.append(_node(around, one, holder))
    return b"".join(parts)


def _archived(around: _Around, holder: etree._Element) -> Iterator[bytes]:
    """ArchiveTimeStamp (5.5.2.2; TS 101 903 1.3.2 7.7.1): references, SignedInfo, value, key, unsigned properties
    before it, objects."""
    signature = around.signature
    data = b"".join(as_octets(around.resolver.content(one), _method(holder)) for one in signature.references)
    parts = [signature.signed_info, signature.value]
    parts += [signature.key_info] if signature.key_info is not None else []
    core = b"".join(_node(around, part, holder) for part in parts)
    unsigned = _before(around, holder, {local_name(one) for one in around.properties.unsigned})
    for objects in _object_choices(around, holder):
        yield data + core + unsigned + b"".join(_node(around, one, holder) for one in objects)


def _object_choices(around: _Around, holder: etree._Element) -> Iterator[list[etree._Element]]:
    """Which ds:Object elements follow: those not under a reference and without the qualifying properties (1.4.1,
    EN); all but the latter; for 1.3.2 also all."""
    own = around.properties.qualifying.getparent()
    others = [one for one in around.signature.objects if one is not own]
    referred = {around.resolver.target(reference.get("URI")).node for reference in around.signature.references}
    free = [one for one in others if one not in referred]
    if namespace_of(holder) == XADES_141:
        yield free
        if len(free) != len(others):
            yield others
        return
    yield free
    yield others
    yield list(around.signature.objects)
