"""Stores that failed a moment ago and are left alone for a while.

Rules kept here
 * Known to this process alone and lost with it: another one finds out by itself.
 * The wait doubles from one failure to the next and ends with the first good answer.
"""

from __future__ import annotations

import time


class Away:
    """Which stores failed a moment ago, for this process: they are left alone, longer each time."""

    FIRST, LONGEST = 2.0, 120.0

    def __init__(self) -> None:
        self._until: dict[str, tuple[float, float]] = {}

    def waits(self, store: str) -> bool:
        """Whether the store is left alone now."""
        return time.monotonic() < self._until.get(store, (0.0, 0.0))[0]

    def failed(self, store: str) -> None:
        """It did not answer."""
        _, before = self._until.get(store, (0.0, 0.0))
        pause = min(self.LONGEST, max(self.FIRST, 2 * before))
        self._until[store] = (time.monotonic() + pause, pause)

    def answered(self, store: str) -> None:
        """It is well."""
        self._until.pop(store, None)
