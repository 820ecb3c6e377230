"""What an audit makes of tombstones, and of what lies in a store despite one.

Rules kept here
 * A tombstone wins: one that the catalogue does not know (it was restored from an older copy) is obeyed when it is
   authentic, and a finding when it is not.
 * What a store still owes is a note; what came back is a finding, and owed from now on. Nothing is purged here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from archive_core.audit_result import AuditEntry, AuditResult
from archive_core.catalogue.catalogue import Catalogue
from archive_core.destruction.destroying import Destruction
from archive_core.errors import ArchiveError
from archive_core.identifiers import storage_object_for, tombstone_object
from archive_core.ocfl.storage_root import StorageRoot


class DestroyedObjects:
    """Tombstones against stores and catalogue."""

    def __init__(self, catalogue: Catalogue, destruction: Destruction) -> None:
        self._catalogue = catalogue
        self._destruction = destruction

    def settle(self) -> list[str]:
        """Finish destructions that lost their process; a sentence for each."""
        return self._destruction.finish()

    def tombstone(self, root: StorageRoot, poid: str, result: AuditResult) -> None:
        """A store holds a tombstone."""
        if self._catalogue.tombstone(poid) is not None:
            return
        entry = AuditEntry(root.store.name, root.object_path(tombstone_object(poid)), "", "")
        try:
            self._destruction.adopt(poid)
        except ArchiveError as error:
            result.findings.append(replace(entry, code="TOMBSTONE_NOT_OBEYED", message=str(error)))
            return
        message = f"{poid} was destroyed, and the catalogue did not know"
        result.notes.append(replace(entry, code="TOMBSTONE_ADOPTED", message=message))

    def risen(self, root: StorageRoot, poid: str, result: AuditResult, at: datetime) -> bool:
        """A store holds an object; True when that object was destroyed."""
        if self._catalogue.tombstone(poid) is None:
            return False
        entry = AuditEntry(root.store.name, root.object_path(storage_object_for(poid)), "", "")
        if any(debt.store == root.store.name for debt in self._catalogue.deletion_debts(poid)):
            message = f"{poid} was destroyed, and this store is still to purge it"
            result.notes.append(replace(entry, code="DELETION_OWED", message=message))
        else:
            self._catalogue.owe_deletion(poid, root.store.name, at)
            message = f"{poid} was destroyed, and is here again; the next round of preservation purges it"
            result.findings.append(replace(entry, code="DESTROYED_OBJECT_PRESENT", message=message))
        return True
