"""The evidence records of what was destroyed, derived from the digests that its tombstone keeps."""

from __future__ import annotations

from collections.abc import Mapping

from archive_core.batch_reading import StoredBatch
from archive_core.destruction.form import DestroyedVersion
from archive_core.errors import ObjectDestroyedError
from archive_core.evidence.derivation import derive_record
from archive_core.lifecycle import EvidenceFile
from archive_core.renewal.chains import LineEvidence


def kept_records(
    version: DestroyedVersion, batch: StoredBatch, lines: Mapping[str, LineEvidence], leaf: int
) -> list[EvidenceFile]:
    """The records of a destroyed version, as far as they go; raises `ObjectDestroyedError` when its digests were not
    kept."""
    formed = batch.formed
    files = []
    for line in sorted(formed.lines, key=lambda line: line.line):
        group = version.groups.get(line.digest)
        if group is None:
            raise ObjectDestroyedError(
                "its digests were destroyed with it: no record can be derived", poid=version.row.poid
            )
        siblings = (*formed.trees[line.line].path(leaf), formed.seal_leaf(line.digest))
        chains = lines[line.line].chains(leaf, group, siblings)
        der = derive_record(chains, version=formed.statement.derivation_version)
        files.append(EvidenceFile(line.line, line.digest, der, formed.statement.test_trust))
    return files
