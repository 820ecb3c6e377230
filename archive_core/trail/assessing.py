"""The check of a whole trail, segment by segment, without any I/O: who was tampered with is named.

Rules kept here
 * Three things say what a segment's events are: its lines, its list of leaf hashes, and the heads that it states. Two
   that agree convict the third, so that a changed list or header is not told as changed events.
 * A finding names the place that was touched and no other: what follows from a place that is named already (numbers
   of an object that now seem to miss one, the next segment's start) is not told again.
 * Someone who rewrites lines, leaf hashes and heads consistently is caught by an anchor: a size and head of the log
   from a sealed and time-stamped batch statement.
 * Memory: one segment, one number for each object, and at most `MAX_FINDINGS` findings of each segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archive_core.errors import MalformedDocumentError
from archive_core.findings import Finding
from archive_core.trail.differences import Difference, Kind, differences
from archive_core.trail.events import Event
from archive_core.trail.merkle import EMPTY_HEAD, HASH_SIZE, Frontier, leaf_hash
from archive_core.trail.quick import parse_event
from archive_core.trail.segments import HEADER, LEAVES, Segment, SegmentHeader, split_leaves, split_lines

MAX_FINDINGS = 1000
"""Findings of one segment; if there are more, one says how many."""

_LINE_SAID = {
    Kind.EDITED: "the event was changed after it was chained",
    Kind.REMOVED: "the event is no longer there",
    Kind.INSERTED: "the line was never chained",
    Kind.REORDERED: "the event stands at another place than the one where it was chained",
    Kind.DUPLICATED: "the event is there more than once",
}


@dataclass(frozen=True, slots=True)
class TrailAssessment:
    """What a check of the trail found: `events` lines were read, giving a log of `size` entries with
    `head`; `anchors` sealed heads were compared. `heads` are those that the segments state, by number."""

    findings: tuple[Finding, ...]
    events: int
    size: int
    head: bytes
    anchors: int
    heads: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def touched(self) -> frozenset[int]:
        """The numbers of the segments with findings."""
        return frozenset(number for one in self.findings if (number := _segment_of(one)) is not None)

    def to_json(self) -> dict[str, Any]:
        return {
            "events": self.events,
            "size": self.size,
            "head": self.head.hex(),
            "anchors": self.anchors,
            "findings": [finding.to_json() for finding in self.findings],
        }


def assess_segments(
    segments: Iterable[tuple[int, Segment | None]], *, anchors: Mapping[int, bytes] | None = None
) -> TrailAssessment:
    """Check a whole log, segment by segment, from number 1 on.

    `segments` are numbers with their files (None: known to exist but not readable); `anchors` map log
    sizes to heads from sealed statements. Findings name the segment and line: `TRAIL_EVENT_EDITED`,
    `…_REMOVED`, `…_INSERTED`, `…_REORDERED`, `…_DUPLICATED`, `TRAIL_EVENT_MALFORMED`, `TRAIL_LEAF_EDITED`,
    `TRAIL_OBJECT_EVENT_GAP`, `TRAIL_SEGMENT_MALFORMED`, `…_MISSING`, `TRAIL_HEAD_MISMATCH`, `TRAIL_ANCHOR_MISMATCH`,
    `TRAIL_TRUNCATED`, `TRAIL_MORE_FINDINGS`. Whether nothing at all was read (`events` 0) is an error is for the
    caller to say: a new archive has no events.
    """
    walk = _Walk(dict(anchors or {}))
    for number, segment in segments:
        _Segment(walk, number).take(segment)
    found = _Found("the end")
    beyond = sorted(size for size in walk.anchors if size > walk.frontier.size)
    if beyond:
        found.say(
            "TRAIL_TRUNCATED",
            f"a sealed statement says that the trail had {beyond[-1]} events; only {walk.frontier.size} are there",
            f"event {walk.frontier.size}",
        )
    if walk.anchors.get(0, EMPTY_HEAD) != EMPTY_HEAD:
        found.say("TRAIL_ANCHOR_MISMATCH", "the head of an empty trail is sealed wrongly", "event 0")
    return TrailAssessment(
        (*walk.findings, *found.all()),
        walk.events,
        walk.frontier.size,
        walk.frontier.head,
        walk.compared,
        walk.heads,
    )


def parse_segment(segment: Segment, before: Frontier | None = None) -> tuple[SegmentHeader, list[Event]]:
    """The header and events of a good segment; raises `MalformedDocumentError` for any other, naming
    the first fault (`assess_segments` names all).

    `before` is the frontier of the log before the segment; without it the leaf hashes are compared
    with the lines but not with the heads.
    """
    header = SegmentHeader.parse(segment.header)
    found, lines = _Found(f"segment {header.number}"), split_lines(segment.events)
    leaves = _Leaves.of(lines, segment, found)
    leaves.judge(header, before, found)
    if faults := found.all():
        raise MalformedDocumentError(f"{faults[0].message} ({faults[0].where})", code=faults[0].code)
    return header, [parse_event(line) for line in lines]


def line_findings(number: int, first: int, was: Sequence[bytes], found: Sequence[bytes]) -> list[Finding]:
    """What happened to the lines of a segment, by the leaf hashes that were chained and those that the lines have:
    line n is event `first + n - 1`, and an inserted line is named by the place where it stands."""
    return [_named(number, first, one) for one in differences(was, found)]


def leaf_hashes(lines: Sequence[bytes]) -> list[bytes]:
    """What the lines hash to; a line without its line feed to nothing."""
    return [leaf_hash(line[:-1]) if line.endswith(b"\n") else b"" for line in lines]


def _named(number: int, first: int, one: Difference) -> Finding:
    line = one.found if one.kind is Kind.INSERTED and one.found is not None else one.place
    code = f"TRAIL_EVENT_{one.kind.name}"
    return Finding(code, _LINE_SAID[one.kind], f"segment {number}, line {line + 1}, event {first + one.place}")


class _Found:
    """The findings of one place; more than `MAX_FINDINGS` are counted only."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._findings: list[Finding] = []
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._findings)

    def say(self, code: str, message: str, where: str) -> None:
        self.add(Finding(code, message, where))

    def add(self, *findings: Finding) -> None:
        room = MAX_FINDINGS - len(self._findings)
        self._findings += findings[:room]
        self._more += len(findings[room:])

    def all(self) -> list[Finding]:
        if not self._more:
            return self._findings
        return [*self._findings, Finding("TRAIL_MORE_FINDINGS", f"there are {self._more} more findings", self._where)]


