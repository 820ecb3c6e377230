"""Reads a trusted list (ETSI TS 119 612 v5, v6) from an untrusted source.

Rules kept here
 * Bounded XML without a document type declaration; a structure that is not the schema's is refused with the first
   of its faults, because a list that can be read in two ways decides nothing.
 * Of names in several languages the English one is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime

from lxml import etree

from signing.certificates import load_certificate
from signing.examination.xades_properties import read_instant
from signing.judgement import PARSER_ERRORS
from signing.trusted_lists.structure import TSL, structure_problems
from signing.trusted_lists.values import (
    EXTENSION,
    Pointer,
    Qualifiers,
    Service,
    ServiceState,
    TrustedList,
    TrustedListRefusedError,
)
from signing.xml_signatures.names import element, elements, local_name, text_of
from signing.xml_signatures.reading import XmlRefusedError, decode_base64, parse_xml

MAX_LIST = 32 * 1024 * 1024
VERSIONS = (5, 6)
_SIE = "http://uri.etsi.org/TrstSvc/SvcInfoExt/eSigDir-1999-93-EC-TrustedList/#"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def parse_list(octets: bytes) -> etree._ElementTree:
    """Raises `TrustedListRefusedError`."""
    try:
        return parse_xml(octets, max_size=MAX_LIST)
    except XmlRefusedError as error:
        raise TrustedListRefusedError(f"the trusted list cannot be read: {error}") from error


def read_list(octets: bytes) -> TrustedList:
    """Raises `TrustedListRefusedError`. Nothing is said about the signature: `signing.trusted_lists.signature`."""
    root = parse_list(octets).getroot()
    scheme = element(root, TSL, "SchemeInformation")
    version = _number(scheme, "TSLVersionIdentifier")
    if problems := structure_problems(root, version):
        raise TrustedListRefusedError(f"the trusted list is not as TS 119 612 says: {problems[0]}")
    assert scheme is not None
    if version not in VERSIONS:
        raise TrustedListRefusedError(f"a trusted list of version {version}; versions 5 and 6 are read")
    next_update = element(scheme, TSL, "NextUpdate")
    providers = element(root, TSL, "TrustServiceProviderList")
    return TrustedList(
        version,
        _number(scheme, "TSLSequenceNumber"),
        text_of(element(scheme, TSL, "TSLType")),
        text_of(element(scheme, TSL, "SchemeTerritory")).upper()[:20],
        _english(element(scheme, TSL, "SchemeOperatorName")),
        _instant(text_of(element(scheme, TSL, "ListIssueDateTime")), "ListIssueDateTime"),
        _next_update(next_update),
        tuple(_pointers(element(scheme, TSL, "PointersToOtherTSL"))),
        tuple(_services(providers)),
        tuple(text_of(uri) for uri in _children(element(scheme, TSL, "SchemeInformationURI"))),
        hashlib.sha256(octets).hexdigest(),
    )


def _number(parent: etree._Element | None, name: str) -> int:
    text = "" if parent is None else text_of(element(parent, TSL, name))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise TrustedListRefusedError(f"the trusted list has no {name} that is a number")
    return int(text)


def _instant(text: str, what: str) -> datetime:
    found = read_instant(text)
    if found is None:
        raise TrustedListRefusedError(f"{what} in the trusted list is no date and time: {text[:40]!a}")
    return found


def _next_update(node: etree._Element | None) -> datetime | None:
    text = "" if node is None else text_of(element(node, TSL, "dateTime"))
    return _instant(text, "NextUpdate") if text else None


def _children(parent: etree._Element | None) -> list[etree._Element]:
    return [] if parent is None else [child for child in parent if isinstance(child.tag, str)]


def _english(names: etree._Element | None) -> str:
    listed = _children(names)
    chosen = next((one for one in listed if one.get(_LANGUAGE, "").lower().startswith("en")), None)
    return text_of(chosen if chosen is not None else next(iter(listed), None))[:500]


# -- pointers -----------------------------------------------------------------------------------


def _pointers(parent: etree._Element | None) -> Iterator[Pointer]:
    for pointer in _children(parent):
        signers = element(pointer, TSL, "ServiceDigitalIdentities")
        information = {local_name(one): text_of(one) for one in pointer.iter(etree.Element) if not len(one)}
        yield Pointer(
            text_of(element(pointer, TSL, "TSLLocation")),
            information.get("SchemeTerritory", "").upper()[:20],
            information.get("TSLType", ""),
            information.get("MimeType", ""),
            tuple(der for identity in _children(signers) for der in _certificates(identity)),
        )


def _certificates(identity: etree._Element) -> Iterator[bytes]:
    for node in identity.iter(f"{{{TSL}}}X509Certificate"):
        try:
            der = decode_base64(text_of(node))
            load_certificate(der)
        except PARSER_ERRORS:
            continue  # a certificate that nobody can read identifies no service
        yield der


# -- services -----------------------------------------------------------------------------------


def _services(parent: etree._Element | None) -> Iterator[Service]:
    for provider in _children(parent):
        information = element(provider, TSL, "TSPInformation")
        name = _english(None if information is None else element(information, TSL, "TSPName"))
        for service in _children(element(provider, TSL, "TSPServices")):
            yield _service(service, name)


def _service(service: etree._Element, provider: str) -> Service:
    current = element(service, TSL, "ServiceInformation")
    assert current is not None  # the structure was checked
    identity = element(current, TSL, "ServiceDigitalIdentity")
    assert identity is not None
    instances = [current, *_children(element(service, TSL, "ServiceHistory"))]
    states = sorted((_state(one) for one in instances), key=lambda state: state.since, reverse=True)
    identifiers = []
    for node in identity.iter(f"{{{TSL}}}X509SKI"):
        try:
            identifiers.append(decode_base64(text_of(node)))
        except ValueError:
            continue
    return Service(
        provider,
        _english(element(current, TSL, "ServiceName")),
        tuple(dict.fromkeys(_certificates(identity))),
        tuple(identifiers),
        tuple(states),
    )


def _state(instance: etree._Element) -> ServiceState:
    extensions = _children(element(instance, TSL, "ServiceInformationExtensions"))
    purposes = [
        text_of(uri)
        for extension in extensions
        for one in elements(extension, TSL, "AdditionalServiceInformation")
        for uri in elements(one, TSL, "URI")
    ]
    return ServiceState(
        text_of(element(instance, TSL, "ServiceTypeIdentifier")),
        text_of(element(instance, TSL, "ServiceStatus")),
        _instant(text_of(element(instance, TSL, "StatusStartingTime")), "StatusStartingTime"),
        frozenset(one.removeprefix(EXTENSION) for one in purposes),
        tuple(_qualifiers(extensions)),
    )


def _qualifiers(extensions: list[etree._Element]) -> Iterator[Qualifiers]:
    for extension in extensions:
        for holder in elements(extension, _SIE, "Qualifications"):
            for one in elements(holder, _SIE, "QualificationElement"):
                listed = element(one, _SIE, "Qualifiers")
                names = (child.get("uri", "") for child in _children(listed))
                criteria = element(one, _SIE, "CriteriaList")
                yield Qualifiers(frozenset(name.removeprefix(EXTENSION) for name in names), criteria)
