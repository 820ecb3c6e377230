"""Trail events as the catalogue knows them: recorded, then sequenced into segments.

Rules kept here
 * The events of one object are numbered from 1 without gaps, in the transaction that records them.
 * An event is recorded once, by its id; recording it again changes nothing.
 * A sequence number is given once and never changed. Numbers continue where the last segment ended,
   and a segment is entered together with all of its events, or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, exists, insert, or_, select, update

from archive_core.catalogue.base import Part, chunks, field_names, to_row, to_rows, to_values, values_of
from archive_core.catalogue.many_rows import ManyChanges, ManyRows, count_on
from archive_core.catalogue.rows import EventRow, SegmentRow
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import events, segments
from archive_core.errors import ConcurrentChangeError, NotFoundError

Sequenced = tuple[str, int, bytes, bytes]
"""Event id, sequence number, canonical line, leaf hash."""


class Events(Part):
    def record_events(self, events: Sequence[EventRow]) -> list[EventRow]:
        """Record events and return them as recorded, with their per-object numbers.

        An event that brings its own `object_event` (from a store, in a rebuild) keeps it. One whose
        id is known is returned as it was recorded first.
        """
        with writing(self._engine) as connection:
            return insert_events(connection, events)

    def pending_events(self, limit: int = 1000) -> list[EventRow]:
        """Events without a sequence number, in the order of their recording."""
        names = field_names(EventRow)
        query = select(*(events.c[name] for name in names)).where(events.c.seq.is_(None))
        with reading(self._engine) as connection:
            found = connection.execute(query.order_by(events.c.arrival).limit(limit))
            return [EventRow(**dict(zip(names, row, strict=True))) for row in found]

    def sequence_events(self, items: Sequence[Sequenced], segment: SegmentRow) -> None:
        """Give events their numbers, lines and leaf hashes and enter the segment that holds them.

        `items` are (event id, seq, line, leaf hash) with seq = segment.first … without a gap. The
        same segment may be entered again. Raises ConcurrentChangeError when the segment does not
        continue the last one, its number is taken by another, or an event is unknown or numbered.
        """
        expected = list(range(segment.first, segment.first + segment.count))
        if [seq for _, seq, _, _ in items] != expected or segment.size != segment.first + segment.count:
            raise ValueError(f"segment {segment.number} does not number its events from {segment.first} on")
        with writing(self._engine) as connection:
            known = connection.execute(select(segments).filter_by(number=segment.number)).mappings().one_or_none()
            if known is not None:
                if _segment(known) != segment or not _hold(connection, items):
                    raise ConcurrentChangeError(segment=segment.number)
                return
            last = _last_segment(connection)
            if (segment.number, segment.first) != ((last.number + 1, last.size) if last else (1, 0)):
                raise ConcurrentChangeError(segment=segment.number, last=last.number if last else None)
            connection.execute(insert(segments).values({**to_values(segment), "frontier": list(segment.frontier)}))
            if _SEQUENCING.make(connection, items) != len(items):  # each changed exactly one event, which had no number
                raise ConcurrentChangeError("An event of the segment is unknown or numbered otherwise.")

    def events_of(self, poid: str) -> list[EventRow]:
        """All events of an object, by their per-object number."""
        query = select(events).where(events.c.poid == poid).order_by(events.c.object_event)
        with reading(self._engine) as connection:
            return to_rows(EventRow, connection.execute(query).mappings())

    def events_about(self, subject: str) -> list[EventRow]:
        """All events about another opaque thing, such as a renewal (`rn0000000001`), as they arrived."""
        query = select(events).where(events.c.subject == subject).order_by(events.c.arrival)
        with reading(self._engine) as connection:
            return to_rows(EventRow, connection.execute(query).mappings())

    def last_event_about(self, subject: str) -> EventRow | None:
        """The newest of `events_about`."""
        query = select(events).where(events.c.subject == subject).order_by(events.c.arrival.desc()).limit(1)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else to_row(EventRow, row)

    def events(self, after_seq: int = -1, limit: int = 1000) -> list[EventRow]:
        """Sequenced events behind a sequence number, in trail order."""
        query = select(events).where(events.c.seq > after_seq).order_by(events.c.seq).limit(limit)
        with reading(self._engine) as connection:
            return to_rows(EventRow, connection.execute(query).mappings())

    def events_between(self, first: int, stop: int) -> list[EventRow]:
        """The rows with sequence numbers from `first` to before `stop`; raises ValueError for one that is no row of
        ours. A database without types may hold numbers that are no integers: they are here, too."""
        query = select(events).where(events.c.seq >= first, events.c.seq < stop).order_by(events.c.seq)
        with reading(self._engine) as connection:
            return to_rows(EventRow, connection.execute(query).mappings())

    def event_by_seq(self, seq: int) -> EventRow:
        """The event at a place in the trail; raises NotFoundError."""
        with reading(self._engine) as connection:
            row = connection.execute(select(events).where(events.c.seq == seq)).mappings().one_or_none()
        if row is None:
            raise NotFoundError(f"The trail has no event {seq}.")
        return to_row(EventRow, row)

    def numbers_outside(self, size: int, limit: int) -> list[object]:
        """The first numbers of rows that are none of a trail of `size` events; a database without types may hold
        anything there."""
        query = select(events.c.seq).where(or_(events.c.seq < 0, events.c.seq >= size)).order_by(events.c.seq)
        with reading(self._engine) as connection:
            return list(connection.scalars(query.limit(limit)))

    def leaf_hashes(self, first: int, count: int) -> list[bytes]:
        """The leaf hashes `first` … `first + count - 1`; raises NotFoundError unless all are there."""
        query = select(events.c.leaf_hash).where(events.c.seq >= first, events.c.seq < first + count)
        with reading(self._engine) as connection:
            found = [bytes(value) for value in connection.scalars(query.order_by(events.c.seq))]
        if len(found) != count:
            raise NotFoundError(f"The catalogue does not hold the trail's leaves {first} to {first + count - 1}.")
        return found

    def last_segment(self) -> SegmentRow | None:
        with reading(self._engine) as connection:
            return _last_segment(connection)

    def segments(self) -> list[SegmentRow]:
        """All segments, oldest first."""
        with reading(self._engine) as connection:
            return [
                _segment(row) for row in connection.execute(select(segments).order_by(segments.c.number)).mappings()
            ]

    def segments_with_details(self) -> set[int]:
        """The numbers of segments with an event whose detail is kept and was not erased."""
        kept = (events.c.seq >= segments.c.first) & (events.c.seq < segments.c.size) & events.c.detail.is_not(None)
        query = select(segments.c.number).where(exists().where(kept))
        with reading(self._engine) as connection:
            return set(connection.scalars(query))


_BY_ID = select(events).where(events.c.event_id.in_(bindparam("ids", expanding=True)))
_KNOWN = select(events.c.event_id).where(events.c.event_id.in_(bindparam("ids", expanding=True)))
_EVENTS = ManyRows(events, field_names(EventRow))
_SEQUENCING = ManyChanges(
    update(events)
    .where(events.c.event_id == bindparam("id_"), events.c.seq.is_(None))
    .values(seq=bindparam("seq_"), line=bindparam("line_"), leaf_hash=bindparam("leaf_")),
    events,
    {"id_": "event_id", "seq_": "seq", "line_": "line", "leaf_": "leaf_hash"},
)
_OBJECT_EVENT = field_names(EventRow).index("object_event")


def insert_events(connection: Connection, rows: Sequence[EventRow]) -> list[EventRow]:
    """Record events within a transaction; what `record_events` says."""
    known: dict[str, EventRow] = {}
    for chunk in chunks({row.event_id for row in rows}):
        found = connection.execute(_BY_ID, {"ids": chunk}).mappings()
        known.update((row.event_id, row) for row in to_rows(EventRow, found))
    fresh = {row.event_id: row for row in rows if row.event_id not in known}
    numbers = _add(connection, list(fresh.values()))
    for row, number in zip(fresh.values(), numbers, strict=True):
        known[row.event_id] = replace(row, object_event=number)
    return [known[row.event_id] for row in rows]


def add_events(connection: Connection, rows: Sequence[EventRow]) -> None:
    """As `insert_events`, for a caller who does not ask what came of it."""
    known: set[str] = set()
    for chunk in chunks({row.event_id for row in rows}):
        known.update(connection.execute(_KNOWN, {"ids": chunk}).scalars())
    _add(connection, list({row.event_id: row for row in rows if row.event_id not in known}.values()))


def number_on(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Give no number again that one of these events of objects has, within a transaction."""
    given: dict[str, int] = {}
    for row in rows:
        if row["poid"] is not None:
            given[row["poid"]] = max(row["object_event"], given.get(row["poid"], 0))
    _advance(connection, given, _AT_LEAST)


