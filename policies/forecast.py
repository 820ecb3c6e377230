"""What will have to be renewed until a date, if things go as assumed (Reg. 2025/2532 7.6; ALG-05).

Rules kept here
 * The decisions are those of `policies.renewal`, asked again after every renewal that is supposed; nothing is
   decided here but what a new time-stamp will be like, and that stands in `Assumptions`.
 * The holding as it is: deposits to come are not guessed.
 * Batches of one line that were stamped in one calendar month, by one authority with one certificate, are planned
   together; so a plan for a hundred thousand batches takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from policies.algorithms import RECOMMENDED, AlgorithmTable
from policies.forecast_values import Assumptions, Forecast, PlannedProblem, PlannedRenewal, Span, joined
from policies.reading import aware
from policies.renewal import needs_of
from policies.renewal_values import (
    Blocked,
    ChainFacts,
    RenewalKind,
    RenewalNeed,
    RenewalPolicy,
    SignatureUse,
    TokenFacts,
)

GATHER = timedelta(days=1)
"""What falls due within a day of the first is renewed with it: somebody looks at least that often."""

MOST_RENEWALS = 20_000
"""A plan that has more is cut off, and says so."""


@dataclass(eq=False, slots=True)
class _Cohort:
    """Chains that are renewed alike; `facts` are those of one that stands for all."""

    facts: ChainFacts
    spans: tuple[Span, ...]
    batches: int
    documents: int
    size: int
    known: bool = True
    given_up: set[RenewalKind] = field(default_factory=set)
    needs: tuple[RenewalNeed, ...] | None = None


def forecast(
    chains: Sequence[ChainFacts],
    sizes: dict[int, int],
    *,
    table: AlgorithmTable,
    policy: RenewalPolicy,
    assumptions: Assumptions,
    at: datetime,
    until: datetime,
) -> Forecast:
    """Plan the renewals of all chains; `sizes` are the bytes of content of each batch, by its number."""
    if aware(until) <= aware(at):
        raise ValueError("a forecast reaches into the future")
    walk = _Walk(_cohorts(chains, sizes), table, policy, assumptions, at, until)
    walk.run()
    return Forecast(
        made=at,
        until=until,
        table=table.id,
        assumptions=assumptions,
        renewals=tuple(walk.renewals),
        problems=tuple(walk.problems),
        chains=len(chains),
        documents=sum({chain.batch: chain.documents for chain in chains}.values()),
        is_cut_off=walk.is_cut_off,
    )


def _cohorts(chains: Iterable[ChainFacts], sizes: dict[int, int]) -> list[_Cohort]:
    found: dict[object, list[ChainFacts]] = {}
    for chain in chains:
        newest = chain.newest
        key = (
            (chain.line, chain.digest, chain.other_digests, chain.ordered),
            (f"{chain.began:%Y-%m}", f"{newest.gen_time:%Y-%m}"),
            tuple(_same(token) for token in chain.tokens),
        )
        found.setdefault(key, []).append(chain)
    return [_cohort(members, sizes) for members in found.values()]


def _same(token: TokenFacts) -> object:
    """What must be alike for time-stamps to be planned together, their instant apart."""
    return (
        token.tsa,
        token.signer_until,
        token.authority_until,
        token.digests,
        token.signatures,
        token.validation_data_complete,
        token.status,
    )


def _cohort(members: Sequence[ChainFacts], sizes: dict[int, int]) -> _Cohort:
    first = min(members, key=lambda chain: (chain.newest.gen_time, chain.batch))
    return _Cohort(
        facts=first,
        spans=joined((chain.batch, chain.batch) for chain in members),
        batches=len(members),
        documents=sum(chain.documents for chain in members),
        size=sum(sizes.get(chain.batch, 0) for chain in members),
    )


class _Walk:
    """From renewal to renewal."""

    def __init__(
        self,
        cohorts: list[_Cohort],
        table: AlgorithmTable,
        policy: RenewalPolicy,
        assumptions: Assumptions,
        at: datetime,
        until: datetime,
    ) -> None:
        self._cohorts = cohorts
        self._table = table
        self._policy = policy
        self._assumptions = assumptions
        self._clock = at
        self._until = until
        self.renewals: list[PlannedRenewal] = []
        self.problems: list[PlannedProblem] = []
        self.is_cut_off = False

    def run(self) -> None:
        while (instant := self._next()) is not None and instant < self._until:
            if len(self.renewals) >= MOST_RENEWALS:
                self.is_cut_off = True
                return
            self._clock = instant
            self._step()

    def _next(self) -> datetime | None:
        """When something is due next, and not before now."""
        dues = [need.due for cohort in self._cohorts for need in self._needs(cohort)]
        return max(min(dues), self._clock) if dues else None

    def _needs(self, cohort: _Cohort) -> tuple[RenewalNeed, ...]:
        if cohort.needs is None:
            found = needs_of(cohort.facts, table=self._table, policy=self._policy, at=self._clock)
            cohort.needs = tuple(need for need in found if need.kind not in cohort.given_up)
        return cohort.needs

    def _step(self) -> None:
        """Renew what is due now, and what falls due soon with it; a hash-tree renewal does for both."""
        groups: dict[tuple[str, RenewalKind, str, str], list[tuple[_Cohort, RenewalNeed]]] = {}
        for cohort in self._cohorts:
            if not any(need.due <= self._clock + GATHER for need in self._needs(cohort)):
                continue
            cohort.needs = None  # judged anew, as of now
            due = [need for need in self._needs(cohort) if need.due <= self._clock + GATHER]
            open_needs = [need for need in due if not self._hindered(cohort, need)]
            for need in sorted(open_needs, key=lambda need: need.kind is not RenewalKind.HASH_TREE)[:1]:
                assert need.digest is not None  # a need without one is blocked
                groups.setdefault((need.line, need.kind, need.digest, need.tsa), []).append((cohort, need))
        for members in groups.values():
            self._renew(members)

    def _hindered(self, cohort: _Cohort, need: RenewalNeed) -> bool:
        """Whether a need cannot be met; then it is a problem, told once."""
        if need.blocked is None:
            return False
        assert need.blocked_because is not None
        self._tell(
            PlannedProblem(
                since=self._clock,
                kind=need.kind,
                line=need.line,
                reason=need.reason,
                obstacle=need.blocked_because,
                spans=cohort.spans,
                batches=cohort.batches,
                documents=cohort.documents,
                known=cohort.known,
            )
        )
        cohort.needs = None
        newest = cohort.facts.newest
        if need.blocked is Blocked.VALIDATION_DATA and newest.signer_until is not None:
            fetched = replace(newest, validation_data_complete=True)  # it is fetched, and the plan goes on
            cohort.facts = replace(cohort.facts, tokens=(*cohort.facts.tokens[:-1], fetched))
        elif need.blocked is Blocked.NO_DIGEST:
            cohort.given_up.add(need.kind)
        else:
            cohort.given_up |= set(RenewalKind)
        return True

    def _tell(self, problem: PlannedProblem) -> None:
        """Problems of one instant that are alike are one."""
        for place, told in enumerate(self.problems):
            if replace(told, spans=problem.spans, batches=problem.batches, documents=problem.documents) == problem:
                self.problems[place] = replace(
                    told,
                    spans=joined((*told.spans, *problem.spans)),
                    batches=told.batches + problem.batches,
                    documents=told.documents + problem.documents,
                )
                return
        self.problems.append(problem)

    def _renew(self, members: Sequence[tuple[_Cohort, RenewalNeed]]) -> None:
        decisive = min((need for _, need in members), key=lambda need: (need.due, need.ends or need.due))
        cohorts = [cohort for cohort, _ in members]
        digest = decisive.digest
        assert digest is not None
        is_read = decisive.kind is RenewalKind.HASH_TREE
        size = sum(cohort.size for cohort in cohorts) if is_read else 0
        ends = [need.ends for _, need in members if need.ends is not None]
        speed = self._assumptions.bytes_per_second
        self.renewals.append(
            PlannedRenewal(
                at=self._clock,
                kind=decisive.kind,
                line=decisive.line,
                tsa=decisive.tsa,
                digest=digest,
                ends=min(ends, default=None),
                reason=decisive.reason,
                spans=joined(span for cohort in cohorts for span in cohort.spans),
                batches=sum(cohort.batches for cohort in cohorts),
                documents=sum(cohort.documents for cohort in cohorts),
                bytes_to_read=size,
                hours=(size / speed / 3600 if speed else None) if is_read else 0.0,
                known=all(cohort.known for cohort in cohorts),
            )
        )
        for cohort, need in members:
            self._supposed(cohort, need)
        self._merge(cohorts)

    # -- what comes after ---------------------------------------------------------------------

    def _supposed(self, cohort: _Cohort, need: RenewalNeed) -> None:
        """The cohort as it will be after the renewal."""
        facts, before = cohort.facts, cohort.facts.newest
        position = 0 if need.kind is RenewalKind.HASH_TREE else (need.restart_from or before.position) + 1
        token = replace(self._token(before), position=position)
        if need.kind is RenewalKind.HASH_TREE:
            assert need.digest is not None
            for other in self._cohorts:
                if other.facts.line != facts.line and facts.digest in other.facts.other_digests:
                    others = other.facts.other_digests - {facts.digest} | {need.digest}
                    other.facts = replace(other.facts, other_digests=others)
            facts = replace(facts, digest=need.digest, began=self._clock)
        cohort.facts = replace(facts, tokens=(token,), ordered=None)
        cohort.known, cohort.needs = False, None

    def _token(self, before: TokenFacts) -> TokenFacts:
        clock, assumed = self._clock, self._assumptions
        fresh = clock + assumed.unit_validity
        ends = before.signer_until if before.signer_until is not None else clock
        keeps = ends - clock > self._policy.timestamp_margin and self._lasts(before.signatures, before.digests, ends)
        signer = ends if keeps else fresh
        signatures = before.signatures if self._lasts(before.signatures, (), signer) else (assumed.successor,)
        above = before.authority_until
        if above is None or above < signer:
            above = max(clock + assumed.authority_validity, signer)
        return TokenFacts(
            position=0,
            tsa=before.tsa,
            gen_time=clock,
            signer_until=signer,
            authority_until=above,
            digests=tuple(self._digest(name, signer) for name in before.digests),
            signatures=signatures,
        )

    def _lasts(self, signatures: Iterable[SignatureUse], digests: Iterable[str], until: datetime) -> bool:
        said = [self._table.signature(use.scheme, use.key_bits, at=self._clock) for use in signatures]
        said += [self._table.digest(name, at=self._clock) for name in digests]
        return all(one.good and (one.until is None or one.until >= until) for one in said)

    def _digest(self, name: str, until: datetime) -> str:
        """The digest inside a new token: the same while it lasts, else the first of the policy's that does."""
        if self._lasts((), (name,), until):
            return name
        rows = [self._table.digest_row(one) for one in self._policy.digests]
        lasting = [
            row.name for row in rows if row and row.status == RECOMMENDED and self._lasts((), (row.name,), until)
        ]
        return lasting[0] if lasting else name

    def _merge(self, renewed: Sequence[_Cohort]) -> None:
        """Cohorts that have become alike are one from now on."""
        by_facts: dict[object, list[_Cohort]] = {}
        for cohort in renewed:
            facts = cohort.facts
            end = self._table.digest(facts.digest, at=self._clock).until
            is_young = end is not None and end - facts.began < 2 * self._policy.hash_tree_margin
            key = (
                (facts.line, facts.digest, facts.other_digests, facts.began if is_young else None),
                (facts.tokens, frozenset(cohort.given_up)),
            )
            by_facts.setdefault(key, []).append(cohort)
        merged = {id(cohort) for cohorts in by_facts.values() for cohort in cohorts[1:]}
        for first, *others in by_facts.values():
            for other in others:
                first.spans = joined((*first.spans, *other.spans))
                first.batches += other.batches
                first.documents += other.documents
                first.size += other.size
            first.facts = replace(first.facts, began=min(one.facts.began for one in (first, *others)))
        self._cohorts = [cohort for cohort in self._cohorts if id(cohort) not in merged]
