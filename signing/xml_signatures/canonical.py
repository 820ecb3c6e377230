"""Canonical XML 1.0, 1.1 and exclusive (W3C), with and without comments, of node-sets.

Rules kept here
 * Names are written with the prefixes that stand in the document, namespaces and attributes in the order of the
   recommendations; nothing that is not in the node-set is written, but the xml: attributes that Canonical XML
   lets an element without its parent inherit (C14N 1.0 2.4, C14N 1.1 2.4).
 * Namespace and attribute nodes come and go with their element.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

from lxml import etree

from signing.xml_signatures.names import EXCLUSIVE, is_comment
from signing.xml_signatures.node_sets import NodeSet

_XML = "http://www.w3.org/XML/1998/namespace"
_XML_ID, _XML_BASE = f"{{{_XML}}}id", f"{{{_XML}}}base"


@dataclass(frozen=True, slots=True)
class Canonicalisation:
    """A canonicalisation method. `prefixes` is the InclusiveNamespaces PrefixList of the exclusive one."""

    exclusive: bool = False
    version_11: bool = False
    comments: bool = False
    prefixes: frozenset[str] = frozenset()


DEFAULT = Canonicalisation()
"""What turns a node-set into octets where nothing else is said (XMLDSig 4.4.3.2): C14N 1.0 without comments."""

METHODS: dict[str, Canonicalisation] = {
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315": DEFAULT,
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments": Canonicalisation(comments=True),
    "http://www.w3.org/2006/12/xml-c14n11": Canonicalisation(version_11=True),
    "http://www.w3.org/2006/12/xml-c14n11#WithComments": Canonicalisation(version_11=True, comments=True),
    EXCLUSIVE: Canonicalisation(exclusive=True),
    f"{EXCLUSIVE}WithComments": Canonicalisation(exclusive=True, comments=True),
}


def method_of(method: etree._Element | None) -> Canonicalisation:
    """The method that a CanonicalizationMethod or Transform element names; C14N 1.0 where there is no element.

    Raises ValueError with the identifier of one that is not known."""
    if method is None:
        return DEFAULT
    identifier = method.get("Algorithm", "")
    if identifier not in METHODS:
        raise ValueError(f"canonicalisation {identifier!r}")
    chosen = METHODS[identifier]
    listed = method.find(f"{{{EXCLUSIVE}}}InclusiveNamespaces")
    if not chosen.exclusive or listed is None:
        return chosen
    prefixes = frozenset("" if item == "#default" else item for item in listed.get("PrefixList", "").split())
    return Canonicalisation(True, False, chosen.comments, prefixes)


def canonical(nodes: NodeSet, method: Canonicalisation) -> bytes:
    """The node-set's octets."""
    writer = _Writer(nodes, method)
    if nodes.apex is None:
        writer.document()
    else:
        writer.node(nodes.apex, {})
    return "".join(writer.parts).encode("utf-8")


