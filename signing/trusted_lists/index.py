"""Accepted trusted lists as one index: what is asked of them is looked up, and nothing else is read.

Rules kept here
 * An index is made of lists that were accepted (`book`) and of nothing else. It is written as one JSON document, and
   read again from one whose octets the reader was told by digest: so every process need not read the lists anew.
 * Certificates are found by what they are compared by anyway: the octets of the public key, the prepared name (RFC 5280
   7.1). A match is only where to look; whoever uses a certificate judges it.
 * A certificate and a service are taken apart when somebody meets them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from asn1crypto import x509

from archive_core.findings import utc_text
from signing.certificates import load_certificate
from signing.trusted_lists.values import ANCHORS, INDEX_FORMAT, Qualifiers, Service, ServiceState, TrustedList

if TYPE_CHECKING:
    from signing.trusted_lists.book import ListBook  # loads lxml, which whoever reads an index does without


@dataclass(frozen=True)
class Found:
    """A service with the list that it is in."""

    list: TrustedList
    service: Service


def name_key(name: x509.Name) -> str:
    """The same for names that are the same."""
    return hashlib.sha256(name.hashable.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def key_key(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_key.dump()).hexdigest()[:32]


class _Listed:
    """One row: a certificate of a service."""

    def __init__(self, octets: str, service: int) -> None:
        self._octets, self.service = octets, service

    @cached_property
    def der(self) -> bytes:
        return base64.b64decode(self._octets)

    @cached_property
    def certificate(self) -> x509.Certificate:
        return load_certificate(self.der)


class ListIndex:
    """Lists without their services (`lists`, that of lists last), and services by certificate."""

    def __init__(self, document: dict[str, Any]) -> None:
        if document["format"] != INDEX_FORMAT:
            raise ValueError("not an index of trusted lists")
        self.lists = tuple(_list(one) for one in document["lists"])
        self._services: list[Any] = document["services"]
        self._made: dict[int, Found] = {}
        self._by_key: dict[str, list[_Listed]] = {}
        self._by_subject: dict[str, list[_Listed]] = {}
        self._by_issuer: dict[str, list[_Listed]] = {}
        self._rows: list[_Listed] = []
        for octets, service, key, subject, issuer in document["certificates"]:
            row = _Listed(octets, service)
            self._rows.append(row)
            self._by_key.setdefault(key, []).append(row)
            self._by_subject.setdefault(subject, []).append(row)
            self._by_issuer.setdefault(issuer, []).append(row)

    @classmethod
    def of(cls, book: ListBook) -> ListIndex:
        return cls(_document(book))

    @classmethod
    def from_bytes(cls, octets: bytes) -> ListIndex:
        """Raises ValueError, KeyError or TypeError for anything that is no index."""
        return cls(json.loads(octets))

    # -- asking -----------------------------------------------------------------------------------

    def services_of(self, certificate: x509.Certificate) -> Iterator[tuple[x509.Certificate, Found]]:
        """Services with a certificate of the same key."""
        for row in self._by_key.get(key_key(certificate), ()):
            yield row.certificate, self._found(row.service)

    def certificates_named(self, name: x509.Name) -> list[x509.Certificate]:
        return [row.certificate for row in self._by_subject.get(name_key(name), ())]

    def anchors(self) -> tuple[bytes, ...]:
        """The certificates of every service that issues certificates or time-stamps."""
        return self._anchors(self._rows)

    def anchors_named(self, name: x509.Name) -> tuple[bytes, ...]:
        """Those of them with a subject."""
        return self._anchors(self._by_subject.get(name_key(name), ()))

    def anchors_issued_by(self, name: x509.Name) -> tuple[bytes, ...]:
        """Those of them with an issuer."""
        return self._anchors(self._by_issuer.get(name_key(name), ()))

    def _anchors(self, rows: Iterable[_Listed]) -> tuple[bytes, ...]:
        chosen = (row for row in rows if any(state[0] in ANCHORS for state in self._services[row.service][3]))
        return tuple(dict.fromkeys(row.der for row in chosen))

    def _found(self, number: int) -> Found:
        if number not in self._made:
            list_, provider, name, states = self._services[number]
            service = Service(provider, name, (), (), tuple(_state(one) for one in states))
            self._made[number] = Found(self.lists[list_], service)
        return self._made[number]


# -- as a document --------------------------------------------------------------------------------


def index_bytes(book: ListBook) -> bytes:
    """The index of accepted lists, to be read by `ListIndex.from_bytes`."""
    return json.dumps(_document(book), separators=(",", ":")).encode("ascii")


def _document(book: ListBook) -> dict[str, Any]:
    lists = [*book.lists, *([book.list_of_lists] if book.list_of_lists is not None else [])]
    services: list[Any] = []
    certificates: list[Any] = []
    for number, one in enumerate(lists):
        for service in one.services:
            for der in service.certificates:
                certificate = load_certificate(der)
                names = name_key(certificate.subject), name_key(certificate.issuer)
                octets = base64.b64encode(der).decode("ascii")
                certificates.append([octets, len(services), key_key(certificate), *names])
            services.append([number, service.provider, service.name, [_state_row(state) for state in service.states]])
    return {
        "format": INDEX_FORMAT,
        "lists": [_list_row(one) for one in lists],
        "services": services,
        "certificates": certificates,
    }


def _list_row(one: TrustedList) -> dict[str, Any]:
    return {
        "version": one.version,
        "sequence": one.sequence,
        "type": one.type,
        "territory": one.territory,
        "operator": one.operator,
        "issued": utc_text(one.issued),
        "next_update": utc_text(one.next_update) if one.next_update else None,
        "sha256": one.sha256,
    }


def _list(row: dict[str, Any]) -> TrustedList:
    issued, until = datetime.fromisoformat(row["issued"]), row["next_update"]
    plain = TrustedList(pointers=(), services=(), information_uris=(), **{**row, "issued": issued, "next_update": None})
    return replace(plain, next_update=datetime.fromisoformat(until) if until else None)


def _state_row(state: ServiceState) -> list[Any]:
    qualifiers = [[sorted(one.names), _text(one)] for one in state.qualifiers]
    return [state.type, state.status, utc_text(state.since), sorted(state.purposes), qualifiers]


def _state(row: list[Any]) -> ServiceState:
    kind, status, since, purposes, qualifiers = row
    listed = tuple(_qualifiers(names, text) for names, text in qualifiers)
    return ServiceState(kind, status, datetime.fromisoformat(since), frozenset(purposes), listed)


def _text(one: Qualifiers) -> str | None:
    if one.criteria is None:
        return None
    from lxml import etree

    return str(etree.tostring(one.criteria, with_tail=False, encoding="unicode"))


def _qualifiers(names: list[str], text: str | None) -> Qualifiers:
    if text is None:
        return Qualifiers(frozenset(names), None)
    from signing.xml_signatures.reading import parse_xml  # loads lxml, for the few services that have criteria

    return Qualifiers(frozenset(names), parse_xml(text.encode()).getroot())
