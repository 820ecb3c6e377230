"""Compares what a catalogue says of the trail with the trail itself: pure, segment by segment.

Rules kept here
 * A row is the event that was chained, or a finding names its place: edited, removed, moved, replaced or added.
 * What is compared are the octets: the row's members written anew, the line and the leaf hash that it keeps, and the
   commitment over its detail. A detail that is in the stores is in its row, too; one that was erased is in neither.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property

from archive_core.catalogue.rows import EventRow, SegmentRow
from archive_core.errors import MalformedDocumentError
from archive_core.findings import Finding
from archive_core.journal import detail_of, event_of
from archive_core.trail.merkle import leaf_hash
from archive_core.trail.quick import parse_event
from archive_core.trail.segments import SegmentHeader


def compare_rows(
    rows: Iterable[EventRow], lines: Sequence[bytes], first: int, detailed: Collection[str] = ()
) -> Iterator[Finding]:
    """Findings about the rows numbered `first` … `first + len(lines) - 1`, of which `lines` (each with its line feed)
    are the chained events: `ROW_REMOVED`, `ROW_EDITED`, `ROW_MOVED`, `ROW_REPLACED`, `ROW_ADDED`,
    `ROW_DETAIL_REMOVED`, `ROW_DETAIL_ALONE`. Rows that could not even be read are not among `rows`, and so are removed
    ones. `lines` are those of a segment that was found sound, `detailed` the ids of the events whose details the stores
    hold."""
    held: dict[int | None, EventRow] = {row.seq: row for row in rows}
    known = _Ids(lines)
    for place, line in enumerate(lines):
        row, where = held.pop(first + place, None), f"event {first + place}"
        if row is None:
            yield Finding("ROW_REMOVED", "the catalogue has no readable row of this event", where)
        elif not is_chained(row, line):
            yield _difference(row, line, known, where)
        elif row.detail is None and row.event_id in detailed:
            yield Finding("ROW_DETAIL_REMOVED", "the row lacks the detail that the stores hold", where)
        elif row.detail is not None and row.event_id not in detailed:
            yield Finding("ROW_DETAIL_ALONE", "the stores lack the detail that the row holds", where)
    for number in held:  # between the numbers
        yield Finding("ROW_ADDED", "no event was ever chained with this number", f"event {number}")


def compare_segment_row(row: SegmentRow | None, header: SegmentHeader) -> Iterator[Finding]:
    """`SEGMENT_ROW_REMOVED` or `SEGMENT_ROW_EDITED`: proofs and the next segment are made from the row."""
    where = f"segment {header.number}"
    if row is None:
        yield Finding("SEGMENT_ROW_REMOVED", "the catalogue has no row of this segment", where)
    elif row != row_of(header):
        yield Finding("SEGMENT_ROW_EDITED", "the row does not say what the segment's header says", where)


def row_of(header: SegmentHeader) -> SegmentRow:
    """What the catalogue keeps of a segment."""
    return SegmentRow(
        number=header.number,
        first=header.first,
        count=header.size - header.first,
        size=header.size,
        head=header.head.hex(),
        frontier=tuple(node.hex() for node in header.frontier.nodes),
    )


def is_chained(row: EventRow, line: bytes) -> bool:
    """Whether the row is the event of this line, with a detail that it was chained with or none."""
    chained = line[:-1]
    if row.line != chained or row.leaf_hash != leaf_hash(chained):
        return False
    try:
        event, detail = event_of(row), detail_of(row)
        if event.to_line() != line:
            return False
        return detail is None or detail.commitment == event.commitment
    except (MalformedDocumentError, ValueError, TypeError):
        return False  # members that no event can have


class _Ids:
    """The events of a segment, looked at when the first difference is found."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines

    @cached_property
    def all(self) -> frozenset[str]:
        return frozenset(parse_event(line).event_id for line in self._lines)


def _difference(row: EventRow, line: bytes, known: _Ids, where: str) -> Finding:
    if row.event_id == parse_event(line).event_id:
        return Finding("ROW_EDITED", "the row does not say what was chained", where)
    if row.event_id in known.all:
        return Finding("ROW_MOVED", "the row of another event of this segment has its number", where)
    return Finding("ROW_REPLACED", "a row that was never chained here has its number", where)
