"""Renewed records that must not pass, with real tokens and the real validator: what is said of each, and that no proof
of existence is claimed. Every case begins with a record that does pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import cms
from cryptography import x509

from archive_core.digests import Digest, hash_bytes
from archive_core.evidence import der
from archive_core.evidence.derivation import StampInput, derive_record
from archive_core.evidence.hash_tree import renewed_hash
from archive_core.evidence.verification import assess_record
from archive_core.findings import Report, SubIndication, Verdict
from archive_core.ports import ValidationData
from policies.algorithms import AlgorithmTable, current_algorithms
from signing.timestamp_validation import TokenValidator
from tests.renewal_world import MortalTsa
from tests.unit.evidence.stamping import SmallTsa
from tests.unit.evidence.story import Story, codes, sha512_hex

MADE = datetime(2028, 7, 1, 9, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
DOCUMENTS = [b"description", b"content"]


@dataclass
class SetClock:
    at: datetime = MADE

    def now(self) -> datetime:
        return self.at


class Mortal(SmallTsa):
    """A mortal authority as a story wants one: stamps at the time that the story tells."""

    def __init__(self, name: str, *, years: float = 5) -> None:
        clock = SetClock()
        object.__setattr__(self, "clock", clock)
        object.__setattr__(self, "real", MortalTsa.born(name, clock, years=years))

    def stamp(self, algorithm: str, imprint: bytes, at: datetime, *, serial: int = 1) -> bytes:
        self.clock.at = at  # type: ignore[attr-defined]
        return self.real.timestamp(Digest(algorithm, imprint)).der  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(scope="module")
def tsas() -> list[Mortal]:
    return [Mortal("First TSA", years=3), Mortal("Second TSA", years=20)]


def told(tsas: list[Mortal]) -> Story:
    """2028 and 2029 by the first authority, 2030 another hash tree and 2031 a renewal of it by the second."""
    story = Story(DOCUMENTS, tsa=tsas[0], now=MADE).stamp("sha512", others=3).renew_time_stamp(others=2)
    return story.handed_to(tsas[1]).renew_hash_tree("sha3-512", others=2).renew_time_stamp()


def judged(
    tsas: list[Mortal],
    record: bytes,
    *,
    table: AlgorithmTable | None = None,
    data: Mapping[str, ValidationData] | None = None,
    documents: Story | None = None,
) -> Report:
    """As of 2032."""
    algorithms = table or current_algorithms()
    return assess_record(
        record,
        (documents or Story(DOCUMENTS)).data(),
        validator=TokenValidator([tsa.real.anchor for tsa in tsas], algorithms=algorithms),  # type: ignore[attr-defined]
        algorithms=algorithms,
        at=MADE + 4 * YEAR,
        validation_data=data,
    )


def says(report: Report, verdict: Verdict, why: SubIndication) -> None:
    assert (report.verdict, report.sub_indication) == (verdict, why), report.to_json()
    assert report.proof_of_existence is None


def test_the_record_that_all_begin_with_passes(tsas: list[Mortal]) -> None:
    report = judged(tsas, told(tsas).der())
    assert (report.verdict, report.proof_of_existence) == (Verdict.PASSED, MADE)


def gap(tsas: list[Mortal]) -> bytes:
    """The first authority's unit ended in 2031; its time-stamp was covered in 2031 and a half."""
    story = Story(DOCUMENTS, tsa=tsas[0], now=MADE).stamp("sha512", others=3)
    story.now = MADE + 3 * YEAR + YEAR / 2
    return story.handed_to(tsas[1]).renew_time_stamp().der()


def gap_before_another_tree(tsas: list[Mortal]) -> bytes:
    story = Story(DOCUMENTS, tsa=tsas[0], now=MADE).stamp("sha512", others=3)
    story.now = MADE + 3 * YEAR + YEAR / 2
    return story.handed_to(tsas[1]).renew_hash_tree("sha3-512").der()


def another_batch(tsas: list[Mortal]) -> bytes:
    """The renewal is a good one, of the token of another batch."""
    ours, theirs = (Story([one], tsa=tsas[0], now=MADE).stamp("sha512", others=3) for one in (DOCUMENTS[0], b"other"))
    renewal = theirs.renew_time_stamp().chains[0][1]
    return derive_record([[ours.chains[0][0], renewal]])


def another_first_token(tsas: list[Mortal]) -> bytes:
    """The initial time-stamp has the token of another batch in its place; the derivation refuses that, so it is done
    to the octets."""
    story = Story(DOCUMENTS, tsa=tsas[0], now=MADE).stamp("sha512", others=3)
    other = Story([b"other"], tsa=tsas[0], now=MADE).stamp("sha512", others=3).chains[0][0].token
    return with_token(story.der(), story.chains[0][0].token, other)


def swapped_chains(tsas: list[Mortal]) -> bytes:
    return derive_record(told(tsas).chains[::-1])


def swapped_stamps(tsas: list[Mortal]) -> bytes:
    first, second = told(tsas).chains
    return derive_record([first[::-1], second])


