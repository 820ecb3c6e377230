"""XML from untrusted sources: parsed without entities, without a network, within limits.

Rules kept here
 * No document type declaration is accepted, so there are no entities, no default attributes and no
   attribute types that a reader without it would not see.
 * Size, depth and number of elements have limits; lxml's own limits (`huge_tree` off) stay on.
 * What cannot be read is refused with `XmlRefusedError`, whatever the parser stumbled over.
"""

from __future__ import annotations

import base64
import binascii
import codecs

from lxml import etree

MAX_SIZE = 64 * 1024 * 1024
MAX_DEPTH = 150
MAX_ELEMENTS = 400_000

_BLANKS = b" \t\r\n"
_BEGINNINGS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class XmlRefusedError(ValueError):
    """The octets are not XML that is read here; `str()` says why."""


def looks_like_xml(head: bytes) -> bool:
    """Whether a document that begins with these octets may be XML."""
    for mark in _BEGINNINGS:
        if head.startswith(mark):
            head = head[len(mark) :]
    return head.replace(b"\0", b"").lstrip(_BLANKS).startswith(b"<")


def parse_xml(octets: bytes, *, max_size: int = MAX_SIZE) -> etree._ElementTree:
    """The document; raises `XmlRefusedError`."""
    if len(octets) > max_size:
        raise XmlRefusedError(f"{len(octets)} bytes of XML are more than the limit of {max_size}")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, strip_cdata=True
    )
    try:
        root = etree.fromstring(octets, parser)
    except (etree.LxmlError, ValueError, LookupError) as error:
        raise XmlRefusedError(f"not well-formed XML: {error}") from error
    tree = root.getroottree()
    if getattr(tree.docinfo, "doctype", "") or tree.docinfo.internalDTD is not None:
        raise XmlRefusedError("XML with a document type declaration is not read")
    _check_size(root)
    return tree


def _check_size(root: etree._Element) -> None:
    count = depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            count, depth = count + 1, depth + 1
            if depth > MAX_DEPTH:
                raise XmlRefusedError(f"XML nested more than {MAX_DEPTH} deep")
            if count > MAX_ELEMENTS:
                raise XmlRefusedError(f"XML with more than {MAX_ELEMENTS} elements")
        else:
            depth -= 1


def decode_base64(text: str) -> bytes:
    """xsd:base64Binary, blanks anywhere; raises ValueError for anything else."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
