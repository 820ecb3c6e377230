"""What examinations of signatures left to be done: versions in quarantine, and those to be examined again later.

Rules kept here
 * Both follow from descriptions and events, so that a rebuilt catalogue knows them. Only how often it was tried in vain
   and when it is tried again lives here alone; when that is lost, it is tried at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, exists, func, insert, or_, select

from archive_core.catalogue.base import Part, to_row, to_rows, to_values
from archive_core.catalogue.rows import EventRow, LaterExamination, VersionRow
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import events, later_examinations, versions


class Examinations(Part):
    def set_aside(self, originator: str | None = None) -> list[VersionRow]:
        """Versions whose description says quarantine, released or not; those of destroyed objects are left out."""
        query = select(versions).where(versions.c.examined == "quarantine", ~versions.c.destroyed)
        if originator is not None:
            query = query.where(versions.c.originator == originator)
        with reading(self._engine) as connection:
            found = connection.execute(query.order_by(versions.c.poid, versions.c.version)).mappings()
            return to_rows(VersionRow, found)

    def events_with_code(self, poid: str, type_: str, code: str) -> list[EventRow]:
        """Events of an object that are of this type and code, in the order of their arrival."""
        query = select(events).where(events.c.poid == poid, events.c.type == type_, events.c.code == code)
        with reading(self._engine) as connection:
            return to_rows(EventRow, connection.execute(query.order_by(events.c.arrival)).mappings())

    def to_examine_again(self, at: datetime, limit: int = 100) -> list[VersionRow]:
        """The newest versions of living objects that are to be examined again and whose turn it is at an instant."""
        newer = versions.alias("newer")
        turn = later_examinations.c.next_try
        query = (
            select(versions)
            .join(later_examinations, later_examinations.c.poid == versions.c.poid, isouter=True)
            .where(versions.c.examine_later, ~versions.c.destroyed, or_(turn.is_(None), turn <= at))
            .where(~exists().where(newer.c.poid == versions.c.poid, newer.c.version > versions.c.version))
            .order_by(versions.c.poid)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return to_rows(VersionRow, connection.execute(query).mappings())

    def count_to_examine_again(self) -> tuple[int, datetime | None]:
        """How many objects wait to be examined again, and since when the oldest does."""
        newer = versions.alias("newer")
        query = (
            select(func.count(), func.min(versions.c.received))
            .where(versions.c.examine_later, ~versions.c.destroyed)
            .where(~exists().where(newer.c.poid == versions.c.poid, newer.c.version > versions.c.version))
        )
        with reading(self._engine) as connection:
            count, oldest = connection.execute(query).one()
            return int(count), oldest

    def later_examination(self, poid: str) -> LaterExamination | None:
        """How it was tried so far."""
        query = select(later_examinations).where(later_examinations.c.poid == poid)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
            return to_row(LaterExamination, row) if row else None

    def later_examinations(self) -> Sequence[LaterExamination]:
        """Everything that was tried in vain so far."""
        with reading(self._engine) as connection:
            query = select(later_examinations).order_by(later_examinations.c.poid)
            return to_rows(LaterExamination, connection.execute(query).mappings())

    def put_off_examination(self, row: LaterExamination) -> None:
        """It was tried in vain; it is tried again at `next_try`."""
        with writing(self._engine) as connection:
            connection.execute(delete(later_examinations).where(later_examinations.c.poid == row.poid))
            connection.execute(insert(later_examinations).values(to_values(row)))

    def end_later_examination(self, poid: str) -> None:
        """Nothing is to be examined again."""
        with writing(self._engine) as connection:
            connection.execute(delete(later_examinations).where(later_examinations.c.poid == poid))