def left_out(tsas: list[Mortal]) -> bytes:
    """A time-stamp that was made and covered is missing."""
    first, second = told(tsas).chains
    return derive_record([first[:1], second])


def equal_times(tsas: list[Mortal]) -> bytes:
    story = Story(DOCUMENTS, tsa=tsas[0], now=MADE).stamp("sha512")
    story.now = MADE
    return story.renew_time_stamp().der()


def changed_octet(tsas: list[Mortal]) -> bytes:
    """Of the signature of the time-stamp that was covered first."""
    story = told(tsas)
    token = story.chains[0][0].token
    return story.der().replace(token, token[:-1] + bytes([token[-1] ^ 1]))


def encoded_again(tsas: list[Mortal]) -> bytes:
    """The covered token had its certificates in an order of its own; a library wrote it anew, in DER's order."""
    story = Story(DOCUMENTS, tsa=tsas[0], now=MADE).stamp("sha512")
    as_it_came = unsorted(story.chains[0][0].token)
    story.chains[0][0] = dataclasses.replace(story.chains[0][0], token=as_it_came)
    record = story.handed_to(tsas[1]).renew_time_stamp().der()
    assert judged(tsas, record).verdict is Verdict.PASSED
    parsed = cms.ContentInfo.load(as_it_came)
    assert parsed.native
    again = parsed.dump(force=True)
    assert again != as_it_came
    assert len(again) == len(as_it_came)
    return record.replace(as_it_came, again)


def covers_less(tsas: list[Mortal]) -> bytes:
    """`ha` over the first time-stamp alone, and not over the chain with its renewal."""
    story = Story(DOCUMENTS, tsa=tsas[0], now=MADE).stamp("sha512")
    short = story.handed_to(tsas[1])
    short.now = MADE + 2 * YEAR
    later = short.renew_hash_tree("sha3-512").chains[1]
    return derive_record([story.renew_time_stamp().chains[0], later])


def chains_first(tsas: list[Mortal]) -> bytes:
    """H(ha ‖ h) where h is the smaller one: neither in order nor sorted."""
    digest = hash_bytes("sha3-512", DOCUMENTS[0])
    before = b""
    while not digest < before:  # signatures are random, so every second story will do
        story = Story(DOCUMENTS[:1], tsa=tsas[0], now=MADE).stamp("sha512").renew_time_stamp()
        before = hash_bytes("sha3-512", story.record().sequence_before(1))
    value = renewed_hash("sha3-512", before, digest)
    token = tsas[1].stamp("sha3-512", value, story.now)
    return derive_record([*story.chains, [StampInput("sha3-512", (value,), (), token)]])


def with_token(record: bytes, old: bytes, new: bytes) -> bytes:
    """A record of one stamp with another token in it, and lengths that fit."""
    tree = record[: record.index(old)]
    element = der.read_only_element(record)
    version, algorithms, sequence = (one.raw for one in der.children(element, most=5))
    (chain,) = der.children(der.read_only_element(sequence), most=2)
    (stamp,) = der.children(chain, most=2)
    digest, lists, _token = (one.raw for one in der.children(stamp, most=4))
    assert lists in tree
    stamps = der.wrap(der.SEQUENCE, der.wrap(der.SEQUENCE, der.wrap(der.SEQUENCE, digest, lists, new)))
    return der.wrap(der.SEQUENCE, version, algorithms, stamps)


def unsorted(token: bytes) -> bytes:
    """The same token with its two certificates in the order that DER would not give them. They are not signed."""
    signed = cms.ContentInfo.load(token)["content"]
    one, two = sorted(choice.dump() for choice in signed["certificates"])
    for together in (one + two, two + one):
        if together in token:
            return token.replace(together, two + one)
    raise ValueError("the certificates do not lie side by side")


WRONG: list[tuple[Callable[[list[Mortal]], bytes], Verdict, SubIndication]] = [
    (gap, Verdict.INDETERMINATE, SubIndication.OUT_OF_BOUNDS_NO_POE),
    (gap_before_another_tree, Verdict.INDETERMINATE, SubIndication.OUT_OF_BOUNDS_NO_POE),
    (another_batch, Verdict.FAILED, SubIndication.HASH_FAILURE),
    (another_first_token, Verdict.FAILED, SubIndication.HASH_FAILURE),
    (swapped_chains, Verdict.FAILED, SubIndication.HASH_FAILURE),
    (swapped_stamps, Verdict.FAILED, SubIndication.HASH_FAILURE),
    (left_out, Verdict.FAILED, SubIndication.HASH_FAILURE),
    (equal_times, Verdict.INDETERMINATE, SubIndication.TIMESTAMP_ORDER_FAILURE),
    (changed_octet, Verdict.FAILED, SubIndication.HASH_FAILURE),
    (encoded_again, Verdict.FAILED, SubIndication.HASH_FAILURE),
    (covers_less, Verdict.FAILED, SubIndication.HASH_FAILURE),
    (chains_first, Verdict.FAILED, SubIndication.HASH_FAILURE),
]


