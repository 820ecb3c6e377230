"""Writes to stores that nobody waits for any more.

Rules kept here
 * Only a store that deposits may do without is left behind, and what it was given is a debt before anybody is told:
   whether it took it is not known, so both are assumed. Paying the debt finds it there or writes the very same bytes.
 * While such a write is under way the store gets nothing new from this process: threads and memory stay bounded by what
   one store is given at once.
 * When it has ended, whoever keeps the debts in mind is told what may have landed: an object that was destroyed
   meanwhile must not stay.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

PATIENCE = 3.0
"""Seconds that a store may take longer than those that are enough."""
LEAST_RATE = 2_000_000
"""Bytes a second at which a store that is well takes what it is given, besides."""

Landed = Callable[[str, Sequence[str]], None]
"""Told a store and the objects that it may hold anew."""


class LateWrites:
    """The writes of this process that nobody waits for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, int] = {}

    def under_way(self, store: str) -> bool:
        """Whether a store has yet to answer a write that nobody waits for."""
        return store in self._under_way

    def leave(self, store: str, object_ids: Sequence[str], written: Future[Any], landed: Landed) -> bool:
        """Wait no more for a write; False when it had not begun and never will."""
        if written.cancel():
            return False
        with self._lock:
            self._under_way[store] = self._under_way.get(store, 0) + 1

        def ended(_: Future[Any]) -> None:
            with self._lock:
                self._under_way[store] -= 1
                if not self._under_way[store]:
                    del self._under_way[store]
            landed(store, object_ids)

        written.add_done_callback(ended)
        return True


def patience_for(size: int, patience: float) -> float:
    """Seconds that a store may take longer than others to write `size` bytes."""
    return patience + size / LEAST_RATE
