"""Use case: the copies of what was destroyed go away, store by store.

The rules it follows
 * Each store owes the deletion until it holds nothing of the object; a store that is away, or that may not delete
   yet, goes on owing it and keeps no other from paying.
 * Nothing is purged in a store that does not hold the tombstone itself: it gets it first.
 * That a store is paid is an event; a debt is forgotten in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import DeletionDebt
from archive_core.errors import ArchiveError, SettingsError, StoreUnavailableError
from archive_core.holding import Holder
from archive_core.identifiers import storage_object_for, tombstone_object
from archive_core.journal import event_row
from archive_core.lifecycle import Actor
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import Clock
from archive_core.replication import Copies
from archive_core.settling import settle
from archive_core.trail.events import EventType, Outcome, new_event


class Paying:
    """Purges of destroyed objects; whoever calls holds the lease."""

    def __init__(self, *, clock: Clock, catalogue: Catalogue, copies: Copies, holder: Holder) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._holder = holder

    def pay(self, debts: Sequence[DeletionDebt], actor: Actor) -> list[DeletionDebt]:
        """Pay what can be paid; returns the debts that are left, with what was in the way."""
        left = []
        for debt in debts:
            self._holder.renew()
            try:
                self._purge(debt, actor)
            except ArchiveError as error:
                self._catalogue.failed_deletion(debt, str(error))
                left.append(debt)
        owed = {(debt.poid, debt.store) for debt in left}
        return [debt for debt in self._catalogue.deletion_debts() if (debt.poid, debt.store) in owed]

    def _purge(self, debt: DeletionDebt, actor: Actor) -> None:
        root = self._root(debt.store)
        if not root.has_object(tombstone_object(debt.poid)):
            settle(self._copies, tombstone_object(debt.poid), self._holder.renew)
            if not root.has_object(tombstone_object(debt.poid)):
                raise StoreUnavailableError("the store does not take the tombstone now", store=debt.store)
        path = root.object_path(storage_object_for(debt.poid))
        root.store.purge_object(path)
        event, detail = new_event(
            EventType.DELETION,
            Outcome.SUCCESS,
            "purged",
            at=self._clock.now(),
            actor=actor.actor_id,
            poid=debt.poid,
            subject=f"store-{debt.store}",
            detail=dict(actor.detail) or None,
        )
        self._catalogue.paid_deletion(debt, [event_row(event, detail)])

    def _root(self, store: str) -> StorageRoot:
        for root in self._copies.roots:
            if root.store.name == store:
                return root
        raise SettingsError(f"the store {store} is no longer in the settings: what it holds of this object stays there")
