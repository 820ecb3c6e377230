"""Organisations, what they use of their quotas, and how often somebody asks.

Rules kept here
 * Organisations follow from the trail; what they use follows from the versions. Neither is lost with the catalogue.
 * Use is counted only for organisations with a quota, in the transaction of commit A. Counting begins under a lock that
   no version can be entered beside.
 * Room that is taken for a deposit under way counts as used until it is given back, or ends by itself when its
   process died. Two processes never take the same room.
 * A rate is one number per subject: when the next request would arrive if all came evenly (GCRA, ITU-T I.371). The
   database decides between processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, delete, func, insert, literal, select, text, update

from archive_core.catalogue.access_tables import organisations, rates, reservations, usage
from archive_core.catalogue.base import Part, to_row, to_rows, to_values, upsert
from archive_core.catalogue.rows import EventRow, OrganisationRow, VersionRow
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import events, versions

SUBJECT = "organisation-"
"""How the subject of an event about an organisation begins."""

_BEHIND = "organisation."
"""The first text behind all that begin so, in code point order."""


class Originators(Part):
    def put_organisation(self, row: OrganisationRow) -> None:
        """Enter an organisation, or what it is now; begin or end counting its use as its quota says."""
        with writing(self._engine) as connection:
            values = to_values(row)
            statement = upsert(connection, organisations).values(values)
            statement = statement.on_conflict_do_update(index_elements=[organisations.c.originator], set_=values)
            connection.execute(statement)
            _forget_use(connection, row.originator)
            if row.has_quota:
                _count_use(connection, row.originator)

    def organisation(self, originator: str) -> OrganisationRow | None:
        query = select(organisations).where(organisations.c.originator == originator)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        return to_row(OrganisationRow, row) if row else None

    def organisations(self) -> list[OrganisationRow]:
        """All organisations, in order of their identifiers."""
        with reading(self._engine) as connection:
            query = select(organisations).order_by(organisations.c.originator)
            return to_rows(OrganisationRow, connection.execute(query).mappings())

    def organisation_events(self) -> list[EventRow]:
        """The events about organisations in the order in which they arrived."""
        query = select(events).where(events.c.subject >= SUBJECT, events.c.subject < _BEHIND)
        with reading(self._engine) as connection:
            return to_rows(EventRow, connection.execute(query.order_by(events.c.arrival)).mappings())

    # -- quotas ---------------------------------------------------------------------------------

    def use_of(self, originator: str) -> tuple[int, int]:
        """How many living objects an organisation has, and how many bytes all their versions have."""
        with reading(self._engine) as connection:
            return _counted(connection, originator)

    def recount_use(self, originator: str) -> None:
        """Count anew what an organisation with a quota uses; nothing for one without."""
        with writing(self._engine) as connection:
            if _forget_use(connection, originator):
                _count_use(connection, originator)

    def take_room(
        self, token: str, originator: str, objects: int, size: int, *, until: datetime, at: datetime
    ) -> tuple[str, int, int] | None:
        """Take room for objects of a size; None when it was there or nobody limits it. Otherwise nothing is taken:
        which quota (`objects` or `bytes`) does not suffice, how much of it is taken, and the quota."""
        with writing(self._engine) as connection:
            # The row is written first, so that on PostgreSQL too askers come one after the other.
            mine = usage.c.originator == originator
            held = connection.execute(
                update(usage).where(mine).values(objects=usage.c.objects).returning(usage.c.objects, usage.c.bytes)
            ).one_or_none()
            row = connection.execute(
                select(organisations.c.quota_objects, organisations.c.quota_bytes).where(
                    organisations.c.originator == originator
                )
            ).one_or_none()
            if held is None or row is None:
                return None
            connection.execute(delete(reservations).where(reservations.c.until <= at))
            taken = connection.execute(
                select(
                    func.coalesce(func.sum(reservations.c.objects), 0), func.coalesce(func.sum(reservations.c.bytes), 0)
                ).where(reservations.c.originator == originator)
            ).one()
            for name, limit, used, more in (
                ("objects", row[0], held[0] + int(taken[0]), objects),
                ("bytes", row[1], held[1] + int(taken[1]), size),
            ):
                if limit is not None and more > 0 and used + more > limit:
                    return name, used, limit
            connection.execute(
                insert(reservations).values(
                    token=token, originator=originator, objects=objects, bytes=size, until=until
                )
            )
        return None

    def give_room_back(self, token: str) -> None:
        """The deposit is entered, or will not be."""
        with writing(self._engine) as connection:
            connection.execute(delete(reservations).where(reservations.c.token == token))

    def has_deposit(self, originator: str, key: str) -> bool:
        """Whether a version was entered under this idempotency key."""
        query = select(literal(1)).where(versions.c.originator == originator, versions.c.idempotency_key == key)
        with reading(self._engine) as connection:
            return connection.execute(query.limit(1)).scalar_one_or_none() is not None

    # -- rates ----------------------------------------------------------------------------------

    def arrive(self, subject: str, *, at: int, every: int, burst: int) -> int:
        """Note one request; all in microseconds. 0 when it may be answered, otherwise how long it must wait: then it
        is not noted. `every` is the time between requests, `burst` how far ahead of it they may come."""
        with writing(self._engine) as connection:
            statement = upsert(connection, rates).values(subject=subject, arrival=at + every)
            greatest = func.greatest if connection.dialect.name == "postgresql" else func.max
            now, step, end = (literal(value, BigInteger) for value in (at, every, at + burst))
            after = greatest(rates.c.arrival, now) + step
            statement = statement.on_conflict_do_update(
                index_elements=[rates.c.subject], set_={"arrival": after}, where=after <= end
            )
            if connection.execute(statement.returning(rates.c.arrival)).scalar_one_or_none() is not None:
                return 0
            arrival = connection.execute(select(rates.c.arrival).where(rates.c.subject == subject)).scalar_one()
            return max(1, int(arrival) + every - burst - at)


def add_use(connection: Connection, rows: Iterable[VersionRow]) -> None:
    """Within commit A: versions that were not there before use room of organisations with a quota."""
    objects: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for row in rows:
        objects[row.originator] += row.version == 1
        size[row.originator] += row.size
    for originator in sorted(size):
        connection.execute(
            _ADD, {"more_objects": objects[originator], "more_bytes": size[originator], "of": originator}
        )


_ADD = text("UPDATE usage SET objects = objects + :more_objects, bytes = bytes + :more_bytes WHERE originator = :of")


def _counted(connection: Connection, originator: str) -> tuple[int, int]:
    living = (versions.c.originator == originator) & ~versions.c.destroyed
    query = select(func.count(func.distinct(versions.c.poid)), func.coalesce(func.sum(versions.c.size), 0))
    objects, size = connection.execute(query.where(living)).one()
    return int(objects), int(size)


def _forget_use(connection: Connection, originator: str) -> bool:
    return bool(connection.execute(delete(usage).where(usage.c.originator == originator)).rowcount)


def _count_use(connection: Connection, originator: str) -> None:
    if connection.dialect.name == "postgresql":
        # Whoever is entering versions just now finishes first, and nobody begins: none is missed or counted twice.
        connection.execute(text("LOCK TABLE versions IN SHARE MODE"))
    objects, size = _counted(connection, originator)
    values: dict[str, Any] = {"originator": originator, "objects": objects, "bytes": size}
    connection.execute(insert(usage).values(values))
