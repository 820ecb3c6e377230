"""Which system objects every store must hold, and what must lie in them, as the catalogue knows it.

Rules kept here
 * An object that is sound in itself and not the one that was written is found by its digests: statement
   and tokens of a batch, everything that a renewal names, the leaves of a trail segment, a published policy
   to the byte.
 * A sidecar with erasable details is only expected where the catalogue still holds such details.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from archive_core.batch import STATEMENT, token_path
from archive_core.batch_reading import Known
from archive_core.catalogue.catalogue import Catalogue
from archive_core.digests import Digest
from archive_core.identifiers import BATCH, LISTS, TRAIL, TRAIL_DETAIL, named_object, system_object
from archive_core.list_snapshots import DOCUMENT as LISTS_DOCUMENT
from archive_core.list_snapshots import known_snapshots
from archive_core.publishing import PROFILE_FILE, Published, table_file
from archive_core.renewal import form
from archive_core.trail.segments import LEAVES


@dataclass(frozen=True, slots=True)
class Expected:
    """A system object and the sha512 (hex) of files in its newest version, by logical path."""

    object_id: str
    files: Mapping[str, str]


def expected_objects(catalogue: Catalogue, published: Published) -> Iterator[Expected]:
    """Every system object that was acknowledged."""
    for batch in catalogue.batches():
        known = Known.of(catalogue, batch.number)
        tokens = {token_path(line): digest for line, digest in known.tokens.items()}
        yield Expected(system_object(BATCH, batch.number), {STATEMENT: known.statement, **tokens})
    for renewal in catalogue.renewals():
        files = {**renewal.files, form.DOCUMENT: renewal.document_digest}
        if renewal.token_digest is not None:
            files[form.TOKEN] = renewal.token_digest
        yield Expected(renewal.storage_object, files)
    for tombstone in catalogue.tombstones():
        yield Expected(tombstone.storage_object, tombstone.files or {})
    for number, digest in known_snapshots(catalogue).items():
        yield Expected(system_object(LISTS, number), {LISTS_DOCUMENT: digest})
    detailed = catalogue.segments_with_details()
    for segment in catalogue.segments():
        leaves = b"".join(catalogue.leaf_hashes(segment.first, segment.count))
        yield Expected(system_object(TRAIL, segment.number), {LEAVES: Digest.of("sha512", leaves).hex})
        if segment.number in detailed:
            yield Expected(system_object(TRAIL_DETAIL, segment.number), {})
    for profile in published.profiles:
        digest = Digest.of("sha512", profile.source).hex
        yield Expected(named_object(f"profile-{profile.id}"), {PROFILE_FILE: digest})
    table = published.algorithms
    yield Expected(named_object(table.id), {table_file(table): Digest.of("sha512", table.source).hex})
