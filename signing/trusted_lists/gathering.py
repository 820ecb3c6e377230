"""Gets the trusted lists that there are: a list of lists, the pivots it names, the national lists it points to.

Rules kept here
 * Only allowed addresses are asked; what is not allowed, does not answer or is no list is a finding, never silence.
 * Nothing is believed here: what came is judged by `signing.trusted_lists.book`. The octets are kept as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from archive_core.errors import ArchiveError
from archive_core.findings import Finding
from signing.trusted_lists.book import MAX_LISTS, MAX_PIVOTS
from signing.trusted_lists.reading import MAX_LIST, read_list
from signing.trusted_lists.values import TrustedList, TrustedListRefusedError

Fetch = Callable[[str, bytes | None], bytes]
"""As `signing.fetching.Fetch`: what lies at an address."""


class AllowedAddresses(Protocol):
    """As `signing.http_fetch.Allowed`."""

    def allows(self, url: str) -> bool: ...


@dataclass(frozen=True)
class Gathered:
    """The lists' octets, each once, in the order in which they came, and what was not had."""

    octets: tuple[bytes, ...]
    findings: tuple[Finding, ...]


def gather(
    location: str, *, fetch: Fetch, allowed: AllowedAddresses, territories: Collection[str] | None = None
) -> Gathered:
    """The list at an address and, where it is a list of lists, its pivots and the lists of `territories` (all without).

    Raises `TrustedListRefusedError` when the first list is not had, for nothing follows from nothing.
    """
    asking = _Asking(fetch, allowed)
    first = asking.list_at(location)
    if first is None:
        raise TrustedListRefusedError(asking.findings[-1].message)
    if first.is_list_of_lists:
        for uri in [one for one in first.information_uris if _is_pivot(one, location)][:MAX_PIVOTS]:
            asking.list_at(uri)
        wanted = None if territories is None else {one.upper() for one in territories}
        for place, territory in _national(first):
            if wanted is None or territory in wanted:
                asking.list_at(place)
        for territory in sorted((wanted or set()) - {territory for _, territory in _national(first)}):
            asking.remark(f"the list of lists points to no list of {territory}")
    return Gathered(tuple(dict.fromkeys(asking.octets)), tuple(asking.findings))


def _is_pivot(uri: str, location: str) -> bool:
    """TS 119 615 4.1.4: pivots are the XML files among the scheme's information addresses."""
    return uri.lower().endswith(".xml") and uri != location


def _national(lists: TrustedList) -> list[tuple[str, str]]:
    found = [
        (one.location, one.territory)
        for one in lists.pointers
        if one.territory != lists.territory and (not one.mime_type or "xml" in one.mime_type)
    ]
    return list(dict.fromkeys(found))[:MAX_LISTS]


class _Asking:
    """One round of fetching."""

    def __init__(self, fetch: Fetch, allowed: AllowedAddresses) -> None:
        self._fetch = fetch
        self._allowed = allowed
        self.octets: list[bytes] = []
        self.findings: list[Finding] = []

    def remark(self, text: str) -> None:
        self.findings.append(Finding("TRUSTED_LIST_NOT_HAD", text, clause="TS 119 615 4.1"))

    def list_at(self, url: str) -> TrustedList | None:
        """The list at an address, kept when it can be read."""
        if not self._allowed.allows(url):
            self.remark(f"{url[:200]} is no address that is allowed")
            return None
        try:
            octets = self._fetch(url, None)
        except (ArchiveError, OSError) as error:
            self.remark(f"{url[:200]} gives no list: {error}")
            return None
        try:
            if len(octets) > MAX_LIST:
                raise TrustedListRefusedError(f"more than {MAX_LIST} bytes")
            found = read_list(octets)
        except TrustedListRefusedError as error:
            self.remark(f"what lies at {url[:200]} is not used: {error}")
            return None
        self.octets.append(octets)
        return found
