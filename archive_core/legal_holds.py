"""Use case: legal holds, which keep objects from being destroyed until the last one is lifted.

Rules kept here
 * Placing and lifting are events with time, actor and reason, in the trail on the stores before anybody is told.
 * An object may be under several holds, each with a name of its own, such as the number of a court file. What is held
   under a name is not held under it twice.
 * All objects that are named together are held, or released, together, or none of them is.
 * Nothing else is kept from happening: updates, evidence, renewals and repairs go on, and no period stops.
 * Stores that can hold versions are told at once where they answer; where they do not, they owe it like their locks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.holds import LIFTED, NAME, PLACED, REASON, LegalHold
from archive_core.catalogue.rows import EventRow
from archive_core.content import require_living
from archive_core.destruction.destroying import LEASE
from archive_core.errors import NotUnderLegalHoldError, UsageError
from archive_core.findings import utc_text
from archive_core.holding import Holder
from archive_core.identifiers import new_token, storage_object_for
from archive_core.journal import event_row
from archive_core.lifecycle import Actor
from archive_core.ports import Clock
from archive_core.replication import Copies
from archive_core.sequencer import Sequencer
from archive_core.trail.events import EventType, Outcome, new_event
from archive_core.worm import Locks

PATIENCE = 30.0
"""Seconds for which a destruction that is under way is waited for."""
MAX_NAME, MAX_REASON, MAX_OBJECTS = 200, 2000, 10_000
_NAME = re.compile(rf"[!-~\u00a1-\u017f](?:[ -~\u00a1-\u017f]{{0,{MAX_NAME - 2}}}[!-~\u00a1-\u017f])?")
"""Latin script as Czech needs it, so that a name is seen as what it is."""
SUBJECT = "hold-"
"""How the opaque id of a hold begins."""


@dataclass(frozen=True, slots=True)
class HoldsView:
    """Holds that were placed or lifted, and the stores that have yet to do their part, with the reason. `replayed` are
    the ids of those that stood already."""

    holds: tuple[LegalHold, ...]
    owed: Mapping[str, str]
    replayed: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, object]:
        return {
            "holds": [{**hold_json(hold), "replayed": hold.hold in self.replayed} for hold in self.holds],
            "owed": [{"store": store, "reason": reason} for store, reason in sorted(self.owed.items())],
        }


def hold_json(hold: LegalHold, *, whole: bool = True) -> dict[str, object]:
    """A hold as it is shown; why and by whom it was placed only with `whole`."""
    shown: dict[str, object] = {
        "poid": hold.poid,
        "hold": hold.hold,
        "name": hold.name,
        "since": utc_text(hold.since),
    }
    if whole:
        shown |= {"by": hold.by, "who": dict(hold.who), "reason": hold.reason}
    return shown


class Holding:
    """Places and lifts holds, and tells which stand."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        copies: Copies,
        sequencer: Sequencer,
        holder: Holder,
        locks: Locks,
        finish_destructions: Callable[[], object],
    ) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._copies = copies
        self._sequencer = sequencer
        self._holder = holder
        self._locks = locks
        self._finish_destructions = finish_destructions

    def standing(self, poids: Sequence[str] | None = None, *, actor: Actor) -> list[LegalHold]:
        """The holds that stand on what the actor may see: on all of it, or on some objects. Raises
        `UnknownObjectError`."""
        for poid in poids or ():
            self._catalogue.version(poid, None, actor.originator)
        return self._catalogue.legal_holds(poids, actor.originator)

    def place(self, poids: Sequence[str], *, name: str | None = None, reason: str, actor: Actor) -> HoldsView:
        """Put living objects under a hold of that name. In the trail on the stores when this returns.

        Raises `UnknownObjectError`, `ObjectDestroyedError`, `DestructionBegunError`, `UsageError` and
        `UnavailableError`; after the last one the hold may stand: it is placed again to be sure."""
        asked = self._asked(poids, reason, actor)
        name = _checked_name(name)
        if any(row.poid in asked for row in self._catalogue.destructions_under_way()):
            self._finish_destructions()
        with self._holder.hold(LEASE, patience=PATIENCE):
            there = {hold.poid: hold for hold in self._catalogue.legal_holds(asked) if _is(hold, name)}
            rows = [
                self._event(PLACED, poid, SUBJECT + new_token(), reason, actor, name)
                for poid in asked
                if poid not in there
            ]
            self._enter(rows)
        self._sequencer.flush()
        found = [hold for hold in self._catalogue.legal_holds(asked) if _is(hold, name)]
        replayed = frozenset(hold.hold for hold in there.values())
        return HoldsView(tuple(found), self._settled(asked), replayed)

    def lift(self, poids: Sequence[str], *, name: str | None = None, reason: str, actor: Actor) -> HoldsView:
        """Lift the hold of that name, or with that id, from objects; without one, the only hold of each. In the trail
        on the stores when this returns.

        Raises `UnknownObjectError`, `NotUnderLegalHoldError`, `UsageError` when an object is under several holds and
        none is named, and `UnavailableError`; after the last one the hold may be lifted already."""
        asked = self._asked(poids, reason, actor)
        with self._holder.hold(LEASE, patience=PATIENCE):
            standing = self._catalogue.legal_holds(asked)
            chosen = [_chosen(poid, [hold for hold in standing if hold.poid == poid], name) for poid in asked]
            self._enter(
                [
                    self._event(LIFTED, hold.poid, hold.hold, reason, actor, hold.name)
                    for hold in chosen
                    if not hold.lifting
                ]
            )
        self._sequencer.flush()
        return HoldsView(tuple(chosen), self._settled(asked))

    def _asked(self, poids: Sequence[str], reason: str, actor: Actor) -> list[str]:
        """The objects, each once, when they may be seen and are there."""
        if not reason.strip() or len(reason) > MAX_REASON:
            raise UsageError(f"a reason is needed, of at most {MAX_REASON} characters")
        asked = list(dict.fromkeys(poids))
        if not 1 <= len(asked) <= MAX_OBJECTS:
            raise UsageError(f"say which objects, 1 to {MAX_OBJECTS}")
        for poid in asked:
            require_living(self._catalogue.version(poid, None, actor.originator))
        self._copies.guard()
        return asked

    def _event(self, code: str, poid: str, hold: str, reason: str, actor: Actor, name: str | None) -> EventRow:
        told: dict[str, str] = {**actor.detail, REASON: reason}
        if name is not None:
            told[NAME] = name
        event, detail = new_event(
            EventType.LEGAL_HOLD,
            Outcome.SUCCESS,
            code,
            at=self._now(),
            actor=actor.actor_id,
            poid=poid,
            subject=hold,
            detail=told,
        )
        return event_row(event, detail)

    def _enter(self, rows: Sequence[EventRow]) -> None:
        if rows:
            self._catalogue.enter_hold_events(rows, list(self._locks.policies), self._now())

    def _settled(self, poids: Sequence[str]) -> Mapping[str, str]:
        return self._locks.settle([storage_object_for(poid) for poid in poids])

    def _now(self) -> datetime:
        return self._clock.now()


def _is(hold: LegalHold, name: str | None) -> bool:
    return hold.name == name and not hold.lifting


def _chosen(poid: str, standing: Sequence[LegalHold], name: str | None) -> LegalHold:
    """The one hold of an object that is meant."""
    found = [hold for hold in standing if name is None or name in (hold.name, hold.hold)]
    if not found:
        said = "under no legal hold" if name is None else f"under no legal hold {name[:MAX_NAME]!a}"
        raise NotUnderLegalHoldError(f"{poid} is {said}", poid=poid)
    still = [hold for hold in found if not hold.lifting] or found[:1]
    if len(still) > 1:
        names = ", ".join(hold.name or hold.hold for hold in still)
        raise UsageError(f"{poid} is under several legal holds, say the name of one: {names}", poid=poid)
    return still[0]


def _checked_name(name: str | None) -> str | None:
    if name is None:
        return None
    if not _NAME.fullmatch(name):
        raise UsageError(f"the name of a hold has 1 to {MAX_NAME} letters, digits and signs, and no space around them")
    return name
