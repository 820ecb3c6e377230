"""RFC 4998 5.3 and EN 319 102-1 5.6.3.4: what passes, what fails, what stays open, and what is noted."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from asn1crypto import cms, core

from archive_core.digests import OID_OF_DIGEST, hash_bytes
from archive_core.evidence import der, ers
from archive_core.evidence.derivation import StampInput, derive_record
from archive_core.evidence.hash_tree import combine
from archive_core.evidence.record import parse_record
from archive_core.evidence.verification import CLOCK_TOLERANCE, DataObject, assess_record
from archive_core.findings import Report, Step, SubIndication, Verdict
from archive_core.ports import TokenAssessment, ValidationData
from tests.unit.evidence.stamping import START, SmallPolicy, SmallTsa, SmallValidator
from tests.unit.evidence.story import LATER, YEAR, Story, codes, sha512_hex

THREE = [b"first", b"second", b"third"]


def bad_steps(report: Report) -> list[Step]:
    return [step for step in report.steps if step.verdict is not Verdict.PASSED]


def assert_failed(report: Report, step: str, sub_indication: SubIndication = SubIndication.HASH_FAILURE) -> None:
    """FAILED for that reason in a step of that name, and no proof of existence."""
    assert report.verdict is Verdict.FAILED, report.to_json()
    assert report.proof_of_existence is None
    assert (step, sub_indication) in {
        (bad.name, bad.sub_indication) for bad in bad_steps(report) if bad.verdict is Verdict.FAILED
    }


def assert_open(report: Report, sub_indication: SubIndication) -> None:
    """INDETERMINATE for that reason, and no proof of existence."""
    assert (report.verdict, report.sub_indication) == (Verdict.INDETERMINATE, sub_indication), report.to_json()
    assert report.proof_of_existence is None


# -- what passes --------------------------------------------------------------------------------


@pytest.mark.parametrize("others", [0, 1, 2, 3, 32])
@pytest.mark.parametrize("documents", [[b"one"], THREE])
def test_an_initial_record_passes(documents: list[bytes], others: int) -> None:
    """Existence is proven at the genTime of the token, nothing more is said."""
    report = Story(documents).stamp(others=others, position=others).assess()
    assert (report.verdict, report.sub_indication, report.findings) == (Verdict.PASSED, None, ())
    assert report.proof_of_existence == START


def long_story() -> Story:
    story = Story(THREE).stamp("sha256", others=4, position=1).renew_time_stamp(others=2).renew_time_stamp()
    return story.renew_hash_tree("sha384", others=3).renew_time_stamp(others=1).renew_hash_tree("sha512", others=5)


def test_both_renewals_pass_and_prove_the_first_time() -> None:
    """Three chains, six stamps: existence is proven at the genTime of the initial one."""
    report = long_story().assess()
    assert (report.verdict, report.findings) == (Verdict.PASSED, ())
    assert report.proof_of_existence == START
    assert len(report.facts["time_stamps"]) == 6  # type: ignore[arg-type]


def test_a_prefix_record_continued_as_hash_tree_renewal_passes() -> None:
    """The foreign part proves the early time, our part carries it on."""
    foreign = Story(THREE, tsa=SmallTsa("Foreign TSA", 77)).stamp("sha256", others=9, position=3).renew_time_stamp()
    ours = Story(THREE, prefix=foreign.record(), now=foreign.now).renew_hash_tree("sha512", others=6, position=2)
    report = ours.assess(validator=SmallValidator((foreign.tsa, ours.tsa)))
    assert report.verdict is Verdict.PASSED
    assert report.proof_of_existence == START


def test_every_token_is_judged_at_the_time_of_the_next() -> None:
    """EN 319 102-1 5.6.3.4: an inner token is judged at the genTime of the one that covers it."""
    validator, story = SmallValidator(), long_story()
    story.assess(validator=validator)
    stamps = story.record().stamps
    instants = [*(stamp.token_info.gen_time for stamp in stamps[1:]), LATER]
    assert validator.asked == [(sha512_hex(stamp.token), at) for stamp, at in zip(stamps, instants, strict=True)]


def test_an_expired_inner_token_is_saved_by_its_renewal() -> None:
    """Its certificate ended before `at`, but after the renewal."""
    brief = SmallTsa("Brief TSA", 78, valid_until=START + YEAR + timedelta(days=1))
    first = Story([b"a"], tsa=brief).stamp()
    renewed = first.handed_to(SmallTsa()).renew_time_stamp()
    validator = SmallValidator((brief, renewed.tsa))
    assert renewed.assess(validator=validator).verdict is Verdict.PASSED
    assert_open(first.assess(validator=validator), SubIndication.OUT_OF_BOUNDS_NO_POE)


def test_kept_validation_data_reach_the_token_that_they_belong_to() -> None:
    """By the SHA-512 of the whole token; the other token gets none."""
    story, validator = Story([b"a"]).stamp().renew_time_stamp(), SmallValidator()
    kept = ValidationData(crls=(b"crl",))
    token = story.record().initial.token
    assess_record(
        story.der(),
        story.data(),
        validator=validator,
        algorithms=SmallPolicy(),
        at=LATER,
        validation_data={sha512_hex(token): kept},
    )
    assert validator.data == [kept, None]


def test_test_trust_is_said() -> None:
    """One token of test trust labels the whole report."""

    class TestTrust(SmallValidator):
        def assess(self, token: bytes, **keywords: object) -> TokenAssessment:
            return dataclasses.replace(super().assess(token, **keywords), test_trust=True)  # type: ignore[arg-type]

    assert Story([b"a"]).stamp().assess(validator=TestTrust()).test_trust
    assert not Story([b"a"]).stamp().assess().test_trust


# -- data objects -------------------------------------------------------------------------------


def test_one_of_three_passes_with_the_group_named_incomplete() -> None:
    """4.3, last part: the member is proven, that it is the whole group is not."""
    story = Story(THREE).stamp(others=5)
    report = story.assess(data=story.data()[:1])
    assert report.verdict is Verdict.PASSED
    assert codes(report) == ["GROUP_INCOMPLETE"]


def test_a_group_is_incomplete_in_every_chain_that_has_more() -> None:
    """After a hash-tree renewal the finding stands for both chains."""
    story = Story(THREE).stamp("sha256").renew_hash_tree("sha512")
    assert codes(story.assess(data=story.data()[1:])) == ["GROUP_INCOMPLETE", "GROUP_INCOMPLETE"]


def test_one_object_too_many_fails() -> None:
    """Something that the record never covered stands beside things that it covers."""
    story = Story(THREE).stamp()
    assert_failed(story.assess(data=[*story.data(), DataObject.of_bytes("x", b"other")]), "data object x")


@pytest.mark.parametrize("documents", [[b"one"], THREE])
def test_a_changed_document_fails(documents: list[bytes]) -> None:
    """One bit, with all the others as they were."""
    story = Story(documents).stamp(others=3)
    data = story.data()
    data[0] = DataObject.of_bytes("changed", bytes([documents[0][0] ^ 1]) + documents[0][1:])
    assert_failed(story.assess(data=data), "data object changed")


def test_without_data_nothing_is_concluded() -> None:
    """Everything fits, but nothing that could have been covered was supplied."""
    report = long_story().assess(data=[])
    assert_open(report, SubIndication.SIGNED_DATA_NOT_FOUND)


def test_a_stranger_to_a_group_leaves_the_groups_own_data_missing() -> None:
    """One object that is none of three: the three were not supplied."""
    report = Story(THREE).stamp().assess(data=[DataObject.of_bytes("x", b"other")])
    assert_open(report, SubIndication.SIGNED_DATA_NOT_FOUND)


def test_as_many_strangers_as_members_fail() -> None:
    """Nothing is missing any more, so what was supplied is wrong."""
    data = [DataObject.of_bytes(str(n), b"other %d" % n) for n in range(3)]
    assert_failed(Story(THREE).stamp().assess(data=data), "data object 0")


def test_a_hash_of_a_later_list_is_not_covered() -> None:
    """4.3(2): the sibling above is somebody else's node, even when its pre-image is at hand."""
    mine, sibling = hash_bytes("sha512", b"mine"), hash_bytes("sha512", b"theirs")
    token = SmallTsa().stamp("sha512", combine("sha512", (mine, sibling)), START)
    record = derive_record([[StampInput("sha512", (mine,), (sibling,), token)]])
    assert Story([b"mine"]).assess(record).verdict is Verdict.PASSED
    assert_failed(Story([b"theirs"]).assess(record), "data object document 0")


