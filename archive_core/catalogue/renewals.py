"""Renewals in the catalogue: which there are, and which stamp is the newest of each line of each batch.

Rules kept here
 * A renewal is entered when it lies on every store (formed) and completed when its time-stamp does; the
   stamps that it brings to batches are entered in the same transaction.
 * A renewal continues a chain at what it covers. It continues no chain that has gone on another way
   meanwhile: only a line whose newest stamp lies in the covered object gets the new one.
 * Stamps that a renewal abandons go from the catalogue; the renewal objects that hold them stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, delete, exists, func, insert, literal, or_, select, update

from archive_core.catalogue.base import Part, chunks, field_names, to_row, to_rows, to_values
from archive_core.catalogue.events import insert_events
from archive_core.catalogue.rows import HeadRow, RenewalRow, StampRow
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import batches, lines, renewals, stamps
from archive_core.errors import AlreadyExistsError, NotFoundError
from archive_core.journal import event_row
from archive_core.trail.events import state_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """The time-stamp of a renewal: `heads` are the storage objects whose lines it goes on with, or the
    numbers of the batches that it begins a new chain for (`batches`), each continuing `heads` of the
    same place. `abandons` are storage objects whose stamps no longer count for those lines."""

    number: int
    gen_time: datetime
    token_digest: str
    tsa: str
    ocfl_path: str
    trusted_until: datetime | None
    facts: dict[str, Any] | None
    heads: Sequence[str]
    batches: Sequence[int] = ()
    abandons: Sequence[str] = ()


class Renewals(Part):
    def next_renewal_number(self) -> int:
        """One more than the highest number known here; the stores decide who gets it."""
        with reading(self._engine) as connection:
            return (connection.scalar(select(func.max(renewals.c.number))) or 0) + 1

    def enter_renewal(self, row: RenewalRow) -> None:
        """Enter a formed renewal. The same one may be entered again; raises AlreadyExistsError when its
        number is taken by another."""
        with writing(self._engine) as connection:
            known = _find(connection, row.number)
            if known is None:
                connection.execute(insert(renewals).values(to_values(row)))
            elif known.document_digest != row.document_digest:
                raise AlreadyExistsError(renewal=row.number)

    def abandon_renewal(self, number: int, reason: str) -> None:
        """A formed renewal that will never be stamped; raises NotFoundError."""
        with writing(self._engine) as connection:
            _require(connection, number)
            connection.execute(
                update(renewals)
                .where(renewals.c.number == number, renewals.c.gen_time.is_(None))
                .values(abandoned=reason)
            )

    def complete_renewal(self, stamped: Stamped) -> None:
        """Enter the time-stamp of a renewal and the stamps that it brings. The same call again changes
        nothing. Raises NotFoundError, and AlreadyExistsError when the renewal has another time-stamp."""
        with writing(self._engine) as connection:
            row = _require(connection, stamped.number)
            if row.token_digest is not None:
                if row.token_digest != stamped.token_digest:
                    raise AlreadyExistsError(renewal=stamped.number)
                return
            connection.execute(
                update(renewals)
                .where(renewals.c.number == stamped.number)
                .values(
                    gen_time=stamped.gen_time,
                    token_digest=stamped.token_digest,
                    tsa=stamped.tsa,
                    trusted_until=stamped.trusted_until,
                    abandoned=None,
                )
            )
            if stamped.abandons:
                _forget_abandoned(connection, row.line, stamped)
            _insert_following(connection, row, stamped)
            event = state_event("renewed", f"renewal-{stamped.number}", stamped.token_digest, stamped.gen_time)
            insert_events(connection, [event_row(event, None)])

    def renewal(self, number: int) -> RenewalRow:
        """A renewal by its number; raises NotFoundError."""
        with reading(self._engine) as connection:
            return _require(connection, number)

    def renewals(self) -> list[RenewalRow]:
        """All renewals, oldest first."""
        with reading(self._engine) as connection:
            return to_rows(RenewalRow, connection.execute(select(renewals).order_by(renewals.c.number)).mappings())

    def unfinished_renewals(self) -> list[RenewalRow]:
        """Renewals that are formed, not stamped and not abandoned, oldest first."""
        query = select(renewals).where(renewals.c.gen_time.is_(None), renewals.c.abandoned.is_(None))
        with reading(self._engine) as connection:
            return to_rows(RenewalRow, connection.execute(query.order_by(renewals.c.number)).mappings())

    def heads(self, line: str | None = None, numbers: Iterable[int] | None = None) -> list[HeadRow]:
        """The newest stamp of every line of every evidenced batch, or of some, by batch and line."""
        query = _heads()
        if line is not None:
            query = query.where(stamps.c.line == line)
        with reading(self._engine) as connection:
            if numbers is None:
                return _shared(connection.execute(query).mappings())
            found = []
            for chunk in chunks(sorted(set(numbers))):
                found += _shared(connection.execute(query.where(stamps.c.batch.in_(chunk))).mappings())
            return found

    def chain_begins(self) -> dict[tuple[int, str, int], datetime]:
        """The genTime of the first stamp of every chain, by batch, line and chain; one query."""
        query = select(stamps.c.batch, stamps.c.line, stamps.c.chain, stamps.c.gen_time).where(stamps.c.position == 0)
        with reading(self._engine) as connection:
            return {(batch, line, chain): time for batch, line, chain, time in connection.execute(query)}

    def reach(self, storage_object: str, line: str) -> tuple[int, int]:
        """How many batches have a stamp of that object in that line, and how many versions they hold."""
        query = select(func.count(), func.coalesce(func.sum(batches.c.leaf_count), 0)).select_from(
            stamps.join(batches, batches.c.number == stamps.c.batch)
        )
        with reading(self._engine) as connection:
            row = connection.execute(
                query.where(stamps.c.storage_object == storage_object, stamps.c.line == line)
            ).one()
        return int(row[0]), int(row[1])

    def stamp_in(self, storage_object: str, line: str) -> StampRow:
        """A stamp whose token lies in that object for that line; raises NotFoundError."""
        query = select(stamps).where(stamps.c.storage_object == storage_object, stamps.c.line == line).limit(1)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise NotFoundError("There is no stamp of that object.", object=storage_object, line=line)
        return to_row(StampRow, row)

    def newest_time_in(self, storage_objects: Iterable[str], line: str) -> datetime | None:
        """The newest genTime of the tokens that these objects hold for a line."""
        newest: datetime | None = None
        with reading(self._engine) as connection:
            for chunk in chunks(storage_objects):
                query = select(func.max(stamps.c.gen_time)).where(
                    stamps.c.storage_object.in_(chunk), stamps.c.line == line
                )
                found = connection.scalar(query)
                newest = max((time for time in (newest, found) if time is not None), default=None)
        return newest

    def newest_stamp_time(self) -> datetime | None:
        """The newest genTime that the archive holds."""
        with reading(self._engine) as connection:
            found = connection.scalar(select(stamps.c.gen_time).order_by(stamps.c.gen_time.desc()).limit(1))
        return found if isinstance(found, datetime) else None


def _find(connection: Connection, number: int) -> RenewalRow | None:
    row = connection.execute(select(renewals).where(renewals.c.number == number)).mappings().one_or_none()
    return to_row(RenewalRow, row) if row else None


def _require(connection: Connection, number: int) -> RenewalRow:
    found = _find(connection, number)
    if found is None:
        raise NotFoundError(f"There is no renewal {number}.")
    return found


def _has_later() -> Any:
    """Whether a stamp has a later one in its line."""
    later = stamps.alias("later")
    return exists().where(
        later.c.batch == stamps.c.batch,
        later.c.line == stamps.c.line,
        or_(
            later.c.chain > stamps.c.chain,
            and_(later.c.chain == stamps.c.chain, later.c.position > stamps.c.position),
        ),
    )


def _heads() -> Select[Any]:
    return (
        select(stamps, batches.c.profile, batches.c.leaf_count, lines.c.tsa, lines.c.trust_class)
        .join(batches, batches.c.number == stamps.c.batch)
        .join(lines, and_(lines.c.batch == stamps.c.batch, lines.c.line == stamps.c.line))
        .where(batches.c.evidenced_at.is_not(None), ~_has_later())
        .order_by(stamps.c.batch, stamps.c.line)
    )


def _shared(mappings: Iterable[Mapping[Any, Any]]) -> list[HeadRow]:
    """Rows that hold what is the same in many of them once: a hundred thousand take half of the memory."""
    known: dict[str, Any] = {}

    def one(value: Any) -> Any:
        if isinstance(value, str):
            return known.setdefault(value, value)
        if isinstance(value, dict):
            return known.setdefault(f"json:{json.dumps(value, sort_keys=True)}", value)
        return value

    names = field_names(HeadRow)
    return [HeadRow(**{name: one(mapping[name]) for name in names}) for mapping in mappings]


def _forget_abandoned(connection: Connection, line: str, stamped: Stamped) -> None:
    """Take the abandoned stamps from the lines that go on at one of the heads."""
    kept = stamps.alias("kept")
    statement = delete(stamps).where(
        stamps.c.line == line,
        stamps.c.storage_object == bindparam("abandoned_"),
        exists().where(
            kept.c.batch == stamps.c.batch, kept.c.line == line, kept.c.storage_object == bindparam("head_")
        ),
    )
    for some in chunks(product(stamped.abandons, stamped.heads), 10_000):
        connection.execute(statement, [{"abandoned_": abandoned, "head_": head} for abandoned, head in some])


def _insert_following(connection: Connection, row: RenewalRow, stamped: Stamped) -> None:
    """One statement for each thing that is covered, however many batches stand behind it."""
    fresh = row.kind == "hash-tree"
    values = {
        "chain": stamps.c.chain + 1 if fresh else stamps.c.chain,
        "position": literal(0) if fresh else stamps.c.position + 1,
        "digest": literal(row.digest),
        "gen_time": literal(stamped.gen_time, stamps.c.gen_time.type),
        "storage_object": literal(row.storage_object),
        "ocfl_path": literal(stamped.ocfl_path),
        "token_digest": literal(stamped.token_digest),
        "covers_renewal": literal(row.storage_object),
        "trusted_until": literal(stamped.trusted_until, stamps.c.trusted_until.type),
        "facts": literal(stamped.facts, stamps.c.facts.type),
    }
    newest = and_(stamps.c.line == row.line, stamps.c.storage_object == bindparam("head_"), ~_has_later())
    if fresh:
        newest = and_(newest, stamps.c.batch == bindparam("batch_"))
    source = select(stamps.c.batch, stamps.c.line, *values.values()).where(newest)
    statement = insert(stamps).from_select(["batch", "line", *values], source)
    given: list[dict[str, Any]] = [{"head_": head} for head in stamped.heads]
    if fresh:
        given = [{"head_": h, "batch_": b} for h, b in zip(stamped.heads, stamped.batches, strict=True)]
    for some in chunks(given, 10_000):
        connection.execute(statement, list(some))
