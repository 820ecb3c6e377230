"""How long the evidence of a version holds as it is: "covered until".

Rules kept here
 * A record holds until the first end of what its newest time-stamp rests on: the certificates on its path, and the
   digest that its chain is built with (RFC 4998 5.3).
 * What dropped out of a hash-tree renewal (deleted, damaged) has the chains before it; they end by themselves, because
   only the others are renewed (RFC 4998 5.2(2)). What did not is covered again with its batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from archive_core.batch_reading import StoredBatch
from archive_core.catalogue.rows import StampRow
from archive_core.destruction.form import DestroyedVersion
from archive_core.errors import ObjectDestroyedError
from archive_core.evidence.derivation import derive_record
from archive_core.findings import utc_text
from archive_core.lifecycle import EvidenceFile
from archive_core.renewal.chains import LineEvidence
from policies.algorithms import AlgorithmTable


@dataclass(frozen=True, slots=True)
class Coverage:
    """`until` is None when no end is known; `dropped_from` names the renewal that left the version out."""

    line: str
    until: datetime | None
    dropped_from: str | None

    def to_json(self) -> dict[str, object]:
        return {
            "line": self.line,
            "covered_until": utc_text(self.until) if self.until else None,
            "dropped_from": self.dropped_from,
        }


def coverage_of(line: LineEvidence, leaf: int, stamps: Sequence[StampRow], table: AlgorithmTable) -> Coverage:
    """What holds of a line for the version under a leaf, given the stamps of that batch and line."""
    ended = next((number for number, later in enumerate(line.later, 1) if not later.group(leaf)), None)
    own = [row for row in stamps if row.line == line.line.line and (ended is None or row.chain < ended)]
    newest = max(own, key=lambda row: (row.chain, row.position))
    ends = [newest.trusted_until, table.digest(newest.digest, at=newest.gen_time).until]
    return Coverage(
        line.line.line, min((end for end in ends if end is not None), default=None), line.dropped_from(leaf)
    )


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
