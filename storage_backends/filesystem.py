"""A storage root in a directory.

Rules kept here
 * Order of every write: staged aside, contents synced, read back, named, both directories synced.
   A rename alone is not durable, and a synced name without synced contents is an empty file.
 * A staged file is read back before it gets its name, so wrong bytes never stand under a key; the
   inode does not change with its name.
 * Symbolic links are never followed, below the root, in any part of a key.
 * A root directory that is not there is an outage and is never made by a write: an unmounted disk
   must not fill its mount point. `FilesystemStore.create` makes one, on purpose.
 * No OSError leaves this module.
"""

from __future__ import annotations

import errno
import io
import os
import stat as modes
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from archive_core.digests import Digest, digest_stream
from archive_core.errors import (
    AlreadyExistsError,
    ConcurrentChangeError,
    FixityError,
    SettingsError,
    StoreUnavailableError,
    UnknownObjectError,
)
from archive_core.ports import EntryKind, NewFile, NewHead, StoredEntry
from storage_backends.durable import DurableFiles, SyncGroup
from storage_backends.keys import check_key, check_new_key, check_new_keys, check_prefix
from storage_backends.staging import Staging

INVENTORY = "inventory.json"


@dataclass(frozen=True, slots=True)
class _Staged:
    path: Path
    final: Path
    expected: Digest


