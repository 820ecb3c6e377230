"""Where a reference leads, and whether the digest fits what lies there (W3C XMLDSig 3.2.1, 4.4.3).

Rules kept here
 * Inside the document an element is found by `Id`, `ID`, `id`, `xml:id` or `wsu:Id`; an identifier that occurs twice
   leads nowhere (signature wrapping).
 * Outside, only the data that were given are found, by name; nothing is fetched. Where one reference leads
   outside and one datum was given, its name does not matter: the digest decides.
 * The digest is over what the transforms make of it, never over what looks like it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import unquote, unquote_plus

from lxml import etree

from archive_core.digests import hash_bytes
from signing.judgement import PARSER_ERRORS
from signing.signature_math import UnsupportedAlgorithmError
from signing.xml_signatures.algorithms import digest_of
from signing.xml_signatures.names import DS, element, text_of
from signing.xml_signatures.node_sets import NodeSet
from signing.xml_signatures.reading import decode_base64
from signing.xml_signatures.transforms import Data, UnsupportedTransformError, as_octets, transformed, transforms_of

_ID_NAMES = (
    "Id",
    "ID",
    "id",
    "{http://www.w3.org/XML/1998/namespace}id",
    "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id",
)
_POINTER = re.compile(r"xpointer\(\s*id\(\s*(?P<quote>['\"])(?P<id>[^'\"]+)(?P=quote)\s*\)\s*\)")
MAX_TRIED = 20
"""Data outside that are tried where names do not fit."""
MAX_TRANSFORMED = 64 * 1024 * 1024
"""Bytes of data outside of the document that transforms are carried out on."""


class Outside(Protocol):
    """Data outside of the XML document: a detached file, an entry of a container."""

    @property
    def name(self) -> str: ...
    def read(self, most: int) -> bytes: ...
    def digest(self, algorithm: str) -> bytes: ...


class Identifiers:
    """The elements of a document by identifier."""

    def __init__(self, root: etree._Element) -> None:
        self._found: dict[str, list[etree._Element]] = {}
        for node in root.iter(etree.Element):
            for value in {node.get(name) for name in _ID_NAMES} - {None}:
                self._found.setdefault(str(value), []).append(node)

    def get(self, identifier: str) -> Sequence[etree._Element]:
        """None, one, or all elements of that identifier."""
        return self._found.get(identifier, ())


@dataclass(frozen=True)
class Target:
    """What a reference leads to. `node` is the element inside the document (None for all of it); `outside` names
    data outside."""

    data: Data | None
    node: etree._Element | None = None
    outside: Outside | None = None
    ambiguous: bool = False


@dataclass(frozen=True)
class CheckedReference:
    """A reference with what became of it. `problem` says why `intact` is False; `unsupported` that this is for a
    transform or digest that is not known here. `node` is what it leads to inside the document."""

    element: etree._Element
    uri: str | None
    type: str
    found: bool
    intact: bool
    algorithm: str = ""
    problem: str = ""
    unsupported: bool = False
    ambiguous: bool = False
    node: etree._Element | None = None
    outside: str = ""
    whole_document: bool = False


class Resolver:
    """Finds what references of one document lead to."""

    def __init__(
        self,
        root: etree._Element,
        outside: Mapping[str, Outside],
        *,
        alone: Outside | None = None,
        by_digest: bool = True,
    ) -> None:
        """`outside` by the names that references may use; `alone` is the one datum that is meant whatever it is
        called. With `by_digest`, data of other names are meant where the digest fits them."""
        self._tries = by_digest
        self._root = root
        self._outside = outside
        self._alone = alone
        self._by_digest: dict[str | None, Outside] = {}
        self.identifiers = Identifiers(root)

    @property
    def has_outside(self) -> bool:
        """Whether any data outside of the document were given."""
        return bool(self._outside)

    def target(self, uri: str | None) -> Target:
        tree = self._root.getroottree()
        if uri == "":
            return Target(NodeSet(tree, None))
        if uri is not None and uri.startswith("#"):
            return self._inside(unquote(uri[1:]), tree)
        outside = self._named(uri)
        return Target(None, outside=outside)

    def _inside(self, fragment: str, tree: etree._ElementTree) -> Target:
        if fragment == "xpointer(/)":
            return Target(NodeSet(tree, None, comments=True))
        pointer = _POINTER.fullmatch(fragment)
        found = self.identifiers.get(pointer["id"] if pointer else fragment)
        if len(found) != 1:
            return Target(None, ambiguous=len(found) > 1)
        return Target(NodeSet(tree, found[0], comments=pointer is not None), found[0])

    def _named(self, uri: str | None) -> Outside | None:
        if uri is not None:
            for name in names_meant(uri):
                if name in self._outside:
                    return self._outside[name]
        return self._by_digest.get(uri, self._alone)

    def content(self, reference: etree._Element) -> Data:
        """What a reference digests, after its transforms; raises LookupError when it is not there, ValueError when
        the transforms cannot be carried out."""
        target = self.target(reference.get("URI"))
        data = target.data
        if target.outside is not None:
            data = target.outside.read(MAX_TRANSFORMED)
        if data is None:
            raise LookupError("the data of a reference are not there")
        return transformed(data, transforms_of(reference))

    def _fitting(self, reference: etree._Element, uri: str | None) -> Target | None:
        """Of data that go by other names, those that the digest fits: they are what is meant."""
        if uri is not None and uri.startswith("#"):
            return None
        for outside in list(dict.fromkeys(self._outside.values()))[:MAX_TRIED]:
            try:
                if self._digested(reference, outside) == _stated(reference)[1]:
                    self._by_digest[uri] = outside
                    return Target(None, outside=outside)
            except (*PARSER_ERRORS, etree.LxmlError, RecursionError):
                continue
        return None

    def _digested(self, reference: etree._Element, outside: Outside | None) -> bytes:
        algorithm = _stated(reference)[0]
        if outside is not None and not transforms_of(reference):
            return outside.digest(algorithm)
        data = self.target(reference.get("URI")).data if outside is None else outside.read(MAX_TRANSFORMED)
        if data is None:
            raise LookupError("the data of a reference are not there")
        return hash_bytes(algorithm, as_octets(transformed(data, transforms_of(reference))))

    def check(self, reference: etree._Element) -> CheckedReference:
        """Find and digest; never raises for bad input."""
        uri, kind = reference.get("URI"), reference.get("Type", "")
        target = self.target(uri)
        if self._tries and target.data is None and target.outside is None and not target.ambiguous:
            target = self._fitting(reference, uri) or target
        found = target.data is not None or target.outside is not None
        known = CheckedReference(
            reference,
            uri,
            kind,
            found,
            False,
            ambiguous=target.ambiguous,
            node=target.node,
            outside=target.outside.name if target.outside is not None else "",
            whole_document=target.data is not None and target.node is None,
        )
        try:
            algorithm, stated = _stated(reference)
        except UnsupportedAlgorithmError as error:
            return replace(known, problem=str(error), unsupported=True)
        except ValueError as error:
            return replace(known, problem=f"the digest value cannot be read: {error}")
        known = replace(known, algorithm=algorithm)
        if not found:
            return replace(
                known, problem="the identifier occurs twice" if target.ambiguous else "the data are not there"
            )
        try:
            computed = self._digested(reference, target.outside)
        except (UnsupportedTransformError, UnsupportedAlgorithmError) as error:
            return replace(known, problem=str(error), unsupported=True)
        except (*PARSER_ERRORS, etree.LxmlError, RecursionError) as error:
            return replace(known, problem=f"the transforms cannot be carried out: {error}")
        if not hmac.compare_digest(computed, stated):
            return replace(known, problem="the digest does not fit the data")
        return replace(known, intact=True)


def names_meant(uri: str) -> list[str]:
    """The file names that a relative URI may mean, the plainest first: as it stands, percent-encoded, encoded as in
    forms (with + for a blank, as some signers do)."""
    forms = (uri, unquote(uri), unquote_plus(uri))
    return list(dict.fromkeys((*forms, *(form.removeprefix("./") for form in forms))))


def _stated(reference: etree._Element) -> tuple[str, bytes]:
    """The digest that stands in a reference; raises `UnsupportedAlgorithmError` and ValueError."""
    algorithm = digest_of(element(reference, DS, "DigestMethod"))
    return algorithm, decode_base64(text_of(element(reference, DS, "DigestValue")))