def _add(connection: Connection, rows: Sequence[EventRow]) -> list[int | None]:
    """Insert events that are not there; their per-object numbers."""
    numbers = _number(connection, rows)
    inserted = []
    for row, number in zip(rows, numbers, strict=True):
        values = values_of(row)
        detail = values[_DETAIL]
        if number != row.object_event or not (detail is None or type(detail) is dict):
            changed = list(values)
            changed[_OBJECT_EVENT] = number
            changed[_DETAIL] = None if detail is None else dict(detail)
            values = tuple(changed)
        inserted.append(values)
    _EVENTS.put(connection, inserted)
    return numbers


_DETAIL = field_names(EventRow).index("detail")


def _number(connection: Connection, rows: Sequence[EventRow]) -> list[int | None]:
    """The per-object numbers of the events of objects, behind all numbers that were ever given."""
    given: dict[str, int] = {}
    wanting: Counter[str] = Counter()
    for row in rows:
        if row.poid and row.object_event is not None:
            given[row.poid] = max(row.object_event, given.get(row.poid, 0))
        elif row.poid:
            wanting[row.poid] += 1
    _advance(connection, given, _AT_LEAST)
    lasts = _advance(connection, wanting, _FURTHER)
    next_of = {poid: last - wanting[poid] for poid, last in lasts.items()}
    numbers = []
    for row in rows:
        number = row.object_event
        if row.poid and number is None:
            number = next_of[row.poid] = next_of[row.poid] + 1
        numbers.append(number)
    return numbers


