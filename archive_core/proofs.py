"""Derives what proves one document: evidence records, receipt, the seal group's own record.

Rules kept here
 * Nothing per document is stored. A record is derived from the batch and the version's description by
   a derivation whose version the batch names, so the same octets come out for decades.
 * A record is handed out only when its root meets the token (`derive_record` checks it).
 * The proof-of-existence time of a receipt is the earliest genTime of the batch's initial stamps.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from archive_core.batch import BatchLine
from archive_core.batch_reading import Known, StoredBatch, read_batch
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.description import Description
from archive_core.digests import hash_bytes
from archive_core.errors import EvidenceBrokenError, EvidencePendingError
from archive_core.evidence.derivation import StampInput, derive_record
from archive_core.lifecycle import EvidenceFile
from archive_core.packaging import read_description
from archive_core.ports import ValidationData
from archive_core.receipts import Receipt, ReceiptPath
from archive_core.replication import Copies, DamageListener

CACHED_BATCHES = 4
"""Batches kept in memory between two derivations; one of a million objects takes about 130 MB."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything that proves one version: its batch, its leaf, its description."""

    row: VersionRow
    leaf: int
    description: Description
    description_bytes: bytes
    batch: StoredBatch


class Proofs:
    """Derivation on demand, with the last few batches at hand."""

    def __init__(self, *, catalogue: Catalogue, copies: Copies, on_damage: DamageListener) -> None:
        self._catalogue = catalogue
        self._copies = copies
        self._on_damage = on_damage
        self._lock = Lock()
        self._batches: OrderedDict[int, StoredBatch] = OrderedDict()

    def proof(self, row: VersionRow) -> Proof:
        """Raises `EvidencePendingError` before commit B and `DamageError` when no copy is good."""
        if row.batch is None or row.leaf is None or self._catalogue.batch(row.batch).evidenced_at is None:
            raise EvidencePendingError(poid=row.poid, version=row.version)
        description, data = read_description(self._copies, row, self._on_damage)
        batch = self.batch(row.batch)
        if batch.formed.members[row.leaf] != (row.poid, row.version):
            raise EvidenceBrokenError(f"batch {row.batch} holds another object under leaf {row.leaf}")
        return Proof(row, row.leaf, description, data, batch)

    def batch(self, number: int) -> StoredBatch:
        """A stamped batch, from memory or from the first store that holds it whole."""
        with self._lock:
            if number in self._batches:
                self._batches.move_to_end(number)
                return self._batches[number]
        known = Known.of(self._catalogue, number)
        batch = read_batch(self._copies, number, self._on_damage, known=known, stamped=True)
        with self._lock:
            self._batches[number] = batch
            while len(self._batches) > CACHED_BATCHES:
                self._batches.popitem(last=False)
        return batch

    def forget(self) -> None:
        """Read every batch from the stores again; an audit must not trust what memory holds."""
        with self._lock:
            self._batches.clear()


def evidence_files(proof: Proof) -> list[EvidenceFile]:
    """The version's record of every line, in the order of the lines' names."""
    formed = proof.batch.formed
    return [
        EvidenceFile(line.line, line.digest, _record_of(proof, line), formed.statement.test_trust)
        for line in sorted(formed.lines, key=lambda line: line.line)
    ]


def _record_of(proof: Proof, line: BatchLine) -> bytes:
    formed = proof.batch.formed
    siblings = (*formed.trees[line.line].path(proof.leaf), formed.seal_leaf(line.digest))
    return _derive(proof.batch, line, proof.description.group_digests(line.digest), siblings)


def seal_evidence_files(batch: StoredBatch) -> list[EvidenceFile]:
    """The records of the group of statement and seal."""
    formed = batch.formed
    return [
        EvidenceFile(
            line.line,
            line.digest,
            _derive(batch, line, formed.seal_group(line.digest), (formed.trees[line.line].root,)),
            formed.statement.test_trust,
        )
        for line in sorted(formed.lines, key=lambda line: line.line)
    ]


def _derive(batch: StoredBatch, line: BatchLine, members: Sequence[bytes], siblings: Sequence[bytes]) -> bytes:
    stamp = StampInput(line.digest, tuple(members), tuple(siblings), batch.tokens[line.line])
    return derive_record([[stamp]], version=batch.formed.statement.derivation_version)


def receipt(proof: Proof, catalogue: Catalogue) -> Receipt:
    """The sealed receipt of a version."""
    formed = proof.batch.formed
    return Receipt(
        poid=proof.row.poid,
        version=proof.row.version,
        description=proof.description_bytes,
        statement=formed.statement_bytes,
        seal=formed.seal,
        path={
            line.line: ReceiptPath(
                line.digest,
                proof.description.group_digests(line.digest),
                formed.trees[line.line].path(proof.leaf),
            )
            for line in formed.lines
        },
        test_trust=formed.statement.test_trust,
        proof_of_existence=min(stamp.gen_time for stamp in catalogue.stamps(formed.number)),
    )


def token_data(batch: StoredBatch) -> dict[str, ValidationData]:
    """Validation data by the sha512 (hex) of the token it belongs to."""
    return {hash_bytes("sha512", token).hex(): batch.token_data[line] for line, token in batch.tokens.items()}
