"""A home with very many batches, and its renewals.

python -m benchmarks.renewal_home fill HOME BATCHES DOCUMENTS [SECONDS]   enter batches; says POIDs of real documents
python -m benchmarks.renewal_home renew HOME                    one time-stamp renewal of everything; says what it did
python -m benchmarks.renewal_home again HOME TIMES POID         renew time and again; how a record grows

Rules kept here
 * The first batch is the product's, of documents that were deposited. All others have a time-stamp of their own over
   a root of their own, and hold in every store what a time-stamp renewal reads: the token. They have no members and no
   tree, and their documents are in no catalogue: a renewal that looked at one document would fail.
 * Filling goes on where it was: after SECONDS it stops, and exit 75 says that the same command has more to do.
 * What counts the calls of an authority stands before it, and passes everything through.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import insert

from api.settings import ArchiveSettings
from api.wiring import build_signing
from archive_core.archive import Archive
from archive_core.batch import BatchLine, line_path, system_package, token_path
from archive_core.catalogue.base import to_values
from archive_core.catalogue.rows import BatchRow, LineRow, StampRow
from archive_core.catalogue.session import writing
from archive_core.catalogue.tables import batches, lines, stamps
from archive_core.clock import SystemClock
from archive_core.digests import Digest
from archive_core.evidence.record import parse_record
from archive_core.findings import Verdict
from archive_core.identifiers import BATCH, RENEWAL, system_object
from archive_core.ports import TimestampAuthority, TimestampToken, ValidationData
from archive_core.renewal.running import ALL, RenewalRequest
from benchmarks.big_home import OPERATOR, deposit_real, open_archive
from benchmarks.figures import BenchmarkError
from benchmarks.measuring import run
from benchmarks.workspace import archive_command

GROUP = 200
SPELL = 10
"""Groups between two looks at the time."""

LINE, AUTHORITY = "sha512", "local-tsa-1"


class Counted:
    """An authority, and how often it was asked for a time-stamp."""

    def __init__(self, authority: TimestampAuthority) -> None:
        self._authority = authority
        self.asked = 0

    @property
    def name(self) -> str:
        return self._authority.name

    @property
    def test_trust(self) -> bool:
        return self._authority.test_trust

    def timestamp(self, imprint: Digest) -> TimestampToken:
        self.asked += 1
        return self._authority.timestamp(imprint)

    def validation_data(self, token: bytes) -> ValidationData:
        return self._authority.validation_data(token)


def fill(home: Path, count: int, documents: int, seconds: float | None = None) -> int:
    """Batches 1 to `count`; all but the first are said to hold `documents` each. What is there already stays; after
    `seconds` it stops. Returns an exit code: 75 when there is more to do."""
    began = time.monotonic()
    if not (home / "trusted-archive.toml").exists():
        run([*archive_command(home, "init")], cwd=home.parent, clock=False)
    archive = open_archive(home)
    try:
        first = archive.catalogue.last_batch()
        if first is None:
            deposit_real(archive, home.parent, 3, "basic-1")
            views = archive.preserve(actor=OPERATOR)
            if [view.error for view in views] != [None]:
                raise BenchmarkError(f"not one batch: {views}")
        line = archive.catalogue.lines(1)[0]
        batch, stamp = archive.catalogue.batch(1), archive.catalogue.stamps(1, line.line)[0]
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
            numbers = iter(range(archive.catalogue.next_batch_number(), count + 1))
            while groups := [one for _ in range(SPELL) if (one := list(itertools.islice(numbers, GROUP)))]:
                if seconds is not None and time.monotonic() - began > seconds:
                    print(f"{archive.catalogue.next_batch_number() - 1} of {count} batches", file=sys.stderr)
                    return 75
                for group in pool.map(_stamped, itertools.repeat(home), groups):
                    _keep(archive, replace(batch, leaf_count=documents), line, stamp, group)
        poids = [row.poid for row in archive.catalogue.members(1)]
    finally:
        archive.close()
    print(json.dumps(poids))
    return 0


Stamped = list[tuple[int, bytes, datetime]]


def _stamped(home: Path, numbers: list[int]) -> Stamped:
    """Time-stamps over random roots: what a store holds of each batch, its number and its genTime."""
    authority = build_signing(ArchiveSettings.load(home), SystemClock()).authorities[AUTHORITY]
    tokens = [(number, authority.timestamp(Digest(LINE, os.urandom(64)))) for number in numbers]
    return [(number, token.der, token.gen_time) for number, token in tokens]


def _keep(archive: Archive, batch: BatchRow, line: LineRow, stamp: StampRow, group: Stamped) -> None:
    """A group of batches on every store and in the catalogue."""
    said = BatchLine(line.line, line.digest, line.tsa, line.trust_class).to_bytes()
    packages = [
        system_package(
            system_object(BATCH, number),
            1,
            {line_path(line.line): said, token_path(line.line): token},
            None,
            message="Made for a benchmark",
            at=gen_time,
        )
        for number, token, gen_time in group
    ]
    archive.copies.start(packages).finish()
    rows = [
        (
            replace(
                batch,
                number=number,
                storage_object=system_object(BATCH, number),
                previous_batch=number - 1,
                evidenced_at=gen_time,
            ),
            replace(line, batch=number),
            replace(
                stamp,
                batch=number,
                gen_time=gen_time,
                storage_object=system_object(BATCH, number),
                ocfl_path=f"v1/content/{token_path(line.line)}",
                token_digest=Digest.of("sha512", token).hex,
            ),
        )
        for number, token, gen_time in group
    ]
    with writing(archive.catalogue.engine) as connection:
        for place, table in enumerate((batches, lines, stamps)):
            connection.execute(insert(table), [to_values(row[place]) for row in rows])


def renew(home: Path) -> None:
    """One time-stamp renewal of everything."""
    archive, counted = _counting(home)
    try:
        result = archive.renew(RenewalRequest(which=ALL), actor=OPERATOR)
        stored = _stored_bytes(archive)
    finally:
        archive.close()
    said = [view.to_json() for view in result.views]
    print(json.dumps({"renewals": said, "asked": sum(one.asked for one in counted), "stored": stored}))


def _counting(home: Path) -> tuple[Archive, list[Counted]]:
    archive = open_archive(home)
    counted = {name: Counted(authority) for name, authority in archive.authorities.items()}
    archive.authorities = dict[str, TimestampAuthority](counted)
    return archive.over(archive.catalogue, archive.copies), list(counted.values())


def again(home: Path, times: int, poid: str) -> None:
    """Renew `times` times; sizes of the record, of its newest token and of its newest tree, and the seconds taken."""
    archive = open_archive(home)
    try:
        found = [_measured(archive, poid, 0.0)]
        for _ in range(times):
            began = time.perf_counter()
            result = archive.renew(RenewalRequest(which=ALL), actor=OPERATOR)
            took = time.perf_counter() - began
            if not result.is_complete:
                raise BenchmarkError(f"not renewed: {result.to_json()}")
            found.append(_measured(archive, poid, took))
        if archive.verify(poid, actor=OPERATOR).verdict is not Verdict.PASSED:
            raise BenchmarkError("the renewed record does not verify")
    finally:
        archive.close()
    print(json.dumps(found))


def _measured(archive: Archive, poid: str, seconds: float) -> dict[str, float]:
    record = archive.evidence(poid, actor=OPERATOR)[0].der
    newest = parse_record(record).chains[-1].stamps[-1]
    path = [value for listed in newest.reduced_hash_tree or () for value in listed]
    return {
        "record": len(record),
        "stamps": sum(len(chain.stamps) for chain in parse_record(record).chains),
        "token": len(newest.token),
        "path": sum(map(len, path)),
        "values": len(path),
        "seconds": seconds,
    }


def _stored_bytes(archive: Archive) -> int:
    """How many bytes the newest renewal takes in one store."""
    root, row = archive.copies.roots[0], archive.catalogue.renewals()[-1]
    return sum(entry.size for entry in root.store.list(root.object_path(system_object(RENEWAL, row.number))))


if __name__ == "__main__":
    what, place, *words = sys.argv[1:]
    if what == "fill":
        sys.exit(fill(Path(place), int(words[0]), int(words[1]), float(words[2]) if len(words) > 2 else None))
    elif what == "again":
        again(Path(place), int(words[0]), words[1])
    else:
        renew(Path(place))