_AT_LEAST = {
    "sqlite": "max(event_counters.last, excluded.last)",
    "postgresql": "greatest(event_counters.last, excluded.last)",
}
"""Move a counter to a number, never back."""

_FURTHER = dict.fromkeys(("sqlite", "postgresql"), "event_counters.last + excluded.last")
"""Move a counter by a number."""


def _advance(connection: Connection, by: Mapping[str, int], rules: Mapping[str, str]) -> dict[str, int]:
    """Move the objects' counters and return where they stand now.

    A counter's row lock orders concurrent recorders of one object. Counters are locked in one order
    (by POID), so that two transactions never wait for each other in a circle.
    """
    return count_on(connection, "event_counters", ("poid", "last"), by, rules[connection.dialect.name])


def _hold(connection: Connection, items: Sequence[Sequenced]) -> bool:
    """Whether exactly these events stand at these numbers with these lines and hashes."""
    if not items:
        return False
    first, last = items[0][1], items[-1][1]
    query = select(events.c.event_id, events.c.seq, events.c.line, events.c.leaf_hash)
    rows = connection.execute(query.where(events.c.seq.between(first, last)).order_by(events.c.seq))
    found = [(row.event_id, row.seq, bytes(row.line), bytes(row.leaf_hash)) for row in rows]
    return found == [tuple(item) for item in items]


def _last_segment(connection: Connection) -> SegmentRow | None:
    query = select(segments).order_by(segments.c.number.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    return _segment(row) if row else None


def _segment(row: Any) -> SegmentRow:
    return to_row(SegmentRow, {**row, "frontier": tuple(row["frontier"])})
