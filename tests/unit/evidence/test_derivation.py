"""Derived records: byte-stable for each version, in the shape of Basis-ERS, never handed out broken."""

from __future__ import annotations

import base64
import dataclasses
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.der import decoder, encoder
from pyasn1_alt_modules import rfc4998

from archive_core.errors import EvidenceBrokenError
from archive_core.evidence import ers
from archive_core.evidence.basis_ers import assess_basis_ers
from archive_core.evidence.derivation import DERIVATION_VERSION, StampInput, derive_record, derive_sequence
from archive_core.evidence.hash_tree import reduced_root
from archive_core.evidence.record import MAX_CHAINS, MAX_STAMPS, parse_record
from archive_core.evidence.verification import DataObject
from archive_core.findings import Verdict
from tests.unit.evidence.story import Story

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
VERSIONS = range(1, DERIVATION_VERSION + 1)


def golden_cases() -> list[Any]:
    cases = []
    for version in VERSIONS:
        published = json.loads((GOLDEN / f"derivation-{version}.json").read_text())
        assert published["derivation_version"] == version
        cases += [pytest.param(version, case, id=f"{version}-{case['name']}") for case in published["cases"]]
    return cases


def inputs_of(case: dict[str, Any]) -> list[list[StampInput]]:
    return [
        [
            StampInput(
                stamp["digest_algorithm"],
                tuple(bytes.fromhex(value) for value in stamp["first_list"]),
                tuple(bytes.fromhex(value) for value in stamp["siblings"]),
                base64.b64decode(stamp["token"]),
            )
            for stamp in chain
        ]
        for chain in case["chains"]
    ]


@pytest.mark.parametrize(("version", "case"), golden_cases())
def test_a_published_derivation_gives_the_same_octets_forever(version: int, case: dict[str, Any]) -> None:
    """Derived records are hashed by later renewals: one octet of difference breaks them."""
    prefix = parse_record(base64.b64decode(case["prefix"])) if case["prefix"] else None
    derived = derive_record(inputs_of(case), version=version, prefix=prefix)
    assert base64.b64encode(derived).decode() == case["record"]


@pytest.mark.parametrize(("version", "case"), golden_cases())
def test_the_sequence_that_a_hash_tree_renewal_covers_is_the_record_s_own(version: int, case: dict[str, Any]) -> None:
    """`derive_sequence` puts the octets together by hand: they are the last member of the record, to the octet."""
    inputs = inputs_of(case)
    sequence = derive_sequence(inputs, version=version)
    record = parse_record(derive_record(inputs, version=version))

    assert record.raw.endswith(sequence)
    assert ers.ArchiveTimeStampSequence.load(sequence, strict=True).native == (
        ers.EvidenceRecord.load(record.raw)["archive_time_stamp_sequence"].native
    )
    stamps = [[stamp.raw for stamp in chain.stamps] for chain in record.chains]
    again = ers.ArchiveTimeStampSequence.load(sequence)
    assert [[stamp.dump() for stamp in chain] for chain in again] == stamps


@pytest.mark.parametrize(("version", "case"), golden_cases())
def test_a_golden_record_verifies(version: int, case: dict[str, Any]) -> None:
    """With its documents every published record passes, and existence is proven at the first stamp."""
    documents = [bytes.fromhex(document) for document in case["documents"]]
    report = Story(documents).assess(base64.b64decode(case["record"]))
    assert report.verdict is Verdict.PASSED, report.to_json()
    assert report.proof_of_existence == datetime.fromisoformat(case["gen_times"][0])
    assert report.findings == ()


def test_golden_vectors_hold_both_renewals_and_a_prefix() -> None:
    """The set is not to be thinned out without anybody noticing."""
    names = {case.values[1]["name"] for case in golden_cases() if case.values[0] == 1}
    assert names >= {"time-stamp renewal", "hash-tree renewal", "both renewals", "prefix record continued"}
    assert len(names) >= 11


@settings(max_examples=25)
@given(st.integers(1, 4), st.integers(0, 20), st.data())
def test_two_other_decoders_read_what_is_written(documents: int, others: int, data: st.DataObject) -> None:
    """pyasn1-alt-modules and our asn1crypto module decode it whole and encode it again to the same octets."""
    position = data.draw(st.integers(0, others))
    story = Story([bytes([n]) for n in range(documents)]).stamp(others=others, position=position)
    record = story.renew_time_stamp(others=1).renew_hash_tree("sha3-512").der()
    foreign, rest = decoder.decode(record, asn1Spec=rfc4998.EvidenceRecord())
    assert not rest
    assert encoder.encode(foreign) == record
    typed = ers.EvidenceRecord.load(record, strict=True)
    assert [len(chain) for chain in typed["archive_time_stamp_sequence"]] == [2, 1]
    assert typed.dump(force=True) == record


