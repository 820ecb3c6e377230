"""One group of writes below a directory: staged aside, synced together, read back.

Rules kept here
 * A staged file is read back before it gets its name; the inode does not change with its name.
 * What was staged and not named is taken away when the group ends, however it ends.
 * A whole object is staged as a directory of its own and named at once: it shows whole or not at all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from archive_core.digests import Digest, hash_bytes, new_hasher
from archive_core.errors import AlreadyExistsError, FixityError
from archive_core.ports import KnownBytes, NewFile
from storage_backends.durable import DurableFiles, SyncGroup

_ONCE = 1024 * 1024
"""A file of at most so many bytes is read back in one piece."""


class Staged(NamedTuple):
    """A file that lies aside at `path` and is to stand under `key`; `known` is what it must hold, where
    that is at hand."""

    path: str
    key: str
    expected: Digest
    size: int
    known: KnownBytes | None = None


@dataclass(frozen=True, slots=True)
class StagedTree:
    """An object that lies aside at `path` and is to stand under `key`, with `files` in it, in these
    `directories` (paths)."""

    path: str
    key: str
    files: list[Staged]
    directories: set[str]


class WriteGroup:
    """What one verb of a store writes.

    `known` holds the directories (keys) found real so far, `touched` those (paths) whose names were
    changed since they were last synced.
    """

    def __init__(
        self, store: str, files: DurableFiles, syncs: SyncGroup, new_path: Callable[[], str], *, cold: bool
    ) -> None:
        self.syncs = syncs
        self.known: set[str] = set()
        self.touched: set[str] = set()
        self._store = store
        self._files = files
        self._new_path = new_path
        self._cold = cold and hasattr(os, "posix_fadvise")
        self._aside: dict[str, Staged | StagedTree] = {}

    def stage(self, source: bytes | Path, key: str, expected: Digest, size: int) -> Staged:
        item = Staged(self._new_path(), key, expected, size)
        self._aside[item.path] = item
        self._files.write(item.path, source)
        return item

    def stage_tree(self, key: str, files: Sequence[NewFile]) -> StagedTree:
        """Stage files whose keys all lie below `key`."""
        tree = StagedTree(self._new_path(), key, [], set())
        self._aside[tree.path] = tree
        self._files.make_directory(tree.path)
        tree.directories.add(tree.path)
        for file in files:
            path = tree.path + file.key[len(key) :]
            directory = path[: path.rindex("/")]
            if directory not in tree.directories:
                try:
                    self._make_parents(directory, tree.directories)
                except FileExistsError as error:
                    raise AlreadyExistsError(
                        "a file stands where a directory is needed", store=self._store, key=file.key
                    ) from error
            known = file.source if isinstance(file.source, KnownBytes) else None
            tree.files.append(Staged(path, file.key, file.expected, file.size, known))
            self._files.write(path, file.source)
        return tree

    def _make_parents(self, directory: str, made: set[str]) -> None:
        if directory not in made:
            self._make_parents(directory[: directory.rindex("/")], made)
            self._files.make_directory(directory)
            made.add(directory)

    def sync_contents(self, others: Sequence[str] = ()) -> None:
        """What is staged is durable but for its final names, and so are the contents of `others`."""
        files = list(others)
        directories: set[str] = set()
        for item in self._aside.values():
            if isinstance(item, Staged):
                files.append(item.path)
                continue
            files += [file.path for file in item.files]
            directories |= item.directories
        self.syncs.sync(files, directories)

    def read_back(self) -> None:
        """Raises `FixityError` unless everything staged reads back with its digest."""
        for item in self._aside.values():
            for file in (item,) if isinstance(item, Staged) else item.files:
                if not self._reads_back(file):
                    raise FixityError(
                        "what was written does not read back with the expected digest", store=self._store, key=file.key
                    )

    def _reads_back(self, file: Staged) -> bool:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if self._cold:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            if file.known is not None:
                return os.read(descriptor, len(file.known) + 1) == file.known
            return _digest_of(descriptor, file) == file.expected.value
        finally:
            os.close(descriptor)

    def named(self, item: Staged | StagedTree) -> None:
        """An item has got its name and is no longer aside."""
        del self._aside[item.path]

    def discard(self) -> None:
        """Take away what is still aside."""
        for item in self._aside.values():
            if isinstance(item, Staged):
                Path(item.path).unlink(missing_ok=True)
            elif os.path.isdir(item.path):
                shutil.rmtree(item.path)
        self._aside.clear()


def _digest_of(descriptor: int, file: Staged) -> bytes:
    if file.size <= _ONCE:
        data = os.read(descriptor, file.size + 1)
        if len(data) == file.size:
            return hash_bytes(file.expected.algorithm, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
    hasher = new_hasher(file.expected.algorithm)
    while data := os.read(descriptor, _ONCE):
        hasher.update(data)
    return bytes(hasher.digest())
