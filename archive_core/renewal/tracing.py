"""Which renewals an object's evidence rests on, as events of the trail.

A renewal is one event, however many documents it carries; so it is not among the numbered events of an object
and is found through the stamps of its batches.
"""

from __future__ import annotations

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import EventRow
from archive_core.identifiers import object_name


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
