"""Whether what is to be put back is what the evidence is about: asked before a byte is put.

Rules kept here
 * A version is proven by its descriptions' digests: the group that they make is the leaf of its batch, leads to the
   sealed and time-stamped root, and the record passes. What is then put back has just these digests.
 * Evidence that fails forbids the repair: then nobody knows which bytes are right. Evidence whose trust or time
   cannot be judged now (INDETERMINATE) does not: all its hashes fit.
 * A version that has no evidence yet rests on commit A: the digests that were entered when it was acknowledged.
 * A system object is judged again in the store into which it was put.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from archive_core.batch_reading import Known, read_batch_from
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.description import Description
from archive_core.digests import Digest, new_hasher
from archive_core.errors import EvidenceBrokenError
from archive_core.evidence.derivation import derive_record
from archive_core.evidence.verification import DataObject, assess_record
from archive_core.findings import Report, Verdict
from archive_core.identifiers import BATCH, RENEWAL, TRAIL, number_of
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.packaging import DESCRIPTION
from archive_core.ports import TimestampValidator
from archive_core.proofs import Proofs, version_chains
from archive_core.renewal.stored import read_renewal_from, verify_known
from archive_core.sequencer import read_segment
from policies.algorithms import AlgorithmTable

Contents = Callable[[str], Iterator[bytes]]
"""The good bytes of a version's file by its logical path."""

EVIDENCE, COMMIT = "evidence", "commit"
"""What a repair rests on: the evidence record, or only what was entered when the deposit was acknowledged."""


class Proving:
    """Judges descriptions against their evidence records."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        proofs: Proofs,
        validator: TimestampValidator,
        algorithms: AlgorithmTable,
    ) -> None:
        self._catalogue = catalogue
        self._proofs = proofs
        self._validator = validator
        self._algorithms = algorithms

    def rests_on(
        self, row: VersionRow, description: Description, data: bytes, contents: Contents, *, at: datetime
    ) -> str:
        """`EVIDENCE` or `COMMIT`; raises `EvidenceBrokenError` when the evidence is about something else, and
        `DamageError` when no copy of the batch is good."""
        if row.batch is None or row.leaf is None or self._catalogue.batch(row.batch).evidenced_at is None:
            return COMMIT
        batch = self._proofs.batch(row.batch)
        if batch.formed.members[row.leaf] != (row.poid, row.version):
            raise EvidenceBrokenError(f"batch {row.batch} holds another object under leaf {row.leaf}")
        reports = []
        for line in self._proofs.lines(batch).values():
            chains = version_chains(batch, line, row.leaf, description)
            record = derive_record(chains, version=batch.formed.statement.derivation_version)
            reports.append(
                assess_record(
                    record,
                    _members(description, data, contents, line.line.digest),
                    validator=self._validator,
                    algorithms=self._algorithms,
                    at=at,
                    validation_data=line.data,
                )
            )
        best = min(reports, key=_badness)
        if best.verdict is Verdict.FAILED:
            worst = next(step for step in best.steps if step.verdict is Verdict.FAILED)
            raise EvidenceBrokenError(
                f"the evidence of {row.poid} v{row.version} is about something else: {worst.name}: {worst.message}"
            )
        return EVIDENCE

    def verify_system_object(self, root: StorageRoot, object_id: str) -> None:
        """Judge a system object as a store holds it now; raises `DamageError` and its like."""
        if (number := number_of(object_id, BATCH)) is not None:
            found = read_batch_from(root, number)
            Known.of(self._catalogue, number).verify(found, root.store.name)
            for tree in found.formed.trees.values():
                tree.verify()
        elif (number := number_of(object_id, RENEWAL)) is not None:
            verify_known(read_renewal_from(root, number), self._catalogue.renewal(number), root.store.name)
        elif (number := number_of(object_id, TRAIL)) is not None:
            read_segment(root, number)


def _members(description: Description, data: bytes, contents: Contents, digest: str) -> list[DataObject]:
    """The version's data group: what the description says, and what it does not say computed from good bytes."""

    def of(path: str, known: Mapping[str, str]) -> DataObject:
        computed: dict[str, bytes] = {}

        def value(algorithm: str) -> bytes:
            if algorithm in known:
                return bytes.fromhex(known[algorithm])
            if algorithm not in computed:
                hasher = new_hasher(algorithm)
                for piece in contents(path):
                    hasher.update(piece)
                computed[algorithm] = bytes(hasher.digest())
            return computed[algorithm]

        return DataObject(path, value)

    listed = [of(file.path, file.digests) for file in description.files]
    own = DataObject(DESCRIPTION, lambda algorithm: Digest.of(algorithm, data).value)
    # A group is a set: of files with the same content one stands for all (RFC 4998 4.2).
    return list({item.digest(digest): item for item in reversed([own, *listed])}.values())


def _badness(report: Report) -> int:
    return (Verdict.PASSED, Verdict.INDETERMINATE, Verdict.FAILED).index(report.verdict)
