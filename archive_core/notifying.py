"""Use case: tells receivers what has changed, in order, until they have taken it.

Rules kept here
 * What is told follows from the trail, and a receiver has a cursor in it: nothing is queued, so nothing is lost and
   nothing is written at a deposit.
 * A receiver is told one thing after the other. What it does not take is offered again, the very same, with growing
   pauses, for as long as its settings say; then it is stopped, and goes on where it was when somebody resumes it.
 * Nobody is told anything whom the settings do not name.
 * How far a receiver has come is noted in the trail, too, when it is new and then at most every `NOTED`: a catalogue
   that was made anew from the stores goes on from there. What a receiver took since is offered again; nothing is left
   out.
 * One process at a time tells one receiver (a lease). A process that died after a receiver had taken something and
   before it was noted offers that again: receivers know it by its id.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from archive_core import canonical
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.changes import ReceiverRow
from archive_core.changes import KINDS, Change, Changes, Cursor
from archive_core.errors import ArchiveError, LeaseHeldError, NotFoundError
from archive_core.findings import utc_text
from archive_core.holding import Holder
from archive_core.lifecycle import Actor
from archive_core.ports import Clock
from archive_core.sequencer import Sequencer
from archive_core.trail.events import EventType, Outcome

AT_ONCE = 100
"""Changes in one message."""

MESSAGES = 50
"""Messages to one receiver in one round: the others have their turn."""

NOTED = timedelta(hours=1)
"""So much of what a receiver took may be offered again after the catalogue was lost."""

SUBJECT = "receiver-"
TOLD = "told-"
"""How the subject and the code begin of the event that notes how far a receiver has come; the cursor follows."""

SYSTEM = Actor("scheduler", "operator")

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who is told what changes: of one organisation's objects or of all (None), these kinds of changes.
    `from_start` tells it everything from the beginning, otherwise what happens once a server or worker has begun that
    knows it."""

    name: str
    originator: str | None = None
    kinds: tuple[str, ...] = KINDS
    patience: timedelta = timedelta(days=7)
    from_start: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """What a receiver is offered. `id` is the same whenever the same changes are offered."""

    id: str
    at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class ReceiverView:
    """How a receiver fares."""

    receiver: Receiver
    row: ReceiverRow | None

    def to_json(self) -> dict[str, object]:
        row = self.row
        return {
            "name": self.receiver.name,
            "organisation": self.receiver.originator,
            "changes": list(self.receiver.kinds),
            "cursor": row.cursor if row else None,
            "delivered": utc_text(row.delivered) if row and row.delivered else None,
            "tries": row.tries if row else 0,
            "failing_since": utc_text(row.since) if row and row.since else None,
            "again": utc_text(row.not_before) if row and row.not_before else None,
            "error": row.error if row else None,
            "stopped": row.stopped if row else False,
        }


Send = Callable[[str, Message], None]
"""Offers a message to the receiver of that name; returns when it took it, raises an `ArchiveError` when not."""


