"""What a hash-tree renewal computes of every data object: h' = H(h || ha), and the leaf over them (5.2(3), 5.2(4))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archive_core.batch_reading import StoredBatch
from archive_core.digests import hash_bytes
from archive_core.evidence.derivation import derive_sequence
from archive_core.evidence.hash_tree import group_leaf, renewed_hash
from archive_core.renewal.chains import Chains, LineEvidence
from archive_core.renewal.form import DroppedOut, GatheredMembers


class Gathering:
    """Leaves and members of a hash-tree renewal, data object by data object."""

    def __init__(self, digest: str) -> None:
        self._digest = digest
        self.members = GatheredMembers(digest)
        self.leaves: list[bytes] = []
        self.dropped: list[DroppedOut] = []

    def add(self, digests: Sequence[bytes], chains: Chains) -> None:
        before = hash_bytes(self._digest, derive_sequence(chains))
        group = sorted(renewed_hash(self._digest, digest, before) for digest in digests)
        self.members.add(group)
        self.leaves.append(group_leaf(self._digest, group))

    def drop(self, batch: int, leaf: int, why: str) -> None:
        self.members.add(())
        self.dropped.append(DroppedOut(batch, leaf, why))


def covered_chains(batch: StoredBatch, line: LineEvidence, leaf: int, initial: Sequence[bytes], final: bytes) -> Chains:
    """All chains of a data object so far, with the newest token as it is covered."""
    formed = batch.formed
    tree = formed.trees[line.line.line]
    is_seal = leaf == len(formed.members)
    siblings = (tree.root,) if is_seal else (*tree.path(leaf), formed.seal_leaf(line.line.digest))
    chains = line.chains(leaf, initial, siblings)
    chains[-1][-1] = replace(chains[-1][-1], token=final)
    return chains
