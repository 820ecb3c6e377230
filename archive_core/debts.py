"""Copies that stores lack, and how they get them.

Rules kept here
 * A debt is in the catalogue before anybody is told that the object is kept. It is paid by the everyday way: each
   version read and verified from a store that holds it, and written as any other.
 * What was destroyed is owed by nobody, and so is what no store holds: it was acknowledged to nobody.
 * A store that is away keeps no other from being paid, and nothing is lost by being broken off anywhere.
 * While any process has a write to a store under way that nobody waits for, nothing is cleared there before a copy is
   made: it may be what that write is about to name. What would need it waits. The same bytes may be written twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import CopyDebt
from archive_core.copying import Copiers, copiers_into
from archive_core.errors import ArchiveError, ConcurrentChangeError, ConflictError, DamageError, UnavailableError
from archive_core.expecting import Expectations
from archive_core.findings import utc_text
from archive_core.holding import Holder
from archive_core.identifiers import poid_of
from archive_core.ocfl import leftovers
from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.package import ArchivalPackage
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import Clock
from archive_core.replication import Copies
from archive_core.stored_packages import package_of

Progress = Callable[[str, int, int | None], None]

STILL_WRITING = "another process has yet to end what it writes to the store"

TOGETHER = 200
"""Objects that share the durable steps of a store when they are copied."""
PAGE = 500
"""Debts that a process which copies is given at once."""
TOGETHER_BYTES = 15 * 1024 * 1024
"""Bytes of such objects; while they are written, as many are read for the next time."""


@dataclass(frozen=True, slots=True)
class Payment:
    """What became of the debts of one store: objects `paid` and still `owed`; `error` is what was in the way."""

    store: str
    paid: int
    owed: int
    error: str | None

    def to_json(self) -> dict[str, object]:
        return {"store": self.store, "paid": self.paid, "owed": self.owed, "error": self.error}


@dataclass(slots=True)
class _Load:
    """Objects that were read to be written to a store together; `left` are those that could not be, with the reason,
    `gone` the POIDs of what was destroyed; `problem` says that the store is away."""

    debts: Sequence[CopyDebt]
    folder: TemporaryDirectory[str]
    gone: AbstractSet[str]
    may_clear: bool
    fresh: list[ArchivalPackage] = field(default_factory=list)
    size: int = 0
    left: dict[str, str] = field(default_factory=dict)
    problem: UnavailableError | None = None


class Debts:
    """What stores lack, in the catalogue (`Owing`), and its payment."""

    def __init__(self, *, clock: Clock, catalogue: Catalogue, copies: Copies, holder: Holder) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._holder = holder
        self._expectations = Expectations(catalogue, clock)

    def expecting(self, store: str) -> Callable[[], None]:
        """Tell every process that a write to a store goes on; as `Expectations.announce`."""
        return self._expectations.announce(store)

    def note(self, store: str, object_ids: Sequence[str], error: str) -> None:
        """Note that a store lacks objects; raises `UnavailableError` when that cannot be done."""
        at = self._clock.now()
        self._catalogue.owe_copies(
            [CopyDebt(store=store, storage_object=one, since=at, error=error[:2000] or None) for one in object_ids]
        )

    def of(self, object_ids: Sequence[str]) -> AbstractSet[tuple[str, str]]:
        """Which stores lack which of these objects."""
        return self._catalogue.owing_copies(object_ids)

    def landed(self, store: str, object_ids: Sequence[str]) -> None:
        """A store may hold these objects anew: whichever of them was destroyed meanwhile, it owes the deletion of."""
        poids = [poid for poid in map(poid_of, object_ids) if poid is not None]
        for poid in sorted(self._catalogue.destroyed_objects(poids)):
            self._catalogue.owe_deletion(poid, store, self._clock.now())

    def warnings(self) -> list[str]:
        """What people are to know of stores that lack copies."""
        return [
            f"store {owed.store} lacks {owed.objects} objects since {utc_text(owed.since)}"
            + (f": {owed.error}" if owed.error else "")
            for owed in self._catalogue.owed_copies()
        ]

    # -- paying -----------------------------------------------------------------------------------

    def pay(self, progress: Progress, store: str | None = None) -> list[Payment]:
        """Pay the debts of every store, or of one; what cannot be paid now goes on being owed.

        Raises `LeaseHeldError` while another process does it."""
        payments: list[Payment] = []
        if not self._catalogue.owed_copies():
            return payments
        self._copies.guard()
        for owed in self._catalogue.owed_copies():
            root = next((root for root in self._copies.roots if root.store.name == owed.store), None)
            if root is None or (store is not None and store != owed.store):
                continue
            if self._copies.late.under_way(owed.store):
                payments.append(Payment(owed.store, 0, owed.objects, "the store has yet to answer what it was given"))
                continue
            if owed.store in self._copies.refused:
                payments.append(Payment(owed.store, 0, owed.objects, "its locks do not hold: nothing is written to it"))
                continue
            with self._holder.hold(f"copies {owed.store}"):
                payments.append(self._pay_store(root, owed.objects, progress))
        return payments

    def _pay_store(self, root: StorageRoot, total: int, progress: Progress) -> Payment:
        """While some objects are being written others are read, in processes beside this one where that is worth it."""
        name, after, done, failed = root.store.name, "", 0, 0
        error: str | None = None
        away: str | None = None
        copiers = copiers_into(root, self._copies.roots, total)
        page, at_once = (TOGETHER, 1) if copiers is None else (PAGE, copiers.count + 1)
        under_way: deque[tuple[Sequence[CopyDebt], Future[dict[str, str]]]] = deque()
        with closing(copiers) if copiers else nullcontext(), self._threads(copiers) as threads:
            while True:
                debts = [] if away else self._catalogue.copy_debts(name, after, page)
                if debts:
                    after = debts[-1].storage_object
                    self._holder.renew()
                    under_way.append((debts, self._begin(root, debts, threads, copiers)))
                if debts and len(under_way) <= at_once:
                    continue
                if not under_way:
                    break
                asked, answer = under_way.popleft()
                try:
                    left = answer.result()
                except UnavailableError as found:
                    if self._is_away(root):
                        away = str(found)
                        continue
                    left = dict.fromkeys((debt.storage_object for debt in asked), str(found))
                for storage_object, reason in left.items():
                    self._catalogue.failed_copy(name, storage_object, reason)
                    error = reason
                done += len(asked) - len(left)
                failed += len(left)
                progress(f"copying to {name}", done + failed, max(total, done + failed))
        if away is not None:
            self._copies.away.failed(name)
            return Payment(name, done, total - done, away)
        self._copies.away.answered(name)
        return Payment(name, done, failed, error)

    def _threads(self, copiers: Copiers | None) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(copiers.count if copiers else 1, thread_name_prefix="copying")

    def _begin(
        self, root: StorageRoot, debts: Sequence[CopyDebt], threads: ThreadPoolExecutor, copiers: Copiers | None
    ) -> Future[dict[str, str]]:
        """Begin to pay some debts; gives what could not be copied, with the reason."""
        if copiers is not None:
            return threads.submit(self._copied, root, debts, copiers)
        return threads.submit(self._written, root, self._loaded(root, debts))

    def _copied(self, root: StorageRoot, debts: Sequence[CopyDebt], copiers: Copiers) -> dict[str, str]:
        """Let a copier copy what it can, and the rest go the careful way. Raises `UnavailableError`."""
        gone = self._gone(debts)
        objects = [debt.storage_object for debt in debts if poid_of(debt.storage_object) not in gone]
        copied = copiers.copy(objects)
        self._paid(root, [debt for debt in debts if debt.storage_object in copied], gone)
        if rest := [debt for debt in debts if debt.storage_object not in copied]:
            return self._written(root, self._loaded(root, rest))
        return {}

    def _is_away(self, root: StorageRoot) -> bool:
        try:
            root.require_declaration()
        except UnavailableError:
            return True
        return False

    def _loaded(self, root: StorageRoot, debts: Sequence[CopyDebt]) -> _Load:
        """Read and verify what a store lacks; what cannot be read, and objects with several versions, are settled at
        once."""
        gone = self._gone(debts)
        # Asked after the debts were read: whoever writes one of these objects said so before it noted the debt.
        may_clear = not self._expectations.of(root.store.name)
        load = _Load(debts, TemporaryDirectory(dir=self._copies.scratch), gone, may_clear)
        try:
            for number, debt in enumerate(debts):
                if poid_of(debt.storage_object) in gone:
                    continue
                try:
                    package = self._bring(root, debt.storage_object, Path(load.folder.name) / str(number), may_clear)
                except (ConflictError, DamageError, UnavailableError) as error:
                    if isinstance(error, UnavailableError) and self._is_away(root):
                        raise
                    load.left[debt.storage_object] = str(error)
                    continue
                if package is not None:
                    load.fresh.append(package)
                    load.size += sum(file.size for file in package.new_content.values())
                if load.size > TOGETHER_BYTES:
                    load.left |= self._write(root, load.fresh, may_clear)
                    load.fresh, load.size = [], 0
        except UnavailableError as error:
            load.problem = error
        return load

    def _written(self, root: StorageRoot, load: _Load) -> dict[str, str]:
        """Write what was read; returns what could not be copied, with the reason. Raises `UnavailableError`."""
        with load.folder:
            if load.problem is not None:
                raise load.problem
            left = load.left | self._write(root, load.fresh, load.may_clear)
        self._paid(root, [debt for debt in load.debts if debt.storage_object not in left], load.gone)
        return left

    def _gone(self, debts: Sequence[CopyDebt]) -> AbstractSet[str]:
        """The objects among these that were destroyed."""
        return self._catalogue.destroyed_objects(filter(None, (poid_of(debt.storage_object) for debt in debts)))

    def _paid(self, root: StorageRoot, debts: Sequence[CopyDebt], gone: AbstractSet[str]) -> None:
        """The store holds these, or they are owed by nobody any more."""
        objects = [debt.storage_object for debt in debts]
        # What was destroyed, and purged, between the look at that and the write.
        self.landed(root.store.name, [one for one in objects if poid_of(one) not in gone])
        self._copies.after_write({root.store.name: objects})
        self._catalogue.paid_copies(root.store.name, debts)

    def _bring(self, root: StorageRoot, object_id: str, folder: Path, may_clear: bool) -> ArchivalPackage | None:
        """A package that is to be written to the store together with others; None when nothing is (any more)."""
        held = self._source(object_id, root)
        if held is None:
            return None
        source, head = held
        there = root.read_inventory(object_id)
        if there is not None and there.document == head.document:
            root.mend(object_id)
            return None
        if there is None and head.head_number == 1:
            return package_of(source, object_id, 1, folder, head=head)
        if not may_clear:
            raise ConcurrentChangeError(STILL_WRITING, store=root.store.name)
        leftovers.clear_unfinished(root, object_id)
        self._copies.bring(root, object_id, source, head.head_number)
        return None

    def _write(self, root: StorageRoot, packages: Sequence[ArchivalPackage], may_clear: bool) -> dict[str, str]:
        if not packages:
            return {}
        try:
            root.write_versions(packages)
            return {}
        except ConflictError:
            left = {}
            for package in packages:
                try:
                    if may_clear:
                        leftovers.clear_unfinished(root, package.object_id)
                    root.write_version(package)
                except (ConflictError, DamageError) as error:
                    left[package.object_id] = str(error)
            return left

    def _source(self, object_id: str, besides: StorageRoot) -> tuple[StorageRoot, Inventory] | None:
        """The store that holds most versions of an object, and its inventory; None when none holds any.

        Raises the error of a store that may hold it when no other does."""
        best: tuple[StorageRoot, Inventory] | None = None
        problem: ArchiveError | None = None
        for root in self._copies.roots:
            if root is besides:
                continue
            try:
                found = root.read_inventory(object_id)
            except (DamageError, UnavailableError) as error:
                problem = error
                continue
            if found is not None and (best is None or found.head_number > best[1].head_number):
                best = (root, found)
        if best is None and problem is not None:
            raise problem
        return best