class _Writer:
    def __init__(self, nodes: NodeSet, method: Canonicalisation) -> None:
        self.parts: list[str] = []
        self._nodes = nodes
        self._method = method
        self._comments = method.comments and nodes.comments

    def document(self) -> None:
        root = self._nodes.root
        for node in reversed(list(root.itersiblings(preceding=True))):
            if self._beside(node):
                self.parts.append("\n")
        self.node(root, {})
        for node in root.itersiblings():
            mark = len(self.parts)
            if self._beside(node):
                self.parts.insert(mark, "\n")

    def _beside(self, node: etree._Element) -> bool:
        before = len(self.parts)
        if self._nodes.shows(node):
            self._markup(node)
        return len(self.parts) > before

    def _markup(self, node: etree._Element) -> None:
        """A comment or processing instruction."""
        if is_comment(node):
            if self._comments:
                self.parts.append(f"<!--{_line_ends(node.text or '')}-->")
        elif isinstance(node, etree._ProcessingInstruction):
            target = str(node.target)
            data = f" {_line_ends(node.text)}" if node.text else ""
            self.parts.append(f"<?{target}{data}?>")
        else:
            raise ValueError("an entity reference cannot be made canonical")

    def node(self, node: etree._Element, rendered: dict[str, str]) -> None:
        """An element with all that is in it, or a comment or processing instruction."""
        if node in self._nodes.hidden:
            return
        shown = self._nodes.shows(node)
        if not isinstance(node.tag, str):
            if shown:
                self._markup(node)
            return
        name = ""
        if shown:
            name = _name(node)
            rendered = self._start(node, name, rendered)
        if node.text and self._nodes.shows_text(node):
            self.parts.append(_text(node.text))
        for child in node:
            self.node(child, rendered)
            if child.tail and self._nodes.shows_tail(child):
                self.parts.append(_text(child.tail))
        if shown:
            self.parts.append(f"</{name}>")

    def _start(self, node: etree._Element, name: str, rendered: dict[str, str]) -> dict[str, str]:
        scope = {prefix or "": uri or "" for prefix, uri in node.nsmap.items() if prefix != "xml"}
        attributes = _attributes(node, scope)
        if not self._method.exclusive and not self._parent_shown(node):
            attributes = self._inherited(node, attributes)
        new = self._namespaces(name, attributes, scope, rendered)
        self.parts.append(f"<{name}")
        for prefix in sorted(new):
            self.parts.append(f' xmlns{":" if prefix else ""}{prefix}="{_value(new[prefix])}"')
        for _, qualified, value in sorted(attributes):
            if self._nodes.shows_attribute(node, qualified):
                self.parts.append(f' {qualified}="{_value(value)}"')
        self.parts.append(">")
        return {**rendered, **new} if new else rendered

    def _namespaces(
        self, name: str, attributes: list[_Attribute], scope: dict[str, str], rendered: dict[str, str]
    ) -> dict[str, str]:
        """The namespace declarations to write on this element."""
        if self._method.exclusive:
            used = {name.partition(":")[0] if ":" in name else ""}
            used.update(qualified.partition(":")[0] for _, qualified, _ in attributes if ":" in qualified)
            used.discard("xml")
            used |= self._method.prefixes & (scope.keys() | {""})
        else:
            used = {*scope, ""}
        return {prefix: scope.get(prefix, "") for prefix in used if scope.get(prefix, "") != rendered.get(prefix, "")}

    def _parent_shown(self, node: etree._Element) -> bool:
        parent = node.getparent()
        return parent is None or self._nodes.shows(parent)

    def _inherited(self, node: etree._Element, attributes: list[_Attribute]) -> list[_Attribute]:
        """With the xml: attributes of ancestors that are not in the node-set (C14N 1.0 2.4; 1.1 2.4)."""
        own = {f"{{{space}}}{local}" for (space, local), _, _ in attributes}
        added: dict[str, str] = {}
        bases: list[str] = []
        for ancestor in node.iterancestors():
            if self._method.version_11 and self._nodes.shows(ancestor):
                break
            for key, value in ancestor.attrib.items():
                if not str(key).startswith(f"{{{_XML}}}"):
                    continue
                if key == _XML_BASE and self._method.version_11:
                    bases.append(str(value))
                elif str(key) not in own and not (key == _XML_ID and self._method.version_11):
                    added.setdefault(str(key), str(value))
        if bases:
            base = ""
            for part in [*reversed(bases), node.get(_XML_BASE, "")]:
                base = urljoin(base, part)
            attributes = [one for one in attributes if one[0] != (_XML, "base")]
            if base:
                added[_XML_BASE] = base
        return attributes + [
            ((_XML, key.partition("}")[2]), f"xml:{key.partition('}')[2]}", value) for key, value in added.items()
        ]


_Attribute = tuple[tuple[str, str], str, str]
"""Namespace and local name, by which attributes are sorted; the name as written; the value."""


def _name(node: etree._Element) -> str:
    local = etree.QName(node).localname
    return f"{node.prefix}:{local}" if node.prefix else local


def _attributes(node: etree._Element, scope: dict[str, str]) -> list[_Attribute]:
    found: list[_Attribute] = []
    for number, (key, value) in enumerate(node.attrib.items(), 1):
        space, _, local = str(key)[1:].partition("}") if str(key).startswith("{") else ("", "", str(key))
        found.append(((space, local), _qualified(node, number, space, local, scope), str(value)))
    return found


def _qualified(node: etree._Element, number: int, space: str, local: str, scope: dict[str, str]) -> str:
    """The attribute's name as it is written; lxml keeps only the namespace."""
    if not space:
        return local
    if space == _XML:
        return f"xml:{local}"
    prefixes = [prefix for prefix, uri in scope.items() if uri == space and prefix]
    if len(prefixes) == 1:
        return f"{prefixes[0]}:{local}"
    return str(node.xpath("name(@*[$number])", number=number))


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def _value(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")


def _line_ends(text: str) -> str:
    return text.replace("\r", "&#xD;")
