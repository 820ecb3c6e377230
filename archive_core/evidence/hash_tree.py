"""Hash trees of RFC 4998 4.2: built once per batch, reduced per object, rooted again on reading.

Rules kept here
 * Sorting is unsigned, byte by byte, over the full length (4.2(3)): the order of `bytes`.
 * A group of one is its member's hash; only two or more are concatenated and hashed (4.2, 4.3(3)).
 * The tree is binary and keeps the order of its leaves; a lone last node is carried up unchanged,
   so there are no filler hashes to keep.
 * RFC 4998 has no domain separation between leaf and inner node: every value that enters a tree has
   exactly the length of the algorithm's digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archive_core.digests import digest_size, hash_bytes, new_hasher
from archive_core.errors import MalformedEvidenceError


def combine(algorithm: str, values: Iterable[bytes]) -> bytes:
    """One node over hash values: sorted, concatenated, hashed (4.2); a lone value is itself.

    Raises ValueError for no value, or for one that is not as long as a digest.
    """
    ordered = _checked(algorithm, values)
    return ordered[0] if len(ordered) == 1 else hash_bytes(algorithm, *ordered)


def group_leaf(algorithm: str, members: Iterable[bytes]) -> bytes:
    """The leaf of a data group (4.2(2)): its members' digests as a set, which must not be empty.

    A data group is the *set* of its documents' digests; a digest given twice raises ValueError, so
    that what is a set stays visible to the caller.
    """
    listed = list(members)
    if len(set(listed)) != len(listed):
        raise ValueError("a data group holds each digest once")
    return combine(algorithm, listed)


def reduced_root(algorithm: str, lists: Sequence[Sequence[bytes]], *, lone_hashed_again: bool = False) -> bytes:
    """The root over a reduced hash tree (4.3(3)): each list is combined with the node below it.

    `lone_hashed_again` computes the variant, met in the field, that hashes the single value of a
    first list once more. Raises ValueError for an empty tree, an empty list or a wrong length.
    """
    if not lists:
        raise ValueError("a reduced hash tree needs a list")
    node = combine(algorithm, lists[0])
    if lone_hashed_again and len(lists[0]) == 1:
        node = hash_bytes(algorithm, node)
    for siblings in lists[1:]:
        if not siblings:
            raise ValueError("a list of a reduced hash tree is empty")
        node = combine(algorithm, (node, *siblings))
    return node


def renewed_hash(algorithm: str, document_hash: bytes, sequence_hash: bytes, *, in_order: bool = False) -> bytes:
    """`h' = H(h || ha)` of hash-tree renewal (5.2(4)), in this order as the prose has it.

    `in_order` sorts the two first, as figure 4 says and a few products do: read, never written.
    """
    pair = (document_hash, sequence_hash)
    return hash_bytes(algorithm, *(sorted(pair) if in_order else pair))


class HashTree:
    """All levels of one binary tree, leaf level first, as one row of digests a level."""

    def __init__(self, algorithm: str, levels: Sequence[bytes]) -> None:
        """For `build` and `from_bytes`; `levels` must be complete and consistent."""
        self.algorithm = algorithm
        self._size = digest_size(algorithm)
        self._levels = tuple(levels)

    @classmethod
    def build(cls, algorithm: str, leaves: Iterable[bytes]) -> HashTree:
        """The tree over leaves in the order given. Raises ValueError for none, or a wrong length."""
        size = digest_size(algorithm)
        listed = list(leaves)
        if not listed:
            raise ValueError("a hash tree needs a leaf")
        if any(len(leaf) != size for leaf in listed):
            raise ValueError(f"every leaf must be a {algorithm} digest of {size} bytes")
        levels, row = [b"".join(listed)], listed
        while len(row) > 1:
            row = _next_row(algorithm, row)
            levels.append(b"".join(row))
        return cls(algorithm, levels)

    @property
    def root(self) -> bytes:
        return self._levels[-1]

    @property
    def leaf_count(self) -> int:
        return len(self._levels[0]) // self._size

    def leaf(self, index: int) -> bytes:
        """Leaf number `index`, from 0. Raises IndexError beyond the last."""
        self._check_index(index)
        return self._node(0, index)

    def path(self, index: int) -> tuple[bytes, ...]:
        """The siblings on the way from leaf `index` to the root, bottom-up: the later lists of its
        reduced hash tree (4.2, second part). A level at which the node is carried up has none."""
        self._check_index(index)
        siblings = []
        for level in self._levels[:-1]:
            start = (index ^ 1) * self._size
            if start < len(level):
                siblings.append(level[start : start + self._size])
            index >>= 1
        return tuple(siblings)

    def to_bytes(self) -> bytes:
        """All levels concatenated, leaf level first; read again by `from_bytes`."""
        return b"".join(self._levels)

    @classmethod
    def from_bytes(cls, algorithm: str, leaf_count: int, data: bytes) -> HashTree:
        """What `to_bytes` wrote. Only lengths are checked, which is quick: call `verify` to compute
        every node again. Raises MalformedEvidenceError when the length is not that of such a tree."""
        size = digest_size(algorithm)
        counts = [leaf_count]
        while counts[-1] > 1:
            counts.append((counts[-1] + 1) // 2)
        if leaf_count < 1 or len(data) != size * sum(counts):
            raise MalformedEvidenceError(f"not the hash tree of {leaf_count} {algorithm} leaves: {len(data)} bytes")
        levels, offset = [], 0
        for count in counts:
            levels.append(data[offset : offset + count * size])
            offset += count * size
        return cls(algorithm, levels)

    def verify(self) -> None:
        """Compute every node again from the leaves; raises MalformedEvidenceError at a difference."""
        row = [self._node(0, index) for index in range(self.leaf_count)]
        for height, level in enumerate(self._levels[1:], start=1):
            row = _next_row(self.algorithm, row)
            if b"".join(row) != level:
                raise MalformedEvidenceError(f"the hash tree is damaged at level {height}")

    def _node(self, height: int, index: int) -> bytes:
        return self._levels[height][index * self._size : (index + 1) * self._size]

    def _check_index(self, index: int) -> None:
        if not 0 <= index < self.leaf_count:
            raise IndexError(f"there is no leaf {index} among {self.leaf_count}")


def _next_row(algorithm: str, row: Sequence[bytes]) -> list[bytes]:
    """The parents of a row, the lone last node carried up; the hot loop of a batch."""
    fresh = new_hasher(algorithm).copy
    above: list[bytes] = []
    append = above.append
    for left, right in zip(row[::2], row[1::2], strict=False):
        hasher = fresh()
        hasher.update(left + right if left < right else right + left)
        append(hasher.digest())
    if len(row) % 2:
        above.append(row[-1])
    return above


def _checked(algorithm: str, values: Iterable[bytes]) -> list[bytes]:
    size = digest_size(algorithm)
    ordered = sorted(values)
    if not ordered:
        raise ValueError("nothing to combine")
    for value in ordered:
        if len(value) != size:
            raise ValueError(f"a {algorithm} digest has {size} bytes, not {len(value)}")
    return ordered
