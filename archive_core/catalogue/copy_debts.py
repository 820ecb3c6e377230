"""What stores lack of what was acknowledged, what they have yet to lock, and which stores take part.

Rules kept here
 * A debt is noted before anybody is told that the object is kept; it is forgotten when the store holds what the others
   hold.
 * A debt that was noted again while it was being paid stays: whoever pays it began before the newest version was there.
 * All of it follows from the stores: in a rebuilt catalogue every store of the settings takes part, and comparing the
   stores finds the debts anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Insert, Table, delete, func, select, update

from archive_core.catalogue.base import Part, chunks, to_rows, to_values, upsert
from archive_core.catalogue.rows import CopyDebt, LockDebt, OwedCopies
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import copy_debts, lock_debts, store_states


class CopyDebts(Part):
    def owe_copies(self, debts: Sequence[CopyDebt]) -> None:
        """Note that stores lack objects; of a debt that is there it is kept in mind that it was noted again."""
        if debts:
            with writing(self._engine) as connection:
                connection.execute(_note(connection, copy_debts), [to_values(debt) for debt in debts])

    def copy_debts(self, store: str, after: str = "", limit: int = 1000) -> list[CopyDebt]:
        """Debts of a store behind a storage object, in order of the objects."""
        query = (
            select(copy_debts)
            .where(copy_debts.c.store == store, copy_debts.c.storage_object > after)
            .order_by(copy_debts.c.storage_object)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return to_rows(CopyDebt, connection.execute(query).mappings())

    def owed_copies(self) -> list[OwedCopies]:
        """How much each store lacks that lacks anything."""
        query = (
            select(
                copy_debts.c.store,
                func.count().label("objects"),
                func.min(copy_debts.c.since).label("since"),
                func.max(copy_debts.c.error).label("error"),
            )
            .group_by(copy_debts.c.store)
            .order_by(copy_debts.c.store)
        )
        with reading(self._engine) as connection:
            return to_rows(OwedCopies, connection.execute(query).mappings())

    def owing_copies(self, objects: Iterable[str]) -> set[tuple[str, str]]:
        """Which stores lack which of these storage objects: pairs of store and object."""
        found: set[tuple[str, str]] = set()
        with reading(self._engine) as connection:
            for chunk in chunks(objects):
                query = select(copy_debts.c.store, copy_debts.c.storage_object)
                rows = connection.execute(query.where(copy_debts.c.storage_object.in_(chunk)))
                found.update((store, name) for store, name in rows)
        return found

    def paid_copies(self, store: str, debts: Iterable[CopyDebt]) -> None:
        """The store lacks nothing of these objects any more, unless it was noted again since the debts were read."""
        with writing(self._engine) as connection:
            _forget(connection, copy_debts, store, debts)

    def failed_copy(self, store: str, storage_object: str, error: str) -> None:
        """A try to pay a debt came to nothing."""
        with writing(self._engine) as connection:
            connection.execute(
                update(copy_debts)
                .where(copy_debts.c.store == store, copy_debts.c.storage_object == storage_object)
                .values(tries=copy_debts.c.tries + 1, error=error[:2000])
            )

    def forget_copies(self, store: str) -> None:
        """A store that takes no part any more lacks nothing."""
        with writing(self._engine) as connection:
            connection.execute(delete(copy_debts).where(copy_debts.c.store == store))

    # -- locks --------------------------------------------------------------------------------

    def owe_locks(self, store: str, objects: Iterable[str], at: datetime) -> None:
        """Note that a store holds something new that is to be locked."""
        names = list(objects)
        if names:
            with writing(self._engine) as connection:
                owe_locks_in(connection, store, names, at)

    def lock_debts(self, store: str, after: str = "", limit: int = 1000) -> list[LockDebt]:
        """What a store is to lock behind a storage object, in order of the objects."""
        query = (
            select(lock_debts)
            .where(lock_debts.c.store == store, lock_debts.c.storage_object > after)
            .order_by(lock_debts.c.storage_object)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return to_rows(LockDebt, connection.execute(query).mappings())

    def lock_debts_of(self, store: str, objects: Iterable[str]) -> list[LockDebt]:
        """What a store is to lock of these storage objects."""
        found: list[LockDebt] = []
        with reading(self._engine) as connection:
            for chunk in chunks(objects):
                mine = (lock_debts.c.store == store, lock_debts.c.storage_object.in_(chunk))
                query = select(lock_debts).where(*mine).order_by(lock_debts.c.storage_object)
                found += to_rows(LockDebt, connection.execute(query).mappings())
        return found

    def count_lock_debts(self, store: str) -> int:
        """How many objects a store is to lock."""
        with reading(self._engine) as connection:
            count = connection.scalar(select(func.count()).select_from(lock_debts).where(lock_debts.c.store == store))
        return int(count or 0)

    def paid_locks(self, store: str, debts: Iterable[LockDebt]) -> None:
        """These are locked, or need no lock; what was noted again since the debts were read is still to be locked."""
        with writing(self._engine) as connection:
            _forget(connection, lock_debts, store, debts)

    # -- who takes part -----------------------------------------------------------------------

    def store_states(self) -> Mapping[str, tuple[str, datetime]]:
        """The state of each store that was ever given one, and since when."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(store_states)).mappings()
            return {row["store"]: (row["state"], row["since"]) for row in rows}

    def enter_stores(self, stores: Iterable[str], state: str, at: datetime) -> None:
        """Give a state to stores that have none yet."""
        values = [{"store": store, "state": state, "since": at} for store in stores]
        if values:
            with writing(self._engine) as connection:
                connection.execute(upsert(connection, store_states).on_conflict_do_nothing(), values)

    def set_store_state(self, store: str, state: str, at: datetime) -> None:
        """Give a store another state."""
        with writing(self._engine) as connection:
            statement = upsert(connection, store_states).values(store=store, state=state, since=at)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["store"], set_={"state": state, "since": at})
            )


def owe_locks_in(connection: Connection, store: str, objects: Sequence[str], at: datetime) -> None:
    """Note within a transaction that a store is to look at the locks of these objects."""
    if objects:
        values = [{"store": store, "storage_object": name, "since": at, "noted": 1} for name in objects]
        connection.execute(_note(connection, lock_debts), values)


def _note(connection: Connection, debts: Table) -> Insert:
    """A debt is entered; one that is there was noted once more, since when and why stay."""
    return upsert(connection, debts).on_conflict_do_update(
        index_elements=["store", "storage_object"], set_={"noted": debts.c.noted + 1}
    )


def _forget(connection: Connection, debts: Table, store: str, paid: Iterable[CopyDebt | LockDebt]) -> None:
    """Only what was noted as often as when it was read."""
    objects: dict[int, list[str]] = {}
    for debt in paid:
        objects.setdefault(debt.noted, []).append(debt.storage_object)
    for noted, names in objects.items():
        for chunk in chunks(names):
            mine = (debts.c.store == store, debts.c.noted == noted, debts.c.storage_object.in_(chunk))
            connection.execute(delete(debts).where(*mine))
