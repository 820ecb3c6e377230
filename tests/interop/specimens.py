"""Evidence for the judges, made by the archive's own tree, derivation, seal and local test authorities.

The rules this module keeps:

* Batches have the shape that the archive writes: per line a binary tree over the groups, beside its root the group of
  statement and seal, and the stamped root over both. Nothing about trees or records is computed here a second time.
* A specimen carries all the data of its group, and whatever a stranger needs to judge it: CA and CRL.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archive_core.clock import SystemClock
from archive_core.digests import Digest, hash_bytes
from archive_core.evidence.derivation import StampInput, derive_record
from archive_core.evidence.hash_tree import HashTree, combine, group_leaf
from archive_core.evidence.record import parse_record
from signing.keys import load_key
from signing.local_trust import AUTHORITIES, LocalTrust, create_local_trust
from signing.seals import SoftwareSealer
from tests.interop import anatomy
from tests.interop.judges import Job


@dataclass(frozen=True)
class Specimen:
    """A record, the data of its group (name and bytes), and what its judges need."""

    name: str
    record: bytes
    data: tuple[tuple[str, bytes], ...]
    ca: bytes
    crls: tuple[bytes, ...]

    def job(self) -> Job:
        return self._job("", self.record, tuple(content for _name, content in self.data))

    def broken(self, turn: int = 0) -> list[Job]:
        """The same with one changed bit in: each datum; one value of the path (another with each `turn`); what the
        token says; the token's signature."""
        content = [data for _name, data in self.data]
        jobs = [
            self._job(f"changed: {name}", self.record, (*content[:i], anatomy.flipped(data), *content[i + 1 :]))
            for i, (name, data) in enumerate(self.data)
        ]
        records = anatomy.broken_records(self.record)
        path = [part for part in records if "path" in part and "list 1" not in part] or list(records)
        parts = [path[turn % len(path)], *(part for part in records if "token" in part)]
        unchanged = tuple(content)
        return jobs + [self._job(f"changed: {part}", records[part], unchanged) for part in parts]

    def _job(self, what: str, record: bytes, data: tuple[bytes, ...]) -> Job:
        return Job(f"{self.name} {what}".strip(), record, data, cas=(self.ca,), crls=self.crls)


class Issuer:
    """A fresh local test trust: CA, two time-stamp units, a seal key."""

    def __init__(self, directory: Path) -> None:
        now = datetime.now(UTC)
        self.trust: LocalTrust = create_local_trust(directory / "trust", at=now)
        key = load_key(self.trust.seal_key_address, certificates=self.trust.seal_certificate_file)
        self._sealer = SoftwareSealer(key, test_trust=True, validation_source=self.trust.seal_validation_data)
        self._authorities = [self.trust.authority(name, SystemClock()) for name in AUTHORITIES]

    def stamp(self, algorithm: str, root: bytes, authority: int = 0) -> bytes:
        """A token over a root, by one of the two units, later than the one before by their shared clock."""
        time.sleep(0.002)  # the units say milliseconds, and a renewal must be later than what it renews
        return self._authorities[authority].timestamp(Digest(algorithm, root)).der

    def seal(self, content: bytes) -> bytes:
        return self._sealer.seal(content, at=datetime.now(UTC)).der

    def specimen(self, name: str, record: bytes, data: Sequence[tuple[str, bytes]]) -> Specimen:
        return Specimen(name, record, tuple(data), self.trust.anchor, (self.trust.crl(datetime.now(UTC)),))


Group = Sequence[tuple[str, bytes]]


def random_group(files: int) -> Group:
    """A description and some files, as a preservation object has them."""
    return [("description.json", os.urandom(600)), *((f"data/{n}", os.urandom(100 + n)) for n in range(files))]


def _digests(algorithm: str, group: Group) -> tuple[bytes, ...]:
    return tuple(hash_bytes(algorithm, content) for _name, content in group)


class Batch:
    """Groups proven together on one evidence line."""

    def __init__(self, issuer: Issuer, algorithm: str, groups: Sequence[Group], authority: int = 0) -> None:
        self._issuer = issuer
        self.algorithm = algorithm
        self.groups = groups
        self._tree = HashTree.build(algorithm, [group_leaf(algorithm, _digests(algorithm, g)) for g in groups])
        statement = f'{{"leaf_count":{len(groups)},"root":"{self._tree.root.hex()}"}}\n'.encode()
        self.statement, self.seal = statement, issuer.seal(statement)
        self.seal_group: Group = [("statement", self.statement), ("seal", self.seal)]
        self._seal_leaf = group_leaf(algorithm, _digests(algorithm, self.seal_group))
        self.stamped_root = combine(algorithm, (self._tree.root, self._seal_leaf))
        self.token = issuer.stamp(algorithm, self.stamped_root, authority)

    def first_stamp(self, index: int) -> StampInput:
        siblings = (*self._tree.path(index), self._seal_leaf)
        return StampInput(self.algorithm, _digests(self.algorithm, self.groups[index]), siblings, self.token)

    def specimen(self, name: str, index: int) -> Specimen:
        return self._issuer.specimen(name, derive_record([[self.first_stamp(index)]]), self.groups[index])

    def seal_specimen(self, name: str) -> Specimen:
        """The record of the group of statement and seal."""
        first = StampInput(self.algorithm, _digests(self.algorithm, self.seal_group), (self._tree.root,), self.token)
        return self._issuer.specimen(name, derive_record([[first]]), self.seal_group)


def renewed_time_stamp(issuer: Issuer, batches: Sequence[Batch], which: int) -> StampInput:
    """One new stamp over the tokens of all batches (RFC 4998 5.2), reduced to one of them."""
    algorithm = batches[0].algorithm
    tree = HashTree.build(algorithm, [hash_bytes(algorithm, batch.token) for batch in batches])
    token = issuer.stamp(algorithm, tree.root, authority=1)
    return StampInput(algorithm, (tree.leaf(which),), tree.path(which), token)


def renewed_hash_tree(
    issuer: Issuer, algorithm: str, members: Sequence[tuple[Group, Sequence[Sequence[StampInput]]]], which: int
) -> StampInput:
    """A stamp by a new algorithm over groups and all their earlier chains, H(h ‖ ha), reduced to one group."""
    primed = []
    for group, chains in members:
        ha = hash_bytes(algorithm, parse_record(derive_record(chains)).sequence_before(len(chains)))
        primed.append(tuple(hash_bytes(algorithm, digest, ha) for digest in _digests(algorithm, group)))
    tree = HashTree.build(algorithm, [group_leaf(algorithm, values) for values in primed])
    token = issuer.stamp(algorithm, tree.root)
    return StampInput(algorithm, primed[which], tree.path(which), token)
