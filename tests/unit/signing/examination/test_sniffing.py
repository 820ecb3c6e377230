"""What a file may be by its first octets: never less than what the examiners recognise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.examination import FORMATS
from signing.examination.registry import EXAMINERS, HEAD
from signing.examination.sniffing import HEAD as LOOKED_AT
from signing.examination.sniffing import may_be

_PIECES = st.sampled_from(
    [
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"<?xml",
        b"<",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\x00",
        b" ",
        b"\n",
        b"{",
        b"[",
        b"eyJhbGciOi",
        b"MII",
        b"MHx",
        b"-----BEGIN CMS-----\n",
        b"-----BEGIN PKCS7-----",
        b"0\x80",
        b"words.",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES | st.binary(max_size=5), max_size=6).map(b"".join))
def test_whatever_an_examiner_recognises_is_looked_into(head: bytes) -> None:
    """By the same name; so that nothing signed is passed over unseen."""
    for entry in EXAMINERS:
        if entry.mark in head and entry.load().recognises(head):
            assert entry.name in may_be(head), entry.name


def test_as_many_octets_are_looked_at() -> None:
    """And every name is one that a profile may write."""
    assert LOOKED_AT == HEAD
    assert tuple(entry.name for entry in EXAMINERS) == ("PDF", "ASiC", "XML", "JSON", "CMS")
    assert {entry.name for entry in EXAMINERS} == set(FORMATS)


@pytest.mark.parametrize(
    "head", [b"", b"words", b"\x89PNG\r\n", b"\xff\xd8\xff", b"id;name\n1;x\n", b"PK", b"MINISTERSTVO (x)"]
)
def test_what_is_nothing_of_that_starts_no_process(head: bytes) -> None:
    """A text, a picture, a table: nobody is asked, which costs nothing."""
    assert may_be(head) == ()
