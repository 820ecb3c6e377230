"""What is due, when, why, and what stands in its way."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import current_algorithms
from policies.renewal import due_needs, lead, needs_of, next_digest
from policies.renewal_guard import guarded
from policies.renewal_values import (
    REASONS,
    Blocked,
    RenewalKind,
    RenewalNeed,
    RenewalPolicy,
    SignatureUse,
    StatusChange,
)
from tests.unit.policies.renewal_cases import DAY, NOW, POLICY, RSA, YEAR, chain, instant, table_with_end, token

TABLE = current_algorithms()


def only(found: tuple[RenewalNeed, ...]) -> RenewalNeed:
    (need,) = found
    return need


def decided(*tokens: object, at: datetime = NOW, **changes: object) -> tuple[RenewalNeed, ...]:
    return needs_of(chain(*tokens, **changes), table=TABLE, policy=POLICY, at=at)  # type: ignore[arg-type]


# -- which end decides ------------------------------------------------------------------------


def test_the_time_stamp_units_certificate_decides_when_it_ends_first() -> None:
    """RFC 4998 5.2: before the certificate becomes invalid, a margin earlier, with the reason."""
    need = only(decided())

    assert need.kind is RenewalKind.TIMESTAMP
    assert (need.due, need.ends) == (instant("2035-01-01") - POLICY.timestamp_margin, instant("2035-01-01"))
    assert need.reason.code == "tsu-certificate-ends"
    assert str(need.reason) == "the time-stamp unit's certificate (tsa-1) ends on 2035-01-01"
    assert (need.digest, need.blocked, need.restart_from) == ("sha512", None, None)


def test_an_authority_that_ends_before_its_unit_decides() -> None:
    """The earliest end counts, wherever it is on the path."""
    need = only(decided(token(authority_until=instant("2033-01-01"))))

    assert (need.reason.code, need.ends) == ("ca-certificate-ends", instant("2033-01-01"))


def test_a_signature_algorithm_that_ends_asks_for_a_time_stamp_renewal() -> None:
    """RSA ends in 2031 by the table; the hash is still good, so no document is read."""
    need = only(decided(token(signatures=(RSA,))))

    assert (need.kind, need.reason.code, need.ends) == (
        RenewalKind.TIMESTAMP,
        "signature-algorithm-ends",
        instant("2031-01-01"),
    )
    assert "rsa-pss (4096)" in str(need.reason)


def test_a_digest_inside_the_token_that_ends_asks_for_a_time_stamp_renewal() -> None:
    """The tree is not built with it: a new token is enough."""
    found = needs_of(
        chain(token(digests=("sha256",))), table=table_with_end("sha256", "2032-01-01"), policy=POLICY, at=NOW
    )

    assert [(need.kind, need.reason.code) for need in found] == [(RenewalKind.TIMESTAMP, "token-digest-ends")]


def test_a_tree_digest_that_ends_asks_for_a_hash_tree_renewal_with_another_family() -> None:
    """RFC 4998 5.2(2): only re-reading helps; SHA-2 is left for SHA-3."""
    found = needs_of(chain(), table=table_with_end("sha512", "2034-01-01"), policy=POLICY, at=NOW)

    hash_tree = only(tuple(need for need in found if need.kind is RenewalKind.HASH_TREE))
    assert (hash_tree.due, hash_tree.ends) == (
        instant("2034-01-01") - POLICY.hash_tree_margin,
        instant("2034-01-01"),
    )
    assert (hash_tree.digest, hash_tree.reason.code) == ("sha3-512", "tree-digest-ends")


def test_another_table_gives_another_plan() -> None:
    """ALG-01: lifetimes are data; the same chain under another table is due at another time."""
    before = needs_of(chain(), table=TABLE, policy=POLICY, at=NOW)
    after = needs_of(chain(), table=table_with_end("sha512", "2031-01-01"), policy=POLICY, at=NOW)

    assert {need.kind for need in before} == {RenewalKind.TIMESTAMP}
    assert {need.kind for need in after} == {RenewalKind.TIMESTAMP, RenewalKind.HASH_TREE}


@pytest.mark.parametrize("scheme", ["picnic", "ml-dsa"])
def test_an_algorithm_that_the_table_does_not_know_was_never_good(scheme: str) -> None:
    """RFC 5698 3.1: absent means unsuitable, from the first moment on; nothing can be saved by covering it."""
    need = only(decided(token(signatures=(SignatureUse(scheme, 1),))))

    assert need.blocked is Blocked.LAPSED
    assert need.is_due(NOW)


def test_an_unknown_tree_digest_is_lapsed_and_not_renewed() -> None:
    """What the tree is built with must have been good when it was built."""
    found = decided(digest="sha999")

    assert [need.blocked for need in found if need.kind is RenewalKind.HASH_TREE] == [Blocked.LAPSED]


# -- news and orders --------------------------------------------------------------------------


COMPROMISED = StatusChange("key compromise of tsa-1", instant("2030-05-01"), compromised=True)
WITHDRAWN = StatusChange("tsa-1 was withdrawn from the Trusted List", instant("2030-05-01"), compromised=False)


def test_an_orderly_status_change_is_due_at_once_and_nothing_is_lost() -> None:
    """The time-stamps stand; it is time to move on."""
    need = only(decided(token(status=WITHDRAWN)))

    assert (need.due, need.blocked, need.restart_from) == (WITHDRAWN.reported, None, None)
    assert "withdrawn" in str(need.reason)


def test_an_orderly_status_change_asks_only_once() -> None:
    """A time-stamp made after the report was made in its knowledge: no endless renewal."""
    need = only(decided(token(status=WITHDRAWN, gen_time=instant("2030-05-02"))))

    assert need.reason.code == "tsu-certificate-ends"


def test_a_compromised_authority_above_a_good_time_stamp_dooms_nothing() -> None:
    """Renewal starts again from the newest time-stamp that is still good."""
    stamps = (token(position=0), token(position=1, gen_time=instant("2030-01-01"), status=COMPROMISED))
    need = only(decided(*stamps))

    assert (need.restart_from, need.blocked, need.due) == (0, None, COMPROMISED.reported)
    assert need.ends == instant("2035-01-01")


def test_a_compromised_authority_with_nothing_below_is_lapsed() -> None:
    """Nothing had covered the time-stamp before: no renewal can make it good again."""
    need = only(decided(token(status=COMPROMISED)))

    assert need.blocked is Blocked.LAPSED
    assert "key compromise" in str(need.blocked_because)


def test_a_compromised_newest_time_stamp_over_an_ended_one_is_lapsed() -> None:
    """The one below ended meanwhile: it is no way back."""
    stamps = (
        token(position=0, signer_until=instant("2030-02-01")),
        token(position=1, gen_time=instant("2030-01-01"), status=COMPROMISED),
    )

    assert only(decided(*stamps)).blocked is Blocked.LAPSED


def test_a_newest_time_stamp_that_ended_sooner_than_the_one_below_is_gone_around() -> None:
    """The renewing authority's certificate ended before the renewed one's: the older one is covered anew."""
    stamps = (
        token(position=0),
        token(position=1, gen_time=instant("2030-01-01"), signer_until=instant("2030-05-15")),
    )
    need = only(decided(*stamps))

    assert (need.restart_from, need.blocked) == (0, None)
    assert need.is_due(NOW)


@pytest.mark.parametrize("kind", list(RenewalKind))
def test_an_order_is_due_when_it_was_given_and_done_once(kind: RenewalKind) -> None:
    """An operator's order is a reason like any other, and fulfilled by what was made after it."""
    ordered = (kind, instant("2030-05-30"))
    given_need = [need for need in decided(ordered=ordered) if need.reason.code == "ordered"]
    renewed = token(gen_time=instant("2030-05-31"))

    assert [(need.kind, need.due) for need in given_need] == [(kind, ordered[1])]
    assert not [need for need in decided(renewed, ordered=ordered) if need.reason.code == "ordered"]


