"""The append-only Merkle log of the trail: RFC 9162 2.1 with SHA-512.

Rules kept here
 * Leaf and inner node are told apart by a first byte (2.1.1): a leaf is H(0x00 ‖ entry), an inner
   node H(0x01 ‖ left ‖ right). The head of the empty log is H().
 * A log only grows. Its state between appends is a `Frontier`: the roots of the complete subtrees it
   splits into, largest first, at most one for each bit of the size.
 * Proofs are computed from leaf hashes and verified from nothing but their arguments.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archive_core.digests import digest_size, hash_bytes
from archive_core.errors import EvidenceBrokenError

ALGORITHM = "sha512"
HASH_SIZE = digest_size(ALGORITHM)
EMPTY_HEAD = hash_bytes(ALGORITHM)

MAX_PROOF = 128
"""Hashes of a proof that are looked at: enough for 2^63 entries (a consistency proof has at most
one more than twice the height on either side)."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one log entry (for the trail: one event's line without its line feed)."""
    return hash_bytes(ALGORITHM, b"\x00", entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    return hash_bytes(ALGORITHM, b"\x01", left, right)


def head(leaf_hashes: Sequence[bytes]) -> bytes:
    """MTH(D[n]) of RFC 9162 2.1.1 over hashes of entries."""
    return Frontier().extended(leaf_hashes).head


@dataclass(frozen=True, slots=True)
class Frontier:
    """What must be known of a log of `size` entries to append to it and to give its head.

    `nodes` are the roots of complete subtrees, largest (oldest entries) first: one for each bit
    that is set in `size`. Raises ValueError for any other number or length of nodes.
    """

    size: int = 0
    nodes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.nodes) != self.size.bit_count():
            raise ValueError(f"a log of {self.size} entries has not {len(self.nodes)} frontier nodes")
        if any(len(node) != HASH_SIZE for node in self.nodes):
            raise ValueError(f"a frontier node has {HASH_SIZE} bytes")

    def appended(self, leaf: bytes) -> Frontier:
        """The frontier after one more entry with this leaf hash."""
        return self.extended((leaf,))

    def extended(self, leaves: Iterable[bytes]) -> Frontier:
        """The frontier after more entries with these leaf hashes, in order."""
        size, nodes = self.size, list(self.nodes)
        for leaf in leaves:
            node, carry = leaf, size
            while carry & 1:
                node = node_hash(nodes.pop(), node)
                carry >>= 1
            nodes.append(node)
            size += 1
        return Frontier(size, tuple(nodes))

    @property
    def head(self) -> bytes:
        """The Merkle tree head: the subtrees' roots joined from the right."""
        if not self.nodes:
            return EMPTY_HEAD
        node = self.nodes[-1]
        for left in reversed(self.nodes[:-1]):
            node = node_hash(left, node)
        return node


