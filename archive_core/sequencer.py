"""Orders recorded events into segments of the trail and writes them to every store.

Rules kept here
 * One sequencer at a time (a lease); a segment's number is claimed by writing its object.
 * A segment is on every store before the catalogue calls its events sequenced. A segment that the
   stores hold and the catalogue does not know is adopted before a new one is made; one that no store
   holds whole is cleared, with its sidecar.
 * Personal detail goes to an object of its own (`td…`), so that it can be erased without touching
   the chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archive_core.batch import system_package
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import EventRow, SegmentRow
from archive_core.errors import (
    AlreadyExistsError,
    ArchiveError,
    ConcurrentChangeError,
    LeaseHeldError,
    UnavailableError,
    UnknownObjectError,
)
from archive_core.group_commit import GroupCommit
from archive_core.holding import Holder
from archive_core.identifiers import TRAIL, TRAIL_DETAIL, number_of, system_object
from archive_core.journal import detail_of, event_of, event_row
from archive_core.lifecycle import Actor
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import Clock
from archive_core.replication import Copies
from archive_core.settling import discard, settle
from archive_core.trail.assessing import parse_segment
from archive_core.trail.events import Detail, EventType, Outcome, new_event
from archive_core.trail.merkle import Frontier
from archive_core.trail.segments import (
    DETAILS,
    EVENTS,
    HEADER,
    LEAVES,
    Segment,
    SegmentHeader,
    build_segment,
    split_leaves,
    split_lines,
)
from archive_core.trail_rows import row_of

SEGMENT_EVENTS = 10_000
"""Events that one flush puts into one segment at the most."""

PATIENCE = 30.0
"""Seconds that a caller who needs its events in the trail waits for another sequencer."""

MAX_SEGMENT_BYTES = 2 * 1024**3


class Sequencer:
    """The one way by which events come into the trail."""

    def __init__(self, *, clock: Clock, catalogue: Catalogue, copies: Copies, holder: Holder) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._holder = holder
        self._recording = GroupCommit(self._record_group, limit=SEGMENT_EVENTS)

    def record(
        self,
        type_: EventType,
        outcome: Outcome,
        code: str,
        *,
        actor: Actor,
        poid: str | None = None,
        version: int | None = None,
        subject: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """An event in the catalogue now and in a segment soon; those that come at the same moment share a
        transaction."""
        personal = {**actor.detail, **(detail or {})}
        event, sidecar = new_event(
            type_,
            outcome,
            code,
            at=self._clock.now(),
            actor=actor.actor_id,
            poid=poid,
            version=version,
            subject=subject,
            detail=personal or None,
        )
        if (error := self._recording.submit(event_row(event, sidecar))) is not None:
            raise error

    def _record_group(self, rows: Sequence[EventRow]) -> Sequence[ArchiveError | None]:
        """Record events together, or, when one of them cannot be recorded, each for itself."""
        try:
            self._catalogue.record_events(rows)
            return [None] * len(rows)
        except UnavailableError as error:
            return [error] * len(rows)
        except ArchiveError as error:
            if len(rows) == 1:
                return [error]
        return [answer for row in rows for answer in self._record_group([row])]

    def record_all(self, rows: Sequence[EventRow]) -> None:
        """Events in the catalogue now, in as few transactions as their number allows."""
        for start in range(0, len(rows), SEGMENT_EVENTS):
            self._catalogue.record_events(rows[start : start + SEGMENT_EVENTS])

    def flush(self, *, patience: float = PATIENCE) -> int:
        """Sequence every recorded event; returns how many. Another process that is doing so is waited
        for; raises `LeaseHeldError` when it takes longer than `patience` seconds, `UnavailableError`
        when a store cannot be written."""
        total = 0
        with self._holder.hold("trail", patience=patience):
            self._adopt_claimed()
            while pending := self._catalogue.pending_events(SEGMENT_EVENTS):
                try:
                    self._write(pending)
                except (AlreadyExistsError, ConcurrentChangeError):
                    if not self._adopt_claimed():
                        raise
                    continue
                total += len(pending)
        return total

    def flush_if_free(self) -> int:
        """`flush`, or nothing while another process does it."""
        try:
            return self.flush(patience=0)
        except LeaseHeldError:
            return 0

    def _write(self, pending: Sequence[EventRow]) -> None:
        last = self._catalogue.last_segment()
        number = last.number + 1 if last else 1
        events = [event_of(row) for row in pending]
        details = [detail for row in pending if (detail := detail_of(row))]
        header, segment = build_segment(number, _header(last), events, details)
        at = self._clock.now()
        self._holder.renew()
        # The sidecar first: a segment whose committed details are on their way is complete when seen.
        if segment.details is not None:
            self._copies.replicate_in_turn(
                system_package(
                    system_object(TRAIL_DETAIL, number),
                    1,
                    {DETAILS: segment.details},
                    None,
                    message="Erasable detail",
                    at=at,
                )
            )
        self._copies.replicate_in_turn(
            system_package(system_object(TRAIL, number), 1, segment.files(), None, message="Trail segment", at=at)
        )
        row, items = _rows(header, segment, [event.event_id for event in events])
        self._catalogue.sequence_events(items, row)

    def _adopt_claimed(self) -> bool:
        adopted = False
        while True:
            last = self._catalogue.last_segment()
            number = last.number + 1 if last else 1
            object_id = system_object(TRAIL, number)
            source, _ = settle(self._copies, object_id, self._holder.renew)
            if source is None:
                # A sidecar whose segment never came to be holds the details of events that still wait.
                discard(self._copies, system_object(TRAIL_DETAIL, number), self._holder.renew)
                return adopted
            settle(self._copies, system_object(TRAIL_DETAIL, number), self._holder.renew)
            header, segment = read_segment(source, number)
            self._catalogue.record_events(recorded_rows(segment))
            row, items = segment_rows(header, segment)
            self._catalogue.sequence_events(items, row)
            adopted = True


def read_segment(root: StorageRoot, number: int) -> tuple[SegmentHeader, Segment]:
    """A segment and its sidecar, if there is one, from one store; raises `UnknownObjectError`,
    `DamageError` or `MalformedDocumentError`."""
    sidecar = system_object(TRAIL_DETAIL, number)
    segment = read_segment_files(root, number)
    if root.has_object(sidecar):
        segment = replace(segment, details=root.read_file(sidecar, 1, DETAILS, MAX_SEGMENT_BYTES))
    parsed, _ = parse_segment(segment)
    return parsed, segment


def read_segment_files(root: StorageRoot, number: int) -> Segment:
    """A segment's own files, without its sidecar and as yet unjudged; raises `UnknownObjectError` or
    `DamageError`."""
    object_id = system_object(TRAIL, number)
    if not root.has_object(object_id):
        raise UnknownObjectError(f"trail segment {number} is not in the store {root.store.name}")
    return Segment(*(root.read_file(object_id, 1, name, MAX_SEGMENT_BYTES) for name in (HEADER, EVENTS, LEAVES)))


def segment_numbers(object_ids: Iterable[str]) -> list[int]:
    """The numbers of the trail's segments among a store's objects, sorted; other objects are passed over."""
    return sorted(number for one in object_ids if (number := _segment_number(one)) is not None)


def _segment_number(object_id: str) -> int | None:
    try:
        return number_of(object_id, TRAIL)
    except ValueError:
        return None


def read_segment_if_good(root: StorageRoot, number: int) -> Segment | None:
    """As `read_segment_files`; None for one that cannot be read, which `assess_segments` then names."""
    try:
        return read_segment_files(root, number)
    except ArchiveError:
        return None


def segment_rows(header: SegmentHeader, segment: Segment) -> tuple[SegmentRow, list[tuple[str, int, bytes, bytes]]]:
    """The catalogue's row of a segment and the numbers, lines and leaf hashes of its events; the segment is one
    that was read, and is checked."""
    _, events = parse_segment(segment)
    return _rows(header, segment, [event.event_id for event in events])


def _rows(
    header: SegmentHeader, segment: Segment, event_ids: Sequence[str]
) -> tuple[SegmentRow, list[tuple[str, int, bytes, bytes]]]:
    """The same of a segment that is known to be good, with these events in it."""
    numbered = zip(event_ids, split_lines(segment.events), split_leaves(segment.leaves), strict=True)
    items = [(event_id, header.first + place, line[:-1], leaf) for place, (event_id, line, leaf) in enumerate(numbered)]
    return row_of(header), items


def recorded_rows(segment: Segment) -> list[EventRow]:
    """The events of a segment as rows to record, with their details."""
    _, events = parse_segment(segment)
    details = {
        detail.event_id: detail for line in split_lines(segment.details or b"") for detail in [Detail.parse(line)]
    }
    return [replace(event_row(event, details.get(event.event_id)), object_event=event.object_event) for event in events]


def _header(last: SegmentRow | None) -> SegmentHeader | None:
    if last is None:
        return None
    frontier = Frontier(last.size, tuple(bytes.fromhex(node) for node in last.frontier))
    # Only number and frontier are gone on from; the head before that segment is not needed again.
    return SegmentHeader(last.number, last.first, frontier, b"")
