"""Puts a copy of an object right: what is damaged or missing is put back, what does not belong there is set aside.

Rules kept here
 * Content first, then inventories, the head last: whatever interrupts this, the copy is no worse than before, and
   the same repair goes on.
 * Nothing is destroyed that nobody knows: a strange file is copied to a folder of its own before it is removed.
 * What was found damaged must still be what lies there when it is replaced; an update that came in between wins.
 * A copy that is gone altogether is written as a new object, many of them sharing the durable steps.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive_core.digests import CHUNK, Digest, digest_stream
from archive_core.errors import ArchiveError, StoreUnavailableError, UnavailableError, UnknownObjectError
from archive_core.identifiers import new_token
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ocfl.vocabulary import INVENTORY
from archive_core.ports import EntryKind, NewFile, NewHead, NewObject, PutBack, StoredEntry
from archive_core.repair.gathering import Gathered, Gathering, NoGoodCopyError
from archive_core.repair.looking import Differences, Fault, FaultCode
from archive_core.repair.wanted import SIDECAR, Wanted

GROUP_OBJECTS, GROUP_BYTES = 200, 64 * 1024 * 1024
"""How much of absent objects is written to a store at once."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A file (or a whole object that was missing) that was put right: the sha512 of what lay there before and of what
    lies there now (of an object, that of its head), and which stores gave the bytes."""

    store: str
    path: str
    code: str
    before: Digest | None
    after: Digest | None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmended:
    """A file that could not be put right, why, and how many of its bytes no copy has."""

    store: str
    path: str
    code: str
    message: str
    lost: int = 0


Tell = Callable[[Mended | Unmended], None]


class SetAside:
    """A folder on this machine for what does not belong into a store and was in one. What lies there stays: other bytes
    of the same name get a number behind it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, root: StorageRoot, entries: Sequence[StoredEntry], tell: Tell) -> None:
        """Copy these, durably, and remove them from the store. What cannot be copied stays where it is."""
        taken: list[tuple[StoredEntry, Digest | None]] = []
        for entry in entries:
            try:
                digest = self._copy(root, entry) if entry.kind is EntryKind.FILE else None
            except (OSError, UnavailableError) as error:
                tell(Unmended(root.store.name, entry.key, FaultCode.EXTRA, f"cannot be set aside: {error}"))
            except UnknownObjectError:
                continue  # somebody took it away meanwhile
            else:
                taken.append((entry, digest))
        if taken:
            root.store.remove([entry.key for entry, _ in taken])
        for entry, digest in taken:
            tell(Mended(root.store.name, entry.key, FaultCode.EXTRA, digest, None))

    def _copy(self, root: StorageRoot, entry: StoredEntry) -> Digest:
        """Durable under its name when this returns; otherwise nothing of it is left."""
        target = self._folder / root.store.name / entry.key.encode("utf-8", "backslashreplace").decode("utf-8")
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(new_token())
        try:
            with root.store.open(entry.key) as stream, partial.open("xb") as copy:
                shutil.copyfileobj(stream, copy, CHUNK)
                copy.flush()
                os.fsync(copy.fileno())
            digest = _digest(partial)
            partial.replace(_place_for(target, digest))
        finally:
            partial.unlink(missing_ok=True)
        for folder in target.parents:  # names last only when their directories are synced
            _sync_directory(folder)
            if folder == self._folder.parent:
                break
        return digest


def _place_for(target: Path, digest: Digest) -> Path:
    """The name, or the first one with a number, that is free or holds the same bytes."""
    numbered = (target.with_name(f"{target.name}.{number}") for number in itertools.count(2))
    return next(
        place
        for place in itertools.chain([target], numbered)
        if not os.path.lexists(place) or (place.is_file() and _digest(place) == digest)
    )


