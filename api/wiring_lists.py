"""The composition root of trusted lists: settings to the adapters that get and read them.

Rules kept here
 * What reads lists (lxml) is loaded when the first list is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from api.settings import ArchiveSettings
from api.wiring_signing import read_certificates
from archive_core.list_snapshots import ListMeans
from archive_core.ports import AsksLists, GatheredLists, QualifiedAnswer, ValidationData


class DeferredLists:
    """A `ListSource` and an `AsksLists` that load what they need when they are first asked."""

    def __init__(self, settings: ArchiveSettings) -> None:
        self._settings = settings
        self._asks: AsksLists | None = None

    def gather(self) -> GatheredLists:
        """See the port."""
        from signing.fetching import over_http
        from signing.http_fetch import Allowed
        from signing.trusted_lists.keeping import ConfiguredLists, Places

        given, home = self._settings.trusted_lists, self._settings.home
        signers = tuple(der for name in given.signers for der in read_certificates(home / name))
        places = Places(
            addresses=given.addresses,
            files=tuple(home / name for name in given.files),
            signers=signers or None,
            territories=given.territories or None,
        )
        fetch = over_http(given.timeout, proxy=given.proxy or None)
        return ConfiguredLists(places, fetch=fetch, allowed=Allowed([*given.addresses, *given.fetch])).gather()

    def timestamp(
        self, lists: Sequence[bytes], token: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> QualifiedAnswer:
        """See the port."""
        return self._questions().timestamp(lists, token, at=at, data=data)

    def seal(
        self, lists: Sequence[bytes], seal: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> QualifiedAnswer:
        """See the port."""
        return self._questions().seal(lists, seal, at=at, data=data)

    def _questions(self) -> AsksLists:
        if self._asks is None:
            from signing.trusted_lists.keeping import ListQuestions

            self._asks = ListQuestions()
        return self._asks


def build_lists(settings: ArchiveSettings) -> ListMeans:
    """Where trusted lists come from, if anything says so; old snapshots are read all the same."""
    made = DeferredLists(settings)
    source = made if settings.trusted_lists.configured else None
    return ListMeans(source, made, timedelta(hours=settings.trusted_lists.hours))
