"""Use case: everything that proves one version, in one file that needs nothing of ours to be checked: our bundle,
or a container that programs for signatures know.

Rules kept here
 * Content is verified while it is streamed into the bundle; damage of all copies ends the export.
 * The trail proof is against the head in the batch's sealed statement, so only events before the
   batch are proven by it; later ones need a later statement.
 * A version that already held one of the files goes along with its description and records.
"""

from __future__ import annotations

from threading import Lock
from typing import BinaryIO

from archive_core.asic_format import AsicContent, LineRecord, write_asic
from archive_core.bundle_format import BundleContent, EarlierVersion, write_bundle
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import FileRow, VersionRow
from archive_core.content import Content, VersionContent
from archive_core.errors import EvidencePendingError
from archive_core.evidence.material import merged
from archive_core.ports import ValidationData
from archive_core.progress import Progress, Told
from archive_core.proofs import Proof, Proofs, evidence_files, receipt, seal_evidence_files, token_data
from archive_core.trail.merkle import Log
from archive_core.trail.proofs import TrailProof
from archive_core.zip_writing import SizedSource, Source


class Exporting:
    """Bundles of evidenced versions."""

    def __init__(self, *, catalogue: Catalogue, proofs: Proofs, content: Content) -> None:
        self._catalogue = catalogue
        self._proofs = proofs
        self._content = content
        self._lock = Lock()
        self._log = Log()

    def export(self, row: VersionRow, out: BinaryIO, progress: Progress) -> None:
        """Write the bundle, telling `progress` of the bytes of content. Raises `EvidencePendingError` before commit B
        and `DamageError`."""
        proof = self._proofs.proof(row)
        formed = proof.batch.formed
        events, trail = self._trail(row, formed.statement.trail_size)
        earlier, known = self._earlier(proof)
        content = BundleContent(
            description=proof.description_bytes,
            content=self._sources(row, progress),
            evidence={file.line: file.der for file in evidence_files(proof)},
            receipt=receipt(proof, self._catalogue).to_bytes(),
            statement=formed.statement_bytes,
            seal=formed.seal,
            seal_evidence={file.line: file.der for file in seal_evidence_files(proof)},
            validation=merged([*token_data(proof).values(), formed.seal_data, *known]),
            events=events,
            proof=trail,
            earlier=earlier,
        )
        write_bundle(out, content)

    def export_asic(self, row: VersionRow, out: BinaryIO, progress: Progress) -> None:
        """Write an ASiC-E container with the version's records inside; raises as `export`."""
        proof = self._proofs.proof(row)
        content = AsicContent(
            description=proof.description_bytes,
            content=self._sources(row, progress),
            records={file.line: LineRecord(file.digest, file.der) for file in evidence_files(proof)},
            validation=merged(token_data(proof).values()),
        )
        write_asic(out, content)

    def _sources(self, row: VersionRow, progress: Progress) -> dict[str, Source]:
        """The version's content, which is verified as it is read."""
        files = self._catalogue.files(row.poid, row.version)
        told = Told(progress, "exporting", sum(file.size for file in files))
        content = self._content.of(row)
        return {file.path: _source(content, file, told) for file in files}

    def _trail(self, row: VersionRow, size: int) -> tuple[list[bytes], TrailProof]:
        """The object's events in the log of `size` entries, with their proofs."""
        with self._lock:
            while self._log.size < size:
                step = min(size - self._log.size, 100_000)
                for leaf in self._catalogue.leaf_hashes(self._log.size, step):
                    self._log.append(leaf)
            covered = sorted(
                (event.seq, event.line)
                for event in self._catalogue.events_of(row.poid)
                if event.seq is not None and event.line is not None and event.seq < size
            )
            return [line + b"\n" for _, line in covered], TrailProof.of(self._log, size, [seq for seq, _ in covered])

    def _earlier(self, proof: Proof) -> tuple[dict[int, EarlierVersion], list[ValidationData]]:
        """Earlier versions with their records where they held one of the files, and the bare
        descriptions between them, so that the chain of predecessors has no gap; and the validation data
        of those records."""
        row = proof.row
        wanted = {file.content_digest for file in self._catalogue.files(row.poid, row.version)}
        chain: list[tuple[int, EarlierVersion]] = []
        known: list[ValidationData] = []
        for older in sorted(self._catalogue.versions(row.poid), key=lambda version: -version.version):
            if older.version >= row.version:
                continue
            try:
                earlier = self._proofs.proof(older)
            except EvidencePendingError:
                break
            held = {file.content_digest for file in self._catalogue.files(older.poid, older.version)}
            records = {} if wanted.isdisjoint(held) else {file.line: file.der for file in evidence_files(earlier)}
            known += token_data(earlier).values() if records else ()
            chain.append((older.version, EarlierVersion(earlier.description_bytes, records)))
        while chain and not chain[-1][1].evidence:
            chain.pop()
        return dict(chain), known


def _source(content: VersionContent, file: FileRow, told: Told) -> SizedSource:
    return SizedSource(file.size, lambda: told.passing(file.path, content.stream(file)))
