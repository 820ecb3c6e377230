"""What stores lack of what was acknowledged, what they have yet to lock, and which stores take part.

Rules kept here
 * A debt is noted before anybody is told that the object is kept; it is forgotten when the store holds what the others
   hold. Noting it again changes nothing.
 * All of it follows from the stores: in a rebuilt catalogue every store of the settings takes part, and comparing the
   stores finds the debts anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, update

from archive_core.catalogue.base import Part, chunks, to_rows, to_values, upsert
from archive_core.catalogue.rows import CopyDebt, OwedCopies
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import copy_debts, lock_debts, store_states


class CopyDebts(Part):
    def owe_copies(self, debts: Sequence[CopyDebt]) -> None:
        """Note that stores lack objects; a debt that is there stays as it is."""
        if debts:
            with writing(self._engine) as connection:
                statement = upsert(connection, copy_debts).on_conflict_do_nothing()
                connection.execute(statement, [to_values(debt) for debt in debts])

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

    def paid_copies(self, store: str, objects: Iterable[str]) -> None:
        """The store lacks nothing of these objects any more."""
        with writing(self._engine) as connection:
            for chunk in chunks(objects):
                connection.execute(
                    delete(copy_debts).where(copy_debts.c.store == store, copy_debts.c.storage_object.in_(chunk))
                )

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
        values = [{"store": store, "storage_object": name, "since": at} for name in objects]
        if values:
            with writing(self._engine) as connection:
                connection.execute(upsert(connection, lock_debts).on_conflict_do_nothing(), values)

    def lock_debts(self, store: str, after: str = "", limit: int = 1000) -> list[tuple[str, datetime]]:
        """What a store is to lock behind a storage object, in order of the objects, and since when."""
        query = (
            select(lock_debts.c.storage_object, lock_debts.c.since)
            .where(lock_debts.c.store == store, lock_debts.c.storage_object > after)
            .order_by(lock_debts.c.storage_object)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [(name, since) for name, since in connection.execute(query)]

    def count_lock_debts(self, store: str) -> int:
        """How many objects a store is to lock."""
        with reading(self._engine) as connection:
            count = connection.scalar(select(func.count()).select_from(lock_debts).where(lock_debts.c.store == store))
        return int(count or 0)

    def paid_locks(self, store: str, objects: Iterable[str]) -> None:
        """These are locked, or need no lock."""
        with writing(self._engine) as connection:
            for chunk in chunks(objects):
                connection.execute(
                    delete(lock_debts).where(lock_debts.c.store == store, lock_debts.c.storage_object.in_(chunk))
                )

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
