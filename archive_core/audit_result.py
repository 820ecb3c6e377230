"""What an audit says: findings, notes and counts, and the events that objects get of it.

Rules kept here
 * A finding names store, path and code; a note is what was mended of a crash.
 * Damage to an object is an event of that object, one for each store, so that its trace tells of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from archive_core.catalogue.rows import EventRow
from archive_core.journal import event_row
from archive_core.lifecycle import Actor
from archive_core.trail.events import EventType, Outcome, new_event

_POID = re.compile(r"(?:^|/|:|%3a)([0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15})(?![0-9a-f])")
"""A POID in a finding's path: the name of an object's directory (`…%3a0199…/v1/…`), or at its start."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A finding or a note: in which store, at which path of it, under which code."""

    store: str
    path: str
    code: str
    message: str

    def to_json(self) -> dict[str, str]:
        return {"store": self.store, "path": self.path, "code": self.code, "message": self.message}


@dataclass(slots=True)
class AuditResult:
    """What an audit found, what it mended of crashes, and how much it looked at."""

    findings: list[AuditEntry] = field(default_factory=list)
    notes: list[AuditEntry] = field(default_factory=list)
    checked: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("stores", "objects", "files", "bytes", "versions", "events"), 0)
    )

    def to_json(self) -> dict[str, object]:
        return {
            "findings": [entry.to_json() for entry in self.findings],
            "notes": [entry.to_json() for entry in self.notes],
            "checked": self.checked,
        }


def brief(entries: Sequence[AuditEntry]) -> list[dict[str, str]]:
    """The first findings, cut so that the detail of an event (64 KiB) has room for them."""
    return [{name: text[:300] for name, text in entry.to_json().items()} for entry in entries[:20]]


def damaged_objects(result: AuditResult) -> dict[tuple[str, str], list[AuditEntry]]:
    """The findings about preservation objects, by (store, POID)."""
    found: dict[tuple[str, str], list[AuditEntry]] = {}
    for entry in result.findings:
        match = _POID.search(entry.path)
        if match:
            found.setdefault((entry.store, match[1]), []).append(entry)
    return found


def damage_events(result: AuditResult, known: Iterable[str], *, at: datetime, actor: Actor) -> list[EventRow]:
    """One failed fixity check for each object and store with findings; only for the POIDs in `known`,
    because a path in a damaged store may name anything."""
    objects, rows = set(known), []
    for (store, poid), entries in damaged_objects(result).items():
        if poid in objects:
            event, detail = new_event(
                EventType.FIXITY_CHECK,
                Outcome.FAILURE,
                entries[0].code,
                at=at,
                actor=actor.actor_id,
                poid=poid,
                subject=f"store-{store}" if "," not in store else None,
                detail={"findings": brief(entries)},
            )
            rows.append(event_row(event, detail))
    return rows