def test_a_digest_that_cannot_be_had_leaves_it_open() -> None:
    """Known by SHA-256 alone, but the second chain asks for SHA-512."""
    story = Story([b"a"]).stamp("sha256").renew_hash_tree("sha512")
    known = {name: hash_bytes(name, b"a") for name in ("sha256", "sha512")}
    assert story.assess(data=[DataObject.of_digests("a", known)]).verdict is Verdict.PASSED
    del known["sha512"]
    assert_open(story.assess(data=[DataObject.of_digests("a", known)]), SubIndication.SIGNED_DATA_NOT_FOUND)
    assert_open(story.assess(data=[DataObject.of_digests("a", {})]), SubIndication.SIGNED_DATA_NOT_FOUND)


def test_a_document_dropped_at_a_renewal_is_proven_only_until_then() -> None:
    """5.2(2): the others stay proven; the dropped one fails, and the report says where it ended."""
    story = Story(THREE).stamp("sha256")
    everything = story.data()
    story.documents = THREE[:2]
    story.renew_hash_tree("sha512")
    kept = story.assess(data=everything[:2])
    assert (kept.verdict, codes(kept)) == (Verdict.PASSED, ["GROUP_INCOMPLETE"])
    dropped = story.assess(data=everything)
    assert_failed(dropped, "data object document 2")
    assert "COVERAGE_ENDED" in codes(dropped)


