"""Every process is told that a store has yet to answer one of them.

Rules kept here
 * While a write goes on that nobody waits for, nobody clears what no head names in that store: it may be what the
   write is about to name.
 * It is said before the debt is noted, and taken back when the write has ended. Whoever is gone expects nothing; where
   that cannot be seen from here, what is not said again for `TERM` counts no more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from archive_core import processes
from archive_core.catalogue.catalogue import Catalogue
from archive_core.errors import ArchiveError
from archive_core.identifiers import new_token
from archive_core.ports import Clock

TERM = timedelta(minutes=5)
_AGAIN = 60.0
"""Seconds after which it is said again."""


class Expectations:
    """The writes that any process of this archive has under way and waits for no more."""

    def __init__(self, catalogue: Catalogue, clock: Clock) -> None:
        self._catalogue = catalogue
        self._clock = clock

    def announce(self, store: str) -> Callable[[], None]:
        """Say that this process expects an answer of a store; returns what takes that back. Raises `UnavailableError`
        when it cannot be said."""
        name, holder = f"{_prefix(store)}{new_token()}", f"{processes.this_process()}{new_token()}"
        at = self._clock.now()
        self._catalogue.acquire_lease(name, holder, at + TERM, at)
        ended = threading.Event()

        def again() -> None:
            while not ended.wait(_AGAIN):
                with suppress(ArchiveError):  # the next time; until then what was said holds for a while
                    at = self._clock.now()
                    self._catalogue.acquire_lease(name, holder, at + TERM, at)

        threading.Thread(target=again, name=f"expecting-{store}", daemon=True).start()

        def take_back() -> None:
            ended.set()
            self._catalogue.release_lease(name, holder)

        return take_back

    def of(self, store: str) -> bool:
        """Whether any process has yet to be answered by a store."""
        at = self._clock.now()
        found = False
        for name, holder, until in self._catalogue.leases_below(_prefix(store)):
            if until <= at or processes.is_gone(holder[: -len(new_token())]):
                self._catalogue.release_lease(name, holder)
            else:
                found = True
        return found


def _prefix(store: str) -> str:
    return f"late {store} "
