"""Whether the system's clock can be believed before anything is renewed by it.

Rules kept here
 * Time that others signed counts for more than our own clock: the newest genTime that the archive holds is a floor,
   and a time-stamp obtained just now is a measure.
 * A clock that is behind the floor is wrong. One that is far ahead of it is wrong until a fresh time-stamp agrees:
   otherwise a clock that jumped ten years ahead would have the whole holding renewed, or destroyed.
 * No clock is asked here: the decision is over values.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from policies.reading import aware


class ClockState(enum.StrEnum):
    GOOD = "good"
    BEHIND = "behind"
    AHEAD = "ahead"
    """Far ahead of everything known: a fresh time-stamp must confirm it first."""
    DISAGREES = "disagrees"
    """A time-stamp made just now states another time."""


@dataclass(frozen=True, slots=True)
class ClockLimits:
    """`tolerance` is how far two clocks may differ; `silence` how long the archive may have been without any
    time-stamp before its clock needs one to be believed."""

    tolerance: timedelta = timedelta(minutes=5)
    silence: timedelta = timedelta(days=730)

    def __post_init__(self) -> None:
        if self.tolerance < timedelta(0) or self.silence <= self.tolerance:
            raise ValueError("the tolerance is not negative, and the silence is longer than it")


@dataclass(frozen=True, slots=True)
class ClockJudgement:
    """`message` says what is wrong and what to do; empty when nothing is."""

    state: ClockState
    message: str = ""

    @property
    def good(self) -> bool:
        return self.state is ClockState.GOOD


def judge_clock(
    now: datetime,
    *,
    last_known: datetime | None,
    fresh: datetime | None = None,
    limits: ClockLimits | None = None,
) -> ClockJudgement:
    """Judge `now` by the newest genTime held (`last_known`, None in an archive without time-stamps) and, where there
    is one, by the genTime of a time-stamp obtained at `now` (`fresh`)."""
    limits = limits or ClockLimits()
    aware(now)
    if fresh is not None and abs(aware(fresh) - now) > limits.tolerance:
        return ClockJudgement(
            ClockState.DISAGREES,
            f"this machine's clock says {_text(now)}, a time-stamp made just now {_text(fresh)}: set the clock, or ask "
            "the authority; nothing is renewed meanwhile",
        )
    if last_known is not None and now < aware(last_known) - limits.tolerance:
        return ClockJudgement(
            ClockState.BEHIND,
            f"this machine's clock says {_text(now)}, but the archive holds a time-stamp of {_text(last_known)}: "
            "set the clock; nothing is renewed meanwhile",
        )
    if fresh is None and last_known is not None and now > last_known + limits.silence:
        return ClockJudgement(
            ClockState.AHEAD,
            f"this machine's clock says {_text(now)}, {(now - last_known).days} days after the newest time-stamp of "
            f"the archive ({_text(last_known)}): a fresh time-stamp must confirm it before anything is renewed",
        )
    return ClockJudgement(ClockState.GOOD)


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