def test_an_object_beneath_a_covered_token_is_covered_through_it() -> None:
    """The covered token states its digest; once that algorithm is weak nothing holds it any more."""
    token = SmallTsa().stamp("sha256", hash_bytes("sha256", b"stamped"), START - timedelta(hours=1))
    story = Story([token]).stamp()
    data = [*story.data(), DataObject.of_bytes("stamped", b"stamped")]
    report = story.assess(data=data)
    assert (report.verdict, codes(report)) == (Verdict.PASSED, ["COVERED_THROUGH_TOKEN"])
    weak = story.assess(data=data, policy=SmallPolicy({"sha256": START + YEAR}))
    assert_open(weak, SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE)
    assert_failed(story.assess(data=[*data, DataObject.of_bytes("x", b"other")]), "data object x")


def test_two_equal_documents_are_one_member() -> None:
    """A group is a set: identical files of a deposit share one digest, and the group is complete."""
    story = Story([b"same", b"same", b"other"]).stamp(others=2)
    report = story.assess()
    assert (report.verdict, report.findings) == (Verdict.PASSED, ())


# -- links --------------------------------------------------------------------------------------


def rebuilt(story: Story, chain: int, stamp: int, **changes: object) -> bytes:
    """The record with one stamp changed, and its token made anew so that tree and imprint still meet."""
    changed = dataclasses.replace(story.chains[chain][stamp], **changes)  # type: ignore[arg-type]
    root = combine(changed.digest_algorithm, changed.first_list)
    for sibling in changed.siblings:
        root = combine(changed.digest_algorithm, (root, sibling))
    at = story.record().chains[chain].stamps[stamp].token_info.gen_time
    changed = dataclasses.replace(changed, token=story.tsa.stamp(changed.digest_algorithm, root, at))
    chains = [list(inputs) for inputs in story.chains]
    chains[chain][stamp] = changed
    return derive_record(chains)


def test_a_renewal_over_something_else_fails() -> None:
    """5.3(2): perfectly stamped, but not over the token before."""
    story = Story([b"a"]).stamp().renew_time_stamp()
    assert_failed(story.assess(rebuilt(story, 0, 1, first_list=(bytes(64),))), "time-stamp renewal")


def test_a_renewal_over_the_content_of_the_token_alone_fails() -> None:
    """5.2: the whole ContentInfo with tag and length is covered, not its value octets."""
    story = Story([b"a"]).stamp().renew_time_stamp()
    content = der.read_only_element(story.chains[0][0].token).content
    record = rebuilt(story, 0, 1, first_list=(hash_bytes("sha512", content),))
    assert_failed(story.assess(record), "time-stamp renewal")


def test_a_renewal_may_cover_other_tokens_beside() -> None:
    """Further hashes in the first list of a renewal are others' tokens: allowed, and noted as not supplied."""
    story = Story([b"a"]).stamp().renew_time_stamp()
    covered = story.chains[0][1].first_list
    report = story.assess(rebuilt(story, 0, 1, first_list=(*covered, hash_bytes("sha512", b"another token"))))
    assert (report.verdict, codes(report)) == (Verdict.PASSED, ["GROUP_INCOMPLETE"])


