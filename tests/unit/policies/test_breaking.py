"""What falls with an algorithm or an authority, and what stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import UnknownPolicyError, current_algorithms
from policies.breaking import Break, Broken, assess_loss, broken_table, parse_break
from policies.renewal_values import ChainFacts, StatusChange
from tests.unit.policies.renewal_cases import DAY, P384, POLICY, RSA, chain, instant, token

TABLE = current_algorithms()
FALL = instant("2030-06-01")


@pytest.mark.parametrize(
    ("words", "what", "name"),
    [
        ("sha512", Broken.DIGEST, "sha512"),
        ("sha3-512", Broken.DIGEST, "sha3-512"),
        ("rsa", Broken.SIGNATURE, "rsa"),
        ("rsa-pss", Broken.SIGNATURE, "rsa-pss"),
        ("ml-dsa", Broken.SIGNATURE, "ml-dsa"),
        ("tsa:a:b", Broken.AUTHORITY, "a:b"),
        ("ca:My Root", Broken.CERTIFICATION, "My Root"),
    ],
)
def test_what_can_be_broken_is_understood(words: str, what: Broken, name: str) -> None:
    """Digests and schemes by the table's names, authorities by theirs."""
    assert parse_break(words, FALL, TABLE) == Break(what, name, FALL)


@pytest.mark.parametrize("words", ["", "rot13", "SHA-512", "tsa:", "ca:", "sha512:x", "tsa", ":x"])
def test_what_cannot_be_broken_is_refused_with_what_can(words: str) -> None:
    """A misspelt drill would show that all is well."""
    with pytest.raises(UnknownPolicyError, match=r"sha512.*rsa"):
        parse_break(words, FALL, TABLE)


def test_a_broken_digest_ends_on_that_day_and_no_other_does() -> None:
    """Good the moment before."""
    broken = broken_table(TABLE, parse_break("sha512", FALL, TABLE))

    assert broken.digest("sha512", at=FALL - DAY).good
    assert not broken.digest("sha512", at=FALL).good
    assert broken.digest("sha384", at=FALL).good
    assert TABLE.digest("sha512", at=FALL).good


def test_rsa_is_both_paddings_and_every_size() -> None:
    """What is over already stays over."""
    broken = broken_table(TABLE, parse_break("rsa", instant("2028-01-01"), TABLE))

    for scheme in ("rsa-pss", "rsa-pkcs1v15"):
        assert not broken.signature(scheme, 4096, at=instant("2028-01-01")).good
    assert broken.signature("rsa-pss", 1024, at=instant("2018-01-01")).until == instant("2019-10-01")
    assert broken.signature("ecdsa", 384, at=instant("2040-01-01")).good


def test_an_end_is_never_moved_into_the_future() -> None:
    """A drill makes nothing better."""
    broken = broken_table(TABLE, parse_break("sha224", instant("2035-01-01"), TABLE))

    assert not broken.digest("sha224", at=instant("2030-01-01")).good


@pytest.mark.parametrize("words", ["tsa:x", "ca:x"])
def test_the_fall_of_an_authority_changes_no_table(words: str) -> None:
    """It is news, not mathematics."""
    assert broken_table(TABLE, parse_break(words, FALL, TABLE)) is TABLE


def pair(batch: int, one: str, other: str) -> list[ChainFacts]:
    """Two redundant lines of a batch."""
    return [
        chain(batch=batch, line="a", digest=one, other_digests=frozenset({other})),
        chain(token(digests=("sha3-512",)), batch=batch, line="b", digest=other, other_digests=frozenset({one})),
    ]


def test_a_redundant_line_carries_what_the_other_loses() -> None:
    """RFC 4998 7: weakened and not lost."""
    table = broken_table(TABLE, parse_break("sha512", FALL, TABLE))
    loss = assess_loss([*pair(1, "sha512", "sha3-512"), chain(batch=2)], table=table, policy=POLICY, at=FALL)

    assert (loss.lost, loss.lost_documents) == (((2, 2),), 1000)
    assert (loss.weakened, loss.weakened_documents) == (((1, 1),), 1000)
    assert (loss.chains, loss.holding) == (2, 3)


def test_a_compromised_authority_loses_what_rests_on_it_alone() -> None:
    """And nothing of what another covered before."""
    news = StatusChange("compromised", FALL, compromised=True)
    alone = chain(token(tsa="fallen", status=news))
    covered = chain(
        token(tsa="fallen", status=news), token(position=1, gen_time=instant("2030-01-01"), tsa="other"), batch=2
    )
    loss = assess_loss([alone, covered], table=TABLE, policy=POLICY, at=FALL)

    assert (loss.lost, loss.chains) == (((1, 1),), 1)


def test_nothing_is_lost_before_the_day() -> None:
    """The day itself is the first."""
    table = broken_table(TABLE, parse_break("ecdsa", FALL, TABLE))

    assert assess_loss([chain()], table=table, policy=POLICY, at=FALL - DAY).chains == 0
    assert assess_loss([chain()], table=table, policy=POLICY, at=FALL).chains == 1


@given(
    st.lists(st.tuples(st.integers(1, 20), st.sampled_from([P384, RSA])), max_size=20, unique_by=lambda one: one[0]),
    st.sampled_from(["rsa", "ecdsa", "sha512"]),
)
def test_what_is_lost_and_what_stands_is_everything(made: list[tuple[int, object]], words: str) -> None:
    """No batch is forgotten, none counted twice, and each by what it rests on."""
    chains = [chain(token(digests=(), signatures=(use,)), batch=batch) for batch, use in made]
    table = broken_table(TABLE, parse_break(words, FALL, TABLE))
    loss = assess_loss(chains, table=table, policy=POLICY, at=FALL)
    falls = {"rsa": (RSA,), "ecdsa": (P384,), "sha512": (RSA, P384)}[words]

    assert loss.lost_batches == sum(use in falls for _, use in made)
    assert loss.weakened == ()
