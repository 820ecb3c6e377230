"""Organisations: whose documents there are, who may still bring some, how many, and how fast somebody may ask.

Rules kept here
 * An organisation is what the trail says of it: every change is an event on every store before it is acknowledged,
   with the whole of what is true from then on in its detail. A rebuilt catalogue reads it there.
 * An identifier is an IČO whose check digit is right; another one is taken only when it is said to be none.
 * An organisation that is closed keeps all it has and gets nothing more.
 * Room for a deposit is taken before anything is stored and counts until commit A has counted the version itself, so
   a quota is never exceeded, by however many processes; for a moment it may be judged a little too strictly. What was
   deposited before under the same idempotency key needs no room.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from archive_core import reading
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.originators import SUBJECT
from archive_core.catalogue.rows import EventRow, OrganisationRow
from archive_core.errors import (
    AlreadyExistsError,
    ArchiveError,
    NotPermittedError,
    OrganisationNotActiveError,
    QuotaExceededError,
    RateLimitedError,
    SubmissionError,
    UnknownOrganisationError,
    UsageError,
)
from archive_core.findings import utc_text
from archive_core.holding import Holder
from archive_core.identifiers import new_token
from archive_core.lifecycle import Acknowledgement, Actor, SubmissionObject
from archive_core.ports import Clock
from archive_core.sequencer import Sequencer
from archive_core.trail.events import EventType, Outcome
from policies.access import may_manage

PATIENCE = 30.0
"""Seconds that one change waits for another one."""

REMEMBERED = 0.5
"""Seconds for which organisations are not looked up again: by then another process's change is felt."""

TERM = timedelta(minutes=15)
"""How long room stays taken for a deposit whose process died."""

MINUTE = 60_000_000
LARGEST = 2**63 - 1
MAX_NAME = 500
MAX_RATE = 1_000_000

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_ICO = re.compile(r"[0-9]{8}", re.ASCII)


def is_ico(text: str) -> bool:
    """Whether a text is an identification number of a Czech organisation: eight digits, of which the last one follows
    from the others (weights 8 to 2, modulo 11)."""
    if not _ICO.fullmatch(text):
        return False
    rest = sum(int(digit) * weight for digit, weight in zip(text, range(8, 1, -1), strict=False)) % 11
    return int(text[7]) == (11 - rest) % 10


@dataclass(frozen=True, slots=True)
class Limits:
    """What an organisation may have and ask for: objects, bytes of all their versions, requests a minute. None is no
    limit."""

    objects: int | None = None
    bytes: int | None = None
    rate_per_minute: int | None = None

    def verify(self) -> None:
        """Raises `UsageError` for a limit that is none."""
        for what, value, least, most in (
            ("objects", self.objects, 0, LARGEST),
            ("bytes", self.bytes, 0, LARGEST),
            ("requests a minute", self.rate_per_minute, 1, MAX_RATE),
        ):
            if value is not None and not least <= value <= most:
                raise UsageError(f"a limit of {what} is a whole number from {least} to {most}")


@dataclass(frozen=True, slots=True)
class OrganisationView:
    """An organisation, and what it uses: living objects and the bytes of all their versions."""

    row: OrganisationRow
    objects: int
    bytes: int

    def to_json(self) -> dict[str, object]:
        row = self.row
        return {
            "id": row.originator,
            "name": row.name,
            "active": row.active,
            "since": utc_text(row.since),
            "quota_objects": row.quota_objects,
            "quota_bytes": row.quota_bytes,
            "rate_per_minute": row.rate_per_minute,
            "objects": self.objects,
            "bytes": self.bytes,
        }


