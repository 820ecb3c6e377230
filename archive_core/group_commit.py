"""Callers that come at the same time share the work that costs the same for one as for many.

Rules kept here
 * No timer: whoever comes while nobody is at work begins at once, alone; whoever comes meanwhile waits,
   and all of them together are the next group. So a single caller is never slower, and the groups grow
   with the crowd. Where more than one group may be at work, whoever comes while there is room begins at once too.
 * There is no thread of its own: the first of a group does its work, the others wait for their answer.
 * An answer belongs to one caller. When the work of a group breaks off, nobody in it is answered as if
   it had been done.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from archive_core.errors import UnavailableError

T = TypeVar("T")
R = TypeVar("R")


class _Ticket(Generic[T, R]):
    """One caller's turn: over when it has an answer or an error, or when it is to lead the next group."""

    def __init__(self, item: T) -> None:
        self.item = item
        self.turn = threading.Event()
        self.answers: list[R] = []
        self.error: BaseException | None = None


class GroupCommit(Generic[T, R]):
    """Does `work` for groups of at most `limit` items, `at_once` groups at a time.

    `work` gives one answer for each item, in their order."""

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]], *, limit: int, at_once: int = 1) -> None:
        self._work = work
        self._limit = limit
        self._at_once = at_once
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket[T, R]] = deque()
        self._busy = 0
        """Groups at work, with the one that is forming."""
        self._forming = False
        """Whether the first of those who wait has been called to lead: it takes everybody who is there then."""

    def submit(self, item: T) -> R:
        """The answer for an item, once the group that it came into is done. Raises what `work` raised,
        and `UnavailableError` when the work was broken off from outside."""
        ticket: _Ticket[T, R] = _Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
            leads = self._busy < self._at_once and not self._forming
            if leads:  # then nobody else is waiting
                self._busy += 1
                self._forming = True
        if not leads:
            self._wait(ticket)
        if ticket.error is not None:
            raise ticket.error
        if not ticket.answers:
            self._lead(ticket)
        return ticket.answers[0]

    def _wait(self, ticket: _Ticket[T, R]) -> None:
        try:
            ticket.turn.wait()
        except BaseException:  # the caller gives up: nobody may wait for it to lead
            with self._lock:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                    if ticket.turn.is_set():
                        self._forming = False
                        self._let_next_lead()
            raise

    def _lead(self, own: _Ticket[T, R]) -> None:
        """Do the work of everybody who is there; `own` is the first of them."""
        with self._lock:
            group = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
            self._forming = False
            if self._waiting and self._busy < self._at_once:
                self._busy += 1
                self._let_next_lead()
        try:
            answers = self._work([ticket.item for ticket in group])
            for ticket, answer in zip(group, answers, strict=True):
                ticket.answers.append(answer)
        except BaseException as error:
            for ticket in group:
                ticket.answers.clear()
                ticket.error = _for_others(error)
            raise
        finally:
            with self._lock:
                self._let_next_lead()
            for ticket in group:
                if ticket is not own:
                    ticket.turn.set()

    def _let_next_lead(self) -> None:
        """Whoever leads no more gives its place to the first of those who came meanwhile."""
        if self._waiting and not self._forming:
            self._forming = True
            self._waiting[0].turn.set()
        else:
            self._busy -= 1


def _for_others(error: BaseException) -> BaseException:
    """What the leader's error means to the rest of its group: an interruption was meant for the leader
    alone, and to the others says that the outcome is open."""
    if isinstance(error, Exception):
        return error
    return UnavailableError("the write that this request shared with others was interrupted: send it again")
