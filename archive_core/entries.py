"""The catalogue's rows of a stored version: they follow from its description and say nothing else."""

from __future__ import annotations

from archive_core.admission import CONTENT_DIGEST, METADATA, request_digest_of
from archive_core.catalogue.rows import FileRow, VersionRow
from archive_core.description import Description
from archive_core.digests import Digest
from archive_core.identifiers import storage_object_for


def version_row(description: Description, description_bytes: bytes, request_digest: str | None = None) -> VersionRow:
    """The catalogue's row of a stored version: nothing in it that the stores do not say. The request's
    digest follows from the description; a caller that has it saves the work."""
    return VersionRow(
        poid=description.poid,
        version=description.version,
        kind=description.kind,
        originator=description.originator,
        profile=description.profile,
        received=description.received,
        storage_object=storage_object_for(description.poid),
        ocfl_version=description.version,
        description_digest=Digest.of(CONTENT_DIGEST, description_bytes).hex,
        idempotency_key=description.idempotency_key,
        request_digest=request_digest or request_digest_of(description),
        has_metadata=description.file(METADATA) is not None,
        size=sum(file.size for file in description.files if file.role == "document"),
        file_count=sum(1 for file in description.files if file.role == "document"),
        examined=description.examined.outcome if description.examined else None,
        examine_later=description.examined.later if description.examined else False,
    )


def file_rows(description: Description) -> list[FileRow]:
    return [
        FileRow(
            poid=description.poid,
            version=description.version,
            path=file.path,
            role=file.role,
            size=file.size,
            content_digest=file.digests[CONTENT_DIGEST],
            stored_digest=file.digests[CONTENT_DIGEST],
        )
        for file in description.files
    ]
