"""What a store holds, entered into a catalogue: one segment, tombstone, batch or renewal at a time.

Rules kept here
 * Everything is verified as it is read; what is entered already changes nothing.
 * The order is the caller's: a segment follows the one before, a batch its members, a renewal what it covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from archive_core.batch_reading import read_batch_from
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import EventRow
from archive_core.destruction.reading import read_tombstone, require_authentic
from archive_core.journal import event_row
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import SealValidator, TimestampValidator
from archive_core.preservation import batch_rows
from archive_core.publishing import Published
from archive_core.renewal.finishing import stamped_of
from archive_core.renewal.stored import read_renewal_from, renewal_row
from archive_core.sequencer import read_segment, recorded_rows, segment_rows
from archive_core.stamping import stamp_rows


def enter_segment(catalogue: Catalogue, root: StorageRoot, number: int) -> list[EventRow]:
    """A segment of the trail and its events. Raises `ConcurrentChangeError` when it does not continue the last one."""
    header, segment = read_segment(root, number)
    rows = recorded_rows(segment)
    catalogue.record_events(rows)
    row, items = segment_rows(header, segment)
    catalogue.sequence_events(items, row)
    return rows


def enter_tombstone(
    catalogue: Catalogue,
    root: StorageRoot,
    poid: str,
    owing: Sequence[str],
    *,
    validator: TimestampValidator,
    seal_validator: SealValidator,
) -> int:
    """An object that was destroyed; each of the stores `owing` is to purge it. Returns how many versions it had.
    Raises `EvidenceBrokenError` for a tombstone that is not to be obeyed."""
    found = read_tombstone(root, poid)
    require_authentic(found, validator=validator, seal_validator=seal_validator, catalogue=catalogue)
    catalogue.complete_destruction(found.row, found.document.rows, owing, [event_row(found.event, None)])
    return len(found.document.versions)


def enter_batch(
    catalogue: Catalogue,
    root: StorageRoot,
    number: int,
    *,
    published: Published,
    validator: TimestampValidator,
    at: datetime,
) -> None:
    """A batch with its members, and its time-stamps if it has them."""
    stored = read_batch_from(root, number)
    first = catalogue.version(*stored.formed.members[0])
    shared = published.profile(stored.formed.statement.profile.id).batch.shared
    row, lines = batch_rows(stored.formed, None if shared else first.originator)
    catalogue.enter_batch(row, lines, stored.formed.members)
    if not stored.unstamped:
        stamps = stamp_rows(stored, validator, at=at)
        catalogue.complete_batch(number, min(stamp.gen_time for stamp in stamps), stamps)


def enter_renewal(catalogue: Catalogue, root: StorageRoot, number: int, *, validator: TimestampValidator) -> None:
    """A renewal, and its time-stamp if it has one."""
    stored = read_renewal_from(root, number)
    catalogue.enter_renewal(renewal_row(stored))
    if stored.token is not None:
        catalogue.complete_renewal(stamped_of(stored, validator))
