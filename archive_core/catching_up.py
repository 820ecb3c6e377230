"""Use case: an older catalogue catches up with the stores, which are the truth.

Rules kept here
 * Nothing is written to a store. What the stores have and the catalogue lacks is entered, each piece verified as it
   is read; each step may be repeated, so that what was broken off is simply run again.
 * The catalogue's trail must be the beginning of the stores' trail; a catalogue that knows more than the stores, or
   something else, is a finding, and nothing is entered.
 * A tombstone that is authentic wins, whichever store holds it.
 * What the trail tells since then and no store holds otherwise is repeated: keys that were revoked stay revoked,
   stores that left stay away, organisations are as they were. What cannot be repeated is named.
 * Marks agree when the catalogue ends where the stores end: the trail's head, the last batch, the last renewal, and
   every object that was given a name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from archive_core.audit_comparing import code_of
from archive_core.catalogue.base import chunks
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import EventRow
from archive_core.entering import enter_batch, enter_renewal, enter_segment, enter_tombstone
from archive_core.errors import ArchiveError, CatalogueDamagedError, NotFoundError, UnavailableError
from archive_core.findings import Finding
from archive_core.identifiers import storage_object_for
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.organisations import replay
from archive_core.ports import SealValidator, TimestampValidator
from archive_core.progress import Progress
from archive_core.publishing import Published
from archive_core.rebuild import Names, names_in, read_object
from archive_core.replication import Copies
from archive_core.sequencer import read_segment
from archive_core.trail.events import EventType, Outcome
from archive_core.trail.segments import SegmentHeader

_BREAKS_OFF = (UnavailableError, CatalogueDamagedError)
GROUP = 500
_LEFT = {"retired", "new"}
_STORE = "store-"

_NOT_REPEATED = {"key creation", "settings change", "policy assignment"}
"""Acts whose effect is in the catalogue alone, and that cannot be done again from the event."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Where a catalogue or a store ends. `head` is the trail's head after `size` events, hexadecimal."""

    size: int
    head: str
    batch: int
    renewal: int

    def to_json(self) -> dict[str, object]:
        return {"trail": {"size": self.size, "head": self.head}, "batch": self.batch, "renewal": self.renewal}


def marks_of(catalogue: Catalogue) -> Marks:
    """Where a catalogue ends."""
    segment, batch = catalogue.last_segment(), catalogue.last_batch()
    return Marks(
        size=segment.size if segment else 0,
        head=segment.head if segment else "",
        batch=batch.number if batch else 0,
        renewal=max((row.number for row in catalogue.renewals()), default=0),
    )


@dataclass(slots=True)
class CaughtUp:
    """What was entered, counted; where the catalogue and the stores end now; what stands in the way of writing
    again (`findings`) and what is to be known (`notes`)."""

    entered: dict[str, int] = field(default_factory=dict)
    catalogue: Marks | None = None
    stores: dict[str, Marks] = field(default_factory=dict)
    away: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    @property
    def agree(self) -> bool:
        """Whether the archive may be written to again."""
        return self.catalogue is not None and not self.findings and not self.away

    def to_json(self) -> dict[str, object]:
        return {
            "agree": self.agree,
            "entered": self.entered,
            "catalogue": self.catalogue.to_json() if self.catalogue else None,
            "stores": {name: marks.to_json() for name, marks in self.stores.items()},
            "away": self.away,
            "findings": [one.to_json() for one in self.findings],
            "notes": [one.to_json() for one in self.notes],
        }


