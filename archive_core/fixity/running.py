"""Use case: fixity, by hand and by schedule, and how it stands.

The rules fixity follows
 * A run by hand completes a full cycle now: every byte of every copy. One that was killed is gone on with at the same
   place; the scheduler's own cycle is not taken for one.
 * The scheduler reads a little at a time, each store at its own pace and within its hours, so that a cycle takes as
   many days as the settings say; when one ends the next begins.
 * A cycle that looked at nothing is a finding, and so is a planted damage that was missed.
 * The end of each cycle is an event with what it counted; damage to an object is an event of that object.
 * One at a time for each store (a lease).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from archive_core.audit_comparing import code_of
from archive_core.audit_result import AuditEntry, AuditResult, brief, damage_events, damaged_objects
from archive_core.catalogue.catalogue import Catalogue
from archive_core.content import Content
from archive_core.errors import LeaseHeldError, UnavailableError, UsageError
from archive_core.findings import utc_text
from archive_core.fixity.canary import HARMS, Harm
from archive_core.fixity.cycle import LEAST_BYTES, WINDOW_BYTES, CycleWalk, Walker
from archive_core.fixity.state import BY_HAND, BY_SCHEDULE, Cycle, StoreState
from archive_core.holding import Holder
from archive_core.journal import detail_of
from archive_core.lifecycle import Actor
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import Clock
from archive_core.publishing import Published
from archive_core.renewal.rereading import Budget
from archive_core.replication import Copies
from archive_core.sequencer import Sequencer
from archive_core.trail.events import EventType, Outcome

Progress = Callable[[str, int, int | None], None]

PATIENCE = 30.0
"""Seconds that a run by hand waits for the scheduler's round to end."""

ROUND = 5.0
"""Seconds that one round of the scheduler reads in a store, at the most, beside one window."""

FIRST = timedelta(hours=1)
"""How long after it is first met a store is left alone by the scheduler."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a store is read by the scheduler: days for a cycle, bytes a second at the most (None: as many as there are),
    and the hours of the day (UTC, from and until; equal: all day) in which it is read."""

    days: float = 90.0
    bytes_per_second: int | None = 20 * 1024**2
    from_hour: float = 0.0
    until_hour: float = 0.0

    def allows(self, at: datetime) -> bool:
        """Whether an instant is within the hours."""
        if self.from_hour == self.until_hour:
            return True
        hour = at.astimezone(UTC).hour + at.astimezone(UTC).minute / 60
        if self.from_hour < self.until_hour:
            return self.from_hour <= hour < self.until_hour
        return hour >= self.from_hour or hour < self.until_hour

    def wait_after(self, size: int, total: int | None) -> float:
        """Seconds to wait after so many bytes were read, when the last cycle read `total`."""
        share = 1.0 if self.from_hour == self.until_hour else ((self.until_hour - self.from_hour) % 24) / 24
        rates = [float(self.bytes_per_second)] if self.bytes_per_second else []
        if total:
            rates = [min([*rates, total / (self.days * 86400 * share)])]
        return size / rates[0] if rates else 0.0


@dataclass(slots=True)
class FixityResult:
    """What a run found, shaped as an audit's answer, and what each store's cycle came to."""

    audit: AuditResult = field(default_factory=AuditResult)
    stores: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        shown = self.audit.to_json()
        shown["checked"] = {name: self.audit.checked[name] for name in ("stores", "objects", "files", "bytes")}
        return {**shown, "stores": self.stores}


