"""Evidence batches: membership, lines, stamps; commit B.

Rules kept here
 * A version belongs to one batch for ever; its leaf is its place in the members' list, from 0.
 * Commit B touches the batch row and its stamps, never a row per document: a document's status is
   joined from its batch.
 * That a batch is evidenced is an event, entered with commit B: whoever follows the trail misses none.
 * A stamp that is entered stays: the same one again is no change, another in its place is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from archive_core.catalogue.base import Part, chunks, to_row, to_rows, to_values
from archive_core.catalogue.events import insert_events
from archive_core.catalogue.rows import BatchRow, LineRow, StampRow, VersionRow
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import batches, lines, stamps, versions
from archive_core.errors import AlreadyExistsError, ConcurrentChangeError, NotFoundError
from archive_core.journal import event_row
from archive_core.trail.events import state_event

_JOINING = "UPDATE versions SET batch = ?, leaf = ? WHERE poid = ? AND version = ? AND batch IS NULL"
"""As the driver takes it: for a million rows what SQLAlchemy adds to a parameter costs as much as the update."""

MEMBERS_AT_ONCE = 10_000
"""Members in one call of the driver: a batch of a million is one transaction, but not one list."""


class Batches(Part):
    def next_batch_number(self) -> int:
        """One more than the highest number known here; the stores decide who gets it."""
        with reading(self._engine) as connection:
            return (connection.scalar(select(func.max(batches.c.number))) or 0) + 1

    def enter_batch(self, batch: BatchRow, lines: Sequence[LineRow], members: Sequence[tuple[str, int]]) -> None:
        """Enter a formed batch: its row, its lines, and batch and leaf on its member versions.

        The same batch may be entered again. Raises AlreadyExistsError when its number is taken by
        another batch and ConcurrentChangeError when a member is unknown or in another batch.
        """
        if batch.leaf_count != len(members) or len(set(members)) != len(members) or not members or not lines:
            raise ValueError(f"batch {batch.number} needs lines and as many different members as leaves")
        if any(line.batch != batch.number for line in lines):
            raise ValueError(f"a line is not of batch {batch.number}")
        with writing(self._engine, references_known=True) as connection:  # lines and members refer to this batch
            known = _find(connection, batch.number)
            if known is not None:
                same = replace(known, evidenced_at=batch.evidenced_at) == batch
                if not same or not _same_content(connection, batch.number, lines, members):
                    raise AlreadyExistsError(batch=batch.number)
                return
            connection.execute(insert(batches).values(to_values(batch)))
            _insert_lines(connection, lines)
            joining = _JOINING.replace("?", "%s") if connection.dialect.name == "postgresql" else _JOINING
            for chunk in chunks(enumerate(members), MEMBERS_AT_ONCE):
                rows = [(batch.number, leaf, poid, version) for leaf, (poid, version) in chunk]
                connection.exec_driver_sql(joining, rows)
            if _count_members(connection, batch.number) != len(members):
                raise ConcurrentChangeError("A member of the batch is unknown or in another batch.", batch=batch.number)

    def complete_batch(
        self, number: int, evidenced_at: datetime, stamps: Sequence[StampRow], given_by: Sequence[LineRow] = ()
    ) -> None:
        """Commit B: the batch is evidenced; one row updated, one row per stamp inserted. `given_by` are lines whose
        time-stamp another authority gave than the one they were formed for.

        The same call again changes nothing. Raises AlreadyExistsError when the batch is evidenced
        as of another time or has another stamp in one of the places, NotFoundError without batch.
        """
        if any(stamp.batch != number for stamp in stamps):
            raise ValueError(f"a stamp is not of batch {number}")
        with writing(self._engine) as connection:
            _insert_stamps(connection, stamps)
            unstamped = select(lines.c.line).where(lines.c.batch == number).except_(_initially_stamped(number))
            if missing := connection.execute(unstamped).scalars().all():
                raise ValueError(f"batch {number} has no initial stamp on {', '.join(sorted(missing))}")
            for line in given_by:
                mine = (lines.c.batch == number) & (lines.c.line == line.line)
                connection.execute(update(lines).where(mine).values(tsa=line.tsa, trust_class=line.trust_class))
            connection.execute(
                update(batches)
                .where(batches.c.number == number, batches.c.evidenced_at.is_(None))
                .values(evidenced_at=evidenced_at)
            )
            known = _find(connection, number)
            if known is None:
                raise NotFoundError(f"There is no batch {number}.")
            if known.evidenced_at != evidenced_at:
                raise AlreadyExistsError(batch=number)
            event = state_event("evidenced", f"batch-{number}", known.statement_digest, evidenced_at)
            insert_events(connection, [event_row(event, None)])

    def enter_stamps(self, stamps: Sequence[StampRow]) -> None:
        """Enter stamps of renewals; those already there stay, another in its place is refused."""
        with writing(self._engine) as connection:
            _insert_stamps(connection, stamps)

    def batch(self, number: int) -> BatchRow:
        """A batch by its number; raises NotFoundError."""
        with reading(self._engine) as connection:
            found = _find(connection, number)
        if found is None:
            raise NotFoundError(f"There is no batch {number}.")
        return found

    def last_batch(self) -> BatchRow | None:
        query = select(batches).order_by(batches.c.number.desc()).limit(1)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        return to_row(BatchRow, row) if row else None

    def batches(self) -> list[BatchRow]:
        """All batches, oldest first."""
        with reading(self._engine) as connection:
            return to_rows(BatchRow, connection.execute(select(batches).order_by(batches.c.number)).mappings())

    def unfinished_batches(self) -> list[BatchRow]:
        """Batches that were formed and are not evidenced yet, oldest first."""
        query = select(batches).where(batches.c.evidenced_at.is_(None)).order_by(batches.c.number)
        with reading(self._engine) as connection:
            return to_rows(BatchRow, connection.execute(query).mappings())

    def evidenced_since(self, numbers: Iterable[int]) -> dict[int, datetime | None]:
        """When the batches with these numbers were evidenced; None for one that is not."""
        found: dict[int, datetime | None] = {}
        with reading(self._engine) as connection:
            for chunk in chunks(set(numbers)):
                query = select(batches.c.number, batches.c.evidenced_at).where(batches.c.number.in_(chunk))
                found.update((row.number, row.evidenced_at) for row in connection.execute(query))
        return found

    def members(self, number: int, after_leaf: int | None = None, limit: int | None = None) -> list[VersionRow]:
        """A batch's versions in leaf order, behind a leaf when one is named."""
        query = select(versions).where(versions.c.batch == number).order_by(versions.c.leaf)
        if after_leaf is not None:
            query = query.where(versions.c.leaf > after_leaf)
        with reading(self._engine) as connection:
            return to_rows(VersionRow, connection.execute(query.limit(limit)).mappings())

    def lines(self, number: int) -> list[LineRow]:
        """A batch's evidence lines in the order of their names."""
        query = select(lines).where(lines.c.batch == number).order_by(lines.c.line)
        with reading(self._engine) as connection:
            return to_rows(LineRow, connection.execute(query).mappings())

    def stamps(self, number: int, line: str | None = None) -> list[StampRow]:
        """A batch's stamps by line, chain and position."""
        query = select(stamps).where(stamps.c.batch == number)
        if line is not None:
            query = query.where(stamps.c.line == line)
        query = query.order_by(stamps.c.line, stamps.c.chain, stamps.c.position)
        with reading(self._engine) as connection:
            return to_rows(StampRow, connection.execute(query).mappings())


