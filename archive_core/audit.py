"""Use case: every byte of every copy, and all evidence, read and judged again.

The rules an audit follows
 * What is sound in every way is found out by reading it once (`audit_plain`); all that follows is about the rest,
   and about what the catalogue does not know.
 * Each store is judged by itself: OCFL rules, digests of all files, and that it holds exactly what the
   catalogue of commit A says, no version less and no byte other.
 * Evidence of every version is verified anew; the trail of every store is compared with the heads that
   the batches sealed.
 * A finding names store, path and code. What a crash left is no finding: it is adopted or cleared, and
   noted. Damage is never mended here, only named.
 * An audit that looked at nothing is a finding (`NOTHING_CHECKED`).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from archive_core.assessment import Assessment
from archive_core.audit_comparing import (
    code_of,
    compare_object,
    compare_system_object,
    entry_of,
    is_ours,
    versions_of,
    without_debts,
)
from archive_core.audit_destroyed import DestroyedObjects
from archive_core.audit_plain import PassedPaths, first_pass
from archive_core.audit_result import AuditEntry, AuditResult
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.errors import ArchiveError, DamageError, EvidencePendingError, UnavailableError, UnknownObjectError
from archive_core.findings import Verdict
from archive_core.identifiers import (
    BATCH,
    RENEWAL,
    TRAIL,
    TRAIL_DETAIL,
    is_poid,
    number_of,
    object_name,
    system_object,
    tombstoned_poid,
)
from archive_core.mass import MassProof
from archive_core.ocfl import leftovers
from archive_core.ocfl.check import assess_object
from archive_core.ocfl.check_root import assess_root
from archive_core.ocfl.own_form import assess_sidecars
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.proofs import Proofs
from archive_core.publishing import Published
from archive_core.recovery import GRACE, Recovery
from archive_core.replication import Copies
from archive_core.sequencer import read_segment_if_good, segment_numbers
from archive_core.system_objects import expected_objects
from archive_core.trail.assessing import assess_segments

Progress = Callable[[str, int, int | None], None]

ROOT = "."
"""The path of a finding that is about a store as a whole."""

_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Examined:
    """What an audit says, and what whoever mends it needs: the POIDs whose evidence was not proven while all copies
    were read, and those of the findings that are about the trail and about evidence."""

    result: AuditResult
    unproven: frozenset[str] = frozenset()
    trail: list[AuditEntry] = field(default_factory=list)
    evidence: list[AuditEntry] = field(default_factory=list)


class Audit:
    """Judges all stores against themselves, the catalogue and the evidence."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        copies: Copies,
        recovery: Recovery,
        assessment: Assessment,
        proofs: Proofs,
        published: Published,
        mass: MassProof,
        destroyed: DestroyedObjects,
    ) -> None:
        self._destroyed = destroyed
        self._catalogue = catalogue
        self._copies = copies
        self._recovery = recovery
        self._assessment = assessment
        self._proofs = proofs
        self._published = published
        self._mass = mass

    def run(self, *, at: datetime, progress: Progress) -> AuditResult:
        """Audit everything; raises only when the catalogue cannot be read."""
        return self.examine(at=at, progress=progress).result

    def examine(self, *, at: datetime, progress: Progress) -> Examined:
        """As `run`, with what a repair goes on from."""
        result = AuditResult()
        self._proofs.forget()
        with contextlib.suppress(UnavailableError):  # claims wait for a store that is away; it is a finding below
            settled = self._destroyed.settle()
            settled += self._recovery.settle_claims(at=at)
            result.notes += [AuditEntry("", "", "CLAIM_SETTLED", told) for told in settled]
        first = first_pass(self._catalogue, self._mass, self._copies.roots, result, at=at, progress=progress)
        answering = []
        for root in self._copies.roots:
            passed = first.stores[root.store.name].passed
            try:
                self._leftovers(root, passed, result, at)
                self._bytes(root, passed, result, at, progress)
                self._strangers(root, passed, result, at)
                answering.append(root)
            except ArchiveError as error:
                result.findings.append(AuditEntry(root.store.name, ROOT, code_of(error), str(error)))
        for root in answering:
            try:
                self._compare(root, first.stores[root.store.name].others, result, progress)
            except ArchiveError as error:
                result.findings.append(AuditEntry(root.store.name, ROOT, code_of(error), str(error)))
        examined = Examined(result, frozenset(first.unproven))
        examined.trail = self.judge_trail(
            answering, result, {root.store.name: first.stores[root.store.name].passed for root in answering}
        )
        before = len(result.findings)
        self._evidence(first.unproven, result, at, progress)
        examined.evidence = result.findings[before:]
        if not result.checked["objects"]:
            everywhere = ", ".join(self._copies.names)
            result.findings.append(AuditEntry(everywhere, ROOT, "NOTHING_CHECKED", "no store held anything to look at"))
        return examined

    def judge_trail(
        self, roots: Sequence[StorageRoot], result: AuditResult, passed: Mapping[str, PassedPaths]
    ) -> list[AuditEntry]:
        """The trail of these stores; its findings, which go into the result as well. `passed` are paths, by store,
        at which no segment lies."""
        before = len(result.findings)
        for root in roots:
            try:
                self._trail(root, passed.get(root.store.name, PassedPaths()), result)
            except ArchiveError as error:
                result.findings.append(AuditEntry(root.store.name, ROOT, code_of(error), str(error)))
        return result.findings[before:]

    def judge_evidence(self, poids: Sequence[str], result: AuditResult, *, at: datetime, progress: Progress) -> None:
        """The evidence of all versions of these objects; findings and counts go into the result."""
        self._proofs.forget()
        self._evidence(poids, result, at, progress)

    # -- crash leftovers ----------------------------------------------------------------------

    def _leftovers(self, root: StorageRoot, passed: PassedPaths, result: AuditResult, at: datetime) -> None:
        name = root.store.name
        result.notes += [
            AuditEntry(name, path, "STAGING_CLEARED", "an interrupted write had left this beside the root")
            for path in root.store.clear_leftovers()
        ]
        # Also one that came since: an audit takes long, and its writer may have made a directory a moment ago.
        if not self._catalogue.open_claims(_EVER, 1) and (empty := leftovers.empty_directories(root, passed)):
            root.store.remove(empty)
            result.notes += [AuditEntry(name, path, "DIRECTORY_CLEARED", "an empty one") for path in empty]
        for path in list(root.object_paths(passed=passed)):
            object_id = root.layout.object_id(path)
            if object_id is not None and not self._in_progress(object_id, at):
                with contextlib.suppress(DamageError):  # the OCFL check that follows names it
                    self._settle(root, object_id, path, result)

    def _settle(self, root: StorageRoot, object_id: str, path: str, result: AuditResult) -> None:
        """Finish or clear what lies beyond the last acknowledged version. What is wrong with an
        acknowledged one is damage, though it may look like a crash, and is left for the checks."""

        def note(code: str, message: str) -> None:
            result.notes.append(AuditEntry(root.store.name, path, code, message))

        acknowledged = self._acknowledged(object_id)
        inventory = root.read_inventory(object_id)
        head = inventory.head_number if inventory else 0
        if head < acknowledged:
            return
        if head > acknowledged and root.mend(object_id):
            note("SIDECAR_MENDED", "an interrupted head was completed")
        if not leftovers.unfinished(root, object_id):
            return
        if leftovers.adopt(root, object_id) is not None:
            note("VERSION_ADOPTED", "a whole version that lacked its head")
        elif cleared := leftovers.clear_unfinished(root, object_id):
            note("VERSION_CLEARED", f"{len(cleared)} files of an interrupted version, acknowledged to nobody")

    def _acknowledged(self, object_id: str) -> int:
        """The highest version of an object that somebody was told is kept."""
        name = object_name(object_id)
        if is_poid(name):
            return max((row.version for row in self._versions(name)), default=0)
        if (number := number_of(object_id, BATCH)) is not None:
            found = [row for row in self._catalogue.batches() if row.number == number]
            # A batch gets a version per stamping; once it is evidenced all of them count.
            return sys.maxsize if found and found[0].evidenced_at else len(found)
        if (number := number_of(object_id, RENEWAL)) is not None:
            row = next((row for row in self._catalogue.renewals() if row.number == number), None)
            ended = row is not None and (row.gen_time is not None or row.abandoned is not None)
            return sys.maxsize if ended else int(row is not None)
        for kind in (TRAIL, TRAIL_DETAIL):
            if (number := number_of(object_id, kind)) is not None:
                last = self._catalogue.last_segment()
                return int(last is not None and number <= last.number)
        return 1

    def _in_progress(self, object_id: str, at: datetime) -> bool:
        """Whether a deposit of this object may still be going on."""
        try:
            poid = object_name(object_id)
        except ValueError:
            return True  # not ours to touch
        if not is_poid(poid):
            return False
        try:
            following = self._catalogue.version(poid).version + 1
        except UnknownObjectError:
            following = 1
        claim = self._catalogue.open_claim(poid, following)
        return claim is not None and claim.claimed_at > at - GRACE

    def _under_way(self, root: StorageRoot, path: str, at: datetime) -> bool:
        """Whether the object at a path may be being written while it is looked at."""
        object_id = root.layout.object_id(path)
        try:
            poid = object_id is not None and is_poid(object_name(object_id))
        except ValueError:
            return False
        if object_id is None or poid:
            return object_id is not None and self._in_progress(object_id, at)
        # A batch or renewal is stamped after it was entered; a segment is entered after it was written.
        known = self._acknowledged(object_id)
        stamped = any(number_of(object_id, kind) is not None for kind in (BATCH, RENEWAL))
        return known == 0 or (stamped and known != sys.maxsize)

    # -- bytes --------------------------------------------------------------------------------

    def _bytes(
        self, root: StorageRoot, passed: PassedPaths, result: AuditResult, at: datetime, progress: Progress
    ) -> None:
        seen = 0

        def told(_: object) -> None:
            nonlocal seen
            seen += 1
            progress(f"reading {root.store.name}", seen, None)

        examined = assess_root(
            root.store,
            progress=told,
            under_way=lambda path: self._under_way(root, path, at),
            passed=passed,
            layout=root.layout,
        )
        found = [*root.assess_root_files(), *examined.findings]
        found += [
            finding
            for path in root.object_paths(passed=passed)
            if not self._under_way(root, path, at)
            for finding in assess_sidecars(root, path)
        ]
        self._enter_by_object(root, [entry_of(root.store.name, finding) for finding in found], result)
        result.checked["stores"] += 1
        result.checked["objects"] += examined.objects
        result.checked["files"] += examined.files
        result.checked["bytes"] += examined.size

    def _strangers(self, root: StorageRoot, passed: PassedPaths, result: AuditResult, at: datetime) -> None:
        """Objects that the catalogue does not know: a deposit that lost its process is adopted."""
        for object_id in list(root.object_ids(passed)):
            path = root.object_path(object_id)
            try:
                name = object_name(object_id)
            except ValueError:
                result.findings.append(
                    AuditEntry(root.store.name, path, "FOREIGN_OBJECT", f"{object_id[:80]!a} is not of ours")
                )
                continue
            if (poid := tombstoned_poid(object_id)) is not None:
                self._destroyed.tombstone(root, poid, result)
                continue
            if not is_poid(name) or self._in_progress(object_id, at):
                continue
            if self._destroyed.risen(root, name, result, at):
                continue
            try:
                inventory = root.read_inventory(object_id)
                known = {row.version for row in self._versions(name)}
                if inventory is None or set(range(1, inventory.head_number + 1)) <= known:
                    continue
                adopted = self._recovery.adopt(name, object_id)
                message = (
                    f"{name}: stored, but not in the catalogue; copied to {', '.join(adopted.copied_to) or 'none'}"
                )
                result.notes.append(AuditEntry(root.store.name, path, "OBJECT_ADOPTED", message))
            except ArchiveError as error:
                result.findings.append(AuditEntry(root.store.name, path, code_of(error), str(error)))

    def _versions(self, poid: str) -> list[VersionRow]:
        try:
            return self._catalogue.versions(poid)
        except UnknownObjectError:
            return []

    # -- catalogue against store --------------------------------------------------------------

    def _compare(self, root: StorageRoot, poids: Sequence[str], result: AuditResult, progress: Progress) -> None:
        for done, poid in enumerate(poids):
            progress(f"comparing {root.store.name}", done, len(poids))
            versions = versions_of(self._catalogue, poid)
            again = partial(self._compare_again, root, poid)
            self._enter(root, versions[0].object_id, compare_object(root, versions), again, result)
        for expected in expected_objects(self._catalogue, self._published):
            compare = partial(compare_system_object, root, expected)
            self._enter(root, expected.object_id, compare(), compare, result)

    def _compare_again(self, root: StorageRoot, poid: str) -> list[AuditEntry]:
        return compare_object(root, versions_of(self._catalogue, poid))

    def _enter_by_object(self, root: StorageRoot, entries: Sequence[AuditEntry], result: AuditResult) -> None:
        """Findings of the OCFL check; what a store owes is not whole there, and that is known."""
        depth = root.layout.number_of_tuples + 1
        by_object: dict[str | None, list[AuditEntry]] = {}
        for entry in entries:
            object_id = root.layout.object_id("/".join(entry.path.split("/")[:depth]))
            by_object.setdefault(object_id if is_ours(object_id) else None, []).append(entry)
        for object_id, found in by_object.items():
            if object_id is None:
                self._enter_rest(root, found, result)
            else:
                self._enter(root, object_id, found, partial(self._examine_again, root, object_id), result)

    def _enter_rest(self, root: StorageRoot, entries: Sequence[AuditEntry], result: AuditResult) -> None:
        """What is about no object. A directory in which nothing lies yet, or any more, tells of a write and of no loss:
        it is cleared when nobody deposits."""
        empty = {one.path for one in entries if one.code == "E073" and leftovers.is_empty_directory(root, one.path)}
        for entry in entries:
            if entry.path in empty:
                result.notes.append(replace(entry, code="DIRECTORY_EMPTY"))
            else:
                result.findings.append(entry)

    def _examine_again(self, root: StorageRoot, object_id: str) -> list[AuditEntry]:
        path = root.object_path(object_id)
        found = [*assess_object(root.store, path), *assess_sidecars(root, path)] if root.store.children(path) else []
        return [entry_of(root.store.name, finding) for finding in found]

    def _enter(
        self,
        root: StorageRoot,
        object_id: str,
        entries: Sequence[AuditEntry],
        again: Callable[[], Sequence[AuditEntry]],
        result: AuditResult,
    ) -> None:
        torn = partial(root.is_torn, object_id)
        findings, notes = without_debts(self._catalogue, object_id, entries, again, torn, self._copies.leaving)
        result.findings += findings
        result.notes += notes

    # -- trail and evidence -------------------------------------------------------------------

    def _trail(self, root: StorageRoot, passed: PassedPaths, result: AuditResult) -> None:
        numbers = segment_numbers(root.object_ids(passed))
        anchors = {}
        for row in self._catalogue.batches():
            try:
                statement = self._proofs.batch(row.number).formed.statement
            except ArchiveError:
                continue  # a batch without stamps yet, or one that the evidence step names
            anchors[statement.trail_size] = statement.trail_head
        assessed = assess_segments(
            ((number, read_segment_if_good(root, number)) for number in numbers), anchors=anchors
        )
        result.checked["events"] += assessed.events
        lacking = self._lacking(root, numbers)
        for finding in assessed.findings:
            entry = AuditEntry(root.store.name, finding.where or ROOT, finding.code, finding.message)
            if code := lacking.get(entry.path if entry.code == "TRAIL_SEGMENT_MISSING" else entry.code):
                result.notes.append(replace(entry, code=code))
            else:
                result.findings.append(entry)

    def _lacking(self, root: StorageRoot, numbers: Sequence[int]) -> dict[str, str]:
        """Why a store need not hold segments: by `segment n`, and by `TRAIL_TRUNCATED` where that is so of all that are
        missing at the end."""
        last = self._catalogue.last_segment()
        absent = set(range(1, last.number + 1 if last else 1)) - set(numbers)
        if root.store.name in self._copies.leaving:
            known = dict.fromkeys(absent, "STORE_LEAVING")
        else:
            owed = self._catalogue.owing_copies([system_object(TRAIL, number) for number in sorted(absent)])
            known = {n: "COPY_OWED" for n in absent if (root.store.name, system_object(TRAIL, n)) in owed}
        told = {f"segment {number}": code for number, code in known.items()}
        end = {number for number in absent if number > max(numbers, default=0)}
        if end and end <= known.keys():
            told["TRAIL_TRUNCATED"] = known[min(end)]
        return told

    def _evidence(self, poids: Sequence[str], result: AuditResult, at: datetime, progress: Progress) -> None:
        everywhere = ", ".join(self._copies.names)  # evidence fails only when no copy is good
        for done, poid in enumerate(poids):
            for row in self._catalogue.versions(poid):
                progress("verifying evidence", done, len(poids))
                where = f"{row.poid} v{row.version}"
                try:
                    report = self._assessment.assess(row, at=at)
                except EvidencePendingError:
                    continue
                except ArchiveError as error:
                    result.findings.append(AuditEntry(everywhere, where, code_of(error), str(error)))
                    continue
                result.checked["versions"] += 1
                if report.verdict is not Verdict.PASSED:
                    worst = next(step for step in report.steps if step.verdict is report.verdict)
                    code = str(report.sub_indication or report.verdict)
                    result.findings.append(AuditEntry(everywhere, where, code, f"{worst.name}: {worst.message}"))
        progress("verifying evidence", result.checked["versions"], result.checked["versions"])
