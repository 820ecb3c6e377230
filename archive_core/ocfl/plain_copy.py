"""Plain objects copied from one store to another, many at a time.

Rules kept here
 * Nothing is written that was not read whole and verified against its own inventory just before, and what is written
   are those very bytes; the target's own promise (`put_objects`) makes them durable and reads them back.
 * What is not plain, too large to be kept in memory, cannot be read or is in the way of something in the target is
   not judged here: whoever asked goes the careful way with it, object by object.
 * Memory is bounded by `TOGETHER_BYTES` and the largest object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archive_core.digests import Digest
from archive_core.errors import ArchiveError, ConflictError, DamageError
from archive_core.ocfl.plain import read_plain
from archive_core.ocfl.vocabulary import INVENTORY, OBJECT_DECLARATION
from archive_core.ports import KnownBytes, NewFile, NewHead, NewObject, ObjectStore, ObjectToCopy

TOGETHER_BYTES = 16 * 1024 * 1024
"""Bytes from which on what was read is written before more is read."""

_SIDECAR = f"{INVENTORY}.sha512"
_CONTENT = "v1/content/"


def copy_plain(source: ObjectStore, target: ObjectStore, wanted: Sequence[ObjectToCopy]) -> list[str | None]:
    """Copy objects; for each the sha512 (hexadecimal) of the inventory that the target holds now, durable and read
    back, or None where nothing is promised. Raises `UnavailableError` when the target does not take what is given."""
    copied: list[str | None] = [None] * len(wanted)
    group: dict[int, NewObject] = {}
    size = 0

    def write() -> None:
        try:
            target.put_objects(list(group.values()))
        except (ConflictError, DamageError):
            return
        for place, item in group.items():
            copied[place] = Digest.of("sha512", item.head.inventory).hex

    for place, (path, new_path, object_id) in enumerate(wanted):
        item = _read(source, path, new_path, object_id)
        if item is None:
            continue
        group[place] = item
        size += sum(file.size for file in item.files)
        if size > TOGETHER_BYTES:
            write()
            group, size = {}, 0
    if group:
        write()
    return copied


def _read(source: ObjectStore, path: str, new_path: str, object_id: str) -> NewObject | None:
    kept: dict[str, bytes] = {}
    try:
        found = read_plain(source, path, object_id, kept=kept)
    except ArchiveError:
        return None  # met again, and told, by whoever goes the careful way
    return None if found is None else _new_object(new_path, kept, found.files)


def _new_object(path: str, kept: Mapping[str, bytes], digests: Mapping[str, Mapping[str, str]]) -> NewObject:
    """A plain object as it is written, its files in the order in which a first version shows them."""
    document, sidecar = kept[INVENTORY], kept[_SIDECAR]
    content = sorted(name for name in kept if name.startswith(_CONTENT))
    own = [f"v1/{INVENTORY}"], [OBJECT_DECLARATION, f"v1/{_SIDECAR}"]
    files = [
        *(_file(path, name, kept[name], None) for name in own[0]),
        *(_file(path, name, kept[name], digests[name[len(_CONTENT) :]]["sha512"]) for name in content),
        *(_file(path, name, kept[name], None) for name in own[1]),
    ]
    return NewObject(files, NewHead(path, document, sidecar, _SIDECAR, None))


def _file(path: str, name: str, data: bytes, sha512: str | None) -> NewFile:
    digest = Digest.of("sha512", data) if sha512 is None else Digest.from_hex("sha512", sha512)
    return NewFile(f"{path}/{name}", KnownBytes(data), digest, len(data))


__all__ = ["TOGETHER_BYTES", "copy_plain"]
