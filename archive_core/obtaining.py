"""Getting one time-stamp that is worth keeping.

Rules kept here
 * No token becomes evidence that the validator does not call PASSED over exactly the root asked for, nor
   one whose genTime is not about now by our clock (RFC 3161 2.4.2): a wrong clock, theirs or ours, would
   make wrong proof.
 * Test trust is taken only where it is accepted.
 * An answer was paid for: whoever asks gets it to keep before it is judged. Where it cannot be judged for want of chain
   or revocation data it is neither used nor refused (`TimestampPendingError`), and is judged again later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from archive_core.digests import Digest
from archive_core.errors import TimestampPendingError, TimestampRefusedError, UnavailableError
from archive_core.findings import Verdict, utc_text
from archive_core.ports import (
    Clock,
    QualifiedAnswer,
    TimestampAuthority,
    TimestampToken,
    TimestampValidator,
    TokenAssessment,
    ValidationData,
)

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a time-stamp's genTime may lie before the request or after the answer by our clock."""


@dataclass(frozen=True, slots=True)
class Obtained:
    """A token that was accepted, with its validation data and what the validator says of it."""

    stamp: TimestampToken
    data: ValidationData
    assessed: TokenAssessment
    gen_time: datetime
    qualified: QualifiedAnswer | None = None
    """What trusted lists said, where somebody asked; then it was qualified."""


AsksQualified = Callable[[bytes, ValidationData], QualifiedAnswer]
"""Asks trusted lists about a token, with what was fetched for it."""


def obtain(
    authority: TimestampAuthority,
    root: Digest,
    *,
    accepts_test: bool,
    validator: TimestampValidator,
    clock: Clock,
    keep: Callable[[TimestampToken], None] | None = None,
    qualified: AsksQualified | None = None,
) -> Obtained:
    """Ask the authority; `keep` gets its answer before that is judged. With `qualified` only a qualified time-stamp is
    taken. Raises `TimestampAuthorityUnavailableError`, `TimestampRefusedError` or `TimestampPendingError`."""
    asked = clock.now()
    stamp = authority.timestamp(root)
    if keep is not None:
        keep(stamp)
    return accepted(
        authority,
        stamp,
        root,
        asked=asked,
        accepts_test=accepts_test,
        validator=validator,
        clock=clock,
        qualified=qualified,
    )


def accepted(
    authority: TimestampAuthority,
    stamp: TimestampToken,
    root: Digest,
    *,
    asked: datetime | None,
    accepts_test: bool,
    validator: TimestampValidator,
    clock: Clock,
    qualified: AsksQualified | None = None,
) -> Obtained:
    """Judge a token that was obtained; `asked` is None for one that waited since, which may be older."""
    tsa = authority.name
    missing: UnavailableError | None = None
    try:
        data = authority.validation_data(stamp.der)
    except UnavailableError as error:
        data, missing = ValidationData(), error  # what is inside may do
    answered = clock.now()
    assessed = validator.assess(stamp.der, at=answered, data=data)
    if assessed.test_trust and not accepts_test:
        raise TimestampRefusedError(f"{tsa} gives test time-stamps, which the profile does not accept")
    if missing is not None and assessed.verdict is Verdict.INDETERMINATE and assessed.imprint == root:
        raise TimestampPendingError(
            f"the time-stamp of {tsa} is kept and judged again: {assessed.sub_indication or ''} {assessed.message} "
            f"({missing})"
        ) from missing
    if assessed.verdict is not Verdict.PASSED or assessed.imprint != root:
        raise TimestampRefusedError(
            f"the time-stamp of {tsa} is not used: {assessed.verdict} {assessed.sub_indication or ''} "
            f"{assessed.message}".strip()
        )
    gen_time = _checked_time(tsa, assessed.gen_time, asked, answered)
    return Obtained(stamp, data, assessed, gen_time, _qualified(tsa, stamp, data, qualified))


def _qualified(
    tsa: str, stamp: TimestampToken, data: ValidationData, qualified: AsksQualified | None
) -> QualifiedAnswer | None:
    """What the lists say; raises unless that is "qualified". A list that is stale decides nothing: the time-stamp
    waits for a newer one."""
    if qualified is None:
        return None
    answer = qualified(stamp.der, data)
    if answer.qualified is None:
        raise TimestampPendingError(
            f"the time-stamp of {tsa} is kept and judged again: whether it is a qualified one cannot be said: "
            f"{answer.reason}"
        )
    if not answer.qualified:
        raise TimestampRefusedError(
            f"the time-stamp of {tsa} is not used: the profile demands qualified ones, this is none: {answer.reason}"
        )
    return answer


def _checked_time(tsa: str, gen_time: datetime | None, asked: datetime | None, answered: datetime) -> datetime:
    """The time-stamp was made between question and answer, as far as two clocks agree."""
    early = asked is not None and gen_time is not None and gen_time < asked - CLOCK_TOLERANCE
    if gen_time is None or early or gen_time > answered + CLOCK_TOLERANCE:
        stated = utc_text(gen_time) if gen_time else "no time"
        raise TimestampRefusedError(
            f"the time-stamp of {tsa} is not used: it states {stated}, but was given at {utc_text(answered)} by the "
            "clock of this machine; one of the two clocks is wrong"
        )
    return gen_time
