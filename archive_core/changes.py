"""What has changed since a cursor: `replicated`, `evidenced`, `renewed`, `damaged`, `repaired`, `destroyed`.

Rules kept here
 * Changes follow from the trail and come in its order, so that nobody who goes on from a cursor misses one, also
   beside writers, also over a catalogue that was rebuilt: a cursor is a place in the trail.
 * One event may stand for many changes (a batch, a renewal): a cursor may stand inside of it.
 * The changes of one object come in the order in which they happened.
 * An organisation sees the changes of its own objects; nothing in a cursor or in how many come tells of others'
   objects, but how long the trail is.
 * One look goes through `SCANNED` places of the trail and gives at most `limit` changes: then there is `more`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.changes import ChangeEvent
from archive_core.errors import UsageError
from archive_core.findings import utc_text
from archive_core.identifiers import RENEWAL, object_name, system_object
from archive_core.trail.events import EventType, Outcome

SCANNED = 5_000
"""Places of the trail that one look goes through."""

PURGED = "purged"
"""The code of the event that one store has let go of an object that was destroyed."""

BATCHES = 100
"""Batches of a renewal that are looked up at a time."""

KINDS = ("replicated", "evidenced", "renewed", "damaged", "repaired", "destroyed")

_OF_OBJECTS = {
    (str(EventType.INGESTION), str(Outcome.SUCCESS)): "replicated",
    (str(EventType.UPDATE), str(Outcome.SUCCESS)): "replicated",
    (str(EventType.FIXITY_CHECK), str(Outcome.FAILURE)): "damaged",
    (str(EventType.RECOVERY), str(Outcome.SUCCESS)): "repaired",
    (str(EventType.DELETION), str(Outcome.SUCCESS)): "destroyed",
}
_TYPES = (*dict.fromkeys(type_ for type_, _ in _OF_OBJECTS), str(EventType.STATE_CHANGE))

_CURSOR = re.compile(r"c([0-9]{1,18})(?:-([0-9]{1,18})-([0-9]{1,18}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """Everything before place `seq` of the trail was told; of the event there, what is up to a leaf of a batch."""

    seq: int
    batch: int = -1
    leaf: int = -1

    def __str__(self) -> str:
        return f"c{self.seq}" if self.batch < 0 else f"c{self.seq}-{self.batch}-{self.leaf}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The inverse of `str`; raises `UsageError`."""
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise UsageError("a cursor is the `next` of an earlier answer")
        return cls(*(int(part) for part in found.groups() if part is not None))


@dataclass(frozen=True, slots=True)
class Change:
    """Something that became true of a version. `cursor` is behind it."""

    kind: str
    poid: str
    version: int | None
    originator: str
    time: datetime
    cursor: Cursor

    def to_json(self) -> dict[str, object]:
        return {
            "change": self.kind,
            "poid": self.poid,
            "version": self.version,
            "organisation": self.originator,
            "time": utc_text(self.time),
            "cursor": str(self.cursor),
        }


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in order; `next` is behind all that was looked through. `more` says that there is more to look through
    already."""

    changes: tuple[Change, ...]
    next: Cursor
    more: bool

    def to_json(self) -> dict[str, object]:
        return {"changes": [change.to_json() for change in self.changes], "next": str(self.next), "more": self.more}


class Changes:
    """The changes of an archive's objects."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def now(self) -> Cursor:
        """Behind everything that has happened."""
        return Cursor(self._catalogue.trail_size())

    def since(
        self,
        cursor: Cursor,
        *,
        limit: int,
        originator: str | None,
        kinds: Collection[str] = KINDS,
        until: Cursor | None = None,
    ) -> ChangePage:
        """The next changes behind a cursor, of an organisation's objects or of all (None)."""
        size = self._catalogue.trail_size()
        stop = min(size, cursor.seq + SCANNED)
        found: list[Change] = []
        for change in self._between(cursor, stop, originator, kinds):
            if until is not None and change.cursor > until:
                return ChangePage(tuple(found), until, more=True)
            found.append(change)
            if len(found) == limit:
                return ChangePage(tuple(found), change.cursor, more=True)
        end = max(cursor, Cursor(stop)) if until is None else min(until, max(cursor, Cursor(stop)))
        return ChangePage(tuple(found), end, more=stop < size)

    def _between(self, cursor: Cursor, stop: int, originator: str | None, kinds: Collection[str]) -> Iterator[Change]:
        for event in self._catalogue.change_events(cursor.seq, stop, _TYPES, originator):
            start = cursor if event.seq == cursor.seq else Cursor(event.seq)
            if event.type == EventType.STATE_CHANGE:
                if event.code in kinds:
                    yield from self._members(event, start, originator)
                continue
            kind = _OF_OBJECTS.get((event.type, event.outcome)) if event.code != PURGED else None
            if kind is not None and kind in kinds and event.poid is not None and event.originator is not None:
                behind = Cursor(event.seq + 1)
                yield Change(kind, event.poid, event.version, event.originator, event.recorded_at, behind)

    def _members(self, event: ChangeEvent, start: Cursor, originator: str | None) -> Iterator[Change]:
        """A change for each version that an event about a batch or a renewal is about."""
        what, _, number = (event.subject or "").partition("-")
        left_out: set[tuple[str | None, int | None]] = set()
        if what == "renewal":
            name = system_object(RENEWAL, int(number))
            batches = self._renewed(name, start.batch)
            left_out = {
                (row.poid, row.version)
                for row in self._catalogue.events_about(object_name(name))
                if row.code == "dropped"
            }
        else:
            batches = iter([int(number)])
        for batch in batches:
            leaf = start.leaf if batch == start.batch else -1
            while members := self._catalogue.batch_members(batch, leaf, 500, originator):
                for one in members:
                    leaf = one.leaf
                    if (one.poid, one.version) not in left_out:
                        at = Cursor(event.seq, batch, leaf)
                        yield Change(event.code, one.poid, one.version, one.originator, event.recorded_at, at)

    def _renewed(self, name: str, first: int) -> Iterator[int]:
        after = first - 1
        while batches := self._catalogue.batches_renewed_by(name, after, BATCHES):
            yield from batches
            after = batches[-1]
