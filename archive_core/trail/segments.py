"""Segments: the trail's Merkle log cut into storage objects, built and checked without any I/O.

Rules kept here
 * A segment (`tr…`) is three files: `events.jsonl`, one canonical line an event; `leaves.bin`, the
   leaf hash of each line; `segment.json`, where the segment lies in the log, the head before and
   after it, and the frontier to go on from. The detail sidecar (`td…`) is `details.jsonl`.
 * The head is computed from the leaf hashes and the leaf hashes from the lines, each time; what a
   file says of itself is only ever compared.
 * Leaf hashes are stored so that a check can name the line that was edited, removed, moved or
   inserted, and so that proofs need not read the lines again.
 * Someone who rewrites lines, leaf hashes and heads consistently is caught by an anchor: a size and
   head of the log from a sealed and time-stamped batch statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from archive_core import canonical, reading
from archive_core.errors import MalformedDocumentError
from archive_core.findings import Finding
from archive_core.trail.events import Detail, Event
from archive_core.trail.merkle import EMPTY_HEAD, HASH_SIZE, Frontier, leaf_hash
from archive_core.trail.quick import parse_event

FORMAT = "trusted-archive/trail-segment/1"
EVENTS, LEAVES, HEADER, DETAILS = "events.jsonl", "leaves.bin", "segment.json", "details.jsonl"

MAX_EVENTS = 100_000
"""Events in one segment."""
MAX_FINDINGS = 1000
"""Findings of one check; the last one says that there were more."""


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


def parse_segment(segment: Segment, before: Frontier | None = None) -> tuple[SegmentHeader, list[Event]]:
    """The header and events of a good segment; raises `MalformedDocumentError` for any other, naming
    the first fault (`assess_segments` names all).

    `before` is the frontier of the log before the segment; without it the leaf hashes are compared
    with the lines but not with the heads.
    """
    faults: list[Finding] = []
    header = SegmentHeader.parse(segment.header)
    lines = _assess_one(segment, header, before or Frontier(), faults, check_start=before is not None)
    if faults:
        raise MalformedDocumentError(f"{faults[0].message} ({faults[0].where})", code=faults[0].code)
    return header, [parse_event(line) for line in lines]


@dataclass(frozen=True, slots=True)
class TrailAssessment:
    """What a check of the trail found: `events` lines were read, giving a log of `size` entries with
    `head`; `anchors` sealed heads were compared."""

    findings: tuple[Finding, ...]
    events: int
    size: int
    head: bytes
    anchors: int

    def to_json(self) -> dict[str, Any]:
        return {
            "events": self.events,
            "size": self.size,
            "head": self.head.hex(),
            "anchors": self.anchors,
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(slots=True)
class _Walk:
    """State of one check from the first segment to the last."""

    anchors: Mapping[int, bytes]
    findings: list[Finding] = field(default_factory=list)
    frontier: Frontier = field(default_factory=Frontier)
    number: int = 0
    events: int = 0
    compared: int = 0
    last: dict[str, int] = field(default_factory=dict)


def assess_segments(
    segments: Iterable[tuple[int, Segment | None]], *, anchors: Mapping[int, bytes] | None = None
) -> TrailAssessment:
    """Check a whole log, segment by segment, from number 1 on, in bounded memory.

    `segments` are numbers with their files (None: known to exist but not readable); `anchors` map log
    sizes to heads from sealed statements. Findings name the segment and line: `TRAIL_EVENT_EDITED`,
    `…_REMOVED`, `…_INSERTED`, `…_REORDERED`, `TRAIL_EVENT_MALFORMED`, `TRAIL_OBJECT_EVENT_GAP`,
    `TRAIL_SEGMENT_MALFORMED`, `…_MISSING`, `TRAIL_HEAD_MISMATCH`, `TRAIL_ANCHOR_MISMATCH`,
    `TRAIL_TRUNCATED`. Whether nothing at all was read (`events` 0) is an error is for the caller to say:
    a new archive has no events.
    """
    walk = _Walk(dict(anchors or {}))
    for number, segment in segments:
        _take(walk, number, segment)
    beyond = sorted(size for size in walk.anchors if size > walk.frontier.size)
    if beyond:
        _find(
            walk.findings,
            "TRAIL_TRUNCATED",
            f"a sealed statement says that the trail had {beyond[-1]} events; only {walk.frontier.size} are there",
            f"event {walk.frontier.size}",
        )
    if walk.anchors.get(0, EMPTY_HEAD) != EMPTY_HEAD:
        _find(walk.findings, "TRAIL_ANCHOR_MISMATCH", "the head of an empty trail is sealed wrongly", "event 0")
    return TrailAssessment(tuple(walk.findings), walk.events, walk.frontier.size, walk.frontier.head, walk.compared)


def _take(walk: _Walk, number: int, segment: Segment | None) -> None:
    where = f"segment {number}"
    for missing in range(walk.number + 1, min(number, walk.number + 1 + MAX_FINDINGS)):
        _find(walk.findings, "TRAIL_SEGMENT_MISSING", f"segment {missing} is not there", f"segment {missing}")
    if number <= walk.number:
        _find(walk.findings, "TRAIL_SEGMENT_MALFORMED", f"segment {number} comes after {walk.number}", where)
        return
    gap = number != walk.number + 1
    walk.number = number
    if segment is None:
        _find(walk.findings, "TRAIL_SEGMENT_MISSING", f"segment {number} cannot be read", where)
        return
    try:
        header = SegmentHeader.parse(segment.header)
    except MalformedDocumentError as error:
        _find(walk.findings, "TRAIL_SEGMENT_MALFORMED", str(error), f"{where}, {HEADER}")
        return
    if header.number != number:
        _find(walk.findings, "TRAIL_SEGMENT_MALFORMED", f"the segment calls itself {header.number}", where)
    contiguous = not gap and header.first == walk.frontier.size
    lines = _assess_one(segment, header, walk.frontier, walk.findings, check_start=contiguous)
    if not contiguous and not gap:
        _find(
            walk.findings,
            "TRAIL_HEAD_MISMATCH",
            f"the segment starts at event {header.first}, the one before ended at {walk.frontier.size}",
            where,
        )
    _assess_events(walk, number, header, lines)
    _compare_anchors(walk, number, segment, header, contiguous)
    walk.events += len(lines)
    walk.frontier = header.frontier


def _assess_one(
    segment: Segment, header: SegmentHeader, before: Frontier, findings: list[Finding], *, check_start: bool
) -> list[bytes]:
    """Check lines against leaf hashes and leaf hashes against the header; gives the lines."""
    where = f"segment {header.number}"
    lines = split_lines(segment.events)
    try:
        stored = split_leaves(segment.leaves)
    except MalformedDocumentError as error:
        _find(findings, "TRAIL_SEGMENT_MALFORMED", str(error), f"{where}, {LEAVES}")
        return lines
    if len(stored) != header.size - header.first:
        _find(
            findings,
            "TRAIL_SEGMENT_MALFORMED",
            f"{len(stored)} leaf hashes for {header.size - header.first} events",
            f"{where}, {LEAVES}",
        )
    elif check_start and (before.head != header.previous_head or before.extended(stored) != header.frontier):
        _find(
            findings,
            "TRAIL_HEAD_MISMATCH",
            "the leaf hashes do not lead from the head before this segment to the head that it states",
            where,
        )
    computed = [leaf_hash(line[:-1]) if line.endswith(b"\n") else b"" for line in lines]
    if computed != stored:
        findings.extend(_differences(header, stored, computed, MAX_FINDINGS - len(findings)))
    return lines


def _differences(header: SegmentHeader, stored: list[bytes], computed: list[bytes], room: int) -> list[Finding]:
    """Name the lines that are not what their leaf hashes say: line n is event `first + n - 1`."""
    place = {leaf: index for index, leaf in enumerate(stored)}
    found = {leaf: index for index, leaf in enumerate(computed)}
    findings: list[Finding] = []

    def say(code: str, message: str, line: int, event: int) -> None:
        if len(findings) < room:
            findings.append(Finding(code, message, f"segment {header.number}, line {line}, event {event}"))

    edited = set()
    for index, leaf in enumerate(computed):
        if leaf in place:
            continue
        if index < len(stored) and stored[index] not in found:
            edited.add(index)
            say("TRAIL_EVENT_EDITED", "the event was changed after it was chained", index + 1, header.first + index)
        else:
            say("TRAIL_EVENT_INSERTED", "the line was never chained", index + 1, header.first + index)
    for index, leaf in enumerate(stored):
        if leaf not in found and index not in edited:
            say("TRAIL_EVENT_REMOVED", "the event is no longer there", index + 1, header.first + index)
    order = [place[leaf] for leaf in computed if leaf in place]
    highest = -1
    for position in order:
        if position <= highest:
            say(
                "TRAIL_EVENT_REORDERED",
                f"event {header.first + position} comes after event {header.first + highest}",
                position + 1,
                header.first + position,
            )
        highest = max(highest, position)
    if not findings and room > 0:
        findings.append(Finding("TRAIL_EVENT_EDITED", "lines and leaf hashes differ", f"segment {header.number}"))
    return findings


def _assess_events(walk: _Walk, number: int, header: SegmentHeader, lines: Sequence[bytes]) -> None:
    """Each line is an event, and the events of one object are numbered without gaps."""
    for index, line in enumerate(lines):
        where = f"segment {number}, line {index + 1}, event {header.first + index}"
        try:
            event = parse_event(line)
        except MalformedDocumentError as error:
            _find(walk.findings, "TRAIL_EVENT_MALFORMED", str(error), where)
            continue
        if event.poid is None:
            continue
        expected = walk.last.get(event.poid, 0) + 1
        if event.object_event != expected:
            _find(
                walk.findings,
                "TRAIL_OBJECT_EVENT_GAP",
                f"event {event.object_event} of {event.poid} where number {expected} was due",
                where,
            )
        walk.last[event.poid] = max(event.object_event or 0, walk.last.get(event.poid, 0))


def _compare_anchors(walk: _Walk, number: int, segment: Segment, header: SegmentHeader, contiguous: bool) -> None:
    """Heads that sealed statements give for sizes within this segment."""
    within = sorted(size for size in walk.anchors if header.first < size <= header.size)
    if not within:
        return
    try:
        stored = split_leaves(segment.leaves)
    except MalformedDocumentError:
        return  # already a finding
    for size in within:
        if size == header.size:
            head = header.head
        elif contiguous:
            head = walk.frontier.extended(stored[: size - header.first]).head
        else:
            continue  # the head inside the segment cannot be computed; the gap is already a finding
        walk.compared += 1
        if head != walk.anchors[size]:
            _find(
                walk.findings,
                "TRAIL_ANCHOR_MISMATCH",
                f"the trail of {size} events has another head than the sealed statement says: it was rewritten",
                f"segment {number}",
            )


def _find(findings: list[Finding], code: str, message: str, where: str) -> None:
    if len(findings) < MAX_FINDINGS:
        findings.append(Finding(code, message, where))