class Organisations:
    """The organisations of an archive."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        sequencer: Sequencer,
        holder: Holder,
        registered_only: bool = False,
        key_of: Callable[[SubmissionObject], str | None] = lambda submission: submission.key,
    ) -> None:
        """With `registered_only` nothing is taken in for an organisation that nobody added. `key_of` tells under which
        idempotency key a submission is deposited, also one that follows from what it holds."""
        self._clock = clock
        self._catalogue = catalogue
        self._sequencer = sequencer
        self._holder = holder
        self.registered_only = registered_only
        self._key_of = key_of
        self._lock = threading.Lock()
        self._known: dict[str, OrganisationRow] = {}
        self._looked = -REMEMBERED

    # -- managing -------------------------------------------------------------------------------

    def add(
        self, originator: str, *, name: str, limits: Limits | None = None, foreign: bool = False, actor: Actor
    ) -> OrganisationView:
        """A new organisation; `foreign` says that its identifier is no IČO. Raises `UsageError`,
        `NotPermittedError` or `AlreadyExistsError`."""
        _require_manager(actor)
        _verify_identifier(originator, foreign=foreign)
        limits = limits or Limits()
        with self._changing():
            if self._catalogue.organisation(originator) is not None:
                raise AlreadyExistsError(f"the organisation {originator} is there already", organisation=originator)
            row = _limited(OrganisationRow(originator=originator, name=name, active=True, since=self._now()), limits)
            return self._put(row, "added", actor)

    def change(
        self,
        originator: str,
        *,
        name: str | None = None,
        limits: Mapping[str, int | None] | None = None,
        active: bool | None = None,
        actor: Actor,
    ) -> OrganisationView:
        """What is not None becomes true of an organisation; `limits` are those of `Limits` that change, by name. Raises
        `UnknownOrganisationError`, `NotPermittedError` or `UsageError`."""
        _require_manager(actor)
        with self._changing():
            row = self._visible(originator, actor)
            changed = replace(
                row, name=row.name if name is None else name, active=row.active if active is None else active
            )
            if limits:
                changed = _limited(changed, replace(_limits(row), **limits))
            code = "changed" if changed.active == row.active else "reopened" if changed.active else "closed"
            return self._view(row) if changed == row else self._put(changed, code, actor)

    def get(self, originator: str, *, actor: Actor) -> OrganisationView:
        """An organisation; raises `UnknownOrganisationError`, also for another one than that of the actor."""
        return self._view(self._visible(originator, actor))

    def list(self, *, actor: Actor) -> list[OrganisationView]:
        """All that the actor may see."""
        rows = self._catalogue.organisations()
        return [self._view(row) for row in rows if actor.originator in (None, row.originator)]

    def _visible(self, originator: str, actor: Actor) -> OrganisationRow:
        row = self._catalogue.organisation(originator)
        if row is None or actor.originator not in (None, originator):
            raise UnknownOrganisationError
        return row

    def _view(self, row: OrganisationRow) -> OrganisationView:
        return OrganisationView(row, *self._catalogue.use_of(row.originator))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Changes come one after the other, so that the trail tells them in the order in which they were made."""
        with self._holder.hold("organisations", patience=PATIENCE):
            yield
        with self._lock:
            self._looked = -REMEMBERED

    def _put(self, row: OrganisationRow, code: str, actor: Actor) -> OrganisationView:
        if not 0 < len(row.name) <= MAX_NAME:
            raise UsageError(f"a name has 1 to {MAX_NAME} characters")
        self._sequencer.record(
            EventType.ORGANISATION_CHANGE,
            Outcome.SUCCESS,
            code,
            actor=actor,
            subject=SUBJECT + row.originator,
            detail={"organisation": _told(row)},
        )
        self._sequencer.flush()
        self._catalogue.put_organisation(row)
        return self._view(row)

    def _now(self) -> datetime:
        return self._clock.now()

    # -- taking in ------------------------------------------------------------------------------

    def require_active(self, originator: str) -> OrganisationRow | None:
        """The organisation, or None for one that nobody manages; raises `OrganisationNotActiveError` when nothing may
        be taken in for it."""
        row = self._rows().get(originator)
        if row is None and self.registered_only:
            raise OrganisationNotActiveError("nothing is taken in for an organisation that is not registered")
        if row is not None and not row.active:
            raise OrganisationNotActiveError
        return row

    @contextmanager
    def room(self, submission: SubmissionObject, originator: str, *, objects: int = 1) -> Iterator[None]:
        """Room for a submission while it becomes an object; raises `OrganisationNotActiveError` or
        `QuotaExceededError`. What was deposited already under its key needs none."""
        token = self._take(submission, originator, objects)
        try:
            yield
        finally:
            self._give_back(token)

    @contextmanager
    def rooms(
        self,
        submissions: Iterable[SubmissionObject | ArchiveError],
        tell: Callable[[Acknowledgement | ArchiveError], None],
    ) -> Iterator[tuple[Iterator[SubmissionObject | ArchiveError], Callable[[Acknowledgement | ArchiveError], None]]]:
        """The same for many: the submissions, of which those without room are errors, and what is to be called with
        each answer, in their order. Whatever was taken is given back at the end, however it comes."""
        taken: deque[str | None] = deque()

        def admitted() -> Iterator[SubmissionObject | ArchiveError]:
            for submission in submissions:
                token: str | None = None
                answer = submission
                if isinstance(submission, SubmissionObject):
                    try:
                        token = self._take(submission, submission.originator, 1)
                    except SubmissionError as error:
                        answer = error
                taken.append(token)
                yield answer

        def answered(answer: Acknowledgement | ArchiveError) -> None:
            self._give_back(taken.popleft())
            tell(answer)

        try:
            yield admitted(), answered
        finally:
            for token in taken:
                self._give_back(token)

    def recount(self, originator: str) -> None:
        """What an organisation uses may have become less."""
        if self._limited(originator) is not None:
            self._catalogue.recount_use(originator)

    def _limited(self, originator: str) -> OrganisationRow | None:
        row = self._rows().get(originator)
        return row if row is not None and row.has_quota else None

    def _take(self, submission: SubmissionObject, originator: str, objects: int) -> str | None:
        row = self.require_active(originator)
        if row is None or not row.has_quota:
            return None
        if submission.key is not None and self._catalogue.has_deposit(originator, submission.key):
            return None
        token, at = new_token(), self._clock.now()
        short = self._catalogue.take_room(token, originator, objects, _size(submission), until=at + TERM, at=at)
        if short is not None:
            if submission.once and submission.key is None:  # what is there already needs no room: only now it is looked
                key = self._key_of(submission)
                if key is not None and self._catalogue.has_deposit(originator, key):
                    return None
            quota, used, limit = short
            raise QuotaExceededError(quota=quota, used=used, limit=limit)
        return token

    def _give_back(self, token: str | None) -> None:
        if token is not None:
            self._catalogue.give_room_back(token)

    # -- asking ---------------------------------------------------------------------------------

    def arrive(self, actor: Actor) -> None:
        """Count a request of somebody; raises `RateLimitedError` when it comes too soon."""
        row = self._rows().get(actor.originator) if actor.originator is not None else None
        if row is not None:
            self._arrive(SUBJECT + row.originator, row.rate_per_minute)
        self._arrive(actor.actor_id, actor.rate_per_minute)

    def _arrive(self, subject: str, rate: int | None) -> None:
        if rate is None:
            return
        at = int(self._clock.now().timestamp() * 1_000_000)
        wait = self._catalogue.arrive(subject, at=at, every=MINUTE // rate, burst=MINUTE)
        if wait:
            raise RateLimitedError(rate_per_minute=rate, retry_after=-(-wait // 1_000_000))

    def _rows(self) -> dict[str, OrganisationRow]:
        with self._lock:
            if time.monotonic() - self._looked >= REMEMBERED:
                began = time.monotonic()
                self._known = {row.originator: row for row in self._catalogue.organisations()}
                self._looked = began
            return self._known


def replay(catalogue: Catalogue) -> int:
    """Enter the organisations that the trail tells of into a catalogue that was rebuilt; returns how many. An event
    whose detail was erased leaves what was known before it."""
    found: dict[str, OrganisationRow] = {}
    for event in catalogue.organisation_events():
        row = _row_of(event, found)
        if row is not None:
            found[row.originator] = row
    for row in found.values():
        catalogue.put_organisation(row)
    return len(found)


def _row_of(event: EventRow, before: dict[str, OrganisationRow]) -> OrganisationRow | None:
    originator = (event.subject or "").removeprefix(SUBJECT)
    if event.type != EventType.ORGANISATION_CHANGE or event.outcome != Outcome.SUCCESS:
        return None
    told = (event.detail or {}).get("organisation")
    known = before.get(originator)
    row = known or OrganisationRow(originator=originator, name=originator, active=True, since=event.recorded_at)
    if told is None:
        return replace(row, active={"closed": False, "reopened": True}.get(event.code, row.active))
    limits = {name: told[name] for name in ("quota_objects", "quota_bytes", "rate_per_minute")}
    since = reading.instant(told["since"], "since")
    return replace(row, name=told["name"], active=told["active"], since=since, **limits)


def _told(row: OrganisationRow) -> dict[str, object]:
    return {
        "name": row.name,
        "active": row.active,
        "since": utc_text(row.since),
        "quota_objects": row.quota_objects,
        "quota_bytes": row.quota_bytes,
        "rate_per_minute": row.rate_per_minute,
    }


def _limits(row: OrganisationRow) -> Limits:
    return Limits(row.quota_objects, row.quota_bytes, row.rate_per_minute)


def _require_manager(actor: Actor) -> None:
    if not may_manage(actor.role, actor.originator):
        raise NotPermittedError("organisations are managed by whoever administers the whole", role=actor.role)


def _limited(row: OrganisationRow, limits: Limits) -> OrganisationRow:
    limits.verify()
    return replace(row, quota_objects=limits.objects, quota_bytes=limits.bytes, rate_per_minute=limits.rate_per_minute)


def _verify_identifier(originator: str, *, foreign: bool) -> None:
    if not _IDENTIFIER.fullmatch(originator):
        raise UsageError("an organisation's identifier is its IČO, or 1 to 64 letters, digits and `._-`")
    if not foreign and not is_ico(originator):
        raise UsageError(f"{originator} is no IČO (eight digits, the last one a check digit)", organisation=originator)


def _size(submission: SubmissionObject) -> int:
    return len(submission.metadata or b"") + sum(_bytes_of(file.source) for file in submission.files)


def _bytes_of(source: Path | bytes | Sequence[int]) -> int:
    try:
        return source.stat().st_size if isinstance(source, Path) else len(source)
    except OSError:
        return 0  # admission reads it, and says what is wrong with it
