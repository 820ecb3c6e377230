"""Events, segments, leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive_core.catalogue import Catalogue
from archive_core.errors import (
    ConcurrentChangeError,
    NotFoundError,
)
from tests.catalogue_rows import (
    entry,
    event_row,
    later,
    poid,
    segment_row,
    sequenced,
    version_row,
)


def test_events_of_an_object_are_numbered_without_gaps(catalogue: Catalogue) -> None:
    """Numbers begin at 1 for each object; events about no object have none."""
    catalogue.enter_version(*entry(1))
    one, two = version_row(1), version_row(2)
    recorded = catalogue.record_events([event_row(1, one), event_row(2, two), event_row(3), event_row(4, one)])

    assert [event.object_event for event in recorded] == [2, 1, None, 3]
    assert [event.object_event for event in catalogue.events_of(poid(1))] == [1, 2, 3]


def test_an_event_is_recorded_once(catalogue: Catalogue) -> None:
    """Its id decides, within a call and between calls; the first record stands."""
    one = version_row(1)
    first = catalogue.record_events([event_row(1, one), event_row(1, one)])
    again = catalogue.record_events([event_row(1, one, code="other"), event_row(2, one)])

    assert first[0] == first[1]
    assert again[0] == first[0]
    assert [event.object_event for event in catalogue.events_of(one.poid)] == [1, 2]


def test_numbers_that_a_store_brings_are_kept_and_counted_on(catalogue: Catalogue) -> None:
    """A rebuild gives events the numbers they have; new ones follow, in the same call too."""
    one = version_row(1)
    catalogue.record_events([event_row(5, one, object_event=5), event_row(4, one, object_event=4)])
    recorded = catalogue.record_events([event_row(7, one), event_row(6, one, object_event=8)])

    assert [event.object_event for event in recorded] == [9, 8]
    assert [event.event_id for event in catalogue.events_of(one.poid)] == [f"{n:032x}" for n in (4, 5, 6, 7)]


def test_a_number_that_is_taken_is_refused(catalogue: Catalogue) -> None:
    """Two events of one object never share a number."""
    one = version_row(1)
    catalogue.record_events([event_row(1, one)])

    with pytest.raises(ConcurrentChangeError):
        catalogue.record_events([event_row(2, one, object_event=1)])


def test_erasable_detail_comes_back_as_it_went_in(catalogue: Catalogue) -> None:
    """The sidecar's JSON keeps its types; no detail is no JSON null."""
    detail = {"remote": "2001:db8::1", "agent": "Spisová služba ž", "n": [1, 2.5, None, True], "nested": {"a": {}}}
    catalogue.record_events([event_row(1, detail=detail, detail_nonce="00" * 32, commitment="ab" * 64), event_row(2)])

    with_detail, without = catalogue.pending_events()
    assert with_detail.detail == detail
    assert (with_detail.detail_nonce, with_detail.commitment) == ("00" * 32, "ab" * 64)
    assert without.detail is None


def test_events_are_pending_in_the_order_of_their_recording_until_sequenced(catalogue: Catalogue) -> None:
    """Arrival decides, not the clock, which may go back."""
    events = catalogue.record_events([event_row(3), event_row(1), event_row(2, recorded_at=later(-100))])
    assert catalogue.pending_events() == events
    assert catalogue.pending_events(limit=2) == events[:2]

    segment = segment_row(1, 0, 2)
    catalogue.sequence_events(sequenced(events[:2], 0), segment)

    assert catalogue.pending_events() == events[2:]
    assert catalogue.last_segment() == segment
    assert [(event.seq, event.event_id) for event in catalogue.events()] == [
        (0, events[0].event_id),
        (1, events[1].event_id),
    ]
    assert catalogue.event_by_seq(1).line == f"line {events[1].event_id}".encode()
    assert catalogue.leaf_hashes(0, 2) == [item[3] for item in sequenced(events[:2], 0)]
    assert catalogue.events(after_seq=0, limit=1)[0].seq == 1


def test_segments_continue_each_other(catalogue: Catalogue) -> None:
    """The next one begins where the last one ended, and has the next number."""
    events = catalogue.record_events([event_row(n) for n in range(5)])
    catalogue.sequence_events(sequenced(events[:2], 0), segment_row(1, 0, 2))

    for wrong in (segment_row(2, 3, 3), segment_row(2, 1, 3), segment_row(3, 2, 3), segment_row(2, 0, 3)):
        with pytest.raises(ConcurrentChangeError):
            catalogue.sequence_events(sequenced(events[2:], wrong.first), wrong)
    catalogue.sequence_events(sequenced(events[2:], 2), segment_row(2, 2, 3))
    assert catalogue.segments() == [segment_row(1, 0, 2), segment_row(2, 2, 3)]


