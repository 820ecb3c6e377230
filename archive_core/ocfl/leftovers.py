"""What interrupted writes left in a storage root, and how it is finished or cleared.

Rules kept here
 * A version counts only when a root inventory names it; everything beyond that is a leftover, not
   damage, and nobody was told that it is kept.
 * A leftover version is adopted only when it is whole: its inventory continues the present one and
   each of its content files was read and has its digest.
 * A write that is going on looks just like one that was interrupted: whoever adopts or clears holds
   the lease under which versions of that object are written.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from archive_core.digests import CHUNK, Digest
from archive_core.errors import FixityError, InventoryCorruptError, UnknownObjectError
from archive_core.ocfl.inventory import MAX_INVENTORY_BYTES, Inventory
from archive_core.ocfl.storage_root import MAX_DEPTH, OBJECT_DECLARATION, StorageRoot, new_file, none_passed
from archive_core.ocfl.vocabulary import INVENTORY, is_object_root, version_number
from archive_core.ports import NewFile


def unfinished(root: StorageRoot, object_id: str) -> list[str]:
    """Keys in version directories that the root inventory does not name, and everything where there
    is no root inventory: what writes have stored so far that do not count. Sorted."""
    path = root.object_path(object_id)
    inventory = root.read_inventory(object_id)
    if inventory is None:
        return sorted(entry.key for entry in root.store.list(path))
    found: list[str] = []
    for name in root.store.children(path):
        directory = name.removesuffix("/")
        if name.endswith("/") and version_number(directory) and directory not in inventory.versions:
            found += [entry.key for entry in root.store.list(f"{path}/{directory}")]
    return sorted(found)


def clear_unfinished(root: StorageRoot, object_id: str, renew: Callable[[], None] = lambda: None) -> list[str]:
    """Remove what `unfinished` names and return it. `renew` is called before: it raises when the lease was lost."""
    keys = unfinished(root, object_id)
    if keys:
        renew()
        root.store.remove(keys)
    return keys


def adopt(root: StorageRoot, object_id: str) -> Inventory | None:
    """Finish a version that lacks only its head (and perhaps its sidecar or declaration).

    Returns the new inventory, durable; or None when there is no whole leftover, which then can only
    be cleared.
    """
    path = root.object_path(object_id)
    current = root.read_inventory(object_id)
    for name in root.store.children(path):
        version = name.removesuffix("/")
        if not name.endswith("/") or not version_number(version) or (current and version in current.versions):
            continue
        candidate = _candidate(root, f"{path}/{version}/{INVENTORY}")
        if (
            candidate is not None
            and candidate.object_id == object_id
            and candidate.head == version
            and _continues(candidate, current)
            and _content_is_whole(root, path, candidate)
        ):
            _finish(root, path, candidate, current)
            return candidate
    return None


def empty_directories(root: StorageRoot, passed: Callable[[str], bool] = none_passed) -> list[str]:
    """Directories on the way to objects in which nothing lies (E073): a write that ended before it
    had put anything there. Sorted; `store.remove` takes them. Objects that are `passed` are not looked at."""
    found = []
    waiting = [name.removesuffix("/") for name in root.store.children() if name.endswith("/") and name != "extensions/"]
    while waiting:
        directory = waiting.pop()
        if passed(directory):
            continue
        names = root.store.children(directory)
        if not names:
            found.append(directory)
        elif not is_object_root(names) and directory.count("/") < MAX_DEPTH:
            waiting += [f"{directory}/{name.removesuffix('/')}" for name in names if name.endswith("/")]
    return sorted(found)


def is_empty_directory(root: StorageRoot, path: str) -> bool:
    """Whether a directory on the way to objects is there and nothing is in it, or it is gone since somebody saw it."""
    return path.partition("/")[0] != "extensions" and not root.store.children(path)


def _candidate(root: StorageRoot, key: str) -> Inventory | None:
    raw = root.read_optional(key, MAX_INVENTORY_BYTES)
    if raw is None:
        return None
    try:
        return Inventory.parse(raw, key)
    except InventoryCorruptError:
        return None  # never counted, so it is no damage either: it can only be cleared


def _continues(newer: Inventory, older: Inventory | None) -> bool:
    """Whether an inventory is the first, or holds all versions of the present one and one more."""
    if older is None:
        return newer.head_number == 1
    return list(newer.versions)[:-1] == list(older.versions) and all(
        newer.versions[name] == older.versions[name] for name in older.versions
    )


def _content_is_whole(root: StorageRoot, path: str, inventory: Inventory) -> bool:
    """Whether every file that the newest version brought is there with its digest; then they are
    durable as well: their writer may have died between naming and syncing, and putting a file again
    that is there already makes it durable."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        for content_path, digest in inventory.manifest.items():
            if not content_path.startswith(f"{inventory.head}/"):
                continue
            key = f"{path}/{content_path}"
            try:
                with root.open_verified(key, inventory.digest_algorithm, digest) as stream, copy.open("wb") as target:
                    shutil.copyfileobj(stream, target, CHUNK)
            except (UnknownObjectError, FixityError):
                return False
            expected = Digest.from_hex(inventory.digest_algorithm, digest)
            root.store.put_new([NewFile(key, copy, expected, copy.stat().st_size)])
    return True


def _finish(root: StorageRoot, path: str, inventory: Inventory, current: Inventory | None) -> None:
    files = [new_file(f"{path}/{inventory.head}/{inventory.sidecar_name}", inventory.sidecar)]
    if current is None:
        files.append(new_file(f"{path}/{OBJECT_DECLARATION}", b"ocfl_object_1.1\n"))
    own = f"{path}/{inventory.head}/{INVENTORY}"
    root.store.put_new([new_file(own, inventory.document), *files])
    root.store.replace_head(
        path,
        inventory.document,
        inventory.sidecar,
        inventory.sidecar_name,
        expected=current.digest if current else None,
    )
