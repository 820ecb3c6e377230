"""How large a record grows: with each renewal by one time-stamp and one path, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive_core.digests import digest_size
from archive_core.evidence.hash_tree import HashTree
from archive_core.evidence.record import ArchiveTimeStamp, EvidenceRecord, parse_record
from tests.renewal_world import RenewalWorld, good
from tests.world import OPERATOR

BATCHES = 5
MOVES = {4: "sha3-512", 8: "sha384", 12: "sha3-384"}
"""Which of the twelve renewals are hash-tree renewals, and to which digest."""

FRAME = 40
"""Octets around a stamp: its own header, its digest algorithm, the headers of tree, chain and record that grow."""


def _record(world: RenewalWorld, poid: str) -> EvidenceRecord:
    (file,) = world.archive.evidence(poid, actor=OPERATOR)
    return parse_record(file.der)


def _bound(stamp: ArchiveTimeStamp) -> int:
    """A token and its path: for each value its octets, an OCTET STRING's header and, in a list of its own, another."""
    values = [value for siblings in stamp.reduced_hash_tree or () for value in siblings]
    assert {len(value) for value in values} == {digest_size(stamp.digest_algorithm)}
    return len(stamp.token) + len(values) * (digest_size(stamp.digest_algorithm) + 4) + FRAME


@pytest.mark.slow
@pytest.mark.parametrize(("key", "most"), [("p384", 3_000), ("mldsa65", 20_000)])
def test_a_record_grows_by_one_token_and_one_path_at_each_renewal(tmp_path: Path, key: str, most: int) -> None:
    """k = 0 … 12, of both kinds, stamped by elliptic curves and by ML-DSA: at each k within the bound, and the token
    makes up nearly all of it (`docs/reference/renewed-evidence.md` has the table)."""
    world = RenewalWorld(tmp_path, years=8, key=key, root_key=key)
    poids = []
    for number in range(BATCHES):
        poids.append(world.deposit({"a.txt": b"%d" % number, "b.txt": b"same"}).poid)
        world.preserve()
    record = _record(world, poids[2])
    sizes = [len(record.raw)]
    assert len(record.raw) <= _bound(record.initial) + FRAME
    for k in range(1, 13):
        world.clock.advance(days=150)
        good(world.rehash(MOVES[k]) if k in MOVES else world.renew())
        record = _record(world, poids[2])
        grown = len(record.raw) - sizes[-1]
        assert len(record.stamps) == k + 1
        assert len(record.chains) == 1 + sum(move <= k for move in MOVES)
        assert 0 < grown <= _bound(record.last)
        assert len(record.last.token) <= most
        sizes.append(len(record.raw))
    assert len(sizes) == 13
    world.archive.close()


def test_the_path_over_a_hundred_thousand_batches_is_seventeen_values() -> None:
    """So a renewal of that many batches adds at most 1,300 octets of path to a record."""
    tree = HashTree.build("sha512", [number.to_bytes(64) for number in range(100_000)])
    longest = max(len(tree.path(number)) for number in range(0, 100_000, 997))
    assert longest == 17
    assert (1 + longest) * (digest_size("sha512") + 4) + FRAME <= 1_300
