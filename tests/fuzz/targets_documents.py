"""Our own JSON formats, the trail, batches: what parses writes itself again, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from archive_core import canonical
from archive_core.admission import request_digest_of
from archive_core.batch import BatchLine, members_text, parse_members
from archive_core.bundle_format import BundleManifest
from archive_core.description import Description
from archive_core.errors import EvidenceBrokenError, MalformedDocumentError, MalformedEvidenceError
from archive_core.evidence.hash_tree import HashTree
from archive_core.measure import ChunkList
from archive_core.outages import Outage
from archive_core.receipts import Receipt, Statement
from archive_core.trail.assessing import assess_segments, parse_segment
from archive_core.trail.events import Detail, Event, deposit_event
from archive_core.trail.proofs import TrailProof
from archive_core.trail.segments import Segment, SegmentHeader
from tests.fuzz import corpus
from tests.fuzz.target import Seeds, target

REFUSED = (MalformedDocumentError,)


@target(
    "canonical",
    lambda: {"a": b'{"a":1,"b":["\xc5\xbe",null,true],"c":{}}\n', **corpus.parts("description.json", "bundle.json")},
    refusals=REFUSED,
    kind="json",
    tokens=(b"NaN", b"1e999", b"-0", b"[[", b'{"a":', b"\\ud800", b"\\u0000"),
)
def canonical_json(data: bytes) -> None:
    """`read_canonical` and `write` are inverses; `read` agrees with the standard library."""
    value = canonical.read(data, fractions=True)
    assert value == json.loads(data)
    exact = canonical.read(data)
    again = canonical.write(exact)
    assert canonical.read_canonical(again) == exact
    if again == data:
        assert canonical.read_canonical(data) == exact


def _round_trip(name: str, parse: Callable[[bytes], Any], write: Callable[[Any], bytes], *members: str) -> None:
    def run(data: bytes) -> None:
        value = parse(data)
        assert write(value) == data, "what was read is not written the same"
        assert parse(write(value)) == value

    target(name, lambda: corpus.parts(*members), refusals=REFUSED, kind="json")(run)


_round_trip("statement", Statement.parse, Statement.to_bytes, "statement.json")
_round_trip("manifest", BundleManifest.parse, BundleManifest.to_bytes, "bundle.json")
_round_trip("trail-proof", TrailProof.parse, TrailProof.to_bytes, "trail/proof.json")


@target(
    "outage",
    lambda: {"one": canonical.write(Outage("tsa", corpus.AT, corpus.AT, 3, "timestamp-refused", "né").to_json())},
    refusals=REFUSED,
    kind="json",
)
def outage(data: bytes) -> None:
    """An outage writes itself again and says when to ask."""
    read = Outage.parse(data)
    assert canonical.write(read.to_json()) == data
    assert read.ask_again > read.last


@target("description", lambda: corpus.parts("description.json"), refusals=REFUSED, kind="json")
def description(data: bytes) -> None:
    """A description writes itself again, has its group, its event and its request digest."""
    read = Description.parse(data)
    assert read.to_bytes() == data
    assert 2 <= len(read.group_digests("sha512")) <= len(read.files) + 1
    event = deposit_event(data)
    assert Event.parse(event.to_line()) == event
    assert len(request_digest_of(read)) == 128


@target("receipt", lambda: corpus.parts("receipt.json"), refusals=(*REFUSED, EvidenceBrokenError), kind="json")
def receipt(data: bytes) -> None:
    """A receipt writes itself again; its paths lead to the sealed root or are refused."""
    read = Receipt.parse(data)
    assert read.to_bytes() == data
    statement = Statement.parse(read.statement)
    read.verify_paths(statement, {line: path.leaf_members for line, path in read.path.items()})


def _lines(*members: str) -> Seeds:
    return lambda: {
        f"{name} {number}": line
        for name, data in corpus.parts(*members).items()
        for number, line in enumerate(data.splitlines(keepends=True))
    }


@target("event", _lines("trail/events.jsonl"), refusals=REFUSED, kind="json")
def event(data: bytes) -> None:
    """An event writes itself again."""
    assert Event.parse(data).to_line() == data


@target(
    "event-detail",
    lambda: {"one": Detail("0" * 32, bytes(32), {"name": "Žofie", "mail": "z@example.org"}).to_line()},
    refusals=REFUSED,
    kind="json",
)
def event_detail(data: bytes) -> None:
    """A detail writes itself again and commits to itself."""
    read = Detail.parse(data)
    assert read.to_line() == data
    assert len(read.commitment) == 64


@target("segment-header", lambda: {"first": corpus.segment()[0]}, refusals=REFUSED, kind="json")
def segment_header(data: bytes) -> None:
    """A header writes itself again."""
    assert SegmentHeader.parse(data).to_bytes() == data


@target("segment-events", lambda: {"first": corpus.segment()[1]}, refusals=REFUSED, kind="json")
def segment_events(data: bytes) -> None:
    """Other lines than those that were chained are findings; only the same lines parse."""
    header, lines, leaves = corpus.segment()
    segment = Segment(header, data, leaves)
    assessed = assess_segments([(1, segment)])
    assert (data == lines) == (not assessed.findings), assessed.findings
    _, events = parse_segment(segment)
    assert b"".join(one.to_line() for one in events) == data


@target("segment-leaves", lambda: {"first": corpus.segment()[2]}, refusals=REFUSED)
def segment_leaves(data: bytes) -> None:
    """Other leaf hashes than those of the lines are findings."""
    header, lines, leaves = corpus.segment()
    assessed = assess_segments([(1, Segment(header, lines, data))], anchors={0: b"", 1: bytes(64)})
    assert assessed.findings
    segment = Segment(header, lines, data)
    assert (data == leaves) == (not assess_segments([(1, segment)]).findings)
    parse_segment(segment)


@target(
    "batch-line", lambda: {"a": BatchLine("sha512", "sha512", "tsa", "test").to_bytes()}, refusals=REFUSED, kind="json"
)
def batch_line(data: bytes) -> None:
    """A line of a batch writes itself again."""
    assert BatchLine.parse(data).to_bytes() == data


@target(
    "batch-members",
    lambda: {"two": members_text([("0199b0c27d3e7aaabbbbccccddddeeee", 1), ("0199b0c27d3e7aaa8bbbccccddddeeef", 12)])},
    refusals=REFUSED,
    kind="text",
    tokens=(b"\r", b" 0", b"\xb2", b"9" * 5000),
)
def batch_members(data: bytes) -> None:
    """The members of a batch write themselves again."""
    assert members_text(parse_members(data)) == data


@target(
    "batch-tree",
    lambda: {"five": HashTree.build("sha256", [bytes([n]) * 32 for n in range(5)]).to_bytes()},
    refusals=(MalformedEvidenceError,),
)
def batch_tree(data: bytes) -> bool:
    """A tree of five leaves is taken in its one length, and only the true one verifies."""
    tree = HashTree.from_bytes("sha256", 5, data)
    assert tree.to_bytes() == data
    assert all(len(node) == 32 for index in range(5) for node in tree.path(index))
    tree.verify()
    assert tree.root == HashTree.build("sha256", [tree.leaf(index) for index in range(5)]).root
    return True


@target("chunk-list", lambda: corpus.parts("chunks/big.bin.json"), refusals=(*REFUSED, ValueError), kind="json")
def chunk_list(data: bytes) -> None:
    """A chunk list is a positive size and sha512 digests."""
    read = ChunkList.parse(data)
    assert read.chunk_size >= 1
    assert all(digest.algorithm for digest in read.digests)
