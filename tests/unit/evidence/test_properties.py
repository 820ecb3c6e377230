"""Claims over any shape of batch and any place of damage."""

from __future__ import annotations

import random

from asn1crypto import cms
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_core.digests import hash_bytes
from archive_core.errors import EvidenceBrokenError
from archive_core.evidence import ers
from archive_core.evidence.derivation import StampInput, derive_record
from archive_core.evidence.hash_tree import HashTree, combine, group_leaf
from archive_core.evidence.record import parse_record
from archive_core.evidence.verification import DataObject
from archive_core.findings import Verdict
from tests.unit.evidence.stamping import START, SmallTsa
from tests.unit.evidence.story import Story, codes

ALGORITHMS = st.sampled_from(["sha256", "sha384", "sha512", "sha3-384", "sha3-512"])


@settings(max_examples=40)
@given(st.integers(1, 70), ALGORITHMS, st.data())
def test_every_record_of_a_batch_derives_and_verifies(count: int, algorithm: str, data: st.DataObject) -> None:
    """Any number of groups of any size: each object's record passes over exactly its group."""
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    groups = [[b"document %d of object %d" % (d, n) for d in range(size)] for n, size in enumerate(sizes)]
    members = [[hash_bytes(algorithm, document) for document in group] for group in groups]
    tree = HashTree.build(algorithm, [group_leaf(algorithm, values) for values in members])
    token = SmallTsa().stamp(algorithm, tree.root, START)
    tree = HashTree.from_bytes(algorithm, count, tree.to_bytes())
    for index in {0, count - 1, data.draw(st.integers(0, count - 1))}:
        record = derive_record([[StampInput(algorithm, tuple(members[index]), tree.path(index), token)]])
        report = Story(groups[index]).assess(record)
        assert (report.verdict, report.findings) == (Verdict.PASSED, ()), report.to_json()
        other = groups[(index + 1) % count]
        assert count == 1 or Story(other).assess(record).verdict is not Verdict.PASSED


@settings(max_examples=100)
@given(st.data())
def test_a_flipped_bit_anywhere_never_passes_on(data: st.DataObject) -> None:
    """In any octet of a record with both renewals: it fails, or it is not the same claim any more and says so."""
    whole = WHOLE.record().raw
    offset, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    changed = whole[:offset] + bytes([whole[offset] ^ (1 << bit)]) + whole[offset + 1 :]
    report = WHOLE.assess(changed)
    if report.verdict is Verdict.PASSED:
        # Octets that nothing is signed over: the version number, the unsigned wrapping of the last token.
        assert "VERSION_UNKNOWN" in codes(report) or offset >= len(whole) - len(WHOLE.record().last.token)
    assert report.proof_of_existence in (None, START)


WHOLE = Story([b"a", b"b"]).stamp("sha256", others=2).renew_time_stamp(others=1).renew_hash_tree("sha512", others=2)


@settings(max_examples=60)
@given(st.data())
def test_a_flipped_bit_of_any_member_path_element_or_signature_fails(data: st.DataObject) -> None:
    """Every hash in every list of every stamp, and the signature of every token."""
    record = WHOLE.record()
    targets = [value for stamp in record.stamps for values in stamp.reduced_hash_tree or () for value in values]
    targets += [stamp.token[-8:] for stamp in record.stamps]
    target = data.draw(st.sampled_from(targets))
    offset, bit = data.draw(st.integers(0, len(target) - 1)), data.draw(st.integers(0, 7))
    flipped = target[:offset] + bytes([target[offset] ^ (1 << bit)]) + target[offset + 1 :]
    report = WHOLE.assess(record.raw.replace(target, flipped, 1))
    assert report.verdict is Verdict.FAILED
    assert report.proof_of_existence is None


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(2, 6), st.integers(1, 5))
def test_the_order_within_a_list_does_not_matter(seed: int, documents: int, others: int) -> None:
    """4.2(3), 4.3(3): lists are sorted before hashing, so that stored order is free."""
    story = Story([bytes([n]) for n in range(documents)]).stamp(others=others)
    loaded = ers.EvidenceRecord.load(story.der())
    lists = loaded["archive_time_stamp_sequence"][0][0]["reduced_hashtree"]
    values = [value.native for value in lists[0]]
    shuffled = random.Random(seed).sample(values, len(values))
    lists[0] = ers.PartialHashtree(shuffled)
    report = story.assess(loaded.dump(force=True), data=story.data()[::-1])
    assert (report.verdict, report.findings) == (Verdict.PASSED, ())


@settings(max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.data())
def test_an_n_ary_tree_of_others_verifies(widths: list[int], data: st.DataObject) -> None:
    """Any number of siblings in a list, the object among strangers in the first: read, though never written."""
    h = hash_bytes("sha512", b"mine")
    lists = [[hash_bytes("sha512", bytes([a, b])) for b in range(width)] for a, width in enumerate(widths)]
    lists[0] = data.draw(st.permutations([h, *lists[0]]))
    root = combine("sha512", lists[0])
    for values in lists[1:]:
        root = combine("sha512", [root, *values])
    loaded = ers.EvidenceRecord.load(Story([b"mine"]).stamp().der())
    stamp = loaded["archive_time_stamp_sequence"][0][0]
    stamp["reduced_hashtree"] = ers.ReducedHashtree(lists)
    stamp["time_stamp"] = cms.ContentInfo.load(SmallTsa().stamp("sha512", root, START))
    report = Story([b"mine"]).assess(loaded.dump(force=True))
    assert (report.verdict, codes(report)) == (Verdict.PASSED, ["GROUP_INCOMPLETE"])
    assert Story([b"other"]).assess(loaded.dump(force=True)).verdict is not Verdict.PASSED


@settings(max_examples=40)
@given(st.integers(1, 20), st.data())
def test_a_path_in_another_order_is_not_derived(others: int, data: st.DataObject) -> None:
    """Between lists the order matters: siblings of other levels in a place give another root."""
    stamp = Story([b"a"]).stamp(others=others).chains[0][0]
    order = data.draw(st.permutations(range(len(stamp.siblings))))
    siblings = tuple(stamp.siblings[index] for index in order)
    changed = StampInput(stamp.digest_algorithm, stamp.first_list, siblings, stamp.token)
    try:
        derive_record([[changed]])
    except EvidenceBrokenError:
        assert siblings != stamp.siblings
    else:
        assert siblings == stamp.siblings


@given(st.binary(max_size=400))
def test_noise_gets_a_verdict(noise: bytes) -> None:
    """Whatever the octets: FAILED, and nothing raised."""
    report = Story([b"a"]).assess(noise, data=[DataObject.of_bytes("a", b"a")])
    assert report.verdict is Verdict.FAILED


def test_a_record_reads_the_same_twice() -> None:
    """Reading has no state and no side effect."""
    der = WHOLE.der()
    assert parse_record(der) == parse_record(der)
    assert WHOLE.der() == der
