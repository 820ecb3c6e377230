"""What a renewal is written in, events read quickly, and published lists of algorithms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from archive_core.errors import MalformedDocumentError
from archive_core.receipts import Named
from archive_core.renewal.form import (
    COUNTS,
    COVERS,
    DROPPED,
    HASH_TREE,
    MEMBERS,
    TIMESTAMP,
    TREE,
    Abandoned,
    Covered,
    DroppedOut,
    Members,
    RenewalDocument,
    covers_text,
    dropped_text,
    parse_covers,
    parse_dropped,
)
from archive_core.trail.events import Event
from archive_core.trail.quick import parse_event
from policies.errors import PolicyError
from policies.tables import carries_signature, load_table
from tests.fuzz import corpus
from tests.fuzz.target import target
from tests.unit.policies.suitability_lists import JSON_LIST, LIST

REFUSED = (MalformedDocumentError,)
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
HEX = "ab" * 64
HEADS = (Covered("ba0000000001", HEX, (0, 2000)), Covered("rn0000000002", HEX))
LEAVES = (Covered("ba0000000001", HEX, (0, 2000), 1, 3), Covered("rn0000000002", HEX, None, 2, 1))


def _renewal(kind: str) -> bytes:
    names = [COVERS, TREE, *([COUNTS, MEMBERS, DROPPED] if kind == HASH_TREE else [])]
    return RenewalDocument(
        number=3,
        kind=kind,
        line="sha512",
        digest="sha512",
        covers=2,
        leaf_count=2,
        root=bytes(64),
        files=dict.fromkeys(names, HEX),
        abandons=("rn0000000001",),
        reasons=("due", "žluťoučký"),
        algorithms=Named("algorithms-2026-06", HEX),
        trail_size=7,
        trail_head=bytes(64),
        derivation_version=1,
        time=AT,
    ).to_bytes()


@target("renewal", lambda: {kind: _renewal(kind) for kind in (TIMESTAMP, HASH_TREE)}, refusals=REFUSED, kind="json")
def renewal(data: bytes) -> None:
    """A renewal writes itself again."""
    assert RenewalDocument.parse(data).to_bytes() == data


@target("renewal-abandoned", lambda: {"one": Abandoned("why", AT).to_bytes()}, refusals=REFUSED, kind="json")
def abandoned(data: bytes) -> None:
    """A note on a renewal that will never be stamped writes itself again."""
    assert Abandoned.parse(data).to_bytes() == data


def _covers(kind: str) -> Callable[[bytes], bool | None]:
    def run(data: bytes) -> None:
        assert covers_text(parse_covers(data, kind)) == data

    return run


for _kind, _covered in ((TIMESTAMP, HEADS), (HASH_TREE, LEAVES)):
    target(
        f"renewal-covers-{_kind}",
        lambda covered=_covered: {"two": covers_text(covered)},  # type: ignore[misc]
        refusals=REFUSED,
        kind="text",
        tokens=(b"9" * 5000, b" - -", b"\xb2", b"\r\n"),
    )(_covers(_kind))


@target(
    "renewal-dropped",
    lambda: {"two": dropped_text([DroppedOut(1, 0, "lost"), DroppedOut(1, 7, "ž \u2028")])},
    refusals=REFUSED,
    kind="text",
    tokens=(b"9" * 5000, b"\\ud800", b'"', b"[" * 2000),
)
def dropped(data: bytes) -> None:
    """What dropped out of a renewal writes itself again."""
    assert dropped_text(parse_dropped(data)) == data


@target("renewal-members", lambda: {"counts": b"\0\0\0\2\0\0\0\0\0\0\0\1"}, refusals=REFUSED)
def members(data: bytes) -> bool:
    """Three values are divided among the objects as their counts say, or the counts are refused."""
    read = Members.parse("sha256", data, bytes(range(96)))
    groups = [read.group(number) for number in range(len(read.counts))]
    assert b"".join(value for group in groups for value in group) == bytes(range(96))
    assert read.counts_bytes == data
    assert read.leaf_count == sum(1 for group in groups if group)
    return True


def _events() -> dict[str, bytes]:
    return {
        f"{name} {number}": line
        for name, data in corpus.parts("trail/events.jsonl").items()
        for number, line in enumerate(data.splitlines(keepends=True))
    }


@target("event-quick", _events, kind="json", tokens=(b"+00:00", b".000000", b"Z", b"0", b"\\u0061"))
def event_read_quickly(data: bytes) -> bool:
    """Whatever the quick way reads, the careful way reads the same, and both refuse the same."""
    found: list[Event | None] = []
    for parse in (parse_event, Event.parse):
        try:
            found.append(parse(data))
        except MalformedDocumentError:
            found.append(None)
    assert found[0] == found[1]
    return found[0] is not None


def _list(data: bytes) -> None:
    carries_signature(data)
    table = load_table(data)
    assert table.id
    assert table.source == data
    for name in ("sha256", "sha512", "sha3-512"):
        assert table.digest(name, at=AT).reason


target(
    "algorithm-list-xml",
    lambda: {"list": LIST.encode()},
    refusals=(PolicyError,),
    kind="text",
    tokens=(b"<!DOCTYPE x>", b"&lol;", b"<d:a>" * 50, b"9" * 5000, b"-0001-01-01"),
)(_list)

target(
    "algorithm-list-json",
    lambda: {"list": JSON_LIST.encode()},
    refusals=(PolicyError,),
    kind="json",
    tokens=(b"1e999", b"[" * 2000, b"9" * 5000, b'"9999-12-31"'),
)(_list)