def test_the_first_segment_begins_at_nought(catalogue: Catalogue) -> None:
    """A trail cannot begin in the middle."""
    events = catalogue.record_events([event_row(1)])

    for wrong in (segment_row(1, 1, 1), segment_row(2, 0, 1)):
        with pytest.raises(ConcurrentChangeError):
            catalogue.sequence_events(sequenced(events, wrong.first), wrong)


def test_the_same_segment_again_changes_nothing_and_another_is_refused(catalogue: Catalogue) -> None:
    """After a crash the segment is entered once more."""
    events = catalogue.record_events([event_row(1), event_row(2)])
    items = sequenced(events, 0)
    catalogue.sequence_events(items, segment_row(1, 0, 2))
    catalogue.sequence_events(items, segment_row(1, 0, 2))

    with pytest.raises(ConcurrentChangeError):
        catalogue.sequence_events(items, segment_row(1, 0, 2, head="00" * 64))
    with pytest.raises(ConcurrentChangeError):
        catalogue.sequence_events([(items[0][0], 0, b"other line", items[0][3]), items[1]], segment_row(1, 0, 2))
    with pytest.raises(ConcurrentChangeError):
        catalogue.sequence_events(sequenced(events[::-1], 0), segment_row(1, 0, 2))
    assert len(catalogue.segments()) == 1


def test_an_unknown_or_numbered_event_keeps_a_segment_out(catalogue: Catalogue) -> None:
    """A segment is entered with all of its events, or not at all."""
    events = catalogue.record_events([event_row(1), event_row(2)])
    catalogue.sequence_events(sequenced(events[:1], 0), segment_row(1, 0, 1))

    for stranger in (event_row(99), events[0]):
        with pytest.raises(ConcurrentChangeError):
            catalogue.sequence_events(sequenced([events[1], stranger], 1), segment_row(2, 1, 2))
    assert catalogue.pending_events() == [events[1]]
    assert len(catalogue.segments()) == 1


def test_a_segment_that_does_not_number_its_events_is_a_programming_error(catalogue: Catalogue) -> None:
    """A gap, a wrong size, nothing at all."""
    events = catalogue.record_events([event_row(1), event_row(2)])
    items = sequenced(events, 0)

    for wrong_items, segment in (
        ([items[0], (*items[1][:1], 2, *items[1][2:])], segment_row(1, 0, 2)),
        (items, segment_row(1, 0, 2, size=3)),
        (items[:1], segment_row(1, 0, 2)),
    ):
        with pytest.raises(ValueError, match="segment 1"):
            catalogue.sequence_events(wrong_items, segment)
    with pytest.raises((ValueError, ConcurrentChangeError)):
        catalogue.sequence_events([], segment_row(1, 0, 0))
    assert catalogue.segments() == []


def test_leaves_that_are_not_all_there_are_refused(catalogue: Catalogue) -> None:
    """A proof is not made from fewer leaves than were asked for."""
    events = catalogue.record_events([event_row(1), event_row(2)])
    catalogue.sequence_events(sequenced(events, 0), segment_row(1, 0, 2))

    for first, count in ((0, 3), (2, 1), (1, 2)):
        with pytest.raises(NotFoundError):
            catalogue.leaf_hashes(first, count)
    with pytest.raises(NotFoundError):
        catalogue.event_by_seq(2)
    with pytest.raises(NotFoundError):
        catalogue.event_by_seq(-1)


@given(
    st.lists(
        st.datetimes(
            min_value=datetime(1990, 1, 1),  # noqa: DTZ001
            max_value=datetime(9000, 1, 1),  # noqa: DTZ001
            timezones=st.timezones(),
            allow_imaginary=False,
        ),
        min_size=1,
        max_size=8,
        unique=True,
    )
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_instants_come_back_to_the_microsecond(catalogue: Catalogue, instants: list[datetime]) -> None:
    """Whatever zone they came in, they come back as the same instants, in UTC."""
    rows = [event_row(0, event_id=_fresh_id(), recorded_at=at) for at in instants]
    catalogue.record_events(rows)
    read = {event.event_id: event.recorded_at for event in catalogue.pending_events(10**6)}

    for row in rows:
        assert read[row.event_id] == row.recorded_at.astimezone(UTC)
        assert read[row.event_id].utcoffset() == timedelta(0)


def _fresh_id(counter: list[int] = [10**6]) -> str:  # noqa: B006 - counts over all examples
    counter[0] += 1
    return f"{counter[0]:032x}"
