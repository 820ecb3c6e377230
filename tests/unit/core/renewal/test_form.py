"""What a renewal is written in: what cannot be read is refused with its line, however it was made."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_core.canonical import write
from archive_core.errors import MalformedDocumentError
from archive_core.receipts import Named
from archive_core.renewal.form import (
    HASH_TREE,
    MAX_REASONS,
    TIMESTAMP,
    Abandoned,
    Covered,
    DroppedOut,
    GatheredMembers,
    Members,
    RenewalDocument,
    covers_text,
    dropped_text,
    parse_covers,
    parse_dropped,
)

HEX = "ab" * 64
DOCUMENT = RenewalDocument(
    number=7,
    kind=TIMESTAMP,
    line="sha512",
    digest="sha512",
    covers=2,
    leaf_count=2,
    root=b"\x01" * 64,
    files={"covers.txt": HEX, "tree.bin": HEX},
    abandons=("rn0000000003", "rn0000000005"),
    reasons=("the certificate ends", "žádost"),
    algorithms=Named("algorithms-2026-06", HEX),
    trail_size=12,
    trail_head=b"\x02" * 64,
    derivation_version=1,
    time=datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC),
)
HASHED = replace(
    DOCUMENT,
    kind=HASH_TREE,
    digest="sha3-512",
    files=dict.fromkeys(("covers.txt", "tree.bin", "counts.bin", "members.bin", "dropped.txt", "tokens.bin"), HEX),
    abandons=(),
)


# -- renewal.json -----------------------------------------------------------------------------


@pytest.mark.parametrize("document", [DOCUMENT, HASHED, replace(DOCUMENT, reasons=(), abandons=())])
def test_a_document_and_its_bytes_are_interchangeable(document: RenewalDocument) -> None:
    """Read and written again, both are what they were."""
    assert RenewalDocument.parse(document.to_bytes()) == document
    assert RenewalDocument.parse(document.to_bytes()).to_bytes() == document.to_bytes()


Change = Callable[[dict[str, Any]], Any]


def _set(name: str, value: Any) -> Change:
    return lambda said: said.__setitem__(name, value)


@pytest.mark.parametrize(
    "change",
    [
        _set("format", "trusted-archive/renewal/2"),
        _set("renewal", 0),
        _set("renewal", "7"),
        _set("renewal", True),
        _set("kind", "token"),
        _set("line", "../sha512"),
        _set("line", ""),
        _set("digest", "md5"),
        _set("covers", 0),
        _set("covers", 20_000_001),
        _set("leaf_count", 0),
        _set("root", "01" * 63),
        _set("root", "AB" * 64),
        _set("files", {"covers.txt": HEX}),
        _set("files", {"covers.txt": HEX, "tree.bin": HEX, "other.bin": HEX}),
        _set("files", {"covers.txt": HEX, "tree.bin": HEX, "members.bin": HEX}),
        _set("files", {"covers.txt": HEX, "tree.bin": "00"}),
        _set("files", []),
        _set("abandons", ["rn0000000005", "rn0000000003"]),
        _set("abandons", ["rn0000000003", "rn0000000003"]),
        _set("abandons", ["rn3"]),
        _set("abandons", ["tr0000000003"]),
        _set("reasons", "late"),
        _set("reasons", ["x"] * (MAX_REASONS + 1)),
        _set("algorithms", {"id": "a", "sha512": HEX, "more": 1}),
        _set("trail", {"size": -1, "head": HEX}),
        _set("trail", {"size": 1, "head": "ab"}),
        _set("derivation_version", 0),
        _set("time", "2031-05-06 07:08:09"),
        _set("time", None),
        _set("more", 1),
        lambda said: said.pop("reasons"),
    ],
)
def test_a_document_with_something_else_in_it_is_refused(change: Change) -> None:
    """Every member has one meaning and one spelling."""
    said = json.loads(DOCUMENT.to_bytes())
    change(said)

    with pytest.raises(MalformedDocumentError):
        RenewalDocument.parse(write(said))


def test_a_hash_tree_renewal_needs_its_members() -> None:
    """Counts, values and what dropped out; a time-stamp renewal may not have them."""
    said = json.loads(HASHED.to_bytes())
    for name in ("counts.bin", "members.bin", "dropped.txt"):
        files = {**said["files"]}
        files.pop(name)
        with pytest.raises(MalformedDocumentError):
            RenewalDocument.parse(write({**said, "files": files}))
    with pytest.raises(MalformedDocumentError):
        RenewalDocument.parse(write({**said, "kind": TIMESTAMP, "digest": "sha3-512"}))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: data.replace(b'":', b'": ', 1),
        lambda data: b"",
        lambda data: b"[]\n",
        lambda data: b"\xff" + data,
        lambda data: b"[" * 100_000,
    ],
)
def test_another_spelling_of_a_document_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    """Cut off, longer, with spaces, empty, of another kind, not UTF-8, nested without end."""
    with pytest.raises(MalformedDocumentError):
        RenewalDocument.parse(spoil(DOCUMENT.to_bytes()))


def test_a_note_of_giving_up_and_its_bytes_are_interchangeable() -> None:
    """And nothing else is such a note."""
    note = Abandoned("batch 3 lapsed", datetime(2031, 1, 1, tzinfo=UTC))

    assert Abandoned.parse(note.to_bytes()) == note
    for other in (
        {"reason": "x"},
        {"reason": 1, "time": "2031-01-01T00:00:00.000000Z"},
        {"reason": "x", "time": "now"},
    ):
        with pytest.raises(MalformedDocumentError):
            Abandoned.parse(write(other))


# -- covers.txt and dropped.txt ---------------------------------------------------------------


NAMES = st.builds("{}{:010d}".format, st.sampled_from(["ba", "rn"]), st.integers(0, 10**10 - 1))
PLACES = st.none() | st.tuples(st.integers(0, 10**12), st.integers(0, 10**9))
DIGESTS = st.binary(min_size=64, max_size=64).map(bytes.hex)


@given(st.lists(st.builds(Covered, NAMES, DIGESTS, PLACES), min_size=1, max_size=20))
def test_what_tokens_are_covered_can_be_read_again(covers: list[Covered]) -> None:
    """Line by line."""
    assert parse_covers(covers_text(covers), TIMESTAMP) == tuple(covers)
    with pytest.raises(MalformedDocumentError):
        parse_covers(covers_text(covers), HASH_TREE)


@given(
    st.lists(
        st.builds(Covered, NAMES, DIGESTS, PLACES, st.integers(0, 10**10 - 1), st.integers(0, 10**7)),
        min_size=1,
        max_size=20,
    )
)
def test_what_batches_are_covered_can_be_read_again(covers: list[Covered]) -> None:
    """Each with how many data objects it has."""
    assert parse_covers(covers_text(covers), HASH_TREE) == tuple(covers)
    with pytest.raises(MalformedDocumentError):
        parse_covers(covers_text(covers), TIMESTAMP)


@pytest.mark.parametrize("line", [b"", b"ba1 - - -", b"ba0000000001 " + b"a" * 128 + b" 01 5", b"\xc5\xbe - - -"])
def test_a_line_of_covers_in_another_form_is_refused(line: bytes) -> None:
    """Empty, short, with a zero before a number, not ASCII."""
    with pytest.raises(MalformedDocumentError):
        parse_covers(line + b"\n", TIMESTAMP)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b" - -", b" -  -"),
        lambda data: data.replace(b" - -", b" - 5"),
        lambda data: data.replace(b" - -", b" -1 5"),
        lambda data: data.replace(b"ba", b"BA"),
        lambda data: data.replace(b"a", b"A"),
        lambda data: data.replace(b" - -", b" \xb2 5"),
        lambda data: b"",
    ],
)
def test_a_list_in_another_form_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    """There is one spelling of each list, to the octet."""
    data = covers_text([Covered("ba0000000001", HEX), Covered("rn0000000002", HEX)])
    assert len(parse_covers(data, TIMESTAMP)) == 2

    with pytest.raises(MalformedDocumentError):
        parse_covers(spoil(data), TIMESTAMP)


def test_the_line_that_cannot_be_read_is_named() -> None:
    """Of a hundred thousand."""
    good = Covered("ba0000000001", HEX).to_text().encode("ascii")

    with pytest.raises(MalformedDocumentError, match="line 3 "):
        parse_covers(good * 3 + b"x" + good, TIMESTAMP)


@pytest.mark.parametrize("why", [b"[" * 5000, b'"\xff"', b"null", b'"a', b"{}", b'"a" '])
def test_a_reason_that_is_no_text_is_refused(why: bytes) -> None:
    """Also one that is nested without end."""
    good = dropped_text([DroppedOut(1, 0, "lost")])

    assert parse_dropped(good) == (DroppedOut(1, 0, "lost"),)
    with pytest.raises(MalformedDocumentError):
        parse_dropped(good + b"ba0000000001 1 " + why + b"\n")


@given(st.lists(st.builds(DroppedOut, st.integers(0, 10**10 - 1), st.integers(0, 10**9), st.text(max_size=40))))
def test_what_dropped_out_can_be_read_again(dropped: list[DroppedOut]) -> None:
    """Whatever the reason is written with; nothing dropped out is an empty list."""
    assert parse_dropped(dropped_text(dropped)) == tuple(dropped)


# -- counts.bin and members.bin ---------------------------------------------------------------


def _gathered(*groups: int, digest: str = "sha512") -> Members:
    gathering = GatheredMembers(digest)
    size = {"sha512": 64, "sha384": 48}[digest]
    for number, count in enumerate(groups):
        gathering.add([bytes([number, place]) * (size // 2) for place in range(count)])
    return gathering.members()


def test_members_are_found_by_their_number() -> None:
    """One that dropped out has none, and no leaf; the others keep their places."""
    members = _gathered(2, 0, 1, 3)

    assert [len(members.group(number)) for number in range(4)] == [2, 0, 1, 3]
    assert members.group(3)[1] == bytes([3, 1]) * 32
    assert members.leaf_count == 3
    assert [members.rank(number) for number in (0, 2, 3)] == [0, 1, 2]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.sampled_from(["sha512", "sha384"]))
def test_members_and_their_files_are_interchangeable(groups: list[int], digest: str) -> None:
    """Four bytes a count, big-endian on every machine."""
    members = _gathered(*groups, digest=digest)
    again = Members.parse(digest, members.counts_bytes, members.values)

    assert members.counts_bytes == b"".join(count.to_bytes(4, "big") for count in groups)
    assert [again.group(n) for n in range(len(groups))] == [members.group(n) for n in range(len(groups))]
    assert again.leaf_count == sum(count > 0 for count in groups)


@pytest.mark.parametrize(
    ("counts", "values"),
    [
        (b"\x00\x00\x00", b""),
        (b"\x00\x00\x00\x01", b""),
        (b"\x00\x00\x00\x01", b"x" * 63),
        (b"\x00\x00\x00\x01", b"x" * 128),
        (b"\x01\x00\x00\x00", b"x" * 64),
        (b"", b"x" * 64),
        (b"\xff\xff\xff\xff" * 3, b"x" * 64),
    ],
)
def test_counts_and_values_that_do_not_fit_each_other_are_refused(counts: bytes, values: bytes) -> None:
    """Whole numbers, and as many values as they say."""
    with pytest.raises(MalformedDocumentError):
        Members.parse("sha512", counts, values)


def test_reading_members_does_not_change_them() -> None:
    """Bytes are turned in a copy."""
    members = _gathered(1, 2)
    before = array("I", members.counts)

    assert members.counts_bytes == members.counts_bytes
    assert members.counts == before
