"""How one store's copy of an object differs from what must be there.

Rules kept here
 * Every file is read whole and hashed; nothing but our own digests is asked.
 * A file that the device does not give back is damaged, not away: the store answers for others.
 * Nothing is changed here.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from archive_core.digests import Digest, digest_stream
from archive_core.errors import UnavailableError, UnknownObjectError
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ocfl.vocabulary import version_number
from archive_core.ports import EntryKind, StoredEntry
from archive_core.repair.wanted import SIDECAR, Wanted, head_of


class FaultCode(enum.StrEnum):
    MISSING = "FILE_MISSING"
    DAMAGED = "FILE_DAMAGED"
    UNREADABLE = "FILE_UNREADABLE"
    EXTRA = "FILE_EXTRA"


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that is not as it must be; `key` is relative to the object's root, `before` the sha512 of what lies
    there, None where nothing does or it cannot be read."""

    key: str
    code: FaultCode
    before: Digest | None = None


@dataclass(frozen=True, slots=True)
class Differences:
    """What is wrong with a copy; `absent` when nothing of the object is there at all."""

    faults: list[Fault] = field(default_factory=list)
    extras: list[StoredEntry] = field(default_factory=list)
    absent: bool = False
    size: int = 0
    """Bytes that were read to find out."""

    @property
    def none(self) -> bool:
        return not self.faults and not self.extras


def compare(root: StorageRoot, wanted: Wanted) -> Differences:
    """Everything that differs; raises `UnavailableError` when the store as a whole does not answer."""
    root.require_declaration()
    path = root.object_path(wanted.object_id)
    start = len(path) + 1
    there = {entry.key[start:]: entry for entry in root.store.list(path)}
    faults, size = [], 0
    for key, file in wanted.files.items():
        entry = there.pop(key, None)
        if entry is None or entry.kind is not EntryKind.FILE:
            if entry is not None:
                there[key] = entry
            faults.append(Fault(key, FaultCode.MISSING))
            continue
        try:
            with root.store.open(entry.key) as stream:
                digests, length = digest_stream(stream, ["sha512"])
        except UnknownObjectError:
            faults.append(Fault(key, FaultCode.MISSING))
            continue
        except UnavailableError:
            root.require_declaration()  # the store is there: it is this file
            faults.append(Fault(key, FaultCode.UNREADABLE))
            continue
        size += length
        if digests["sha512"] != file.digest:
            faults.append(Fault(key, FaultCode.DAMAGED, digests["sha512"]))
    absent = not there and len(faults) == len(wanted.files) and all(one.code is FaultCode.MISSING for one in faults)
    return Differences(faults, list(there.values()), absent, size)


def is_only_short(root: StorageRoot, wanted: Wanted, found: Differences) -> bool:
    """Whether a copy is sound as far as it goes and lacks but the newest versions, of which something may lie there
    already, or the sidecar of its head: what a store holds that owes the rest. Raises `DamageError` for an inventory
    that is damaged."""
    inventory = root.read_inventory(wanted.object_id)
    head = inventory.head_number if inventory else 0
    torn = root.is_torn(wanted.object_id)
    if head > wanted.inventory.head_number or (head == wanted.inventory.head_number and not torn):
        return False
    stood = head_of(wanted, head) if head else {}
    start = len(root.object_path(wanted.object_id)) + 1

    def is_sound(fault: Fault) -> bool:
        if torn and fault.key == SIDECAR:
            return True
        return fault.before == stood[fault.key] if fault.key in stood else _is_lacking(fault, head)

    return all(_is_beyond(entry.key[start:], head) for entry in found.extras) and all(map(is_sound, found.faults))


def _is_lacking(fault: Fault, head: int) -> bool:
    return _is_beyond(fault.key, head) or (not head and fault.code is FaultCode.MISSING)


def _is_beyond(key: str, head: int) -> bool:
    """Whether a file belongs to a version that the copy does not have yet."""
    return (version_number(key.partition("/")[0]) or 0) > head
