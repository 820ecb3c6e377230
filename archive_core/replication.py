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

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from archive_core.errors import ArchiveError, DamageError, FixityError, UnavailableError, UnknownObjectError
from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.package import ArchivalPackage
from archive_core.ocfl.storage_root import StorageRoot

T = TypeVar("T")

DamageListener = Callable[[str, str, ArchiveError], None]
"""Told the store's name, what was read, and what was wrong."""


def ignore_damage(store: str, what: str, error: ArchiveError) -> None:
    """For readers that only compare copies and report the damage themselves."""


class Copies:
    """All stores of the archive, as one place to write to and to read from."""

    def __init__(self, roots: Sequence[StorageRoot]) -> None:
        if not roots:
            raise ValueError("an archive needs at least one store")
        self.roots = tuple(roots)
        self._pool = ThreadPoolExecutor(len(self.roots), thread_name_prefix="store")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(root.name for root in self.roots)

    def replicate(self, package: ArchivalPackage) -> tuple[str, ...]:
        """Write the package to every store; returns their names. Raises the first store's error
        after every store has finished, `ConflictError`s before others: a conflict is an answer,
        unavailability is not."""
        futures = [self._pool.submit(root.write_version, package) for root in self.roots]
        errors = [error for future in futures if (error := future.exception())]
        for error in sorted(errors, key=lambda error: isinstance(error, UnavailableError)):
            raise error
        return self.names

    def read(self, what: str, reader: Callable[[StorageRoot], T], on_damage: DamageListener) -> T:
        """The first good answer of `reader` over the stores, in order.

        Raises `UnknownObjectError` when no store has it, `FixityError` when all that have it are
        damaged, `UnavailableError` when none could be asked.
        """
        problems: list[ArchiveError] = []
        for root in self.roots:
            try:
                return reader(root)
            except (DamageError, UnavailableError, UnknownObjectError) as error:
                problems.append(error)
                if not isinstance(error, UnknownObjectError):
                    on_damage(root.name, what, error)
        raise worst_of(problems, what)

    def inventory(self, object_id: str, on_damage: DamageListener) -> Inventory:
        """The root inventory of an object, from the first store whose copy is sound."""

        def reader(root: StorageRoot) -> Inventory:
            found = root.read_inventory(object_id)
            if found is None:
                raise UnknownObjectError(f"{object_id} is not in the store {root.name}")
            return found

        return self.read(object_id, reader, on_damage)

    def read_file(
        self, object_id: str, version: int, logical_path: str, *, limit: int, on_damage: DamageListener
    ) -> bytes:
        """A whole verified file of at most `limit` bytes."""
        return self.read(
            f"{object_id} v{version} {logical_path}",
            lambda root: root.read_file(object_id, version, logical_path, limit),
            on_damage,
        )

    def close(self) -> None:
        self._pool.shutdown(wait=True)


def worst_of(problems: Sequence[ArchiveError], what: str) -> ArchiveError:
    """What to tell the caller when every copy failed: damage over unavailability over absence."""
    damaged = [error for error in problems if isinstance(error, DamageError)]
    away = [error for error in problems if isinstance(error, UnavailableError)]
    if damaged and not away:
        return FixityError(f"no good copy is left of {what}: {'; '.join(str(error) for error in damaged)}")
    if away:
        return away[0]
    return UnknownObjectError(f"{what} is on no store")
