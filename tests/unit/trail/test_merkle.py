"""The log's heads and proofs are those of RFC 9162 2.1, computed here a second time from its text."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_core.errors import EvidenceBrokenError
from archive_core.trail.merkle import (
    EMPTY_HEAD,
    Frontier,
    Log,
    consistency_proof,
    head,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)

SIZE = 33
ENTRIES = [b"entry %d" % number for number in range(SIZE)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
HEADS = [head(LEAVES[:size]) for size in range(SIZE + 1)]


def mth(entries: Sequence[bytes]) -> bytes:
    """RFC 9162 2.1.1, word for word, with SHA-512."""
    if not entries:
        return hashlib.sha512(b"").digest()
    if len(entries) == 1:
        return hashlib.sha512(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha512(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def test_heads_are_those_of_the_standard() -> None:
    """By appending, at once, and from a log in memory, for every size."""
    log, frontier = Log(LEAVES), Frontier()
    assert head([]) == EMPTY_HEAD
    for size in range(SIZE + 1):
        assert HEADS[size] == mth(ENTRIES[:size]) == frontier.head == log.head(size)
        assert frontier.size == size
        if size < SIZE:
            frontier = frontier.appended(LEAVES[size])


def test_every_entry_is_proven_in_every_log_that_holds_it() -> None:
    """All indexes of all sizes."""
    log = Log(LEAVES)
    for size in range(1, SIZE + 1):
        for index in range(size):
            verify_inclusion(LEAVES[index], index, size, log.inclusion_proof(index, size), HEADS[size])


def test_every_log_is_proven_to_begin_with_every_earlier_one() -> None:
    """All pairs of sizes, the empty log and the same size among them."""
    log = Log(LEAVES)
    for size in range(SIZE + 1):
        verify_consistency(0, size, (), EMPTY_HEAD, HEADS[size])
        for old in range(1, size + 1):
            verify_consistency(old, size, log.consistency_proof(old, size), HEADS[old], HEADS[size])


def test_one_inclusion_proof_proves_nothing_else() -> None:
    """Another entry, place, size, head, a changed, missing, additional or swapped node: refused."""
    proof = inclusion_proof(LEAVES, 11)
    good = (LEAVES[11], 11, SIZE, proof, HEADS[SIZE])
    verify_inclusion(*good)
    refused: list[tuple[bytes, int, int, Sequence[bytes], bytes]] = [
        (LEAVES[10], 11, SIZE, proof, HEADS[SIZE]),
        (leaf_hash(LEAVES[11]), 11, SIZE, proof, HEADS[SIZE]),
        (LEAVES[11][:-1], 11, SIZE, proof, HEADS[SIZE]),
        (LEAVES[11], 11, SIZE, proof, HEADS[SIZE - 1]),
        (LEAVES[11], 11, SIZE, proof[:-1], HEADS[SIZE]),
        (LEAVES[11], 11, SIZE, (*proof, proof[0]), HEADS[SIZE]),
        (LEAVES[11], 11, SIZE, (proof[1], proof[0], *proof[2:]), HEADS[SIZE]),
        (LEAVES[11], 11, SIZE, (proof[0][:-1], *proof[1:]), HEADS[SIZE]),
        (LEAVES[11], 11, SIZE, (proof[0],) * 200, HEADS[SIZE]),
        (LEAVES[11], -1, SIZE, proof, HEADS[SIZE]),
        (LEAVES[11], SIZE, SIZE, proof, HEADS[SIZE]),
        (LEAVES[11], 0, 0, (), EMPTY_HEAD),
    ]
    refused += [(LEAVES[11], index, SIZE, proof, HEADS[SIZE]) for index in range(SIZE) if index != 11]
    refused += [
        (LEAVES[11], 11, SIZE, [node if n != at else bytes([node[0] ^ 1]) + node[1:] for n, node in enumerate(proof)],
         HEADS[SIZE]) for at in range(len(proof))
    ]  # fmt: skip
    for arguments in refused:
        with pytest.raises(EvidenceBrokenError):
            verify_inclusion(*arguments)


@given(st.integers(1, SIZE), st.integers(1, SIZE), st.data())
def test_a_consistency_proof_for_a_rewritten_log_is_refused(first: int, second: int, data: st.DataObject) -> None:
    """When an entry of the old log is another in the new one, no honest proof of the new one fits."""
    old, size = sorted((first, second))
    rewritten = list(LEAVES[:size])
    rewritten[data.draw(st.integers(0, old - 1))] = leaf_hash(b"rewritten")
    with pytest.raises(EvidenceBrokenError):
        verify_consistency(old, size, consistency_proof(rewritten, old), HEADS[old], head(rewritten))


@pytest.mark.parametrize(("old", "size"), [(1, 2), (3, 7), (4, 7), (8, 33), (21, 33), (32, 33)])
def test_a_damaged_consistency_proof_is_refused(old: int, size: int) -> None:
    """A changed, missing or additional node, swapped heads, or sizes the wrong way round."""
    proof = consistency_proof(LEAVES[:size], old)
    verify_consistency(old, size, proof, HEADS[old], HEADS[size])
    for at in range(len(proof)):
        wrong = list(proof)
        wrong[at] = bytes([wrong[at][0] ^ 1]) + wrong[at][1:]
        with pytest.raises(EvidenceBrokenError):
            verify_consistency(old, size, wrong, HEADS[old], HEADS[size])
    for bad in (proof[:-1], (*proof, proof[0]), ()):
        with pytest.raises(EvidenceBrokenError):
            verify_consistency(old, size, bad, HEADS[old], HEADS[size])
    with pytest.raises(EvidenceBrokenError):
        verify_consistency(old, size, proof, HEADS[size], HEADS[old])
    with pytest.raises(EvidenceBrokenError):
        verify_consistency(size, old, proof, HEADS[size], HEADS[old])


def test_logs_of_the_same_size_have_one_head() -> None:
    """An empty proof between equal sizes holds for equal heads only; the empty log has its own head."""
    for old, size, one, other in [(5, 5, HEADS[5], HEADS[6]), (0, 5, HEADS[1], HEADS[5])]:
        with pytest.raises(EvidenceBrokenError):
            verify_consistency(old, size, (), one, other)


@pytest.mark.parametrize(("size", "count"), [(1, 0), (3, 1), (4, 2), (0, 1), (-1, 0)])
def test_a_frontier_that_does_not_fit_its_size_is_refused(size: int, count: int) -> None:
    """There is one node for each bit of the size."""
    with pytest.raises(ValueError, match="frontier nodes"):
        Frontier(size, tuple(LEAVES[:count]))


def test_what_is_outside_of_the_log_cannot_be_proven() -> None:
    """Proofs are asked for within the log only."""
    log = Log(LEAVES)
    for index, size in [(-1, 5), (5, 5), (0, 0), (0, SIZE + 1)]:
        with pytest.raises(ValueError, match="log|entry"):  # noqa: RUF043 - an alternative is meant
            log.inclusion_proof(index, size)
    for old, size in [(0, 5), (6, 5), (1, SIZE + 1)]:
        with pytest.raises(ValueError, match="log|proof"):  # noqa: RUF043 - an alternative is meant
            log.consistency_proof(old, size)
    with pytest.raises(ValueError, match="leaf hash"):
        log.append(b"short")
