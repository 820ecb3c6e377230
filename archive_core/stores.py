"""Use case: stores join, are filled, emptied of what only they hold, compared, and leave, while deposits go on.

Rules kept here
 * What takes part stands in the catalogue. A store that the settings name and nobody added is not written to.
 * A new store is filled by debts like any other that lacks copies: broken off anywhere, it goes on where it was.
   It becomes a member when a comparison finds nothing that it lacks.
 * A store leaves only when everything it holds is held by all that stay; one that is lost leaves by saying so.
 * Every change is an event of the trail.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from itertools import groupby
from operator import itemgetter

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import OwedCopies
from archive_core.copy_rule import CopyRule
from archive_core.debts import Debts, Payment, Progress
from archive_core.errors import (
    ConflictError,
    NotFoundError,
    SettingsError,
    StoreUnavailableError,
    UsageError,
)
from archive_core.findings import utc_text
from archive_core.identifiers import poid_of
from archive_core.lifecycle import Actor
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import Clock, IsFar, Remakes
from archive_core.replication import Copies
from archive_core.sequencer import Sequencer
from archive_core.side_by_side import side_by_side
from archive_core.trail.events import EventType, Outcome
from archive_core.worm import Locks

MEMBER, FILLING, DRAINING, RETIRED, NEW = "member", "filling", "draining", "retired", "new"
TAKING_PART = (MEMBER, FILLING, DRAINING)
"""States of the stores that are read; in this order: from a member before the others."""
_SCHEDULE = Actor("scheduler", "operator")
REFRESH = 2.0
"""Seconds after which a process looks again which stores take part."""


@dataclass(frozen=True, slots=True)
class StoreView:
    """A store as `stores list` shows it."""

    name: str
    state: str
    required: bool
    site: str
    owed: int
    since: datetime | None
    error: str | None

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "state": self.state,
            "required": self.required,
            "site": self.site,
            "owed": self.owed,
            "owed_since": utc_text(self.since) if self.since else None,
            "error": self.error,
        }


@dataclass(slots=True)
class Comparison:
    """What a comparison of stores found: objects `compared`; `missing` and `behind` name objects by store, `differing`
    those that stores hold in different forms."""

    compared: int = 0
    missing: dict[str, list[str]] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        return not self.differing and not any(self.missing.values())

    def to_json(self) -> dict[str, object]:
        return {
            "compared": self.compared,
            "same": self.same,
            "missing": {store: len(objects) for store, objects in self.missing.items()},
            "first_missing": {store: objects[:10] for store, objects in self.missing.items()},
            "differing": self.differing[:100],
        }


class Stores:
    """Which stores take part, and how that changes."""

    def __init__(
        self, *, clock: Clock, catalogue: Catalogue, copies: Copies, debts: Debts, locks: Locks, sequencer: Sequencer
    ) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._debts = debts
        self._locks = locks
        self._refused: dict[str, str] = {}
        self._sequencer = sequencer
        self._all = copies.known
        self._rule = copies.given_rule
        self._profile_rules = dict(copies.profile_rules)
        self._looked = 0.0
        copies.owing = debts
        copies.before_write = self.refresh

    # -- who takes part ---------------------------------------------------------------------------

    def refresh(self, *, now: bool = False) -> None:
        """Let the stores take part that the catalogue says, if it is time to look."""
        if not now and time.monotonic() < self._looked + REFRESH:
            return
        states = self._catalogue.store_states()
        if not any(root.store.name in states for root in self._all):  # a new or a rebuilt catalogue
            self._catalogue.enter_stores([root.store.name for root in self._all], MEMBER, self._clock.now())
            states = self._catalogue.store_states()
        self._apply({root.store.name: self._state(root, states) for root in self._all})
        self._looked = time.monotonic()

    def _state(self, root: StorageRoot, states: Mapping[str, tuple[str, datetime]]) -> str:
        return states.get(root.store.name, (NEW, None))[0]

    def _apply(self, states: Mapping[str, str]) -> None:
        def those(*wanted: str) -> list[StorageRoot]:
            return [root for state in wanted for root in self._all if states[root.store.name] == state]

        self._refused = self._locks.refused(actor=_SCHEDULE)
        written = [root for root in those(MEMBER, FILLING) if root.store.name not in self._refused]
        if not those(MEMBER):
            raise StoreUnavailableError("no store of the settings is a member: see `trusted-archive stores list`")
        members = {root.store.name for root in those(MEMBER)}
        whole = len(self._all) == len(members)

        def adapted(rule: CopyRule) -> CopyRule:
            return rule if whole else rule.among(members)

        self._copies.take_part(
            those(*TAKING_PART),
            written,
            adapted(self._rule),
            {profile: adapted(rule) for profile, rule in self._profile_rules.items()},
            [root.store.name for root in those(DRAINING)],
            [root.store.name for root in those(MEMBER, FILLING) if root.store.name in self._refused],
        )

    def views(self) -> list[StoreView]:
        """Every store of the settings, and those that are only remembered."""
        states, owed = self._catalogue.store_states(), {one.store: one for one in self._catalogue.owed_copies()}
        names = [root.store.name for root in self._all]
        roots = {root.store.name: root for root in self._all}
        return [
            self._view(name, states.get(name, (NEW, None))[0], roots.get(name), owed.get(name))
            for name in [*names, *sorted(set(states) - set(names))]
        ]

    def _view(self, name: str, state: str, root: StorageRoot | None, owed: OwedCopies | None) -> StoreView:
        error: str | None = None if root else "not in the settings"
        if root is not None and state not in (RETIRED, NEW):
            error = self._copies.trouble(root)
        return StoreView(
            name,
            state,
            name in self._rule.required,
            self._rule.site_of.get(name) or name,
            owed.objects if owed else 0,
            owed.since if owed else None,
            error or self._refused.get(name) or (owed.error if owed else None),
        )

    # -- joining and leaving ----------------------------------------------------------------------

    def add(self, name: str, *, actor: Actor, progress: Progress) -> Payment:
        """Let a store of the settings take part, and fill it; may be repeated until it lacks nothing."""
        self._copies.guard()
        root = self._named(name)
        state = self._state(root, self._catalogue.store_states())
        if state in (DRAINING, RETIRED):
            raise ConflictError(f"the store {name} is {state}: give a new store another name", store=name)
        if state == NEW:
            if isinstance(root.store, Remakes):
                root.store.remake()
            root.initialise()
            self._change(name, FILLING, actor)
        known = time.monotonic() + (REFRESH if state == NEW else 0.0)
        """From then on every process writes to it; what is there before is copied meanwhile."""
        paid = 0
        while True:
            last = time.monotonic() >= known
            found = self.compare(progress)
            lacking = found.missing.get(name, [])
            for start in range(0, len(lacking), 1000):
                self._debts.note(name, lacking[start : start + 1000], "")
            payments = self._debts.pay(progress, name)
            paid += sum(payment.paid for payment in payments)
            if error := next((payment.error for payment in payments if payment.owed), None):
                return Payment(name, paid, sum(payment.owed for payment in payments), error)
            if not lacking and last:
                break
            if not last:
                time.sleep(max(0.0, known - time.monotonic()))
        if state in (NEW, FILLING):
            self._change(name, MEMBER, actor)
        return Payment(name, paid, 0, None)

    def drain(self, name: str, *, actor: Actor, progress: Progress) -> list[Payment]:
        """Write nothing more to a store, and copy what only it holds to all others; may be repeated."""
        root = self._named(name)
        state = self._state(root, self._catalogue.store_states())
        if state not in TAKING_PART:
            raise ConflictError(f"the store {name} is {state}", store=name)
        others = [one for one in self._copies.written if one is not root]
        if not others:
            raise ConflictError(f"{name} is the only store that is written to: add another one first", store=name)
        if state != DRAINING:
            self._change(name, DRAINING, actor)
            self._catalogue.forget_copies(name)
            time.sleep(REFRESH)
        found = self.compare(progress)
        for other in others:
            lacking = found.missing.get(other.store.name, [])
            for start in range(0, len(lacking), 1000):
                self._debts.note(other.store.name, lacking[start : start + 1000], "")
        return self._debts.pay(progress)

    def retire(self, name: str, *, lost: bool, actor: Actor, progress: Progress) -> None:
        """Part with a store for good. Unless it is `lost`, it must hold nothing that a member lacks."""
        root = self._named(name)
        state = self._state(root, self._catalogue.store_states())
        if state == RETIRED:
            return
        if lost:
            if not [one for one in self._copies.written if one is not root]:
                raise ConflictError(f"{name} is the only store: add another one first", store=name)
        else:
            if state != DRAINING:
                raise ConflictError(f"the store {name} is {state}: `stores drain {name}` first", store=name)
            found = self.compare(progress)
            lacking = {store: objects for store, objects in found.missing.items() if objects and store != name}
            if lacking or found.differing:
                raise ConflictError(
                    f"{name} holds what others lack: `stores drain {name}` again",
                    store=name,
                    objects=sum(map(len, lacking.values())) + len(found.differing),
                )
        self._change(name, RETIRED, actor)
        self._catalogue.forget_copies(name)

    def _named(self, name: str) -> StorageRoot:
        for root in self._all:
            if root.store.name == name:
                return root
        raise NotFoundError(f"there is no store {name[:80]!a} in the settings", store=name[:80])

    def _change(self, name: str, state: str, actor: Actor) -> None:
        self._copies.guard()
        self._catalogue.set_store_state(name, state, self._clock.now())
        self._sequencer.record(EventType.STORE_CHANGE, Outcome.SUCCESS, state, actor=actor, subject=f"store-{name}")
        self.refresh(now=True)

    def require_locks(self) -> None:
        """Raises `SettingsError` when a store is refused because of its locks."""
        for name, reason in self._refused.items():
            raise SettingsError(f"the store {name} is to lock what it keeps, and {reason}", store=name)

    # -- comparing --------------------------------------------------------------------------------

    def compare(self, progress: Progress, names: Sequence[str] = ()) -> Comparison:
        """Which objects stores lack, or hold in another form, by their inventories' digests; the bytes are the
        fixity check's. Without names all that take part. Raises `UnavailableError` when one of them is away."""
        roots = [self._named(name) for name in names] or list(self._copies.roots)
        if len(roots) < 2:
            raise UsageError("it takes two stores to compare")
        result = Comparison(missing={root.store.name: [] for root in roots})
        gone = self._catalogue.destroyed_objects()
        listed = merge(*(_listed(number, root) for number, root in enumerate(roots)), key=itemgetter(0))
        for _, group in groupby(listed, key=itemgetter(0)):
            holders = {number: (object_id, said) for _, number, object_id, said in group}
            result.compared += 1
            object_id = next(iter(holders.values()))[0]
            heads = {b""}
            if len(holders) > 1:  # a new store costs no more than names
                heads = {
                    _stated(roots[number], object_id) if said is None else said for number, (_, said) in holders.items()
                }
            if (len(holders) < len(roots) or len(heads) > 1) and poid_of(object_id) not in gone:
                if len(heads) > 1:
                    self._compare_object(object_id, roots, result)
                else:  # whoever holds it holds the same
                    for number in set(range(len(roots))) - set(holders):
                        result.missing[roots[number].store.name].append(object_id)
            if result.compared % 100 == 0:
                progress("comparing stores", result.compared, None)
        return result

    def _compare_object(self, object_id: str, roots: Sequence[StorageRoot], result: Comparison) -> None:
        """Who lacks what of an object that is not the same everywhere."""
        heads = {root.store.name: root.read_inventory(object_id) for root in roots}
        newest = max((head.head_number for head in heads.values() if head), default=0)
        documents = {head.document for head in heads.values() if head and head.head_number == newest}
        if len(documents) > 1:
            result.differing.append(object_id)
            return
        for name, head in heads.items():
            if head is None or head.head_number < newest:
                result.missing[name].append(object_id)


def _listed(number: int, root: StorageRoot) -> Iterator[tuple[tuple[str, ...], int, str, bytes | None]]:
    """Every object of a store, in order of the parts of its path; of a store that is far with what the sidecar of its
    head says, many being asked at the same time."""
    root.require_declaration()
    far = isinstance(root.store, IsFar)

    def look(object_id: str) -> tuple[tuple[str, ...], int, str, bytes | None]:
        path = root.object_path(object_id)
        return tuple(path.split("/")), number, object_id, _stated(root, object_id) if far else None

    yield from side_by_side(root.store, look, root.object_ids())


def _stated(root: StorageRoot, object_id: str) -> bytes:
    """What the sidecar of an object's head says."""
    return root.read_optional(f"{root.object_path(object_id)}/inventory.json.sha512", 1024) or b""
