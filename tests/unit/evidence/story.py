"""The life of one object's evidence record: stamped, renewed, rehashed, each with other objects beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from archive_core.digests import hash_bytes
from archive_core.evidence.derivation import StampInput, derive_record
from archive_core.evidence.hash_tree import HashTree, group_leaf, renewed_hash
from archive_core.evidence.record import EvidenceRecord, parse_record
from archive_core.evidence.verification import DataObject, assess_record
from archive_core.findings import Report
from tests.unit.evidence.stamping import START, SmallPolicy, SmallTsa, SmallValidator

YEAR = timedelta(days=365)
LATER = START + 9 * YEAR
"""A time at which everything stamped in a story is still trusted."""


def filler(algorithm: str, number: int) -> bytes:
    """Some other object's leaf, always the same."""
    return hash_bytes(algorithm, b"another object", number.to_bytes(4))


@dataclass
class Story:
    """`documents` is the data group; chains grow with every call, one year apart."""

    documents: Sequence[bytes]
    tsa: SmallTsa = field(default_factory=SmallTsa)
    now: datetime = START
    chains: list[list[StampInput]] = field(default_factory=list)
    prefix: EvidenceRecord | None = None

    def stamp(self, algorithm: str = "sha512", *, others: int = 0, position: int = 0) -> Story:
        """The initial archive time-stamp: a batch with `others` objects, ours at `position`."""
        group = sorted({hash_bytes(algorithm, document) for document in self.documents})
        self.chains.append([self._stamped(algorithm, group, others, position)])
        return self

    def renew_time_stamp(self, *, others: int = 0, position: int = 0) -> Story:
        last = self.chains[-1][-1]
        covered = hash_bytes(last.digest_algorithm, last.token)
        self.chains[-1].append(self._stamped(last.digest_algorithm, [covered], others, position))
        return self

    def renew_hash_tree(self, algorithm: str, *, others: int = 0, position: int = 0, in_order: bool = False) -> Story:
        record = self.record()
        earlier = hash_bytes(algorithm, record.sequence_before(len(record.chains)))
        group = [
            renewed_hash(algorithm, hash_bytes(algorithm, document), earlier, in_order=in_order)
            for document in dict.fromkeys(self.documents)
        ]
        self.chains.append([self._stamped(algorithm, group, others, position)])
        return self

    def _stamped(self, algorithm: str, group: Sequence[bytes], others: int, position: int) -> StampInput:
        leaves = [filler(algorithm, number) for number in range(others)]
        leaves.insert(position, group_leaf(algorithm, group))
        tree = HashTree.build(algorithm, leaves)
        token = self.tsa.stamp(algorithm, tree.root, self.now)
        self.now += YEAR
        return StampInput(algorithm, tuple(group), tree.path(position), token)

    def handed_to(self, tsa: SmallTsa, documents: Sequence[bytes] | None = None) -> Story:
        """The same story so far, continued with another authority (and maybe said to be of other documents)."""
        chains = [list(chain) for chain in self.chains]
        return Story(self.documents if documents is None else documents, tsa, self.now, chains, self.prefix)

    def der(self) -> bytes:
        return derive_record(self.chains, prefix=self.prefix)

    def record(self) -> EvidenceRecord:
        """As it stands: the prefix alone while nothing continues it."""
        if self.prefix and not self.chains:
            return self.prefix
        return parse_record(self.der())

    def data(self) -> list[DataObject]:
        return [DataObject.of_bytes(f"document {n}", document) for n, document in enumerate(self.documents)]

    def assess(
        self,
        record: bytes | EvidenceRecord | None = None,
        *,
        data: Sequence[DataObject] | None = None,
        at: datetime = LATER,
        validator: SmallValidator | None = None,
        policy: SmallPolicy | None = None,
    ) -> Report:
        return assess_record(
            self.der() if record is None else record,
            self.data() if data is None else data,
            validator=validator or SmallValidator((self.tsa,)),
            algorithms=policy or SmallPolicy(),
            at=at,
        )


def sha512_hex(data: bytes) -> str:
    return hashlib.sha512(data).hexdigest()


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]