def _find(connection: Connection, number: int) -> BatchRow | None:
    row = connection.execute(select(batches).where(batches.c.number == number)).mappings().one_or_none()
    return to_row(BatchRow, row) if row else None


def _insert_lines(connection: Connection, rows: Sequence[LineRow]) -> None:
    connection.execute(insert(lines), [to_values(row) for row in rows])


def _count_members(connection: Connection, number: int) -> int:
    return connection.scalar(select(func.count()).select_from(versions).where(versions.c.batch == number)) or 0


def _same_content(
    connection: Connection, number: int, wanted: Sequence[LineRow], members: Sequence[tuple[str, int]]
) -> bool:
    query = select(versions.c.poid, versions.c.version).where(versions.c.batch == number).order_by(versions.c.leaf)
    held = to_rows(LineRow, connection.execute(select(lines).where(lines.c.batch == number)).mappings())
    return [tuple(row) for row in connection.execute(query)] == list(members) and set(held) == set(wanted)


def _initially_stamped(number: int) -> Select[tuple[str]]:
    return select(stamps.c.line).where(stamps.c.batch == number, stamps.c.chain == 0, stamps.c.position == 0)


def _insert_stamps(connection: Connection, rows: Sequence[StampRow]) -> None:
    for row in rows:
        at: dict[str, Any] = {"batch": row.batch, "line": row.line, "chain": row.chain, "position": row.position}
        known = connection.execute(select(stamps).filter_by(**at)).mappings().one_or_none()
        if known is None:
            connection.execute(insert(stamps).values(to_values(row)))
        elif to_row(StampRow, known) != row:
            raise AlreadyExistsError(**at)
