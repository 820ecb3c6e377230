"""Locks of stores: believed after a probe, set after commit A, extended until destruction is decided.

Rules kept here
 * A store whose settings ask for locks is believed only after a canary withstood every attack; the probe is repeated by
   schedule. One that lets any through is refused (nothing new is written to it) or, where the settings say so, used
   with a warning that does not go away.
 * What is new in a store is a lock debt, noted before anybody is told that it is kept; it is paid once the object is
   acknowledged, so that what is acknowledged to nobody can be cleared.
 * Locks roll: set for some days, looked at in turn, and extended before they end. What was destroyed is not extended.
 * Legal holds go with them: a debt is paid when lock and hold are as they should be, and the round that extends locks
   puts holds right that somebody took off.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import LockDebt
from archive_core.errors import ArchiveError, DamageError, SettingsError, UnavailableError, UnknownObjectError
from archive_core.findings import utc_text
from archive_core.hold_locks import looked_at, put_right
from archive_core.holding import Holder
from archive_core.identifiers import is_poid, object_name
from archive_core.lifecycle import Actor
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import Clock, LockProbe, LocksObjects
from archive_core.recovery import GRACE
from archive_core.replication import Copies
from archive_core.sequencer import Sequencer
from archive_core.trail.events import EventType, Outcome

PROBE_EVERY = timedelta(days=1)
BUDGET = 60.0
"""Seconds of one look at locks; what is left is looked at in the next."""
PATIENCE = 5.0
"""Seconds for which whoever wants something locked now waits for the round that does it anyway."""
_TOGETHER = 200
_NO_HOLDS = "it does not keep legal holds"


@dataclass(frozen=True, slots=True)
class LockPolicy:
    """How far ahead a store's locks reach, how long before their end they are extended, and whether a store that does
    not enforce them is refused."""

    ahead: timedelta
    renew: timedelta
    refuse: bool = True


@dataclass(frozen=True, slots=True)
class Judged:
    """What the last probe of a store found."""

    at: datetime
    mode: str
    holds: bool
    broken: tuple[str, ...]
    error: str | None = None
    keeps_holds: bool | None = None
    """Whether legal holds hold there; None when that is not known, or the kind of store has none."""

    def to_json(self) -> dict[str, object]:
        return {
            "at": utc_text(self.at),
            "mode": self.mode,
            "holds": self.holds,
            "broken": list(self.broken),
            "error": self.error,
            "keeps_holds": self.keeps_holds,
        }


def read_judged(catalogue: Catalogue, store: str) -> Judged | None:
    """What the last probe of a store found; None when there was none."""
    noted = catalogue.meta_get(f"locks {store}")
    if not noted:
        return None
    value = json.loads(noted)
    at = datetime.fromisoformat(value["at"])
    return Judged(at, value["mode"], value["holds"], tuple(value["broken"]), value["error"], value.get("keeps_holds"))


class Locks:
    """The locks of all stores whose settings ask for them (`policies`, by name)."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        copies: Copies,
        holder: Holder,
        sequencer: Sequencer,
        policies: Mapping[str, LockPolicy],
    ) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._holder = holder
        self._sequencer = sequencer
        self.policies = dict(policies)
        if self.policies:
            copies.after_write = self.note

    # -- believing --------------------------------------------------------------------------------

    def judged(self, store: str) -> Judged | None:
        """What the last probe found; None when there was none."""
        return read_judged(self._catalogue, store)

    def probe(self, *, actor: Actor, only_due: bool = False) -> dict[str, Judged]:
        """Attack a canary in each store that is to lock. Of a store that does not answer nothing new is known."""
        found = {}
        for root in self._copies.known:
            name = root.store.name
            before = self.judged(name) if name in self.policies else None
            at = self._clock.now()
            if name not in self.policies or (only_due and before and before.at + PROBE_EVERY > at >= before.at):
                continue
            judged = self._probed(root, at)
            found[name] = judged
            self._catalogue.meta_set(f"locks {name}", json.dumps(judged.to_json()))
            self._sequencer.record(
                EventType.VALIDATION,
                Outcome.SUCCESS if judged.holds else Outcome.FAILURE,
                "locks-hold" if judged.holds else "locks-do-not-hold",
                actor=actor,
                subject=f"store-{name}",
            )
        return found

    def _probed(self, root: StorageRoot, at: datetime) -> Judged:
        store = root.store
        if not isinstance(store, LocksObjects):
            return Judged(at, "", False, (), "this kind of store cannot lock")
        try:
            probe: LockProbe = store.probe_locks()
        except SettingsError as error:
            return Judged(at, store.lock_mode, False, (), str(error))
        return Judged(at, probe.mode, probe.holds, probe.broken, keeps_holds=probe.keeps_holds)

    def refused(self, *, actor: Actor) -> dict[str, str]:
        """The stores that get nothing new because of their locks, and why. One that was never probed is probed."""
        reasons: dict[str, str] = {}
        for name, policy in self.policies.items():
            judged = self.judged(name)
            if judged is None:
                try:
                    judged = self.probe(actor=actor, only_due=True).get(name) or self.judged(name)
                except UnavailableError as error:
                    reasons[name] = f"its locks were not probed yet: {error}"
                    continue
            if judged is not None and not judged.holds and policy.refuse:
                reasons[name] = _fault(judged)
        return reasons

    def warnings(self) -> list[str]:
        """What people are to know of locks."""
        told = []
        for name in self.policies:
            judged = self.judged(name)
            if judged is None:
                told.append(f"store {name}: its locks were not probed yet")
            elif not judged.holds:
                told.append(f"store {name} does not enforce its locks (probed {utc_text(judged.at)}): {_fault(judged)}")
            elif judged.keeps_holds is False and self._catalogue.legal_holds():
                told.append(
                    f"store {name}: {_NO_HOLDS} (probed {utc_text(judged.at)}), what is held is only locked there"
                )
            if owed := self._catalogue.count_lock_debts(name):
                told.append(f"store {name}: {owed} objects are not locked yet")
        return told

    # -- locking ----------------------------------------------------------------------------------

    def note(self, written: Mapping[str, Sequence[str]]) -> None:
        """What is new in stores is to be locked."""
        at = self._clock.now()
        for store, objects in written.items():
            if store in self.policies:
                self._catalogue.owe_locks(store, objects, at)

    def roll(self) -> int:
        """Lock what is new, and extend what ends soon; returns how many objects were locked or extended.

        Raises `LeaseHeldError` while another process does it, and the error of the first store that failed."""
        done, problem = 0, None
        for root in self._copies.written:
            name, store = root.store.name, root.store
            policy = self.policies.get(name)
            if policy is None or not isinstance(store, LocksObjects):
                continue
            judged = self.judged(name)
            if judged is None or not judged.holds:
                continue
            with self._holder.hold(f"locks {name}"):
                try:
                    done += self._pay(root, store, policy)
                    done += self._extend(root, store, policy)
                except ArchiveError as error:
                    problem = problem or error
        if problem is not None:
            raise problem
        return done

    def settle(self, objects: Sequence[str]) -> dict[str, str]:
        """Pay now what is owed of these storage objects; which stores owe it still, and why. They are asked again by
        the next round."""
        owed = {}
        for root in self._copies.roots:
            name, store = root.store.name, root.store
            policy, debts = self.policies.get(name), self._catalogue.lock_debts_of(name, objects)
            if policy is None or not debts:
                continue
            judged = self.judged(name)
            if not isinstance(store, LocksObjects) or judged is None or not judged.holds:
                owed[name] = "its locks are not known to hold"
                continue
            try:
                with self._holder.hold(f"locks {name}", patience=PATIENCE):
                    for start in range(0, len(debts), _TOGETHER):
                        self._holder.renew()
                        self._pay_these(root, store, policy, debts[start : start + _TOGETHER])
            except ArchiveError as error:
                owed[name] = str(error)
                continue
            if judged.keeps_holds is False:
                owed[name] = _NO_HOLDS
            elif self._catalogue.lock_debts_of(name, objects):
                owed[name] = "something of it is being written"
        return owed

    def _pay(self, root: StorageRoot, store: LocksObjects, policy: LockPolicy) -> int:
        name, after, done = root.store.name, "", 0
        while debts := self._catalogue.lock_debts(name, after, _TOGETHER):
            after = debts[-1].storage_object
            self._holder.renew()
            done += self._pay_these(root, store, policy, debts)
        return done

    def _pay_these(self, root: StorageRoot, store: LocksObjects, policy: LockPolicy, debts: Sequence[LockDebt]) -> int:
        paid, done, holding = [], 0, self._keeps_holds(root)
        for debt in debts:
            object_id, at = debt.storage_object, self._clock.now()
            wanted = self._is_to_lock(root, object_id, settled=debt.since < at - GRACE)
            if wanted:
                store.lock_object(root.object_path(object_id), at + policy.ahead)
                done += 1
            if wanted is not None and (not holding or put_right(self._catalogue, root, object_id)):
                paid.append(debt)
        self._catalogue.paid_locks(root.store.name, paid)
        return done

    def _keeps_holds(self, root: StorageRoot) -> bool:
        """Whether legal holds are set in a store; where the probe saw that they do not hold, nobody waits for them.
        The round that extends locks sets them when they do."""
        judged = self.judged(root.store.name)
        return judged is None or judged.keeps_holds is not False

    def _is_to_lock(self, root: StorageRoot, object_id: str, *, settled: bool) -> bool | None:
        """Whether an object is acknowledged and so to be locked; None while that is not known yet."""
        try:
            inventory = root.read_inventory(object_id)
        except DamageError:
            return None  # first it is mended
        if inventory is None:
            return False if settled else None
        name = object_name(object_id)
        if not is_poid(name):
            return True
        try:
            row = self._catalogue.version(name)
        except UnknownObjectError:
            return None
        if row.destroyed:
            return False
        return True if row.ocfl_version >= inventory.head_number else None

    def _extend(self, root: StorageRoot, store: LocksObjects, policy: LockPolicy) -> int:
        """Look at the locks of everything once in a while, some directories of the root at a time."""
        name, started, done = root.store.name, time.monotonic(), 0
        noted = f"lock cycle {name}"
        value = json.loads(self._catalogue.meta_get(noted) or "{}")
        at = self._clock.now()
        ended = datetime.fromisoformat(value["ended"]) if value.get("ended") else None
        if ended is not None and ended <= at < ended + policy.renew / 4:
            return 0
        after, holding = value.get("after", ""), self._keeps_holds(root)
        for directory in [one for one in root.store.children() if one.endswith("/") and one > after]:
            if directory == "extensions/":
                continue
            for path in root.object_paths(directory.rstrip("/")):
                self._holder.renew()
                object_id = root.layout.object_id(path)
                if object_id is None or (wanted := self._is_to_lock(root, object_id, settled=False)) is None:
                    continue
                if holding:
                    done += looked_at(self._catalogue, root, object_id)
                if not wanted:
                    continue
                until = store.locked_until(path)
                if until is None or until < at + policy.renew:
                    store.lock_object(path, at + policy.ahead)
                    done += 1
            self._catalogue.meta_set(noted, json.dumps({"after": directory}))
            if time.monotonic() - started > BUDGET:
                return done
        self._catalogue.meta_set(noted, json.dumps({"ended": utc_text(at)}))
        return done


def _fault(judged: Judged) -> str:
    return judged.error or f"let through: {', '.join(judged.broken)}"
