"""What a renewal is written in: what cannot be read is refused with its line, however it was made."""

from __future__ import annotations

import pytest

from archive_core.errors import MalformedDocumentError
from archive_core.renewal.form import TIMESTAMP, DroppedOut, dropped_text, parse_covers, parse_dropped


@pytest.mark.parametrize("why", [b"[" * 5000, b'"\xff"', b"null", b'"a', b"{}", b'"a" '])
def test_a_reason_that_is_no_text_is_refused(why: bytes) -> None:
    """Also one that is nested without end."""
    good = dropped_text([DroppedOut(1, 0, "lost")])

    assert parse_dropped(good) == (DroppedOut(1, 0, "lost"),)
    with pytest.raises(MalformedDocumentError):
        parse_dropped(good + b"ba0000000001 1 " + why + b"\n")


@pytest.mark.parametrize("line", [b"", b"ba1 - - -", b"ba0000000001 " + b"a" * 128 + b" 01 5", b"\xc5\xbe - - -"])
def test_a_line_of_covers_in_another_form_is_refused(line: bytes) -> None:
    """Empty, short, with a zero before a number, not ASCII."""
    with pytest.raises(MalformedDocumentError):
        parse_covers(line + b"\n", TIMESTAMP)
