"""The catalogue: what the archive holds, in a database that can be lost.

Rules kept here
 * The stores are the truth. Everything here that a user was told stands in the stores too, and the
   catalogue is rebuilt from them into a new database. What is here only: API keys, jobs, leases and
   open claims.
 * Each method is one transaction, durable when it returns, and safe under several processes.
 * Bytes go to the stores first, then rows come here; reading goes the other way.
 * The methods of a subject are in its module: claims, versions, batches, renewals, tombstones, debts of
   copies, examinations, legal holds, events, leases, access.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from sqlalchemy import Engine

from archive_core.catalogue.access import Access
from archive_core.catalogue.batches import Batches
from archive_core.catalogue.changes import ChangeFeed
from archive_core.catalogue.claims import Claims
from archive_core.catalogue.copy_debts import CopyDebts
from archive_core.catalogue.events import Events
from archive_core.catalogue.examinations import Examinations
from archive_core.catalogue.holds import LegalHolds
from archive_core.catalogue.leases import Leases
from archive_core.catalogue.originators import Originators
from archive_core.catalogue.renewals import Renewals
from archive_core.catalogue.schema import require_current, upgrade
from archive_core.catalogue.searching import SearchIndex
from archive_core.catalogue.session import open_engine
from archive_core.catalogue.tombstones import Tombstones
from archive_core.catalogue.unfinished import begin, finish, require_whole
from archive_core.catalogue.versions import Versions


class Catalogue(
    Claims,
    Versions,
    Batches,
    Renewals,
    Tombstones,
    CopyDebts,
    Examinations,
    LegalHolds,
    Events,
    Leases,
    Access,
    Originators,
    ChangeFeed,
    SearchIndex,
):
    """All methods over one engine, whose schema is taken to be current."""

    @property
    def engine(self) -> Engine:
        return self._engine

    @classmethod
    def open(cls, url: str) -> Self:
        """An existing catalogue; raises SchemaOutOfDateError when its schema is another than ours, and
        CatalogueUnfinishedError when a rebuild of it was broken off."""
        return cls._over(open_engine(url), require_current, require_whole)

    @classmethod
    def create(cls, url: str) -> Self:
        """A catalogue with the current schema, made or upgraded where needed; raises
        CatalogueUnfinishedError when a rebuild of it was broken off."""
        return cls._over(open_engine(url), upgrade, require_whole)

    @classmethod
    def create_for_rebuild(cls, url: str) -> Self:
        """As `create`, marked as unfinished until `finish_rebuild`; what a rebuild that was broken off
        has left is removed. Raises ConflictError when the database holds anything else."""
        return cls._over(open_engine(url), upgrade, begin)

    def finish_rebuild(self) -> None:
        """The rebuilt catalogue is whole and may be opened."""
        finish(self._engine)

    @classmethod
    def _over(cls, engine: Engine, *prepare: Callable[[Engine], None]) -> Self:
        try:
            for step in prepare:
                step(engine)
        except BaseException:
            engine.dispose()  # nobody else can: the engine goes no further
            raise
        return cls(engine)

    def close(self) -> None:
        """Give up the engine's connections."""
        self._engine.dispose()
