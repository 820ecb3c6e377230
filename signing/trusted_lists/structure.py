"""The structure of a trusted list: which elements, in which order, how often (ETSI TS 119 612 annex C).

Rules kept here
 * The table below is the schema as far as the list's own namespace goes: sequence and cardinality; open content
   (extensions, other information) is not looked into here.
 * Version 5 knows no `type` attribute on ServiceSupplyPoint; version 6 does (2.2.1 and later).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lxml import etree

from signing.xml_signatures.names import DS, local_name, namespace_of

TSL = "http://uri.etsi.org/02231/v2#"
_MANY = 1_000_000
_ONE, _MAYBE, _SOME, _ANY = (1, 1), (0, 1), (1, _MANY), (0, _MANY)

_Sequence = tuple[tuple[str, tuple[int, int]], ...]

_NAMES: _Sequence = (("Name", _SOME),)
_URIS: _Sequence = (("URI", _SOME),)
_EXTENSIONS: _Sequence = (("Extension", _SOME),)
_SERVICE: _Sequence = (
    ("ServiceTypeIdentifier", _ONE),
    ("ServiceName", _ONE),
    ("ServiceDigitalIdentity", _ONE),
    ("ServiceStatus", _ONE),
    ("StatusStartingTime", _ONE),
)
_CHILDREN: Mapping[str, _Sequence] = {
    "TrustServiceStatusList": (
        ("SchemeInformation", _ONE),
        ("TrustServiceProviderList", _MAYBE),
        ("Signature", _MAYBE),
    ),
    "SchemeInformation": (
        ("TSLVersionIdentifier", _ONE),
        ("TSLSequenceNumber", _ONE),
        ("TSLType", _ONE),
        ("SchemeOperatorName", _ONE),
        ("SchemeOperatorAddress", _ONE),
        ("SchemeName", _ONE),
        ("SchemeInformationURI", _ONE),
        ("StatusDeterminationApproach", _ONE),
        ("SchemeTypeCommunityRules", _MAYBE),
        ("SchemeTerritory", _MAYBE),
        ("PolicyOrLegalNotice", _MAYBE),
        ("HistoricalInformationPeriod", _ONE),
        ("PointersToOtherTSL", _MAYBE),
        ("ListIssueDateTime", _ONE),
        ("NextUpdate", _ONE),
        ("DistributionPoints", _MAYBE),
        ("SchemeExtensions", _MAYBE),
    ),
    "SchemeOperatorName": _NAMES,
    "SchemeName": _NAMES,
    "SchemeOperatorAddress": (("PostalAddresses", _ONE), ("ElectronicAddress", _ONE)),
    "TSPAddress": (("PostalAddresses", _ONE), ("ElectronicAddress", _ONE)),
    "PostalAddresses": (("PostalAddress", _SOME),),
    "PostalAddress": (
        ("StreetAddress", _ONE),
        ("Locality", _ONE),
        ("StateOrProvince", _MAYBE),
        ("PostalCode", _MAYBE),
        ("CountryName", _ONE),
    ),
    "ElectronicAddress": _URIS,
    "SchemeInformationURI": _URIS,
    "SchemeTypeCommunityRules": _URIS,
    "DistributionPoints": _URIS,
    "NextUpdate": (("dateTime", _MAYBE),),
    "SchemeExtensions": _EXTENSIONS,
    "PointersToOtherTSL": (("OtherTSLPointer", _SOME),),
    "OtherTSLPointer": (
        ("ServiceDigitalIdentities", _MAYBE),
        ("TSLLocation", _ONE),
        ("AdditionalInformation", _MAYBE),
    ),
    "ServiceDigitalIdentities": (("ServiceDigitalIdentity", _SOME),),
    "ServiceDigitalIdentity": (("DigitalId", _ANY),),
    "TrustServiceProviderList": (("TrustServiceProvider", _SOME),),
    "TrustServiceProvider": (("TSPInformation", _ONE), ("TSPServices", _ONE)),
    "TSPInformation": (
        ("TSPName", _ONE),
        ("TSPTradeName", _MAYBE),
        ("TSPAddress", _ONE),
        ("TSPInformationURI", _ONE),
        ("TSPInformationExtensions", _MAYBE),
    ),
    "TSPName": _NAMES,
    "TSPTradeName": _NAMES,
    "TSPInformationURI": _URIS,
    "TSPInformationExtensions": _EXTENSIONS,
    "TSPServices": (("TSPService", _SOME),),
    "TSPService": (("ServiceInformation", _ONE), ("ServiceHistory", _MAYBE)),
    "ServiceInformation": (
        *_SERVICE,
        ("SchemeServiceDefinitionURI", _MAYBE),
        ("ServiceSupplyPoints", _MAYBE),
        ("TSPServiceDefinitionURI", _MAYBE),
        ("ServiceInformationExtensions", _MAYBE),
    ),
    "ServiceName": _NAMES,
    "SchemeServiceDefinitionURI": _URIS,
    "TSPServiceDefinitionURI": _URIS,
    "ServiceSupplyPoints": (("ServiceSupplyPoint", _SOME),),
    "ServiceInformationExtensions": _EXTENSIONS,
    "ServiceHistory": (("ServiceHistoryInstance", _ANY),),
    "ServiceHistoryInstance": (*_SERVICE, ("ServiceInformationExtensions", _MAYBE)),
}
_OPEN = frozenset({"Extension", "AdditionalInformation", "PolicyOrLegalNotice", "DigitalId"})
MAX_PROBLEMS = 20


def structure_problems(root: etree._Element, version: int) -> list[str]:
    """What is not as the schema says, in document order; at most `MAX_PROBLEMS`."""
    found: list[str] = []
    for problem in _problems(root, version):
        found.append(problem)
        if len(found) >= MAX_PROBLEMS:
            break
    return found


def _problems(root: etree._Element, version: int) -> Iterator[str]:
    if root.tag != f"{{{TSL}}}TrustServiceStatusList":
        yield "the document is no TrustServiceStatusList (TS 119 612 5.2)"
        return
    if not root.get("TSLTag"):
        yield "TrustServiceStatusList has no TSLTag (TS 119 612 5.2.1)"
    waiting = [root]
    while waiting:
        node = waiting.pop()
        name = local_name(node)
        if name in _OPEN or namespace_of(node) != TSL:
            continue
        children = [child for child in node if isinstance(child.tag, str)]
        if name in _CHILDREN:
            yield from _order(name, children)
            waiting += reversed(children)
        elif children:
            yield f"{name} has children, which it must not have"
        if name == "ServiceSupplyPoint" and version < 6 and node.attrib:
            yield f"ServiceSupplyPoint has attributes, which version {version} does not know"


def _order(name: str, children: list[etree._Element]) -> Iterator[str]:
    position = 0
    for wanted, (least, most) in _CHILDREN[name]:
        count = 0
        while position < len(children) and _is(children[position], wanted) and count < most:
            position, count = position + 1, count + 1
        if count < least:
            yield f"{name} lacks {wanted}, or not in its place"
    if position < len(children):
        yield f"{name} holds {local_name(children[position])} where it must not be"


def _is(child: etree._Element, wanted: str) -> bool:
    return local_name(child) == wanted and namespace_of(child) == (DS if wanted == "Signature" else TSL)
