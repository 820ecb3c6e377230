"""The renewed records of others, taken apart and put together again by our own derivation.

What goes in of a public record are its hash values, its tokens and (where it has chains before) their octets. What must
come out:

* every link: H(token before) for a time-stamp renewal; H(h ‖ ha) in this order for a hash-tree renewal, `ha` over the
  chains before; and what each tree reduces to, which is the imprint of its token;
* where a record has the shape that we write (a group, then one sibling a list), the very octets of the record. Others
  write NULL as parameters of digest algorithms and do not sort a first list; both is legal, and taken away by another
  library before octets are compared.

Every record of the four suites is accounted for below; one that is not, or that comes out otherwise, fails.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from pyasn1.codec.der.decoder import decode
from pyasn1.codec.der.encoder import encode
from pyasn1_alt_modules import rfc4998, rfc5280

from archive_core.digests import hash_bytes
from archive_core.errors import EvidenceBrokenError, MalformedEvidenceError
from archive_core.evidence import der
from archive_core.evidence.derivation import StampInput, derive_record
from archive_core.evidence.hash_tree import reduced_root, renewed_hash
from archive_core.evidence.loading import load_record
from archive_core.evidence.record import ArchiveTimeStamp, EvidenceRecord, parse_record
from archive_core.evidence.verification import DataObject
from tests.conformance.evidence_cases import SUITES, cases, file_objects
from tests.vectors import suite

SAME, WIDE, NO_TREE = "the same octets", "lists of several siblings", "stamps without a tree"
BROKEN, TWICE = "a tree that does not lead to its token", "the lone digest hashed once more"

ACCOUNT = {
    # renewed
    "ER_OK_SEQ.ers": WIDE,
    "testRenewal.ers": SAME,
    "xaip_ok_er_resigned.xml": SAME,
    "xaip_ok_resigned_and_rehashed.xml": SAME,
    "xaip_ok_single_protected_data_object_2xresigned.xml": SAME,
    "xaip_ok_single_protected_data_object_resigned_and_rehased_and_resigned.xml": SAME,
    "er-asn1-chain-renewal-invalid.ers": NO_TREE,
    "er-asn1-full-renewal-duplicated-data.ers": NO_TREE,
    "er-asn1-full-renewal-tst-renewal-chain-renewal.ers": NO_TREE,
    "er-asn1-full-renewal-tst-renewal.ers": NO_TREE,
    "1_1_Renew_Unsorted.er": NO_TREE,
    "1_2_Renew_Unsorted.er": NO_TREE,
    "LKSG_4.ers": SAME,
    # not renewed
    "ER_NOK_INIT.ers": BROKEN,
    "example.ers.b64": SAME,
    "ER_DOUBLE_HASHED_FOR_TXT_DATA.ers": TWICE,
    "xaip_ok_qualified.ers": SAME,
    "xaip_ok_qualified_dtrust.ers": SAME,
    "xaip_ok_sig_ok.ers.b64": WIDE,
    "lxaip_ok.ers.xml": SAME,
    "lxaip_ok_er_cred.xml": SAME,
    "xaip_ok_ers_multiple_credentials.xml": SAME,
    "ER_NOK_SHA224_DFN_XAIP_OK_SIG_OK.ers": BROKEN,
    "ER_NOK_SHA256_DGN_XAIP_OK_SIG_OK.ers": BROKEN,
    "ER_NOK_SHA384_DGN_XAIP_OK_SIG_OK.ers": BROKEN,
    "ER_OK_SHA256_DGN_XAIP_OK_SIG_OK.ers": SAME,
    "ER_OK_SHA3-384_OPENSSL_XAIP_OK_SIG_OK.ers": SAME,
    "ER_OK_SHA3-512_OPENSSL_XAIP_OK_SIG_OK.ers": SAME,
    "ER_OK_SHA384_DGN_XAIP_OK_SIG_OK.ers": SAME,
    "evidencerecord.ers": SAME,
    "er-asn1-on-tst.ers": SAME,
    "er-asn1-simple.ers": SAME,
}
"""What can be reproduced of each distinct record, and where not all of it, why."""

UNREADABLE = {"XAIP_NOK_ER.xml", "DLXAIP_NOK_ER.xml"}
"""Packages of which the record is not DER: both are vectors of what must be refused."""

WITHOUT_LINK = {"er-asn1-chain-renewal-invalid.ers"}
"""Renewed, and documented as invalid: its second chain does not cover its first."""


@dataclass(frozen=True)
class Public:
    """A record, and what is known of the data that it covers."""

    name: str
    record: EvidenceRecord
    data: tuple[DataObject, ...]


def _package_records(path: Path) -> list[bytes]:
    """The evidence records inside a package (XAIP)."""
    found = re.findall(rb"<(?:\w+:)?asn1EvidenceRecord[^>]*>([^<]+)<", path.read_bytes())
    return [base64.b64decode(text) for text in found]


@cache
def public() -> dict[str, Public]:
    """Every distinct record of the suites: those that stand alone, and those in packages."""
    found: dict[str, Public] = {}
    for name in SUITES:
        directory = suite(name)
        for case in cases(directory):
            record = load_record(case.record.read_bytes())[0]
            found.setdefault(sha256(record.raw).hexdigest(), Public(case.record.name, record, case.data))
        for path in sorted(directory.rglob("*.xml")):
            for octets in _package_records(path):
                try:
                    record = parse_record(octets)
                except MalformedEvidenceError:
                    assert path.name in UNREADABLE
                    continue
                digest = sha256(octets).hexdigest()
                if digest not in found:
                    data = tuple(file_objects(path)) if len(record.chains) > 1 else ()
                    found[digest] = Public(path.name, record, data)
    return {one.name: one for one in found.values()}


def inputs(stamp: ArchiveTimeStamp) -> StampInput:
    """What our derivation wants to know of a stamp; raises ValueError where it has another shape."""
    tree = stamp.reduced_hash_tree
    if tree is None:
        raise ValueError(NO_TREE)
    if any(len(siblings) != 1 for siblings in tree[1:]):
        raise ValueError(WIDE)
    return StampInput(stamp.digest_algorithm, tree[0], tuple(siblings[0] for siblings in tree[1:]), stamp.token)


def put_together(record: EvidenceRecord) -> bytes:
    return derive_record([[inputs(stamp) for stamp in chain.stamps] for chain in record.chains])


def without_liberties(raw: bytes) -> bytes:
    """The record as another library encodes it: digest algorithms named in each stamp, once at the top, without
    parameters, first lists in order."""
    record, rest = decode(raw, asn1Spec=rfc4998.EvidenceRecord())
    assert not rest
    for algorithm in record["digestAlgorithms"]:
        _named_alone(algorithm)
    for chain in record["archiveTimeStampSequence"]:
        for stamp in chain:
            if stamp["digestAlgorithm"].isValue:
                _named_alone(stamp["digestAlgorithm"])
            else:
                stamp["digestAlgorithm"]["algorithm"] = record["digestAlgorithms"][0]["algorithm"]
            first = stamp["reducedHashtree"][0]
            for place, value in enumerate(sorted(bytes(value) for value in first)):
                first[place] = value
    return bytes(encode(record))


def _named_alone(algorithm: rfc5280.AlgorithmIdentifier) -> None:
    name = algorithm["algorithm"]
    algorithm.clear()
    algorithm["algorithm"] = name


def test_every_record_is_accounted_for() -> None:
    """Nothing was left out in silence, and nothing new came in without being looked at."""
    assert set(public()) == set(ACCOUNT)
    renewed = [one for one in public().values() if len(one.record.stamps) > 1]
    assert len(renewed) == 13
    assert sum(len(one.record.chains) > 1 for one in renewed) == 11
    assert sum(ACCOUNT[one.name] == SAME for one in renewed) == 6
    assert sum(ACCOUNT[name] == SAME for name in ACCOUNT) == 19


@pytest.mark.parametrize("name", sorted(ACCOUNT))
def test_a_record_is_put_together_again(name: str) -> None:
    """Octet for octet, or for the reason that the account gives."""
    record = public()[name].record
    expected = ACCOUNT[name]
    if expected == SAME:
        assert put_together(record) == without_liberties(record.raw)
        return
    with pytest.raises((ValueError, EvidenceBrokenError), match=r"tree|siblings") as refused:
        put_together(record)
    if expected in (NO_TREE, WIDE):
        assert str(refused.value) == expected
    else:
        assert isinstance(refused.value, EvidenceBrokenError)


@pytest.mark.parametrize("name", sorted(ACCOUNT))
def test_each_tree_leads_to_its_token(name: str) -> None:
    """Of any shape, by our own reduction (RFC 4998 4.3); not of those that are broken."""
    for stamp in public()[name].record.stamps:
        tree, imprint = stamp.reduced_hash_tree, stamp.token_info.imprint
        if tree is None:
            continue  # then the imprint is the covered value itself: the links below say so
        meets = reduced_root(stamp.digest_algorithm, tree) == imprint
        assert meets is (ACCOUNT[name] not in (BROKEN, TWICE))
        if ACCOUNT[name] == TWICE:
            assert reduced_root(stamp.digest_algorithm, tree, lone_hashed_again=True) == imprint


def test_each_time_stamp_renewal_covers_the_whole_token_before() -> None:
    """5.2(1): the digest of the ContentInfo as it came; and one octet less of it is not what they covered."""
    links = 0
    for one in public().values():
        for chain in one.record.chains:
            for before, stamp in zip(chain.stamps, chain.stamps[1:], strict=False):
                assert hash_bytes(stamp.digest_algorithm, before.token) in stamp.first_list, one.name
                assert hash_bytes(stamp.digest_algorithm, before.token[:-1]) not in stamp.first_list
                links += 1
    assert links == 15


def test_each_hash_tree_renewal_covers_the_documents_and_all_chains_before() -> None:
    """5.2(2): H(h ‖ ha) in this order, `ha` over the octets of the chains before in one SEQUENCE; the other way round
    it is not what they covered."""
    links: dict[str, int] = {}
    for one in public().values():
        for number, chain in enumerate(one.record.chains):
            if number == 0:
                continue
            first = chain.stamps[0]
            digest, listed = first.digest_algorithm, set(first.first_list)
            before = hash_bytes(digest, one.record.sequence_before(number))
            renewed = {renewed_hash(digest, datum.digest(digest), before) for datum in one.data}
            turned = {hash_bytes(digest, before, datum.digest(digest)) for datum in one.data}
            assert bool(renewed & listed) is (one.name not in WITHOUT_LINK), one.name
            assert not turned & listed
            links[one.name] = links.get(one.name, 0) + 1
    assert sum(links.values()) == 13
    assert len(links) == 11


def test_a_chain_of_ours_follows_the_chains_of_others_as_they_are() -> None:
    """A record that is continued keeps the octets of its chains, and so `ha` is what others would compute: the last
    chain of each record, taken off and derived again upon the rest."""
    continued = 0
    for one in public().values():
        *earlier, last = one.record.chains
        if not earlier or ACCOUNT[one.name] != SAME:
            continue
        sequence = der.wrap(der.SEQUENCE, *(chain.raw for chain in earlier))
        _version, algorithms, *_rest = der.children(der.read_only_element(one.record.raw), most=5)
        first = next(der.children(algorithms, most=10))
        head = der.wrap(der.SEQUENCE, bytes.fromhex("020101"), der.wrap(der.SEQUENCE, first.raw), sequence)
        again = parse_record(derive_record([[inputs(stamp) for stamp in last.stamps]], prefix=parse_record(head)))
        assert again.sequence_before(len(earlier)) == one.record.sequence_before(len(earlier))
        assert [chain.raw for chain in again.chains[:-1]] == [chain.raw for chain in earlier]
        assert [stamp.token for stamp in again.stamps] == [stamp.token for stamp in one.record.stamps]
        assert again.digest_algorithms == one.record.digest_algorithms
        continued += 1
    assert continued == 4