class FilesystemStore:
    """One OCFL storage root in a directory; keeps every promise of `ObjectStore`.

    `staging` lies on the same file system, by default `<root>.staging` beside the root (give it
    explicitly where the root is itself a mount point). `cold_read_back` drops the written pages
    from the cache before they are read back: slower by a factor of about two, but then it is the
    device that answers.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        staging: Path | None = None,
        *,
        files: DurableFiles | None = None,
        cold_read_back: bool = False,
    ) -> None:
        self._name = name
        self._root = root.absolute()
        self._staging = Staging((staging or root.with_name(root.name + ".staging")).absolute())
        self._files = files or DurableFiles()
        self._cold_read_back = cold_read_back

    @classmethod
    def create(cls, name: str, root: Path, staging: Path | None = None, **options: Any) -> FilesystemStore:
        """The store, its root directory made durable if it was not there."""
        store = cls(name, root, staging, **options)
        with store._errors("create"):
            new = [path for path in (store._root, *store._root.parents) if not path.exists()]
            for path in reversed(new):
                store._files.make_directory(path)
                store._files.sync_path(path.parent, directory=True)
        return store

    @property
    def name(self) -> str:
        return self._name

    @property
    def root(self) -> Path:
        return self._root

    # -- writing ------------------------------------------------------------------------------

    def put_new(self, files: Sequence[NewFile]) -> None:
        check_new_keys(file.key for file in files)
        with self._errors("put_new"), self._group() as group:
            staged: list[_Staged] = []
            settled: list[Path] = []
            try:
                for file in files:
                    final = self._path(file.key)
                    if self._holds(final, file.expected, file.key):
                        settled.append(final)
                    else:
                        staged.append(self._stage(file.source, final, file.expected))
                # A file that was there may be the unsynced work of a writer that died: sync it too.
                group.sync(files=[*(item.path for item in staged), *settled])
                self._read_back(staged)
                touched = {path.parent for path in settled}
                lost = [item.final for item in staged if not self._publish(item, touched)]
                group.sync(files=lost, directories=self._with_staging(touched))
            finally:
                self._drop(staged)

    def _stage(self, source: bytes | Path, final: Path, expected: Digest) -> _Staged:
        path = self._staging.new_path()
        try:
            self._files.write(path, source)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return _Staged(path, final, expected)

    def _publish(self, item: _Staged, touched: set[Path]) -> bool:
        """Name a staged file; False when another writer named the same bytes first."""
        self._make_parents(item.final, touched)
        try:
            self._files.publish(item.path, item.final)
        except FileExistsError:
            if self._holds(item.final, item.expected, self._key(item.final)):
                return False
            raise
        return True

    def replace_head(
        self, object_path: str, inventory: bytes, sidecar: bytes, sidecar_name: str, *, expected: Digest | None
    ) -> None:
        self.replace_heads([NewHead(object_path, inventory, sidecar, sidecar_name, expected)])

    def replace_heads(self, heads: Sequence[NewHead]) -> None:
        check_new_keys(head.object_path for head in heads)
        for head in heads:
            check_new_key(f"{head.object_path}/{head.sidecar_name}")
        with self._errors("replace_heads"), self._group() as group, self._staging.heads_locked():
            changes = [self._head_is_to_change(head) for head in heads]
            inventories: list[_Staged] = []
            sidecars: list[_Staged] = []
            try:
                for head, changed in zip(heads, changes, strict=True):
                    path = self._path(head.object_path)
                    if changed:
                        inventories.append(self._stage_bytes(head.inventory, path / INVENTORY))
                    sidecars.append(self._stage_bytes(head.sidecar, path / head.sidecar_name))
                group.sync(files=[item.path for item in (*inventories, *sidecars)])
                self._read_back([*inventories, *sidecars])
                self._replace(inventories, group)
                self._replace(sidecars, group)
            finally:
                self._drop([*inventories, *sidecars])

    def _stage_bytes(self, data: bytes, final: Path) -> _Staged:
        return self._stage(data, final, Digest.of("sha512", data))

    def _head_is_to_change(self, head: NewHead) -> bool:
        """Whether the root inventory must be written; raises when it is not the expected one."""
        path = self._path(head.object_path) / INVENTORY
        try:
            with self._open_regular(path, f"{head.object_path}/{INVENTORY}") as stream:
                found: Digest | None = digest_stream(stream, ["sha512"])[0]["sha512"]
        except UnknownObjectError:
            found = None
        if found == Digest.of("sha512", head.inventory):
            return False
        if found != head.expected:
            raise ConcurrentChangeError(
                "the root inventory is not the one that was to be replaced",
                store=self._name,
                object_path=head.object_path,
                expected=str(head.expected),
                found=str(found),
            )
        return True

    def _replace(self, items: Sequence[_Staged], group: SyncGroup) -> None:
        """Put the items in place and make that durable, so that what comes next comes after."""
        touched: set[Path] = set()
        for item in items:
            self._make_parents(item.final, touched)
            self._files.replace(item.path, item.final)
        if items:
            group.sync(directories=self._with_staging(touched))

    def remove(self, keys: Sequence[str]) -> None:
        check_new_keys(keys)
        with self._errors("remove"), self._group() as group:
            touched: set[Path] = set()
            for key in keys:
                path = self._path(key)
                if self._lstat(path) is None:
                    continue
                self._files.remove(path)
                touched.add(path.parent)
            group.sync(directories=self._prune(touched))

    def _prune(self, directories: set[Path]) -> set[Path]:
        """Remove the directories that are empty now, upwards; those whose names changed remain."""
        waiting, changed = sorted(directories, key=lambda path: len(path.parts)), set(directories)
        while waiting:
            path = waiting.pop()
            if path != self._root and path.is_dir() and not any(path.iterdir()):
                self._files.remove_directory(path)
                changed.discard(path)
                changed.add(path.parent)
                waiting.append(path.parent)
                waiting.sort(key=lambda item: len(item.parts))
        return changed

    def _make_parents(self, final: Path, touched: set[Path]) -> None:
        """Make what is missing between the root and a file; `touched` gets every directory whose
        names change, the file's own among them."""
        touched.add(final.parent)
        missing = []
        path = final.parent
        while path != self._root and (found := self._lstat(path)) is None:
            missing.append(path)
            path = path.parent
        if path != self._root and not modes.S_ISDIR(found.st_mode if found else 0):
            raise AlreadyExistsError("a file stands where a directory is needed", key=self._key(path))
        for path in reversed(missing):
            try:
                self._files.make_directory(path)
            except FileExistsError:
                if not modes.S_ISDIR(os.lstat(path).st_mode):
                    raise
            touched.update((path, path.parent))

    def _read_back(self, items: Sequence[_Staged]) -> None:
        for item in items:
            with open(item.path, "rb", buffering=0) as stream:
                if self._cold_read_back and hasattr(os, "posix_fadvise"):
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                algorithm = item.expected.algorithm
                found = digest_stream(cast(BinaryIO, stream), [algorithm])[0][algorithm]
            if found != item.expected:
                raise FixityError(
                    "what was written does not read back with the expected digest",
                    store=self._name,
                    key=self._key(item.final),
                )

    def _holds(self, final: Path, expected: Digest, key: str) -> bool:
        """Whether the key holds the expected bytes; raises when it holds anything else."""
        if self._lstat(final) is None:
            return False
        try:
            with self._open_regular(final, key) as stream:
                found = digest_stream(stream, [expected.algorithm])[0][expected.algorithm]
        except UnknownObjectError as error:
            raise AlreadyExistsError("something else than a file has that key", store=self._name, key=key) from error
        if found != expected:
            raise AlreadyExistsError("that key holds other bytes", store=self._name, key=key)
        return True

    def _drop(self, items: Sequence[_Staged]) -> None:
        for item in items:
            item.path.unlink(missing_ok=True)

    def _with_staging(self, directories: set[Path]) -> set[Path]:
        """Renaming changes the directory that a file leaves as well: both are synced."""
        return {*directories, self._staging.session()} if directories else set()

    # -- reading ------------------------------------------------------------------------------

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        check_key(key)
        with self._errors("open"):
            self._require_root()
            return self._open_regular(self._path(key), key)

    def _open_regular(self, path: Path, key: str) -> BinaryIO:
        found = self._lstat(path)
        if found is None or not modes.S_ISREG(found.st_mode):
            raise UnknownObjectError("there is no file under that key", store=self._name, key=ascii(key))
        return cast(BinaryIO, io.BufferedReader(_StoreFile(path, self._name, key), 128 * 1024))

    def stat(self, key: str) -> StoredEntry | None:
        parts = check_key(key)
        with self._errors("stat"):
            self._require_root()
            found = self._lstat(self._root.joinpath(*parts))
            if found is None or modes.S_ISDIR(found.st_mode):
                return None
            regular = modes.S_ISREG(found.st_mode)
            return StoredEntry(key, found.st_size, EntryKind.FILE if regular else EntryKind.OTHER)

    def list(self, prefix: str = "") -> Iterator[StoredEntry]:
        parts = check_prefix(prefix)
        with self._errors("list"):
            self._require_root()
            start = self._root.joinpath(*parts)
            found = self._lstat(start)
        if found is not None and modes.S_ISDIR(found.st_mode):
            yield from self._walk(start, prefix)

    def _walk(self, start: Path, prefix: str) -> Iterator[StoredEntry]:
        """Depth first without recursion: a hostile tree may be deep."""
        waiting: list[tuple[str, str, bool]] = [(str(start), prefix, True)]
        while waiting:
            path, key, directory = waiting.pop()
            if not directory:
                with self._errors("list"):
                    found = os.lstat(path)
                regular = modes.S_ISREG(found.st_mode)
                yield StoredEntry(key, found.st_size, EntryKind.FILE if regular else EntryKind.OTHER)
                continue
            with self._errors("list"), os.scandir(path) as entries:
                below = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
            if not below and key:
                yield StoredEntry(key, 0, EntryKind.EMPTY_DIRECTORY)
            waiting += [
                (f"{path}/{name}", f"{key}/{name}" if key else name, is_directory)
                for name, is_directory in reversed(below)
            ]

    def children(self, prefix: str = "") -> Sequence[str]:
        parts = check_prefix(prefix)
        with self._errors("children"):
            self._require_root()
            start = self._root.joinpath(*parts)
            found = self._lstat(start)
            if found is None or not modes.S_ISDIR(found.st_mode):
                return []
            with os.scandir(start) as entries:
                return sorted(e.name + ("/" if e.is_dir(follow_symlinks=False) else "") for e in entries)

    def leftovers(self) -> Sequence[str]:
        with self._errors("leftovers"):
            return self._staging.leftovers()

    def clear_leftovers(self) -> Sequence[str]:
        with self._errors("clear_leftovers"):
            return self._staging.clear_leftovers()

    # -- common -------------------------------------------------------------------------------

    @contextmanager
    def _group(self) -> Iterator[SyncGroup]:
        """One group of writes; the root and the staging area are there and on one file system."""
        self._require_root()
        device = os.stat(self._staging.session()).st_dev
        if device != os.stat(self._root).st_dev:
            raise SettingsError(
                "the staging area of a store must lie on the file system of its root",
                store=self._name,
                staging=str(self._staging.area),
            )
        with self._files.group(self._root) as group:
            yield group

    def _require_root(self) -> None:
        if not self._root.is_dir():
            raise StoreUnavailableError(
                "the directory of a store is not there", store=self._name, directory=str(self._root)
            )

    def _path(self, key: str) -> Path:
        return self._root.joinpath(*check_key(key))

    def _key(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _lstat(self, path: Path) -> os.stat_result | None:
        """What lies at a path below the root, no link followed in any of its parts; else None."""
        current = self._root
        found: os.stat_result | None = None
        for part in path.relative_to(self._root).parts:
            if found is not None and not modes.S_ISDIR(found.st_mode):
                return None
            current = current / part
            try:
                found = os.lstat(current)
            except (FileNotFoundError, NotADirectoryError):
                return None
        return found if found is not None else os.lstat(current)

    @contextmanager
    def _errors(self, verb: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _unavailable(self._name, verb, error) from error


class _StoreFile(io.FileIO):
    """A file of a store: never through a link, and its read errors are the store's."""

    def __init__(self, path: Path, store: str, key: str) -> None:
        super().__init__(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW))
        self._where = (store, key)

    def readinto(self, buffer: Any) -> int | None:
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise _unavailable(*self._where, error) from error

    def readall(self) -> bytes:
        try:
            return super().readall()
        except OSError as error:
            raise _unavailable(*self._where, error) from error


def _unavailable(store: str, what: str, error: OSError) -> StoreUnavailableError:
    code = errno.errorcode.get(error.errno or 0, "OSError")
    return StoreUnavailableError(
        f"store {store} failed: {error.strerror or error}", store=store, what=ascii(what), error=code
    )
