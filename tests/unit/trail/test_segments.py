"""A check of the trail names the row that was edited, removed, moved, inserted or cut off."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from archive_core.errors import MalformedDocumentError
from archive_core.trail.assessing import TrailAssessment, assess_segments, parse_segment
from archive_core.trail.events import Event, EventType, Outcome, new_event, number_events
from archive_core.trail.merkle import EMPTY_HEAD, Frontier, head
from archive_core.trail.segments import Segment, SegmentHeader, build_segment, split_leaves, split_lines

START = datetime(2026, 3, 1, tzinfo=UTC)
POIDS = ["0199b0c27d3e7000a000000000000001", "0199b0c27d3e7000a000000000000002"]


def _events(count: int) -> list[Event]:
    events = [
        new_event(
            EventType.DISSEMINATION,
            Outcome.SUCCESS,
            "retrieve",
            at=START + timedelta(seconds=number),
            actor="key-1",
            poid=POIDS[number % 2],
            version=1,
        )[0]
        for number in range(count)
    ]
    return number_events(events, {})


EVENTS = _events(30)
LEAVES = [event.leaf_hash for event in EVENTS]
ANCHORS = {size: head(LEAVES[:size]) for size in (0, 7, 10, 13, 25, 30)}


def _log(events: list[Event] = EVENTS, cuts: tuple[int, ...] = (10, 25, 30)) -> list[Segment]:
    segments, previous, first = [], None, 0
    for number, cut in enumerate(cuts, start=1):
        previous, segment = build_segment(number, previous, events[first:cut])
        segments.append(segment)
        first = cut
    return segments


def _assess(segments: list[Segment | None], anchors: dict[int, bytes] | None = None) -> TrailAssessment:
    return assess_segments(enumerate(segments, start=1), anchors=ANCHORS if anchors is None else anchors)


def _named(assessment: TrailAssessment) -> list[tuple[str, str]]:
    return [(finding.code, finding.where) for finding in assessment.findings]


def test_a_good_trail_has_no_findings_and_the_sealed_heads() -> None:
    """Everything was read, every anchor compared."""
    assessment = _assess(list(_log()))
    assert assessment.findings == ()
    assert (assessment.events, assessment.size, assessment.anchors) == (30, 30, 5)
    assert assessment.head == head(LEAVES)


def test_a_segment_reads_back_as_it_was_built() -> None:
    """Header and events, from the bytes alone."""
    first, second, _ = _log()
    header, events = parse_segment(first, Frontier())
    assert events == EVENTS[:10]
    assert (header.number, header.first, header.size) == (1, 0, 10)
    assert header.previous_head == EMPTY_HEAD
    assert parse_segment(second, header.frontier)[1] == EVENTS[10:25]


def test_an_empty_trail_is_a_trail() -> None:
    """Nothing read is said as such, not hidden."""
    assessment = _assess([], {0: EMPTY_HEAD})
    assert (assessment.events, assessment.size, assessment.findings) == (0, 0, ())


def _with_lines(segment: Segment, change: Callable[[list[bytes]], list[bytes]]) -> Segment:
    return replace(segment, events=b"".join(change(split_lines(segment.events))))


def _edit(lines: list[bytes]) -> list[bytes]:
    lines[4] = lines[4].replace(b'"retrieve"', b'"retrievf"')
    return lines


def _swap(lines: list[bytes]) -> list[bytes]:
    lines[4], lines[5] = lines[5], lines[4]
    return lines


EVENT_14 = "segment 2, line 5, event 14"


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        (_edit, "TRAIL_EVENT_EDITED", EVENT_14),
        (lambda lines: lines[:4] + lines[5:], "TRAIL_EVENT_REMOVED", EVENT_14),
        (lambda lines: lines[:-1], "TRAIL_EVENT_REMOVED", "segment 2, line 15, event 24"),
        (_swap, "TRAIL_EVENT_REORDERED", EVENT_14),
        (lambda lines: [*lines[:4], EVENTS[29].to_line(), *lines[4:]], "TRAIL_EVENT_INSERTED", EVENT_14),
        (lambda lines: [*lines, lines[4]], "TRAIL_EVENT_DUPLICATED", EVENT_14),
        (lambda lines: [*lines[:4], *lines[5:12], lines[4], *lines[12:]], "TRAIL_EVENT_REORDERED", EVENT_14),
        (lambda lines: [*lines[:-1], lines[-1][:-1]], "TRAIL_EVENT_EDITED", "segment 2, line 15, event 24"),
        (lambda lines: [*lines[:4], b"\n", *lines[5:]], "TRAIL_EVENT_EDITED", EVENT_14),
        (lambda lines: [], "TRAIL_EVENT_REMOVED", EVENT_14),
    ],
)
def test_the_row_that_was_tampered_with_is_named(
    change: Callable[[list[bytes]], list[bytes]], code: str, where: str
) -> None:
    """Edited, removed (within, at the end, all), moved, inserted, repeated, cut: each is named by its place, and what
    was left alone is not."""
    first, second, third = _log()
    changed = _with_lines(second, change)
    found = _named(_assess([first, changed, third]))
    assert (code, where) in found
    assert len(found) == (1 if changed.events else 15)


@pytest.mark.parametrize("position", range(0, 15 * 64, 61))
def test_a_changed_leaf_hash_is_found(position: int) -> None:
    """Lines and heads agree against the list, which is what is named."""
    first, second, third = _log()
    leaves = bytearray(second.leaves)
    leaves[position] ^= 1
    found = _named(_assess([first, replace(second, leaves=bytes(leaves)), third]))
    place = position // 64
    assert found == [("TRAIL_LEAF_EDITED", f"segment 2, line {place + 1}, event {10 + place}")]


def test_lines_and_leaf_hashes_changed_together_are_found_by_the_heads() -> None:
    """Whoever adapts the leaf hashes is caught by the segment's own head."""
    first, second, third = _log()
    lines = _edit(split_lines(second.events))
    forged = replace(second, events=b"".join(lines), leaves=_leaves(lines))
    assert ("TRAIL_HEAD_MISMATCH", "segment 2") in _named(_assess([first, forged, third]))


