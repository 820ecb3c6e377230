"""The facts that renewal decisions are made of, and the needs that come out: frozen values, nothing else.

Rules kept here
 * A reason is a code with a sentence that can be translated; nothing is due without one.
 * Instants are aware; ends are exclusive: at its end a thing is over.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from policies.reading import aware


class RenewalKind(enum.StrEnum):
    TIMESTAMP = "timestamp"
    HASH_TREE = "hash-tree"


class Blocked(enum.StrEnum):
    """Why a need cannot be met now."""

    VALIDATION_DATA = "validation-data"
    """The newest time-stamp lacks chain or revocation data: fetch it first."""
    LAPSED = "lapsed"
    """The end has passed: a renewal would leave a gap."""
    NO_DIGEST = "no-digest"
    """The table knows no better digest for new evidence."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a stable code, the English sentence with places to fill in, and what to fill in.

    The sentence is the key of its translations; `str()` is the English text.
    """

    code: str
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def sentence(self) -> str:
        return REASONS[self.code]

    def __str__(self) -> str:
        return self.sentence.format(**dict(self.facts))


REASONS = {
    "tsu-certificate-ends": "the time-stamp unit's certificate ({tsa}) ends on {day}",
    "ca-certificate-ends": "a certificate above the time-stamp unit ({tsa}) ends on {day}",
    "signature-algorithm-ends": "{algorithm}, which the time-stamp is signed with, is not suitable from {day} on",
    "token-digest-ends": "{algorithm}, used inside the time-stamp, is not suitable from {day} on",
    "tree-digest-ends": "{algorithm}, which the hash tree is built with, is not suitable from {day} on",
    "status-change": "reported on {day}: {what}",
    "ordered": "ordered by an operator on {day}",
    "end-unknown": "nothing says when the time-stamp of {tsa} ends",
    # why something due cannot be done
    "lacks-validation-data": (
        "the time-stamp of {tsa} lacks chain or revocation data: they are fetched first (RFC 4998 4.2)"
    ),
    "too-late": "it ended on {day}: a renewal would leave a gap (RFC 4998 5.3); a redundant record may still hold",
    "compromised": "{what}, and nothing had covered the time-stamp before; a redundant record may still hold",
    "no-digest": "the table {table} knows no digest for new evidence that outlives {algorithm}: load a newer table",
    # why something due waits for somebody
    "mass-renewal": (
        "{chains} of {holding} chains are due at once, more than {share}: look at the reasons, then confirm with "
        "`trusted-archive renewal run --all`"
    ),
}
"""All sentences, by code."""


def day_fact(at: datetime) -> tuple[tuple[str, str], ...]:
    """The day as sentences show it."""
    return (("day", f"{aware(at):%Y-%m-%d}"),)


@dataclass(frozen=True, slots=True)
class SignatureUse:
    """A signature scheme as algorithm tables name it, and its key size (see `AlgorithmTable.signature`)."""

    scheme: str
    key_bits: int

    def __str__(self) -> str:
        return f"{self.scheme} ({self.key_bits})"


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What became known of an authority: withdrawn from the Trusted List, a certificate revoked.

    With `compromised` (key compromise, or a revocation whose reason is not known) nothing that the authority made
    proves anything from `reported` on unless it was covered before (RFC 3161 4.1; EN 319 102-1 5.6.2.4); otherwise
    its time-stamps stand, and it is time to move on. `replaced` says that the name stands for another authority since:
    what was made under it from `reported` on is not concerned.
    """

    what: str
    reported: datetime
    compromised: bool
    replaced: bool = False

    def concerns(self, gen_time: datetime) -> bool:
        """Whether a time-stamp made under the authority's name is one of those that were reported on."""
        return not self.replaced or gen_time < self.reported


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """One time-stamp of a chain. `position` counts from 0 within its chain.

    `signer_until` and `authority_until` are the ends of the time-stamp unit's certificate and the earliest of those
    above it, None where not known. `digests` and `signatures` are all that the token and its path rest on, apart
    from the tree's own digest.
    """

    position: int
    tsa: str
    gen_time: datetime
    signer_until: datetime | None
    authority_until: datetime | None
    digests: tuple[str, ...] = ()
    signatures: tuple[SignatureUse, ...] = ()
    validation_data_complete: bool = True
    status: StatusChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFacts:
    """The newest chain of one evidence line of one batch.

    `documents` are those still covered. `began` is the genTime of the chain's first time-stamp, `digest` the
    algorithm of its trees. `tokens` are its time-stamps, oldest first; where only the newest is known, that one.
    `other_digests` are those of the batch's other lines. `ordered` is an operator's order with its instant.
    """

    batch: int
    line: str
    documents: int
    digest: str
    began: datetime
    tokens: tuple[TokenFacts, ...]
    other_digests: frozenset[str] = frozenset()
    ordered: tuple[RenewalKind, datetime] | None = None

    def __post_init__(self) -> None:
        if not self.tokens:
            raise ValueError(f"batch {self.batch}, line {self.line}: a chain has at least one time-stamp")

    @property
    def newest(self) -> TokenFacts:
        return self.tokens[-1]


@dataclass(frozen=True, slots=True)
class RenewalPolicy:
    """How early to renew, and from which share of the holding on to ask. All of it can be set.

    `timestamp_margin` and `hash_tree_margin` are how long before an end a need is due: re-reading a holding takes
    longer than one time-stamp. `digests` are those that new trees may be built with, best first. `evidence_years`
    is how long new evidence is to last (TS 119 312 5.2.2). `share` and `least` are for `renewal_guard.guarded`.
    """

    timestamp_margin: timedelta = timedelta(days=90)
    hash_tree_margin: timedelta = timedelta(days=730)
    digests: tuple[str, ...] = ("sha512", "sha3-512", "sha384", "sha3-384")
    evidence_years: int = 50
    share: float = 0.5
    least: int = 10

    def __post_init__(self) -> None:
        if min(self.timestamp_margin, self.hash_tree_margin) <= timedelta(0):
            raise ValueError("a margin is longer than nothing: what is renewed at its end is renewed too late")
        if not 0 < self.share <= 1 or self.least < 1:
            raise ValueError("a share lies above 0 and not above 1, and the least number of chains is at least 1")
        if not self.digests or len(set(self.digests)) != len(self.digests):
            raise ValueError("new trees need digests to choose from, each named once")


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalNeed:
    """One renewal of one line of one batch.

    `due` is when to do it, `ends` when it is too late (None: not known, or never). `digest` is the digest of the
    new tree: the chain's own for a time-stamp renewal, another for a hash-tree renewal (None when blocked for want
    of one). `restart_from` is the position of the time-stamp to cover where the newest one has turned bad.
    """

    batch: int
    line: str
    tsa: str
    documents: int
    kind: RenewalKind
    due: datetime
    ends: datetime | None
    reason: Reason
    digest: str | None
    restart_from: int | None = None
    blocked: Blocked | None = None
    blocked_because: Reason | None = None

    def is_due(self, at: datetime) -> bool:
        return self.due <= aware(at)
