"""What must lie in an object of ours, to the byte: every file with its digest, in the order in which it is written.

Rules kept here
 * A preservation object follows from its descriptions alone: names, sizes, digests, inventories and sidecars. So it
   can be told what must be there even where every inventory of every copy is damaged.
 * A stored inventory that a sidecar confirms and that says the same of every version is taken as it is: whoever
   wrote it may have chosen another message.
 * A system object is what a confirmed inventory says, if that has the digests that the catalogue entered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from archive_core.admission import CHUNKS, DATA
from archive_core.catalogue.rows import VersionRow
from archive_core.description import MAX_BYTES as MAX_DESCRIPTION_BYTES
from archive_core.description import Description
from archive_core.digests import Digest, hash_bytes
from archive_core.errors import ArchiveError, FixityError, InventoryCorruptError, UnavailableError
from archive_core.ocfl.inventory import MAX_INVENTORY_BYTES, Inventory, sidecar_digest
from archive_core.ocfl.package import PackageFile
from archive_core.ocfl.storage_root import OBJECT_DECLARATION, StorageRoot
from archive_core.ocfl.vocabulary import INVENTORY, version_number
from archive_core.packaging import DESCRIPTION, described

SIDECAR = f"{INVENTORY}.sha512"
_SIDECAR_BYTES = 4096


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A file as it must be: its sha512, its bytes where they follow from what is known, the content path of its
    chunk list if it has one, and its size where that is known."""

    digest: Digest
    data: bytes | None = None
    chunk_list: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object as it must be in every store; keys are relative to the object's root."""

    object_id: str
    inventory: Inventory
    files: Mapping[str, WantedFile]
    descriptions: tuple[tuple[VersionRow, Description, bytes], ...] = ()
    """Of a preservation object, by version; empty for a system object."""


def wanted_object(
    roots: Sequence[StorageRoot],
    object_id: str,
    described_versions: Sequence[tuple[VersionRow, Description, bytes]],
) -> Wanted:
    """A preservation object, from the descriptions of all its versions."""
    inventory: Inventory | None = None
    sizes: dict[str, int] = {}
    for _, description, data in described_versions:
        sizes.update({file.digests["sha512"]: file.size for file in description.files})
        files = {
            file.path: PackageFile(b"", Digest.from_hex("sha512", file.digests["sha512"]), file.size)
            for file in description.files
        }
        inventory = described(description, data, files, inventory).inventory
    if inventory is None:
        raise FixityError(f"{object_id} has no versions")
    for stored in confirmed_inventories(roots, object_id):
        if _same_states(stored, inventory):
            inventory = stored
            break
    known = {version: data for version, (_, _, data) in enumerate(described_versions, 1)}
    return Wanted(object_id, inventory, dict(_files(inventory, known, sizes)), tuple(described_versions))


def wanted_system_object(roots: Sequence[StorageRoot], object_id: str, expected: Mapping[str, str]) -> Wanted:
    """A system object, as the newest confirmed inventory with the digests that were entered says.

    Raises `FixityError` when no store has such an inventory."""
    for stored in sorted(confirmed_inventories(roots, object_id), key=lambda one: -one.head_number):
        state = stored.state(stored.head_number)
        if all(state.get(path) == digest for path, digest in expected.items()):
            return Wanted(object_id, stored, dict(_files(stored, {}, {})))
    raise FixityError(f"no store has a sound inventory of {object_id} that says what was entered")


def head_of(wanted: Wanted, version: int) -> dict[str, Digest]:
    """Root inventory and sidecar as they were when the object had so many versions."""
    stood = _cut(wanted.inventory, version)
    return {INVENTORY: Digest.of("sha512", stood.document), SIDECAR: Digest.of("sha512", stood.sidecar)}


def find_description(roots: Sequence[StorageRoot], row: VersionRow) -> tuple[Description, bytes] | None:
    """The description that was entered at commit A, straight from its place, whatever the inventories say."""
    for root in roots:
        try:
            key = f"{root.object_path(row.storage_object)}/v{row.ocfl_version}/content/{DESCRIPTION}"
            data = root.read_optional(key, MAX_DESCRIPTION_BYTES)
        except ArchiveError:
            continue  # a bad sector, a store that is away: the next copy
        if data is not None and hash_bytes("sha512", data).hex() == row.description_digest:
            return Description.parse(data), data
    return None


