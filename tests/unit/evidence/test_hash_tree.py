"""RFC 4998 4.2: sorting, groups, trees, reduced trees, and their limits."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_core.digests import hash_bytes
from archive_core.errors import MalformedEvidenceError
from archive_core.evidence import hash_tree
from archive_core.evidence.hash_tree import HashTree, combine, group_leaf, reduced_root, renewed_hash
from tests.vectors import suite

digests = st.binary(min_size=64, max_size=64)


def compare_octets(left: bytes, right: bytes) -> int:
    """An independent comparator: most significant octet first, unsigned, full length."""
    for a, b in zip(left, right, strict=True):
        if a != b:
            return a - b
    return 0


@given(st.lists(digests, min_size=2, max_size=9))
def test_sorting_is_unsigned_and_full_length(values: list[bytes]) -> None:
    """4.2(3): an independent comparator gives the same order, and so the same node."""
    ordered = sorted(values, key=functools.cmp_to_key(compare_octets))
    assert combine("sha512", values) == hash_bytes("sha512", *ordered)


@pytest.mark.parametrize(("low", "high"), [(b"\x00", b"\x01"), (b"\x7f", b"\x80"), (b"\x00\xff", b"\x01\x00")])
def test_leading_zeros_and_high_bits_sort_as_octets(low: bytes, high: bytes) -> None:
    """A signed or a stripped comparison would turn these pairs around."""
    first, second = low.ljust(64, b"\0"), high.ljust(64, b"\0")
    assert combine("sha512", (second, first)) == hash_bytes("sha512", first, second)


def test_a_group_of_one_is_its_member() -> None:
    """4.2(2): a single document's hash is not hashed again."""
    member = hash_bytes("sha512", b"one")
    assert group_leaf("sha512", [member]) == member


def test_a_group_of_three_is_the_hash_of_its_sorted_members() -> None:
    """4.2(2), figure 3: sort, concatenate, hash, whatever the order given."""
    members = [hash_bytes("sha512", bytes([n])) for n in range(3)]
    assert group_leaf("sha512", members) == hash_bytes("sha512", *sorted(members))
    assert group_leaf("sha512", members) == group_leaf("sha512", members[::-1])


def test_a_group_does_not_take_a_digest_twice() -> None:
    """A data group is a set; a repeated digest is the caller's mistake and is not silently dropped."""
    member = hash_bytes("sha512", b"one")
    with pytest.raises(ValueError, match="once"):
        group_leaf("sha512", [member, member])


@pytest.mark.parametrize("values", [[], [b"short"], [b"x" * 64, b"y" * 63], [b"x" * 65]])
def test_nothing_and_wrong_lengths_do_not_enter_a_tree(values: list[bytes]) -> None:
    """Without domain separation the length is what keeps a node from being taken for something else."""
    for refuse in (lambda: combine("sha512", values), lambda: HashTree.build("sha512", values)):
        with pytest.raises(ValueError, match=r"digest|combine|leaf"):
            refuse()


@given(st.integers(1, 70), st.data())
def test_every_leaf_has_a_path_to_the_root(count: int, data: st.DataObject) -> None:
    """Any leaf count: leaf and siblings, one a list, lead to the root."""
    tree = HashTree.build("sha512", [hash_bytes("sha512", bytes([n])) for n in range(count)])
    index = data.draw(st.integers(0, count - 1))
    lists = [[tree.leaf(index)], *([sibling] for sibling in tree.path(index))]
    assert reduced_root("sha512", lists) == tree.root
    assert len(lists) - 1 <= max(count - 1, 0).bit_length()


@pytest.mark.parametrize("count", range(1, 34))
def test_a_lone_last_node_is_carried_up(count: int) -> None:
    """The root equals that of a recursive definition written differently."""
    leaves = [hash_bytes("sha512", bytes([n])) for n in range(count)]
    assert HashTree.build("sha512", leaves).root == recursive_root(leaves)