def _digest(path: Path) -> Digest:
    with path.open("rb") as stream:
        return digest_stream(stream, ["sha512"])[0]["sha512"]


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mend(
    root: StorageRoot,
    wanted: Wanted,
    differences: Differences,
    gathering: Gathering,
    aside: SetAside,
    tell: Tell,
    renew: Callable[[], None],
) -> None:
    """Put right what differs in one store, file by file; what no copy has is told and left as it is. `renew` is
    called before each durable step. Raises `UnavailableError` when the store fails, `ConcurrentChangeError` when
    somebody changed the object meanwhile."""
    path = root.object_path(wanted.object_id)
    if differences.extras:
        renew()
        aside.take(root, differences.extras, tell)
    faults = {fault.key: fault for fault in differences.faults}
    for keys in _groups([key for key in wanted.files if key in faults]):
        found: list[tuple[Fault, Gathered]] = []
        for key in keys:
            good = _good(root, wanted, f"{path}/{key}", key, gathering, tell)
            if good is not None:
                found.append((faults[key], good))
        if found:
            renew()
            root.store.put_back([_put_back(path, fault, good) for fault, good in found])
        for fault, good in found:
            tell(Mended(root.store.name, f"{path}/{fault.key}", fault.code, fault.before, good.digest, good.stores))


def _groups(keys: Sequence[str]) -> list[list[str]]:
    """Content by content, then all that is the object's own: inventories and head together, in their order."""
    content = [[key] for key in keys if "/content/" in key]
    own = [key for key in keys if "/content/" not in key]
    return [*content, own] if own else content


def _good(root: StorageRoot, wanted: Wanted, path: str, key: str, gathering: Gathering, tell: Tell) -> Gathered | None:
    try:
        return gathering.file(key)
    except NoGoodCopyError as error:
        tell(Unmended(root.store.name, path, "NO_GOOD_COPY", str(error), error.lost))
    except UnavailableError as error:
        tell(Unmended(root.store.name, path, "COPY_AWAY", f"a copy that may be good does not answer: {error}"))
    return None


def _put_back(path: str, fault: Fault, good: Gathered) -> PutBack:
    file = NewFile(f"{path}/{fault.key}", good.source, good.digest, good.size)
    return PutBack(file, fault.before, unreadable=fault.code is FaultCode.UNREADABLE)


class Refilling:
    """Objects of which a store has nothing: gathered, and written many at a time."""

    def __init__(self, root: StorageRoot, tell: Tell, renew: Callable[[], None]) -> None:
        self._root = root
        self._tell = tell
        self._renew = renew
        self._waiting: list[tuple[NewObject, Mended]] = []
        self._bytes = 0

    def add(self, wanted: Wanted, gathering: Gathering) -> bool:
        """Take an object, if all of it is good somewhere; False, and told why, when not. Files that lie in scratch
        are written at once, because their folder goes."""
        path = self._root.object_path(wanted.object_id)
        files, sources = [], set[str]()
        at_once = False
        for key in wanted.files:
            good = _good(self._root, wanted, f"{path}/{key}", key, gathering, self._tell)
            if good is None:
                return False
            at_once = at_once or isinstance(good.source, Path)
            sources.update(good.stores)
            if key not in (INVENTORY, SIDECAR):
                files.append(NewFile(f"{path}/{key}", good.source, good.digest, good.size))
                self._bytes += good.size
        inventory = wanted.inventory
        head = NewHead(path, inventory.document, inventory.sidecar, inventory.sidecar_name, None)
        told = Mended(self._root.store.name, path, "OBJECT_MISSING", None, inventory.digest, tuple(sorted(sources)))
        self._waiting.append((NewObject(files, head), told))
        if at_once or len(self._waiting) >= GROUP_OBJECTS or self._bytes >= GROUP_BYTES:
            self.flush()
        return True

    def flush(self) -> None:
        """Durable and read back when this returns."""
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if not waiting:
            return
        self._renew()
        try:
            self._root.store.put_objects([item for item, _ in waiting])
        except StoreUnavailableError:
            raise
        except ArchiveError as error:
            for item, _ in waiting:
                self._tell(Unmended(self._root.store.name, item.head.object_path, error.code.upper(), str(error)))
            return
        for _, told in waiting:
            self._tell(told)