def _leaves(lines: list[bytes]) -> bytes:
    return b"".join(Event.parse(line).leaf_hash for line in lines)


def test_a_consistent_forgery_is_caught_by_the_sealed_heads_alone() -> None:
    """Rewriting everything from one event on gives a flawless log, with heads that nobody sealed."""
    forged = list(EVENTS)
    forged[14] = replace(forged[14], code="forged")
    assert _assess(list(_log(forged)), {}).findings == ()
    found = _named(_assess(list(_log(forged))))
    assert found == [("TRAIL_ANCHOR_MISMATCH", "segment 2"), ("TRAIL_ANCHOR_MISMATCH", "segment 3")]


def test_a_consistent_removal_leaves_a_gap_in_the_objects_numbers() -> None:
    """Also without any sealed head, the numbers of the object's events tell."""
    without = EVENTS[:14] + EVENTS[15:]
    found = _named(_assess(list(_log(without, (10, 24, 29))), {}))
    assert ("TRAIL_OBJECT_EVENT_GAP", "segment 2, line 6, event 15") in found


@pytest.mark.parametrize(("kept", "size"), [(0, 0), (1, 10), (2, 25)])
def test_a_truncated_trail_is_found_by_the_sealed_size(kept: int, size: int) -> None:
    """Cutting off whole segments leaves nothing to see but the statements."""
    assessment = _assess(list(_log()[:kept]))
    assert ("TRAIL_TRUNCATED", f"event {size}") in _named(assessment)


def test_a_missing_segment_is_named() -> None:
    """Between others, unreadable, or at the beginning."""
    first, second, third = _log()
    assert ("TRAIL_SEGMENT_MISSING", "segment 2") in _named(assess_segments([(1, first), (3, third)]))
    assert ("TRAIL_SEGMENT_MISSING", "segment 2") in _named(assess_segments([(1, first), (2, None), (3, third)]))
    assert ("TRAIL_SEGMENT_MISSING", "segment 1") in _named(assess_segments([(2, second), (3, third)]))


def test_segments_in_the_wrong_place_are_found() -> None:
    """Swapped, repeated, or cut from another log."""
    first, second, third = _log()
    foreign = _log(_events(30))[1]
    for segments in ([(1, second), (2, first), (3, third)], [(1, first), (2, foreign), (3, third)]):
        assert _assess_pairs(segments)
    assert ("TRAIL_SEGMENT_MALFORMED", "segment 1") in _assess_pairs([(1, first), (1, first)])


def _assess_pairs(segments: list[tuple[int, Segment]]) -> list[tuple[str, str]]:
    return _named(assess_segments(segments))