@dataclass(frozen=True, slots=True)
class _Leaves:
    """The leaf hashes of a segment: as its list has them, and as its lines give them. `stored` is None when the list
    is broken."""

    stored: list[bytes] | None
    computed: list[bytes]

    @classmethod
    def of(cls, lines: Sequence[bytes], segment: Segment, found: _Found) -> _Leaves:
        computed = leaf_hashes(lines)
        try:
            stored = split_leaves(segment.leaves)
        except MalformedDocumentError as error:
            found.say("TRAIL_SEGMENT_MALFORMED", str(error), f"{found._where}, {LEAVES}")
            return cls(None, computed)
        return cls(stored, computed)

    def judge(self, header: SegmentHeader, before: Frontier | None, found: _Found) -> Frontier | None:
        """Name what is not as it was chained; the frontier that the segment's events lead to, if that can be known.
        Without `before` nobody knows which leaf hashes are the right ones; then the list is believed."""
        count, where = header.size - header.first, f"segment {header.number}"
        agreed = self.stored == self.computed
        after = None if before is None or self.stored is None else before.extended(self.stored)
        if after == header.frontier or (before is None and agreed and len(self.computed) == count):
            self._tell_lines(header, found)
            return after
        by_lines = None
        if before is not None and not agreed and len(self.computed) == count and b"" not in self.computed:
            by_lines = before.extended(self.computed)
        if by_lines is not None and by_lines == header.frontier:
            self._tell_list(header, found)
            return by_lines
        if self.stored is not None and len(self.stored) != count:
            found.say(
                "TRAIL_SEGMENT_MALFORMED", f"{len(self.stored)} leaf hashes for {count} events", f"{where}, {LEAVES}"
            )
        if before is not None:
            found.say(
                "TRAIL_HEAD_MISMATCH",
                "the leaf hashes do not lead from the head before this segment to the head that it states",
                where,
            )
        self._tell_lines(header, found)
        return after

    def _tell_lines(self, header: SegmentHeader, found: _Found) -> None:
        if self.stored is not None and self.stored != self.computed:
            found.add(*line_findings(header.number, header.first, self.stored, self.computed))

    def _tell_list(self, header: SegmentHeader, found: _Found) -> None:
        """The lines are those that were chained, and their list is not."""
        where = f"segment {header.number}"
        if self.stored is None:
            return  # said already
        if len(self.stored) != len(self.computed):
            found.say(
                "TRAIL_SEGMENT_MALFORMED",
                f"{len(self.stored)} leaf hashes for {len(self.computed)} events",
                f"{where}, {LEAVES}",
            )
            return
        for place, (stored, computed) in enumerate(zip(self.stored, self.computed, strict=True)):
            if stored != computed:
                found.say(
                    "TRAIL_LEAF_EDITED",
                    "the list has another leaf hash than the event",
                    f"{where}, line {place + 1}, event {header.first + place}",
                )


@dataclass(slots=True)
class _Walk:
    """State of one check from the first segment to the last. `ends` are the frontiers that the segment before may
    have led to, the likeliest first; there is none behind a segment that could not be read."""

    anchors: Mapping[int, bytes]
    findings: list[Finding] = field(default_factory=list)
    frontier: Frontier = field(default_factory=Frontier)
    ends: tuple[Frontier, ...] = (Frontier(),)
    number: int = 0
    events: int = 0
    compared: int = 0
    whole: bool = True
    last: dict[int, int] = field(default_factory=dict)
    heads: dict[int, bytes] = field(default_factory=dict)


