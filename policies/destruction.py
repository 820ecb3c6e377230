"""Whether an object may be destroyed at an instant: a pure decision over its versions.

Rules kept here
 * The instant is that of a fresh time-stamp. An instant before something that is known to have happened proves that a
   clock is wrong, and nothing is destroyed by a wrong clock.
 * What has no evidence yet is not destroyed: it could not be said of it later what it was and since when it existed.
 * A legal hold is no matter of time: it is looked at before any time is asked for, and again in the transaction that
   begins a destruction (`archive_core.catalogue.holds`).
 * Retention is not kept yet; when it is, it is judged here. A hold does not stop it from running.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class HeldVersion:
    """A version: when it was received by the clock of this machine, and since when a time-stamp proves it (None: not
    yet)."""

    version: int
    received: datetime
    proven: datetime | None


def why_not_destroyed(versions: Sequence[HeldVersion], *, at: datetime) -> str | None:
    """Why an object with these versions may not be destroyed at `at`; None when it may."""
    for held in versions:
        if held.proven is None:
            return f"version {held.version} has no evidence yet"
        if at <= max(held.received, held.proven):
            return (
                f"the time-stamp says {at:%Y-%m-%dT%H:%M:%SZ}, but version {held.version} came later than that: one of "
                "the clocks is wrong"
            )
    return None
