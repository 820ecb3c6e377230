"""Puts a package on every required store, and reads from whichever copy is good.

Rules kept here
 * A package is *replicated* when every required store, and as many others as the rule of copies says, have
   said that it is durable and read back. What a store lacks then is noted as a debt before anybody is told;
   a debt that cannot be noted is a failure.
 * A store that owes an object gets no later version of it: whoever pays the debt brings them in order. A
   dispensable store that failed is left alone for a while, so that nobody waits for it at each deposit.
 * Stores are written side by side; the first failure is reported after all have finished, so that no
   thread is left writing behind the caller's back. Only a dispensable store that is still writing some seconds after
   enough others have finished is waited for no longer (`late`): what it was given is owed, whatever becomes of it.
 * A reader tries the stores in order. Damage in one copy is told to `on_damage` and the next copy is
   read; only when none is left does the damage reach the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from archive_core.away import Away
from archive_core.copy_rule import CopyRule
from archive_core.errors import (
    ArchiveError,
    DamageError,
    FixityError,
    NameNotAcceptedError,
    SettingsError,
    StoreUnavailableError,
    UnavailableError,
    UnknownObjectError,
)
from archive_core.identifiers import URN_PREFIX, is_poid
from archive_core.late import PATIENCE, LateWrites
from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.layout import HashAndIdLayout
from archive_core.ocfl.package import ArchivalPackage
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import LimitsKeys
from archive_core.replicating import AWAY, Owing, Replication
from archive_core.stored_packages import package_of, version_inventory

T = TypeVar("T")

UNDER_WAY = 2
"""Groups of packages that every store takes at the same time: while one waits for the device, the next is written."""

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

    def __init__(
        self,
        roots: Sequence[StorageRoot],
        scratch: Path,
        *,
        rule: CopyRule | None = None,
        profile_rules: Mapping[str, CopyRule] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """`scratch` is a directory for files on their way from one store to another. Without a rule every store is
        required; with one, somebody must keep the debts in mind (`owing`). `profile_rules` are those of profiles that
        have one of their own, by their ids; `patience` is for how many seconds a dispensable store is waited for."""
        if not roots:
            raise ValueError("an archive needs at least one store")
        self.roots = self.written = self.known = tuple(roots)
        """The stores that get what is new; of those that are only read the archive is about to part."""
        self.rule = self.given_rule = rule or CopyRule.all_of(self.names)
        self.profile_rules = dict(profile_rules or {})
        self.leaving: frozenset[str] = frozenset()
        """The names of those that are only read: what is new is missing there, and shall be."""
        self.refused: frozenset[str] = frozenset()
        """The names of those that get nothing until their locks hold again; dispensable ones owe it."""
        self.owing: Owing | None = None
        self.before_write: Callable[[], None] = _nothing
        """Called before stores are chosen for what is new: which take part may have changed."""
        self.guard: Callable[[], None] = _nothing
        """Asked before anything is written to a store; raises when nothing may be."""
        self.after_write: Callable[[Mapping[str, Sequence[str]]], None] = _nothing_of
        """Told which stores hold which objects anew, before anybody else is; raises when that cannot be kept."""
        self.away = Away()
        self.late = LateWrites()
        self.patience = patience
        self._scratch = scratch
        # Each store has its own, so that one that hangs keeps no thread from another.
        self._pools = {name: ThreadPoolExecutor(UNDER_WAY, thread_name_prefix=f"store-{name}") for name in self.names}
        self._asking = {name: ThreadPoolExecutor(1, thread_name_prefix=f"asking-{name}") for name in self.names}

    def take_part(
        self,
        roots: Sequence[StorageRoot],
        written: Sequence[StorageRoot],
        rule: CopyRule,
        profile_rules: Mapping[str, CopyRule],
        leaving: Iterable[str] = (),
        refused: Iterable[str] = (),
    ) -> None:
        """Go on with these of the stores; what is under way ends as it began."""
        self.leaving, self.refused = frozenset(leaving), frozenset(refused)
        self.roots, self.written, self.rule = tuple(roots), tuple(written), rule
        self.profile_rules = dict(profile_rules)

    def rule_of(self, profile: str | None) -> CopyRule:
        """How many copies make what is deposited under a profile kept; without one, everything else."""
        return self.profile_rules.get(profile, self.rule) if profile is not None else self.rule

    @property
    def scratch(self) -> Path:
        """A folder on this machine for work that may be lost."""
        return self._scratch

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(root.store.name for root in self.roots)

    def replicate(self, package: ArchivalPackage, *, profile: str | None = None) -> tuple[str, ...]:
        """Write the package to every store; returns the names of those that hold it. Raises the first store's error
        after every store has finished, `ConflictError`s before others: a conflict is an answer,
        unavailability is not. What is deposited names its `profile`."""
        return self.start([package], [profile]).finish()[0]

    def replicate_in_turn(self, package: ArchivalPackage) -> tuple[str, ...]:
        """As `replicate`, but the first store decides: the others are written when it has taken the package.

        For objects that are claimed by writing them. Of two processes that claim one number at once, the
        loser has then written nothing anywhere; side by side, each could win on another store."""
        return self._begin([package], [None], first_alone=True).finish()[0]

    def start(self, packages: Sequence[ArchivalPackage], profiles: Sequence[str | None] | None = None) -> Replication:
        """Begin to write packages of different objects to every store, sharing the durable steps; `profiles` are those
        under which they are deposited, in the same order."""
        return self._begin(packages, profiles or [None] * len(packages), first_alone=False)

    def _begin(
        self, packages: Sequence[ArchivalPackage], profiles: Sequence[str | None], *, first_alone: bool
    ) -> Replication:
        for package in packages:
            _ = package.inventory  # made once, and not by every store's thread at the same time
        self.guard()
        self.before_write()
        self._require_short_keys(packages)
        owed = self.owed([package.object_id for package in packages])
        pairs = zip(packages, profiles, strict=True)
        rules = {package.object_id: self.rule_of(profile) for package, profile in pairs}
        replication = Replication(self, rules)
        for root in self.written:
            name = root.store.name
            mine = [package for package in packages if (name, package.object_id) not in owed]
            replication.skip(name, [package for package in packages if (name, package.object_id) in owed])
            if self.left_alone(name):
                replication.skip(name, [one for one in mine if rules[one.object_id].tolerates(name)])
                mine = [one for one in mine if not rules[one.object_id].tolerates(name)]
            if not mine:
                continue
            if first_alone and root is self.written[0]:
                root.write_versions(mine)
                replication.add(name, mine, None)
            else:
                replication.add(name, mine, self._pools[name].submit(root.write_versions, mine))
        for name in sorted(self.refused):
            replication.skip(name, [package for package in packages if rules[package.object_id].tolerates(name)])
        return replication

    def left_alone(self, store: str) -> bool:
        """Whether nothing that may do without a store is given to it now."""
        return self.away.waits(store) or self.late.under_way(store)

    def _require_short_keys(self, packages: Sequence[ArchivalPackage]) -> None:
        """Raises `NameNotAcceptedError`, before anything is written, when a store cannot take one of the names."""
        for root in self.written:
            if not isinstance(root.store, LimitsKeys):
                continue
            layout = self._layout_of(root)
            for package in packages:
                start = len(layout.object_path(package.object_id).encode()) + 1
                for path in package.new_content:
                    if start + len(path.encode()) > root.store.longest_key:
                        raise NameNotAcceptedError(
                            f"a name is too long for the store {root.store.name}",
                            store=root.store.name,
                            path=path[-200:],
                        )

    def _layout_of(self, root: StorageRoot) -> HashAndIdLayout:
        """Where objects lie in a store. One that is away or may be slow, and was never asked, is not waited for: what a
        new store has is good enough to judge the length of names by."""
        if root.known_layout is None and self.rule.tolerates(root.store.name):
            return HashAndIdLayout()
        try:
            return root.layout
        except UnavailableError:
            return HashAndIdLayout()

    def owed(self, object_ids: Sequence[str]) -> AbstractSet[tuple[str, str]]:
        """Which stores lack which of these objects; where every store is required none does."""
        rules = (self.rule, *self.profile_rules.values())
        if self.owing is None or not any(rule.tolerates(root.store.name) for rule in rules for root in self.roots):
            return frozenset()
        return self.owing.of(object_ids)

    def holders(self, object_id: str) -> tuple[str, ...]:
        """The stores that hold what was acknowledged of an object."""
        owed = self.owed([object_id])
        return tuple(root.store.name for root in self.written if (root.store.name, object_id) not in owed)

    def present(self, object_id: str) -> tuple[StorageRoot, ...]:
        """The stores to be asked about an object that is brought to one state everywhere: those that get what is new,
        without the dispensable ones that are away or owe it. Those owe it from now on."""
        found = []
        owed = self.owed([object_id])
        for root in self.written:
            name = root.store.name
            if (name, object_id) in owed:
                self.owe(name, [object_id], AWAY)  # again: who pays it now may not have seen what the others hold
                continue
            if self.rule.tolerates(name) and (self.left_alone(name) or not self._answers(root)):
                self.owe(name, [object_id], AWAY)
                continue
            found.append(root)
        return tuple(found)

    def _answers(self, root: StorageRoot) -> bool:
        if self.trouble(root) is None:
            return True
        self.away.failed(root.store.name)
        return False

    def trouble(self, root: StorageRoot) -> str | None:
        """Why a store does not answer now, None when it does. One that deposits can do without gets a few seconds."""
        name = root.store.name
        try:
            if not self.rule.tolerates(name):
                root.require_declaration()
                return None
            if self.late.under_way(name):
                return "it has yet to answer what it was asked before"
            asked = self._asking[name].submit(root.require_declaration)
            try:
                asked.result(self.patience)
            except TimeoutError:
                self.late.leave(name, [], asked, _nothing_landed)
                return f"it did not answer within {self.patience:g} seconds"
        except ArchiveError as error:
            return str(error)
        return None

    def owe(self, store: str, object_ids: Sequence[str], error: str) -> None:
        """Note what a store lacks. Raises `ArchiveError` when that cannot be done."""
        if self.owing is None:
            raise StoreUnavailableError(f"store {store} lacks a copy and nobody keeps that in mind: {error}")
        self.owing.note(store, object_ids, error)

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
        behind = {name for name, _ in self.owed([object_id])}
        for root in self.present(object_id):
            if self.bring(root, object_id, source, head.head_number):
                written.append(root.store.name)
        for name in behind if written else ():
            self.owe(name, [object_id], AWAY)  # again, as above
        return sorted(set(written))

    def bring(self, root: StorageRoot, object_id: str, source: StorageRoot, head: int) -> bool:
        """Write to one store the versions up to `head` that it lacks; True when it lacked any."""
        there = root.read_inventory(object_id)
        known = there.head_number if there else 0
        if known < head:
            self.guard()
        for version in range(known + 1, head + 1):
            with TemporaryDirectory(dir=self._scratch) as folder:
                root.write_version(package_of(source, object_id, version, Path(folder)))
        if known < head:
            self.after_write({root.store.name: [object_id]})
        return known < head

    def close(self) -> None:
        """Waits also for writes that nobody waited for: their stores must not be closed below them."""
        for pool in (*self._pools.values(), *self._asking.values()):
            pool.shutdown(wait=True)
        for root in self.known:
            root.store.close()


def _nothing() -> None:
    """Nothing is to be done."""


def _nothing_landed(_store: str, _objects: Sequence[str]) -> None:
    """Nothing was written."""


def _nothing_of(written: Mapping[str, Sequence[str]]) -> None:
    """Nothing is to be done."""


def worst_of(problems: Sequence[ArchiveError], what: str) -> ArchiveError:
    """What to tell the caller when every copy failed: damage over unavailability over absence."""
    damaged = [error for error in problems if isinstance(error, DamageError)]
    away = [error for error in problems if isinstance(error, UnavailableError)]
    if damaged and not away:
        return FixityError(f"no good copy is left of {what}: {'; '.join(str(error) for error in damaged)}")
    if away:
        return away[0]
    return UnknownObjectError(f"{what} is on no store")


__all__ = [
    "Copies",
    "DamageListener",
    "Owing",
    "Replication",
    "about",
    "ignore_damage",
    "package_of",
    "version_inventory",
    "worst_of",
]
