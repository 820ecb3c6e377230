"""What must be renewed, how, by when and why (RFC 4998 5.2, TS 119 511 7.15).

Rules kept here
 * Pure decisions: the facts come in as values, no clock is asked, no file is read.
 * The earliest end decides and is named. A certificate or signature that ends asks for a *time-stamp renewal*
   (RFC 4998 5.2(1)), a digest that ends for a *hash-tree renewal* (5.2(2)): only that reads documents.
 * Only the newest time-stamp of a chain is watched (RFC 4998 5). Where it has turned bad, renewal starts again
   from the newest one below it that is still good.
 * Nothing is covered again while its newest time-stamp lacks chain or revocation data (RFC 4998 4.2, MUST), nor
   after its end: a renewal that comes too late proves nothing (5.3(2)). Such a need is blocked, and says why.
 * New evidence never makes the redundant lines of one batch end on one digest (RFC 4998 7).

Every time-stamp has an *end* (exclusive). It is due a `lead` before it, see there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from policies.algorithms import RECOMMENDED, AlgorithmTable
from policies.renewal_values import (
    Blocked,
    ChainFacts,
    Reason,
    RenewalKind,
    RenewalNeed,
    RenewalPolicy,
    TokenFacts,
    day_fact,
)

# -- when ---------------------------------------------------------------------------------------


def lead(life: timedelta, margin: timedelta) -> timedelta:
    """How long before its end something is due that lives for `life`: the margin, or less when its life is short.

    An authority whose own certificate ends soon gives time-stamps that would be due the moment they are made, over
    and over. So the lead stays below the life, on the steps 1, 2, 4, 8 … seconds: what was made shortly before one
    end falls due together, and the renewals up to that end are few (as many as `life` halves).
    """
    seconds = int(life.total_seconds())
    if life <= timedelta(seconds=1):
        return timedelta(0)
    if timedelta(seconds=seconds) == life:
        seconds -= 1  # strictly below
    return min(margin, timedelta(seconds=1 << (seconds.bit_length() - 1)))


def _due(end: datetime, began: datetime, margin: timedelta) -> datetime:
    return end - lead(end - began, margin)


# -- what ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _End:
    """Something that ends, with what to say of it."""

    at: datetime
    reason: Reason


def needs_of(
    chain: ChainFacts, *, table: AlgorithmTable, policy: RenewalPolicy, at: datetime
) -> tuple[RenewalNeed, ...]:
    """What this chain needs, now or later: at most one need of each kind, the sooner first.

    Empty only when nothing it rests on has a known end.
    """
    found = [need for need in (_timestamp(chain, table, policy, at), _hash_tree(chain, table, policy, at)) if need]
    return tuple(sorted(found, key=lambda need: (need.due, need.kind)))


def needs(
    chains: Iterable[ChainFacts], *, table: AlgorithmTable, policy: RenewalPolicy, at: datetime
) -> Iterator[RenewalNeed]:
    """The needs of all chains, in their order."""
    for chain in chains:
        yield from needs_of(chain, table=table, policy=policy, at=at)


def due_needs(
    chains: Iterable[ChainFacts], *, table: AlgorithmTable, policy: RenewalPolicy, at: datetime
) -> list[RenewalNeed]:
    """What is to be done at `at`, blocked needs too: they are to be told."""
    return [need for need in needs(chains, table=table, policy=policy, at=at) if need.is_due(at)]


def _timestamp(chain: ChainFacts, table: AlgorithmTable, policy: RenewalPolicy, at: datetime) -> RenewalNeed | None:
    token, restart = _usable(chain, table, at)
    ends = list(_token_ends(token, table))
    end = _first(ends)
    candidates = [(_due(one.at, token.gen_time, policy.timestamp_margin), one.reason) for one in ends]
    candidates += _news(chain, table, at, fallen=restart is not None)
    if chain.ordered and chain.ordered[0] is RenewalKind.TIMESTAMP and token.gen_time < chain.ordered[1]:
        candidates.append((chain.ordered[1], Reason("ordered", day_fact(chain.ordered[1]))))
    if token.signer_until is None:
        candidates.append((token.gen_time, Reason("end-unknown", (("tsa", token.tsa),))))
    if not candidates:
        return None
    due, reason = min(candidates, key=lambda one: one[0])
    blocked, because = _obstacle(token, end, at)
    return RenewalNeed(
        batch=chain.batch,
        line=chain.line,
        tsa=chain.newest.tsa,
        documents=chain.documents,
        kind=RenewalKind.TIMESTAMP,
        due=due,
        ends=end.at if end else None,
        reason=reason,
        digest=chain.digest,
        restart_from=restart,
        blocked=blocked,
        blocked_because=because,
    )


def _news(chain: ChainFacts, table: AlgorithmTable, at: datetime, *, fallen: bool) -> Iterator[tuple[datetime, Reason]]:
    """What became known of the newest time-stamp's authority. An orderly change asks once: a time-stamp made after
    it has been made in its knowledge."""
    status = chain.newest.status
    if status is not None and (status.compromised or chain.newest.gen_time < status.reported):
        yield status.reported, Reason("status-change", (*day_fact(status.reported), ("what", status.what)))
    elif fallen:
        over = _first(end for end in _token_ends(chain.newest, table) if end.at <= at)
        if over is not None:
            yield over.at, over.reason


def _first(ends: Iterable[_End]) -> _End | None:
    return min(ends, key=lambda end: end.at, default=None)


def _usable(chain: ChainFacts, table: AlgorithmTable, at: datetime) -> tuple[TokenFacts, int | None]:
    """The time-stamp to cover next: the newest, or the newest good one below it with its position."""
    if _is_good(chain.newest, table, at):
        return chain.newest, None
    for token in reversed(chain.tokens[:-1]):
        if _is_good(token, table, at):
            return token, token.position
    return chain.newest, None


def _is_good(token: TokenFacts, table: AlgorithmTable, at: datetime) -> bool:
    if token.status is not None and token.status.compromised and token.status.reported <= at:
        return False
    return all(at < end.at for end in _token_ends(token, table))


def _token_ends(token: TokenFacts, table: AlgorithmTable) -> Iterator[_End]:
    if token.signer_until is not None:
        yield _End(
            token.signer_until, Reason("tsu-certificate-ends", (("tsa", token.tsa), *day_fact(token.signer_until)))
        )
    if token.authority_until is not None:
        yield _End(
            token.authority_until, Reason("ca-certificate-ends", (("tsa", token.tsa), *day_fact(token.authority_until)))
        )
    for use in token.signatures:
        said = table.signature(use.scheme, use.key_bits, at=token.gen_time)
        if (end := _end_of(said.good, said.until, token.gen_time)) is not None:
            yield _End(end, Reason("signature-algorithm-ends", (("algorithm", str(use)), *day_fact(end))))
    for name in token.digests:
        said = table.digest(name, at=token.gen_time)
        if (end := _end_of(said.good, said.until, token.gen_time)) is not None:
            yield _End(end, Reason("token-digest-ends", (("algorithm", name), *day_fact(end))))


def _end_of(good: bool, until: datetime | None, used: datetime) -> datetime | None:
    """When an algorithm ends; one that the table does not know was never good (RFC 5698 3.1)."""
    return until if good or until is not None else used


def _hash_tree(chain: ChainFacts, table: AlgorithmTable, policy: RenewalPolicy, at: datetime) -> RenewalNeed | None:
    said = table.digest(chain.digest, at=chain.began)
    end = _end_of(said.good, said.until, chain.began)
    candidates: list[tuple[datetime, Reason]] = []
    ends: list[_End] = []
    if end is not None:
        ends.append(_End(end, Reason("tree-digest-ends", (("algorithm", chain.digest), *day_fact(end)))))
        candidates.append((_due(end, chain.began, policy.hash_tree_margin), ends[0].reason))
    if chain.ordered and chain.ordered[0] is RenewalKind.HASH_TREE and chain.began < chain.ordered[1]:
        candidates.append((chain.ordered[1], Reason("ordered", day_fact(chain.ordered[1]))))
    if not candidates:
        return None
    due, reason = min(candidates, key=lambda one: one[0])
    token, restart = _usable(chain, table, at)
    chosen = next_digest(chain, table=table, policy=policy, at=max(at, due))
    first = _first([*ends, *_token_ends(token, table)])
    blocked, because = _obstacle(token, first, at)
    if blocked is None and chosen is None:
        blocked, because = Blocked.NO_DIGEST, Reason("no-digest", (("table", table.id), ("algorithm", chain.digest)))
    return RenewalNeed(
        batch=chain.batch,
        line=chain.line,
        tsa=chain.newest.tsa,
        documents=chain.documents,
        kind=RenewalKind.HASH_TREE,
        due=due,
        ends=first.at if first else None,
        reason=reason,
        digest=chosen,
        restart_from=restart,
        blocked=blocked,
        blocked_because=because,
    )


def next_digest(chain: ChainFacts, *, table: AlgorithmTable, policy: RenewalPolicy, at: datetime) -> str | None:
    """The digest to move to: the first of the policy's that is good for new evidence at `at`, outlives the present
    one, and is not the digest of another line of the batch. One of another family (SHA-2, SHA-3) comes first,
    because what breaks one member seldom spares the others."""
    ending = table.digest(chain.digest, at=at).until
    candidates = []
    for rank, name in enumerate(policy.digests):
        row = table.digest_row(name)
        said = table.digest_for_new_evidence(name, policy.evidence_years, at=at)
        if row is None or row.status != RECOMMENDED or not said.good:
            continue
        if name == chain.digest or name in chain.other_digests:
            continue
        if said.until is not None and (ending is None or said.until <= ending):
            continue
        candidates.append((_family(name) == _family(chain.digest), rank, name))
    return min(candidates)[2] if candidates else None


def _family(name: str) -> str:
    return "sha3" if name.startswith("sha3-") else "sha2"


def _obstacle(token: TokenFacts, end: _End | None, at: datetime) -> tuple[Blocked | None, Reason | None]:
    status = token.status
    if status is not None and status.compromised and status.reported <= at:
        return Blocked.LAPSED, Reason("compromised", (("what", status.what),))
    if end is not None and end.at <= at:
        return Blocked.LAPSED, Reason("too-late", day_fact(end.at))
    if not token.validation_data_complete or token.signer_until is None:
        return Blocked.VALIDATION_DATA, Reason("lacks-validation-data", (("tsa", token.tsa),))
    return None, None
