"""Leases: who does what only one may do at a time, across threads and processes.

Rules kept here
 * A lease ends by itself, so that a killed process blocks nobody for longer than `TERM`.
 * Holding is not enough: before each durable step the holder renews, and `renew` raises when the
   lease was lost, so that a process that slept does not go on beside its successor.
 * Where the one that holds a lease can be seen to be dead (a process of this machine that is gone), nobody waits.
 * What a lease protects is safe without it too (put-if-absent, compare-and-swap); the lease only
   keeps two processes from doing the same work twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from archive_core import processes
from archive_core.catalogue.catalogue import Catalogue
from archive_core.errors import LeaseHeldError
from archive_core.identifiers import new_token
from archive_core.ports import Clock

TERM = timedelta(minutes=2)
"""How long a lease lasts without being renewed."""

PAUSE = 0.05
"""Seconds between two looks at a lease that another holds."""


class Holder:
    """The leases of this process; a thread's leases are its own."""

    def __init__(self, catalogue: Catalogue, clock: Clock) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._local = threading.local()

    @contextmanager
    def hold(self, name: str, *, patience: float = 0.0) -> Iterator[None]:
        """Hold a lease for the block; raises `LeaseHeldError` when another still has it after
        `patience` seconds."""
        holder, until = f"{processes.this_process()}{new_token()}", time.monotonic() + patience
        while not self._acquired(name, holder):
            other = self._catalogue.lease_holder(name)
            if other is not None and processes.is_gone(other[: -len(new_token())]):
                self._catalogue.release_lease(name, other)
                continue
            if time.monotonic() >= until:
                raise LeaseHeldError(f"another process holds the lease {name!r} just now; try again in a while")
            time.sleep(PAUSE)
        held = self._held()
        held[name] = holder
        try:
            yield
        finally:
            del held[name]
            self._catalogue.release_lease(name, holder)

    def _acquired(self, name: str, holder: str) -> bool:
        at = self._clock.now()
        return self._catalogue.acquire_lease(name, holder, at + TERM, at)

    def renew(self) -> None:
        """Prolong all leases of this thread; raises `LeaseHeldError` when one was lost."""
        at = self._clock.now()
        for name, holder in self._held().items():
            if not self._catalogue.renew_lease(name, holder, at + TERM, at):
                raise LeaseHeldError(f"the lease {name!r} was lost: this took too long, another process goes on")

    def _held(self) -> dict[str, str]:
        held: dict[str, str] = getattr(self._local, "held", None) or {}
        self._local.held = held
        return held