def test_a_renewal_may_cover_the_whole_chain_again() -> None:
    """BouncyCastle stamps all earlier tokens of the chain as a group: nothing is missing then."""
    story = Story([b"a"]).stamp().renew_time_stamp().renew_time_stamp()
    tokens = [hash_bytes("sha512", stamp.token) for stamp in story.chains[0][:2]]
    report = story.assess(rebuilt(story, 0, 2, first_list=tuple(tokens)))
    assert (report.verdict, report.findings) == (Verdict.PASSED, ())
    assert_failed(story.assess(rebuilt(story, 0, 2, first_list=tuple(tokens[:1]))), "time-stamp renewal")


def test_a_sorted_renewal_passes_and_is_named() -> None:
    """Figure 4 against the prose: read, never written."""
    story = next(
        story
        for story in (Story([b"document %d" % n]).stamp("sha256") for n in range(50))
        if hash_bytes("sha512", story.documents[0]) > hash_bytes("sha512", story.record().sequence_before(1))
    )
    report = story.renew_hash_tree("sha512", in_order=True).assess()
    assert (report.verdict, codes(report)) == (Verdict.PASSED, ["RENEWAL_SORTED"])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda h, ha, chains: hash_bytes("sha512", ha, h) if h < ha else hash_bytes("sha512", h, ha, b""[:0], b"x"),
        lambda h, ha, chains: h,
        lambda h, ha, chains: ha,
        lambda h, ha, chains: hash_bytes("sha512", h, hash_bytes("sha512", chains)),
    ],
    ids=["neither order", "document alone", "chains alone", "chains without their SEQUENCE"],
)
def test_a_hash_tree_renewal_over_anything_else_fails(wrong: Callable[[bytes, bytes, bytes], bytes]) -> None:
    """5.2(3), 5.2(4): only H(h || ha), with ha over the SEQUENCE of all earlier chains."""
    story = Story([b"a"]).stamp("sha256").renew_time_stamp()
    earlier = story.record()
    h, ha = hash_bytes("sha512", b"a"), hash_bytes("sha512", earlier.sequence_before(1))
    value = wrong(h, ha, b"".join(chain.raw for chain in earlier.chains))
    story.renew_hash_tree("sha512")
    assert_failed(story.assess(rebuilt(story, 1, 0, first_list=(value,))), "data object document 0")


def test_a_forged_first_chain_fails() -> None:
    """The trap of a verifier that looks at the last chain only: another document's first chain."""
    other = Story([b"other"]).stamp("sha256")
    ours = other.handed_to(other.tsa, [b"ours"]).renew_hash_tree("sha512")
    assert other.assess().verdict is Verdict.PASSED
    assert_failed(ours.assess(), "data object document 0")


def test_a_chain_of_two_algorithms_fails() -> None:
    """5.2: a time-stamp renewal keeps the chain's algorithm; another one opens a new chain."""
    first = Story([b"a"]).stamp("sha256")
    token = first.chains[0][0].token
    later = first.tsa.stamp("sha512", hash_bytes("sha512", token), START + YEAR)
    covered = StampInput("sha512", (hash_bytes("sha512", token),), (), later)
    two = ers.EvidenceRecord.load(derive_record([first.chains[0], [covered]]))
    one = ers.EvidenceRecord.load(first.der())
    stamps = [
        ats for record in (one, two) for chain in list(record["archive_time_stamp_sequence"])[-1:] for ats in chain
    ]
    two["archive_time_stamp_sequence"] = ers.ArchiveTimeStampSequence([ers.ArchiveTimeStampChain(stamps)])
    report = first.assess(two.dump(force=True))
    assert_failed(report, "chain", SubIndication.FORMAT_FAILURE)


# -- trees and imprints -------------------------------------------------------------------------


def edited(record: bytes, edit: Callable[[ers.EvidenceRecord], None]) -> bytes:
    loaded = ers.EvidenceRecord.load(record)
    edit(loaded)
    return bytes(loaded.dump(force=True))


