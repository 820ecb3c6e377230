"""A storage root in memory, for tests: it asserts the rules of a store while it serves.

Rules kept here
 * The same promises and the same errors as every other store (`tests/conformance/store_suite.py`).
 * It trusts nobody: digests and sizes that callers announce are recomputed, and at every verb the
   bytes under every key that was touched are compared with what was first put there.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from archive_core.digests import Digest
from archive_core.errors import (
    AlreadyExistsError,
    ConcurrentChangeError,
    FixityError,
    StoreUnavailableError,
    UnknownObjectError,
)
from archive_core.ports import NewFile, NewHead, NewObject, PutBack, StoredEntry
from storage_backends.keys import check_key, check_new_key, check_new_keys, check_new_objects, check_prefix

INVENTORY = "inventory.json"


class MemoryStore:
    """Bytes under keys in a dictionary.

    `available` may be set to False: every verb then fails as an unplugged disk does.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.RLock()
        self._kept: dict[str, bytes] = {}
        self._first: dict[str, bytes] = {}
        self._beside: dict[str, MemoryStore] = {}
        self.available = True

    @property
    def name(self) -> str:
        return self._name

    def put_new(self, files: Sequence[NewFile]) -> None:
        check_new_keys(file.key for file in files)
        with self._lock:
            self._require()
            contents = [(file.key, self._verified(file)) for file in files]
            for key, data in contents:
                self._require_free_or_same(key, data)
            for key, data in contents:
                self._require_free_or_same(key, data)
                self._keep(key, data)

    def _verified(self, file: NewFile) -> bytes:
        data = file.source.read_bytes() if isinstance(file.source, Path) else file.source
        if Digest.of(file.expected.algorithm, data) != file.expected:
            raise FixityError("what was written does not read back with the expected digest", key=file.key)
        assert len(data) == file.size, f"{file.key}: announced {file.size} bytes, there are {len(data)}"
        return data

    def _require_free_or_same(self, key: str, data: bytes) -> None:
        if key in self._kept:
            if self._kept[key] != data:
                raise AlreadyExistsError("that key holds other bytes", store=self._name, key=key)
            return
        parts = key.split("/")
        if any("/".join(parts[:n]) in self._kept for n in range(1, len(parts))):
            raise AlreadyExistsError("a file stands where a directory is needed", key=key)
        if any(other.startswith(f"{key}/") for other in self._kept):
            raise AlreadyExistsError("something else than a file has that key", store=self._name, key=key)

    def _keep(self, key: str, data: bytes, *, head: bool = False) -> None:
        if not head:
            first = self._first.setdefault(key, _fingerprint(data))
            assert first == _fingerprint(data), f"{key} changed; only heads change"
        self._kept[key] = data

    def replace_head(
        self, object_path: str, inventory: bytes, sidecar: bytes, sidecar_name: str, *, expected: Digest | None
    ) -> None:
        self.replace_heads([NewHead(object_path, inventory, sidecar, sidecar_name, expected)])

    def replace_heads(self, heads: Sequence[NewHead]) -> None:
        check_new_keys(head.object_path for head in heads)
        for head in heads:
            check_new_key(f"{head.object_path}/{head.sidecar_name}")
        with self._lock:
            self._require()
            for head in heads:
                self._require_expected(head)
            for head in heads:
                self._keep(f"{head.object_path}/{INVENTORY}", head.inventory, head=True)
                self._keep(f"{head.object_path}/{head.sidecar_name}", head.sidecar, head=True)

    def _require_expected(self, head: NewHead) -> None:
        kept = self._kept.get(f"{head.object_path}/{INVENTORY}")
        found = None if kept is None else Digest.of("sha512", kept)
        if kept != head.inventory and found != head.expected:
            raise ConcurrentChangeError(
                "the root inventory is not the one that was to be replaced", object_path=head.object_path
            )

    def put_objects(self, objects: Sequence[NewObject]) -> None:
        check_new_objects(objects)
        with self._lock:
            self.put_new([file for item in objects for file in item.files])
            self.replace_heads([item.head for item in objects])

    def put_back(self, files: Sequence[PutBack]) -> None:
        check_new_keys(item.file.key for item in files)
        with self._lock:
            self._require()
            contents = [(item, self._verified(item.file)) for item in files]
            for item, data in contents:
                key = item.file.key
                if key not in self._kept:
                    self._require_free_or_same(key, data)
                lies = Digest.of("sha512", self._kept[key]) if key in self._kept else None
                if not item.unreadable and lies not in (item.before, item.file.expected):
                    raise ConcurrentChangeError("a file changed while it was to be put back", key=key)
                self._kept[key] = data
                self._first[key] = _fingerprint(data)

    def beside(self, what: str) -> MemoryStore:
        check_new_key(what)
        with self._lock:
            return self._beside.setdefault(what, MemoryStore(self._name))

    def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            check_key(key)
        with self._lock:
            self._require()
            for key in keys:
                self._kept.pop(key, None)
                self._first.pop(key, None)

    def purge_object(self, object_path: str) -> None:
        check_key(object_path)
        with self._lock:
            self._require()
            for key in [key for key in self._kept if key.startswith(f"{object_path}/")]:
                del self._kept[key]
                self._first.pop(key, None)

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        check_key(key)
        with self._lock:
            self._require()
            if key not in self._kept:
                raise UnknownObjectError("there is no file under that key", store=self._name, key=ascii(key))
            return io.BytesIO(self._kept[key])

    def stat(self, key: str) -> StoredEntry | None:
        check_key(key)
        with self._lock:
            self._require()
            return StoredEntry(key, len(self._kept[key])) if key in self._kept else None

    def list(self, prefix: str = "") -> Iterator[StoredEntry]:
        check_prefix(prefix)
        with self._lock:
            self._require()
            below = [key for key in self._kept if not prefix or key.startswith(f"{prefix}/")]
            entries = [StoredEntry(key, len(self._kept[key])) for key in sorted(below, key=lambda k: k.split("/"))]
        return iter(entries)

    def children(self, prefix: str = "") -> Sequence[str]:
        check_prefix(prefix)
        start = f"{prefix}/" if prefix else ""
        with self._lock:
            self._require()
            names = {key[len(start) :].partition("/") for key in self._kept if key.startswith(start)}
        return sorted({name + slash for name, slash, _ in names})

    def leftovers(self) -> Sequence[str]:
        self._require()
        return []

    def clear_leftovers(self) -> Sequence[str]:
        self._require()
        return []

    def close(self) -> None:
        """Nothing but memory is held."""

    # -- for tests only -----------------------------------------------------------------------

    def damage(self, key: str, data: bytes | None) -> None:
        """Change or (with None) lose the bytes under a key behind everybody's back."""
        with self._lock:
            if data is None:
                del self._kept[key]
                self._first.pop(key, None)
            else:
                self._kept[key] = data

    def _require(self) -> None:
        if not self.available:
            raise StoreUnavailableError(f"store {self._name} is switched off", store=self._name)


def _fingerprint(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
