"""What a profile asks of the signatures in a deposit, and what becomes of it by what was found: a pure decision.

Rules kept here
 * A profile chooses one rule; every rule but `OFF` records what was found.
 * Broken is FAILED. What could not be judged (INDETERMINATE, not examined) is never treated as good: a rule that
   refuses what is broken says by itself whether it refuses what is undecided, too.
 * A file without signatures is neither good nor bad; a deposit without any is undecided where one is required.
 * A file of a format that the profile leaves out is "not examined", which is no doubt about it: the profile says so.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from policies.reading import Section

FORMATS = ("PDF", "CMS", "ASiC", "XML", "JSON")
"""What a profile may name: PDF; CMS with data-box messages and time-stamps; ASiC and other ZIP files; XML; JSON."""

FRESHNESS = ("current", "later")
"""Which revocation data about a signer counts. `current`: what has not been superseded yet. `later`: only what was
issued at or after the time at which the signature is known to have existed (Reg. (EU) 2025/1946: freshness 0)."""


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
class ExaminationPolicy:
    """The section `[examination]` of a profile. `formats` are those that are looked into, `required` says that a
    deposit must hold a signature or time-stamp, `collect` that what is missing for its validation is fetched and kept
    with it, `freshness` is one of `FRESHNESS`."""

    rule: ExaminationRule = ExaminationRule.OFF
    formats: tuple[str, ...] = FORMATS
    required: bool = False
    collect: bool = False
    freshness: str = "current"

    @property
    def asked(self) -> bool:
        """Whether anything is examined at all."""
        return self.rule is not ExaminationRule.OFF


def read_policy(section: Section | None) -> ExaminationPolicy:
    """The policy that a section stands for; without one nothing is examined. Raises PolicyError."""
    if section is None:
        return ExaminationPolicy()
    policy = ExaminationPolicy(
        rule=ExaminationRule(section.choice("rule", tuple(str(rule) for rule in ExaminationRule))),
        formats=section.choices("formats", FORMATS),
        required=section.flag("required"),
        collect=section.flag("collect"),
        freshness=section.choice("freshness", FRESHNESS),
    )
    section.finish()
    return policy


@dataclass(frozen=True, slots=True)
class Found:
    """One file: its path, and the verdict of its examination as EN 319 102-1 writes it; None where nothing in it is
    signed. `signed`: it holds a signature or time-stamp, whatever its verdict."""

    path: str
    verdict: str | None
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and the paths because of which it is not accepted. `unsigned`: because no signature is there."""

    outcome: Outcome
    because: tuple[str, ...] = ()
    unsigned: bool = False


_OUTCOMES = {
    ExaminationRule.QUARANTINE: Outcome.QUARANTINE,
    ExaminationRule.QUARANTINE_UNDECIDED: Outcome.QUARANTINE,
    ExaminationRule.REJECT: Outcome.REJECT,
    ExaminationRule.REJECT_UNDECIDED: Outcome.REJECT,
}
_ALSO_UNDECIDED = (ExaminationRule.QUARANTINE_UNDECIDED, ExaminationRule.REJECT_UNDECIDED)


def decide(rule: ExaminationRule, found: Iterable[Found], *, required: bool = False) -> Decision:
    """Raises ValueError for a verdict that is none, because that would pass for good. `required`: without a signature
    a deposit is not as the profile asks, whatever the rule says of the undecided."""
    bad: list[str] = []
    signed = False
    for one in found:
        signed |= one.signed
        if one.verdict not in (None, "PASSED", "FAILED", "INDETERMINATE"):
            raise ValueError(f"{one.verdict!r} is no verdict")
        if one.verdict == "FAILED" or (one.verdict == "INDETERMINATE" and rule in _ALSO_UNDECIDED):
            bad.append(one.path)
    unsigned = required and not signed
    if rule not in _OUTCOMES or not (bad or unsigned):
        return Decision(Outcome.ACCEPT, unsigned=unsigned)
    return Decision(_OUTCOMES[rule], tuple(bad), unsigned)
