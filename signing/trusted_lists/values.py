"""What a trusted list says (ETSI TS 119 612 v5 and v6), as frozen values.

Rules kept here
 * A service's states are kept newest first; the state at an instant is the newest that began at or before it, and
   before the first state nothing is known.
 * Times are UTC. Certificates are DER.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml import etree

SVC = "http://uri.etsi.org/TrstSvc/Svctype/"
STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
EXTENSION = "http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/"
CA_QC = f"{SVC}CA/QC"
QTST = f"{SVC}TSA/QTST"
ANCHORS = frozenset({CA_QC, QTST, f"{SVC}CA/PKC", f"{SVC}TSA", f"{SVC}TSA/TSS-QC", f"{SVC}NationalRootCA-QC"})
"""Services whose certificates are trust anchors: those that issue certificates or time-stamps."""
LIST_OF_LISTS = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/EUlistofthelists"
GRANTED = f"{STATUS}granted"
BEFORE_EIDAS = frozenset(f"{STATUS}{name}" for name in ("undersupervision", "supervisionincessation", "accredited"))
"""Statuses that stood for "qualified" until 1 July 2016 (TS 119 612 5.5.4, annex J)."""


INDEX_FORMAT = "trusted-archive/list-index/1"
"""The form of an index of lists (`index`). To be raised whenever the same lists are to be read in another way."""


class TrustedListRefusedError(ValueError):
    """A list that is not used: malformed, not signed, or signed by nobody who was named."""


@dataclass(frozen=True)
class Qualifiers:
    """A QualificationElement (5.5.9.2): the qualifiers that certificates get which meet the criteria."""

    names: frozenset[str]
    criteria: etree._Element | None


@dataclass(frozen=True)
class ServiceState:
    """What a service was since an instant. `purposes` are the additionalServiceInformation URIs without their
    beginning (`ForeSignatures`)."""

    type: str
    status: str
    since: datetime
    purposes: frozenset[str] = frozenset()
    qualifiers: tuple[Qualifiers, ...] = ()

    def is_granted(self, at: datetime, eidas: datetime) -> bool:
        return self.status == GRANTED or (at < eidas and self.status in BEFORE_EIDAS)


@dataclass(frozen=True)
class Service:
    """A trust service: its digital identity (certificates and key identifiers) and its states."""

    provider: str
    name: str
    certificates: tuple[bytes, ...]
    key_identifiers: tuple[bytes, ...]
    states: tuple[ServiceState, ...]

    def state(self, at: datetime) -> ServiceState | None:
        return next((one for one in self.states if one.since <= at), None)


@dataclass(frozen=True)
class Pointer:
    """A pointer to another list (5.3.13): where it is, and the certificates that may sign it."""

    location: str
    territory: str
    type: str
    mime_type: str
    signers: tuple[bytes, ...]


@dataclass(frozen=True)
class TrustedList:
    """A list that was read; nothing is said about its signature. `sha256` names the octets."""

    version: int
    sequence: int
    type: str
    territory: str
    operator: str
    issued: datetime
    next_update: datetime | None
    pointers: tuple[Pointer, ...]
    services: tuple[Service, ...]
    information_uris: tuple[str, ...]
    sha256: str

    @property
    def is_list_of_lists(self) -> bool:
        return self.type == LIST_OF_LISTS

    def is_stale(self, at: datetime) -> bool:
        """5.3.15: after NextUpdate the list is not to be used any more; without one it is closed."""
        return self.next_update is None or at > self.next_update
