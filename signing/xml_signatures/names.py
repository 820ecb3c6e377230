"""Namespaces and algorithm identifiers of XML signatures (W3C XMLDSig 1.1, RFC 9231, ETSI EN 319 132-1)."""

from __future__ import annotations

from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES_VERSIONS = (
    "http://uri.etsi.org/01903/v1.3.2#",
    "http://uri.etsi.org/01903/v1.2.2#",
    "http://uri.etsi.org/01903/v1.1.1#",
)
"""The XAdES namespaces whose properties are read, newest first."""
XADES_141 = "http://uri.etsi.org/01903/v1.4.1#"
XADES_EN = "http://uri.etsi.org/19132/v1.1.1#"
"""ETSI TS 119 132-3: evidence records in signatures."""
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
FILTER2 = "http://www.w3.org/2002/06/xmldsig-filter2"

SIGNATURE = f"{{{DS}}}Signature"
SIGNED_PROPERTIES_TYPES = frozenset(
    {
        "http://uri.etsi.org/01903#SignedProperties",
        *(f"{namespace}SignedProperties" for namespace in XADES_VERSIONS),
    }
)
COUNTERSIGNED_TYPE = "http://uri.etsi.org/01903#CountersignedSignature"
MANIFEST_TYPE = f"{DS}Manifest"
OBJECT_TYPE = f"{DS}Object"

DIGESTS: dict[str, str] = {
    f"{DS}sha1": "sha1",
    "http://www.w3.org/2001/04/xmldsig-more#sha224": "sha224",
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
    "http://www.w3.org/2001/04/xmlenc#ripemd160": "ripemd160",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-224": "sha3-224",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-256": "sha3-256",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-384": "sha3-384",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-512": "sha3-512",
}
"""Digest algorithm identifiers to our names."""


def elements(parent: etree._Element, namespace: str | tuple[str, ...], name: str) -> list[etree._Element]:
    """The children of that name, comments and processing instructions left out."""
    spaces = (namespace,) if isinstance(namespace, str) else namespace
    wanted = {f"{{{space}}}{name}" for space in spaces}
    return [child for child in parent if isinstance(child.tag, str) and child.tag in wanted]


def element(parent: etree._Element, namespace: str | tuple[str, ...], name: str) -> etree._Element | None:
    """The first child of that name, or None."""
    return next(iter(elements(parent, namespace, name)), None)


def is_comment(node: etree._Element) -> bool:
    return isinstance(node, etree._Comment)


def local_name(node: etree._Element) -> str:
    """The element's name without its namespace; empty for comments and processing instructions."""
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def namespace_of(node: etree._Element) -> str:
    return (etree.QName(node).namespace or "") if isinstance(node.tag, str) else ""


def text_of(node: etree._Element | None) -> str:
    """The element's own text without surrounding blanks, comments inside it passed over; empty for None."""
    if node is None:
        return ""
    return ((node.text or "") + "".join(child.tail or "" for child in node)).strip()
