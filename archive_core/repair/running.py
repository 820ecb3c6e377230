"""Use case: everything that an audit names is put right from copies that the evidence proves.

The rules a repair follows
 * What checks of fixity have named already is put right at once. Then every byte is read (`audit`), which takes long
   and may be interrupted, and what that names is put right; nothing else is touched. With POIDs, all copies of these
   are compared instead, and nothing else is looked at.
 * System objects first: without batches and renewals no evidence can be asked. Then objects, from whatever is good in
   any copy; then what belongs to no object is set aside.
 * What was put right is compared once more, evidence and trail are judged again: what is still wrong is a finding.
 * Damage is an event before anything is changed, each repair one when it is done.
 * What was destroyed stays destroyed: an object with a tombstone is nobody's to bring back.
 * One repair at a time. Interrupted, it is simply begun again: what was put right stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from archive_core.audit import Audit, Examined
from archive_core.audit_comparing import code_of
from archive_core.audit_result import AuditEntry, AuditResult
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import EventRow, VersionRow
from archive_core.destruction.reading import is_tombstoned
from archive_core.errors import ArchiveError, DamageError, UnavailableError
from archive_core.holding import Holder
from archive_core.identifiers import BATCH, RENEWAL, is_poid, number_of, object_name
from archive_core.lifecycle import Actor
from archive_core.ocfl.layout import HashAndIdLayout
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ocfl.vocabulary import shown
from archive_core.packaging import DESCRIPTION
from archive_core.ports import EntryKind, Remakes
from archive_core.publishing import Published
from archive_core.repair.gathering import Gathering, NoGoodCopyError
from archive_core.repair.looking import Differences, compare, is_only_short
from archive_core.repair.mending import Mended, Refilling, SetAside, Unmended, mend
from archive_core.repair.places import layout_of, mend_root, strays
from archive_core.repair.proving import COMMIT, EVIDENCE, Proving
from archive_core.repair.result import NO_GOOD_COPY, RepairResult, repair_event
from archive_core.repair.wanted import Wanted, find_description, wanted_object, wanted_system_object
from archive_core.replication import Copies
from archive_core.sequencer import Sequencer
from archive_core.system_objects import expected_objects

Progress = Callable[[str, int, int | None], None]
Events = Callable[[AuditResult], Sequence[EventRow]]
"""The events of damage that an audit found."""

LEASE = "repair"
INVENTORY_RESTS = "inventory"
"""What the repair of a system object rests on: its confirmed inventory and the digests that were entered."""


@dataclass(slots=True)
class _Run:
    """One repair: what it has done so far. `handled` are object paths, by store, of which everything was told."""

    result: RepairResult
    at: datetime
    actor: Actor
    dry_run: bool
    roots: list[StorageRoot]
    counting: bool = False
    """Whether what is compared is what was asked for, and no audit counts it."""
    handled: set[tuple[str, str]] = field(default_factory=set)
    aside: dict[str, set[str]] = field(default_factory=dict)
    mended: list[Mended] = field(default_factory=list)
    unmended: list[Unmended] = field(default_factory=list)

    def tell(self, told: Mended | Unmended) -> None:
        if isinstance(told, Mended):
            self.mended.append(told)
        else:
            self.unmended.append(told)


class Repair:
    """Puts right what is wrong in any store."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        copies: Copies,
        audit: Audit,
        proving: Proving,
        published: Published,
        sequencer: Sequencer,
        holder: Holder,
        aside: Path,
        known: Callable[[], Sequence[AuditEntry]] = tuple,
    ) -> None:
        """What belongs nowhere is set `aside`; `known` tells what others have found damaged, if it still is."""
        self._catalogue = catalogue
        self._copies = copies
        self._audit = audit
        self._proving = proving
        self._published = published
        self._sequencer = sequencer
        self._holder = holder
        self._aside = SetAside(aside)
        self._known = known

    def run(
        self,
        poids: Sequence[str] = (),
        *,
        dry_run: bool,
        at: datetime,
        actor: Actor,
        damage: Events,
        progress: Progress,
    ) -> RepairResult:
        """Repair these objects, or whatever is damaged. Raises `UnknownObjectError` for a POID that is none,
        `LeaseHeldError` while another repair runs, and when the catalogue cannot be read."""
        if not dry_run:
            self._copies.guard()
        run = _Run(RepairResult(dry_run), at, actor, dry_run, list(self._copies.roots))
        with self._holder.hold(LEASE):
            if poids:
                self._named(run, poids, progress)
            else:
                self._everything(run, damage, progress)
        return run.result

    # -- some objects -------------------------------------------------------------------------

    def _named(self, run: _Run, poids: Sequence[str], progress: Progress) -> None:
        run.counting = True
        run.result.checked = {"objects": 0, "files": 0, "bytes": 0}
        asked = [self._catalogue.versions(poid) for poid in dict.fromkeys(poids)]
        run.roots = [root for root in run.roots if self._answers(run, root)]
        for done, rows in enumerate(asked):
            progress("repairing", done, len(asked))
            self._object(run, rows, proven=False)
        progress("repairing", len(asked), len(asked))
        if not run.result.checked["objects"]:
            names = ", ".join(self._copies.names)
            run.result.findings.append(AuditEntry(names, ".", "NOTHING_CHECKED", "no store had anything to look at"))

    def _answers(self, run: _Run, root: StorageRoot) -> bool:
        try:
            root.require_declaration()
            _ = root.layout
        except ArchiveError as error:
            run.result.findings.append(AuditEntry(root.store.name, ".", code_of(error), str(error)))
            return False
        return True

    # -- everything ---------------------------------------------------------------------------

    def _everything(self, run: _Run, damage: Events, progress: Progress) -> None:
        layout = layout_of(run.roots)
        for root in list(run.roots):
            try:
                self._holder.renew()
                if not mend_root(root, layout, run.tell, dry_run=run.dry_run):
                    run.roots.remove(root)
            except UnavailableError:
                run.roots.remove(root)  # the audit says so
        unusable = {root.store.name for root in self._copies.roots} - {root.store.name for root in run.roots}
        roots_told = bool(run.mended)
        self._settle(run, "storage root", None, INVENTORY_RESTS)
        hopeless: AbstractSet[str] = frozenset()
        if run.dry_run:
            self._would_refill(run, layout, unusable)
        else:
            hopeless = self._what_is_known(run, progress)
        examined = self._audit.examine(at=run.at, progress=self._beating(progress))
        run.result.notes += examined.result.notes
        run.result.checked = dict(examined.result.checked)
        if not run.dry_run:
            self._sequencer.record_all(damage(examined.result))
        damaged = self._damaged(run, examined.result.findings) - hopeless
        self._system_objects(run, damaged, progress)
        poids = self._poids({*map(object_name, damaged), *_of_evidence(examined)} - {*map(object_name, hopeless)})
        self._refill(run, poids, examined.unproven, progress)
        self._strangers(run)
        self._remaining(run, examined, poids, unusable if run.dry_run and roots_told else set(), progress)

    def _what_is_known(self, run: _Run, progress: Progress) -> AbstractSet[str]:
        """Put right what was found damaged before; returns the ids of the objects of which that was told to fail."""
        damaged = self._damaged(run, self._known())
        before = len(run.result.findings)
        self._system_objects(run, damaged, progress)
        poids = self._poids(map(object_name, damaged))
        self._refill(run, poids, frozenset(poids), progress)
        return self._damaged(run, run.result.findings[before:])

    def _would_refill(self, run: _Run, layout: HashAndIdLayout, stores: set[str]) -> None:
        """Everything that would be written to stores of which nothing is left."""
        for root in self._copies.roots:
            if root.store.name not in stores or not _is_empty(root):
                continue
            for expected in expected_objects(self._catalogue, self._published):
                path = layout.object_path(expected.object_id)
                run.result.repaired.append((_would(root, path), INVENTORY_RESTS))
            after = None
            while page := self._catalogue.objects(after, 500, living=True):
                run.result.repaired += [
                    (_would(root, layout.object_path(row.storage_object)), EVIDENCE) for row in page
                ]
                after = page[-1].poid

    def _beating(self, progress: Progress) -> Progress:
        """Progress that keeps the lease."""

        def told(what: str, done: int, total: int | None) -> None:
            if done % 500 == 0:
                self._holder.renew()
            progress(what, done, total)

        return told

    def _damaged(self, run: _Run, findings: Iterable[AuditEntry]) -> set[str]:
        """The ids of objects of ours about which there are findings."""
        findings = list(findings)
        found: set[str] = set()
        for root in run.roots:
            depth = root.layout.number_of_tuples + 1
            paths = {"/".join(entry.path.split("/")[:depth]) for entry in findings if entry.store == root.store.name}
            ids = (root.layout.object_id(path) for path in paths)
            found |= {object_id for object_id in ids if object_id is not None and _is_named(object_id)}
        return found

    def _poids(self, names: Iterable[str]) -> list[str]:
        """Those names that are of objects in the catalogue, sorted."""
        return sorted(self._catalogue.known_objects(name for name in names if is_poid(name)))

    def _system_objects(self, run: _Run, damaged: set[str], progress: Progress) -> None:
        expected = {one.object_id: dict(one.files) for one in expected_objects(self._catalogue, self._published)}
        listed = sorted(
            (object_id for object_id in damaged if not is_poid(object_name(object_id))),
            key=lambda one: (number_of(one, BATCH) is None, number_of(one, RENEWAL) is None, one),
        )
        for done, object_id in enumerate(listed):
            progress("repairing", done, len(listed))
            try:
                wanted = wanted_system_object(run.roots, object_id, expected.get(object_id, {}))
            except DamageError as error:
                self._hopeless(run, object_id, None, str(error))
                continue
            self._mend_all(run, wanted, None, lambda gathering: INVENTORY_RESTS, {})
            for root in run.roots:
                self._judge_again(run, root, object_id)

    def _judge_again(self, run: _Run, root: StorageRoot, object_id: str) -> None:
        if run.dry_run:
            return
        try:
            self._proving.verify_system_object(root, object_id)
        except ArchiveError as error:
            told = AuditEntry(root.store.name, root.object_path(object_id), code_of(error), str(error))
            if told not in run.result.findings:
                run.result.findings.append(told)

    def _refill(self, run: _Run, poids: Sequence[str], unproven: frozenset[str], progress: Progress) -> None:
        refilling = {
            root.store.name: Refilling(root, run.tell, self._holder.renew) for root in run.roots if not run.dry_run
        }
        for done, poid in enumerate(poids):
            progress("repairing", done, len(poids))
            self._object(run, self._catalogue.versions(poid), proven=poid not in unproven, refilling=refilling)
        for refill in refilling.values():
            refill.flush()
            self._settle_refilled(run)
        progress("repairing", len(poids), len(poids))

    # -- one object ---------------------------------------------------------------------------

    def _object(
        self,
        run: _Run,
        rows: Sequence[VersionRow],
        *,
        proven: bool,
        refilling: dict[str, Refilling] | None = None,
    ) -> None:
        """Put right an object of which `rows` are all versions; `proven` when this run has judged its evidence."""
        poid, object_id = rows[0].poid, rows[0].storage_object
        if rows[0].destroyed or is_tombstoned(run.roots, poid):
            run.result.notes.append(AuditEntry("", poid, "DESTROYED", "it was destroyed, and nothing brings it back"))
            return
        if self._catalogue.open_claim(poid, rows[-1].version + 1) is not None:
            run.result.notes.append(
                AuditEntry("", poid, "UPDATE_UNDER_WAY", "it is being updated; repair it afterwards")
            )
            return
        described = [(row, find_description(run.roots, row)) for row in rows]
        if all(found is not None for _, found in described):
            wanted = wanted_object(run.roots, object_id, [(row, *found) for row, found in described if found])

            def rests_on(gathering: Gathering) -> str:
                return EVIDENCE if proven else self._rests_on(run, wanted, gathering)

        else:
            try:
                expected = {file.path: file.stored_digest for file in self._catalogue.files(poid, rows[-1].version)}
                expected[DESCRIPTION] = rows[-1].description_digest
                wanted = wanted_system_object(run.roots, object_id, expected)
            except DamageError as error:
                self._hopeless(
                    run,
                    object_id,
                    poid,
                    f"{error}; {sum(found is None for _, found in described)} descriptions are lost",
                )
                return

            def rests_on(gathering: Gathering) -> str:
                return COMMIT

        self._mend_all(run, wanted, poid, rests_on, refilling or {})

    def _rests_on(self, run: _Run, wanted: Wanted, gathering: Gathering) -> str:
        rests = EVIDENCE
        for version, (row, description, data) in enumerate(wanted.descriptions, 1):

            def contents(path: str, version: int = version) -> Iterator[bytes]:
                yield from gathering.file(wanted.inventory.content_path(version, path)).pieces()

            if self._proving.rests_on(row, description, data, contents, at=run.at) == COMMIT:
                rests = COMMIT
        return rests

    def _mend_all(
        self,
        run: _Run,
        wanted: Wanted,
        poid: str | None,
        rests_on: Callable[[Gathering], str],
        refilling: dict[str, Refilling],
    ) -> None:
        """Compare every copy of an object and put right what differs."""
        different: list[tuple[StorageRoot, Differences]] = []
        for root in run.roots:
            try:
                found = compare(root, wanted)
            except ArchiveError as error:
                run.tell(Unmended(root.store.name, root.object_path(wanted.object_id), code_of(error), str(error)))
                continue
            if poid is not None and run.counting:
                run.result.checked["objects"] += not found.absent
                run.result.checked["files"] += len(wanted.files) - len(found.faults)
                run.result.checked["bytes"] += found.size
            run.handled.add((root.store.name, root.object_path(wanted.object_id)))
            if not found.none and not self._is_owed(run, root, wanted, found):
                different.append((root, found))
        rests = INVENTORY_RESTS
        with TemporaryDirectory(dir=self._copies.scratch) as folder:
            gathering = Gathering(run.roots, wanted, Path(folder))
            try:
                rests = rests_on(gathering) if different else rests
            except UnavailableError:
                raise
            except ArchiveError as error:
                for root, _ in different:
                    path = root.object_path(wanted.object_id)
                    run.tell(Unmended(root.store.name, path, code_of(error), f"not repaired: {error}"))
                different = []
            for root, found in different:
                self._mend_one(run, root, wanted, found, gathering, refilling.get(root.store.name))
        self._settle(run, object_name(wanted.object_id), poid, rests)

    def _is_owed(self, run: _Run, root: StorageRoot, wanted: Wanted, found: Differences) -> bool:
        """Whether a copy is not whole because the store owes the rest, which is paid, or leaves, which is let be."""
        store = root.store.name
        leaving = store in self._copies.leaving
        if not leaving and (store, wanted.object_id) not in self._catalogue.owing_copies([wanted.object_id]):
            return False
        try:
            short = is_only_short(root, wanted, found)
        except DamageError:
            return False
        if short:
            code, told = "COPY_OWED", "the store owes the rest of it: `stores pay`"
            if leaving:
                code, told = "STORE_LEAVING", "the store is being drained and gets nothing new"
            run.result.notes.append(AuditEntry(store, root.object_path(wanted.object_id), code, told))
        return short

    def _mend_one(
        self,
        run: _Run,
        root: StorageRoot,
        wanted: Wanted,
        found: Differences,
        gathering: Gathering,
        refill: Refilling | None,
    ) -> None:
        if run.dry_run:
            self._plan(run, root, wanted, found, gathering)
            return
        if found.absent and refill is not None and refill.add(wanted, gathering):
            return
        try:
            mend(root, wanted, found, gathering, self._aside, run.tell, self._holder.renew)
            left = compare(root, wanted)
        except ArchiveError as error:
            run.tell(Unmended(root.store.name, root.object_path(wanted.object_id), code_of(error), str(error)))
            return
        path = root.object_path(wanted.object_id)
        known = {one.path for one in run.unmended}
        for fault in left.faults:
            if f"{path}/{fault.key}" not in known:
                run.tell(Unmended(root.store.name, f"{path}/{fault.key}", fault.code, "it is wrong again"))

    def _plan(self, run: _Run, root: StorageRoot, wanted: Wanted, found: Differences, gathering: Gathering) -> None:
        """What `mend` would do, tried as far as reading goes."""
        path, store = root.object_path(wanted.object_id), root.store.name
        for entry in found.extras:
            run.tell(Mended(store, entry.key, "FILE_EXTRA", None, None))
        for fault in found.faults:
            try:
                good = gathering.file(fault.key)
                run.tell(Mended(store, f"{path}/{fault.key}", fault.code, fault.before, good.digest, good.stores))
            except NoGoodCopyError as error:
                run.tell(Unmended(store, f"{path}/{fault.key}", NO_GOOD_COPY, str(error), error.lost))
            except UnavailableError as error:
                run.tell(Unmended(store, f"{path}/{fault.key}", "COPY_AWAY", str(error)))

    def _hopeless(self, run: _Run, object_id: str, poid: str | None, why: str) -> None:
        """No copy says any more what the object was."""
        size = 0
        for root in run.roots:
            path = root.object_path(object_id)
            run.handled.add((root.store.name, path))
            run.tell(Unmended(root.store.name, path, NO_GOOD_COPY, why))
            size = max(size, sum(entry.size for entry in root.store.list(path)))
        run.result.lost_files[f"{object_name(object_id)} ."] = size
        self._settle(run, object_name(object_id), poid, INVENTORY_RESTS)

    # -- what came of it ----------------------------------------------------------------------

    def _settle(self, run: _Run, name: str, poid: str | None, rests: str) -> None:
        """Put what was told since the last time into the result, and into the journal."""
        mended, unmended = run.mended, run.unmended
        waiting = [one for one in mended if one.code == "OBJECT_MISSING"]
        mended = [one for one in mended if one not in waiting]
        run.mended, run.unmended = [], []
        run.result.repaired += [(one, rests) for one in mended]
        for one in unmended:
            run.result.findings.append(AuditEntry(one.store, one.path, str(one.code), one.message))
            if one.code == NO_GOOD_COPY:  # its size may be unknown
                key = one.path.partition("/v")[2] if "/v" in one.path else one.path
                run.result.lost_files[f"{name} v{key}"] = one.lost
        rows = []
        for store in sorted({*(one.store for one in mended), *(one.store for one in unmended)}):
            rows.append(
                repair_event(
                    store,
                    name,
                    poid,
                    [one for one in mended if one.store == store],
                    [one for one in unmended if one.store == store],
                    rests,
                    at=run.at,
                    actor=run.actor,
                )
            )
        if rows and not run.dry_run:
            self._sequencer.record_all(rows)
        self._enter_refilled(run, waiting)

    def _settle_refilled(self, run: _Run) -> None:
        mended, unmended = run.mended, run.unmended
        run.mended, run.unmended = [], []
        run.result.findings += [AuditEntry(one.store, one.path, str(one.code), one.message) for one in unmended]
        self._enter_refilled(run, mended)

    def _enter_refilled(self, run: _Run, whole: Iterable[Mended]) -> None:
        """Objects that were missing altogether and are there again: their evidence was asked one by one."""
        roots = {root.store.name: root for root in run.roots}
        rows = []
        for one in whole:
            object_id = roots[one.store].layout.object_id(one.path)
            name = object_name(object_id) if object_id else one.path
            poid = name if is_poid(name) else None
            rests = EVIDENCE if poid else INVENTORY_RESTS
            run.result.repaired.append((one, rests))
            rows.append(repair_event(one.store, name, poid, [one], [], rests, at=run.at, actor=run.actor))
        if rows:
            self._sequencer.record_all(rows)

    def _strangers(self, run: _Run) -> None:
        for root in run.roots:
            # An empty directory is what a write has just made, or has left: the audit clears those that are left.
            entries = [entry for entry in strays(root) if entry.kind is not EntryKind.EMPTY_DIRECTORY]
            run.aside[root.store.name] = {shown(entry.key) for entry in entries}
            if not entries:
                continue
            if run.dry_run:
                for entry in entries:
                    run.tell(Mended(root.store.name, entry.key, "STRAY", None, None))
            else:
                self._holder.renew()
                self._aside.take(root, entries, run.tell)
            self._settle(run, "strays", None, "nothing")

    def _remaining(
        self, run: _Run, examined: Examined, poids: Sequence[str], unusable: set[str], progress: Progress
    ) -> None:
        """What the audit found and was not put right, and what trail and evidence say now."""
        own = {*map(id, examined.trail), *map(id, examined.evidence)}
        depths = {root.store.name: root.layout.number_of_tuples + 1 for root in run.roots}
        for entry in examined.result.findings:
            if id(entry) in own or entry.store in unusable:
                continue
            path = "/".join(entry.path.split("/")[: depths.get(entry.store, 1)])
            if (entry.store, path) not in run.handled and not self._was_stray(run, entry):
                run.result.findings.append(entry)
        if run.dry_run:  # what evidence and trail will say then, nobody knows before
            would = {poid for poid in poids if any(poid in mended.path for mended, _ in run.result.repaired)}
            run.result.findings += [] if run.result.repaired else examined.trail
            run.result.findings += [one for one in examined.evidence if one.path.partition(" ")[0] not in would]
            return
        again = AuditResult()
        if examined.trail:
            self._audit.judge_trail(run.roots, again, {})
        judged = [poid for poid in poids if poid in examined.unproven]
        judged += sorted(_of_evidence(examined))
        self._audit.judge_evidence(list(dict.fromkeys(judged)), again, at=run.at, progress=progress)
        run.result.findings += again.findings

    def _was_stray(self, run: _Run, entry: AuditEntry) -> bool:
        aside = run.aside.get(entry.store, set())
        if entry.path == "." and entry.code.startswith("W"):
            return bool(aside)
        return any(key == entry.path or key.startswith(f"{entry.path}/") for key in aside)


def _of_evidence(examined: Examined) -> set[str]:
    """The POIDs of findings that are about evidence."""
    return {entry.path.partition(" ")[0] for entry in examined.evidence}


def _is_named(object_id: str) -> bool:
    try:
        object_name(object_id)
    except ValueError:
        return False
    return True


def _is_empty(root: StorageRoot) -> bool:
    """Nothing is left of the store, not even the directory."""
    try:
        return not root.store.children()
    except UnavailableError:
        return isinstance(root.store, Remakes)


def _would(root: StorageRoot, path: str) -> Mended:
    return Mended(root.store.name, path, "OBJECT_MISSING", None, None)
