"""A plan of renewals: complete, never too late, and honest about what it supposes."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import AlgorithmTable, current_algorithms
from policies.forecast import forecast
from policies.forecast_values import YEAR, Assumptions, Forecast, joined
from policies.renewal_values import ChainFacts, RenewalKind, SignatureUse
from tests.unit.policies.renewal_cases import P384, POLICY, RSA, chain, instant, table_with_end, token

TABLE = current_algorithms()
NOW = instant("2030-06-01")
UNTIL = instant("2090-01-01")
ASSUMED = Assumptions(bytes_per_second=1e8)


def planned(
    *chains: ChainFacts,
    table: AlgorithmTable = TABLE,
    assumed: Assumptions = ASSUMED,
    at: datetime = NOW,
    until: datetime = UNTIL,
    sizes: dict[int, int] | None = None,
) -> Forecast:
    sizes = {one.batch: 10**9 for one in chains} if sizes is None else sizes
    return forecast(chains, sizes, table=table, policy=POLICY, assumptions=assumed, at=at, until=until)


def test_each_renewal_follows_the_last_and_none_is_too_late() -> None:
    """From one certificate to the next, until the horizon; each before its end, and one time-stamp each."""
    found = planned(chain())

    assert [one.kind for one in found.renewals] == [RenewalKind.TIMESTAMP] * 12
    assert found.renewals[0].at == instant("2035-01-01") - POLICY.timestamp_margin
    assert found.renewals[0].ends == instant("2035-01-01")
    for one in found.renewals:
        assert one.ends is not None
        assert one.at < one.ends
    for before, after in zip(found.renewals, found.renewals[1:], strict=False):
        assert after.ends == before.at + ASSUMED.unit_validity
    assert (found.tsa_calls, found.problems) == (12, ())


def test_only_the_first_renewal_is_known_and_the_rest_assumed() -> None:
    """What rests on a time-stamp that does not exist yet says so."""
    assert [one.known for one in planned(chain()).renewals] == [True] + [False] * 11


def test_a_hash_tree_renewal_counts_the_bytes_and_the_hours() -> None:
    """All content of its batches, at the speed that was measured; a time-stamp renewal reads nothing."""
    found = planned(chain(batch=1), chain(batch=2), table=table_with_end("sha512", "2045-01-01"))
    (moved,) = [one for one in found.renewals if one.kind is RenewalKind.HASH_TREE]

    assert (moved.at, moved.digest) == (instant("2045-01-01") - POLICY.hash_tree_margin, "sha3-512")
    assert (moved.bytes_to_read, moved.hours) == (2 * 10**9, pytest.approx(20 / 3600))
    assert moved.spans == ((1, 2),)
    assert found.bytes_to_read == 2 * 10**9
    assert {one.bytes_to_read for one in found.renewals if one is not moved} == {0}
    assert {one.digest for one in found.renewals if one.at > moved.at} == {"sha3-512"}


def test_without_a_speed_no_hours_are_claimed() -> None:
    """Bytes are known, time is not."""
    found = planned(chain(), table=table_with_end("sha512", "2045-01-01"), assumed=Assumptions())

    assert found.bytes_to_read == 10**9
    assert found.hours is None


def test_a_signature_algorithm_that_ends_is_succeeded() -> None:
    """RSA ends in 2031: the plan supposes the successor from then on, and does not renew for it again."""
    found = planned(chain(token(signatures=(RSA,))))

    reasons = [one.reason.code for one in found.renewals]
    assert reasons[0] == "signature-algorithm-ends"
    assert set(reasons[1:]) == {"tsu-certificate-ends"}


def test_two_lines_are_planned_apart_and_never_end_on_one_digest() -> None:
    """Both digests end, one after the other: each moves away from the other's."""
    table = table_with_end("sha512", "2045-01-01")
    source = table.source.decode().replace(
        'name = "sha3-512"\noids = ["2.16.840.1.101.3.4.2.10"]\nbits = 512\nstatus = "recommended"\n',
        'name = "sha3-512"\noids = ["2.16.840.1.101.3.4.2.10"]\nbits = 512\nstatus = "legacy"\nuntil = 2055-01-01\n',
    )
    table = AlgorithmTable.load(source.encode())
    one = chain(line="one", digest="sha512", other_digests=frozenset({"sha3-512"}))
    other = chain(line="other", digest="sha3-512", other_digests=frozenset({"sha512"}))
    moves = [r for r in planned(one, other, table=table).renewals if r.kind is RenewalKind.HASH_TREE]

    assert [(move.line, move.digest) for move in moves] == [("one", "sha3-384"), ("other", "sha384")]


def test_batches_under_one_certificate_share_a_renewal() -> None:
    """However many: one time-stamp for the line."""
    chains = [chain(token(gen_time=instant("2029-01-01") + timedelta(days=n)), batch=n + 1) for n in range(365)]
    found = planned(*chains, until=instant("2036-01-01"))

    assert [(one.batches, one.documents, one.spans) for one in found.renewals] == [(365, 365_000, ((1, 365),))]
    assert (found.chains, found.documents) == (365, 365_000)


def test_documents_of_two_lines_count_once_in_the_holding() -> None:
    """Redundant records are of the same documents."""
    assert planned(chain(line="a"), chain(line="b")).documents == 1000


def test_what_is_overdue_is_planned_for_now() -> None:
    """A plan begins with what is due already."""
    at = instant("2034-12-25")
    assert planned(chain(), at=at).renewals[0].at == at


@pytest.mark.parametrize("end", ["2030-05-01", "2030-06-01"])
def test_what_has_lapsed_is_a_problem_and_not_a_renewal(end: str) -> None:
    """No plan claims to save what is lost."""
    found = planned(chain(token(signer_until=instant(end))))

    assert found.renewals == ()
    assert [problem.obstacle.code for problem in found.problems] == ["too-late"]