class _Segment:
    """One segment under the check, and what is found of it."""

    def __init__(self, walk: _Walk, number: int) -> None:
        self._walk = walk
        self._number = number
        self._where = f"segment {number}"
        self._found = _Found(self._where)

    def take(self, segment: Segment | None) -> None:
        walk, found = self._walk, self._found
        self._tell_missing()
        if self._number <= walk.number:
            found.say("TRAIL_SEGMENT_MALFORMED", f"segment {self._number} comes after {walk.number}", self._where)
        elif segment is None:
            found.say("TRAIL_SEGMENT_MISSING", f"segment {self._number} cannot be read", self._where)
            walk.number, walk.ends, walk.whole = self._number, (), False
        else:
            walk.number = self._number
            self._read(segment)
        walk.findings += found.all()

    def _tell_missing(self) -> None:
        first = self._walk.number + 1
        if first < self._number:
            self._walk.ends, self._walk.whole = (), False
        for missing in range(first, min(self._number, first + MAX_FINDINGS)):
            self._found.say("TRAIL_SEGMENT_MISSING", f"segment {missing} is not there", f"segment {missing}")

    def _read(self, segment: Segment) -> None:
        walk, found = self._walk, self._found
        lines = split_lines(segment.events)
        leaves = _Leaves.of(lines, segment, found)
        walk.events += len(lines)
        try:
            header = SegmentHeader.parse(segment.header)
        except MalformedDocumentError as error:
            found.say("TRAIL_SEGMENT_MALFORMED", str(error), f"{self._where}, {HEADER}")
            self._without_header(lines, leaves)
            return
        if header.number != self._number:
            where = f"{self._where}, {HEADER}"
            found.say("TRAIL_SEGMENT_MALFORMED", f"the segment calls itself {header.number}", where)
        before = self._before(header)
        after = leaves.judge(header, before, found)
        self._judge_events(header.first, lines)
        self._compare_anchors(header, before, leaves)
        walk.heads[self._number] = header.head
        believed = after is not None and leaves.stored == leaves.computed
        walk.frontier = after if believed and after is not None else header.frontier
        walk.ends = (header.frontier,) if after is None or after == header.frontier else (header.frontier, after)

    def _before(self, header: SegmentHeader) -> Frontier | None:
        """The frontier of the log before the segment; None where it cannot be known."""
        ends = self._walk.ends
        for end in ends:
            if (end.size, end.head) == (header.first, header.previous_head):
                return end
        if ends:
            self._found.say(
                "TRAIL_HEAD_MISMATCH",
                f"the segment goes on from event {header.first} and a head that the one before does not end with, at "
                f"{ends[0].size}",
                self._where,
            )
        return None

    def _without_header(self, lines: Sequence[bytes], leaves: _Leaves) -> None:
        """The lines of a segment whose header says nothing: compared with their list, which is believed."""
        walk = self._walk
        first = walk.ends[0].size if walk.ends else walk.frontier.size
        agreed = leaves.computed if leaves.stored is None else leaves.stored
        if agreed != leaves.computed:
            self._found.add(*line_findings(self._number, first, agreed, leaves.computed))
        self._judge_events(first, lines)
        sound = all(len(leaf) == HASH_SIZE for leaf in agreed)
        walk.ends = tuple(end.extended(agreed) for end in walk.ends) if sound else ()
        if walk.ends:
            walk.frontier = walk.ends[0]

    def _judge_events(self, first: int, lines: Sequence[bytes]) -> None:
        """Each line is an event, and the events of one object are numbered without gaps; where events are missing or
        changed, here or before, gaps follow from that and are not told."""
        walk = self._walk
        as_chained = not self._found
        walk.whole &= as_chained
        for index, line in enumerate(lines):
            try:
                event = parse_event(line)
            except MalformedDocumentError as error:
                if as_chained:
                    where = f"{self._where}, line {index + 1}, event {first + index}"
                    self._found.say("TRAIL_EVENT_MALFORMED", str(error), where)
                continue
            if event.poid is None:
                continue
            of = int(event.poid, 16)
            last = walk.last.get(of, 0)
            if event.object_event != last + 1 and walk.whole:
                self._found.say(
                    "TRAIL_OBJECT_EVENT_GAP",
                    f"event {event.object_event} of {event.poid} where number {last + 1} was due",
                    f"{self._where}, line {index + 1}, event {first + index}",
                )
            walk.last[of] = max(event.object_event or 0, last)

    def _compare_anchors(self, header: SegmentHeader, before: Frontier | None, leaves: _Leaves) -> None:
        """Heads that sealed statements give for sizes within this segment."""
        walk = self._walk
        for size in sorted(size for size in walk.anchors if header.first < size <= header.size):
            if size == header.size:
                head = header.head
            elif before is not None and leaves.stored is not None and not self._found:
                head = before.extended(leaves.stored[: size - header.first]).head
            else:
                continue  # the head inside the segment cannot be computed; why not is a finding
            walk.compared += 1
            if head != walk.anchors[size]:
                self._found.say(
                    "TRAIL_ANCHOR_MISMATCH",
                    f"the trail of {size} events has another head than the sealed statement says: it was rewritten",
                    self._where,
                )


def _segment_of(finding: Finding) -> int | None:
    word, _, rest = finding.where.partition(" ")
    return int(rest.partition(",")[0]) if word == "segment" else None
