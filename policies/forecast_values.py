"""A plan of renewals to come, and what it supposes: frozen values.

Rules kept here
 * What rests on certificates and lists that exist is *known*; what rests on a supposed time-stamp is *assumed*, and
   each line of a plan says which.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from policies.renewal_values import Reason, RenewalKind, SignatureUse

YEAR = timedelta(days=365.25)
ML_DSA_65 = SignatureUse("ml-dsa", 65)

Span = tuple[int, int]
"""Batch numbers from and to, inclusive."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is supposed of time-stamps to come.

    A new time-stamp's certificate ends `unit_validity` after it, unless the present certificate of that authority has
    more than the margin left; the authority above it `authority_validity`. It is signed as the last one was while
    that is good for as long as the certificate, else with `successor`. `bytes_per_second` is the speed of re-reading
    and hashing, None when it was not measured.
    """

    unit_validity: timedelta = 5 * YEAR
    authority_validity: timedelta = 15 * YEAR
    successor: SignatureUse = ML_DSA_65
    bytes_per_second: float | None = None

    def __post_init__(self) -> None:
        if not timedelta(days=30) <= self.unit_validity <= self.authority_validity:
            raise ValueError("certificates of units live for a month at least, and no longer than those above them")
        if self.bytes_per_second is not None and self.bytes_per_second <= 0:
            raise ValueError("a speed is above nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRenewal:
    """One renewal: one time-stamp, whatever it carries.

    `ends` is when it would be too late. `bytes_to_read` and `hours` are of content, for hash-tree renewals; `hours`
    is None where no speed is known. `known` says that nothing supposed is behind it. `spans` are the batches.
    """

    at: datetime
    kind: RenewalKind
    line: str
    tsa: str
    digest: str
    ends: datetime | None
    reason: Reason
    spans: tuple[Span, ...]
    batches: int
    documents: int
    bytes_to_read: int
    hours: float | None
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedProblem:
    """What will not be possible as things are: `since` when, for what reason it is needed, and the obstacle."""

    since: datetime
    kind: RenewalKind
    line: str
    reason: Reason
    obstacle: Reason
    spans: tuple[Span, ...]
    batches: int
    documents: int
    known: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """The plan from `made` until `until` (exclusive), in the order of time."""

    made: datetime
    until: datetime
    table: str
    assumptions: Assumptions
    renewals: tuple[PlannedRenewal, ...]
    problems: tuple[PlannedProblem, ...]
    chains: int
    documents: int
    is_cut_off: bool = False

    @property
    def tsa_calls(self) -> int:
        """One for each renewal."""
        return len(self.renewals)

    @property
    def bytes_to_read(self) -> int:
        return sum(renewal.bytes_to_read for renewal in self.renewals)

    @property
    def hours(self) -> float | None:
        """Of all hash-tree renewals together; None where the speed is not known."""
        hours = [renewal.hours for renewal in self.renewals if renewal.kind is RenewalKind.HASH_TREE]
        known = [one for one in hours if one is not None]
        return sum(known) if len(known) == len(hours) else None


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same numbers in the fewest spans, ascending."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)
