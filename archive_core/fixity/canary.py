"""The negative control: damage that is planted beside a store in every cycle, and must be found.

Rules kept here
 * A canary is a storage root of its own beside the store's, on the same device, written and read by the same verbs and
   judged by the same check as everything else. It is never in the root, and gone when the cycle ends.
 * Every kind of damage is planted, each at a place that is drawn anew, and one object is sound.
 * A planted damage that is found is no finding. One that is missed, or a sound object that is blamed, is: then nothing
   that the cycle found good can be believed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from archive_core.audit_comparing import ExpectedVersion
from archive_core.audit_result import AuditEntry
from archive_core.catalogue.rows import VersionRow
from archive_core.digests import Digest
from archive_core.fixity.checking import StoreCheck
from archive_core.identifiers import PoidMint, storage_object_for
from archive_core.ocfl.package import ArchivalPackage, PackageFile
from archive_core.ocfl.storage_root import StorageRoot, new_file
from archive_core.ocfl.vocabulary import INVENTORY
from archive_core.packaging import DESCRIPTION
from archive_core.plain_reading import Files
from archive_core.ports import Beside, ObjectStore, PutBack

PLACE = "canary"
_SIZES = (900, 30_000, 5 * 1024 * 1024)
"""Bytes of the files of a canary: small ones and one that is read in pieces."""


@dataclass(frozen=True, slots=True)
class ControlResult:
    """How many damages were planted, how many of them were found, and what is wrong with the check itself."""

    planted: int
    found: int
    findings: tuple[AuditEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class _Object:
    row: VersionRow
    files: Files
    package: ArchivalPackage
    path: str

    @property
    def expected(self) -> list[ExpectedVersion]:
        state = {path: file.digest.hex for path, file in self.package.files.items()}
        return [ExpectedVersion(self.row.poid, self.row.storage_object, 1, state)]

    def content(self, name: str) -> tuple[str, bytes]:
        """The key and the bytes of a file."""
        source = self.package.files[name].source
        assert isinstance(source, bytes)
        return f"{self.path}/v1/content/{name}", source


Harm = Callable[[ObjectStore, _Object], None]


def _put(store: ObjectStore, key: str, data: bytes) -> None:
    """Other bytes under a key than were put there: what a bad disk does."""
    store.put_back([PutBack(new_file(key, data), None, unreadable=True)])


def _some_file(one: _Object) -> tuple[str, bytes]:
    return one.content(secrets.choice(sorted(one.package.files)))


def flip(store: ObjectStore, one: _Object) -> None:
    """One bit of one file."""
    key, data = _some_file(one)
    place, changed = secrets.randbelow(len(data)), bytearray(data)
    changed[place] ^= 1 << secrets.randbelow(8)
    _put(store, key, bytes(changed))


def truncate(store: ObjectStore, one: _Object) -> None:
    key, data = _some_file(one)
    _put(store, key, data[: secrets.randbelow(len(data))])


def lengthen(store: ObjectStore, one: _Object) -> None:
    key, data = _some_file(one)
    _put(store, key, data + secrets.token_bytes(1))


def delete(store: ObjectStore, one: _Object) -> None:
    store.remove([_some_file(one)[0]])


def swap(store: ObjectStore, one: _Object) -> None:
    """Two files have each other's bytes."""
    (first, mine), (second, its) = one.content("data/0"), one.content("data/1")
    _put(store, first, its)
    _put(store, second, mine)


def add(store: ObjectStore, one: _Object) -> None:
    _put(store, f"{one.path}/v1/content/data/stranger", secrets.token_bytes(16))


def harm_inventory(store: ObjectStore, one: _Object) -> None:
    data = one.package.inventory.document
    _put(store, f"{one.path}/{INVENTORY}", data[: secrets.randbelow(len(data))])


