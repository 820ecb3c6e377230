"""Which qualifiers a certificate gets from a service's criteria, and what it says of itself
(ETSI TS 119 612 5.5.9.2, EN 319 412-5).

Rules kept here
 * Criteria that are not understood give no answer (None), which is never taken for a yes or a no.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from asn1crypto import core, x509

from signing.judgement import PARSER_ERRORS
from signing.trusted_lists.values import Qualifiers
from signing.xml_signatures.names import local_name, text_of

if TYPE_CHECKING:
    from lxml import etree

_MAX_DEPTH = 10
_USAGES = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "non_repudiation",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "crlSign": "crl_sign",
    "encipherOnly": "encipher_only",
    "decipherOnly": "decipher_only",
}
_OID_STATEMENTS = "1.3.6.1.5.5.7.1.3"
_OID_COMPLIANCE = "0.4.0.1862.1.1"
_OID_QSCD = "0.4.0.1862.1.4"
_OID_TYPE = "0.4.0.1862.1.6"
_TYPES = {"0.4.0.1862.1.6.1": "ForeSignatures", "0.4.0.1862.1.6.2": "ForeSeals"}


@dataclass(frozen=True)
class Statements:
    """The qualified certificate statements in a certificate. `types` as the purposes of services are called."""

    compliance: bool = False
    qscd: bool = False
    types: frozenset[str] = frozenset()
    other_types: bool = False


class _Statement(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar[list[object]] = [("id", core.ObjectIdentifier), ("info", core.Any, {"optional": True})]


class _Statements(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _Statement


class _Identifiers(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.ObjectIdentifier


def statements_of(certificate: x509.Certificate) -> Statements:
    """Raises ValueError (or another of `PARSER_ERRORS`) where the extension cannot be read."""
    for extension in certificate["tbs_certificate"]["extensions"]:
        if extension["extn_id"].dotted == _OID_STATEMENTS:
            return _read(_Statements.load(extension["extn_value"].contents, strict=True))
    return Statements()


def _read(listed: _Statements) -> Statements:
    compliance = qscd = other = False
    types: set[str] = set()
    for statement in listed:
        oid = statement["id"].dotted
        compliance |= oid == _OID_COMPLIANCE
        qscd |= oid == _OID_QSCD
        if oid == _OID_TYPE:
            stated = [one.dotted for one in _Identifiers.load(statement["info"].dump(), strict=True)]
            types |= {_TYPES[one] for one in stated if one in _TYPES}
            other |= any(one not in _TYPES for one in stated)
    return Statements(compliance, qscd, frozenset(types), other)


def qualifiers_of(certificate: x509.Certificate, elements: Iterable[Qualifiers]) -> tuple[frozenset[str], bool]:
    """The qualifiers whose criteria the certificate meets, and whether all criteria were understood."""
    found: set[str] = set()
    understood = True
    for one in elements:
        met = _met(certificate, one.criteria, 0)
        if met is None:
            understood = False
        elif met:
            found |= one.names
    return frozenset(found), understood


def _met(certificate: x509.Certificate, criteria: etree._Element | None, depth: int) -> bool | None:
    if criteria is None or depth > _MAX_DEPTH:
        return None
    answers = list(_answers(certificate, criteria, depth))
    wanted = criteria.get("assert", "all")
    if wanted == "all":
        return False if False in answers else (None if None in answers else True)
    if wanted == "atLeastOne":
        return True if True in answers else (None if None in answers else False)
    if wanted == "none":
        return False if True in answers else (None if None in answers else True)
    return None


def _answers(certificate: x509.Certificate, criteria: etree._Element, depth: int) -> Iterator[bool | None]:
    for child in criteria:
        name = local_name(child)
        try:
            if name == "KeyUsage":
                yield _usage(certificate, child)
            elif name == "PolicySet":
                yield _policies(certificate, child)
            elif name == "CriteriaList":
                yield _met(certificate, child, depth + 1)
            elif name == "otherCriteriaList":
                yield from (_other(certificate, one) for one in child if isinstance(one.tag, str))
            elif name not in ("", "Description"):
                yield None
        except PARSER_ERRORS:
            yield None


def _usage(certificate: x509.Certificate, criterion: etree._Element) -> bool | None:
    value = certificate.key_usage_value
    stated = set() if value is None else value.native
    for bit in criterion:
        if local_name(bit) != "KeyUsageBit":
            continue
        usage = _USAGES.get(bit.get("name", ""))
        if usage is None:
            return None
        if (usage in stated) != (text_of(bit).lower() in ("true", "1")):
            return False
    return True


def _policies(certificate: x509.Certificate, criterion: etree._Element) -> bool:
    value = certificate.certificate_policies_value
    stated = set() if value is None else {one["policy_identifier"].dotted for one in value}
    wanted = [text_of(node) for node in criterion.iter(etree.Element) if local_name(node) == "Identifier"]
    return bool(wanted) and all(_oid(one) in stated for one in wanted)


def _oid(text: str) -> str:
    lowered = text.lower()
    return text[8:] if lowered.startswith("urn:oid:") else text


def _other(certificate: x509.Certificate, criterion: etree._Element) -> bool | None:
    name = local_name(criterion)
    identifiers = [_oid(text_of(one)) for one in criterion.iter(etree.Element) if local_name(one) == "Identifier"]
    if name == "ExtendedKeyUsage" and identifiers:
        value = certificate.extended_key_usage_value
        stated = set() if value is None else {one.dotted for one in value}
        return all(one in stated for one in identifiers)
    if name == "CertSubjectDNAttribute" and identifiers:
        stated = {one["type"].dotted for part in certificate.subject.chosen for one in part}
        return all(one in stated for one in identifiers)
    return None
