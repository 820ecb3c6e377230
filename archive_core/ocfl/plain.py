"""An object of one version in exactly the form in which this program writes it, read whole and once.

Rules kept here
 * A plain object is sound: its files are those of its manifest and no others, every byte of them was read and
   has its digest, inventory, sidecars and declaration are the very bytes that this program writes for such a
   content. `check` and `own_form` have no finding about it.
 * Anything else is not judged here, only not called plain: whoever asks looks again with `check`, which says
   what is wrong, or that it is sound in another form.
 * Memory is bounded by the object's small files; larger ones are read in pieces.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archive_core.digests import CHUNK, new_hasher
from archive_core.errors import UnknownObjectError
from archive_core.ocfl.inventory import Inventory, VersionBlock
from archive_core.ocfl.vocabulary import INVENTORY, is_rfc3339
from archive_core.ports import EntryKind, ObjectStore, ReadsBelow, StoredEntry

SMALL = 1024 * 1024
"""Bytes up to which a file is read in one piece."""

_DECLARATION, _DECLARED = "0=ocfl_object_1.1", b"ocfl_object_1.1\n"
_SIDECAR = f"{INVENTORY}.sha512"
_OWN = {_DECLARATION, INVENTORY, _SIDECAR, f"v1/{INVENTORY}", f"v1/{_SIDECAR}"}
_CONTENT = "v1/content/"


@dataclass(frozen=True, slots=True)
class PlainObject:
    """What was read: by logical path the digests (hexadecimal) in every algorithm that was asked for, and how many
    bytes of content there were."""

    files: Mapping[str, Mapping[str, str]]
    size: int


def read_plain(
    store: ObjectStore,
    object_path: str,
    object_id: str,
    *,
    algorithms: Collection[str] = (),
    given_up: Callable[[], bool] | None = None,
    kept: dict[str, bytes] | None = None,
) -> PlainObject | None:
    """The object at a path, if it is plain and has this id; None when it is not, whatever the reason.

    Digests are sha512 and `algorithms`. `given_up` is asked now and then within a large file; once it is true nobody
    wants to know any more. `kept` gets the bytes of every file by its path in the object, for whoever writes it
    elsewhere; an object with a file too large for that is then passed over like one that is not plain. Raises
    `UnavailableError`."""
    own: dict[str, bytes] = {}
    files: dict[str, dict[str, str]] = {}
    size, others = 0, [name for name in algorithms if name != "sha512"]
    start = len(object_path) + 1
    try:
        for entry, data in files_below(store, object_path, SMALL):
            name = entry.key[start:]
            if entry.kind is not EntryKind.FILE:
                return None
            if kept is not None:
                if data is None:
                    return None
                kept[name] = data
            if name.startswith(_CONTENT):
                path = name[len(_CONTENT) :]
                if data is None:
                    length, files[path] = _digests(store, entry.key, others, given_up)
                    size += length
                    continue
                files[path] = {"sha512": hashlib.sha512(data).hexdigest()}
                for other in others:
                    files[path][other] = _hex(other, data)
                size += len(data)
            elif name in _OWN and data is not None:
                own[name] = data
            else:
                return None
    except UnknownObjectError:  # it changes while it is read
        return None
    return PlainObject(files, size) if _is_ours(own, files, object_id) else None


def files_below(store: ObjectStore, prefix: str, most: int) -> Iterator[tuple[StoredEntry, bytes | None]]:
    """Everything that `list` names, with the bytes of files that have at most so many; None for larger files and
    for what is no file. At once where the store offers that, else one by one."""
    if isinstance(store, ReadsBelow):
        yield from store.read_below(prefix, most)
        return
    for entry in store.list(prefix):
        data = None
        if entry.kind is EntryKind.FILE and entry.size <= most:
            with store.open(entry.key) as stream:
                data = stream.read(most + 1)
        yield entry, data if data is None or len(data) <= most else None


def _digests(
    store: ObjectStore, key: str, others: Collection[str], given_up: Callable[[], bool] | None
) -> tuple[int, dict[str, str]]:
    size, hashers = 0, {name: new_hasher(name) for name in ("sha512", *others)}
    with store.open(key) as stream:
        while (piece := stream.read(CHUNK)) and not (given_up is not None and given_up()):
            size += len(piece)
            for hasher in hashers.values():
                hasher.update(piece)
    return size, {name: hasher.hexdigest() for name, hasher in hashers.items()}


def _hex(algorithm: str, data: bytes) -> str:
    hasher = new_hasher(algorithm)
    hasher.update(data)
    return str(hasher.hexdigest())


def _is_ours(own: Mapping[str, bytes], files: Mapping[str, Mapping[str, str]], object_id: str) -> bool:
    """Whether the object's own files are, to the byte, what is written for this content."""
    document = own.get(INVENTORY, b"")
    sidecar = f"{hashlib.sha512(document).hexdigest()} {INVENTORY}\n".encode("ascii")
    return (
        bool(files)
        and own.get(_DECLARATION) == _DECLARED
        and own.get(_SIDECAR) == sidecar
        and own.get(f"v1/{_SIDECAR}") == sidecar
        and own.get(f"v1/{INVENTORY}") == document
        and _inventory_of(document, files, object_id) == document
    )


def _inventory_of(document: bytes, files: Mapping[str, Mapping[str, str]], object_id: str) -> bytes | None:
    """The inventory that this program writes for the content that was found; time, message and user are those of
    the document, if they are of the kind that it writes."""
    try:
        block: Any = json.loads(document)["versions"]["v1"]
        created, message, user = block["created"], block["message"], block["user"]
        name, address = user["name"], user["address"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    texts = (created, message, name, address)
    if not all(isinstance(text, str) and text for text in texts) or not is_rfc3339(created):
        return None
    if not address.startswith("urn:") or any(c.isspace() for c in address):
        return None
    state = {path: digests["sha512"] for path, digests in files.items()}
    manifest = {_CONTENT + path: digest for path, digest in state.items()}
    try:
        return Inventory(object_id, manifest, {"v1": VersionBlock(created, state, message, name, address)}).document
    except UnicodeEncodeError:  # a lone surrogate, which JSON can carry and UTF-8 cannot
        return None


__all__ = ["SMALL", "PlainObject", "files_below", "read_plain"]