class Notifying:
    """The receivers of an archive."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        changes: Changes,
        sequencer: Sequencer,
        holder: Holder,
        receivers: Sequence[Receiver] = (),
        send: Send | None = None,
    ) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._changes = changes
        self._sequencer = sequencer
        self._holder = holder
        self.receivers = tuple(receivers)
        self.send = send

    def begin(self) -> None:
        """From now on what happens is told, also to receivers that are new: called before anybody is served."""
        for receiver in self.receivers:
            self._row(receiver)

    def round(self) -> list[str]:
        """Tell every receiver what it has not been told; returns the names of those that do not take it."""
        return [receiver.name for receiver in self.receivers if not self._tell(receiver)]

    def views(self) -> list[ReceiverView]:
        return [ReceiverView(one, self._catalogue.receiver(one.name)) for one in self.receivers]

    def resume(self, name: str) -> ReceiverView:
        """Offer a receiver again, now, what it did not take; raises `NotFoundError`."""
        receiver = next((one for one in self.receivers if one.name == name), None)
        if receiver is None:
            raise NotFoundError(f"the settings name no receiver {name[:80]!a}")
        with self._holder.hold(f"webhook-{name}", patience=30):
            row = self._row(receiver)
            self._catalogue.put_receiver(replace(row, stopped=False, since=None, not_before=None, tries=0, error=None))
        return ReceiverView(receiver, self._catalogue.receiver(name))

    def warnings(self) -> list[str]:
        """One sentence for each receiver that does not take what it is told."""
        said = []
        for view in self.views():
            row = view.row
            if row is not None and row.since is not None:
                how = "was given up" if row.stopped else f"takes nothing ({row.tries} tries)"
                said.append(f"webhook {row.name} {how} since {utc_text(row.since)}: {row.error}")
        return said

    def _tell(self, receiver: Receiver) -> bool:
        try:
            with self._holder.hold(f"webhook-{receiver.name}"):
                for _ in range(MESSAGES):
                    told = self._next(receiver)
                    if told is not None:
                        return told
        except LeaseHeldError:
            pass  # another process is telling it
        return True

    def _next(self, receiver: Receiver) -> bool | None:
        """Offer the next message; None when it was taken and there may be more, otherwise whether all is well."""
        row, at = self._row(receiver), self._clock.now()
        if row.stopped or (row.not_before is not None and at < row.not_before):
            return False
        page = self._changes.since(
            Cursor.parse(row.cursor),
            limit=AT_ONCE,
            originator=receiver.originator,
            kinds=receiver.kinds,
            until=Cursor.parse(row.sending) if row.sending else None,
        )
        end = str(page.next)
        if not page.changes:
            if end != row.cursor:
                self._catalogue.put_receiver(replace(row, cursor=end))
            return None if page.more else True
        self._holder.renew()
        try:
            self._offer(receiver, _message(receiver, page.changes, end, at))
        except ArchiveError as error:
            self._refused(receiver, row, end, error, self._clock.now())
            return False
        self._catalogue.put_receiver(ReceiverRow(name=receiver.name, cursor=end, delivered=self._clock.now()))
        noted = self._noted(receiver.name)
        if noted is None or at - noted[1] >= NOTED:
            self._note(receiver.name, end)
        return None

    def _offer(self, receiver: Receiver, message: Message) -> None:
        if self.send is None:
            raise NotFoundError("nothing was wired that could send")
        self.send(receiver.name, message)

    def _row(self, receiver: Receiver) -> ReceiverRow:
        row = self._catalogue.receiver(receiver.name)
        if row is None:
            noted = self._noted(receiver.name)
            if noted is None:
                start = Cursor(0) if receiver.from_start else self._changes.now()
            else:  # the catalogue was made anew; what the trail lost at its end is given these numbers again
                start = min(noted[0], self._changes.now())
            if noted is None:
                self._note(receiver.name, str(start))
            self._catalogue.enter_receiver(ReceiverRow(name=receiver.name, cursor=str(start)))
            row = self._catalogue.receiver(receiver.name)
            assert row is not None
        return row

    def _note(self, name: str, cursor: str) -> None:
        self._sequencer.record(
            EventType.DISSEMINATION, Outcome.SUCCESS, f"{TOLD}{cursor}", actor=SYSTEM, subject=f"{SUBJECT}{name}"
        )

    def _noted(self, name: str) -> tuple[Cursor, datetime] | None:
        """How far a receiver had come when it was noted last, and when that was."""
        event = self._catalogue.last_event_about(f"{SUBJECT}{name}")
        return None if event is None else (Cursor.parse(event.code.removeprefix(TOLD)), event.recorded_at)

    def _refused(self, receiver: Receiver, row: ReceiverRow, end: str, error: ArchiveError, at: datetime) -> None:
        since = row.since or at
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(row.tries, 20))
        pause *= random.uniform(0.9, 1.1)  # noqa: S311 - spreads retries, hides nothing
        self._catalogue.put_receiver(
            replace(
                row,
                sending=end,
                tries=row.tries + 1,
                since=since,
                not_before=at + pause,
                error=str(error)[:500],
                stopped=at - since >= receiver.patience,
            )
        )


def _message(receiver: Receiver, changes: Sequence[Change], end: str, at: datetime) -> Message:
    told = {"receiver": receiver.name, "changes": [change.to_json() for change in changes], "next": end}
    body = canonical.write(told)
    digest = hashlib.sha256(receiver.name.encode() + b"\0" + body).hexdigest()
    return Message(f"msg_{digest[:32]}", at, body)
