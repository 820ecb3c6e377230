"""Seal keys that take over from each other on dates.

Rules kept here
 * The key of a seal is that which is in force at the seal's own instant; what was sealed before stays as it is.
 * A key is in force from its instant on until the next one's. The first has always been.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from archive_core.errors import SettingsError
from archive_core.ports import Clock, JsonSeal, Seal, Sealer, SealsJson


class RollingSealer:
    """A `Sealer` over several. `later` are those after the first, each with the instant from which it is in force."""

    def __init__(self, first: Sealer, later: Sequence[tuple[datetime, Sealer]], clock: Clock) -> None:
        instants = [instant for instant, _ in later]
        if sorted(set(instants)) != instants:
            raise SettingsError("the seal keys that take over are written in the order of their dates, one for a date")
        self._first = first
        self._later = tuple(later)
        self._clock = clock

    @property
    def test_trust(self) -> bool:
        return self.in_force(self._clock.now()).test_trust

    def in_force(self, at: datetime) -> Sealer:
        found = self._first
        for instant, sealer in self._later:
            if instant <= at:
                found = sealer
        return found

    def seal(self, content: bytes, *, at: datetime) -> Seal:
        return self.in_force(at).seal(content, at=at)

    def seal_json(self, content: bytes, *, at: datetime) -> JsonSeal:
        sealer = self.in_force(at)
        if not isinstance(sealer, SealsJson):
            raise SettingsError("the seal key in force makes no seals in JSON")
        return sealer.seal_json(content, at=at)