def test_an_omitted_tree_covers_exactly_one_hash() -> None:
    """4.1: the imprint is the object's hash itself."""
    token = SmallTsa().stamp("sha512", hash_bytes("sha512", b"a"), START)

    def omit(record: ers.EvidenceRecord) -> None:
        stamp = record["archive_time_stamp_sequence"][0][0]
        del stamp["reduced_hashtree"]
        del stamp["digest_algorithm"]

    record = edited(derive_record([[StampInput("sha512", (hash_bytes("sha512", b"a"),), (), token)]]), omit)
    assert parse_record(record).initial.reduced_hash_tree is None
    assert parse_record(record).initial.declared_algorithm is None
    assert Story([b"a"]).assess(record).verdict is Verdict.PASSED
    assert_failed(Story([b"b"]).assess(record), "data object document 0")
    assert_failed(Story([b"a", b"b"]).assess(record), "data object document 1")


def test_a_double_hashed_object_passes_and_is_named() -> None:
    """A variant in the field: the lone hash of the first list is hashed once more."""
    h, other = hash_bytes("sha512", b"a"), hash_bytes("sha512", b"other")
    for siblings in ((), (other,)):
        root = combine("sha512", (hash_bytes("sha512", h), *siblings))
        record = with_token_over(root, "sha512", [[h], *([sibling] for sibling in siblings)])
        report = Story([b"a"]).assess(record)
        assert (report.verdict, codes(report)) == (Verdict.PASSED, ["DOUBLE_HASHED"])


def with_token_over(root: bytes, algorithm: str, lists: list[list[bytes]]) -> bytes:
    """A record of one stamp whose token is good and says whatever the tree does not."""

    def put(record: ers.EvidenceRecord) -> None:
        identifier = {"algorithm": OID_OF_DIGEST.get(algorithm, algorithm)}
        record["digest_algorithms"] = ers.DigestAlgorithms([identifier])
        stamp = record["archive_time_stamp_sequence"][0][0]
        stamp["digest_algorithm"] = identifier
        stamp["reduced_hashtree"] = ers.ReducedHashtree(lists)
        stamp["time_stamp"] = cms.ContentInfo.load(SmallTsa().stamp(algorithm, root, START))

    return edited(Story([b"a"]).stamp().der(), put)


def test_a_token_over_another_root_fails() -> None:
    """4.3(4): a genuine token, lifted from elsewhere."""
    h = hash_bytes("sha512", b"a")
    report = Story([b"a"]).assess(with_token_over(hash_bytes("sha512", b"elsewhere"), "sha512", [[h]]))
    assert_failed(report, "hash tree")
    assert [step.name for step in bad_steps(report)] == ["hash tree"]


def test_a_stated_algorithm_other_than_the_imprints_fails() -> None:
    """4.1: for RFC 3161 the two are the same."""

    def state(record: ers.EvidenceRecord) -> None:
        record["archive_time_stamp_sequence"][0][0]["digest_algorithm"] = {"algorithm": OID_OF_DIGEST["sha3-512"]}
        record["digest_algorithms"] = ers.DigestAlgorithms(
            [{"algorithm": OID_OF_DIGEST["sha512"]}, {"algorithm": OID_OF_DIGEST["sha3-512"]}]
        )

    assert_failed(Story([b"a"]).assess(edited(Story([b"a"]).stamp().der(), state)), "hash tree")


def test_an_algorithm_that_is_not_listed_fails() -> None:
    """3.1: digestAlgorithms names every algorithm that is used."""

    def drop(record: ers.EvidenceRecord) -> None:
        record["digest_algorithms"] = ers.DigestAlgorithms([{"algorithm": OID_OF_DIGEST["sha256"]}])

    report = Story([b"a"]).assess(edited(Story([b"a"]).stamp().der(), drop))
    assert_failed(report, "chain", SubIndication.FORMAT_FAILURE)


@pytest.mark.parametrize("length", [1, 20, 32, 63])
def test_a_hash_of_another_length_fails(length: int) -> None:
    """A truncated hash is not the algorithm's, wherever it stands."""

    def cut(record: ers.EvidenceRecord) -> None:
        lists = record["archive_time_stamp_sequence"][0][0]["reduced_hashtree"]
        lists[1] = ers.PartialHashtree([lists[1][0].native[:length]])

    assert_failed(Story([b"a"]).assess(edited(Story([b"a"]).stamp(others=1).der(), cut)), "hash tree")


def test_an_unknown_digest_algorithm_leaves_it_open() -> None:
    """Nothing can be computed, so nothing is said to be wrong."""
    for length in (20, 64):
        value = bytes(length)
        record = with_token_over(value, "2.16.840.1.101.3.4.2.99", [[value]])
        assert_open(Story([b"a"]).assess(record), SubIndication.UNSUPPORTED)


