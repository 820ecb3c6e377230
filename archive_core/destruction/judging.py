"""What can still be said of a version that was destroyed: that it is gone, by which tombstone, and what proves it.

Rules kept here
 * Nothing is left that could be compared with the evidence: INDETERMINATE/SIGNED_DATA_NOT_FOUND (EN 319 102-1), never
   PASSED, and no proof of existence is claimed for bytes that nobody can show.
 * How long the record of whoever holds the bytes elsewhere is covered is said for each line ("covered until").
"""

from __future__ import annotations

from datetime import datetime

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.destruction.destroying import Destruction
from archive_core.destruction.reading import require_authentic
from archive_core.destruction.records import kept_records
from archive_core.errors import ArchiveError, EvidencePendingError
from archive_core.findings import Finding, Report, Step, SubIndication, Verdict, utc_text
from archive_core.lifecycle import DestroyedView, EvidenceFile
from archive_core.ports import SealValidator, TimestampValidator
from archive_core.proofs import Proofs
from archive_core.renewal.coverage import Coverage, coverage_of, covered_until
from policies.algorithms import AlgorithmTable


class Gone:
    """Answers about destroyed versions."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        proofs: Proofs,
        destruction: Destruction,
        validator: TimestampValidator,
        seal_validator: SealValidator,
        algorithms: AlgorithmTable,
    ) -> None:
        self._catalogue = catalogue
        self._proofs = proofs
        self._destruction = destruction
        self._validator = validator
        self._seal_validator = seal_validator
        self._algorithms = algorithms

    def view(self, row: VersionRow) -> DestroyedView:
        """When, why, and what stores still owe; from the catalogue."""
        known = self._catalogue.tombstone(row.poid)
        assert known is not None
        assert known.gen_time is not None
        owed = tuple(debt.store for debt in self._catalogue.deletion_debts(row.poid))
        return DestroyedView(known.gen_time, known.reason or "", known.tsa or "", owed)

    def evidence(self, row: VersionRow) -> list[EvidenceFile]:
        """The records that the kept digests give; raises `ObjectDestroyedError` when these were destroyed, too."""
        batch, leaf = self._place(row)
        stored = self._proofs.batch(batch)
        document = self._destruction.tombstone(row.poid).document
        return kept_records(document.versions[row.version - 1], stored, self._proofs.lines(stored), leaf)

    def coverage(self, row: VersionRow) -> list[Coverage]:
        """How long each line's record holds as it is."""
        batch, leaf = self._place(row)
        lines, stamps = self._proofs.lines(self._proofs.batch(batch)), self._catalogue.stamps(batch)
        return [coverage_of(line, leaf, stamps, self._algorithms) for _, line in sorted(lines.items())]

    def assess(self, row: VersionRow, *, at: datetime) -> Report:
        """The report of a destroyed version; damage is its answer, not an exception."""
        facts: dict[str, object] = {"poid": row.poid, "version": row.version, "lines": {}, "files": []}
        try:
            found = self._destruction.tombstone(row.poid)
            require_authentic(
                found, validator=self._validator, seal_validator=self._seal_validator, catalogue=self._catalogue
            )
            covered = self.coverage(row)
        except EvidencePendingError:
            raise
        except ArchiveError as error:
            return Report.of([Step("tombstone", Verdict.FAILED, SubIndication.HASH_FAILURE, str(error))], facts=facts)
        decided = utc_text(found.gen_time)
        steps = [
            Step("tombstone", Verdict.PASSED, message=f"decided {decided}: {found.document.reason}", at=found.gen_time),
            Step(
                "content",
                Verdict.INDETERMINATE,
                SubIndication.SIGNED_DATA_NOT_FOUND,
                f"destroyed on {decided}: nothing is left that could be verified",
                at=at,
            ),
        ]
        findings = [Finding("DESTROYED", f"destroyed on {decided}: {found.document.reason}")]
        findings += [covered_until(one) for one in covered]
        facts["destroyed"] = self.view(row).to_json()
        facts["covered"] = [one.to_json() for one in covered]
        return Report.of(steps, findings, test_trust=self._is_test(row), facts=facts)

    def _is_test(self, row: VersionRow) -> bool:
        return row.batch is not None and self._catalogue.batch(row.batch).test_trust

    def _place(self, row: VersionRow) -> tuple[int, int]:
        if row.batch is None or row.leaf is None:
            raise EvidencePendingError(poid=row.poid, version=row.version)
        return row.batch, row.leaf
