"""A store that fails on purpose: the wrapper around a real one, one fault at one writing verb.

The rules this module keeps
 * Only what the port `ObjectStore` offers is passed on; a verb that is added there must be sorted
   into writing or reading here (a test says so).
 * A write of several files may also stop half way: `put_new` is then done for the first half.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO

from archive_core.digests import Digest
from archive_core.errors import StoreUnavailableError
from archive_core.ports import NewFile, NewHead, NewObject, ObjectStore, PutBack, StoredEntry
from tests.fakes.faults import FaultPlan

WRITING = frozenset(
    {"put_new", "replace_head", "replace_heads", "put_objects", "put_back", "remove", "purge_object", "clear_leftovers"}
)
READING = frozenset({"name", "open", "stat", "list", "children", "leftovers", "close"})


def unavailable(step: str) -> None:
    """The error of a store that does not answer any more."""
    raise StoreUnavailableError(f"broken on purpose at {step}")


class FaultyStore:
    """A store whose writing verbs pass through a plan.

    With `half`, the step that is hit puts the first half of its files before it fails.
    """

    def __init__(self, real: ObjectStore, plan: FaultPlan, *, half: bool = False) -> None:
        self.real = real
        self._plan = plan
        self._half = half

    @property
    def name(self) -> str:
        return self.real.name

    def put_new(self, files: Sequence[NewFile]) -> None:
        if self._half and len(self._plan.steps) + 1 == self._plan.at:
            self.real.put_new(files[: len(files) // 2])
        self._plan.do(f"{self.name} put_new {files[0].key}", lambda: self.real.put_new(files))

    def replace_head(
        self, object_path: str, inventory: bytes, sidecar: bytes, sidecar_name: str, *, expected: Digest | None
    ) -> None:
        self.replace_heads([NewHead(object_path, inventory, sidecar, sidecar_name, expected)])

    def replace_heads(self, heads: Sequence[NewHead]) -> None:
        self._plan.do(f"{self.name} replace_heads {heads[0].object_path}", lambda: self.real.replace_heads(heads))

    def put_objects(self, objects: Sequence[NewObject]) -> None:
        """Not whole, as a store may do it that has no better: all files, and then the heads."""
        self.put_new([file for item in objects for file in item.files])
        self.replace_heads([item.head for item in objects])

    def put_back(self, files: Sequence[PutBack]) -> None:
        if self._half and len(self._plan.steps) + 1 == self._plan.at:
            self.real.put_back(files[: len(files) // 2])
        self._plan.do(f"{self.name} put_back {files[0].file.key}", lambda: self.real.put_back(files))

    def remove(self, keys: Sequence[str]) -> None:
        self._plan.do(f"{self.name} remove", lambda: self.real.remove(keys))

    def purge_object(self, object_path: str) -> None:
        self._plan.do(f"{self.name} purge_object", lambda: self.real.purge_object(object_path))

    def clear_leftovers(self) -> Sequence[str]:
        return self._plan.do(f"{self.name} clear_leftovers", self.real.clear_leftovers)

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        self._plan.alive()
        return self.real.open(key)

    def stat(self, key: str) -> StoredEntry | None:
        self._plan.alive()
        return self.real.stat(key)

    def list(self, prefix: str = "") -> Iterator[StoredEntry]:
        self._plan.alive()
        return self.real.list(prefix)

    def children(self, prefix: str = "") -> Sequence[str]:
        self._plan.alive()
        return self.real.children(prefix)

    def leftovers(self) -> Sequence[str]:
        self._plan.alive()
        return self.real.leftovers()

    def close(self) -> None:
        self.real.close()