def test_missing_validation_data_are_a_problem_and_the_plan_goes_on() -> None:
    """They will be fetched; that they must be is told."""
    found = planned(chain(token(validation_data_complete=False)))

    assert [problem.obstacle.code for problem in found.problems] == ["lacks-validation-data"]
    assert len(found.renewals) == 12


def test_a_digest_without_a_successor_is_a_problem_from_when_it_is_due() -> None:
    """And what comes of it: too late, from its end on."""
    policy = replace(POLICY, digests=("sha512",))
    found = forecast(
        [chain()],
        {},
        table=table_with_end("sha512", "2045-01-01"),
        policy=policy,
        assumptions=ASSUMED,
        at=NOW,
        until=UNTIL,
    )

    assert [problem.obstacle.code for problem in found.problems] == ["no-digest", "too-late"]
    assert found.problems[1].since == instant("2045-01-01")
    assert found.problems[0].since == instant("2045-01-01") - POLICY.hash_tree_margin


def test_problems_of_one_day_that_are_alike_are_told_once() -> None:
    """With all their batches."""
    chains = [
        chain(token(gen_time=instant(f"202{y}-01-01"), signer_until=instant("2030-05-01")), batch=y) for y in (1, 2, 9)
    ]
    (problem,) = planned(*chains).problems

    assert (problem.batches, problem.spans) == (3, ((1, 2), (9, 9)))


def test_an_empty_holding_needs_nothing() -> None:
    """And says so with no line."""
    found = planned()
    assert (found.renewals, found.problems, found.chains, found.hours) == ((), (), 0, 0)


def test_a_forecast_of_the_past_is_misuse() -> None:
    """There is nothing to foresee."""
    with pytest.raises(ValueError, match="future"):
        planned(chain(), until=NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit_validity": timedelta(days=1)},
        {"unit_validity": 20 * YEAR, "authority_validity": 10 * YEAR},
        {"bytes_per_second": 0.0},
        {"bytes_per_second": -1.0},
    ],
)
def test_assumptions_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    """A certificate above ends no sooner, a speed is above nothing."""
    with pytest.raises(ValueError, match=r"certificates|speed"):
        Assumptions(**wrong)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_hundred_thousand_batches_with_two_lines_are_planned_in_seconds() -> None:
    """The plan is by cohorts, not by batches."""
    first = instant("2020-01-01")
    chains = [
        chain(
            token(
                gen_time=first + timedelta(minutes=50 * n),
                tsa=line,
                signer_until=instant("2036-01-01"),
                signatures=(P384,),
            ),
            batch=n + 1,
            line=line,
            digest=digest,
        )
        for n in range(100_000)
        for line, digest in (("one", "sha512"), ("two", "sha3-512"))
    ]
    sizes = dict.fromkeys(range(1, 100_001), 10**8)
    began = time.perf_counter()
    found = forecast(
        chains,
        sizes,
        table=table_with_end("sha512", "2050-01-01"),
        policy=POLICY,
        assumptions=ASSUMED,
        at=NOW,
        until=UNTIL,
    )

    assert time.perf_counter() - began < 20  # about two on an idle machine
    assert found.bytes_to_read == 10**13
    assert max(one.batches for one in found.renewals) == 100_000


# -- algebra ----------------------------------------------------------------------------------

ENDS = st.integers(200, 15_000).map(lambda days: NOW + timedelta(days=days))
TOKENS = st.builds(
    lambda end, above, signed: token(
        gen_time=instant("2030-01-01"), signer_until=end, authority_until=max(end, above), signatures=(signed,)
    ),
    ENDS,
    ENDS,
    st.sampled_from([P384, SignatureUse("ml-dsa", 87), SignatureUse("eddsa", 256)]),
)
HOLDINGS = st.lists(TOKENS, min_size=1, max_size=6).map(
    lambda tokens: [chain(one, batch=number) for number, one in enumerate(tokens, 1)]
)


@settings(max_examples=60)
@given(HOLDINGS, st.integers(1, 12))
def test_every_chain_is_covered_without_a_gap(chains: list[ChainFacts], years: int) -> None:
    """Whatever the certificates: each batch is renewed before the end of what it stands on, up to the horizon."""
    assumed = Assumptions(unit_validity=years * YEAR, authority_validity=30 * YEAR)
    found = planned(*chains, assumed=assumed, until=instant("2075-01-01"))
    assert found.problems == ()
    for one in chains:
        newest = one.newest
        assert newest.signer_until is not None
        assert newest.authority_until is not None
        end = min(newest.signer_until, newest.authority_until)
        for renewal in found.renewals:
            if any(first <= one.batch <= last for first, last in renewal.spans):
                assert renewal.at < end, (one.batch, renewal)
                end = max(renewal.at + assumed.unit_validity, newest.signer_until)  # no token can last longer
        assert end >= found.until


@settings(max_examples=40)
@given(HOLDINGS)
def test_a_nearer_horizon_gives_the_beginning_of_the_same_plan(chains: list[ChainFacts]) -> None:
    """The plan does not depend on how far one looks."""
    far, near = planned(*chains), planned(*chains, until=instant("2055-01-01"))

    assert near.renewals == tuple(one for one in far.renewals if one.at < near.until)


@given(st.sets(st.integers(0, 60)))
def test_spans_hold_the_same_numbers_in_the_fewest_pieces(numbers: set[int]) -> None:
    """No number lost, none added, no two that touch."""
    spans = joined((number, number) for number in numbers)

    assert {n for first, last in spans for n in range(first, last + 1)} == numbers
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(spans))