@pytest.mark.parametrize("others", [*range(33), 999])
def test_the_shape_is_a_group_and_one_sibling_a_list(others: int) -> None:
    """Basis-ERS and BouncyCastle: the group alone first, then single hashes."""
    record = Story([b"a", b"b"]).stamp(others=others, position=others // 2).record()
    tree = record.initial.reduced_hash_tree
    assert tree is not None
    assert len(tree[0]) == 2
    assert list(tree[0]) == sorted(tree[0])
    assert all(len(siblings) == 1 for siblings in tree[1:])
    assert record.initial.declared_algorithm == "sha512"
    assert record.digest_algorithms == ("sha512",)


def test_algorithms_are_listed_once_in_order_of_first_use() -> None:
    """Every algorithm that a chain uses is listed, none twice."""
    story = Story([b"a"]).stamp("sha256").renew_time_stamp().renew_hash_tree("sha512").renew_time_stamp()
    assert story.record().digest_algorithms == ("sha256", "sha512")


def test_the_record_itself_keeps_basis_ers() -> None:
    """What the profile finds in these records concerns the small token, never the record around it."""
    found = {finding.code for finding in assess_basis_ers(Story([b"a"]).stamp(others=3).renew_time_stamp().record())}
    assert found == {"BASIS_VALIDATION_DATA", "BASIS_SIGNED_ATTRIBUTES"}


def test_a_prefix_keeps_its_octets() -> None:
    """Chains of somebody else's record go in and come out unchanged."""
    foreign = Story([b"a"]).stamp("sha256", others=4).renew_time_stamp()
    continued = Story([b"a"], prefix=foreign.record(), now=foreign.now).renew_hash_tree("sha512").record()
    assert [chain.raw for chain in continued.chains[:1]] == [chain.raw for chain in foreign.record().chains]
    assert continued.digest_algorithms == ("sha256", "sha512")


def test_a_token_with_an_unsorted_set_keeps_its_octets() -> None:
    """Re-encoding would sort the SET OF algorithms; slicing does not."""
    stamp = Story([b"a"]).stamp().chains[0][0]
    one = bytes.fromhex("300d06096086480165030402010500")
    unsorted = b"\x31\x1c" + one + bytes.fromhex("300b0609608648016503040203")
    token = with_longer_content(stamp.token, b"\x31\x0f" + one, unsorted)
    record = derive_record([[dataclasses.replace(stamp, token=token)]])
    assert token in record
    assert parse_record(record).initial.token == token
    loaded = ers.EvidenceRecord.load(record)
    assert loaded.native
    assert loaded.dump(force=True) != record


def test_digest_algorithms_are_written_without_parameters() -> None:
    """RFC 5754 2, RFC 8702 2: absent, not NULL, in the record and in every stamp."""
    record = ers.EvidenceRecord.load(Story([b"a"]).stamp("sha3-512").der())
    stated = record["archive_time_stamp_sequence"][0][0]["digest_algorithm"]
    for identifier in (record["digest_algorithms"][0], stated):
        assert identifier.dump()[2:] == bytes.fromhex("060960864801650304020a") == identifier["algorithm"].dump()


def with_longer_content(token: bytes, old: bytes, new: bytes) -> bytes:
    """The token with its first `old` replaced and the lengths of the three outer headers mended."""
    assert token.count(old) >= 1
    offset, grown = token.index(old), bytearray(token)
    for at in (0, 15, 19):
        assert grown[at + 1] == 0x82
        length = int.from_bytes(grown[at + 2 : at + 4]) + len(new) - len(old)
        grown[at + 2 : at + 4] = length.to_bytes(2)
    return bytes(grown[:offset] + new + grown[offset + len(old) :])


def test_a_tree_that_does_not_meet_its_token_is_not_handed_out() -> None:
    """4.2(5): root and imprint differ in value or algorithm."""
    stamp = Story([b"a"]).stamp(others=3).chains[0][0]
    for broken in (
        dataclasses.replace(stamp, siblings=stamp.siblings[:-1]),
        dataclasses.replace(stamp, siblings=(stamp.siblings[0], bytes(64))),
        dataclasses.replace(stamp, first_list=(bytes(64),)),
        dataclasses.replace(stamp, token=Story([b"b"]).stamp().chains[0][0].token),
        dataclasses.replace(stamp, token=stamp.token[:-1]),
        dataclasses.replace(stamp, token=b""),
    ):
        with pytest.raises(EvidenceBrokenError):
            derive_record([[broken]])


def test_what_the_reader_would_refuse_is_not_written() -> None:
    """Unknown versions, no chains, empty chains, mixed algorithms, repeated digests, too much of anything."""
    story = Story([b"a"]).stamp()
    stamp = story.chains[0][0]
    other = Story([b"a"]).stamp("sha384").chains[0][0]
    repeated = dataclasses.replace(stamp, first_list=stamp.first_list * 2)
    refused: list[list[list[StampInput]]] = [[], [[]], [[stamp], []], [[stamp, other]], [[repeated]]]
    for chains in (*refused, [[stamp]] * (MAX_CHAINS + 1)):
        with pytest.raises(ValueError, match=r"record|chain|group"):
            derive_record(chains)
    with pytest.raises(ValueError, match="chain"):
        derive_record([[stamp] * (MAX_STAMPS + 1)])
    with pytest.raises(ValueError, match="larger"):
        derive_record([[dataclasses.replace(stamp, siblings=(bytes(64),) * 64)]])
    for version in (0, DERIVATION_VERSION + 1):
        with pytest.raises(ValueError, match="version"):
            derive_record(story.chains, version=version)


def test_deriving_one_record_takes_milliseconds() -> None:
    """A batch of a million groups of four, one record of it: well under ten milliseconds each."""
    story = Story([b"a", b"b", b"c", b"d"]).stamp()
    stamp = story.chains[0][0]
    siblings = tuple(bytes([n]) * 64 for n in range(20))
    tree = (stamp.first_list, *((sibling,) for sibling in siblings))
    token = story.tsa.stamp("sha512", reduced_root("sha512", tree), story.now)
    chains = [[StampInput("sha512", stamp.first_list, siblings, token)]]
    started = time.process_time()
    for _ in range(50):
        derive_record(chains)
    assert (time.process_time() - started) / 50 < 0.010
    report = story.assess(derive_record(chains), data=[DataObject.of_bytes("b", b"b")])
    assert report.verdict is Verdict.PASSED