def confirmed_inventories(roots: Sequence[StorageRoot], object_id: str) -> Iterator[Inventory]:
    """Inventories of our own form that some sidecar of the object confirms, in any copy: root and version ones."""
    found: dict[bytes, bytes] = {}
    stated: set[str] = set()
    for root in roots:
        try:
            path = root.object_path(object_id)
            places = ["", *(name for name in root.store.children(path) if version_number(name.removesuffix("/")))]
            for place in places:
                document = _readable(root, f"{path}/{place}{INVENTORY}", MAX_INVENTORY_BYTES)
                sidecar = _readable(root, f"{path}/{place}{SIDECAR}", _SIDECAR_BYTES)
                if document:
                    found[hash_bytes("sha512", document)] = document
                if sidecar and (digest := sidecar_digest(sidecar)):
                    stated.add(digest)
        except UnavailableError:
            continue
    for computed, document in found.items():
        if computed.hex() not in stated:
            continue
        try:
            inventory = Inventory.parse(document)
        except InventoryCorruptError:
            continue
        if inventory.object_id == object_id and _cut(inventory, inventory.head_number).document == document:
            yield inventory


def _readable(root: StorageRoot, key: str, limit: int) -> bytes | None:
    try:
        return root.read_optional(key, limit)
    except FixityError:
        return None  # a bad sector: whoever compares the copy says so


def _same_states(one: Inventory, other: Inventory) -> bool:
    return one.manifest == other.manifest and {name: block.state for name, block in one.versions.items()} == {
        name: block.state for name, block in other.versions.items()
    }


def _cut(inventory: Inventory, versions: int) -> Inventory:
    """The inventory as it was when the object had so many versions, written anew."""
    names = list(inventory.versions)[:versions]
    return Inventory(
        inventory.object_id,
        {path: digest for path, digest in inventory.manifest.items() if path.partition("/")[0] in names},
        {name: inventory.versions[name] for name in names},
        inventory.digest_algorithm,
        inventory.content_directory,
    )


def _files(
    inventory: Inventory, descriptions: Mapping[int, bytes], sizes: Mapping[str, int]
) -> Iterator[tuple[str, WantedFile]]:
    """Every file in the order in which it is put: content, inventories of versions, declaration, head."""
    for path, digest in sorted(inventory.manifest.items()):
        version, logical = _logical(path)
        data = descriptions.get(version) if logical == DESCRIPTION else None
        chunk_list = _chunk_list(inventory, path, logical)
        size = len(data) if data is not None else sizes.get(digest)
        yield path, WantedFile(Digest.from_hex(inventory.digest_algorithm, digest), data, chunk_list, size)
    for number, name in enumerate(inventory.versions, 1):
        stood = inventory if number == len(inventory.versions) else _cut(inventory, number)
        yield f"{name}/{INVENTORY}", _own(stood.document)
        yield f"{name}/{SIDECAR}", _own(stood.sidecar)
    yield OBJECT_DECLARATION, _own(b"ocfl_object_1.1\n")
    yield INVENTORY, _own(inventory.document)
    yield SIDECAR, _own(inventory.sidecar)


def _own(data: bytes) -> WantedFile:
    return WantedFile(Digest.of("sha512", data), data, size=len(data))


def _logical(path: str) -> tuple[int, str]:
    version, _, rest = path.partition("/")
    return version_number(version) or 0, rest.partition("/")[2]


def _chunk_list(inventory: Inventory, path: str, logical: str) -> str | None:
    """The content path of the chunk list that tells of a file's chunks, if there is one."""
    if not logical.startswith(DATA):
        return None
    version = _logical(path)[0]
    listed = f"{CHUNKS}{logical.removeprefix(DATA)}.json"
    return inventory.content_path(version, listed) if listed in inventory.state(version) else None