# -- what stands in the way -------------------------------------------------------------------


def test_missing_validation_data_block_and_say_to_fetch_first() -> None:
    """ERS-15: nothing is covered again while its newest time-stamp lacks chain or revocation data."""
    need = only(decided(token(validation_data_complete=False), at=instant("2034-12-01")))

    assert need.is_due(instant("2034-12-01"))
    assert need.blocked is Blocked.VALIDATION_DATA
    assert "fetched first" in str(need.blocked_because)


def test_an_unknown_end_is_due_now_and_blocked_until_the_chain_is_there() -> None:
    """Not knowing when it ends is not the same as never: and it is no endless renewal either."""
    need = only(decided(token(signer_until=None, authority_until=None)))

    assert (need.reason.code, need.blocked) == ("end-unknown", Blocked.VALIDATION_DATA)


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=1), YEAR])
def test_at_its_end_and_after_it_is_too_late(late: timedelta) -> None:
    """RFC 4998 5.3: renewed after its end, the chain has a gap; the end itself is exclusive."""
    need = only(decided(at=instant("2035-01-01") + late))

    assert need.blocked is Blocked.LAPSED
    assert "gap" in str(need.blocked_because)


def test_a_second_before_its_end_is_not_too_late() -> None:
    """The last moment counts."""
    assert only(decided(at=instant("2035-01-01") - timedelta(seconds=1))).blocked is None