def harm_sidecar(store: ObjectStore, one: _Object) -> None:
    data = bytearray(one.package.inventory.sidecar)
    data[secrets.randbelow(128)] ^= 1
    _put(store, f"{one.path}/v1/{one.package.inventory.sidecar_name}", bytes(data))


def lose(store: ObjectStore, one: _Object) -> None:
    """The whole object."""
    store.remove([entry.key for entry in store.list(one.path)])


HARMS: tuple[Harm, ...] = (flip, truncate, lengthen, delete, swap, add, harm_inventory, harm_sidecar, lose)


def control(root: StorageRoot, *, at: datetime, harms: tuple[Harm, ...] = HARMS) -> ControlResult:
    """Plant every damage beside the store and see whether the check names it. A store without room beside it has no
    control, and that is a finding."""
    name = root.store.name
    if not isinstance(root.store, Beside):
        return ControlResult(0, 0, (AuditEntry(name, ".", "CANARY_IMPOSSIBLE", "no room beside this store"),))
    store = root.store.beside(PLACE)
    beside = StorageRoot(store)
    _clear(store)  # a killed process may have left some
    try:
        beside.initialise()
        objects = list(_objects(beside, len(harms) + 1, at))
        beside.write_versions([one.package for one in objects])
        for harm, one in zip(harms, objects[1:], strict=True):
            harm(store, one)
        return _judge(beside, objects, harms)
    finally:
        _clear(store)


def _judge(beside: StorageRoot, objects: list[_Object], harms: tuple[Harm, ...]) -> ControlResult:
    by_poid = {one.row.poid: one for one in objects}
    with closing(StoreCheck(beside, expected=len(objects), processes=1)) as check:
        page = check.begin([one.row for one in objects], {one.row.poid: one.files for one in objects})
        results = check.results(page, lambda poid: by_poid[poid].expected)
    name, missed = beside.store.name, []
    if results[0].findings or not results[0].objects:
        missed.append(AuditEntry(name, ".", "CANARY_BLAMED", "a sound object was said to be damaged"))
    found = 0
    for harm, one, result in zip(harms, objects[1:], results[1:], strict=True):
        if any(entry.store == name and entry.path.startswith(one.path) and entry.code for entry in result.findings):
            found += 1
        else:
            missed.append(
                AuditEntry(
                    name, ".", "CANARY_MISSED", f"planted damage was not found ({harm.__name__}): believe nothing"
                )
            )
    return ControlResult(len(harms), found, tuple(missed))


def _objects(beside: StorageRoot, count: int, at: datetime) -> Iterator[_Object]:
    mint = PoidMint()
    for number in range(count):
        poid = mint.mint(at)
        object_id = storage_object_for(poid)
        sizes = _SIZES if number == 1 else _SIZES[:2]
        contents = {DESCRIPTION: secrets.token_bytes(300)}
        contents |= {f"data/{place}": secrets.token_bytes(size) for place, size in enumerate(sizes)}
        package = ArchivalPackage(
            object_id=object_id,
            version=1,
            created=at,
            message="Canary",
            user_name="trusted-archive",
            user_address="urn:trusted-archive:software",
            files={path: PackageFile.of(data) for path, data in contents.items()},
        )
        digests = {path: Digest.of("sha512", data).hex for path, data in contents.items()}
        row = VersionRow(
            poid=poid,
            version=1,
            kind="deposit",
            originator="canary",
            profile="canary",
            received=at,
            storage_object=object_id,
            ocfl_version=1,
            description_digest=digests[DESCRIPTION],
            idempotency_key=None,
            request_digest="",
            has_metadata=False,
            size=sum(sizes),
            file_count=len(sizes),
        )
        files = {path: (digest, digest) for path, digest in digests.items() if path != DESCRIPTION}
        yield _Object(row, files, package, beside.object_path(object_id))


def _clear(store: ObjectStore) -> None:
    keys = [entry.key for entry in store.list()]
    if keys:
        store.remove(keys)


__all__ = ["HARMS", "ControlResult", "control"]
