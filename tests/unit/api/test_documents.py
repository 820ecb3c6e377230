"""A document of a command is one JSON value, whether its lists are long or not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.documents import LONG, Written, pieces

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(document=VALUES, members=st.lists(VALUES, min_size=1, max_size=3))
def test_every_document_reads_back(document: object, members: list[object]) -> None:
    """Also with a long list in it, and with members that were written before."""
    long = members * LONG
    whole = {"before": document, "long": long, "written": [Written.of(member) for member in members], "after": document}

    assert json.loads("".join(pieces(document))) == document
    assert json.loads("".join(pieces(whole))) == {**whole, "written": members}


def test_a_member_of_a_long_list_stands_on_one_line() -> None:
    """So that `grep` finds it whole; a short document is indented throughout."""
    member = {"path": "a\nb", "digests": {"sha512": "00"}}
    lines = "".join(pieces({"count": LONG, "found": [member] * LONG})).splitlines()

    assert lines[1] == f'  "count": {LONG},'
    assert [json.loads(line.strip().rstrip(",")) for line in lines[3 : 3 + LONG]] == [member] * LONG
    assert "".join(pieces({"found": [member]})) == json.dumps({"found": [member]}, indent=2)


@pytest.mark.parametrize("document", [{}, {"found": []}, []])
def test_an_empty_list_is_an_empty_list(document: object) -> None:
    """Nothing found is said as nothing found."""
    assert json.loads("".join(pieces(document))) == document
