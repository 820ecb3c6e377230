"""Leases and small facts: what processes agree on through the catalogue.

Rules kept here
 * A lease has one holder until it ends or is given back; the database decides between two askers.
 * Leases live in the catalogue only; after a rebuild nobody holds any.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, cast, delete, or_, select, update

from archive_core.catalogue.base import Part, upsert
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import leases, meta


class Leases(Part):
    def acquire_lease(self, name: str, holder: str, until: datetime, at: datetime) -> bool:
        """Take a lease until an instant; True when the caller holds it now.

        Succeeds when nobody holds it, when it ended at or before `at`, or when the caller holds it.
        """
        with writing(self._engine) as connection:
            statement = upsert(connection, leases).values(name=name, holder=holder, until=until)
            statement = statement.on_conflict_do_update(
                index_elements=[leases.c.name],
                set_={"holder": holder, "until": until},
                where=or_(leases.c.until <= at, leases.c.holder == holder),
            )
            return connection.execute(statement.returning(leases.c.name)).scalar_one_or_none() is not None

    def renew_lease(self, name: str, holder: str, until: datetime, at: datetime) -> bool:
        """Prolong a lease that is still held; False when it ended or another holds it."""
        statement = update(leases).where(leases.c.name == name, leases.c.holder == holder, leases.c.until > at)
        with writing(self._engine) as connection:
            return bool(connection.execute(statement.values(until=until)).rowcount)

    def release_lease(self, name: str, holder: str) -> bool:
        """Give a lease back; False when the caller did not hold it."""
        statement = delete(leases).where(leases.c.name == name, leases.c.holder == holder)
        with writing(self._engine) as connection:
            return bool(connection.execute(statement).rowcount)

    def lease_holder(self, name: str) -> str | None:
        """Who holds a lease, or held it last and did not give it back."""
        with reading(self._engine) as connection:
            return connection.execute(select(leases.c.holder).where(leases.c.name == name)).scalar_one_or_none()

    def leases_below(self, prefix: str) -> list[tuple[str, str, datetime]]:
        """The leases whose names begin so, ended or not: name, holder, and until when."""
        statement = select(leases.c.name, leases.c.holder, leases.c.until)
        with reading(self._engine) as connection:
            rows = connection.execute(statement.where(leases.c.name.startswith(prefix, autoescape=True)))
            return [(row.name, row.holder, row.until) for row in rows]

    def meta_get(self, name: str) -> str | None:
        """A small fact by its name."""
        with reading(self._engine) as connection:
            return connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()

    def meta_add(self, name: str, by: int) -> None:
        """Add to a fact that is a number, 0 where it is not there; whoever else does so at once is not lost."""
        with writing(self._engine) as connection:
            statement = upsert(connection, meta).values(name=name, value=str(by))
            sum_ = cast(cast(meta.c.value, BigInteger) + by, meta.c.value.type)
            connection.execute(statement.on_conflict_do_update(index_elements=[meta.c.name], set_={"value": sum_}))

    def meta_set(self, name: str, value: str) -> None:
        with writing(self._engine) as connection:
            statement = upsert(connection, meta).values(name=name, value=value)
            connection.execute(statement.on_conflict_do_update(index_elements=[meta.c.name], set_={"value": value}))
