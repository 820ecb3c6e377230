"""Stored versions as packages again, to be written elsewhere byte for byte.

Rules kept here
 * Every file is read through its digest; what does not verify goes nowhere.
 * Only what this program wrote is written again: the inventory must come out the same.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from archive_core.digests import CHUNK, Digest
from archive_core.errors import ConcurrentChangeError, InventoryCorruptError, UnknownObjectError
from archive_core.ocfl.inventory import MAX_INVENTORY_BYTES, Inventory
from archive_core.ocfl.package import ArchivalPackage, PackageFile
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ocfl.vocabulary import INVENTORY
from archive_core.ports import KnownBytes


def version_inventory(root: StorageRoot, object_id: str, version: int) -> Inventory:
    """The inventory that was the object's head when it had `version` versions.

    Raises `UnknownObjectError` when the store has no such version and `InventoryCorruptError` when
    that version's inventory and its sidecar differ.
    """
    head = root.read_inventory(object_id)
    if head is None:
        raise UnknownObjectError(f"{object_id} is not in the store {root.store.name}")
    if head.head_number == version:
        return head
    folder = f"{root.object_path(object_id)}/{head.version_name(version)}"
    document = _read(root, f"{folder}/{INVENTORY}", MAX_INVENTORY_BYTES)
    inventory = Inventory.parse(document, f"{root.store.name}:{folder}")
    if _read(root, f"{folder}/{inventory.sidecar_name}", len(inventory.sidecar)) != inventory.sidecar:
        raise InventoryCorruptError(f"the inventory in {folder} of the store {root.store.name} is damaged")
    return inventory


AT_HAND = 1024 * 1024
"""Bytes of a file that is kept in memory on its way; a larger one goes through a file."""


def package_of(
    root: StorageRoot, object_id: str, version: int, scratch: Path, *, head: Inventory | None = None
) -> ArchivalPackage:
    """One version of a stored object as a package that writes the very same bytes elsewhere.

    What the version brought is read and verified; what is large is kept below `scratch` until the caller is done.
    `head` is the root inventory, for whoever has just read it. Raises `ConcurrentChangeError` for an object that
    another program wrote in another form.
    """
    known_head = head is not None and head.head_number == version
    inventory = head if head is not None and known_head else version_inventory(root, object_id, version)
    previous = version_inventory(root, object_id, version - 1) if version > 1 else None
    known = previous.digests if previous else frozenset()
    block = inventory.versions[inventory.version_name(version)]
    files = {}
    for number, (path, digest) in enumerate(sorted(inventory.state(version).items())):
        source: bytes | Path = b""  # not read: the version before holds it already
        size = 0
        if digest not in known:
            with root.open_file(object_id, version, path, inventory=inventory) as stored:
                source, size = _kept(stored, scratch / str(number))
        files[path] = PackageFile(source, Digest.from_hex(inventory.digest_algorithm, digest), size)
    package = ArchivalPackage(
        object_id=object_id,
        version=version,
        created=datetime.fromisoformat(block.created),
        message=block.message or "",
        user_name=block.user_name or "",
        user_address=block.user_address or "",
        files=files,
        previous=previous,
    )
    if package.inventory.document != inventory.document:
        raise ConcurrentChangeError(f"{object_id} v{version} was not written by this program; copy it by hand")
    return package


def _kept(stored: BinaryIO, place: Path) -> tuple[bytes | Path, int]:
    """Everything that a verified stream gives, in memory when it is little, and its size."""
    data = b""
    while len(data) <= AT_HAND and (piece := stored.read(CHUNK)):
        data += piece
    if len(data) <= AT_HAND:
        return KnownBytes(data), len(data)
    place.parent.mkdir(exist_ok=True)
    with place.open("wb") as copy:
        copy.write(data)
        shutil.copyfileobj(stored, copy, CHUNK)
        return place, copy.tell()


def _read(root: StorageRoot, key: str, limit: int) -> bytes:
    data = root.read_optional(key, limit)
    if data is None:
        raise UnknownObjectError(f"{key} is not in the store {root.store.name}")
    return data
