"""Use case: the catalogue again, from the stores alone.

The rules a rebuild follows
 * It writes into a new, empty catalogue; the old one, if there is one, is not touched.
 * One store is enough. What that store lacks and another holds is named, not filled in silently: a
   store that is behind says so.
 * Every description, batch and segment is verified as it is read; what is damaged is a finding, and
   the rebuild goes on with the rest. When a store or the database goes away, it breaks off.
 * A tombstone that is authentic wins over the object that it speaks of: that object's versions are entered as
   destroyed, and every store that holds or may hold it owes the deletion.
 * Deposits that no segment knows yet get the very event that they had, because it follows from the
   description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from archive_core.admission import CONTENT_DIGEST
from archive_core.audit_comparing import code_of
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import EventRow, FileRow, VersionRow
from archive_core.catalogue.versions import Entry
from archive_core.description import MAX_BYTES as MAX_DESCRIPTION_BYTES
from archive_core.description import Description
from archive_core.digests import Digest
from archive_core.entering import enter_batch, enter_renewal, enter_segment, enter_tombstone
from archive_core.entries import file_rows, version_row
from archive_core.errors import (
    ArchiveError,
    CatalogueDamagedError,
    DamageError,
    MalformedDocumentError,
    UnavailableError,
    UnknownObjectError,
)
from archive_core.findings import Finding
from archive_core.identifiers import (
    BATCH,
    LISTS,
    RENEWAL,
    TRAIL,
    is_poid,
    number_of,
    object_name,
    storage_object_for,
    tombstoned_poid,
)
from archive_core.journal import event_row
from archive_core.list_snapshots import enter_snapshot
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.organisations import replay
from archive_core.packaging import DESCRIPTION
from archive_core.ports import SealValidator, TimestampValidator
from archive_core.publishing import Published
from archive_core.side_by_side import side_by_side
from archive_core.trail.events import deposit_event

Progress = Callable[[str, int, int | None], None]

_BREAKS_OFF = (UnavailableError, CatalogueDamagedError)
"""No fault of what is read: a store or the database that is away, or a database that is damaged, ends the
rebuild; the gap that it leaves must not be taken for one in the store."""

GROUP = 200
"""Versions entered in one transaction."""


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What was found: counts, and findings for what could not be read."""

    objects: int
    versions: int
    batches: int
    renewals: int
    segments: int
    events: int
    destroyed: int
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, object]:
        return {
            "objects": self.objects,
            "versions": self.versions,
            "batches": self.batches,
            "renewals": self.renewals,
            "segments": self.segments,
            "events": self.events,
            "destroyed": self.destroyed,
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(slots=True)
class Names:
    """The names that a store holds, sorted into kinds; `foreign` are the ids of objects that are not ours."""

    poids: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    renewals: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    snapshots: list[int] = field(default_factory=list)
    tombstones: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def names_in(root: StorageRoot) -> Names:
    """Every object of a store, by its name. Raises `UnavailableError`."""
    held = Names()
    for object_id in root.object_ids():
        try:
            name = object_name(object_id)
        except ValueError:
            held.foreign.append(object_id)
            continue
        if is_poid(name):
            held.poids.append(name)
        elif (poid := tombstoned_poid(object_id)) is not None:
            held.tombstones.append(poid)
        elif (number := number_of(object_id, BATCH)) is not None:
            held.batches.append(number)
        elif (number := number_of(object_id, RENEWAL)) is not None:
            held.renewals.append(number)
        elif (number := number_of(object_id, TRAIL)) is not None:
            held.segments.append(number)
        elif (number := number_of(object_id, LISTS)) is not None:
            held.snapshots.append(number)
    for names in (held.poids, held.tombstones):
        names.sort()
    for numbers in (held.batches, held.renewals, held.segments, held.snapshots):
        numbers.sort()
    return held


class Rebuild:
    """Reads one storage root into an empty catalogue."""

    def __init__(
        self,
        *,
        root: StorageRoot,
        catalogue: Catalogue,
        published: Published,
        validator: TimestampValidator,
        seal_validator: SealValidator,
        progress: Progress,
        stores: Sequence[str] = (),
    ) -> None:
        """`stores` are the names of all stores of the archive: what was destroyed may still be in any of them."""
        self._seal_validator = seal_validator
        self._others = tuple(name for name in stores if name != root.store.name)
        self._root = root
        self._catalogue = catalogue
        self._published = published
        self._validator = validator
        self._progress = progress
        self._findings: list[Finding] = []
        self._versions = 0

    def run(self, *, at: datetime) -> RebuildReport:
        """Rebuild; raises `UnavailableError` when the store or the database does not answer (any more)."""
        held = self._names()
        events = self._enter_segments(held.segments)
        destroyed = self._enter_tombstones(held.tombstones, frozenset(held.poids))
        held.poids = [poid for poid in held.poids if poid not in destroyed]
        self._enter_objects(held.poids)
        self._enter_batches(held.batches, at)
        self._enter_renewals(held.renewals)
        self._enter_snapshots(held.snapshots)
        replay(self._catalogue)
        return RebuildReport(
            objects=len(held.poids),
            versions=self._versions,
            batches=len(held.batches),
            renewals=len(held.renewals),
            segments=len(held.segments),
            events=events,
            destroyed=len(destroyed),
            findings=tuple(self._findings),
        )

    def _names(self) -> Names:
        held = names_in(self._root)
        for object_id in held.foreign:
            self._find("FOREIGN_OBJECT", f"{object_id[:80]!a} is not an object of ours", object_id)
        self._name_gaps("BATCH_MISSING", "batch", held.batches)
        self._name_gaps("RENEWAL_MISSING", "renewal", held.renewals)
        self._name_gaps("TRUSTED_LISTS_MISSING", "snapshot of trusted lists", held.snapshots)
        self._name_gaps("TRAIL_SEGMENT_MISSING", "trail segment", held.segments)
        return held

    def _name_gaps(self, code: str, what: str, numbers: list[int]) -> None:
        for missing in sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers)):
            self._find(code, f"{what} {missing} is not in this store", f"{what} {missing}")

    # -- trail --------------------------------------------------------------------------------

    def _enter_segments(self, numbers: list[int]) -> int:
        count = 0
        for done, number in enumerate(numbers):
            self._progress("trail", done, len(numbers))
            try:
                rows = enter_segment(self._catalogue, self._root, number)
            except _BREAKS_OFF:
                raise
            except ArchiveError as error:
                self._find(code_of(error), str(error), f"trail segment {number}")
                break  # the log cannot go on behind a gap
            count += len(rows)
        return count

    # -- tombstones ---------------------------------------------------------------------------

    def _enter_tombstones(self, poids: list[str], present: frozenset[str]) -> set[str]:
        """Objects that are gone, or should be; a tombstone that is not authentic is a finding and destroys nothing.
        `present` are those that this store holds all the same."""
        entered = set()
        for done, poid in enumerate(poids):
            self._progress("tombstones", done, len(poids))
            try:
                owing = (*((self._root.store.name,) if poid in present else ()), *self._others)
                self._versions += enter_tombstone(
                    self._catalogue,
                    self._root,
                    poid,
                    owing,
                    validator=self._validator,
                    seal_validator=self._seal_validator,
                )
                entered.add(poid)
            except _BREAKS_OFF:
                raise
            except ArchiveError as error:
                self._find("TOMBSTONE_NOT_OBEYED", str(error), f"tombstone of {poid}")
        return entered

    # -- objects ------------------------------------------------------------------------------

    def _enter_objects(self, poids: list[str]) -> None:
        waiting: list[Entry] = []
        for done, found in enumerate(side_by_side(self._root.store, self._object, poids)):
            self._progress("objects", done, len(poids))
            if isinstance(found, ArchiveError):
                self._find("OBJECT_UNREADABLE", str(found), poids[done])
                continue
            waiting.extend(found)
            if len(waiting) >= GROUP:
                self._enter(waiting)
                waiting = []
        self._enter(waiting)

    def _object(self, poid: str) -> list[Entry] | ArchiveError:
        try:
            return read_object(self._root, poid)
        except (DamageError, MalformedDocumentError, UnknownObjectError) as error:
            return error

    def _enter(self, entries: list[Entry]) -> None:
        if entries:
            self._versions += self._catalogue.enter_versions(entries)

    # -- batches ------------------------------------------------------------------------------

    def _enter_batches(self, numbers: list[int], at: datetime) -> None:
        for done, number in enumerate(numbers):
            self._progress("batches", done, len(numbers))
            try:
                enter_batch(
                    self._catalogue,
                    self._root,
                    number,
                    published=self._published,
                    validator=self._validator,
                    at=at,
                )
            except _BREAKS_OFF:
                raise
            except ArchiveError as error:
                self._find("BATCH_UNREADABLE", str(error), f"batch {number}")

    def _enter_snapshots(self, numbers: list[int]) -> None:
        for number in numbers:
            try:
                enter_snapshot(self._catalogue, self._root, number)
            except _BREAKS_OFF:
                raise
            except ArchiveError as error:
                self._find("TRUSTED_LISTS_UNREADABLE", str(error), f"snapshot {number} of trusted lists")

    def _enter_renewals(self, numbers: list[int]) -> None:
        """In the order in which they were made: each goes on with what the ones before it left."""
        for done, number in enumerate(numbers):
            self._progress("renewals", done, len(numbers))
            try:
                enter_renewal(self._catalogue, self._root, number, validator=self._validator)
            except _BREAKS_OFF:
                raise
            except ArchiveError as error:
                self._find("RENEWAL_UNREADABLE", str(error), f"renewal {number}")

    def _find(self, code: str, message: str, where: str) -> None:
        self._findings.append(Finding(code, message, f"{self._root.store.name}: {where}"))