def test_a_broken_digest_is_too_late_for_hash_tree_renewal() -> None:
    """The old digest must be good at renewal time, or the link proves nothing."""
    found = needs_of(chain(), table=table_with_end("sha512", "2030-05-01"), policy=POLICY, at=NOW)

    assert [need.blocked for need in found if need.kind is RenewalKind.HASH_TREE] == [Blocked.LAPSED]


def test_without_a_better_digest_the_need_is_blocked_and_says_so() -> None:
    """A table that knows nothing better leaves nothing to move to."""
    policy = RenewalPolicy(digests=("sha512",))
    found = needs_of(chain(), table=table_with_end("sha512", "2034-01-01"), policy=policy, at=NOW)

    blocked = [need for need in found if need.kind is RenewalKind.HASH_TREE]
    assert [(need.blocked, need.digest) for need in blocked] == [(Blocked.NO_DIGEST, None)]
    assert "load a newer table" in str(blocked[0].blocked_because)


# -- the next digest --------------------------------------------------------------------------


def test_two_lines_never_end_on_one_digest() -> None:
    """RFC 4998 7: whatever falls takes one line, not both."""
    table = table_with_end("sha512", "2034-01-01")
    facts = chain(other_digests=frozenset({"sha3-512"}))

    assert next_digest(facts, table=table, policy=POLICY, at=NOW) == "sha3-384"


def test_a_digest_that_is_too_narrow_for_the_long_term_is_not_chosen() -> None:
    """TS 119 312 5.2.2: SHA-256 may be read and not built upon."""
    policy = RenewalPolicy(digests=("sha256", "sha3-256"))

    assert next_digest(chain(), table=table_with_end("sha512", "2034-01-01"), policy=policy, at=NOW) is None


def test_a_digest_that_ends_no_later_is_not_chosen() -> None:
    """Moving to it would gain nothing."""
    table = table_with_end("sha512", "2034-01-01")

    assert next_digest(chain(digest="sha3-512"), table=table, policy=RenewalPolicy(digests=("sha512",)), at=NOW) is None


# -- algebra ----------------------------------------------------------------------------------

LIVES = st.timedeltas(min_value=timedelta(0), max_value=40 * YEAR)
MARGINS = st.timedeltas(min_value=timedelta(seconds=1), max_value=5 * YEAR)


