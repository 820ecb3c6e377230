"""Use case: the whole trail proven anew, in every store and in the catalogue.

The rules this follows
 * A store's trail is judged from its bytes: lines, leaf hashes, heads, and the heads that sealed statements hold.
 * The catalogue's rows, which `trace` and the API show, are compared with a store whose trail is sound and as long as
   any; with none sound they are not compared, and that is a finding.
 * A store whose trail is shorter than another's is named; so is a run that looked at nothing.
 * Nothing is changed by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from archive_core.audit_comparing import code_of
from archive_core.audit_result import AuditEntry, AuditResult
from archive_core.batch import STATEMENT
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import EventRow
from archive_core.digests import Digest
from archive_core.errors import ArchiveError, EvidenceBrokenError, NotFoundError
from archive_core.findings import Finding
from archive_core.identifiers import BATCH, system_object
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.receipts import Statement
from archive_core.replication import Copies, DamageListener
from archive_core.sequencer import read_segment_files, read_segment_if_good, segment_numbers
from archive_core.trail.segments import Segment, SegmentHeader, TrailAssessment, assess_segments, split_lines
from archive_core.trail_rows import compare_rows

Progress = Callable[[str, int, int | None], None]

CATALOGUE = "catalogue"
"""What stands for the store in findings about rows."""

_STATEMENT_BYTES = 1024 * 1024
_PAGE = 2000


@dataclass(frozen=True, slots=True)
class _Judged:
    """What was found in one store, and the numbers of the segments there."""

    root: StorageRoot
    numbers: Sequence[int]
    assessed: TrailAssessment


class TrailVerification:
    """Verification of stores and catalogue, for operators."""

    def __init__(self, *, catalogue: Catalogue, copies: Copies, on_damage: DamageListener) -> None:
        self._catalogue = catalogue
        self._copies = copies
        self._on_damage = on_damage

    def run(self, *, progress: Progress) -> AuditResult:
        """Findings name store or catalogue, place and code; `checked` counts stores, segments, events, rows, rows that
        wait to be chained (`pending`) and heads that were compared with sealed statements (`anchors`)."""
        result = AuditResult(checked=dict.fromkeys(("stores", "segments", "events", "rows", "pending", "anchors"), 0))
        anchors = self._anchors(result, progress)
        judged = [self._judge(root, anchors, result, progress) for root in self._copies.roots]
        longest = max((one.assessed.size for one in judged if one), default=0)
        self._compare_sizes(judged, longest, result)
        sound = [
            one for one in judged if one and longest and one.assessed.size == longest and not one.assessed.findings
        ]
        if sound:
            self._compare_rows(sound[0], result, progress)
        else:
            result.findings.append(
                AuditEntry(CATALOGUE, "", "TRAIL_NOT_COMPARED", "no store has a sound trail to compare the rows with")
            )
        result.checked["pending"] = len(self._catalogue.pending_events(_PAGE))
        if not result.checked["events"]:
            result.findings.append(AuditEntry(CATALOGUE, "", "NOTHING_CHECKED", "there is no event in any store"))
        return result

    # -- stores -------------------------------------------------------------------------------

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

    def _judge(
        self, root: StorageRoot, anchors: Mapping[int, bytes], result: AuditResult, progress: Progress
    ) -> _Judged | None:
        name = root.store.name
        try:
            numbers = segment_numbers(root.object_ids())
            assessed = assess_segments(self._segments(root, numbers, progress), anchors=anchors)
        except ArchiveError as error:
            result.findings.append(AuditEntry(name, "", code_of(error), str(error)))
            return None
        result.checked["stores"] += 1
        result.checked["segments"] += len(numbers)
        result.checked["events"] += assessed.events
        result.checked["anchors"] += assessed.anchors
        result.findings += [AuditEntry(name, one.where, one.code, one.message) for one in assessed.findings]
        return _Judged(root, numbers, assessed)

    @staticmethod
    def _segments(
        root: StorageRoot, numbers: Sequence[int], progress: Progress
    ) -> Iterator[tuple[int, Segment | None]]:
        for done, number in enumerate(numbers):
            progress("trail", done, len(numbers))
            yield number, read_segment_if_good(root, number)

    @staticmethod
    def _compare_sizes(judged: Sequence[_Judged | None], longest: int, result: AuditResult) -> None:
        result.findings += [
            AuditEntry(
                one.root.store.name,
                f"event {one.assessed.size}",
                "TRAIL_BEHIND",
                f"{longest} events are in another store",
            )
            for one in judged
            if one and one.assessed.size < longest
        ]

    # -- rows ---------------------------------------------------------------------------------

    def _compare_rows(self, sound: _Judged, result: AuditResult, progress: Progress) -> None:
        end = 0
        for done, number in enumerate(sound.numbers):
            progress("rows", done, len(sound.numbers))
            segment = read_segment_files(sound.root, number)
            lines, header = split_lines(segment.events), SegmentHeader.parse(segment.header)
            rows = self._rows(header.first, header.size)
            result.checked["rows"] += len(rows)
            self._tell(compare_rows(rows, lines, header.first), result)
            end = header.size
        self._tell(self._beyond(end), result)

    def _rows(self, first: int, end: int) -> list[EventRow]:
        """The readable rows with these numbers."""
        rows: list[EventRow] = []
        for start in range(first, end, _PAGE):
            count = min(_PAGE, end - start)
            try:
                found = self._catalogue.events(start - 1, count)
            except ValueError:  # a row that no type fits: the others are read one by one
                found = [row for seq in range(start, start + count) if (row := self._row(seq)) is not None]
            rows += [row for row in found if row.seq is not None and start <= row.seq < end]
        return rows

    def _row(self, seq: int) -> EventRow | None:
        try:
            return self._catalogue.event_by_seq(seq)
        except (ValueError, NotFoundError):
            return None

    def _beyond(self, end: int) -> Iterator[Finding]:
        """Rows with numbers that were never given."""
        after = end - 1
        while rows := self._catalogue.events(after, _PAGE):
            for row in rows:
                yield Finding("ROW_ADDED", f"the trail ends before event {row.seq}", f"event {row.seq}")
            after = rows[-1].seq or after + len(rows)

    @staticmethod
    def _tell(findings: Iterator[Finding], result: AuditResult) -> None:
        result.findings += [AuditEntry(CATALOGUE, one.where, one.code, one.message) for one in findings]