class Fixity:
    """Reads every copy again."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        copies: Copies,
        content: Content,
        published: Published,
        sequencer: Sequencer,
        holder: Holder,
        paces: Mapping[str, Pace] | None = None,
    ) -> None:
        """`paces` are the scheduler's, by store; a store without one has the usual pace."""
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._content = content
        self._published = published
        self._sequencer = sequencer
        self._holder = holder
        self._paces = dict(paces or {})
        self.harms: tuple[Harm, ...] = HARMS

    # -- by hand ------------------------------------------------------------------------------

    def run(
        self,
        *,
        actor: Actor,
        store: str | None = None,
        bytes_per_second: int | None = None,
        anew: bool = False,
        progress: Progress,
    ) -> FixityResult:
        """A full cycle of every store, or of one; `bytes_per_second` paces each store. With `anew` a run that was
        interrupted is not gone on with. Raises `UsageError` for a store that is none, `LeaseHeldError` while another
        process checks it."""
        roots = self._roots(store)
        result = FixityResult()
        with ExitStack() as stack:
            for root in roots:
                stack.enter_context(self._holder.hold(_lease(root.store.name), patience=PATIENCE))
            states = {root.store.name: self._begun(root.store.name, anew) for root in roots}
            for group in _side_by_side(roots, states):
                self._advance(group, states, bytes_per_second, actor, progress, result)
        if not result.audit.checked["bytes"] and not result.audit.findings:
            names = ", ".join(root.store.name for root in roots)
            result.audit.findings.append(AuditEntry(names, ".", "NOTHING_CHECKED", "not one byte was read"))
        return result

    def _roots(self, store: str | None) -> list[StorageRoot]:
        roots = [root for root in self._copies.roots if store in (None, root.store.name)]
        if not roots:
            raise UsageError(f"there is no store {str(store)[:80]!a}; there are: {', '.join(self._copies.names)}")
        return roots

    def _begun(self, store: str, anew: bool) -> StoreState:
        state = StoreState.load(self._catalogue, store)
        if anew or state.cycle is None or state.cycle.by != BY_HAND:
            state.begin(BY_HAND, self._clock.now())
        else:
            state.cycle.resumed += 1
        state.save(self._catalogue, store)
        return state

    def _advance(
        self,
        roots: Sequence[StorageRoot],
        states: Mapping[str, StoreState],
        bytes_per_second: int | None,
        actor: Actor,
        progress: Progress,
        result: FixityResult,
    ) -> None:
        """Stores at the same place, to the end. One that does not answer is a finding; where they went side by side,
        the others are then gone on with alone."""
        walkers = [self._walker(root, states[root.store.name], Budget(bytes_per_second)) for root in roots]
        what = f"reading {', '.join(root.store.name for root in roots)}"
        window = WINDOW_BYTES if bytes_per_second is None else max(LEAST_BYTES, min(WINDOW_BYTES, bytes_per_second))
        try:
            for root in roots:
                root.require_declaration()
            self._walk().advance(
                walkers,
                enough=lambda: False,
                window_bytes=window,
                progress=lambda done, total: progress(what, done, total),
            )
        except UnavailableError as error:
            if isinstance(error, LeaseHeldError):
                raise
            if len(roots) > 1:
                for root in roots:
                    self._advance([root], states, bytes_per_second, actor, progress, result)
                return
            name = roots[0].store.name
            result.audit.findings.append(AuditEntry(name, ".", code_of(error), str(error)))
            return
        for walker in walkers:
            self._ended(walker, states[walker.root.store.name], actor, result)

    def _walk(self) -> CycleWalk:
        return CycleWalk(
            catalogue=self._catalogue,
            content=self._content,
            published=self._published,
            now=self._clock.now,
            harms=self.harms,
            leaving=lambda: self._copies.leaving,
        )

    def _walker(self, root: StorageRoot, state: StoreState, budget: Budget) -> Walker:
        cycle = state.cycle
        assert cycle is not None

        def beat(size: int) -> None:
            budget.spend(size, self._holder.renew)

        def save() -> None:
            self._holder.renew()
            state.save(self._catalogue, root.store.name)

        return Walker(root, cycle, beat, self._holder.renew, save)

    # -- the end of a cycle -------------------------------------------------------------------

    def _ended(self, walker: Walker, state: StoreState, actor: Actor, result: FixityResult | None) -> None:
        name, cycle = walker.root.store.name, walker.cycle
        if not cycle.counts.bytes:
            cycle.find(AuditEntry(name, ".", "NOTHING_CHECKED", "not one byte of this store was read"))
        missed = cycle.counts.planted_found != cycle.counts.planted or not cycle.counts.planted
        if missed and not any(one["code"].startswith("CANARY") for one in cycle.findings):
            cycle.find(AuditEntry(name, ".", "CANARY_MISSED", "the planted damage was not found"))
        findings = [AuditEntry(**one) for one in cycle.findings]
        oldest = state.oldest_check()
        last = state.finish(self._clock.now())
        self._record(name, cycle, last, findings, actor)
        state.not_before = None
        state.save(self._catalogue, name)
        if result is None:
            return
        result.audit.findings += findings
        result.audit.notes += [AuditEntry(**one) for one in cycle.notes]
        for counted, value in (
            ("stores", 1),
            ("objects", cycle.counts.objects),
            ("files", cycle.counts.files),
            ("bytes", cycle.counts.bytes),
        ):
            result.audit.checked[counted] += value
        result.stores[name] = {
            **{key: value for key, value in last.items() if key != "findings"},
            "resumed": cycle.resumed,
            "bytes_per_second": round(cycle.counts.bytes / cycle.seconds) if cycle.seconds else None,
            "oldest_check_before": oldest,
        }

    def _record(
        self, store: str, cycle: Cycle, last: Mapping[str, Any], findings: Sequence[AuditEntry], actor: Actor
    ) -> None:
        """An event for each damaged object, and one for the cycle."""
        found = AuditResult(findings=list(findings))
        known = self._catalogue.known_objects(poid for _, poid in damaged_objects(found))
        self._sequencer.record_all(damage_events(found, known, at=self._clock.now(), actor=actor))
        facts = {key: value for key, value in last.items() if key != "findings"}
        self._sequencer.record(
            EventType.FIXITY_CHECK,
            Outcome.FAILURE if cycle.finding_count else Outcome.SUCCESS,
            f"cycle-{cycle.number}-findings-{cycle.finding_count}",
            actor=actor,
            subject=_subject(store),
            detail={**facts, "findings": brief(findings)},
        )

    # -- by schedule --------------------------------------------------------------------------

    def round(self, *, actor: Actor) -> list[str]:
        """What is due in any store now, a little of it; the stores whose cycle ended with findings."""
        bad = []
        for root in self._copies.roots:
            name = root.store.name
            try:
                with self._holder.hold(_lease(name)):
                    ended = self._round_of(root, actor)
            except LeaseHeldError:
                continue  # somebody else is at it
            if ended is not None and ended["finding_count"]:
                bad.append(name)
        return bad

    def _round_of(self, root: StorageRoot, actor: Actor) -> dict[str, Any] | None:
        name, at = root.store.name, self._clock.now()
        pace, state = self._paces.get(name, Pace()), StoreState.load(self._catalogue, name)
        if state.not_before is None:
            state.not_before = utc_text(at + (timedelta() if state.cycle or state.last else FIRST))
            state.save(self._catalogue, name)
        if datetime.fromisoformat(state.not_before) > at or not pace.allows(at):
            return None
        cycle = state.cycle or state.begin(BY_SCHEDULE, at)
        cycle.by = BY_SCHEDULE
        total = state.last["bytes"] if state.last else None
        walker, read = self._walker(root, state, Budget(None)), cycle.counts.bytes
        until = time.monotonic() + ROUND
        most = pace.bytes_per_second or WINDOW_BYTES
        whole = self._walk().advance(
            [walker],
            enough=lambda: time.monotonic() >= until or cycle.counts.bytes - read >= most,
            window_bytes=max(LEAST_BYTES, min(WINDOW_BYTES, most)),
            progress=lambda done, total: None,
        )
        wait = pace.wait_after(cycle.counts.bytes - read, total)
        if whole:
            self._ended(walker, state, actor, None)
        state.not_before = utc_text(at + timedelta(seconds=wait))
        state.save(self._catalogue, name)
        return state.last if whole else None

    # -- how it stands ------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Coverage and age of each store's checks, what the last cycles found, and the history."""
        holds = self._catalogue.count_states().objects
        return {"stores": [{**one, "objects": holds} for one in self._stores()], "history": self.history()}

    def _stores(self) -> list[dict[str, Any]]:
        """How the checks of each store stand."""
        at = self._clock.now()
        stores = []
        for name in self._copies.names:
            state = StoreState.load(self._catalogue, name)
            oldest = state.oldest_check()
            age = (at - datetime.fromisoformat(oldest)).total_seconds() if oldest else None
            pace = self._paces.get(name, Pace())
            cycle = state.cycle
            stores.append(
                {
                    "name": name,
                    "oldest_check": oldest,
                    "oldest_check_age_seconds": round(age) if age is not None else None,
                    "overdue": age is not None and age > 2 * pace.days * 86400,
                    "last": state.last,
                    "cycle": None
                    if cycle is None
                    else {
                        "cycle": cycle.number,
                        "by": cycle.by,
                        "started": cycle.started,
                        "phase": cycle.phase,
                        "cursor": cycle.cursor,
                        "objects": cycle.counts.objects,
                        "files": cycle.counts.files,
                        "bytes": cycle.counts.bytes,
                        "finding_count": cycle.finding_count,
                        "findings": cycle.findings[:100],
                    },
                    "not_before": state.not_before,
                    "pace": {
                        "days": pace.days,
                        "bytes_per_second": pace.bytes_per_second,
                        "from_hour": pace.from_hour,
                        "until_hour": pace.until_hour,
                    },
                }
            )
        return stores

    def warnings(self) -> list[str]:
        """What people are to know: damage that a last cycle found, and bytes that nobody has read for long."""
        told = []
        for store in self._stores():
            found = (store["last"] or {}).get("finding_count", 0)
            if found:
                told.append(
                    f"store {store['name']}: its last fixity cycle had {found} findings: `trusted-archive repair`"
                )
            if store["overdue"]:
                told.append(f"store {store['name']}: some bytes were last read before {store['oldest_check']}")
        return told

    def history(self) -> list[dict[str, Any]]:
        """Every cycle whose event is there, oldest first; its counts where their detail was not erased."""
        found = []
        for name in self._copies.names:
            for row in self._catalogue.events_about(_subject(name)):
                detail = detail_of(row)
                counts = dict(detail.detail) if detail else {}
                found.append(
                    {
                        "store": name,
                        "ended": utc_text(row.recorded_at),
                        "outcome": row.outcome,
                        "code": row.code,
                        **{
                            key: counts.get(key)
                            for key in ("cycle", "by", "started", "milliseconds", "objects", "files", "bytes", "spots")
                        },
                        **{key: counts.get(key) for key in ("planted", "planted_found", "read_again", "finding_count")},
                    }
                )
        return sorted(found, key=lambda one: str(one["ended"]))


def _side_by_side(roots: Sequence[StorageRoot], states: Mapping[str, StoreState]) -> list[list[StorageRoot]]:
    """The stores in groups that are at the same place."""
    groups: dict[str, list[StorageRoot]] = {}
    for root in roots:
        cycle = states[root.store.name].cycle
        groups.setdefault(cycle.place if cycle else "", []).append(root)
    return list(groups.values())


def _lease(store: str) -> str:
    return f"fixity-{store}"


def _subject(store: str) -> str:
    return f"fixity-{store}"
