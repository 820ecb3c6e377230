"""A home whose catalogue holds very many objects, entered as commit A enters them and not written as files.

python -m benchmarks.big_home fill HOME COUNT REAL   enter objects; REAL of them are deposited as well
python -m benchmarks.big_home preserve HOME          one batch over all of them; says what it did

The profile is `basic-1` under another name, closing at a million objects; published ones close earlier.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.settings import ArchiveSettings
from api.wiring import build_copies, build_published, build_signing, open_catalogue
from archive_core.archive import Archive
from archive_core.catalogue.rows import EventRow, FileRow, VersionRow
from archive_core.clock import SystemClock
from archive_core.identifiers import PoidMint, storage_object_for
from archive_core.lifecycle import Actor, SubmissionObject, SubmittedFile
from archive_core.publishing import Published
from policies.profiles import PreservationProfile

PROFILE = "benchmark-1"
OPERATOR = Actor("benchmark", "operator")
GROUP = 1000


def profile_of(published: Published) -> PreservationProfile:
    """`basic-1`, closing at a million."""
    source = published.profile("basic-1").source.decode("utf-8")
    changed = source.replace('id = "basic-1"', f'id = "{PROFILE}"').replace(
        "close_at_count = 10_000", "close_at_count = 1_000_000"
    )
    profile = PreservationProfile.load(changed.encode("utf-8"))
    assert (profile.id, profile.batch.close_at_count) == (PROFILE, 1_000_000), "basic-1 is written otherwise now"
    return profile


def open_archive(home: Path) -> Archive:
    """The home's archive, knowing the benchmark's profile."""
    settings = ArchiveSettings.load(home)
    clock, signing, ordinary = SystemClock(), build_signing(settings, SystemClock()), build_published(settings)
    published = Published([*ordinary.profiles, profile_of(ordinary)], ordinary.algorithms, default_profile=PROFILE)
    return Archive(
        name=settings.name,
        clock=clock,
        catalogue=open_catalogue(settings, create=False),
        copies=build_copies(settings, create=False),
        authorities=signing.authorities,
        trust_classes={one.name: one.trust_class for one in settings.authorities},
        validator=signing.validator,
        sealer=signing.sealer,
        seal_validator=signing.seal_validator,
        published=published,
    )


def fill(home: Path, count: int, real: int) -> None:
    """Enter `count` objects; the last `real` are deposited, each a small file."""
    archive = open_archive(home)
    try:
        mint, at = PoidMint(), datetime.now(UTC) - timedelta(days=1)
        for start in range(0, count - real, GROUP):
            entries = [
                _entry(mint.mint(at), at + timedelta(microseconds=start + number))
                for number in range(min(GROUP, count - real - start))
            ]
            archive.catalogue.enter_versions(entries)
        for number in range(real):
            path = home.parent / f"document-{number}.bin"
            path.write_bytes(os.urandom(3000))
            archive.deposit(SubmissionObject((SubmittedFile(path.name, path),), "default"), actor=OPERATOR)
        archive.flush_trail()
    finally:
        archive.close()


def _entry(poid: str, at: datetime) -> tuple[VersionRow, list[FileRow], list[EventRow]]:
    described, content = (hashlib.sha512(os.urandom(32)).hexdigest() for _ in range(2))
    row = VersionRow(
        poid=poid,
        version=1,
        kind="deposit",
        originator="default",
        profile=PROFILE,
        received=at,
        storage_object=storage_object_for(poid),
        ocfl_version=1,
        description_digest=described,
        idempotency_key=None,
        request_digest=content,
        has_metadata=False,
        size=30_000,
        file_count=1,
    )
    file = FileRow(
        poid=poid,
        version=1,
        path="data/document.pdf",
        role="document",
        size=30_000,
        content_digest=content,
        stored_digest=content,
    )
    return row, [file], []


def preserve(home: Path) -> None:
    archive = open_archive(home)
    try:
        views = archive.preserve(actor=OPERATOR)
    finally:
        archive.close()
    print(json.dumps([view.to_json() for view in views]))


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        preserve(Path(sys.argv[2]))
