"""Puts what is refused at the door into the trail, without letting a stranger fill it.

Rules kept here
 * A refusal of somebody known is an event each time.
 * Refusals of strangers are at most `PER_MINUTE` events a minute; the next one after that says how
   many went unrecorded, and the log of the server has every one of them.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

from flask import Request, g

from api.logs import log
from archive_core.errors import ArchiveError, EvidencePendingError, RateLimitedError
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

    def record(self, error: ArchiveError, incoming: Request) -> None:
        """Put a refusal into the trail, unless the archive has done so or it is none. A trail that
        cannot be written does not change the answer; it is logged."""
        if told_by_archive() or not _is_refusal(error, incoming):
            return
        rule = incoming.url_rule.rule if incoming.url_rule else "unknown address"
        what = f"{incoming.method[:10]} {rule}"
        who: Actor | None = g.get("actor")
        if who is None:
            left_out = self._admit_stranger()
            if left_out is None:
                return
            who = STRANGER
            what += f"; {left_out} earlier ones not recorded" if left_out else ""
        try:
            self._archive.record_refusal(error, actor=who, what=what)
        except ArchiveError as failure:
            log("refusal not recorded", logging.ERROR, code=failure.code, refused=error.code)

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


def _is_refusal(error: ArchiveError, incoming: Request) -> bool:
    """Whatever fails to change something; of looking only what was denied. Evidence that is not there
    yet is no refusal: clients ask for it every few seconds. What comes too often would fill the trail."""
    if isinstance(error, RateLimitedError):
        return False
    if incoming.method not in ("GET", "HEAD", "OPTIONS"):
        return True
    return error.http_status in (401, 403, 404) and not isinstance(error, EvidencePendingError)


def leave_to_archive() -> None:
    """From here on the archive records refusals of this request itself."""
    g.told_by_archive = True


def told_by_archive() -> bool:
    return bool(g.get("told_by_archive"))
