"""The journal: what happened goes into the catalogue at once and into the trail soon after.

Rules kept here
 * A deposit's event is written with commit A and follows from the stored description; it needs no
   hurry, because a rebuild finds it again.
 * An administrative event (`record_now`) is in a segment on every store before it is acknowledged.
 * Any other event is in the catalogue when `record` returns and in a segment within seconds; that is
   the loss window when catalogue and host are lost together.
"""

from __future__ import annotations

from archive_core.catalogue.rows import EventRow
from archive_core.trail.events import Detail, Event, EventType, Outcome


def event_row(event: Event, detail: Detail | None) -> EventRow:
    """An event as the catalogue keeps it until and after it is sequenced."""
    return EventRow(
        event_id=event.event_id,
        recorded_at=event.time,
        type=str(event.type),
        outcome=str(event.outcome),
        actor=event.actor,
        code=event.code,
        poid=event.poid,
        version=event.version,
        subject=event.subject,
        commitment=event.commitment.hex() if event.commitment else None,
        detail=dict(detail.detail) if detail else None,
        detail_nonce=detail.nonce.hex() if detail else None,
    )


def event_of(row: EventRow) -> Event:
    """The inverse of `event_row`, with the number that the catalogue gave."""
    return Event(
        event_id=row.event_id,
        time=row.recorded_at,
        type=EventType(row.type),
        outcome=Outcome(row.outcome),
        code=row.code,
        actor=row.actor,
        poid=row.poid,
        version=row.version,
        subject=row.subject,
        commitment=bytes.fromhex(row.commitment) if row.commitment else None,
        object_event=row.object_event,
    )


def detail_of(row: EventRow) -> Detail | None:
    """The erasable detail of an event, if it has one that was not erased."""
    if row.detail is None or row.detail_nonce is None:
        return None
    return Detail(row.event_id, bytes.fromhex(row.detail_nonce), row.detail)