@pytest.mark.parametrize("position", range(0, 600, 3))
def test_each_changed_bit_of_a_header_is_found(position: int) -> None:
    """A header that was touched is malformed or contradicts the log."""
    first, second, third = _log()
    header = bytearray(second.header)
    header[position % len(header)] ^= 1
    assert _assess([first, replace(second, header=bytes(header)), third], {}).findings


def test_broken_files_are_findings_and_never_errors() -> None:
    """Whatever lies there, the check goes on to the next segment."""
    first, second, third = _log()
    for broken in (
        replace(second, leaves=second.leaves[:-1]),
        replace(second, leaves=b""),
        replace(second, header=b""),
        replace(second, header=second.header[:-1]),
        replace(second, events=b"\xff" * 1000),
        replace(second, events=b""),
    ):
        assert _assess([first, broken, third]).findings
        with pytest.raises(MalformedDocumentError):
            parse_segment(broken)


def test_findings_are_bounded() -> None:
    """A trail that is broken everywhere does not fill the memory with findings."""
    header, segment = build_segment(1, None, _events(1500))
    assert header.size == 1500
    assessment = assess_segments([(1, replace(segment, events=b"x\n" * 1500))])
    assert len(assessment.findings) == 1001
    assert assessment.findings[-1].code == "TRAIL_MORE_FINDINGS"
    assert "500 more" in assessment.findings[-1].message


@pytest.mark.parametrize("part", ["header", "leaves"])
def test_the_segment_after_a_broken_one_is_not_accused(part: str) -> None:
    """Header or list of leaf hashes gone: lines, and what follows, are judged all the same."""
    first, second, third = _log()
    broken = replace(second, **{part: b"{}" if part == "header" else b""})
    assert _places(_assess([first, broken, third])) == {"segment 2"}
    lines = _with_lines(broken, _edit)
    if part == "header":
        assert ("TRAIL_EVENT_EDITED", EVENT_14) in _named(_assess([first, lines, third]))
    assert ("TRAIL_EVENT_EDITED", "segment 3, line 5, event 29") in _named(
        _assess([first, broken, _with_lines(third, _edit)])
    )


def test_a_header_that_starts_elsewhere_is_named_and_no_other() -> None:
    """Its number, its start, the head before it."""
    first, second, third = _log()
    header, _ = parse_segment(second)
    for forged in (
        replace(header, number=7),
        replace(header, first=9),
        replace(header, previous_head=bytes(64)),
        replace(header, frontier=Frontier(25, header.frontier.nodes[::-1])),
    ):
        found = _assess([first, replace(second, header=forged.to_bytes()), third])
        assert _places(found) == {"segment 2"}, forged


def _places(assessment: TrailAssessment) -> set[str]:
    return {finding.where.partition(",")[0] for finding in assessment.findings}


def test_a_segment_needs_events_in_the_next_place() -> None:
    """No empty segment, no skipped number, no detail that nobody is committed to."""
    header, _ = build_segment(1, None, EVENTS[:3])
    _, detail = new_event(EventType.ACCESS, Outcome.SUCCESS, "x", at=START, detail={"a": "b"})
    assert detail is not None
    with pytest.raises(ValueError, match="holds 1 to"):
        build_segment(2, header, [])
    with pytest.raises(ValueError, match="cannot follow"):
        build_segment(3, header, EVENTS[3:4])
    with pytest.raises(ValueError, match="cannot follow"):
        build_segment(2, None, EVENTS[3:4])
    with pytest.raises(ValueError, match="committed"):
        build_segment(2, header, EVENTS[3:4], [detail])


def test_the_sidecar_holds_the_details_of_its_segment() -> None:
    """Details go to their own file and the events keep the commitments."""
    event, detail = new_event(EventType.ACCESS, Outcome.SUCCESS, "x", at=START, detail={"name": "Jana"})
    assert detail is not None
    _, segment = build_segment(1, None, [event], [detail])
    assert segment.details == detail.to_line()
    assert b"Jana" not in b"".join(segment.files().values())
    assert set(segment.files()) == {"events.jsonl", "leaves.bin", "segment.json"}


def test_a_header_with_a_frontier_that_does_not_give_its_head_is_refused() -> None:
    """Frontier and head are compared whenever a header is read."""
    header, segment = build_segment(1, None, EVENTS[:5])
    other = replace(header, frontier=Frontier(5, tuple(split_leaves(segment.leaves)[:2])))
    forged = other.to_bytes().replace(other.head.hex().encode(), header.head.hex().encode())
    with pytest.raises(MalformedDocumentError, match="head"):
        SegmentHeader.parse(forged)