@pytest.mark.parametrize(("wrong", "verdict", "why"), WRONG, ids=[one[0].__name__ for one in WRONG])
def test_what_was_put_together_wrongly_does_not_pass(
    tsas: list[Mortal], wrong: Callable[[list[Mortal]], bytes], verdict: Verdict, why: SubIndication
) -> None:
    """With the sub-indication that says why, and without a time since when anything existed."""
    documents = Story(DOCUMENTS[:1]) if wrong in (another_batch, chains_first) else None
    says(judged(tsas, wrong(tsas), documents=documents), verdict, why)


def test_without_revocation_data_nothing_is_proven(tsas: list[Mortal]) -> None:
    """Not inside, not beside: it stays open; with the list of that day beside it, it passes."""
    bare = tsas[0].real  # type: ignore[attr-defined]
    bare.inside = False
    try:
        story = Story(DOCUMENTS, tsa=tsas[0], now=MADE).stamp("sha512")
    finally:
        bare.inside = True
    record = story.handed_to(tsas[1]).renew_time_stamp().der()
    first = sha512_hex(story.chains[0][0].token)
    tsas[0].clock.at = MADE + YEAR  # type: ignore[attr-defined]

    says(judged(tsas, record), Verdict.INDETERMINATE, SubIndication.TRY_LATER)
    assert judged(tsas, record, data={first: ValidationData(crls=(bare.crl(),))}).verdict is Verdict.PASSED


@pytest.mark.parametrize("reason", [x509.ReasonFlags.key_compromise, None])
def test_a_unit_compromised_before_it_was_covered_proves_nothing(
    tsas: list[Mortal], reason: x509.ReasonFlags | None
) -> None:
    """An inner unit's key was stolen (or nobody says why it was revoked) half a year before the next time-stamp."""
    story = told(tsas)
    real = tsas[0].real  # type: ignore[attr-defined]
    tsas[0].clock.at = MADE + 2 * YEAR  # type: ignore[attr-defined]
    newest = sha512_hex(story.chains[0][1].token)
    for when, passes in ((MADE + YEAR * 1.5, False), (MADE + YEAR * 2.5, True)):
        real.revoked = [(real.unit, when, reason)]
        report = judged(tsas, story.der(), data={newest: ValidationData(crls=(real.crl(),))})
        if passes:
            assert report.verdict is Verdict.PASSED, report.to_json()
        else:
            says(report, Verdict.INDETERMINATE, SubIndication.REVOKED_NO_POE)
    real.revoked = []


def ended(digest: str, day: str) -> AlgorithmTable:
    table = current_algorithms()
    end = datetime.fromisoformat(day).replace(tzinfo=UTC)
    rows = tuple(dataclasses.replace(row, until=end) if row.name == digest else row for row in table.digests)
    return dataclasses.replace(table, digests=rows)


def test_a_digest_that_was_broken_when_it_was_left_proves_nothing(tsas: list[Mortal]) -> None:
    """SHA3-512 took over in July 2030: SHA-512 had to be good until then, and is not asked afterwards."""
    record = sha384_told(tsas)
    says(
        judged(tsas, record, table=ended("sha384", "2030-06-01")),
        Verdict.INDETERMINATE,
        SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE,
    )
    assert judged(tsas, record, table=ended("sha384", "2030-08-01")).verdict is Verdict.PASSED


def sha384_told(tsas: list[Mortal]) -> bytes:
    """A tree by another digest than the tokens are signed with, so that only the tree's digest falls."""
    story = Story(DOCUMENTS, tsa=tsas[0], now=MADE).stamp("sha384", others=3).renew_time_stamp()
    return story.handed_to(tsas[1]).renew_hash_tree("sha3-512").der()


def test_a_sorted_pair_is_read_and_never_written(tsas: list[Mortal]) -> None:
    """Figure 4 of RFC 4998 sorts h and ha, step 4 does not: ours is in order, theirs is named."""
    seen = set()
    for number in range(24):
        document = b"%d" % number
        story = Story([document], tsa=tsas[0], now=MADE).stamp("sha512").handed_to(tsas[1])
        ours = story.renew_hash_tree("sha3-512")
        before = hash_bytes("sha3-512", ours.record().sequence_before(1))
        pair = [hash_bytes("sha3-512", document), before]
        (written,) = ours.chains[1][0].first_list
        assert written == hash_bytes("sha3-512", *pair)
        seen.add(pair == sorted(pair))
        if pair != sorted(pair):
            assert written != hash_bytes("sha3-512", *sorted(pair))
            theirs = Story([document], chains=story.chains[:1], tsa=tsas[1], now=MADE + YEAR)
            report = judged(tsas, theirs.renew_hash_tree("sha3-512", in_order=True).der(), documents=theirs)
            assert report.verdict is Verdict.PASSED
            assert "RENEWAL_SORTED" in codes(report)
            break
    assert False in seen
