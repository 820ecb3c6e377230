"""(d) One record out of the big batch; a page of the big catalogue."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from api.offline.checking import Judges
from api.offline.checks import check_bundle, check_record, judges
from api.offline.trust import read_trust
from api.settings import ArchiveSettings
from archive_core.findings import Verdict
from archive_core.ports import ValidationData
from benchmarks.big_batch import batch_home
from benchmarks.big_home import OPERATOR, PROFILE, open_archive
from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult
from benchmarks.http_client import Load, one_connection
from benchmarks.http_server import serving
from benchmarks.measuring import run, timed
from benchmarks.workspace import Workspace

LETTER, TITLE = "d", "one record from that batch, a page of that catalogue"
PAGE = 100


def measure(space: Workspace) -> LineResult:
    home = batch_home(space)
    figures = _in_process(space, home)
    figures |= _over_http(space, home)
    goals = [
        Goal("d-derive", "one record derived ≤ 5 ms", figures["derive"].median, 5, at_most=True),
        Goal("d-record", "record verified offline ≤ 50 ms", figures["record"].median, 50, at_most=True),
        Goal("d-bundle", "bundle verified offline ≤ 50 ms", figures["bundle"].median, 50, at_most=True),
        *(
            Goal(f"d-{key}", f"{figures[key].name} ≤ 50 ms", figures[key].median, 50, at_most=True)
            for key in ("list", "middle", "show")
        ),
    ]
    return LineResult(
        LETTER,
        TITLE,
        list(figures.values()),
        goals,
        (
            f"{space.scale.batch_objects} objects in the batch and in the catalogue; each figure is the median over "
            f"{space.rounds} rounds of {space.scale.checks} calls",
            "derived and verified within one process, as the server does it, its libraries loaded and the batch in "
            "memory; the first record after a start, which reads the batch, stands beside; pages over HTTP",
        ),
    )


def _real_poids(home: Path) -> list[str]:
    """The objects that lie in the stores: the newest."""
    archive = open_archive(home)
    try:
        waiting = [p.name for p in (home / "stores" / "one").rglob("*") if p.name.startswith("urn%3atrusted")]
        known = {name.rpartition("%3a")[2] for name in waiting}
        rows = archive.catalogue.members(1)
        found = [row.poid for row in rows if row.poid in known]
    finally:
        archive.close()
    if not found:
        raise BenchmarkError(f"no object of the batch lies in the stores of {home}")
    return found


def _in_process(space: Workspace, home: Path) -> dict[str, Figure]:
    poids = _real_poids(home)
    out = space.fresh("records")
    archive = open_archive(home)
    try:
        record, bundle, data = out / "proof.ers", out / "bundle.zip", out / "data"
        first = timed(lambda: archive.evidence(poids[0], actor=OPERATOR), 1)
        calls = [partial(archive.evidence, poid, actor=OPERATOR) for poid in poids]
        derive = _rounds(space, calls)
        record.write_bytes(archive.evidence(poids[0], actor=OPERATOR)[0].der)
        archive.retrieve(poids[0], None, data, actor=OPERATOR, whole=True)
        with bundle.open("wb") as stream:
            archive.export(poids[0], None, stream, actor=OPERATOR)
    finally:
        archive.close()
    anchors = read_trust(_anchors(home))

    def judging() -> Judges:
        """New ones each time: what they have judged before they remember."""
        return judges(anchors, ValidationData(), datetime.now(UTC))

    files = [path for path in sorted(data.rglob("*")) if path.is_file()]
    checks: dict[str, Callable[[], Any]] = {
        "record": lambda: check_record(record, files, judging()),
        "bundle": lambda: check_bundle(bundle, judging()),
    }
    for name, check in checks.items():
        report = check()
        if report.verdict is not Verdict.PASSED:
            raise BenchmarkError(f"the {name} did not verify: {report.to_json()}")
    verify = Path(sys.executable).with_name("trusted-archive-verify")
    trust = [word for anchor in _anchors(home) for word in ("--trust", str(anchor))]
    whole = [run([verify, bundle, *trust], cwd=out)[0].seconds for _ in range(space.rounds)]
    return {
        "derive": Figure.milliseconds("record derived (evidence, batch in memory)", derive),
        "first": Figure.milliseconds("first record after a start: the batch is read and checked", first),
        "record": Figure.milliseconds("record verified offline", _rounds(space, [checks["record"]])),
        "bundle": Figure.milliseconds("bundle verified offline", _rounds(space, [checks["bundle"]])),
        "process": Figure.milliseconds("trusted-archive-verify, the process from start to end", whole),
    }


def _anchors(home: Path) -> list[Path]:
    return [home / name for name in ArchiveSettings.load(home).anchors]


def _rounds(space: Workspace, calls: Sequence[Callable[[], object]]) -> list[float]:
    """Per round the median of as many calls as the scale says; in seconds."""
    times = max(1, space.scale.checks // len(calls))
    return [statistics.median([t for call in calls for t in timed(call, times)]) for _ in range(space.rounds)]


def _over_http(space: Workspace, home: Path) -> dict[str, Figure]:
    with serving(home) as server:
        base = "/v1/preservation-objects"
        page = _get(server.load(f"{base}?limit={PAGE}"))
        middle = json.loads(page)["objects"][-1]["poid"]
        half = _middle(home)
        paths = {
            "list": (f"page of {PAGE} from the start", f"{base}?limit={PAGE}"),
            "middle": (f"page of {PAGE} from the middle", f"{base}?limit={PAGE}&cursor={half}"),
            "show": ("one object shown", f"{base}/{middle}"),
        }
        found = {}
        for key, (name, path) in paths.items():
            load = server.load(path)
            _get(load)
            found[key] = Figure.milliseconds(name, _rounds(space, [partial(_get, load)]))
    return found


def _middle(home: Path) -> str:
    archive = open_archive(home)
    try:
        count = archive.catalogue.batch(1).leaf_count
        (row,) = archive.catalogue.members(1, after_leaf=count // 2 - 1, limit=1)
    finally:
        archive.close()
    assert row.profile == PROFILE
    return row.poid


def _get(load: Load) -> bytes:
    status, body = one_connection(load)
    if status != 200:
        raise BenchmarkError(f"HTTP {status}: {body[:500]!r}")
    return body