class CatchingUp:
    """Brings a restored catalogue to where the stores are."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        copies: Copies,
        published: Published,
        validator: TimestampValidator,
        seal_validator: SealValidator,
    ) -> None:
        self._catalogue = catalogue
        self._copies = copies
        self._published = published
        self._validator = validator
        self._seal_validator = seal_validator

    def run(self, *, at: datetime, without: Collection[str] = (), progress: Progress) -> CaughtUp:
        """Enter what is lacking, and say whether the marks agree. `without` names stores that are lost: nothing is
        asked of them. Raises `UnavailableError` when the catalogue or the last store goes away."""
        report = CaughtUp()
        held = self._held(report, without, progress)
        if held and self._begins_as(held, report):
            before = dict.fromkeys(("events", "destroyed", "versions", "batches", "renewals"), 0)
            report.entered = before
            self._enter_trail(held, report, progress)
            self._enter_tombstones(held, report, progress)
            self._enter_objects(held, report, progress)
            self._enter_batches(held, report, at, progress)
            self._enter_renewals(held, report, progress)
            self._compare(held, report)
        report.catalogue = marks_of(self._catalogue)
        return report

    # -- what the stores hold -----------------------------------------------------------------

    def _held(self, report: CaughtUp, without: Collection[str], progress: Progress) -> dict[StorageRoot, Names]:
        states = self._catalogue.store_states()
        held: dict[StorageRoot, Names] = {}
        for root in self._copies.known:
            name = root.store.name
            if name in without or (name in states and states[name][0] in _LEFT):
                report.notes.append(Finding("STORE_LEFT_OUT", "nothing was asked of it", name))
                continue
            progress(f"reading {name}", len(held), len(self._copies.known))
            try:
                root.require_declaration()
                held[root] = names_in(root)
            except ArchiveError as error:
                report.away[name] = str(error)
        return held

    def _begins_as(self, held: dict[StorageRoot, Names], report: CaughtUp) -> bool:
        """Whether what the catalogue knows is the beginning of what the stores know."""
        last = self._catalogue.last_segment()
        if last is None:
            return True
        holders = [root for root, names in held.items() if last.number in names.segments]
        if not holders:
            self._find(
                report,
                "STORES_BEHIND",
                "the catalogue knows more than any store: these are older stores, or others; a catalogue that fits "
                "them is made by `trusted-archive rebuild-catalogue`",
                f"trail segment {last.number}",
            )
            return False
        for root in holders:
            try:
                header, _ = read_segment(root, last.number)
            except _BREAKS_OFF:
                raise
            except ArchiveError as error:
                report.notes.append(Finding(code_of(error), str(error), f"{root.store.name}: segment {last.number}"))
                continue
            if (header.size, header.head.hex()) == (last.size, last.head):
                return True
            self._find(report, "TRAIL_FORKED", "the store holds another trail than the catalogue", f"{root.store.name}")
            return False
        self._find(report, "TRAIL_UNREADABLE", "no store gives the catalogue's last segment", f"segment {last.number}")
        return False

    # -- entering -----------------------------------------------------------------------------

    def _enter_trail(self, held: dict[StorageRoot, Names], report: CaughtUp, progress: Progress) -> None:
        last = self._catalogue.last_segment()
        known = last.number if last else 0
        numbers = sorted({number for names in held.values() for number in names.segments if number > known})
        for done, number in enumerate(numbers):
            progress("trail", done, len(numbers))
            rows: list[EventRow] = []

            def enter(root: StorageRoot, number: int = number, rows: list[EventRow] = rows) -> None:
                rows[:] = enter_segment(self._catalogue, root, number)

            holders = [root for root, names in held.items() if number in names.segments]
            if not self._entered(holders, enter, report, "TRAIL_UNREADABLE", f"trail segment {number}"):
                return  # the log cannot go on behind a gap
            report.entered["events"] += len(rows)
            self._repeat(rows, report)

    def _repeat(self, rows: Sequence[EventRow], report: CaughtUp) -> None:
        """Do again what these events tell and only the catalogue keeps."""
        if any(row.type == EventType.ORGANISATION_CHANGE for row in rows):
            replay(self._catalogue)
        for row in rows:
            if row.outcome != Outcome.SUCCESS or row.subject is None:
                continue
            if row.type == EventType.KEY_REVOCATION:
                try:
                    self._catalogue.revoke_key(row.subject, row.recorded_at)
                except NotFoundError:
                    continue  # made and revoked since the backup
                report.notes.append(Finding("KEY_REVOKED", "it was revoked after the backup", row.subject))
            elif row.type == EventType.STORE_CHANGE and row.subject.startswith(_STORE):
                name = row.subject.removeprefix(_STORE)
                self._catalogue.set_store_state(name, row.code, row.recorded_at)
                report.notes.append(Finding("STORE_CHANGED", f"it became {row.code} after the backup", name))
            elif row.type in _NOT_REPEATED:
                report.notes.append(
                    Finding("NOT_REPEATED", f"{row.type} after the backup: do it again where needed", row.subject)
                )

    def _enter_tombstones(self, held: dict[StorageRoot, Names], report: CaughtUp, progress: Progress) -> None:
        poids = sorted({poid for names in held.values() for poid in names.tombstones})
        known = {row.poid for row in self._catalogue.tombstones()}
        names_of_all = [root.store.name for root in self._copies.known]
        for done, poid in enumerate(poids):
            progress("tombstones", done, len(poids))
            if poid in known:
                continue

            def enter(root: StorageRoot, poid: str = poid) -> None:
                enter_tombstone(
                    self._catalogue,
                    root,
                    poid,
                    names_of_all,  # whichever of them holds something still is to purge it
                    validator=self._validator,
                    seal_validator=self._seal_validator,
                )

            holders = [root for root, names in held.items() if poid in set(names.tombstones)]
            if self._entered(holders, enter, report, "TOMBSTONE_NOT_OBEYED", f"tombstone of {poid}"):
                report.entered["destroyed"] += 1

    def _enter_objects(self, held: dict[StorageRoot, Names], report: CaughtUp, progress: Progress) -> None:
        gone = {row.poid for row in self._catalogue.tombstones()}
        for number, (root, names) in enumerate(held.items()):
            done = 0
            for poids in chunks([poid for poid in names.poids if poid not in gone], GROUP):
                progress("objects", done, len(names.poids))
                heads = self._catalogue.newest_versions(poids)
                for poid in poids:
                    if poid in heads and (number > 0 or not self._has_later(root, poid, heads[poid])):
                        continue
                    self._enter_object(root, poid, heads.get(poid, 0), report)
                done += len(poids)

    def _has_later(self, root: StorageRoot, poid: str, version: int) -> bool:
        """Whether the first store, which is a required one, holds a version behind the newest known."""
        path = root.object_path(storage_object_for(poid))
        return f"v{version + 1}/" in root.store.children(path)

    def _enter_object(self, root: StorageRoot, poid: str, known: int, report: CaughtUp) -> None:
        try:
            entries = [entry for entry in read_object(root, poid) if entry[0].version > known]
            report.entered["versions"] += self._catalogue.enter_versions(entries)
        except _BREAKS_OFF:
            raise
        except ArchiveError as error:
            report.notes.append(Finding("OBJECT_UNREADABLE", str(error), f"{root.store.name}: {poid}"))

    def _enter_batches(
        self, held: dict[StorageRoot, Names], report: CaughtUp, at: datetime, progress: Progress
    ) -> None:
        last = self._catalogue.last_batch()
        known = last.number if last else 0
        open_ones = {row.number for row in self._catalogue.unfinished_batches()}
        numbers = {number for names in held.values() for number in names.batches}
        wanted = sorted(number for number in numbers if number > known or number in open_ones)
        for done, number in enumerate(wanted):
            progress("batches", done, len(wanted))

            def enter(root: StorageRoot, number: int = number) -> None:
                enter_batch(self._catalogue, root, number, published=self._published, validator=self._validator, at=at)

            holders = [root for root, names in held.items() if number in names.batches]
            if self._entered(holders, enter, report, "BATCH_UNREADABLE", f"batch {number}"):
                report.entered["batches"] += 1

    def _enter_renewals(self, held: dict[StorageRoot, Names], report: CaughtUp, progress: Progress) -> None:
        known = {row.number for row in self._catalogue.renewals()}
        open_ones = {row.number for row in self._catalogue.unfinished_renewals()}
        numbers = {number for names in held.values() for number in names.renewals}
        wanted = sorted(number for number in numbers if number not in known or number in open_ones)
        for done, number in enumerate(wanted):
            progress("renewals", done, len(wanted))

            def enter(root: StorageRoot, number: int = number) -> None:
                enter_renewal(self._catalogue, root, number, validator=self._validator)

            holders = [root for root, names in held.items() if number in names.renewals]
            if self._entered(holders, enter, report, "RENEWAL_UNREADABLE", f"renewal {number}"):
                report.entered["renewals"] += 1

    def _entered(
        self,
        holders: Sequence[StorageRoot],
        enter: Callable[[StorageRoot], None],
        report: CaughtUp,
        code: str,
        where: str,
    ) -> bool:
        """Whether one of the stores that hold it gave it whole; what was wrong with another is a note."""
        problems: list[Finding] = []
        for root in holders:
            try:
                enter(root)
            except _BREAKS_OFF:
                raise
            except ArchiveError as error:
                problems.append(Finding(code, f"{code_of(error)}: {error}", f"{root.store.name}: {where}"))
                continue
            report.notes += problems
            return True
        report.findings += problems
        return False

    # -- comparing ----------------------------------------------------------------------------

    def _compare(self, held: dict[StorageRoot, Names], report: CaughtUp) -> None:
        last, mine = self._catalogue.last_segment(), marks_of(self._catalogue)
        for root, names in held.items():
            header = self._last_header(root, names, report)
            there = Marks(
                size=header.size if header else 0,
                head=header.head.hex() if header else "",
                batch=max(names.batches, default=0),
                renewal=max(names.renewals, default=0),
            )
            report.stores[root.store.name] = there
            if header is not None and last is not None and header.number == last.number and there.head != mine.head:
                self._find(report, "TRAIL_FORKED", "the store's trail is another one", root.store.name)
        for name in ("size", "batch", "renewal"):
            furthest = max((getattr(marks, name) for marks in report.stores.values()), default=0)
            if getattr(mine, name) != furthest:
                self._find(
                    report,
                    "MARKS_DIFFER",
                    f"the catalogue ends at {getattr(mine, name)}, the stores at {furthest}",
                    name,
                )
        self._compare_objects(held, report)

    def _last_header(self, root: StorageRoot, names: Names, report: CaughtUp) -> SegmentHeader | None:
        """The header of the last segment that a store holds; one that is damaged there is a note."""
        if not names.segments:
            return None
        try:
            return read_segment(root, names.segments[-1])[0]
        except _BREAKS_OFF:
            raise
        except ArchiveError as error:
            where = f"{root.store.name}: trail segment {names.segments[-1]}"
            report.notes.append(Finding(code_of(error), str(error), where))
            return None

    def _compare_objects(self, held: dict[StorageRoot, Names], report: CaughtUp) -> None:
        """Every name that was given is known, or told of as unreadable; one that is known and lies nowhere is a loss,
        which `audit` tells."""
        told = {one.where.rpartition(" ")[2] for one in report.notes if one.code == "OBJECT_UNREADABLE"}
        there: set[str] = set()
        for names in held.values():
            there.update(names.poids)
        for poids in chunks(sorted(there), GROUP):
            for poid in sorted(set(poids) - set(self._catalogue.newest_versions(poids)) - told):
                self._find(report, "OBJECT_UNKNOWN", "a store holds it, and it could not be entered", poid)
        after: str | None = None
        while rows := self._catalogue.objects(after, GROUP, living=True):
            for row in rows:
                if row.poid not in there:
                    report.notes.append(Finding("NO_COPY", "known, and in no store that was asked", row.poid))
            after = rows[-1].poid

    def _find(self, report: CaughtUp, code: str, message: str, where: str) -> None:
        report.findings.append(Finding(code, message, where))
