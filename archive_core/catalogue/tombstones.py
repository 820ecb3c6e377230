"""Tombstones and what is still owed of them: objects that were destroyed, in the catalogue's words.

Rules kept here
 * A destruction is noted before any store is written, with a claim on the object's next version, so that no update
   begins meanwhile; what an interruption leaves is found by that note.
 * It is complete in one transaction: the tombstone's facts, the mark on every version, a debt for each store, the
   event. The names and digests of its files go in the same transaction.
 * A version's row stays: the batch that proves its siblings has a leaf for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from archive_core.catalogue.base import Part, chunks, to_row, to_rows, to_values, upsert
from archive_core.catalogue.claims import insert_claim
from archive_core.catalogue.events import insert_events
from archive_core.catalogue.holds import lock_object, require_not_held
from archive_core.catalogue.rows import DeletionDebt, EventRow, TombstoneRow, VersionRow
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import claims, deletion_debts, files, prefix_records, tombstones, versions
from archive_core.errors import AlreadyExistsError, ConcurrentChangeError, UnknownObjectError


class Tombstones(Part):
    def begin_destruction(self, row: TombstoneRow) -> None:
        """Note that an object is about to be destroyed, and keep updates off it.

        Beginning again changes nothing. Raises UnknownObjectError, UnderLegalHoldError and, while a version of it is
        being written, ConcurrentChangeError."""
        with writing(self._engine) as connection:
            lock_object(connection, row.poid)
            if _find(connection, row.poid) is not None:
                return
            require_not_held(connection, row.poid)
            head = connection.scalar(select(func.max(versions.c.version)).where(versions.c.poid == row.poid))
            if head is None:
                raise UnknownObjectError(poid=row.poid)
            claim = {
                "poid": row.poid,
                "version": head + 1,
                "originator": None,
                "idempotency_key": None,
                "request_digest": "",
                "description": b"",
                "claimed_at": row.asked_at,
            }
            if not connection.execute(insert_claim(connection), [claim]).all():
                raise ConcurrentChangeError("a new version of it is being written: try again", poid=row.poid)
            connection.execute(insert(tombstones).values(to_values(row)))

    def withdraw_destruction(self, poid: str) -> None:
        """Forget a destruction that no store knows of; one that is complete stays."""
        with writing(self._engine) as connection:
            gone = delete(tombstones).where(tombstones.c.poid == poid, tombstones.c.gen_time.is_(None))
            if connection.execute(gone).rowcount:
                connection.execute(delete(claims).where(claims.c.poid == poid))

    def complete_destruction(
        self, row: TombstoneRow, destroyed: Sequence[VersionRow], stores: Sequence[str], events: Sequence[EventRow]
    ) -> bool:
        """The object is destroyed: its tombstone is in the stores. True when it was not known before.

        `destroyed` are its versions as the tombstone tells of them: those that are not here (in a rebuild) are
        entered. Each of `stores` gets a debt. Raises AlreadyExistsError when another tombstone is known."""
        if row.gen_time is None:
            raise ValueError(f"the tombstone of {row.poid} is not complete")
        with writing(self._engine) as connection:
            known = _find(connection, row.poid)
            if known is not None and known.gen_time is not None:
                if known.document_digest != row.document_digest:
                    raise AlreadyExistsError("another tombstone of that object is known", poid=row.poid)
                return False
            connection.execute(delete(tombstones).where(tombstones.c.poid == row.poid))
            connection.execute(insert(tombstones).values(to_values(row)))
            for table in (files, prefix_records, claims):
                connection.execute(delete(table).where(table.c.poid == row.poid))
            _mark(connection, row.poid, destroyed)
            _owe(connection, [DeletionDebt(poid=row.poid, store=store, since=row.gen_time) for store in stores])
            insert_events(connection, events)
            return True

    def tombstone(self, poid: str) -> TombstoneRow | None:
        """The complete tombstone of an object, if it was destroyed."""
        with reading(self._engine) as connection:
            found = _find(connection, poid)
        return found if found is not None and found.gen_time is not None else None

    def destroyed_objects(self, poids: Iterable[str] | None = None) -> set[str]:
        """The POIDs of objects that were destroyed, or those of them that are among these."""
        query = select(tombstones.c.poid).where(tombstones.c.gen_time.is_not(None))
        with reading(self._engine) as connection:
            if poids is None:
                return set(connection.execute(query).scalars())
            found: set[str] = set()
            for chunk in chunks(poids):
                found.update(connection.execute(query.where(tombstones.c.poid.in_(chunk))).scalars())
        return found

    def tombstones(self) -> list[TombstoneRow]:
        """All complete tombstones, by POID."""
        query = select(tombstones).where(tombstones.c.gen_time.is_not(None)).order_by(tombstones.c.poid)
        with reading(self._engine) as connection:
            return to_rows(TombstoneRow, connection.execute(query).mappings())

    def destroyed_leaves(self, batch: int) -> set[int]:
        """The leaves of a batch whose objects were destroyed."""
        query = select(versions.c.leaf).where(versions.c.batch == batch, versions.c.destroyed)
        with reading(self._engine) as connection:
            return {int(leaf) for leaf in connection.execute(query).scalars()}

    def destructions_under_way(self) -> list[TombstoneRow]:
        """Destructions that were begun and are neither complete nor withdrawn."""
        query = select(tombstones).where(tombstones.c.gen_time.is_(None)).order_by(tombstones.c.poid)
        with reading(self._engine) as connection:
            return to_rows(TombstoneRow, connection.execute(query).mappings())

    # -- debts --------------------------------------------------------------------------------

    def owe_deletion(self, poid: str, store: str, since: datetime) -> None:
        """Note that a store may hold something of a destroyed object; a debt that is there stays."""
        with writing(self._engine) as connection:
            _owe(connection, [DeletionDebt(poid=poid, store=store, since=since)])

    def deletion_debts(self, poid: str | None = None) -> list[DeletionDebt]:
        """All debts, or those of one object, oldest first."""
        query = select(deletion_debts).order_by(deletion_debts.c.since, deletion_debts.c.poid, deletion_debts.c.store)
        if poid is not None:
            query = query.where(deletion_debts.c.poid == poid)
        with reading(self._engine) as connection:
            return to_rows(DeletionDebt, connection.execute(query).mappings())

    def paid_deletion(self, debt: DeletionDebt, events: Sequence[EventRow]) -> None:
        """The store holds nothing of the object any more; a debt that is paid already makes no event."""
        with writing(self._engine) as connection:
            paid = delete(deletion_debts).where(
                deletion_debts.c.poid == debt.poid, deletion_debts.c.store == debt.store
            )
            if connection.execute(paid).rowcount:
                insert_events(connection, events)

    def failed_deletion(self, debt: DeletionDebt, error: str) -> None:
        """A try to pay a debt came to nothing."""
        with writing(self._engine) as connection:
            connection.execute(
                update(deletion_debts)
                .where(deletion_debts.c.poid == debt.poid, deletion_debts.c.store == debt.store)
                .values(tries=deletion_debts.c.tries + 1, error=error[:2000])
            )


def _find(connection: Connection, poid: str) -> TombstoneRow | None:
    row = connection.execute(select(tombstones).where(tombstones.c.poid == poid)).mappings().one_or_none()
    return to_row(TombstoneRow, row) if row else None


def _mark(connection: Connection, poid: str, destroyed: Sequence[VersionRow]) -> None:
    # What became of its signatures was part of what is gone.
    gone = {"destroyed": True, "examined": None, "examine_later": False}
    connection.execute(update(versions).where(versions.c.poid == poid).values(**gone))
    there = set(connection.execute(select(versions.c.version).where(versions.c.poid == poid)).scalars())
    if missing := [to_values(row) for row in destroyed if row.version not in there]:
        connection.execute(insert(versions), missing)


def _owe(connection: Connection, debts: Sequence[DeletionDebt]) -> None:
    if debts:
        statement = upsert(connection, deletion_debts).on_conflict_do_nothing()
        connection.execute(statement, [to_values(debt) for debt in debts])
