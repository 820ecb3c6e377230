"""Disks that stay sick: full, dying or slow from a step on, until they are cured.

The rules this module keeps
 * A fault here is a state of one disk and not of one operation: whatever is tried afterwards meets it too.
 * A full disk refuses what would take room, and keeps the half of a file that was being written. A dying one refuses
   everything, reading too. A slow one does everything in the end.
 * The catalogue lies on the first store's disk: where that is full, it is full as well.
"""

from __future__ import annotations

import enum
import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from sqlalchemy.exc import OperationalError

from archive_core.archive import Archive
from archive_core.ports import StoredEntry
from storage_backends.filesystem import FilesystemStore
from storage_backends.tree import Tree
from tests.fakes.database import watch
from tests.fakes.disk import FaultyFiles
from tests.fakes.faults import FaultPlan

T = TypeVar("T")

GROWING = ("write", "make directory", "publish", "publish tree")
CATALOGUE = "catalogue"


class Sickness(enum.StrEnum):
    """What ails a disk."""

    FULL = "full"
    DYING = "dying"
    SLOW = "slow"


class SickPlan(FaultPlan):
    """Counts steps like any plan; the disk of the step with the number `at` is sick from then on. May be armed again
    and again for one archive."""

    def __init__(self) -> None:
        super().__init__()
        self.sickness: Sickness | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self.sick: set[str] = set()
        self.refused = 0

    def arm(self, at: int, sickness: Sickness, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Begin to count anew. `meanwhile` is what happens while a slow disk does its step."""
        self.cure()
        self.steps.clear()
        self.at, self.sickness, self.meanwhile, self.refused = at, sickness, meanwhile, 0

    def cure(self) -> None:
        """Room was made, the cable was put in, nobody waits any more."""
        self.sick, self.at = set(), None

    def do(self, step: str, action: Callable[[], T]) -> T:
        with self._lock:
            self.steps.append(step)
            if len(self.steps) == self.at:
                self._fall_sick(step)
            device, _, rest = step.partition(" ")
            if device in self.sick:
                self._refuse(device, rest)
            return action()

    def _fall_sick(self, step: str) -> None:
        if self.sickness is Sickness.SLOW:
            self.refused += 1
            self.at = None
            self.meanwhile()
            return
        device = step.partition(" ")[0]
        self.sick = {device}
        if self.sickness is Sickness.FULL and device in (CATALOGUE, "one"):
            self.sick = {CATALOGUE, "one"}

    def _refuse(self, device: str, rest: str) -> None:
        full = self.sickness is Sickness.FULL
        if device == CATALOGUE:
            self.refused += 1
            said = "database or disk is full" if full else "disk I/O error"
            raise OperationalError("COMMIT", None, sqlite3.OperationalError(said))
        if not full or rest.startswith(GROWING):
            self.refused += 1
            code = errno.ENOSPC if full else errno.EIO
            raise OSError(code, os.strerror(code), rest)

    def read(self, device: str) -> None:
        """Somebody reads from that disk."""
        if self.sickness is Sickness.DYING and device in self.sick:
            self.refused += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))


class SickFiles(FaultyFiles):
    """A disk that may be full keeps what it has already taken of a file."""

    def write(self, path: str, source: bytes | Path) -> None:
        try:
            super().write(path, source)
        except OSError as error:
            if error.errno == errno.ENOSPC and not os.path.exists(path):
                content = source if isinstance(source, bytes) else Path(source).read_bytes()
                Path(path).write_bytes(content[: len(content) // 2])
            raise


class SickTree(Tree):
    """The tree of a store on a disk that may be dying."""

    def __init__(self, real: Tree, plan: SickPlan) -> None:
        super().__init__(real._name, real.root)
        self._plan = plan

    def lstat(self, key: str, known: set[str] | None = None) -> os.stat_result | None:
        self._plan.read(self._name)
        return super().lstat(key, known)

    def open(self, key: str, known: set[str] | None = None) -> BinaryIO:
        self._plan.read(self._name)
        return super().open(key, known)

    def read_below(self, prefix: str, most: int) -> Iterator[tuple[StoredEntry, bytes | None]]:
        for found in super().read_below(prefix, most):
            self._plan.read(self._name)
            yield found

    def _scan(self, key: str) -> list[tuple[str, bool]]:
        self._plan.read(self._name)
        return super()._scan(key)


def make_sick(archive: Archive, plan: SickPlan) -> None:
    """Put the plan between an archive and all its disks. Stores are written one after the other, so that a step is the
    same in every run."""
    for root in archive.copies.known:
        store: Any = root.store
        assert isinstance(store, FilesystemStore)
        store._files = SickFiles(store.name, plan)
        store._tree = SickTree(store._tree, plan)
    archive.copies._pools = dict.fromkeys(archive.copies._pools, ThreadPoolExecutor(1))
    watch(archive.catalogue.engine, plan)


def beside(work: Callable[[], None], patience: float = 1.0) -> threading.Thread:
    """Begin some work and wait a while for its end; it may go on when nobody waits any more."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(patience)
    return thread
