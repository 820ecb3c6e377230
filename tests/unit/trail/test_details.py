"""Details that are not those that events are committed to are named; what was erased is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from archive_core.trail.details import assess_details, detailed_events
from archive_core.trail.events import Detail, EventType, Outcome, new_event

AT = datetime(2026, 3, 1, tzinfo=UTC)
MADE = [
    new_event(EventType.ACCESS, Outcome.SUCCESS, "x", at=AT, detail={"name": f"n{number}"} if number % 2 else None)
    for number in range(12)
]
LINES = [event.to_line() for event, _ in MADE]
DETAILS = [detail for _, detail in MADE if detail is not None]
SIDECAR = [detail.to_line() for detail in DETAILS]
"""Of the events 1, 3, 5, 7, 9, 11."""


def found(lines: list[bytes], *, whole: bool = False) -> list[tuple[str, str]]:
    told = assess_details(4, 100, LINES, b"".join(lines), whole=whole)
    return [(one.code.removeprefix("TRAIL_DETAIL_"), one.where) for one in told]


def at(number: int) -> str:
    return f"segment 4, line {number + 1}, event {100 + number}"


def swapped() -> list[bytes]:
    """Two details under the ids of each other's event."""
    third, seventh = DETAILS[1], DETAILS[3]
    lines = [*SIDECAR]
    lines[1] = Detail(third.event_id, seventh.nonce, seventh.detail).to_line()
    lines[3] = Detail(seventh.event_id, third.nonce, third.detail).to_line()
    return lines


FOREIGN = Detail.new("f" * 32, {"name": "x"}).to_line()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (lambda: SIDECAR, []),
        (lambda: [SIDECAR[0].replace(b'"n1"', b'"n2"'), *SIDECAR[1:]], [("EDITED", at(1))]),
        (swapped, [("EDITED", at(3)), ("EDITED", at(7))]),
        (lambda: [*SIDECAR[:2], *SIDECAR[3:]], [("REMOVED", at(5))]),
        (lambda: SIDECAR[:-1], [("REMOVED", at(11))]),
        (lambda: [*SIDECAR[1:5], SIDECAR[0], SIDECAR[5]], [("REORDERED", at(1))]),
        (lambda: [*SIDECAR, SIDECAR[2]], [("DUPLICATED", at(5))]),
        (lambda: [FOREIGN, *SIDECAR], [("INSERTED", "segment 4, details.jsonl, line 1")]),
        (lambda: [*SIDECAR[:1], b"{}\n", *SIDECAR[2:]], [("EDITED", at(3))]),
        (lambda: [*SIDECAR[:5], SIDECAR[5][:-9]], [("EDITED", at(11))]),
    ],
)
def test_the_detail_that_was_tampered_with_is_named(
    lines: Callable[[], list[bytes]], told: list[tuple[str, str]]
) -> None:
    """By the event whose detail it is, and no other."""
    assert sorted(found(lines())) == sorted(told)


def test_erased_details_are_no_finding() -> None:
    """What is left in a file that says what was written may be any part of it."""
    assert found(SIDECAR[2:4], whole=True) == []
    assert len(found(SIDECAR[2:4], whole=False)) == 4


def test_the_events_with_details_are_those_of_the_file() -> None:
    """What does not end as such a line does is nobody's."""
    assert detailed_events(b"".join([SIDECAR[0], b"{}\n", SIDECAR[3]])) == {DETAILS[0].event_id, DETAILS[3].event_id}


def test_where_lines_are_not_sound_details_are_named_by_the_places_of_those_that_are() -> None:
    """Events 0 and 3 were edited, so nothing is said of the detail of 3 but that it is no event's; that of 9 was
    edited, too, and has its own number, whatever number its line has now."""
    lines = [*SIDECAR[:4], SIDECAR[4].replace(b'"n9"', b'"n8"'), SIDECAR[5]]
    sound = [number for number in range(12) if number not in (0, 3)]
    told = assess_details(4, 100, [LINES[one] for one in sound], b"".join(lines), whole=True, places=sound)
    assert [(one.code, one.where) for one in told] == [
        ("TRAIL_DETAIL_INSERTED", "segment 4, details.jsonl, line 2"),
        ("TRAIL_DETAIL_EDITED", at(9)),
    ]
