"""Rows for tests of the catalogue: small, valid, each with its own identity."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from archive_core.catalogue.rows import (
    BatchRow,
    EventRow,
    FileRow,
    LineRow,
    RenewalRow,
    SegmentRow,
    StampRow,
    VersionRow,
)

START = datetime(2026, 11, 1, 8, 30, 0, 123456, tzinfo=UTC)

ORG, OTHER = "00064581", "00231321"

Entry = tuple[VersionRow, list[FileRow], list[EventRow]]


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def poid(number: int) -> str:
    """A POID whose order is that of its number."""
    return f"{number:012x}7000800000000000000"[:32].ljust(32, "0")


def description(number: int, version: int = 1) -> bytes:
    return f"description of {number} version {version}".encode()


def sha512(data: bytes | str) -> str:
    return hashlib.sha512(data.encode() if isinstance(data, str) else data).hexdigest()


def version_row(number: int, version: int = 1, **changes: Any) -> VersionRow:
    row = VersionRow(
        poid=poid(number),
        version=version,
        kind="deposit" if version == 1 else "update",
        originator=ORG,
        profile="basic-1",
        received=later(number),
        storage_object=f"urn:trusted-archive:{poid(number)}",
        ocfl_version=version,
        description_digest=sha512(description(number, version)),
        idempotency_key=None,
        request_digest=sha512(f"request {number}"),
        has_metadata=False,
        size=12,
        file_count=2,
    )
    return replace(row, **changes)


def file_rows(row: VersionRow) -> list[FileRow]:
    """Two files, listed in an order that is not that of their names."""
    return [
        FileRow(
            poid=row.poid,
            version=row.version,
            path=path,
            role="document",
            size=6,
            content_digest=sha512(f"{row.poid} {row.version} {path}"),
            stored_digest=sha512(f"{row.poid} {row.version} {path}"),
        )
        for path in ("data/žádost.pdf", "data/a.txt")
    ]


def event_row(number: int, about: VersionRow | None = None, **changes: Any) -> EventRow:
    row = EventRow(
        event_id=f"{number:032x}",
        recorded_at=later(number),
        type="ingestion",
        outcome="success",
        actor="key-1",
        code="deposit",
        poid=about.poid if about else None,
        version=about.version if about else None,
    )
    return replace(row, **changes)


def entry(number: int, version: int = 1, **changes: Any) -> Entry:
    row = version_row(number, version, **changes)
    return row, file_rows(row), [event_row(number * 100 + version, row)]


def batch_row(number: int, leaf_count: int, **changes: Any) -> BatchRow:
    row = BatchRow(
        number=number,
        storage_object=f"urn:trusted-archive:ba{number:010d}",
        profile="basic-1",
        originator=None,
        formed_at=later(1000 + number),
        leaf_count=leaf_count,
        statement_digest=sha512(f"statement {number}"),
        previous_batch=number - 1 or None,
        derivation_version=1,
        trail_size=0,
        test_trust=True,
    )
    return replace(row, **changes)


def line_rows(batch: int, names: Sequence[str] = ("sha512",)) -> list[LineRow]:
    return [LineRow(batch=batch, line=name, digest=name, tsa=f"tsa-{name}", trust_class="test") for name in names]


def stamp_row(batch: int, line: str = "sha512", **changes: Any) -> StampRow:
    row = StampRow(
        batch=batch,
        line=line,
        chain=0,
        position=0,
        digest=line,
        gen_time=later(2000 + batch),
        storage_object=f"urn:trusted-archive:ba{batch:010d}",
        ocfl_path=f"lines/{line}/token.tst",
        token_digest=sha512(f"token {batch} {line}"),
        trusted_until=later(10**8),
    )
    return replace(row, **changes)


def renewal_row(number: int, **changes: Any) -> RenewalRow:
    """A renewal that was formed and is not stamped."""
    row = RenewalRow(
        number=number,
        storage_object=f"urn:trusted-archive:rn{number:010d}",
        kind="timestamp",
        line="sha512",
        digest="sha512",
        tsa="tsa-sha512",
        formed_at=later(5000 + number),
        covers=1,
        leaf_count=1,
        document_digest=sha512(f"renewal {number}"),
        files={"covers.txt": sha512("covers"), "tree.bin": sha512("tree")},
    )
    return replace(row, **changes)


def segment_row(number: int, first: int, count: int, **changes: Any) -> SegmentRow:
    row = SegmentRow(
        number=number,
        first=first,
        count=count,
        size=first + count,
        head=sha512(f"head {first + count}"),
        frontier=(sha512("left"), sha512("right")),
    )
    return replace(row, **changes)


def sequenced(events: Sequence[EventRow], first: int) -> list[tuple[str, int, bytes, bytes]]:
    """What a sequencer makes of events."""
    return [
        (
            event.event_id,
            first + place,
            f"line {event.event_id}".encode(),
            hashlib.sha512(event.event_id.encode()).digest(),
        )
        for place, event in enumerate(events)
    ]
