"""Ranges and their conditions: within the file, or the whole file, whatever the headers hold."""

from __future__ import annotations

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from api.ranges import select
from api.refusals import RangeNotSatisfiableError

ETAG = "ab" * 64
SIZE = 1000


def asked(**headers: str) -> Request:
    return Request(
        EnvironBuilder(headers=[(name.replace("_", "-"), value) for name, value in headers.items()]).get_environ()
    )


@pytest.mark.parametrize(
    ("given", "start", "stop"),
    [("bytes=0-99", 0, 100), ("bytes=10-", 10, 1000), ("bytes=-5", 995, 1000), ("bytes=-5000", 0, 1000)],
)
def test_a_range_is_what_was_asked_for(given: str, start: int, stop: int) -> None:
    """First and last byte, from a byte on, the last bytes."""
    selection = select(asked(Range=given), ETAG, SIZE)

    assert (selection.start, selection.stop, selection.partial) == (start, stop, True)


@pytest.mark.parametrize("given", ["bytes=1000-", "bytes=5000-6000", "bytes=" + "9" * 400 + "-"])
def test_a_range_behind_the_end_is_refused(given: str) -> None:
    """No byte of it is there."""
    with pytest.raises(RangeNotSatisfiableError):
        select(asked(Range=given), ETAG, SIZE)


@pytest.mark.parametrize(
    "given", ["bytes=0-1,5-6", "lines=1-2", "bytes", "bytes=b-a", "bytes=5-1", "bytes=" + "9" * 5000 + "-"]
)
def test_what_is_no_single_byte_range_gives_the_whole_file(given: str) -> None:
    """Several ranges, other units and nonsense are passed over (RFC 9110 14.2)."""
    assert not select(asked(Range=given), ETAG, SIZE).partial


def test_the_range_counts_only_while_the_file_is_the_one_that_is_meant() -> None:
    """The strong tag of the file itself."""
    assert select(asked(Range="bytes=0-1", If_Range=f'"{ETAG}"'), ETAG, SIZE).partial


@pytest.mark.parametrize(
    "condition",
    [
        f'W/"{ETAG}"',
        '"other"',
        ETAG,
        "Tue, 15 Nov 1994 08:12:31 GMT",
        "Tue, 15 Nov 99999999999999999999 08:12:31 GMT",
        "Tue, 99999999999999999999 Nov 1994 08:12:31 GMT",
        "\x00",
    ],
)
def test_any_other_condition_gives_the_whole_file(condition: str) -> None:
    """Weak tags, other tags, and dates, also those that no calendar has."""
    assert not select(asked(Range="bytes=0-1", If_Range=condition), ETAG, SIZE).partial