class Log:
    """All complete subtrees of a log in memory (128 bytes an entry), for many proofs."""

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        for leaf in leaf_hashes:
            self.append(leaf)

    def append(self, leaf: bytes) -> None:
        """Add an entry by its leaf hash; raises ValueError for a wrong length."""
        if len(leaf) != HASH_SIZE:
            raise ValueError(f"a leaf hash has {HASH_SIZE} bytes")
        self._levels[0].append(leaf)
        height = 0
        while len(self._levels[height]) % 2 == 0:
            pair = self._levels[height][-2:]
            if height + 1 == len(self._levels):
                self._levels.append([])
            self._levels[height + 1].append(node_hash(pair[0], pair[1]))
            height += 1

    @property
    def size(self) -> int:
        return len(self._levels[0])

    def head(self, size: int | None = None) -> bytes:
        """The head that the log had when it had `size` entries (all, when None)."""
        size = self._checked(size)
        return self._subtree(0, size) if size else EMPTY_HEAD

    def inclusion_proof(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """PATH(index, D[size]) of RFC 9162 2.1.3.1; raises ValueError outside the log."""
        size = self._checked(size)
        if not 0 <= index < size:
            raise ValueError(f"there is no entry {index} among {size}")
        path, low, high = [], 0, size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._subtree(middle, high))
                high = middle
            else:
                path.append(self._subtree(low, middle))
                low = middle
        return tuple(reversed(path))

    def consistency_proof(self, old: int, size: int | None = None) -> tuple[bytes, ...]:
        """PROOF(old, D[size]) of RFC 9162 2.1.4.1; raises ValueError unless 0 < old <= size."""
        size = self._checked(size)
        if not 0 < old <= size:
            raise ValueError(f"no consistency proof from {old} to {size} entries")
        path, low, high, known = [], 0, size, True
        while old - low != high - low:
            middle = low + _split(high - low)
            if old <= middle:
                path.append(self._subtree(middle, high))
                high = middle
            else:
                path.append(self._subtree(low, middle))
                low, known = middle, False
        if not known:
            path.append(self._subtree(low, high))
        return tuple(reversed(path))

    def _checked(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise ValueError(f"the log has {self.size} entries, not {size}")
        return size

    def _subtree(self, low: int, high: int) -> bytes:
        """The head over entries [low, high); `low` is a multiple of the largest power in the range."""
        nodes = []
        while low < high:
            height = (high - low).bit_length() - 1
            nodes.append(self._levels[height][low >> height])
            low += 1 << height
        node = nodes.pop()
        while nodes:
            node = node_hash(nodes.pop(), node)
        return node


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int, size: int | None = None) -> tuple[bytes, ...]:
    """One inclusion proof (RFC 9162 2.1.3.1); use `Log` for many."""
    return Log(leaf_hashes).inclusion_proof(index, size)


def consistency_proof(leaf_hashes: Sequence[bytes], old: int, size: int | None = None) -> tuple[bytes, ...]:
    """One consistency proof (RFC 9162 2.1.4.1); use `Log` for many."""
    return Log(leaf_hashes).consistency_proof(old, size)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_head: bytes) -> None:
    """Raises `EvidenceBrokenError` unless the entry is number `index` (from 0) of the log of `size`
    entries with that head (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size or not _well_formed(proof) or len(leaf) != HASH_SIZE:
        raise EvidenceBrokenError("the inclusion proof is malformed", index=index, size=size)
    place, last, node = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise EvidenceBrokenError("the inclusion proof is too long", index=index, size=size)
        if place & 1 or place == last:
            node = node_hash(step, node)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, step)
        place, last = place >> 1, last >> 1
    if last or not hmac.compare_digest(node, expected_head):
        raise EvidenceBrokenError("the log with that head does not hold this entry there", index=index, size=size)


def verify_consistency(old: int, size: int, proof: Sequence[bytes], old_head: bytes, expected_head: bytes) -> None:
    """Raises `EvidenceBrokenError` unless the log of `size` entries begins with the log of `old`
    entries (RFC 9162 2.1.4.2). Every log begins with the empty one, whose proof is empty."""
    if not 0 <= old <= size or not _well_formed(proof):
        raise EvidenceBrokenError("the consistency proof is malformed", old=old, size=size)
    if old in (0, size):
        expected_old = EMPTY_HEAD if old == 0 else expected_head
        if proof or not hmac.compare_digest(old_head, expected_old):
            raise EvidenceBrokenError("the heads of the log contradict each other", old=old, size=size)
        return
    path = [old_head, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        raise EvidenceBrokenError("the consistency proof is empty", old=old, size=size)
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            raise EvidenceBrokenError("the consistency proof is too long", old=old, size=size)
        if place & 1 or place == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, step)
        place, last = place >> 1, last >> 1
    if last or not hmac.compare_digest(first, old_head) or not hmac.compare_digest(second, expected_head):
        raise EvidenceBrokenError("the later log does not begin with the earlier one", old=old, size=size)


def _split(count: int) -> int:
    """The largest power of two smaller than `count` (RFC 9162 2.1.1: k < n <= 2k)."""
    return 1 << ((count - 1).bit_length() - 1)


def _well_formed(proof: Sequence[bytes]) -> bool:
    return len(proof) <= MAX_PROOF and all(len(node) == HASH_SIZE for node in proof)
