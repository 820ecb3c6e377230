"""What becomes of a deposit by what the examination of its signatures found: a pure decision.

Rules kept here
 * A profile chooses one rule; every rule but `OFF` records what was found.
 * Broken is FAILED. What could not be judged (INDETERMINATE, not examined) is never treated as good: a rule that
   refuses what is broken says by itself whether it refuses what is undecided, too.
 * A file without signatures is neither good nor bad.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class ExaminationRule(enum.StrEnum):
    """OFF: nothing is examined. RECORD: everything is accepted, with what was found. QUARANTINE, REJECT: what is
    broken is set aside or refused, the rest accepted. …_UNDECIDED: the same also for what could not be judged."""

    OFF = "off"
    RECORD = "record"
    QUARANTINE = "quarantine"
    QUARANTINE_UNDECIDED = "quarantine-undecided"
    REJECT = "reject"
    REJECT_UNDECIDED = "reject-undecided"


class Outcome(enum.StrEnum):
    ACCEPT = "accept"
    QUARANTINE = "quarantine"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Found:
    """One file: its path, and the verdict of its examination as EN 319 102-1 writes it; None where nothing in it is
    signed."""

    path: str
    verdict: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and the paths because of which it is not accepted."""

    outcome: Outcome
    because: tuple[str, ...] = ()


_OUTCOMES = {
    ExaminationRule.QUARANTINE: Outcome.QUARANTINE,
    ExaminationRule.QUARANTINE_UNDECIDED: Outcome.QUARANTINE,
    ExaminationRule.REJECT: Outcome.REJECT,
    ExaminationRule.REJECT_UNDECIDED: Outcome.REJECT,
}
_ALSO_UNDECIDED = (ExaminationRule.QUARANTINE_UNDECIDED, ExaminationRule.REJECT_UNDECIDED)


def decide(rule: ExaminationRule, found: Iterable[Found]) -> Decision:
    """Raises ValueError for a verdict that is none, because that would pass for good."""
    bad: list[str] = []
    for one in found:
        if one.verdict not in (None, "PASSED", "FAILED", "INDETERMINATE"):
            raise ValueError(f"{one.verdict!r} is no verdict")
        if one.verdict == "FAILED" or (one.verdict == "INDETERMINATE" and rule in _ALSO_UNDECIDED):
            bad.append(one.path)
    if not bad or rule not in _OUTCOMES:
        return Decision(Outcome.ACCEPT)
    return Decision(_OUTCOMES[rule], tuple(bad))