# -- time, trust, algorithms --------------------------------------------------------------------


def test_equal_times_leave_it_open() -> None:
    """5.3: strictly ascending; two stamps within one second prove no order in time."""
    story = Story([b"a"]).stamp()
    story.now = START
    assert_open(story.renew_time_stamp().assess(), SubIndication.TIMESTAMP_ORDER_FAILURE)


@pytest.mark.parametrize("renew", [Story.renew_time_stamp, lambda story: story.renew_hash_tree("sha3-512")])
def test_a_renewal_before_what_it_renews_fails(renew: Callable[[Story], Story]) -> None:
    """5.1, 5.3: descending time is a contradiction."""
    story = Story([b"a"]).stamp()
    story.now = START - timedelta(seconds=1)
    assert_failed(renew(story).assess(), "order in time", SubIndication.TIMESTAMP_ORDER_FAILURE)


def test_a_stamp_from_the_future_is_not_believed() -> None:
    """Judged before it was made, beyond what clocks may differ."""
    story = Story([b"a"]).stamp()
    assert story.assess(at=START - CLOCK_TOLERANCE).verdict is Verdict.PASSED
    early = story.assess(at=START - CLOCK_TOLERANCE - timedelta(seconds=1))
    assert_open(early, SubIndication.TIMESTAMP_ORDER_FAILURE)


def test_an_unknown_authority_leaves_it_open() -> None:
    """Intact, but no trust."""
    assert_open(
        Story([b"a"], tsa=SmallTsa("Nobody", 5)).stamp().assess(validator=SmallValidator()),
        SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
    )


def test_one_untrusted_inner_token_leaves_all_open() -> None:
    """The last token alone proves only that the others existed at its time."""
    foreign = Story([b"a"], tsa=SmallTsa("Nobody", 5)).stamp("sha256")
    ours = foreign.handed_to(SmallTsa()).renew_time_stamp().renew_hash_tree("sha512")
    assert_open(ours.assess(), SubIndication.NO_CERTIFICATE_CHAIN_FOUND)


def test_a_compromise_before_the_renewal_is_not_healed_by_it() -> None:
    """Revoked before the next stamp was made: judged as of that stamp, the token is not good."""
    tsa = SmallTsa("Compromised TSA", 6)
    first = Story([b"a"], tsa=tsa).stamp()
    renewed = first.handed_to(SmallTsa()).renew_time_stamp()
    before, after = START + timedelta(days=1), START + YEAR + timedelta(days=1)
    trusted = (tsa, renewed.tsa)
    assert_open(
        renewed.assess(validator=SmallValidator(trusted, revoked_at={tsa.name: before})), SubIndication.REVOKED_NO_POE
    )
    later = renewed.assess(validator=SmallValidator(trusted, revoked_at={tsa.name: after}))
    assert later.verdict is Verdict.PASSED


def test_a_digest_algorithm_must_last_until_the_next_chain() -> None:
    """5.3(2): good at the first stamp of the next chain, or the earlier chain proves nothing."""
    story = Story([b"a"]).stamp("sha256").renew_time_stamp().renew_hash_tree("sha512")
    renewed = story.record().chains[1].stamps[0].token_info.gen_time
    long_enough = SmallPolicy({"sha256": renewed + timedelta(seconds=1)})
    too_short = SmallPolicy({"sha256": renewed})
    assert story.assess(policy=long_enough).verdict is Verdict.PASSED
    assert_open(story.assess(policy=too_short), SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE)


def test_the_last_digest_algorithm_must_be_good_now() -> None:
    """5.3(4)."""
    policy = SmallPolicy({"sha512": LATER})
    assert_open(Story([b"a"]).stamp().assess(policy=policy), SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE)


@pytest.mark.parametrize("chain", [0, 1])
def test_a_forged_token_anywhere_fails(chain: int) -> None:
    """Its signature does not fit; the other tokens are good."""
    story = Story([b"a"]).stamp("sha256").renew_hash_tree("sha512")
    token = story.chains[chain][0].token
    forged = token[:-1] + bytes([token[-1] ^ 1])
    assert_failed(
        story.assess(story.der().replace(token, forged)), "time-stamp token", SubIndication.SIG_CRYPTO_FAILURE
    )


