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

import os
import stat as modes
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from archive_core.digests import Digest, digest_stream
from archive_core.errors import (
    AlreadyExistsError,
    ConcurrentChangeError,
    SettingsError,
    UnknownObjectError,
)
from archive_core.ports import KnownBytes, NewFile, NewHead, NewObject, ObjectStore, PutBack, StoredEntry
from storage_backends.copier import Copier
from storage_backends.durable import DurableFiles
from storage_backends.group import Staged, StagedTree, WriteGroup
from storage_backends.keys import check_key, check_new_key, check_new_keys, check_new_objects, check_prefix
from storage_backends.reader import Reader
from storage_backends.staging import Staging
from storage_backends.tree import Tree

INVENTORY = "inventory.json"


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
        self._tree = Tree(name, str(root.absolute()))
        self._staging = Staging((staging or root.absolute().with_name(root.name + ".staging")).absolute())
        self._files = files or DurableFiles()
        self._cold_read_back = cold_read_back

    @classmethod
    def create(cls, name: str, root: Path, staging: Path | None = None, **options: Any) -> FilesystemStore:
        """The store, its root directory made durable if it was not there."""
        store = cls(name, root, staging, **options)
        with store._tree.errors("create"):
            for path in reversed([path for path in (store.root, *store.root.parents) if not path.exists()]):
                store._files.make_directory(str(path))
                store._files.sync_path(str(path.parent), directory=True)
        return store

    @property
    def name(self) -> str:
        return self._name

    @property
    def root(self) -> Path:
        return Path(self._tree.root)

    # -- files --------------------------------------------------------------------------------

    def put_new(self, files: Sequence[NewFile]) -> None:
        check_new_keys(file.key for file in files)
        with self._group("put_new") as group:
            settled, staged = [], []
            for file in files:
                if self._holds(file.key, file.expected, group):
                    settled.append(self._tree.path(file.key))
                else:
                    staged.append(group.stage(file.source, file.key, file.expected, file.size))
            # A file that was there may be the unsynced work of a writer that died: sync it too.
            group.sync_contents(settled)
            group.read_back()
            for path in settled:
                group.touched.update(self._ways_to(path))
            lost = [self._tree.path(item.key) for item in staged if not self._publish(item, group)]
            self._sync_names(group, lost)

    def _holds(self, key: str, expected: Digest, group: WriteGroup) -> bool:
        """Whether the key holds the expected bytes; raises when it holds anything else."""
        if self._tree.lstat(key, group.known) is None:
            return False
        try:
            with self._tree.open(key, group.known) as stream:
                found = digest_stream(stream, [expected.algorithm])[0][expected.algorithm]
        except UnknownObjectError as error:
            raise AlreadyExistsError("something else than a file has that key", store=self._name, key=key) from error
        if found != expected:
            raise AlreadyExistsError("that key holds other bytes", store=self._name, key=key)
        return True

    def _publish(self, item: Staged, group: WriteGroup) -> bool:
        """Name a staged file; False when another writer named the same bytes first."""
        self._make_parents(item.key, group)
        try:
            self._files.publish(item.path, self._tree.path(item.key))
        except FileExistsError:
            if self._holds(item.key, item.expected, group):
                return False
            raise
        group.named(item)
        return True

    def _make_parents(self, key: str, group: WriteGroup) -> None:
        """Make the directories of a key that are missing; `touched` gets each one whose names change."""
        parts = key.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            directory = "/".join(parts[:depth])
            if directory in group.known:
                continue
            path = self._tree.path(directory)
            try:
                self._files.make_directory(path)
                group.touched.add(os.path.dirname(path))
            except FileExistsError:
                if not modes.S_ISDIR(os.lstat(path).st_mode):
                    raise AlreadyExistsError(
                        "a file stands where a directory is needed", store=self._name, key=directory
                    ) from None
            group.known.add(directory)
        group.touched.add(os.path.dirname(self._tree.path(key)))

    def _ways_to(self, path: str) -> Iterator[str]:
        """The directories from the root down to a file, whose names it takes to find it."""
        while path != self._tree.root:
            path = os.path.dirname(path)
            yield path

    def _sync_names(self, group: WriteGroup, files: Sequence[str] = ()) -> None:
        """The names given so far are durable. A rename changes the directory that a file leaves as
        well, so the staging session is synced too."""
        if group.touched:
            group.syncs.sync(files=files, directories={*group.touched, self._staging.session()})
            group.touched.clear()

    # -- heads --------------------------------------------------------------------------------

    def replace_head(
        self, object_path: str, inventory: bytes, sidecar: bytes, sidecar_name: str, *, expected: Digest | None
    ) -> None:
        self.replace_heads([NewHead(object_path, inventory, sidecar, sidecar_name, expected)])

    def replace_heads(self, heads: Sequence[NewHead]) -> None:
        check_new_keys(head.object_path for head in heads)
        for head in heads:
            check_new_key(f"{head.object_path}/{head.sidecar_name}")
        with self._group("replace_heads") as group, self._staging.heads_locked():
            changes = [self._head_is_to_change(head, group) for head in heads]
            inventories, sidecars = [], []
            for head, changed in zip(heads, changes, strict=True):
                inventory, sidecar = _head_files(head)
                if changed:
                    inventories.append(group.stage(inventory.source, inventory.key, inventory.expected, inventory.size))
                sidecars.append(group.stage(sidecar.source, sidecar.key, sidecar.expected, sidecar.size))
            group.sync_contents()
            group.read_back()
            for items in (inventories, sidecars):  # the second only when the first is durable
                for item in items:
                    self._make_parents(item.key, group)
                    self._files.replace(item.path, self._tree.path(item.key))
                    group.named(item)
                self._sync_names(group)

    def _head_is_to_change(self, head: NewHead, group: WriteGroup) -> bool:
        """Whether the root inventory must be written; raises when it is not the expected one."""
        try:
            with self._tree.open(f"{head.object_path}/{INVENTORY}", group.known) as stream:
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

    # -- whole objects --------------------------------------------------------------------------

    def put_objects(self, objects: Sequence[NewObject]) -> None:
        check_new_objects(objects)
        with self._group("put_objects") as group:
            fresh: list[NewObject] = []
            met: list[NewObject] = []
            for item in objects:
                there = self._tree.lstat(item.head.object_path, group.known) is not None
                (met if there else fresh).append(item)
            self._put_beside(met)
            trees = [
                (item, group.stage_tree(item.head.object_path, [*item.files, *_head_files(item.head)]))
                for item in fresh
            ]
            group.sync_contents()
            group.read_back()
            lost = [item for item, tree in trees if not self._publish_tree(tree, group)]
            self._sync_names(group)
            self._put_beside(lost)

    def _put_beside(self, objects: Sequence[NewObject]) -> None:
        """Objects at whose path something lies: left by an interrupted write, or another writer's."""
        if objects:
            self.put_new([file for item in objects for file in item.files])
            self.replace_heads([item.head for item in objects])

    def _publish_tree(self, tree: StagedTree, group: WriteGroup) -> bool:
        """Name a staged object; False when another writer was first."""
        self._make_parents(tree.key, group)
        try:
            self._files.publish_tree(tree.path, self._tree.path(tree.key))
        except FileExistsError:
            return False
        group.named(tree)
        return True

    # -- repair ---------------------------------------------------------------------------------

    def put_back(self, files: Sequence[PutBack]) -> None:
        check_new_keys(item.file.key for item in files)
        with self._group("put_back") as group:
            staged = [
                group.stage(item.file.source, item.file.key, item.file.expected, item.file.size) for item in files
            ]
            group.sync_contents()
            group.read_back()
            with self._staging.heads_locked():  # a head among them may be being replaced by an update
                for item, aside in zip(files, staged, strict=True):
                    self._require_before(item, group)
                    self._make_parents(aside.key, group)
                    self._files.replace(aside.path, self._tree.path(aside.key))
                    group.named(aside)
                self._sync_names(group)

    def _require_before(self, item: PutBack, group: WriteGroup) -> None:
        """What lies under the key is what was found there, or what is to stand there."""
        key = item.file.key
        found = self._tree.lstat(key, group.known)
        if found is not None and not modes.S_ISREG(found.st_mode):
            raise AlreadyExistsError("something else than a file has that key", store=self._name, key=key)
        if item.unreadable:
            return
        lies = None
        if found is not None:
            with self._tree.open(key, group.known) as stream:
                lies = digest_stream(stream, ["sha512"])[0]["sha512"]
        if lies not in (item.before, item.file.expected):
            raise ConcurrentChangeError(
                "a file changed while it was to be put back", store=self._name, key=key, found=str(lies)
            )

    def remake(self) -> bool:
        if os.path.isdir(self._tree.root):
            return False
        with self._tree.errors("remake"):
            self._files.make_directory(self._tree.root)
            self._files.sync_path(os.path.dirname(self._tree.root), directory=True)
        return True

    def beside(self, what: str) -> FilesystemStore:
        """In the staging area, which is on the same file system; made on first use."""
        check_new_key(what)
        place = self._staging.area.with_name(f"{self._staging.area.name}.{what}")
        return FilesystemStore.create(self._name, place / "root", place / "staging", files=self._files)

    # -- removal --------------------------------------------------------------------------------

    def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            check_key(key)
        with self._group("remove") as group:
            for key, found in [(key, self._tree.lstat(key)) for key in keys]:
                if found is None:
                    continue
                path = self._tree.path(key)
                if modes.S_ISDIR(found.st_mode):
                    self._files.remove_directory(path)
                elif modes.S_ISREG(found.st_mode):
                    self._remove_that(key, found)
                else:
                    self._files.remove(path)
                group.touched.add(os.path.dirname(path))
            self._prune(group)
            group.syncs.sync(directories=map(self._standing, group.touched))

    def _standing(self, path: str) -> str:
        """The directory, or the nearest above it that is there: another process may have removed empty ones."""
        while path != self._tree.root and not os.path.isdir(path):
            path = os.path.dirname(path)
        return path

    def _remove_that(self, key: str, found: os.stat_result) -> None:
        """Remove a file if it is still the one that was found. A disk may keep a removal waiting for minutes, and
        what another writer has put under the key meanwhile is not the one that was to go: so it gets another name
        first, is looked at, and gets its own back when it is another file."""
        path, aside = self._tree.path(key), self._staging.new_path()
        try:
            self._files.publish(path, aside)
        except FileNotFoundError:
            return  # somebody else has removed it
        taken = os.lstat(aside)
        if (taken.st_ino, taken.st_mtime_ns) != (found.st_ino, found.st_mtime_ns):
            self._files.publish(aside, path)
            raise ConcurrentChangeError("a file changed while it was to be removed", store=self._name, key=ascii(key))
        self._files.remove(aside)

    def purge_object(self, object_path: str) -> None:
        check_key(object_path)
        with self._group("purge_object") as group:
            self._staging.clear_leftovers()  # where an interrupted purge has left what it had begun to remove
            found = self._tree.lstat(object_path)
            if found is None:
                # A purge that was interrupted behind its rename may not be durable yet.
                above = os.path.dirname(self._tree.path(object_path))
                group.syncs.sync(directories=[above] if os.path.isdir(above) else [])
                return
            # Renamed aside first: the object is gone at once and whole, whatever happens to its files.
            aside, path = self._staging.new_path(), self._tree.path(object_path)
            self._files.publish_tree(path, aside)
            group.syncs.sync(directories=[os.path.dirname(path), os.path.dirname(aside)])
            self._destroy(aside)
            group.touched.add(os.path.dirname(path))
            self._prune(group)
            group.syncs.sync(directories=[*group.touched, os.path.dirname(aside)])

    def _destroy(self, path: str) -> None:
        """Remove what lies aside, file by file."""
        if not os.path.isdir(path) or os.path.islink(path):
            self._files.remove(path)
            return
        for folder, directories, files in os.walk(path, topdown=False):
            for name in files:
                self._files.remove(os.path.join(folder, name))
            for name in directories:
                below = os.path.join(folder, name)
                (self._files.remove if os.path.islink(below) else self._files.remove_directory)(below)
        self._files.remove_directory(path)

    def _prune(self, group: WriteGroup) -> None:
        """Remove the touched directories that are empty now, and upwards."""
        waiting = sorted(group.touched, key=len)
        while waiting:
            path = waiting.pop()
            if path == self._tree.root or not os.path.isdir(path) or os.listdir(path):
                continue
            self._files.remove_directory(path)
            group.touched.discard(path)
            group.touched.add(os.path.dirname(path))
            waiting.append(os.path.dirname(path))

    # -- reading ------------------------------------------------------------------------------

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        check_key(key)
        with self._tree.errors("open"):
            self._tree.require()
            return self._tree.open(key)

    def stat(self, key: str) -> StoredEntry | None:
        check_key(key)
        with self._tree.errors("stat"):
            self._tree.require()
            return self._tree.stat(key)

    def list(self, prefix: str = "") -> Iterator[StoredEntry]:
        check_prefix(prefix)
        with self._tree.errors("list"):
            self._tree.require()
        return self._tree.walk(prefix)

    def read_below(self, prefix: str, most: int) -> Iterator[tuple[StoredEntry, bytes | None]]:
        check_prefix(prefix)
        with self._tree.errors("read"):
            self._tree.require()
            yield from self._tree.read_below(prefix, most)

    def lend_reader(self) -> Reader:
        return Reader(self._name, self.root, self._staging.area)

    def lend_copier(self, target: ObjectStore) -> Copier | None:
        """A process that copies into another directory, where both are written in the everyday way."""
        if not isinstance(target, FilesystemStore) or not (self._is_everyday() and target._is_everyday()):
            return None
        ours, theirs = ((one._name, one.root, one._staging.area) for one in (self, target))
        return Copier(ours, theirs)

    def _is_everyday(self) -> bool:
        """Whether a store that is made of the same places keeps the same promises."""
        return type(self._files) is DurableFiles and not self._cold_read_back

    def children(self, prefix: str = "") -> Sequence[str]:
        check_prefix(prefix)
        with self._tree.errors("list"):
            self._tree.require()
            return self._tree.children(prefix)

    def leftovers(self) -> Sequence[str]:
        with self._tree.errors("look for leftovers"):
            return self._staging.leftovers()

    def clear_leftovers(self) -> Sequence[str]:
        with self._tree.errors("clear leftovers"):
            return self._staging.clear_leftovers()

    def close(self) -> None:
        """Nothing is held between two verbs but the staging session, which ends with the process."""

    # -- common -------------------------------------------------------------------------------

    @contextmanager
    def _group(self, verb: str) -> Iterator[WriteGroup]:
        """One group of writes; the root and the staging area are there and on one file system, and
        nothing stays staged, however it ends."""
        with self._tree.errors(verb):
            self._tree.require()
            if os.stat(self._staging.session()).st_dev != os.stat(self._tree.root).st_dev:
                raise SettingsError(
                    "the staging area of a store must lie on the file system of its root",
                    store=self._name,
                    staging=str(self._staging.area),
                )
            with self._files.group(self._tree.root) as syncs:
                group = WriteGroup(self._name, self._files, syncs, self._staging.new_path, cold=self._cold_read_back)
                try:
                    yield group
                finally:
                    group.discard()


def _head_files(head: NewHead) -> tuple[NewFile, NewFile]:
    """A head as its two files: the root inventory and its sidecar."""
    first, second = f"{head.object_path}/{INVENTORY}", f"{head.object_path}/{head.sidecar_name}"
    return _file(first, head.inventory), _file(second, head.sidecar)


def _file(key: str, data: bytes) -> NewFile:
    return NewFile(key, KnownBytes(data), Digest.of("sha512", data), len(data))
