"""Very many plain objects copied into one store by processes beside this one.

Rules kept here
 * It is worth it for many, and only where a store lends copiers; what they do not promise goes the careful way.
 * What was destroyed is copied nowhere: that is asked right before, for each page.
 * An object counts as copied only while no other store holds another form of it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from queue import SimpleQueue

from archive_core.errors import ArchiveError
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ocfl.vocabulary import INVENTORY
from archive_core.ports import LendsCopiers, ObjectCopier

WORTH_PROCESSES = 1000
"""Objects from which on processes are started: that costs as much as copying some hundred."""
MOST = 4
"""Processes that copy into one store at the same time."""


class Copiers:
    """Copiers from one store into another, each used by one thread at a time."""

    def __init__(self, source: StorageRoot, target: StorageRoot, others: Sequence[StorageRoot]) -> None:
        """`others` hold copies, too."""
        self._source, self._target, self._others = source, target, others
        self._free: SimpleQueue[ObjectCopier] = SimpleQueue()
        self._lent: list[ObjectCopier] = []
        for _ in range(min(MOST, len(os.sched_getaffinity(0)))):
            if isinstance(source.store, LendsCopiers) and (copier := source.store.lend_copier(target.store)):
                self._lent.append(copier)
                self._free.put(copier)

    @property
    def count(self) -> int:
        return len(self._lent)

    def copy(self, object_ids: Sequence[str]) -> set[str]:
        """Those of the objects that the target holds now as every other store does, durable and read back. Raises
        `UnavailableError`."""
        paths = [(self._source.object_path(one), self._target.object_path(one), one) for one in object_ids]
        copier = self._free.get()  # there are as many as threads that ask
        try:
            copied = copier.copy(paths)
        finally:
            self._free.put(copier)
        found = zip(object_ids, copied, strict=True)
        return {one for one, digest in found if digest is not None and self._is_head(one, digest)}

    def _is_head(self, object_id: str, digest: str) -> bool:
        """Whether this is still the head of an object in the store that it was read from, and none holds another."""
        stated = f"{digest} {INVENTORY}\n".encode("ascii")
        for root in (self._source, *self._others):
            try:
                said = root.read_optional(f"{root.object_path(object_id)}/{INVENTORY}.sha512", 1024)
            except ArchiveError:
                said = None  # one that is away or damaged is nobody's source
            if said != stated and (root is self._source or said is not None):
                return False
        return True

    def close(self) -> None:
        for copier in self._lent:
            copier.close()


def copiers_into(target: StorageRoot, roots: Sequence[StorageRoot], objects: int) -> Copiers | None:
    """Copiers from the first of the stores that lends some, when so many objects are to be copied."""
    if objects < WORTH_PROCESSES:
        return None
    for source in roots:
        if source is not target:
            copiers = Copiers(source, target, [root for root in roots if root not in (source, target)])
            if copiers.count:
                return copiers
    return None