@given(LIVES, MARGINS, MARGINS)
def test_a_longer_margin_never_makes_anything_due_later(life: timedelta, one: timedelta, other: timedelta) -> None:
    """`lead` grows with the margin."""
    assert lead(life, min(one, other)) <= lead(life, max(one, other))


@given(LIVES, LIVES, MARGINS)
def test_a_longer_life_never_has_a_shorter_lead(one: timedelta, other: timedelta, margin: timedelta) -> None:
    """`lead` grows with the life, up to the margin."""
    assert lead(min(one, other), margin) <= lead(max(one, other), margin) <= margin


@given(st.timedeltas(min_value=timedelta(seconds=2), max_value=40 * YEAR), MARGINS)
def test_nothing_is_due_the_moment_it_is_made_nor_at_its_very_end(life: timedelta, margin: timedelta) -> None:
    """Strictly between: no endless renewal, and time to act."""
    assert timedelta(0) < lead(life, margin) < life


@given(st.timedeltas(min_value=timedelta(seconds=2), max_value=2 * YEAR), MARGINS)
def test_an_authority_whose_certificate_ends_soon_is_not_asked_for_ever(life: timedelta, margin: timedelta) -> None:
    """Renewed each time it is due, by the same authority, a chain reaches the end in as many steps as life halves."""
    steps = 0
    while life > timedelta(seconds=1):
        life = lead(life, margin) - timedelta(milliseconds=1)  # the new time-stamp is made just after it was due
        steps += 1
    assert steps <= 2 + (2 * YEAR // timedelta(seconds=1)).bit_length()


@given(st.lists(st.timedeltas(min_value=timedelta(hours=1), max_value=90 * DAY), min_size=2, max_size=40))
def test_time_stamps_made_shortly_before_one_end_fall_due_together(lives: list[timedelta]) -> None:
    """Many batches under one ending certificate need few calls."""
    end = instant("2035-01-01")
    dues = {only(decided(token(gen_time=end - life))).due for life in lives}

    assert len(dues) <= 24


INSTANTS = st.datetimes(instant("2029-01-02").replace(tzinfo=None), instant("2060-01-01").replace(tzinfo=None)).map(
    lambda at: at.replace(tzinfo=NOW.tzinfo)
)


@given(INSTANTS, INSTANTS)
def test_what_is_due_stays_due(one: datetime, other: datetime) -> None:
    """Time alone makes nothing undue."""
    facts, table = chain(token(signatures=(RSA,))), table_with_end("sha512", "2040-01-01")
    early, late = (due_needs([facts], table=table, policy=POLICY, at=at) for at in sorted((one, other)))

    assert {need.kind for need in early} <= {need.kind for need in late}


@given(INSTANTS, INSTANTS)
def test_what_has_lapsed_stays_lapsed(one: datetime, other: datetime) -> None:
    """Nothing becomes provable again by waiting."""
    before, after = (only(decided(at=at)).blocked is Blocked.LAPSED for at in sorted((one, other)))

    assert after or not before


@given(st.sampled_from(["tsu", "ca"]), INSTANTS)
def test_the_earliest_end_decides_whichever_it_is(first: str, end: datetime) -> None:
    """And its name stands in the reason."""
    later = end + YEAR
    ends = (end, later) if first == "tsu" else (later, end)
    need = only(decided(token(signer_until=ends[0], authority_until=ends[1]), at=instant("2029-01-01")))

    assert need.ends == end
    assert need.reason.code == f"{first}-certificate-ends"


def test_instants_without_a_time_zone_are_misuse() -> None:
    """A naive instant would be compared with somebody else's time."""
    with pytest.raises(TypeError):
        only(decided()).is_due(datetime(2030, 1, 1))  # noqa: DTZ001


def test_a_chain_without_time_stamps_is_misuse() -> None:
    """There is nothing to renew, and nothing to be silent about."""
    with pytest.raises(ValueError, match="at least one"):
        replace(chain(), tokens=())


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamp_margin": timedelta(0)},
        {"hash_tree_margin": -DAY},
        {"share": 0.0},
        {"share": 1.5},
        {"least": 0},
        {"digests": ()},
        {"digests": ("sha512", "sha512")},
    ],
)
def test_a_policy_that_could_not_protect_is_refused(changes: dict[str, object]) -> None:
    """A margin of nothing renews too late, a share of nothing runs nothing."""
    with pytest.raises(ValueError, match=r"margin|share|digests"):
        RenewalPolicy(**changes)  # type: ignore[arg-type]


