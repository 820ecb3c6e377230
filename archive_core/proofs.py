"""Derives what proves one document: evidence records, receipt, the seal group's own record.

Rules kept here
 * Nothing per document is stored. A record is derived from the batch and the version's description by
   a derivation whose version the batch names, so the same octets come out for decades.
 * A record is handed out only when its root meets the token (`derive_record` checks it).
 * The proof-of-existence time of a receipt is the earliest genTime of the batch's initial stamps.
 * What renewals add to every record of a batch is put together once; the catalogue's stamps say whether
   anything came since.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from archive_core.batch import BatchLine
from archive_core.batch_reading import Known, StoredBatch, read_batch
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.description import Description
from archive_core.errors import EvidenceBrokenError, EvidencePendingError, ObjectDestroyedError
from archive_core.evidence.derivation import derive_record
from archive_core.lifecycle import EvidenceFile
from archive_core.packaging import read_description
from archive_core.ports import ValidationData
from archive_core.receipts import Receipt, ReceiptPath
from archive_core.renewal.chains import Chains, LineEvidence, line_evidence
from archive_core.renewal.stored import Shelf
from archive_core.replication import Copies, DamageListener

CACHED_BATCHES = 4
"""Batches kept in memory between two derivations; one of a million objects takes about 130 MB."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything that proves one version: its batch, its leaf, its description, and by line what has come
    to it since."""

    row: VersionRow
    leaf: int
    description: Description
    description_bytes: bytes
    batch: StoredBatch
    lines: Mapping[str, LineEvidence]


class Proofs:
    """Derivation on demand, with the last few batches at hand."""

    def __init__(self, *, catalogue: Catalogue, copies: Copies, on_damage: DamageListener, shelf: Shelf) -> None:
        self._catalogue = catalogue
        self._copies = copies
        self._on_damage = on_damage
        self._shelf = shelf
        self._lock = Lock()
        self._batches: OrderedDict[int, StoredBatch] = OrderedDict()
        self._lines: dict[int, tuple[object, dict[str, LineEvidence]]] = {}

    def proof(self, row: VersionRow) -> Proof:
        """Raises `EvidencePendingError` before commit B, `ObjectDestroyedError` and, when no copy is good,
        `DamageError`."""
        if row.batch is None or row.leaf is None or self._catalogue.batch(row.batch).evidenced_at is None:
            raise EvidencePendingError(poid=row.poid, version=row.version)
        if row.destroyed:
            raise ObjectDestroyedError(poid=row.poid, version=row.version)
        description, data = read_description(self._copies, row, self._on_damage)
        batch = self.batch(row.batch)
        if batch.formed.members[row.leaf] != (row.poid, row.version):
            raise EvidenceBrokenError(f"batch {row.batch} holds another object under leaf {row.leaf}")
        return Proof(row, row.leaf, description, data, batch, self.lines(batch))

    def lines(self, batch: StoredBatch) -> Mapping[str, LineEvidence]:
        """What proves the objects of a stamped batch, by line, with all renewals that the catalogue knows."""
        number = batch.formed.number
        stamps = self._catalogue.stamps(number)
        state = tuple((stamp.line, stamp.chain, stamp.position, stamp.token_digest) for stamp in stamps)
        with self._lock:
            known = self._lines.get(number)
        if known is not None and known[0] == state:
            return known[1]
        found = {
            line.line: line_evidence(batch, line, [row for row in stamps if row.line == line.line], self._shelf)
            for line in batch.formed.lines
        }
        with self._lock:
            if number in self._batches:
                self._lines[number] = (state, found)
        return found

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
                gone, _ = self._batches.popitem(last=False)
                self._lines.pop(gone, None)
        return batch

    def forget(self) -> None:
        """Read every batch and renewal from the stores again; an audit must not trust what memory holds."""
        with self._lock:
            self._batches.clear()
            self._lines.clear()
        self._shelf.forget()


def evidence_files(proof: Proof) -> list[EvidenceFile]:
    """The version's record of every line, in the order of the lines' names."""
    formed = proof.batch.formed
    return [
        EvidenceFile(line.line, line.digest, _record_of(proof, line), formed.statement.test_trust)
        for line in sorted(formed.lines, key=lambda line: line.line)
    ]


def _record_of(proof: Proof, line: BatchLine) -> bytes:
    return _derived(proof, chains_of(proof, line))


def chains_of(proof: Proof, line: BatchLine) -> Chains:
    """The chains of a version's record in one line, oldest first."""
    return version_chains(proof.batch, proof.lines[line.line], proof.leaf, proof.description)


def version_chains(batch: StoredBatch, line: LineEvidence, leaf: int, description: Description) -> Chains:
    """The chains of the version under a leaf, from its description."""
    formed, digest = batch.formed, line.line.digest
    siblings = (*formed.trees[line.line.line].path(leaf), formed.seal_leaf(digest))
    return line.chains(leaf, description.group_digests(digest), siblings)


def seal_chains(batch: StoredBatch, line: LineEvidence) -> Chains:
    """The chains of the group of statement and seal: the last data object of its batch."""
    formed, digest = batch.formed, line.line.digest
    return line.chains(len(formed.members), formed.seal_group(digest), (formed.trees[line.line.line].root,))


def seal_evidence_files(proof: Proof) -> list[EvidenceFile]:
    """The records of the group of statement and seal."""
    formed = proof.batch.formed
    return [
        EvidenceFile(
            line.line,
            line.digest,
            _derived(proof, seal_chains(proof.batch, proof.lines[line.line])),
            formed.statement.test_trust,
        )
        for line in sorted(formed.lines, key=lambda line: line.line)
    ]


def _derived(proof: Proof, chains: Chains) -> bytes:
    return derive_record(chains, version=proof.batch.formed.statement.derivation_version)


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


def token_data(proof: Proof) -> dict[str, ValidationData]:
    """Validation data by the sha512 (hex) of the token it belongs to."""
    return {digest: data for line in proof.lines.values() for digest, data in line.data.items()}
