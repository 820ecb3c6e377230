"""Versions that are set aside because of their signatures, until an operator releases or rejects them.

Rules kept here
 * A version in quarantine is kept like any other: on every store, under evidence, so that no time is lost. It is shown
   as quarantined, and given out to operators only.
 * That it was set aside stands in its description; that it was released is an event of the trail, which is on the
   stores before anybody is told. So a rebuilt catalogue knows both.
 * A decision is about a deposit: a release holds for versions with validation data that appeared later, and where such
   a version was found good, what came before it waits for nobody.
 * To reject is to destroy, with a tombstone that says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.errors import InQuarantineError, NotInQuarantineError, UsageError
from archive_core.lifecycle import Actor
from archive_core.packaging import VALIDATION_DATA
from archive_core.sequencer import Sequencer
from archive_core.trail.events import EventType, Outcome

SET_ASIDE = "quarantine"
RELEASED, REJECTED = "released", "rejected"
MAX_REASON = 2000


def is_held(catalogue: Catalogue, row: VersionRow) -> bool:
    """Whether a version is in quarantine: set aside, not released, and not found good by what appeared later."""
    if row.examined != SET_ASIDE or row.destroyed:
        return False
    versions = _of_one_deposit(catalogue, row)
    if versions[-1].examined != SET_ASIDE:
        return False
    released = catalogue.events_with_code(row.poid, str(EventType.QUARANTINE), RELEASED)
    first, last = versions[0].version, versions[-1].version
    return not any(event.version is not None and first <= event.version <= last for event in released)


def _of_one_deposit(catalogue: Catalogue, row: VersionRow) -> list[VersionRow]:
    """The version that brought the documents of this one, and those with validation data that follow it."""
    found: list[VersionRow] = []
    for one in catalogue.versions(row.poid):
        if one.kind != VALIDATION_DATA:
            if one.version > row.version:
                break
            found = []
        found.append(one)
    return found


def require_released(catalogue: Catalogue, row: VersionRow, actor: Actor) -> None:
    """Raises `InQuarantineError` when somebody who is no operator asks for what is in quarantine."""
    if row.examined == SET_ASIDE and actor.role != "operator" and is_held(catalogue, row):
        raise InQuarantineError(poid=row.poid, version=row.version)


@dataclass(frozen=True)
class Quarantine:
    """What is set aside, and the decision about it."""

    catalogue: Catalogue
    sequencer: Sequencer

    def held(self, originator: str | None) -> list[VersionRow]:
        """The versions in quarantine, oldest first; of one deposit the newest."""
        held = [row for row in self.catalogue.set_aside(originator) if is_held(self.catalogue, row)]
        return [row for row in held if row == _of_one_deposit(self.catalogue, row)[-1]]

    def release(self, row: VersionRow, reason: str, *, actor: Actor) -> None:
        """Let a version be used. On the stores when this returns; raises `NotInQuarantineError`."""
        self._decide(row, reason, RELEASED, actor)

    def rejected(self, row: VersionRow, reason: str, *, actor: Actor) -> None:
        """Record that a version is to go away; its destruction is the caller's next step."""
        self._decide(row, reason, REJECTED, actor)

    def _decide(self, row: VersionRow, reason: str, code: str, actor: Actor) -> None:
        require_reason(reason)
        if not is_held(self.catalogue, row):
            raise NotInQuarantineError(poid=row.poid, version=row.version)
        self.sequencer.record(
            EventType.QUARANTINE,
            Outcome.SUCCESS,
            code,
            actor=actor,
            poid=row.poid,
            version=row.version,
            detail={"reason": reason},
        )
        self.sequencer.flush()

    def warnings(self) -> Sequence[str]:
        waiting = self.held(None)
        if not waiting:
            return []
        return [
            f"{len(waiting)} versions are in quarantine because of their signatures, the first is {waiting[0].poid}: "
            "`trusted-archive quarantine list`"
        ]


def require_reason(reason: str) -> None:
    """Raises `UsageError` for a reason that says nothing or too much."""
    if not reason.strip() or len(reason) > MAX_REASON:
        raise UsageError(f"a reason is needed, of at most {MAX_REASON} characters")