def test_every_sentence_can_be_filled_in() -> None:
    """Codes are what programs go by; each has its sentence."""
    assert all(sentence and code == code.lower() for code, sentence in REASONS.items())


# -- how much at once -------------------------------------------------------------------------


def due_now(count: int, **changes: object) -> list[RenewalNeed]:
    at = instant("2034-10-05")
    needs = [only(decided(batch=number, at=at)) for number in range(count)]
    return [replace(need, **changes) for need in needs]  # type: ignore[arg-type]


EARLY = instant("2034-10-05")
"""Three days after the plain chain is due: half of its margin is not over."""


def test_a_small_holding_renews_without_asking() -> None:
    """Ten chains are the whole of a small archive, and no mass."""
    found = guarded(due_now(10), holding=10, policy=POLICY, at=EARLY)

    assert (len(found.run), found.ask, found.question) == (10, (), None)


def test_a_share_of_a_large_holding_renews_without_asking() -> None:
    """Half of it is the limit, inclusive."""
    assert not guarded(due_now(50), holding=100, policy=POLICY, at=EARLY).ask


def test_more_than_the_share_waits_for_somebody_and_says_how_to_confirm() -> None:
    """A wrong table or clock makes everything due at once: that is asked about first."""
    found = guarded(due_now(51), holding=100, policy=POLICY, at=EARLY)

    assert (found.run, len(found.ask)) == ((), 51)
    assert "51 of 100" in str(found.question)
    assert "renewal run --all" in str(found.question)


def test_what_a_certificate_makes_due_does_not_wait_until_it_is_too_late() -> None:
    """After half of the margin nobody's absence may cost the proof."""
    at = instant("2034-12-01")
    found = guarded(due_now(51), holding=100, policy=POLICY, at=at)

    assert (len(found.run), found.ask) == (51, ())


@pytest.mark.parametrize("code", ["tree-digest-ends", "status-change", "ordered", "signature-algorithm-ends"])
def test_what_a_table_or_report_makes_due_always_waits(code: str) -> None:
    """Those can be mistaken, at any time."""
    wanted = replace(due_now(1)[0].reason, code=code)
    found = guarded(due_now(51, reason=wanted), holding=100, policy=POLICY, at=instant("2034-12-31"))

    assert (found.run, len(found.ask)) == ((), 51)


def test_blocked_needs_are_neither_run_nor_counted() -> None:
    """They cannot run; they are told elsewhere."""
    found = guarded(due_now(51, blocked=Blocked.VALIDATION_DATA), holding=100, policy=POLICY, at=EARLY)

    assert (found.run, found.ask) == ((), ())


def test_two_needs_of_one_chain_count_once() -> None:
    """The share is of chains."""
    twice = due_now(30) + due_now(30, kind=RenewalKind.HASH_TREE)

    assert not guarded(twice, holding=100, policy=POLICY, at=EARLY).ask


@given(st.integers(0, 60), st.integers(60, 200), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_larger_share_never_asks_about_more(count: int, holding: int, one: float, other: float) -> None:
    """Monotone: loosening the guard only lets more run; and nothing is lost between run and ask."""
    needs = due_now(count)
    strict = guarded(needs, holding=holding, policy=replace(POLICY, share=min(one, other)), at=EARLY)
    loose = guarded(needs, holding=holding, policy=replace(POLICY, share=max(one, other)), at=EARLY)

    assert len(strict.ask) >= len(loose.ask)
    assert len(strict.run) + len(strict.ask) == len(loose.run) + len(loose.ask) == count
