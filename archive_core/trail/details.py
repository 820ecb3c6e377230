"""The check of a segment's erasable details against the events that are committed to them: pure.

Rules kept here
 * Details stand in the order of their events. A line that is no event's, that says something else than its event is
   committed to, or that stands elsewhere is named; a detail that is not there may have been erased.
 * Only where the file is not the one that was written (`whole` False), or where another store has it, is a missing
   detail named: an erasure writes what is left, everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from archive_core.errors import MalformedDocumentError
from archive_core.findings import Finding
from archive_core.trail.differences import Difference, Kind, differences
from archive_core.trail.events import Detail, Event, EventType
from archive_core.trail.quick import parse_event
from archive_core.trail.segments import DETAILS, split_lines

_OF_DOCUMENTS = frozenset({EventType.INGESTION, EventType.UPDATE, EventType.DELETION})
"""Events that may be committed to a document in the stores instead of to a detail."""

_COMMITTED = b'"commitment":"'

_OF_EVENT = re.compile(rb'"event_id":"([0-9a-f]{32})","nonce":"[0-9a-f]{64}"\}\n')
"""How a canonical line ends."""

_SAID = {
    Kind.EDITED: "the detail is not the one that its event is committed to",
    Kind.REMOVED: "the detail is gone, and was not erased",
    Kind.INSERTED: "no event of this segment is committed to the detail",
    Kind.REORDERED: "the detail stands at another place than its event",
    Kind.DUPLICATED: "the detail is there more than once",
}


def assess_details(
    number: int, first: int, lines: Sequence[bytes], details: bytes, *, whole: bool, places: Sequence[int] | None = None
) -> list[Finding]:
    """Findings `TRAIL_DETAIL_EDITED`, `…_REMOVED`, `…_INSERTED`, `…_REORDERED`, `…_DUPLICATED` about the sidecar of a
    segment whose `lines`, from event `first` on, are sound. Where only some are, `places` are theirs, from 0; of the
    details of the others nothing can be said but that they are no event's."""
    places_of_lines = range(len(lines)) if places is None else places
    committed = {event.event_id: (places_of_lines[index], event) for index, event in _committed(lines)}
    found = [_read(line) for line in split_lines(details)]
    there = {one.event_id for one in found if one}
    expected = [
        (event_id, index)
        for event_id, (index, event) in committed.items()
        if event_id in there or event.type not in _OF_DOCUMENTS
    ]

    def event_at(index: int) -> str:
        return f"segment {number}, line {index + 1}, event {first + index}"

    def where(one: Difference) -> str:
        if one.kind is Kind.INSERTED and one.found is not None:
            return f"segment {number}, {DETAILS}, line {one.found + 1}"
        return event_at(expected[one.place][1])

    was = [event_id.encode() for event_id, _ in expected]
    now = [b"line %d" % line if one is None else one.event_id.encode() for line, one in enumerate(found)]
    changed = [] if was == now else differences(was, now)
    told = [
        Finding(f"TRAIL_DETAIL_{one.kind.name}", _SAID[one.kind], where(one))
        for one in changed
        if one.kind is not Kind.REMOVED or not whole
    ]
    wrong = {one.event_id for one in found if one and one.event_id in committed and not _fits(one, committed)}
    edited = (event_at(committed[event_id][0]) for event_id in sorted(wrong))
    return told + [Finding("TRAIL_DETAIL_EDITED", _SAID[Kind.EDITED], place) for place in edited]


def detailed_events(details: bytes) -> frozenset[str]:
    """The ids of the events of which these lines say that they are the details."""
    return frozenset(found[1].decode("ascii") for found in _OF_EVENT.finditer(details))


def missing_details(number: int, first: int, lines: Sequence[bytes], lacking: Collection[str]) -> list[Finding]:
    """`TRAIL_DETAIL_REMOVED` for the events of a sound segment whose details lie elsewhere and not here; ids of no
    event of it are passed over."""
    return [
        Finding(
            "TRAIL_DETAIL_REMOVED",
            _SAID[Kind.REMOVED],
            f"segment {number}, line {index + 1}, event {first + index}",
        )
        for index, event in _committed(lines)
        if event.event_id in lacking
    ]


def _fits(detail: Detail, committed: dict[str, tuple[int, Event]]) -> bool:
    return committed[detail.event_id][1].commitment == detail.commitment


def _committed(lines: Sequence[bytes]) -> list[tuple[int, Event]]:
    """The events with a commitment, by their place among the lines; a line that is no event has none."""
    found = []
    for index, line in enumerate(lines):
        if _COMMITTED in line:
            try:
                found.append((index, parse_event(line)))
            except MalformedDocumentError:
                continue  # named by the check of the lines
    return found


def _read(line: bytes) -> Detail | None:
    try:
        return Detail.parse(line)
    except MalformedDocumentError:
        return None
