"""Use case: finds versions by the words of their metadata and names, by date, organisation, state and digest.

Rules kept here
 * The index follows the trail, a while behind it and by itself: a deposit costs nothing more for it. An answer says
   whether it is `complete`, that is, whether the index had come to the trail's end.
 * Words are those of metadata, of the names of documents, of the idempotency key and of the POID. Metadata of more than
   `MAX_METADATA` bytes, or that no copy gives just now, is not read: then the other words are found.
 * An organisation finds its own versions. What was destroyed is not found, and the index lets go of its words.
 * A rebuilt catalogue has an empty index, which fills in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from archive_core import canonical
from archive_core.admission import DATA, METADATA
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.changes import ChangeEvent
from archive_core.catalogue.rows import FileRow, VersionRow
from archive_core.catalogue.searching import IndexEntry, Wanted
from archive_core.content import Content
from archive_core.errors import (
    DamageError,
    LeaseHeldError,
    MalformedDocumentError,
    ObjectDestroyedError,
    UnknownObjectError,
    UsageError,
)
from archive_core.holding import Holder
from archive_core.lifecycle import Actor
from archive_core.trail.events import EventType, Outcome
from archive_core.words import distinct, words_of, words_of_value

MAX_METADATA = 1024 * 1024
"""Bytes of metadata whose words are found."""

MAX_WORDS = 10_000
"""Words of one version."""

MAX_ASKED = 32
"""Words in one question."""

GROUP = 200
"""Places of the trail that are entered at a time."""

_ENTERS = (str(EventType.INGESTION), str(EventType.UPDATE))
_TYPES = (*_ENTERS, str(EventType.DELETION))


@dataclass(frozen=True, slots=True)
class Found:
    """Versions, newest first. `next` is what to go on before, None at the end."""

    rows: tuple[VersionRow, ...]
    next: tuple[str, int] | None
    complete: bool


class Searching:
    """The search index of an archive."""

    def __init__(self, *, catalogue: Catalogue, content: Content, holder: Holder) -> None:
        self._catalogue = catalogue
        self._content = content
        self._holder = holder

    def search(
        self, text: str | None, wanted: Wanted, *, actor: Actor, before: tuple[str, int] | None, limit: int
    ) -> Found:
        """What is as wanted and holds all words of a text; a word that ends with `*` stands for all that begin so.
        Raises `UsageError` for a text without words or with too many."""
        if actor.originator is not None:
            if wanted.originator not in (None, actor.originator):
                return Found((), None, complete=self.is_complete())
            wanted = replace(wanted, originator=actor.originator)
        if text is not None:
            wanted = _asking(text, wanted)
        complete = self.is_complete()
        rows = self._catalogue.search(wanted, before=before, limit=limit + 1)
        last = rows[limit - 1] if len(rows) > limit else None
        return Found(tuple(rows[:limit]), (last.poid, last.version) if last else None, complete)

    def is_complete(self) -> bool:
        """Whether the index has come to the end of the trail."""
        return self._catalogue.search_position() >= self._catalogue.trail_size()

    def catch_up(self, *, most: int | None = None) -> int:
        """Follow the trail to its end, or for so many of its places; returns how many versions were entered. Another
        process that does it is left to it."""
        try:
            with self._holder.hold("search"):
                return self._follow(most)
        except LeaseHeldError:
            return 0

    def _follow(self, most: int | None) -> int:
        entered, begun = 0, self._catalogue.search_position()
        position, size = begun, self._catalogue.trail_size()
        while position < size and (most is None or position - begun < most):
            stop = min(size, position + GROUP)
            events = self._catalogue.change_events(position, stop, _TYPES)
            entries = list(self._entries(events))
            self._catalogue.index_versions(entries, [one.poid for one in events if _is_end(one) and one.poid], stop)
            self._holder.renew()
            entered += len(entries)
            position = stop
        return entered

    def _entries(self, events: Sequence[ChangeEvent]) -> Iterator[IndexEntry]:
        wanted = {
            (one.poid, one.version)
            for one in events
            if one.type in _ENTERS and one.outcome == Outcome.SUCCESS and one.poid and one.version
        }
        for poid, version in sorted(wanted):
            try:
                row = self._catalogue.version(poid, version)
                if not row.destroyed:
                    yield self._entry(row)
            except (UnknownObjectError, ObjectDestroyedError):
                continue  # destroyed, or taken back, while we were looking

    def _entry(self, row: VersionRow) -> IndexEntry:
        listed = self._catalogue.files(row.poid, row.version)
        words = [row.poid, *words_of(row.idempotency_key or "")]
        for file in listed:
            if file.path.startswith(DATA):
                words += words_of(file.path.removeprefix(DATA))
        if row.has_metadata:
            words += self._metadata_words(row, listed)
        digests = [file.content_digest for file in listed]
        return IndexEntry(poid=row.poid, version=row.version, words=distinct(words)[:MAX_WORDS], digests=digests)

    def _metadata_words(self, row: VersionRow, listed: Sequence[FileRow]) -> list[str]:
        file = next((one for one in listed if one.path == METADATA and one.size <= MAX_METADATA), None)
        if file is None:
            return []
        try:
            data = b"".join(self._content.stream_file(row, file))
            return list(words_of_value(canonical.read(data, max_bytes=MAX_METADATA), most=MAX_WORDS))
        except (DamageError, MalformedDocumentError):
            return []  # every copy is damaged: repair says so; the object is found by its other words


def _is_end(event: ChangeEvent) -> bool:
    return event.type == EventType.DELETION and event.outcome == Outcome.SUCCESS


def _asking(text: str, wanted: Wanted) -> Wanted:
    words: list[str] = []
    beginnings: list[str] = []
    for part in text.split():
        found = list(words_of(part))
        if part.endswith("*") and found:
            beginnings.append(found.pop())
        words += found
    if not words and not beginnings:
        raise UsageError("the text holds no word to search for")
    if len(words) + len(beginnings) > MAX_ASKED:
        raise UsageError(f"at most {MAX_ASKED} words are searched for at a time")
    return replace(wanted, words=distinct(words), beginnings=distinct(beginnings))
