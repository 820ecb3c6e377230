"""A store that reads a real one and writes beside it: for drills, which must change nothing real.

Rules kept here
 * Nothing is ever written to the store below, nor removed from it: only its reading verbs are called.
 * What was written above is read before what lies below; a key that lies below counts as taken.
 * The promises of the verbs are those of the store above, which keeps what is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from heapq import merge
from typing import BinaryIO

from archive_core.digests import Digest, new_hasher
from archive_core.errors import AlreadyExistsError, ConcurrentChangeError, NotPermittedError
from archive_core.ports import EntryKind, NewFile, NewHead, NewObject, ObjectStore, PutBack, StoredEntry
from storage_backends.keys import check_new_objects

_INVENTORY = "inventory.json"
_READ = 1024 * 1024


class OverlayStore:
    """An `ObjectStore` named as the one `below`, keeping what is new in `above`."""

    def __init__(self, below: ObjectStore, above: ObjectStore) -> None:
        self._below = below
        self._above = above

    @property
    def name(self) -> str:
        return self._below.name

    # -- writing: above -----------------------------------------------------------------------

    def put_new(self, files: Sequence[NewFile]) -> None:
        self._above.put_new([file for file in files if not self._lies_below(file)])

    def _lies_below(self, file: NewFile) -> bool:
        if self._below.stat(file.key) is None:
            return False
        if self._digest(self._below, file.key, file.expected.algorithm) != file.expected:
            raise AlreadyExistsError("that key holds other bytes", store=self.name, key=file.key)
        return True

    @staticmethod
    def _digest(store: ObjectStore, key: str, algorithm: str) -> Digest:
        hasher = new_hasher(algorithm)
        with store.open(key) as stream:
            while piece := stream.read(_READ):
                hasher.update(piece)
        return Digest(algorithm, hasher.digest())

    def replace_head(
        self, object_path: str, inventory: bytes, sidecar: bytes, sidecar_name: str, *, expected: Digest | None
    ) -> None:
        self.replace_heads([NewHead(object_path, inventory, sidecar, sidecar_name, expected)])

    def replace_heads(self, heads: Sequence[NewHead]) -> None:
        self._above.replace_heads([self._lifted(head) for head in heads])

    def _lifted(self, head: NewHead) -> NewHead:
        """The head as it is to be replaced above: where only the store below has one, there is none above yet."""
        key = f"{head.object_path}/{_INVENTORY}"
        if self._above.stat(key) is not None or self._below.stat(key) is None:
            return head
        found = self._digest(self._below, key, "sha512")
        if found not in (head.expected, Digest.of("sha512", head.inventory)):
            raise ConcurrentChangeError(
                "the root inventory is not the one that was to be replaced", object_path=head.object_path
            )
        return NewHead(head.object_path, head.inventory, head.sidecar, head.sidecar_name, None)

    def put_objects(self, objects: Sequence[NewObject]) -> None:
        check_new_objects(objects)
        new = [item for item in objects if not self._below.children(item.head.object_path)]
        if new:
            self._above.put_objects(new)
        for item in objects:
            if item not in new:
                self.put_new(item.files)
                self.replace_heads([item.head])

    def put_back(self, files: Sequence[PutBack]) -> None:
        if any(self._below.stat(item.file.key) is not None for item in files):
            raise NotPermittedError(f"the store {self.name} is only looked at: nothing in it is put back")
        self._above.put_back(files)

    def remove(self, keys: Sequence[str]) -> None:
        if any(self._below.stat(key) is not None for key in keys):
            raise NotPermittedError(f"the store {self.name} is only looked at: nothing in it is removed")
        self._above.remove(keys)

    def purge_object(self, object_path: str) -> None:
        if self._below.children(object_path):
            raise NotPermittedError(f"the store {self.name} is only looked at: nothing in it is destroyed")
        self._above.purge_object(object_path)

    # -- reading: both ------------------------------------------------------------------------

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        return (self._above if self._above.stat(key) is not None else self._below).open(key)

    def stat(self, key: str) -> StoredEntry | None:
        return self._above.stat(key) or self._below.stat(key)

    def list(self, prefix: str = "") -> Iterator[StoredEntry]:
        last = None
        for entry in merge(self._above.list(prefix), self._below.list(prefix), key=lambda one: one.key.split("/")):
            if entry.key != last:  # above comes first where both have it
                yield entry
            last = entry.key

    def read_below(self, prefix: str, most: int) -> Iterator[tuple[StoredEntry, bytes | None]]:
        for entry in self.list(prefix):
            if entry.kind is not EntryKind.FILE or entry.size > most:
                yield entry, None
                continue
            with self.open(entry.key) as stream:
                yield entry, stream.read()

    def children(self, prefix: str = "") -> Sequence[str]:
        return sorted({*self._above.children(prefix), *self._below.children(prefix)})

    def leftovers(self) -> Sequence[str]:
        return self._above.leftovers()

    def clear_leftovers(self) -> Sequence[str]:
        return self._above.clear_leftovers()

    def close(self) -> None:
        self._above.close()
        self._below.close()
