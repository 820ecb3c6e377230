"""An event line read by one expression is the event that the strict parser reads, and never one more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_core.errors import MalformedDocumentError
from archive_core.trail.events import Event, EventType, Outcome
from archive_core.trail.quick import _LINE, parse_event

OPAQUE = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,20}", fullmatch=True)
NUMBER = st.integers(1, 10**12)
EVENTS = st.builds(
    Event,
    event_id=st.from_regex("[0-9a-f]{32}", fullmatch=True),
    time=st.datetimes(timezones=st.just(UTC), min_value=datetime(1000, 1, 1)),  # noqa: DTZ001 - a bound
    type=st.sampled_from(EventType),
    outcome=st.sampled_from(Outcome),
    code=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}", fullmatch=True),
    actor=st.none() | OPAQUE,
    poid=st.none() | st.just("0199b0c27d3e7000a000000000000001"),
    version=st.none() | NUMBER,
    subject=st.none() | OPAQUE,
    commitment=st.none() | st.binary(min_size=64, max_size=64),
    object_event=st.none() | NUMBER,
)
LINE = Event("a" * 32, datetime(2026, 3, 1, tzinfo=UTC), EventType.AUDIT, Outcome.SUCCESS, "findings-0").to_line()


@given(EVENTS)
def test_every_event_is_read_back_as_the_strict_parser_reads_it(event: Event) -> None:
    """Either way gives the event that was written."""
    assert parse_event(event.to_line()) == Event.parse(event.to_line()) == event


def test_an_ordinary_line_is_read_by_the_expression() -> None:
    """The quick way is taken at all."""
    assert _LINE.fullmatch(LINE.decode("ascii"))


def _outcome(read: object, line: bytes) -> object:
    try:
        return read(line)  # type: ignore[operator]
    except MalformedDocumentError as error:
        return type(error), str(error)


@given(EVENTS, st.data())
def test_a_changed_line_is_judged_as_the_strict_parser_judges_it(event: Event, data: st.DataObject) -> None:
    """A byte replaced, removed or put in between: the same event or the same refusal."""
    line = event.to_line()
    place = data.draw(st.integers(0, len(line) - 1))
    put = data.draw(st.sampled_from([b"", b" ", b'"', b"0", b"9", b"a", b"A", b",", b"\n", b"\xc3\xa9", b"null"]))
    changed = line[:place] + put + line[place + data.draw(st.integers(0, 1)) :]

    assert _outcome(parse_event, changed) == _outcome(Event.parse, changed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2026-03-01T00:00:00Z", b"2026-02-30T00:00:00Z"),
        (b"2026-03-01T00:00:00Z", b"2026-03-01T00:00:00.000000Z"),
        (b"2026-03-01T00:00:00Z", b"2026-03-01T24:00:00Z"),
        (b'"object_event":null', b'"object_event":01'),
        (b'"object_event":null', b'"object_event":0'),
        (b'"type":"audit"', b'"type":"audition"'),
        (b"}\n", b"}"),
        (b"}\n", b"}\n\n"),
        (b'"version":null', b'"version":true'),
    ],
)
def test_what_is_no_event_is_refused_as_ever(old: bytes, new: bytes) -> None:
    """Dates that are none, another spelling of a number, a foreign type, a missing or second line feed."""
    assert old in LINE
    with pytest.raises(MalformedDocumentError):
        parse_event(LINE.replace(old, new))


def test_the_time_has_no_other_zone() -> None:
    """Only `Z`."""
    shifted = (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=1)).isoformat().encode()
    with pytest.raises(MalformedDocumentError):
        parse_event(LINE.replace(b"2026-03-01T00:00:00Z", shifted))
