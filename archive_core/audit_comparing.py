"""One store's copy of an object beside what was acknowledged: no version less, and no byte other.

Rules kept here
 * What an inventory says is compared with what the catalogue entered; that the bytes are what the inventory says is
   the OCFL check's work. A damaged inventory is that check's finding and not said twice.
 * A finding names store, path and code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from archive_core.audit_result import AuditEntry
from archive_core.catalogue.catalogue import Catalogue
from archive_core.errors import ArchiveError, DamageError
from archive_core.findings import Finding
from archive_core.identifiers import is_poid, object_name
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.packaging import DESCRIPTION
from archive_core.system_objects import Expected

_MISSING = frozenset({"OBJECT_MISSING", "VERSION_MISSING"})
_DIFFERS = "CONTENT_DIFFERS"
_PARTS = frozenset({"E001", "E003", "E046", "E063"})
"""What the OCFL check says of an object whose write was broken off: no declaration, no inventory, a version directory
that no inventory knows."""
_TORN = frozenset({"E058", "E060"})
"""What it says of one whose write was broken off between the root inventory and its sidecar."""
_OF_DEBTS = _MISSING | _PARTS | _TORN | {_DIFFERS}
_PLACE = re.compile(r"urn%3a[^/]+(/inventory\.json|/v[0-9]+)?\Z")
"""An object's directory, its root inventory, or a version directory of it."""
_HEAD = re.compile(r"urn%3a[^/]+/inventory\.json(\.sha512)?\Z")

ROOT = "."
"""The path of a finding that is about a store as a whole."""


@dataclass(frozen=True, slots=True)
class ExpectedVersion:
    """A version of an object as it was acknowledged: the sha512 (hex) of each file by logical path; `what` names it
    for people."""

    what: str
    object_id: str
    ocfl_version: int
    state: Mapping[str, str]


def versions_of(catalogue: Catalogue, poid: str) -> list[ExpectedVersion]:
    """All versions of an object that were acknowledged, oldest first; raises `UnknownObjectError`."""
    found = []
    for row in catalogue.versions(poid):
        state = {file.path: file.stored_digest for file in catalogue.files(row.poid, row.version)}
        state[DESCRIPTION] = row.description_digest
        found.append(ExpectedVersion(f"{row.poid} v{row.version}", row.storage_object, row.ocfl_version, state))
    return found


def compare_object(root: StorageRoot, versions: Sequence[ExpectedVersion]) -> list[AuditEntry]:
    """What of the versions of one object is missing in a store, or other than it was."""
    object_id = versions[0].object_id
    path = root.object_path(object_id)

    def found(code: str, message: str) -> AuditEntry:
        return AuditEntry(root.store.name, path, code, message)

    try:
        inventory = root.read_inventory(object_id)
    except DamageError:
        return []  # named by the OCFL check
    if inventory is None:
        return [found("OBJECT_MISSING", f"{object_id} is not in this store")]
    wrong = []
    for version in versions:
        if version.ocfl_version > inventory.head_number:
            wrong.append(found("VERSION_MISSING", f"{version.what} is not in this store"))
        elif inventory.state(version.ocfl_version) != version.state:
            wrong.append(found("CONTENT_DIFFERS", f"{version.what} is not what was deposited"))
    return wrong


def compare_system_object(root: StorageRoot, expected: Expected) -> list[AuditEntry]:
    """As `compare_object`, of a system object's newest version."""
    path = root.object_path(expected.object_id)
    try:
        inventory = root.read_inventory(expected.object_id)
    except DamageError:
        return []  # named by the OCFL check
    if inventory is None:
        return [AuditEntry(root.store.name, path, "OBJECT_MISSING", f"{expected.object_id} is not in this store")]
    state = inventory.state(inventory.head_number)
    return [
        AuditEntry(
            root.store.name,
            path,
            "CONTENT_DIFFERS",
            f"{name} of {expected.object_id} is missing or not what was written",
        )
        for name, digest in expected.files.items()
        if state.get(name) != digest
    ]


def without_debts(
    catalogue: Catalogue,
    object_id: str,
    findings: Sequence[AuditEntry],
    again: Callable[[], Sequence[AuditEntry]],
    torn: Callable[[], bool],
    leaving: AbstractSet[str] = frozenset(),
) -> tuple[list[AuditEntry], list[AuditEntry]]:
    """Findings, and notes for what is no finding: a store that owes a copy lacks it, or holds what a write that was
    broken off has left of it, and that is known and will be paid. Stores that are `leaving` get nothing new: what they
    lack the others hold, or it is those that lack it.

    `again` looks once more at what is not whole and not owed: the debt may have been paid since the first look. `torn`
    tells whether the copy's head and its sidecar are as a write leaves them that was broken off in between."""
    wrong, notes = _parted(catalogue, object_id, findings, torn, leaving)
    if any(entry.code in _OF_DEBTS for entry in wrong):
        return _parted(catalogue, object_id, again(), torn, leaving)
    return wrong, notes


def _parted(
    catalogue: Catalogue,
    object_id: str,
    findings: Sequence[AuditEntry],
    torn: Callable[[], bool],
    leaving: AbstractSet[str],
) -> tuple[list[AuditEntry], list[AuditEntry]]:
    if not any(entry.code in _OF_DEBTS for entry in findings):
        return list(findings), []
    owed = catalogue.owing_copies([object_id])
    wrong, notes = [], []
    for entry in findings:
        if (entry.store, object_id) in owed and (_is_owed(object_id, entry) or (_is_of_the_head(entry) and torn())):
            notes.append(replace(entry, code="COPY_OWED"))
        elif entry.store in leaving and entry.code not in _PARTS and _is_owed(object_id, entry):
            notes.append(replace(entry, code="STORE_LEAVING"))
        else:
            wrong.append(entry)
    return wrong, notes


def is_ours(object_id: str | None) -> bool:
    """Whether an id is one that this archive gives to objects."""
    try:
        return object_id is not None and bool(object_name(object_id))
    except ValueError:
        return False


def _is_owed(object_id: str, entry: AuditEntry) -> bool:
    """Whether a finding says no more than that the copy is not whole. Bytes that are wrong are never owed."""
    if entry.code == _DIFFERS:  # the version that a system object had before
        return not is_poid(object_name(object_id))
    return entry.code in _MISSING or (entry.code in _PARTS and _PLACE.search(entry.path) is not None)


def _is_of_the_head(entry: AuditEntry) -> bool:
    return entry.code in _TORN and _HEAD.search(entry.path) is not None


def entry_of(store: str, finding: Finding) -> AuditEntry:
    """A finding of a check as an audit says it."""
    return AuditEntry(store, finding.where.removeprefix(f"{store}:") or ROOT, finding.code, finding.message)


def code_of(error: ArchiveError) -> str:
    return error.code.upper().replace("-", "_")
