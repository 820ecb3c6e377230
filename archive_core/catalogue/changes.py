"""What the trail says of objects, in its order: for whoever follows it.

Rules kept here
 * Only events with a place in the trail are told. A place is given once, by one sequencer, without gaps, so that
   whoever has read up to one has missed none before it, however many processes write.
 * One look goes through so many places and no more, whatever it finds there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from archive_core.catalogue.base import Part, to_row, to_rows, to_values, upsert
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import events, segments, stamps, versions
from archive_core.catalogue.webhook_tables import receivers


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEvent:
    """An event that is, or stands for, changes. `originator` is whose the object is; None for events about no one
    object."""

    seq: int
    recorded_at: datetime
    type: str
    outcome: str
    code: str
    poid: str | None
    version: int | None
    subject: str | None
    originator: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A version in a batch."""

    batch: int
    leaf: int
    poid: str
    version: int
    originator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRow:
    """How far a receiver of notifications has come: everything up to `cursor` was taken. While it refuses, `sending` is
    the end of what it was offered, `tries` how often, `since` when that began, `not_before` when it is offered again.
    `stopped` says that it is offered nothing until somebody resumes it. Lives in the catalogue only."""

    name: str
    cursor: str
    sending: str | None = None
    tries: int = 0
    since: datetime | None = None
    not_before: datetime | None = None
    error: str | None = None
    delivered: datetime | None = None
    stopped: bool = False


class ChangeFeed(Part):
    def trail_size(self) -> int:
        """How many events have a place in the trail."""
        query = select(segments.c.size).order_by(segments.c.number.desc()).limit(1)
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one_or_none() or 0

    def change_events(
        self, first: int, stop: int, types: Sequence[str], originator: str | None = None
    ) -> list[ChangeEvent]:
        """The events of some types at the places from `first` to before `stop`, in order; with an originator those
        about its objects and those about no object."""
        mine = versions.alias("mine")
        query = (
            select(
                events.c.seq,
                events.c.recorded_at,
                events.c.type,
                events.c.outcome,
                events.c.code,
                events.c.poid,
                events.c.version,
                events.c.subject,
                mine.c.originator,
            )
            .select_from(events.outerjoin(mine, (mine.c.poid == events.c.poid) & (mine.c.version == 1)))
            .where(events.c.seq >= first, events.c.seq < stop, events.c.type.in_(types))
            .order_by(events.c.seq)
        )
        if originator is not None:
            query = query.where(or_(events.c.poid.is_(None), mine.c.originator == originator))
        with reading(self._engine) as connection:
            return to_rows(ChangeEvent, connection.execute(query).mappings())

    def batch_members(self, batch: int, after: int, limit: int, originator: str | None = None) -> list[Member]:
        """Versions of a batch behind a leaf, in order."""
        query = select(
            versions.c.batch, versions.c.leaf, versions.c.poid, versions.c.version, versions.c.originator
        ).where(versions.c.batch == batch, versions.c.leaf > after)
        if originator is not None:
            query = query.where(versions.c.originator == originator)
        with reading(self._engine) as connection:
            return to_rows(Member, connection.execute(query.order_by(versions.c.leaf).limit(limit)).mappings())

    def batches_renewed_by(self, storage_object: str, after: int, limit: int) -> list[int]:
        """The batches to which a renewal brought a stamp, behind one, in order."""
        query = select(stamps.c.batch).where(stamps.c.storage_object == storage_object, stamps.c.batch > after)
        with reading(self._engine) as connection:
            return list(connection.execute(query.distinct().order_by(stamps.c.batch).limit(limit)).scalars())

    def receiver(self, name: str) -> ReceiverRow | None:
        with reading(self._engine) as connection:
            row = connection.execute(select(receivers).where(receivers.c.name == name)).mappings().one_or_none()
        return to_row(ReceiverRow, row) if row else None

    def enter_receiver(self, row: ReceiverRow) -> None:
        """Enter a receiver that is new; how far one has come that is there already stays."""
        with writing(self._engine) as connection:
            connection.execute(upsert(connection, receivers).values(to_values(row)).on_conflict_do_nothing())

    def put_receiver(self, row: ReceiverRow) -> None:
        """Enter how far a receiver has come."""
        values = to_values(row)
        with writing(self._engine) as connection:
            statement = upsert(connection, receivers).values(values)
            connection.execute(statement.on_conflict_do_update(index_elements=[receivers.c.name], set_=values))
