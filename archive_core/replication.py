"""Puts a package on every required store, and reads from whichever copy is good.

Rules kept here
 * A package is *replicated* when every required store has said that it is durable and read back.
   Until another issue brings quorum and debts, every store is required.
 * Stores are written side by side; the first failure is reported after all have finished, so that no
   thread is left writing behind the caller's back.
 * A reader tries the stores in order. Damage in one copy is told to `on_damage` and the next copy is
   read; only when none is left does the damage reach the caller.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from archive_core.digests import CHUNK, Digest
from archive_core.errors import (
    ArchiveError,
    ConcurrentChangeError,
    DamageError,
    FixityError,
    InventoryCorruptError,
    SettingsError,
    UnavailableError,
    UnknownObjectError,
)
from archive_core.identifiers import URN_PREFIX, is_poid
from archive_core.ocfl.inventory import MAX_INVENTORY_BYTES, Inventory
from archive_core.ocfl.package import ArchivalPackage, PackageFile
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ocfl.vocabulary import INVENTORY

T = TypeVar("T")

DamageListener = Callable[[str, str, ArchiveError], None]
"""Told the store's name, what was read, and what was wrong. What was read begins with the object's id
or POID and, where one was asked for, the version: `0199… v2 data/a.pdf`."""

_ABOUT = re.compile(rf"(?:{URN_PREFIX})?([0-9a-f]{{32}})(?: v([1-9][0-9]{{0,8}})(?: |$))?")


def about(what: str) -> tuple[str | None, int | None]:
    """The POID and version of which a `DamageListener` was told; None for what it was not about."""
    found = _ABOUT.match(what)
    if found is None or not is_poid(found[1]):
        return None, None
    return found[1], int(found[2]) if found[2] else None


def ignore_damage(store: str, what: str, error: ArchiveError) -> None:
    """For readers that only compare copies and report the damage themselves."""


class Copies:
    """All stores of the archive, as one place to write to and to read from."""

    def __init__(self, roots: Sequence[StorageRoot], scratch: Path) -> None:
        """`scratch` is a directory for files on their way from one store to another."""
        if not roots:
            raise ValueError("an archive needs at least one store")
        self.roots = tuple(roots)
        self._scratch = scratch
        self._pool = ThreadPoolExecutor(len(self.roots), thread_name_prefix="store")

    @property
    def scratch(self) -> Path:
        """A folder on this machine for work that may be lost."""
        return self._scratch

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(root.store.name for root in self.roots)

    def replicate(self, package: ArchivalPackage) -> tuple[str, ...]:
        """Write the package to every store; returns their names. Raises the first store's error
        after every store has finished, `ConflictError`s before others: a conflict is an answer,
        unavailability is not."""
        return self.start([package]).finish()

    def replicate_in_turn(self, package: ArchivalPackage) -> tuple[str, ...]:
        """As `replicate`, but the first store decides: the others are written when it has taken the package.

        For objects that are claimed by writing them. Of two processes that claim one number at once, the
        loser has then written nothing anywhere; side by side, each could win on another store."""
        self.roots[0].write_version(package)
        others = [self._pool.submit(root.write_versions, [package]) for root in self.roots[1:]]
        return Replication(self.names, others).finish()

    def start(self, packages: Sequence[ArchivalPackage]) -> Replication:
        """Begin to write packages of different objects to every store, sharing the durable steps."""
        for package in packages:
            _ = package.inventory  # made once, and not by every store's thread at the same time
        return Replication(self.names, [self._pool.submit(root.write_versions, packages) for root in self.roots])

    def read(self, what: str, reader: Callable[[StorageRoot], T], on_damage: DamageListener) -> T:
        """The first good answer of `reader` over the stores, in order.

        Raises `UnknownObjectError` when no store has it, `FixityError` when all that have it are
        damaged, `UnavailableError` when none could be asked.
        """
        problems: list[ArchiveError] = []
        for root in self.roots:
            try:
                return reader(root)
            except (DamageError, UnavailableError, UnknownObjectError, SettingsError) as found:
                # A root that does not declare itself any more as it was made is a damaged copy.
                error = FixityError(f"store {root.store.name}: {found}") if isinstance(found, SettingsError) else found
                problems.append(error)
                if not isinstance(error, UnknownObjectError):
                    on_damage(root.store.name, what, error)
        raise worst_of(problems, what)

    def read_acknowledged(self, what: str, reader: Callable[[StorageRoot], T], on_damage: DamageListener) -> T:
        """As `read`, of something that somebody was told is kept: where it is missing, that is damage.

        Raises `FixityError` when no store has it whole, `UnavailableError` when none could be asked.
        """

        def strict(root: StorageRoot) -> T:
            try:
                return reader(root)
            except UnknownObjectError as error:
                raise FixityError(f"{what} is missing in the store {root.store.name}") from error

        return self.read(what, strict, on_damage)

    def inventory(self, object_id: str, on_damage: DamageListener) -> Inventory:
        """The root inventory of an object, from the first store whose copy is sound."""

        def reader(root: StorageRoot) -> Inventory:
            found = root.read_inventory(object_id)
            if found is None:
                raise UnknownObjectError(f"{object_id} is not in the store {root.store.name}")
            return found

        return self.read(object_id, reader, on_damage)

    def inventory_before(self, object_id: str, version: int, on_damage: DamageListener) -> Inventory:
        """The inventory on which version `version` is built: the one whose head is the version before.

        The root inventory may already be that of `version` where an interrupted write is repeated.
        """

        def reader(root: StorageRoot) -> Inventory:
            return version_inventory(root, object_id, version - 1)

        return self.read(f"{object_id} v{version - 1}", reader, on_damage)

    def read_file(
        self, object_id: str, version: int, logical_path: str, *, limit: int, on_damage: DamageListener
    ) -> bytes:
        """A whole verified file of at most `limit` bytes."""
        return self.read(
            f"{object_id} v{version} {logical_path}",
            lambda root: root.read_file(object_id, version, logical_path, limit),
            on_damage,
        )

    def spread(self, object_id: str, source: StorageRoot) -> list[str]:
        """Write the versions of an object that one store holds to the stores that lack them, and
        return the names of those stores.

        Each version is read and verified from `source` and written by the same `write_version` as
        any other. Raises as `replicate` does, and `ConcurrentChangeError` when two stores hold
        different objects under one id.
        """
        head = source.read_inventory(object_id)
        if head is None:
            raise UnknownObjectError(f"{object_id} is not in the store {source.store.name}")
        written = []
        for root in self.roots:
            there = root.read_inventory(object_id)
            known = there.head_number if there else 0
            for version in range(known + 1, head.head_number + 1):
                with TemporaryDirectory(dir=self._scratch) as folder:
                    root.write_version(package_of(source, object_id, version, Path(folder)))
                written.append(root.store.name)
        return sorted(set(written))

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        for root in self.roots:
            root.store.close()


class Replication:
    """Packages on their way to every store."""

    def __init__(self, stores: tuple[str, ...], futures: Sequence[Future[list[Inventory]]]) -> None:
        self._stores = stores
        self._futures = futures

    def finish(self) -> tuple[str, ...]:
        """The names of the stores, once all of them have everything. Raises as `Copies.replicate`;
        then some of the packages may be on some of the stores."""
        errors = [error for future in self._futures if (error := future.exception())]
        for error in sorted(errors, key=lambda error: isinstance(error, UnavailableError)):
            raise error
        return self._stores

    def wait(self) -> None:
        """No store is writing any more, whatever has become of it."""
        wait(self._futures)


def worst_of(problems: Sequence[ArchiveError], what: str) -> ArchiveError:
    """What to tell the caller when every copy failed: damage over unavailability over absence."""
    damaged = [error for error in problems if isinstance(error, DamageError)]
    away = [error for error in problems if isinstance(error, UnavailableError)]
    if damaged and not away:
        return FixityError(f"no good copy is left of {what}: {'; '.join(str(error) for error in damaged)}")
    if away:
        return away[0]
    return UnknownObjectError(f"{what} is on no store")


def version_inventory(root: StorageRoot, object_id: str, version: int) -> Inventory:
    """The inventory that was the object's head when it had `version` versions.

    Raises `UnknownObjectError` when the store has no such version and `InventoryCorruptError` when
    that version's inventory and its sidecar differ.
    """
    head = root.read_inventory(object_id)
    if head is None:
        raise UnknownObjectError(f"{object_id} is not in the store {root.store.name}")
    if head.head_number == version:
        return head
    folder = f"{root.object_path(object_id)}/{head.version_name(version)}"
    document = _read(root, f"{folder}/{INVENTORY}", MAX_INVENTORY_BYTES)
    inventory = Inventory.parse(document, f"{root.store.name}:{folder}")
    if _read(root, f"{folder}/{inventory.sidecar_name}", len(inventory.sidecar)) != inventory.sidecar:
        raise InventoryCorruptError(f"the inventory in {folder} of the store {root.store.name} is damaged")
    return inventory


def package_of(root: StorageRoot, object_id: str, version: int, scratch: Path) -> ArchivalPackage:
    """One version of a stored object as a package that writes the very same bytes elsewhere.

    What the version brought is read, verified and kept below `scratch` until the caller is done.
    Raises `ConcurrentChangeError` for an object that another program wrote in another form.
    """
    inventory = version_inventory(root, object_id, version)
    previous = version_inventory(root, object_id, version - 1) if version > 1 else None
    known = previous.digests if previous else frozenset()
    block = inventory.versions[inventory.version_name(version)]
    files = {}
    for number, (path, digest) in enumerate(sorted(inventory.state(version).items())):
        source: bytes | Path = b""  # not read: the version before holds it already
        size = 0
        if digest not in known:
            source = scratch / str(number)
            with root.open_file(object_id, version, path, inventory=inventory) as stored, source.open("wb") as copy:
                shutil.copyfileobj(stored, copy, CHUNK)
            size = source.stat().st_size
        files[path] = PackageFile(source, Digest.from_hex(inventory.digest_algorithm, digest), size)
    package = ArchivalPackage(
        object_id=object_id,
        version=version,
        created=datetime.fromisoformat(block.created),
        message=block.message or "",
        user_name=block.user_name or "",
        user_address=block.user_address or "",
        files=files,
        previous=previous,
    )
    if package.inventory.document != inventory.document:
        raise ConcurrentChangeError(f"{object_id} v{version} was not written by this program; copy it by hand")
    return package


def _read(root: StorageRoot, key: str, limit: int) -> bytes:
    data = root.read_optional(key, limit)
    if data is None:
        raise UnknownObjectError(f"{key} is not in the store {root.store.name}")
    return data
