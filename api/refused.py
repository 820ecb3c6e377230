"""Puts what is refused at the door into the trail, without letting a stranger fill it.

Rules kept here
 * A refusal of somebody known is an event each time.
 * Refusals of strangers are at most `PER_MINUTE` events a minute; the next one after that says how
   many went unrecorded, and the log of the server has every one of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from flask import Request, g

from archive_core.errors import ArchiveError
from archive_core.lifecycle import Actor

PER_MINUTE = 30
STRANGER = Actor(actor_id="stranger", role="none", originator="")


class Recorder(Protocol):
    def record_refusal(self, error: ArchiveError, *, actor: Actor, what: str) -> None: ...


class RefusalRecorder:
    def __init__(self, archive: Recorder) -> None:
        self._archive = archive
        self._lock = threading.Lock()
        self._window = 0.0
        self._recorded = 0
        self._left_out = 0

    @contextmanager
    def recorded(self, incoming: Request) -> Iterator[None]:
        """Record what is refused inside, and raise it again."""
        try:
            yield
        except ArchiveError as error:
            if error.http_status < 500:
                self._record(error, incoming)
            raise

    def _record(self, error: ArchiveError, incoming: Request) -> None:
        rule = incoming.url_rule.rule if incoming.url_rule else "unknown address"
        what = f"{incoming.method[:10]} {rule}"
        who: Actor | None = g.get("actor")
        if who is not None:
            self._archive.record_refusal(error, actor=who, what=what)
        elif (left_out := self._admit_stranger()) is not None:
            note = f"; {left_out} earlier ones not recorded" if left_out else ""
            self._archive.record_refusal(error, actor=STRANGER, what=what + note)

    def _admit_stranger(self) -> int | None:
        """How many were left out before, or None when this one is left out too."""
        with self._lock:
            now = time.monotonic()
            if now - self._window >= 60 or not self._window:
                self._window, self._recorded = now, 0
            if self._recorded >= PER_MINUTE:
                self._left_out += 1
                return None
            self._recorded += 1
            left_out, self._left_out = self._left_out, 0
            return left_out
