"""How much may be renewed unasked.

Rules kept here
 * What is due by mistake is due all at once: a wrong algorithm table, a false report, a wrong order.
 * Asking never costs the proof: what a certificate's own end makes due does not wait for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from policies.renewal_values import Reason, RenewalKind, RenewalNeed, RenewalPolicy

_CERTIFICATE_REASONS = frozenset({"tsu-certificate-ends", "ca-certificate-ends"})


@dataclass(frozen=True, slots=True)
class Guarded:
    """What may run unasked, and what waits for somebody to confirm, with the question."""

    run: tuple[RenewalNeed, ...]
    ask: tuple[RenewalNeed, ...] = ()
    question: Reason | None = None


def guarded(due: Sequence[RenewalNeed], *, holding: int, policy: RenewalPolicy, at: datetime) -> Guarded:
    """The guard against renewing most of the holding by mistake: a wrong table, a false report, a wrong order.

    `holding` is the number of chains (lines of evidenced batches) there are. Up to `policy.least` chains, or up to
    the share, everything due runs. Above it everything waits for a confirmation, except that a time-stamp renewal
    whose end stands in a certificate, which no mistake of ours can change, runs unasked once half of its time is
    over: nobody's holiday may cost the proof. Blocked needs run nowhere and are neither.
    """
    open_needs = [need for need in due if need.blocked is None and need.is_due(at)]
    chains = {(need.batch, need.line) for need in open_needs}
    if len(chains) <= policy.least or len(chains) <= policy.share * holding:
        return Guarded(tuple(open_needs))
    run = tuple(need for need in open_needs if _cannot_wait(need, at))
    ask = tuple(need for need in open_needs if not _cannot_wait(need, at))
    if not ask:
        return Guarded(run)
    facts = (("chains", str(len(chains))), ("holding", str(holding)), ("share", f"{policy.share:.0%}"))
    return Guarded(run, ask, Reason("mass-renewal", facts))


def _cannot_wait(need: RenewalNeed, at: datetime) -> bool:
    if need.kind is not RenewalKind.TIMESTAMP or need.reason.code not in _CERTIFICATE_REASONS or need.ends is None:
        return False
    return at >= need.due + (need.ends - need.due) / 2
