"""The transforms of a reference (W3C XMLDSig 4.4.3.4), carried out within limits or not at all.

Rules kept here
 * Known: canonicalisations, base64, enveloped-signature, XPath (1.0 filter) and XPath Filter 2.0. XSLT is a
   program and is never run; it and everything unknown leave as `UnsupportedTransformError` by name.
 * XPath expressions are bounded in length, and the documents they run over in size; EXSLT is off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lxml import etree

from signing.xml_signatures.canonical import DEFAULT, METHODS, canonical, method_of
from signing.xml_signatures.names import DS, FILTER2, SIGNATURE, XPATH, elements, text_of
from signing.xml_signatures.node_sets import Chosen, NodeSet
from signing.xml_signatures.reading import decode_base64, parse_xml

MAX_TRANSFORMS = 20
MAX_EXPRESSION = 4096
MAX_XPATH_NODES = 50_000

_BASE64 = f"{DS}base64"
_ENVELOPED = f"{DS}enveloped-signature"
_XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"

Data = bytes | NodeSet


class UnsupportedTransformError(ValueError):
    """A transform that is not carried out here; `str()` names it."""


@dataclass(frozen=True, slots=True)
class _Step:
    identifier: str
    element: etree._Element


def transforms_of(parent: etree._Element) -> tuple[etree._Element, ...]:
    """The Transform elements of a Reference (or of whatever has a ds:Transforms child)."""
    lists = elements(parent, DS, "Transforms")
    if len(lists) > 1:
        raise ValueError("more than one list of transforms")
    found = tuple(elements(lists[0], DS, "Transform")) if lists else ()
    if len(found) > MAX_TRANSFORMS:
        raise ValueError(f"more than {MAX_TRANSFORMS} transforms")
    return found


def transformed(data: Data, steps: Iterable[etree._Element]) -> Data:
    """Carry out the transforms in order. Raises `UnsupportedTransformError`, and ValueError where they cannot be
    applied to what is there."""
    for step in steps:
        data = _applied(data, _Step(step.get("Algorithm", ""), step))
    return data


def as_octets(data: Data, method: etree._Element | None = None) -> bytes:
    """What is digested: octets as they are, a node-set made canonical by `method` or, without one, C14N 1.0."""
    if isinstance(data, bytes):
        return data
    return canonical(data, DEFAULT if method is None else method_of(method))


def _applied(data: Data, step: _Step) -> Data:
    if step.identifier in METHODS:
        return canonical(_as_nodes(data), method_of(step.element))
    if step.identifier == _BASE64:
        return _decoded(data)
    if step.identifier == _ENVELOPED:
        return _without_signature(_as_nodes(data), step)
    if step.identifier == XPATH:
        return _filtered(_as_nodes(data), step)
    if step.identifier == FILTER2:
        return _filtered_by_sets(_as_nodes(data), step)
    if step.identifier == _XSLT:
        raise UnsupportedTransformError("an XSLT transform, which is a program and is not run")
    raise UnsupportedTransformError(f"transform {step.identifier!r}")


def _as_nodes(data: Data) -> NodeSet:
    return data if isinstance(data, NodeSet) else NodeSet(parse_xml(data), None, comments=True)


def _decoded(data: Data) -> bytes:
    if isinstance(data, bytes):
        return decode_base64(data.decode("ascii", "strict"))
    top = data.root if data.apex is None else data.apex
    pieces = [top.text or ""] if data.shows(top) else []
    for node in top.iterdescendants():
        parent = node.getparent()
        if isinstance(node.tag, str) and data.shows(node):
            pieces.append(node.text or "")
        if parent is not None and data.shows(parent):
            pieces.append(node.tail or "")
    return decode_base64("".join(pieces))


def _without_signature(nodes: NodeSet, step: _Step) -> NodeSet:
    """4.4.3.4.4: the Signature element that holds the transform is taken away."""
    for ancestor in step.element.iterancestors(SIGNATURE):
        if ancestor.getroottree().getroot() is not nodes.root:
            raise ValueError("the enveloped signature is in another document than the data")
        return nodes.without(ancestor)
    raise ValueError("an enveloped-signature transform outside of a signature")


# -- XPath --------------------------------------------------------------------------------------

_HERE = re.compile(r"\bhere\s*\(\s*\)")


def _namespaces(element: etree._Element) -> dict[str, str]:
    return {prefix: uri for prefix, uri in element.nsmap.items() if prefix and uri}


def _check_room(nodes: NodeSet) -> None:
    for count, _ in enumerate(nodes.root.iter(), 1):
        if count > MAX_XPATH_NODES:
            raise UnsupportedTransformError(f"XPath over a document of more than {MAX_XPATH_NODES} nodes")


def _filtered(nodes: NodeSet, step: _Step) -> NodeSet:
    """XMLDSig 6.6.3: the expression is asked of every node."""
    (element,) = elements(step.element, DS, "XPath") or (None,)
    if element is None:
        raise ValueError("an XPath transform without an expression")
    text = text_of(element)
    if not text or len(text) > MAX_EXPRESSION:
        raise ValueError(f"an XPath expression is empty or longer than {MAX_EXPRESSION} characters")
    _check_room(nodes)
    asked = _HERE.sub("$here", text)
    spaces = _namespaces(element)
    try:
        everything = etree.XPath(f"(//node() | /)[boolean({asked})]", namespaces=spaces, regexp=False)
        attributes = etree.XPath(f"//@*[not(boolean({asked}))]", namespaces=spaces, regexp=False)
        found = _list(everything(nodes.tree, here=[element]))
        left_out = _list(attributes(nodes.tree, here=[element]))
    except etree.LxmlError as error:
        raise ValueError(f"the XPath expression cannot be evaluated: {error}") from error
    kept: set[etree._Element] = set()
    texts: set[etree._Element] = set()
    tails: set[etree._Element] = set()
    for item in found:
        if isinstance(item, etree._Element):
            kept.add(item)
        elif isinstance(item, etree._ElementUnicodeResult):
            (tails if item.is_tail else texts).add(_owner(item))
    hidden = frozenset((item.getparent(), _written(item)) for item in left_out)
    return nodes.only(Chosen(frozenset(kept), frozenset(texts), frozenset(tails), hidden))


def _owner(text: etree._ElementUnicodeResult) -> etree._Element:
    owner = text.getparent()
    assert owner is not None
    return owner


def _list(found: object) -> list[Any]:
    """What an expression selected: nodes."""
    if not isinstance(found, list):
        raise ValueError("an XPath expression that selects no nodes")
    return found


def _written(attribute: etree._ElementUnicodeResult) -> str:
    """The name of an attribute (a "smart string") as it is written in its document."""
    owner, key = _owner(attribute), attribute.attrname
    assert key is not None
    number = list(owner.attrib).index(key) + 1
    return str(owner.xpath("name(@*[$number])", number=number))


def _filtered_by_sets(nodes: NodeSet, step: _Step) -> NodeSet:
    """XPath Filter 2.0: subtrees are intersected, subtracted, united, in order."""
    filters = elements(step.element, FILTER2, "XPath")
    if not filters:
        raise ValueError("an XPath Filter 2.0 transform without a filter")
    _check_room(nodes)
    inside: set[etree._Element] | None = None  # of the elements and other nodes; None: all
    for element in filters:
        text = _HERE.sub("$here", text_of(element))
        if not text or len(text) > MAX_EXPRESSION:
            raise ValueError(f"an XPath expression is empty or longer than {MAX_EXPRESSION} characters")
        try:
            asked = etree.XPath(text, namespaces=_namespaces(element), regexp=False)
            found = _list(asked(nodes.tree, here=[element]))
        except etree.LxmlError as error:
            raise ValueError(f"the XPath expression cannot be evaluated: {error}") from error
        if not all(isinstance(item, etree._Element) for item in found):
            raise UnsupportedTransformError("an XPath filter that selects something else than elements")
        subtrees = {node for item in found for node in item.iter()}
        everything = set(nodes.tree.iter())
        inside = everything if inside is None else inside
        kind = element.get("Filter", "")
        if kind == "intersect":
            inside = inside & subtrees
        elif kind == "subtract":
            inside = inside - subtrees
        elif kind == "union":
            inside = inside | subtrees
        else:
            raise ValueError(f"an XPath filter of kind {kind!r}")
    assert inside is not None
    tails = frozenset(node for node in nodes.tree.iter() if node.getparent() in inside)
    return nodes.only(Chosen(frozenset(inside), frozenset(inside), tails))
