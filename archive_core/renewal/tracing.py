"""Which renewals an object's evidence rests on, as events of the trail.

A renewal is one event, however many documents it carries; so it is not among the numbered events of an object
and is found through the stamps of its batches.
"""

from __future__ import annotations

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import EventRow
from archive_core.identifiers import object_name
from archive_core.lifecycle import Actor
from archive_core.renewal import form
from archive_core.renewal.means import Means
from archive_core.renewal.stored import StoredRenewal
from archive_core.trail.events import EventType, Outcome

EVENT_OF = {form.TIMESTAMP: EventType.TIMESTAMP_RENEWAL, form.HASH_TREE: EventType.HASH_TREE_RENEWAL}


def renewal_events(catalogue: Catalogue, poid: str) -> list[EventRow]:
    """The events of the renewals on which any version of an object rests, oldest renewal first."""
    batches = {row.batch for row in catalogue.versions(poid) if row.batch is not None}
    names = {
        object_name(stamp.covers_renewal)
        for number in batches
        for stamp in catalogue.stamps(number)
        if stamp.covers_renewal is not None
    }
    return [event for name in sorted(names) for event in catalogue.events_about(name)]


def record_event(
    means: Means,
    stored: StoredRenewal,
    outcome: Outcome,
    code: str,
    actor: Actor,
    detail: dict[str, str],
    *,
    again: bool = False,
) -> None:
    """An event of a renewal, unless an interrupted round has recorded it (`again`: all the same)."""
    type_ = EVENT_OF[stored.document.kind]
    known = [] if again else means.catalogue.events_about(stored.name)
    if any((row.type, row.outcome, row.code) == (type_, outcome, code) for row in known):
        return
    means.sequencer.record(type_, outcome, code, actor=actor, subject=stored.name, detail=dict(detail))
