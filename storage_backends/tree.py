"""A directory tree read as keys and bytes, no link followed.

Rules kept here
 * Below the root every part of a key is looked at with `lstat`: what is not a real directory on the
   way, or a plain file at its end, is not there for a reader.
 * A plain file is never opened through a link, and a pipe or device is never opened at all.
 * Errors of the device become the store's, also while an open file is read.
"""

from __future__ import annotations

import errno
import io
import os
import stat as modes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from archive_core.errors import StoreUnavailableError, UnknownObjectError
from archive_core.ports import EntryKind, StoredEntry

_BUFFER = 128 * 1024
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DEEPEST = 200
"""Directories that are held open one below the other."""


class Tree:
    """The tree below one root directory. Keys are taken as already checked."""

    def __init__(self, name: str, root: str) -> None:
        self._name = name
        self.root = root

    def require(self) -> None:
        """The root is there; raises `StoreUnavailableError` when not: it may be an unmounted disk."""
        if not os.path.isdir(self.root):
            raise StoreUnavailableError("the directory of a store is not there", store=self._name, directory=self.root)

    def path(self, key: str) -> str:
        return f"{self.root}/{key}" if key else self.root

    def lstat(self, key: str, known: set[str] | None = None) -> os.stat_result | None:
        """What lies under a key, or None. `known` holds directories (keys) that were found real in
        the same operation and need no second look; those found on the way are added."""
        known = set() if known is None else known
        end = key.find("/")
        while end > 0:
            directory = key[:end]
            if directory not in known:
                found = _lstat(self.path(directory))
                if found is None or not modes.S_ISDIR(found.st_mode):
                    return None
                known.add(directory)
            end = key.find("/", end + 1)
        return _lstat(self.path(key))

    def is_directory(self, key: str) -> bool:
        found = self.lstat(key)
        return found is not None and modes.S_ISDIR(found.st_mode)

    def open(self, key: str, known: set[str] | None = None) -> BinaryIO:
        """The file under a key; raises `UnknownObjectError` when there is no plain file."""
        found = self.lstat(key, known)
        if found is None or not modes.S_ISREG(found.st_mode):
            raise UnknownObjectError("there is no file under that key", store=self._name, key=ascii(key))
        return cast(BinaryIO, io.BufferedReader(StoredFile(self.path(key), self._name), _BUFFER))

    def stat(self, key: str) -> StoredEntry | None:
        found = self.lstat(key)
        return None if found is None or modes.S_ISDIR(found.st_mode) else _entry(key, found)

    def walk(self, prefix: str) -> Iterator[StoredEntry]:
        """Files, odd things and empty directories below a directory, in order of the keys' parts.

        Without recursion: a hostile tree may be deep.
        """
        with self.errors("list"):
            waiting = [(prefix, True)] if self.is_directory(prefix) else []
        while waiting:
            key, is_directory = waiting.pop()
            with self.errors("list"):
                found = None if is_directory else _lstat(self.path(key))
                below = self._scan(key) if is_directory else []
            if found is not None:
                yield _entry(key, found)
            elif is_directory and not below and key:
                yield StoredEntry(key, 0, EntryKind.EMPTY_DIRECTORY)
            waiting += [(f"{key}/{name}" if key else name, directory) for name, directory in reversed(below)]

    def read_below(self, prefix: str, most: int) -> Iterator[tuple[StoredEntry, bytes | None]]:
        """What `walk` names, with the bytes of files of at most `most` bytes. Directories are opened one below
        the other and files in their directory, so that no link is followed and nothing is looked up twice."""
        if self.is_directory(prefix):
            descriptor = os.open(self.path(prefix), _DIRECTORY)
            try:
                yield from _read_directory(descriptor, prefix, most, 0)
            finally:
                os.close(descriptor)

    def children(self, prefix: str) -> list[str]:
        if not self.is_directory(prefix):
            return []
        return sorted(f"{name}/" if directory else name for name, directory in self._scan(prefix))

    def _scan(self, key: str) -> list[tuple[str, bool]]:
        with os.scandir(self.path(key)) as entries:
            return sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)

    @contextmanager
    def errors(self, verb: str) -> Iterator[None]:
        """No OSError gets out."""
        try:
            yield
        except OSError as error:
            raise _unavailable(self._name, verb, error) from error


class StoredFile(io.FileIO):
    """A file of a store: never opened through a link, and its read errors are the store's."""

    def __init__(self, path: str, store: str) -> None:
        super().__init__(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW))
        self._store = store

    def readinto(self, buffer: Any) -> int | None:
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise _unavailable(self._store, "read", error) from error

    def readall(self) -> bytes:
        try:
            return super().readall()
        except OSError as error:
            raise _unavailable(self._store, "read", error) from error


def _read_directory(directory: int, key: str, most: int, depth: int) -> Iterator[tuple[StoredEntry, bytes | None]]:
    with os.scandir(directory) as entries:
        found = sorted(
            (entry.name, entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False)) for entry in entries
        )
    if not found and depth:
        yield StoredEntry(key, 0, EntryKind.EMPTY_DIRECTORY), None
    for name, is_directory, is_file in found:
        below = f"{key}/{name}"
        if is_file:
            yield _read_entry(directory, name, below, most)
        elif not is_directory:
            yield StoredEntry(below, 0, EntryKind.OTHER), None
        elif depth < _DEEPEST:
            descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
            try:
                yield from _read_directory(descriptor, below, most, depth + 1)
            finally:
                os.close(descriptor)
        else:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), below)


def _read_entry(directory: int, name: str, key: str, most: int) -> tuple[StoredEntry, bytes | None]:
    descriptor = os.open(name, _FILE, dir_fd=directory)
    try:
        found = os.fstat(descriptor)
        if not modes.S_ISREG(found.st_mode) or found.st_size > most:
            return _entry(key, found), None
        data = os.read(descriptor, found.st_size + 1)
        while len(data) < found.st_size and (more := os.read(descriptor, found.st_size + 1 - len(data))):
            data += more
        return _entry(key, found), data
    finally:
        os.close(descriptor)


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _entry(key: str, found: os.stat_result) -> StoredEntry:
    return StoredEntry(key, found.st_size, EntryKind.FILE if modes.S_ISREG(found.st_mode) else EntryKind.OTHER)


def _unavailable(store: str, verb: str, error: OSError) -> StoreUnavailableError:
    code = errno.errorcode.get(error.errno or 0, "OSError")
    return StoreUnavailableError(
        f"store {store} failed to {verb}: {error.strerror or error}", store=store, verb=verb, error=code
    )