def read_object(root: StorageRoot, poid: str) -> list[Entry]:
    """Every version of one preservation object as the catalogue enters it, from one store.

    Raises `UnknownObjectError`, `DamageError` or `MalformedDocumentError`."""
    object_id = storage_object_for(poid)
    inventory = root.read_inventory(object_id)
    if inventory is None:
        raise UnknownObjectError(f"{object_id} is not in the store {root.store.name}")
    entries: list[tuple[VersionRow, list[FileRow], list[EventRow]]] = []
    predecessor: str | None = None
    for version in range(1, inventory.head_number + 1):
        data = root.read_file(object_id, version, DESCRIPTION, MAX_DESCRIPTION_BYTES, inventory=inventory)
        description = Description.parse(data)
        _verify_description(description, poid, version, predecessor, inventory.state(version))
        predecessor = Digest.of(CONTENT_DIGEST, data).hex
        entries.append((version_row(description, data), file_rows(description), [event_row(deposit_event(data), None)]))
    return list(entries)


def _verify_description(
    description: Description, poid: str, version: int, predecessor: str | None, state: Mapping[str, str]
) -> None:
    """A description speaks of this object and version, continues the one before and lists the files."""
    if (description.poid, description.version) != (poid, version):
        raise MalformedDocumentError(f"the description of {poid} v{version} is another version's")
    before = description.predecessor[1] if description.predecessor else None
    if before != predecessor:
        raise MalformedDocumentError(f"the description of {poid} v{version} does not continue the one before")
    listed = {file.path: file.digests[CONTENT_DIGEST] for file in description.files}
    if listed != {path: digest for path, digest in state.items() if path != DESCRIPTION}:
        raise MalformedDocumentError(f"the description of {poid} v{version} lists other files than its inventory")