def test_a_validator_that_reads_another_imprint_or_time_is_not_followed() -> None:
    """Two readings of one token are an attack on one of the readers."""

    class Disagreeing(SmallValidator):
        change: dict[str, object]

        def assess(self, token: bytes, **keywords: object) -> TokenAssessment:
            return dataclasses.replace(super().assess(token, **keywords), **self.change)  # type: ignore[arg-type]

    changes: list[dict[str, object]] = [{"gen_time": START + YEAR}, {"imprint": None, "gen_time": START - YEAR}]
    for change in changes:
        validator = Disagreeing()
        validator.change = change
        report = Story([b"a"]).stamp().assess(validator=validator)
        assert_failed(report, "time-stamp token", SubIndication.FORMAT_FAILURE)
    validator = Disagreeing()
    validator.change = {"imprint": None, "gen_time": None}
    assert_open(Story([b"a"]).stamp().assess(validator=validator), SubIndication.UNSUPPORTED)


# -- form ---------------------------------------------------------------------------------------


def test_encryption_is_refused_explicitly() -> None:
    """3.3, 6: recognised, not ignored, not a crash, not a pass."""

    def encrypt(record: ers.EvidenceRecord) -> None:
        record["encryption_info"] = {"encryption_info_type": "1.2.3", "encryption_info_value": core.Null()}

    report = Story([b"a"]).assess(edited(Story([b"a"]).stamp().der(), encrypt))
    assert_open(report, SubIndication.UNSUPPORTED)
    assert "encrypt" in report.steps[0].message


def test_unprotected_extras_are_noted_and_not_believed() -> None:
    """cryptoInfos and attributes are under no stamp."""

    def add(record: ers.EvidenceRecord) -> None:
        extra = {"type": "1.2.3", "values": [core.Null()]}
        record["crypto_infos"] = ers.CryptoInfos([extra])
        record["archive_time_stamp_sequence"][0][0]["attributes"] = ers.Attributes([extra])

    report = Story([b"a"]).assess(edited(Story([b"a"]).stamp().der(), add))
    assert (report.verdict, codes(report)) == (Verdict.PASSED, ["CRYPTO_INFOS_IGNORED", "ATTRIBUTES_IGNORED"])


@pytest.mark.parametrize(("version", "verdict"), [(-1, "FAILED"), (0, "FAILED"), (1, "PASSED"), (2, "PASSED")])
def test_versions_below_one_are_refused(version: int, verdict: str) -> None:
    """3.1; a later version is read as version 1 and noted."""

    def change(record: ers.EvidenceRecord) -> None:
        record["version"] = version

    report = Story([b"a"]).assess(edited(Story([b"a"]).stamp().der(), change))
    assert report.verdict == verdict
    assert ("VERSION_UNKNOWN" in codes(report)) == (version > 1)


@pytest.mark.parametrize("record", [b"", b"\x30", b"\x30\x00", b"%PDF-1.7", b"\x00" * 100, b"AAAA", b"<xml/>"])
def test_what_is_no_record_fails(record: bytes) -> None:
    """Unparseable input is a verdict, not an exception."""
    report = Story([b"a"]).assess(record)
    assert (report.verdict, report.sub_indication) == (Verdict.FAILED, SubIndication.FORMAT_FAILURE)


def test_a_broken_middle_link_leaves_no_proof_of_existence() -> None:
    """Whatever fails anywhere, no time is claimed; and all other steps are still reported."""
    story = long_story()
    whole = story.assess()
    token = story.chains[0][1].token
    broken = story.assess(story.der().replace(token, token[:-1] + bytes([token[-1] ^ 1])))
    assert broken.verdict is Verdict.FAILED
    assert broken.proof_of_existence is None
    assert len(broken.steps) >= len(whole.steps) - 3
    names = {step.name for step in bad_steps(broken)}
    assert {"time-stamp renewal", "time-stamp token"} <= names


def test_file_objects_are_hashed_from_disk(tmp_path_factory: pytest.TempPathFactory) -> None:
    """DataObject.of_file gives the digests of the file's bytes, large or small."""
    path = tmp_path_factory.mktemp("files") / "large.bin"
    path.write_bytes(b"x" * (3 * 1024 * 1024 + 1))
    item = DataObject.of_file(path)
    assert item.name == "large.bin"
    assert item.content is None
    assert item.digest("sha3-256") == hashlib.sha3_256(path.read_bytes()).digest()
    with pytest.raises(KeyError):
        item.digest("md5")
