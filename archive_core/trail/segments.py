"""Segments: the trail's Merkle log cut into storage objects, built without any I/O (`assessing` checks them).

Rules kept here
 * A segment (`tr…`) is three files: `events.jsonl`, one canonical line an event; `leaves.bin`, the
   leaf hash of each line; `segment.json`, where the segment lies in the log, the head before and
   after it, and the frontier to go on from. The detail sidecar (`td…`) is `details.jsonl`.
 * The head is computed from the leaf hashes and the leaf hashes from the lines, each time; what a
   file says of itself is only ever compared.
 * Leaf hashes are stored so that a check can name the line that was edited, removed, moved or
   inserted, and so that proofs need not read the lines again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from archive_core import canonical, reading
from archive_core.errors import MalformedDocumentError
from archive_core.trail.events import Detail, Event
from archive_core.trail.merkle import HASH_SIZE, Frontier, leaf_hash

FORMAT = "trusted-archive/trail-segment/1"
EVENTS, LEAVES, HEADER, DETAILS = "events.jsonl", "leaves.bin", "segment.json", "details.jsonl"

MAX_EVENTS = 100_000
"""Events in one segment."""


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """Where a segment lies in the log. `first` is the index of its first event (from 0), `frontier`
    and `head` are those after its last one; `previous_head` is the head of the log of `first` events."""

    number: int
    first: int
    frontier: Frontier
    previous_head: bytes

    @property
    def size(self) -> int:
        """Events in the log up to and with this segment."""
        return self.frontier.size

    @property
    def head(self) -> bytes:
        return self.frontier.head

    def to_bytes(self) -> bytes:
        return canonical.write(
            {
                "format": FORMAT,
                "number": self.number,
                "first": self.first,
                "size": self.size,
                "head": self.head.hex(),
                "frontier": [node.hex() for node in self.frontier.nodes],
                "previous_head": self.previous_head.hex(),
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises `MalformedDocumentError`, also when the frontier does not give the head."""
        value = reading.members(canonical.read_canonical(data, max_bytes=64 * 1024), _MEMBERS, "the segment header")
        reading.formatted(value["format"], FORMAT)
        size = reading.integer(value["size"], "size", least=1)
        nodes = tuple(
            reading.hex_bytes(node, "frontier", HASH_SIZE)
            for node in reading.items(value["frontier"], "frontier", most=64)
        )
        try:
            frontier = Frontier(size, nodes)
        except ValueError as error:
            raise MalformedDocumentError(f"the segment header contradicts itself: {error}") from error
        if frontier.head != reading.hex_bytes(value["head"], "head", HASH_SIZE):
            raise MalformedDocumentError("the segment's frontier does not give its head")
        return cls(
            number=reading.integer(value["number"], "number", least=1),
            first=reading.integer(value["first"], "first", most=size - 1),
            frontier=frontier,
            previous_head=reading.hex_bytes(value["previous_head"], "previous_head", HASH_SIZE),
        )


_MEMBERS = ("format", "number", "first", "size", "head", "frontier", "previous_head")


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment's files, as bytes; `details` is None when no event has personal detail."""

    header: bytes
    events: bytes
    leaves: bytes
    details: bytes | None = None

    def files(self) -> dict[str, bytes]:
        """The files of the segment's storage object by logical path; the sidecar is another object."""
        return {EVENTS: self.events, LEAVES: self.leaves, HEADER: self.header}


def build_segment(
    number: int, previous: SegmentHeader | None, events: Sequence[Event], details: Iterable[Detail] = ()
) -> tuple[SegmentHeader, Segment]:
    """The next segment of the log, with already numbered events in their final order.

    Raises ValueError when there is no event, there are too many, the number does not follow, or a
    detail is not committed to by one of the events.
    """
    expected = 1 if previous is None else previous.number + 1
    if number != expected:
        raise ValueError(f"segment {number} cannot follow segment {expected - 1}")
    if not 0 < len(events) <= MAX_EVENTS:
        raise ValueError(f"a segment holds 1 to {MAX_EVENTS} events, not {len(events)}")
    before = Frontier() if previous is None else previous.frontier
    lines = [event.to_line() for event in events]
    leaves = [leaf_hash(line[:-1]) for line in lines]
    header = SegmentHeader(number, before.size, before.extended(leaves), before.head)
    commitments = {event.event_id: event.commitment for event in events}
    sidecar = []
    for detail in details:
        if commitments.get(detail.event_id) != detail.commitment:
            raise ValueError(f"no event of the segment is committed to the detail of {detail.event_id}")
        sidecar.append(detail.to_line())
    return header, Segment(header.to_bytes(), b"".join(lines), b"".join(leaves), b"".join(sidecar) or None)


def split_lines(events: bytes) -> list[bytes]:
    """The lines of `events.jsonl` with their line feeds; a rest without one is a line of its own."""
    parts = events.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def split_leaves(leaves: bytes) -> list[bytes]:
    """The hashes of `leaves.bin`; raises `MalformedDocumentError` for a broken length."""
    if len(leaves) % HASH_SIZE:
        raise MalformedDocumentError("the list of leaf hashes has a broken length")
    return [leaves[i : i + HASH_SIZE] for i in range(0, len(leaves), HASH_SIZE)]
