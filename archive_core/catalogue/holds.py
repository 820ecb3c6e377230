"""Legal holds: what keeps an object from being destroyed, replayed from the events that place and lift it.

Rules kept here
 * A hold is its events and nothing besides: there is no row of it that could say something else, and a rebuilt
   catalogue has it as soon as it has the trail.
 * A hold counts from the moment at which its placing is recorded. A lift counts only once it is in the trail, which
   is in the stores: what was told to nobody opens nothing.
 * An object whose destruction was begun takes no hold, and one that is held takes no beginning of a destruction: each
   transaction looks for the other under the lock of the object's versions.
 * What opaque columns say is enough: a hold whose erasable detail is gone still holds.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, literal_column, select

from archive_core.catalogue.base import Part, chunks, to_row, to_rows
from archive_core.catalogue.copy_debts import owe_locks_in
from archive_core.catalogue.events import insert_events
from archive_core.catalogue.rows import EventRow, TombstoneRow
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import events, tombstones, versions
from archive_core.errors import DestructionBegunError, ObjectDestroyedError, UnderLegalHoldError

PLACED, LIFTED = "placed", "lifted"
NAME, REASON = "hold", "reason"
"""Where the erasable detail of an event has the name of a hold and the reason; the rest of it says who it was."""

_EVENTS = (
    select(events)
    # A literal, so that the databases see that the partial index is meant.
    .where(events.c.type == literal_column("'legal hold'"), events.c.outcome == "success")
    .order_by(events.c.poid, events.c.arrival)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold:
    """A hold that stands: on which object, since when, placed by whom (`by` is an opaque id). `hold` is its own opaque
    id. `name`, `reason` and `who` are erasable: None or empty when they were erased, and `name` also when it has none.
    `lifting` says that its lift is recorded and not in the stores yet."""

    poid: str
    hold: str
    since: datetime
    by: str | None
    name: str | None = None
    reason: str | None = None
    who: Mapping[str, Any] = field(default_factory=dict)
    lifting: bool = False


class HoldState(enum.Enum):
    """What is true of an object as a whole."""

    NEVER = "never"
    HELD = "held"
    LIFTING = "lifting"
    """All its holds are being lifted: it is held until that is in the stores."""
    LIFTED = "lifted"


class LegalHolds(Part):
    def enter_hold_events(self, rows: Sequence[EventRow], stores: Sequence[str], at: datetime) -> None:
        """Record events that place or lift holds, and that these stores have to look at the locks of their objects.

        Raises `ObjectDestroyedError`, and `DestructionBegunError` when an object is about to be destroyed: then
        nothing is recorded."""
        poids = sorted({row.poid for row in rows if row.poid is not None})
        with writing(self._engine) as connection:
            for poid in poids:
                lock_object(connection, poid)
                _require_no_tombstone(connection, poid)
            insert_events(connection, rows)
            objects: set[str] = set()
            for chunk in chunks(poids):
                found = select(versions.c.storage_object).where(versions.c.poid.in_(chunk))
                objects.update(connection.execute(found).scalars())
            for store in stores:
                owe_locks_in(connection, store, sorted(objects), at)

    def legal_holds(self, poids: Iterable[str] | None = None, originator: str | None = None) -> list[LegalHold]:
        """The holds that stand, by object and in the order in which they were placed: all, or those of some objects or
        of an originator's."""
        query = _EVENTS
        if originator is not None:
            query = query.where(events.c.poid.in_(select(versions.c.poid).where(versions.c.originator == originator)))
        with reading(self._engine) as connection:
            if poids is None:
                return _standing(to_rows(EventRow, connection.execute(query).mappings()))
            found: list[LegalHold] = []
            for chunk in chunks(sorted(set(poids))):
                rows = connection.execute(query.where(events.c.poid.in_(chunk))).mappings()
                found += _standing(to_rows(EventRow, rows))
        return found

    def hold_state(self, poid: str) -> HoldState:
        """Whether an object is held, or ever was."""
        with reading(self._engine) as connection:
            rows = to_rows(EventRow, connection.execute(_EVENTS.where(events.c.poid == poid)).mappings())
        if not rows:
            return HoldState.NEVER
        standing = _standing(rows)
        if not standing:
            return HoldState.LIFTED
        return HoldState.LIFTING if all(hold.lifting for hold in standing) else HoldState.HELD


def lock_object(connection: Connection, poid: str) -> None:
    """Keep others from placing a hold on an object, or beginning to destroy it, until the transaction ends. On SQLite
    whoever writes is alone anyway."""
    connection.execute(select(versions.c.version).where(versions.c.poid == poid).with_for_update()).all()


def require_not_held(connection: Connection, poid: str) -> None:
    """Raises `UnderLegalHoldError`, within a transaction."""
    rows = to_rows(EventRow, connection.execute(_EVENTS.where(events.c.poid == poid)).mappings())
    refuse_held(poid, _standing(rows))


def refuse_held(poid: str, standing: Sequence[LegalHold]) -> None:
    """Raises `UnderLegalHoldError` that names the holds of an object, when there are any."""
    if standing:
        raise UnderLegalHoldError(poid=poid, holds=[hold.name or hold.hold for hold in standing])


def _standing(rows: Iterable[EventRow]) -> list[LegalHold]:
    found: dict[tuple[str, str], LegalHold] = {}
    for row in rows:
        if row.poid is None or row.subject is None:
            continue
        key = row.poid, row.subject
        if row.code == PLACED:
            found[key] = _hold(row, row.poid, row.subject)
        elif row.code == LIFTED and row.seq is not None:
            found.pop(key, None)
        elif row.code == LIFTED and key in found:
            found[key] = replace(found[key], lifting=True)
    return list(found.values())


def _hold(row: EventRow, poid: str, subject: str) -> LegalHold:
    told = dict(row.detail or {})
    name, reason = told.pop(NAME, None), told.pop(REASON, None)
    return LegalHold(poid=poid, hold=subject, since=row.recorded_at, by=row.actor, name=name, reason=reason, who=told)


def _require_no_tombstone(connection: Connection, poid: str) -> None:
    found = connection.execute(select(tombstones).where(tombstones.c.poid == poid)).mappings().one_or_none()
    if found is None:
        return
    if to_row(TombstoneRow, found).gen_time is None:
        raise DestructionBegunError(poid=poid)
    raise ObjectDestroyedError(f"{poid} was destroyed: `trusted-archive show` says when and why", poid=poid)
