"""One store's copy of objects, judged by its bytes and our own digests.

Rules kept here
 * Every byte is read and hashed here. No checksum that a store or a file system keeps is ever asked.
 * Objects in the form in which they are written are read whole, each once, many side by side (`plain_reading`); what
   does not pass is judged thoroughly: OCFL rules, every digest of every inventory, and commit A.
 * Before the alarm everything is read once more. What is good then was no damage of the object: it is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from archive_core.audit_comparing import ExpectedVersion, code_of, compare_object, compare_system_object, entry_of
from archive_core.audit_result import AuditEntry
from archive_core.catalogue.rows import VersionRow
from archive_core.errors import ArchiveError, UnavailableError
from archive_core.ocfl.check import examine_object
from archive_core.ocfl.own_form import assess_sidecars
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.plain_reading import Files, Page, PlainReader
from archive_core.system_objects import Expected

READ_DIFFERED = "READ_DIFFERED"


@dataclass(slots=True)
class Checked:
    """What came of one object in one store."""

    objects: int = 0
    files: int = 0
    size: int = 0
    findings: list[AuditEntry] = field(default_factory=list)
    notes: list[AuditEntry] = field(default_factory=list)


class StoreCheck:
    """Checks objects in one store; to be closed."""

    def __init__(self, root: StorageRoot, *, expected: int, processes: int) -> None:
        """`expected` is about how many objects there are; `processes` how many may be started to read small ones."""
        self.root = root
        self._reader = PlainReader(root, expected=expected, processes=processes)

    def close(self) -> None:
        self._reader.close()

    def begin(self, rows: Sequence[VersionRow], files: Mapping[str, Files]) -> Page:
        """Begin to read the newest versions of these objects."""
        return self._reader.begin(rows, files, lambda row: ())

    def results(self, page: Page, versions_of: Callable[[str], Sequence[ExpectedVersion]]) -> list[Checked]:
        """What came of each object of the page, in their order."""
        found = []
        for row, plain in self._reader.results(page):
            if plain is not None:
                found.append(Checked(1, len(plain.files), plain.size))
            else:
                found.append(self.object(row.storage_object, partial(versions_of, row.poid)))
        return found

    def object(self, object_id: str, versions: Callable[[], Sequence[ExpectedVersion]]) -> Checked:
        return self.thoroughly(object_id, lambda: compare_object(self.root, versions()))

    def system_object(self, expected: Expected) -> Checked:
        return self.thoroughly(expected.object_id, lambda: compare_system_object(self.root, expected))

    def thoroughly(self, object_id: str, compare: Callable[[], list[AuditEntry]]) -> Checked:
        """Judge an object in every way, and once more when it is not good. Raises `UnavailableError` when the store as
        a whole does not answer."""
        first = self._judged(object_id, compare)
        if not first.findings:
            return first
        second = self._judged(object_id, compare)
        if not second.findings:
            told = "; ".join(f"{entry.code} {entry.path}" for entry in first.findings[:3])
            path = self.root.object_path(object_id)
            second.notes.append(AuditEntry(self.root.store.name, path, READ_DIFFERED, f"read twice, bad once: {told}"))
        return second

    def _judged(self, object_id: str, compare: Callable[[], list[AuditEntry]]) -> Checked:
        path, store = self.root.object_path(object_id), self.root.store.name
        checked = Checked()
        try:
            if not self.root.store.children(path):
                checked.findings += compare() or [AuditEntry(store, path, "OBJECT_MISSING", f"{object_id} is missing")]
                return checked
            examination = examine_object(self.root.store, path)
            checked.objects, checked.files, checked.size = 1, examination.files, examination.size
            checked.findings += [entry_of(store, finding) for finding in examination.findings]
            checked.findings += [entry_of(store, finding) for finding in assess_sidecars(self.root, path)]
            checked.findings += compare()
        except ArchiveError as error:
            if isinstance(error, UnavailableError):
                self.root.require_declaration()  # is it the store, or this object alone?
            checked.findings.append(AuditEntry(store, path, code_of(error), str(error)))
        return checked