def recursive_root(leaves: Sequence[bytes]) -> bytes:
    """The root as the largest complete left part and the rest, combined."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hash_bytes("sha512", *sorted((recursive_root(leaves[:split]), recursive_root(leaves[split:]))))


@pytest.mark.parametrize("index", [-1, 3, 10**9])
def test_there_is_no_leaf_outside_the_tree(index: int) -> None:
    """A negative index must not silently mean the last leaf."""
    tree = HashTree.build("sha512", [hash_bytes("sha512", bytes([n])) for n in range(3)])
    for ask in (tree.path, tree.leaf):
        with pytest.raises(IndexError):
            ask(index)


@given(st.integers(1, 40))
def test_a_stored_tree_is_read_back(count: int) -> None:
    """All levels, leaf level first, and the same root, paths and octets again."""
    tree = HashTree.build("sha384", [hash_bytes("sha384", bytes([n])) for n in range(count)])
    again = HashTree.from_bytes("sha384", count, tree.to_bytes())
    again.verify()
    assert (again.root, again.path(count - 1), again.to_bytes()) == (tree.root, tree.path(count - 1), tree.to_bytes())


@pytest.mark.parametrize(("count", "change"), [(5, -1), (5, 1), (5, 64), (4, 0), (6, 0), (0, 0), (-1, 0)])
def test_a_stored_tree_of_another_length_is_refused(count: int, change: int) -> None:
    """Five leaves are written; another count or length is not their tree."""
    data = HashTree.build("sha512", [hash_bytes("sha512", bytes([n])) for n in range(5)]).to_bytes()
    data = data[:change] if change < 0 else data + b"\0" * change
    with pytest.raises(MalformedEvidenceError):
        HashTree.from_bytes("sha512", count, data)


@given(st.integers(0, 5 * 64 + 3 * 64 + 2 * 64 + 64 - 1))
def test_verify_finds_a_flipped_byte_of_a_stored_tree(offset: int) -> None:
    """Leaf, node or root: computing again shows the damage."""
    data = bytearray(HashTree.build("sha512", [hash_bytes("sha512", bytes([n])) for n in range(5)]).to_bytes())
    data[offset] ^= 0x40
    with pytest.raises(MalformedEvidenceError, match="level"):
        HashTree.from_bytes("sha512", 5, bytes(data)).verify()


def test_an_n_ary_reduced_tree_is_computed() -> None:
    """Lists of [2, 3, 1] as others write them: each list is combined with the one node below it."""
    a, b, c, d, e, f = (hash_bytes("sha256", bytes([n])) for n in range(6))
    below = hash_bytes("sha256", *sorted((a, b)))
    middle = hash_bytes("sha256", *sorted((below, c, d, e)))
    assert reduced_root("sha256", [[b, a], [e, d, c], [f]]) == hash_bytes("sha256", *sorted((middle, f)))


@pytest.mark.parametrize("lists", [[], [[]], [[b"x" * 64], []]])
def test_an_empty_reduced_tree_has_no_root(lists: list[list[bytes]]) -> None:
    """There is nothing to compute from an empty list."""
    with pytest.raises(ValueError, match=r"list|combine"):
        reduced_root("sha512", lists)


def test_renewal_hashes_document_before_sequence() -> None:
    """5.2(4): H(h || ha) in this order; sorting is another value when h is the larger."""
    h, ha = b"\xff" * 64, b"\x00" * 64
    assert renewed_hash("sha512", h, ha) == hash_bytes("sha512", h, ha)
    assert renewed_hash("sha512", h, ha, in_order=True) == hash_bytes("sha512", ha, h)


def test_reduced_trees_have_the_shape_of_bouncy_castle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over sorted leaves, with hashing replaced by concatenation as in the vector, all nine paths agree."""
    vectors = json.loads((suite("bc-ers") / "files/inline/reduced-hash-trees.json").read_text())
    assert vectors
    monkeypatch.setattr(hash_tree, "digest_size", lambda _: 9)
    monkeypatch.setattr(hash_tree, "new_hasher", lambda _: Concatenation(b""))
    for vector in vectors:
        objects = sorted(vector["data_objects"])
        tree = HashTree.build("concatenation", [bytes([n]).ljust(9, b"\0") for n in objects])
        assert len(vector["reduced_hash_trees"]) == len(vector["data_objects"]) > 1
        for number, expected in zip(vector["data_objects"], vector["reduced_hash_trees"], strict=True):
            index = objects.index(number)
            shown = [value.rstrip(b"\0").hex() for value in (tree.leaf(index), *tree.path(index))]
            assert shown == expected


class Concatenation:
    """A hash function that only removes zeros and pads, so that a node shows what is in it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def copy(self) -> Concatenation:
        return Concatenation(self.data)

    def update(self, data: bytes) -> None:
        self.data += data

    def digest(self) -> bytes:
        return self.data.replace(b"\0", b"").ljust(9, b"\0")


@pytest.mark.slow
def test_a_million_leaves_take_less_than_two_seconds() -> None:
    """Processor time, because other work on the machine is not ours to measure."""
    leaves = [number.to_bytes(64) for number in range(1_000_000)]
    started = time.process_time()
    tree = HashTree.build("sha512", leaves)
    elapsed = time.process_time() - started
    assert len(tree.path(123_456)) == 20
    assert elapsed < 2.0
