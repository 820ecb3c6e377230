"""Use case: the whole trail proven anew, in every store and in the catalogue.

The rules this follows
 * A store's trail is judged from its bytes as they lie there: lines, leaf hashes, heads, details, and the heads that
   sealed statements hold. Whoever changed the store's own digests with them is named all the same.
 * Each segment is compared between the stores: where one is sound, what is wrong in another is named line by line.
   Two that are sound and differ are both named, unless the catalogue sides with one of them.
 * The catalogue's rows, which `trace` and the API show, are compared with a store whose segment is sound; where none
   is, they are not compared, and that is a finding.
 * A store whose trail is shorter than another's is named; so is a run that looked at nothing.
 * Nothing is changed by it. Memory: one segment, some numbers for each segment, one for each object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from archive_core.audit_comparing import code_of
from archive_core.audit_result import AuditEntry, AuditResult
from archive_core.batch import STATEMENT
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import EventRow, SegmentRow
from archive_core.digests import Digest
from archive_core.errors import ArchiveError, EvidenceBrokenError, MalformedDocumentError
from archive_core.findings import Finding
from archive_core.holding import Holder
from archive_core.identifiers import BATCH, TRAIL, system_object
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.receipts import Statement
from archive_core.replication import Copies, DamageListener
from archive_core.sequencer import PATIENCE, segment_numbers
from archive_core.trail.assessing import MAX_FINDINGS, TrailAssessment, assess_segments, leaf_hashes, line_findings
from archive_core.trail.details import assess_details, detailed_events, missing_details
from archive_core.trail.segments import Segment, SegmentHeader, split_leaves, split_lines
from archive_core.trail_reading import Lying, read_details, read_lying
from archive_core.trail_rows import compare_rows, compare_segment_row

Progress = Callable[[str, int, int | None], None]

CATALOGUE = "catalogue"
"""What stands for the store in findings about rows."""

_OF_THE_DETAIL_ALONE = frozenset({"TRAIL_DETAIL_EDITED", "TRAIL_DETAIL_DUPLICATED"})

_STATEMENT_BYTES = 1024 * 1024
_PAGE = 2000


@dataclass(slots=True)
class _Judged:
    """What was found in one store, the numbers of the segments there, which of them are not to be believed, and which
    have no details."""

    root: StorageRoot
    numbers: Sequence[int]
    assessed: TrailAssessment
    touched: set[int]
    bare: set[int]

    @property
    def name(self) -> str:
        return self.root.store.name

    def head(self, number: int) -> bytes | None:
        """The head after a segment that is sound."""
        return None if number in self.touched else self.assessed.heads.get(number)


@dataclass(slots=True)
class _Reference:
    """A segment as a store has it that is sound there: what others are compared with."""

    store: str
    header: SegmentHeader
    lines: list[bytes]
    leaves: list[bytes]


class TrailVerification:
    """Verification of stores and catalogue, for operators."""

    def __init__(self, *, catalogue: Catalogue, copies: Copies, holder: Holder, on_damage: DamageListener) -> None:
        self._catalogue = catalogue
        self._copies = copies
        self._holder = holder
        self._on_damage = on_damage

    def run(self, *, progress: Progress) -> AuditResult:
        """Findings name store or catalogue, place and code; `checked` counts stores, segments, events, rows, rows that
        wait to be chained (`pending`) and heads that were compared with sealed statements (`anchors`)."""
        result = AuditResult(checked=dict.fromkeys(("stores", "segments", "events", "rows", "pending", "anchors"), 0))
        anchors = self._anchors(result, progress)
        judged = [one for root in self._copies.roots if (one := _judge(root, anchors, result, progress)) is not None]
        longest = max((one.assessed.size for one in judged), default=0)
        _compare_sizes(judged, longest, result)
        with self._holder.hold("trail", patience=PATIENCE):  # what was being written when it was listed is entered now
            rows = {row.number: row for row in self._catalogue.segments()}
        self._compare(judged, rows, result, progress)
        _tell(CATALOGUE, self._beyond(judged, rows, longest), result)
        result.checked["pending"] = len(self._catalogue.pending_events(_PAGE))
        if not result.checked["events"]:
            result.findings.append(AuditEntry(CATALOGUE, "", "NOTHING_CHECKED", "there is no event in any store"))
        return result

    def _anchors(self, result: AuditResult, progress: Progress) -> dict[int, bytes]:
        """Heads of the trail by its size, as sealed statements have them."""
        anchors: dict[int, bytes] = {}
        batches = self._catalogue.batches()
        for done, row in enumerate(batches):
            progress("statements", done, len(batches))
            try:
                data = self._copies.read_file(
                    system_object(BATCH, row.number), 1, STATEMENT, limit=_STATEMENT_BYTES, on_damage=self._on_damage
                )
                if Digest.of("sha512", data).hex != row.statement_digest:
                    raise EvidenceBrokenError(f"the statement of batch {row.number} is not the one that was sealed")
                statement = Statement.parse(data)
            except ArchiveError as error:
                result.findings.append(AuditEntry(CATALOGUE, f"batch {row.number}", code_of(error), str(error)))
                continue
            anchors[statement.trail_size] = statement.trail_head
        return anchors

    # -- between the stores, and with the rows ------------------------------------------------------

    def _compare(
        self, judged: Sequence[_Judged], rows: Mapping[int, SegmentRow], result: AuditResult, progress: Progress
    ) -> None:
        numbers = sorted({number for one in judged for number in one.numbers})
        differing: set[str] = set()
        for done, number in enumerate(numbers):
            progress("rows", done, len(numbers))
            reference = _reference(judged, number, rows.get(number))
            if reference is None:
                message = "no store has a sound segment to compare the rows with"
                result.findings.append(AuditEntry(CATALOGUE, f"segment {number}", "TRAIL_NOT_COMPARED", message))
                continue
            holders = [one for one in judged if number in one.numbers]
            for one in holders:
                if one.name != reference.store:
                    _compare_segment(one, reference, differing, result)
            detailed = _compare_details(holders, reference, result)
            self._compare_rows(reference, rows.get(number), detailed, result)

    def _compare_rows(
        self, reference: _Reference, segment: SegmentRow | None, detailed: frozenset[str], result: AuditResult
    ) -> None:
        header = reference.header
        rows = self._rows(header.first, header.size)
        result.checked["rows"] += len(rows)
        _tell(CATALOGUE, compare_segment_row(segment, header), result)
        _tell(CATALOGUE, compare_rows(rows, reference.lines, header.first, detailed), result)

    def _rows(self, first: int, end: int) -> list[EventRow]:
        """The readable rows with these numbers."""
        rows: list[EventRow] = []
        for start in range(first, end, _PAGE):
            rows += self._page(start, min(start + _PAGE, end))
        return rows

    def _page(self, start: int, stop: int) -> list[EventRow]:
        """As `_rows`, of few rows; where one cannot be read, the others are read apart from it."""
        try:
            found = self._catalogue.events_between(start, stop)
        except ValueError:  # a row that no type fits
            if stop - start == 1:
                return []
            middle = (start + stop) // 2
            return self._page(start, middle) + self._page(middle, stop)
        return [row for row in found if row.seq is not None]

    def _beyond(self, judged: Sequence[_Judged], rows: Mapping[int, SegmentRow], longest: int) -> Iterator[Finding]:
        """Rows with numbers that were never given. What was chained while this ran is not among them."""
        numbers = {number for one in judged for number in one.numbers}
        end = longest
        for number in sorted(rows.keys() - numbers):
            if any(one.root.has_object(system_object(TRAIL, number)) for one in judged):
                end = max(end, rows[number].size)
            else:
                yield Finding("SEGMENT_ROW_ADDED", "no store has this segment", f"segment {number}")
        last = self._catalogue.last_segment()
        if last is not None and last.number not in rows:
            end = max(end, last.size)
        for seq in self._catalogue.numbers_outside(end, MAX_FINDINGS):
            yield Finding("ROW_ADDED", f"the trail has the events 0 to {longest - 1}", f"event {seq}")


# -- one store ----------------------------------------------------------------------------------------


def _judge(root: StorageRoot, anchors: Mapping[int, bytes], result: AuditResult, progress: Progress) -> _Judged | None:
    name = root.store.name
    reading = _Reading(root, progress)
    try:
        numbers = segment_numbers(root.object_ids())
        assessed = assess_segments(reading.segments(numbers), anchors=anchors)
    except ArchiveError as error:
        result.findings.append(AuditEntry(name, "", code_of(error), str(error)))
        return None
    result.checked["stores"] += 1
    result.checked["segments"] += len(numbers)
    result.checked["events"] += assessed.events
    result.checked["anchors"] += assessed.anchors
    _tell(name, assessed.findings, result)
    touched = set(assessed.touched)
    _tell(name, (one for number, one in reading.faults if number not in touched), result)
    touched |= {number for number, _ in reading.faults}
    # Where lines are missing or moved, so are their details: that is not told again.
    told = (one for number, one in reading.details if number not in touched or one.code in _OF_THE_DETAIL_ALONE)
    _tell(name, told, result)
    return _Judged(root, numbers, assessed, touched, reading.bare)


class _Reading:
    """The segments of a store as they are read, and what was wrong with them apart from what they say."""

    def __init__(self, root: StorageRoot, progress: Progress) -> None:
        self._root = root
        self._progress = progress
        self.faults: list[tuple[int, Finding]] = []
        self.details: list[tuple[int, Finding]] = []
        self.bare: set[int] = set()

    def segments(self, numbers: Sequence[int]) -> Iterator[tuple[int, Segment | None]]:
        for done, number in enumerate(numbers):
            self._progress("trail", done, len(numbers))
            lying = read_lying(self._root, number)
            self.faults += [
                (number, Finding("TRAIL_SEGMENT_DAMAGED", fault, f"segment {number}")) for fault in lying.faults
            ]
            self.details += [(number, one) for one in self._details(number, lying)]
            yield number, lying.segment

    def _details(self, number: int, lying: Lying) -> Iterator[Finding]:
        where = f"segment {number}"
        segment = lying.segment
        if segment is None:
            return
        if segment.details is None:
            self.bare.add(number)
        else:
            try:
                first = SegmentHeader.parse(segment.header).first
            except MalformedDocumentError:
                return  # a finding of the segment
            lines, whole = split_lines(segment.events), not lying.detail_faults
            told = assess_details(number, first, lines, segment.details, whole=whole)
            if told and (places := _chained(lines, segment.leaves)) is not None:
                sound = [line for line, place in zip(lines, places, strict=True) if place is not None]
                at = [place for place in places if place is not None]
                told = assess_details(number, first, sound, segment.details, whole=whole, places=at)
            yield from told
            if told:
                return
        for fault in lying.detail_faults:
            yield Finding("TRAIL_DETAILS_DAMAGED", fault, where)


def _chained(lines: Sequence[bytes], leaves: bytes) -> list[int | None] | None:
    """For each line the place at which it was chained, None where it was not, or came twice; None for all when nothing
    was touched or the list of leaves is broken, which is a finding already. A line that was edited is named as such:
    what it is committed to now says nothing of a detail."""
    try:
        chained = split_leaves(leaves)
    except MalformedDocumentError:
        return None
    found = leaf_hashes(lines)
    if found == chained:
        return None
    left = {leaf: place for place, leaf in enumerate(chained)}
    return [left.pop(leaf, None) for leaf in found]


def _compare_sizes(judged: Sequence[_Judged], longest: int, result: AuditResult) -> None:
    numbers = {number for one in judged for number in one.numbers}
    for one in judged:
        if one.assessed.size >= longest:
            continue
        # The stores were listed one after the other: what came to be meanwhile is there now.
        lacking = numbers - set(one.numbers)
        if not lacking or any(not one.root.has_object(system_object(TRAIL, number)) for number in lacking):
            message = f"{longest} events are in another store"
            result.findings.append(AuditEntry(one.name, f"event {one.assessed.size}", "TRAIL_BEHIND", message))


# -- one segment, in several stores -------------------------------------------------------------------


def _reference(judged: Sequence[_Judged], number: int, row: SegmentRow | None) -> _Reference | None:
    """The segment of a store in which it is sound; where they differ, of one with which the catalogue agrees."""
    sound = [one for one in judged if one.head(number) is not None]
    sound.sort(key=lambda one: row is None or (one.head(number) or b"").hex() != row.head)
    for one in sound:
        segment = read_lying(one.root, number).segment
        if segment is None:
            continue  # gone meanwhile
        lines = split_lines(segment.events)
        return _Reference(one.name, SegmentHeader.parse(segment.header), lines, leaf_hashes(lines))
    return None


def _compare_segment(one: _Judged, reference: _Reference, differing: set[str], result: AuditResult) -> None:
    """Name what is otherwise in another store: the lines, and that two sound ones differ."""
    number, head = reference.header.number, one.head(reference.header.number)
    if head == reference.header.head:
        return
    if head is not None and one.name not in differing:
        differing.add(one.name)
        message = f"the store {reference.store} has another trail from this segment on, and both are whole"
        result.findings.append(AuditEntry(one.name, f"segment {number}", "TRAIL_STORES_DIFFER", message))
    segment = read_lying(one.root, number).segment
    if segment is None:
        return  # a finding already
    found = leaf_hashes(split_lines(segment.events))
    if found != reference.leaves:
        known = {(entry.path, entry.code) for entry in result.findings if entry.store == one.name}
        told = line_findings(number, reference.header.first, reference.leaves, found)
        _tell(one.name, (each for each in told if (each.where, each.code) not in known), result)


def _compare_details(holders: Sequence[_Judged], reference: _Reference, result: AuditResult) -> frozenset[str]:
    """Name what a store lacks of the details that another has; the ids of the events of which any store has one."""
    number, first = reference.header.number, reference.header.first
    by_store = {one.name: detailed_events(read_details(one.root, number) or b"") for one in holders}
    every = frozenset().union(*by_store.values())
    for one in holders:
        if every and number in one.bare:
            message = "another store has details, and this one has none"
            result.findings.append(AuditEntry(one.name, f"segment {number}", "TRAIL_DETAILS_MISSING", message))
        elif lacking := every - by_store[one.name]:
            known = {(entry.path, entry.code) for entry in result.findings if entry.store == one.name}
            told = missing_details(number, first, reference.lines, lacking)
            _tell(one.name, (each for each in told if (each.where, each.code) not in known), result)
    return every


def _tell(store: str, findings: Iterable[Finding], result: AuditResult) -> None:
    result.findings += [AuditEntry(store, one.where, one.code, one.message) for one in findings]
