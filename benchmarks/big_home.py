"""A home whose catalogue holds very many objects, entered as commit A enters them and not written as files.

python -m benchmarks.big_home fill HOME COUNT REAL [PROFILE]   enter objects; REAL of them are deposited as well,
                                                               and their POIDs are said
python -m benchmarks.big_home preserve HOME                    batches over all of them; says what it did

The profiles are `basic-1` under other names: one closes at a million objects, one at 10,001, where leaves come from
the catalogue as well; published ones close earlier.
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
from archive_core.leaves import READ_BACK
from archive_core.lifecycle import Actor, SubmissionObject, SubmittedFile
from archive_core.publishing import Published
from policies.profiles import PreservationProfile

PROFILE, SMALLER = "benchmark-1", "benchmark-2"
CLOSES_AT = {PROFILE: 1_000_000, SMALLER: READ_BACK + 1}
OPERATOR = Actor("benchmark", "operator")
GROUP = 1000


def profile_of(published: Published, name: str) -> PreservationProfile:
    """`basic-1` under another name, closing later."""
    source = published.profile("basic-1").source.decode("utf-8")
    changed = source.replace('id = "basic-1"', f'id = "{name}"').replace(
        "close_at_count = 10_000", f"close_at_count = {CLOSES_AT[name]}"
    )
    profile = PreservationProfile.load(changed.encode("utf-8"))
    assert (profile.id, profile.batch.close_at_count) == (name, CLOSES_AT[name]), "basic-1 is written otherwise now"
    return profile


def open_archive(home: Path) -> Archive:
    """The home's archive, knowing the benchmark's profiles."""
    settings = ArchiveSettings.load(home)
    clock, signing, ordinary = SystemClock(), build_signing(settings, SystemClock()), build_published(settings)
    profiles = [*ordinary.profiles, *(profile_of(ordinary, name) for name in CLOSES_AT)]
    published = Published(profiles, ordinary.algorithms, default_profile=PROFILE)
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


def fill(home: Path, count: int, real: int, profile: str = PROFILE) -> None:
    """Enter `count` objects; the last `real` are deposited, each a small file."""
    archive = open_archive(home)
    try:
        mint, at = PoidMint(), datetime.now(UTC) - timedelta(days=1)
        for start in range(0, count - real, GROUP):
            entries = [
                _entry(mint.mint(at), at + timedelta(microseconds=start + number), profile)
                for number in range(min(GROUP, count - real - start))
            ]
            archive.catalogue.enter_versions(entries)
        poids = deposit_real(archive, home.parent, real, profile)
        archive.flush_trail()
    finally:
        archive.close()
    print(json.dumps(poids))


def deposit_real(archive: Archive, folder: Path, number: int, profile: str) -> list[str]:
    """Deposit small files; their POIDs."""
    poids = []
    for place in range(number):
        path = folder / f"document-{place}.bin"
        path.write_bytes(os.urandom(3000))
        submission = SubmissionObject((SubmittedFile(path.name, path),), "default", profile=profile)
        poids.append(archive.deposit(submission, actor=OPERATOR).poid)
    return poids


def _entry(poid: str, at: datetime, profile: str) -> tuple[VersionRow, list[FileRow], list[EventRow]]:
    described, content = (hashlib.sha512(os.urandom(32)).hexdigest() for _ in range(2))
    row = VersionRow(
        poid=poid,
        version=1,
        kind="deposit",
        originator="default",
        profile=profile,
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
        fill(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
    else:
        preserve(Path(sys.argv[2]))
