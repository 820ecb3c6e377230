"""What a reader is shown of a version and of its files, made of the catalogue's rows.

Rules kept here
 * Evidenced is what lies in a batch that has its time-stamps; until then a version is replicated.
 * What is in quarantine is shown so, evidenced or not; its proof of existence is shown as well.
 * What was destroyed is shown as destroyed, with the word of its tombstone, and without files.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from archive_core.admission import DATA
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.holds import LegalHold
from archive_core.catalogue.rows import FileRow, VersionRow
from archive_core.destruction.judging import Gone
from archive_core.lifecycle import FileView, HoldView, Status, VersionView
from archive_core.quarantine import is_held


class Viewing:
    """Rows of `catalogue` as they are shown. `test_trust` is said of what has no evidence yet."""

    def __init__(self, catalogue: Catalogue, gone: Gone, *, test_trust: bool) -> None:
        self._catalogue = catalogue
        self._gone = gone
        self._test_trust = test_trust

    def version(
        self,
        row: VersionRow,
        files: tuple[FileView, ...] = (),
        versions: tuple[int, ...] = (),
        holds: Sequence[LegalHold] = (),
    ) -> VersionView:
        """A version; with its files, the numbers of all versions and its object's holds where the caller has them."""
        batch = self._catalogue.batch(row.batch) if row.batch is not None else None
        evidenced: datetime | None = batch.evidenced_at if batch else None
        return VersionView(
            poid=row.poid,
            version=row.version,
            kind=row.kind,
            status=self._status(row, evidenced is not None),
            originator=row.originator,
            profile=row.profile,
            received=row.received,
            key=row.idempotency_key,
            size=row.size,
            file_count=row.file_count,
            description_sha512=row.description_digest,
            batch=row.batch if evidenced else None,
            proof_of_existence=evidenced,
            test_trust=batch.test_trust if batch else self._test_trust,
            files=files,
            versions=versions,
            destroyed=self._gone.view(row) if row.destroyed else None,
            examined=row.examined,
            examine_later=row.examine_later,
            holds=() if row.destroyed else tuple(HoldView(hold.hold, hold.name, hold.since) for hold in holds),
        )

    def _status(self, row: VersionRow, evidenced: bool) -> Status:
        if row.destroyed:
            return Status.DESTROYED
        if is_held(self._catalogue, row):
            return Status.QUARANTINED
        return Status.EVIDENCED if evidenced else Status.REPLICATED


def file_view(file: FileRow) -> FileView:
    """One file of a version, under the depositor's path and the logical one."""
    return FileView(
        path=file.path.removeprefix(DATA),
        logical_path=file.path,
        role=file.role,
        size=file.size,
        sha512=file.content_digest,
    )
