"""One ds:Signature taken apart, and what fits in it mathematically (W3C XMLDSig 3.2, 4).

Rules kept here
 * The parts are children of the Signature element itself, each where the schema puts it; a second SignedInfo,
   SignatureValue or KeyInfo is refused, as is a signature without a reference.
 * What is signed is SignedInfo in canonical form, in its place in the document, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from asn1crypto import algos
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from lxml import etree

from signing.judgement import PARSER_ERRORS
from signing.signature_math import UnsupportedAlgorithmError
from signing.suitability import UsedSignature
from signing.xml_signatures.algorithms import check_value, signature_algorithm
from signing.xml_signatures.canonical import canonical, method_of
from signing.xml_signatures.names import DS, SIGNATURE, element, elements, local_name, namespace_of, text_of
from signing.xml_signatures.node_sets import NodeSet
from signing.xml_signatures.reading import decode_base64

MAX_SIGNATURES = 100
MAX_REFERENCES = 5_000


class MalformedSignatureError(ValueError):
    """A ds:Signature that is not built as the schema says."""


@dataclass(frozen=True)
class XmlSignature:
    """The parts of a ds:Signature. `references` are those of SignedInfo."""

    node: etree._Element
    signed_info: etree._Element
    value: etree._Element
    key_info: etree._Element | None
    objects: tuple[etree._Element, ...]
    references: tuple[etree._Element, ...]

    @property
    def identifier(self) -> str:
        return self.node.get("Id", "")


def find_signatures(root: etree._Element) -> tuple[list[etree._Element], bool]:
    """Every ds:Signature in document order, and whether that is all of them."""
    found: list[etree._Element] = []
    for node in root.iter(SIGNATURE):
        if len(found) >= MAX_SIGNATURES:
            return found, False
        found.append(node)
    return found, True


def take_apart(node: etree._Element) -> XmlSignature:
    """Raises `MalformedSignatureError`."""
    _check_order(node)
    signed_info = _only(node, "SignedInfo")
    value = _only(node, "SignatureValue")
    key_infos = elements(node, DS, "KeyInfo")
    if len(key_infos) > 1:
        raise MalformedSignatureError("a signature with more than one KeyInfo")
    references = elements(signed_info, DS, "Reference")
    if not references:
        raise MalformedSignatureError("a signature over nothing: there is no reference")
    if len(references) > MAX_REFERENCES:
        raise MalformedSignatureError(f"more than {MAX_REFERENCES} references")
    return XmlSignature(
        node,
        signed_info,
        value,
        key_infos[0] if key_infos else None,
        tuple(elements(node, DS, "Object")),
        tuple(references),
    )


def _check_order(node: etree._Element) -> None:
    """XMLDSig 4.1: SignedInfo, SignatureValue, KeyInfo, Objects, in this order and nothing else."""
    order = ("SignedInfo", "SignatureValue", "KeyInfo", "Object")
    position = 0
    for child in node:
        if not isinstance(child.tag, str):
            continue
        name = local_name(child)
        if namespace_of(child) != DS or name not in order or order.index(name) < position:
            raise MalformedSignatureError(f"a signature with an element {name[:80]!r} where it must not be")
        position = order.index(name)


def _only(node: etree._Element, name: str) -> etree._Element:
    found = elements(node, DS, name)
    if len(found) != 1:
        raise MalformedSignatureError(f"a signature with {len(found)} elements {name} where one is needed")
    return found[0]


def signed_octets(signature: XmlSignature) -> bytes:
    """SignedInfo in canonical form; raises ValueError where the method is not known."""
    method = element(signature.signed_info, DS, "CanonicalizationMethod")
    if method is None:
        raise MalformedSignatureError("no canonicalisation method is named")
    nodes = NodeSet(signature.node.getroottree(), signature.signed_info, comments=True)
    return canonical(nodes, method_of(method))


@dataclass(frozen=True)
class Value:
    """A signature value, ready to be compared with keys."""

    algorithm: algos.SignedDigestAlgorithm
    octets: bytes
    signed: bytes

    @classmethod
    def of(cls, signature: XmlSignature) -> Value:
        """Raises `UnsupportedAlgorithmError`, and ValueError where the value cannot be read."""
        method = element(signature.signed_info, DS, "SignatureMethod")
        return cls(signature_algorithm(method), decode_base64(text_of(signature.value)), signed_octets(signature))

    def fits(self, key: object) -> bool | None:
        """Whether it was made with the private key of this public one (asn1crypto); None when that cannot be judged
        here."""
        try:
            check_value(key, self.algorithm, self.octets, self.signed)
        except InvalidSignature:
            return False
        except (UnsupportedAlgorithmError, UnsupportedAlgorithm):
            return None
        except PARSER_ERRORS:
            return False
        return True

    def used_with(self, key: object) -> UsedSignature:
        return self.algorithm, key
