"""The chaos soak: everybody at work while processes die, bytes rot, a disk fills, and S3, TSA and database go away.

python -m tests.soak.chaos --seconds 3600 [--seed N] [--report FILE] [--folder DIR]

The rules this module keeps
 * The seed is printed first and decides what is done in which order; how processes interleave it cannot decide.
 * At the end what was acknowledged is what is present and what verifies, count by count; every planted damage was found
   and healed; nothing was reported that was not planted.
 * A class of fault that never came fails the run, as does a run in which nothing was acknowledged.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import platform
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.settings import ArchiveSettings
from api.wiring import open_catalogue
from archive_core.errors import ArchiveError
from tests.soak.caretakers import Caretaker
from tests.soak.damage import DISK_KINDS, S3_KINDS
from tests.soak.faults import KILLS, OUTAGES, Breaker, Killer
from tests.soak.judge import Judge
from tests.soak.ledger import Ledger
from tests.soak.people import Bulk, Client, Stage, preserver, thread
from tests.soak.place import Place, place
from tests.soak.processes import Standing, server, worker

CLIENTS = 6
PATIENCE = 300.0
"""Seconds that everybody is given after the chaos to be told of what is under way."""


def soak(
    seconds: float, seed: int, folder: Path, *, bulk: int = 40, damages: int = 0, rate: float = float("inf")
) -> dict[str, Any]:
    """Run it; the report. `damages` are planted in each round, `rate` acknowledgements a second are enough."""
    began = datetime.now(UTC)
    with place(folder, disk_bytes=int(192e6 + seconds * 600e3)) as where:
        ledger = Ledger(folder / "acknowledged.jsonl")
        stage = _stage(where, ledger, seed)
        stage.rate = rate
        try:
            for one in (*stage.servers, *stage.workers):
                one.launch()
            for one in (*stage.servers, *stage.workers):
                one.wait()
            caretaker = Caretaker(stage, damages or max(8, min(40, int(seconds / 60))))
            _run(stage, seconds, bulk, caretaker)
            judge = Judge(stage)
            for one in (*stage.servers, *stage.workers):
                _stop(one, ledger)
            judge.settle()
            caretaker.look_again()
            judge.judge()
        finally:
            for one in (*stage.servers, *stage.workers):
                if one.alive:
                    one.kill()
            for process in list(stage.running.values()):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        _never_came(ledger, seconds)
        return _report(stage, judge, began, seconds)


def _stop(one: Standing, ledger: Ledger) -> None:
    try:
        one.stop()
    except AssertionError as error:
        ledger.violate(str(error))


def _stage(where: Place, ledger: Ledger, seed: int) -> Stage:
    logs = where.folder / "logs"
    servers = [server(where.home, name, logs, "--no-work") for name in ("server-a", "server-b")]
    workers = [worker(where.home, name, logs) for name in ("worker-a", "worker-b")]
    return Stage(where, ledger, seed, servers, workers)


def _run(stage: Stage, seconds: float, bulk: int, caretaker: Caretaker) -> None:
    ledger = stage.ledger
    pace = max(2.0, min(7.0, seconds / 40))
    people = [
        *(thread(Client(stage, f"client-{number}").run, f"client-{number}", ledger) for number in range(CLIENTS)),
        *(thread(Bulk(stage, name, bulk).run, name, ledger) for name in ("bulk-1", "bulk-2")),
        thread(lambda: preserver(stage), "preserver", ledger),
        thread(caretaker.run, "caretaker", ledger),
        thread(lambda: _look(stage, caretaker), "looker", ledger),
    ]
    chaos = [
        thread(Killer(stage, pace).run, "killer", ledger),
        thread(Breaker(stage, pace * 2, min(12.0, seconds / 15)).run, "breaker", ledger),
    ]
    for one in (*people, *chaos):
        one.start()
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(20.0, left))
        print(_line(ledger), flush=True)
    stage.given_up = time.monotonic() + PATIENCE
    stage.stop.set()
    for one in chaos:
        one.join(120)
    for standing in (*stage.servers, *stage.workers):
        if not standing.alive:
            standing.revive()
    _joined(people, ledger)


def _joined(people: Sequence[threading.Thread], ledger: Ledger) -> None:
    deadline = time.monotonic() + PATIENCE + 600
    for one in people:
        one.join(max(1.0, deadline - time.monotonic()))
        if one.is_alive():
            ledger.violate(f"{one.name} does not come to its end")


def _look(stage: Stage, caretaker: Caretaker) -> None:
    """Which batches are whole and may be harmed."""
    catalogue = open_catalogue(ArchiveSettings.load(stage.place.home), create=False)
    try:
        while not stage.stop.wait(3.0):
            with suppress(ArchiveError):  # the database is away: another time
                old = time.time() - 15
                rows = catalogue.batches()
                caretaker.batches = [
                    row.number for row in rows if row.evidenced_at and row.evidenced_at.timestamp() < old
                ]
    finally:
        catalogue.close()


def _never_came(ledger: Ledger, seconds: float) -> None:
    """A run that left something out shows nothing."""
    wanted = [*KILLS, *OUTAGES]
    if seconds >= 1200:
        wanted += [f"damage: {kind}" for kind in (*DISK_KINDS, *S3_KINDS)]
    for kind in wanted:
        if not ledger.faults[kind]:
            ledger.violate(f"a fault never came: {kind}")
    for what in ("disk", "bucket"):
        if not any(("bucket" in one.kind) == (what == "bucket") for one in ledger.damages):
            ledger.violate(f"nothing was damaged in a {what}")
    for what in ("deposit over HTTP", "update over HTTP", "deposit in bulk"):
        if not ledger.counts[f"acknowledged by {what}"]:
            ledger.violate(f"nothing was acknowledged: {what}")
    for what in ("read", "read past damage", "fixity runs", "repairs", "preserves"):
        if not ledger.counts[what] and (seconds >= 100 or what == "read"):
            ledger.violate(f"it never happened: {what}")


def _line(ledger: Ledger) -> str:
    healed = sum(one.healed for one in ledger.damages)
    return (
        f"{time.monotonic() - ledger.began:6.0f} s  {ledger.counts['acknowledged']} acknowledged, "
        f"{sum(ledger.kills.values())} kills, {len(ledger.damages)} damages ({healed} healed), "
        f"{ledger.counts['read']} read, {len(ledger.violations)} violations"
    )


def _report(stage: Stage, judge: Judge, began: datetime, seconds: float) -> dict[str, Any]:
    ledger = stage.ledger
    return {
        "format": "trusted-archive/soak/1",
        "seed": stage.seed,
        "began": began.isoformat(timespec="seconds"),
        "seconds": seconds,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "acknowledged": ledger.counts["acknowledged"],
        "present": {
            key.removeprefix("versions present in "): value for key, value in judge.figures.items() if "present" in key
        },
        "verified": judge.figures.get("versions verified", 0),
        "kills": sum(ledger.kills.values()),
        "damages": {
            "planted": len(ledger.damages),
            "healed": sum(one.healed for one in ledger.damages),
            "in the trail": sum(one.told for one in ledger.damages),
            "named by fixity": sum(one.by_fixity for one in ledger.damages),
            "slowest heal (s)": round(ledger.slowest_heal, 1),
        },
        "faults": dict(sorted(ledger.faults.items())),
        "counts": dict(sorted(ledger.counts.items())),
        "refused for now": dict(ledger.refusals.most_common(20)),
        "judged": judge.figures,
        "violations": ledger.violations,
    }


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rate", type=float, default=float("inf"), help="acknowledgements a second that are enough")
    parser.add_argument("--report", type=Path, default=None, help="where the JSON report goes")
    parser.add_argument("--folder", type=Path, default=None, help="where it runs; kept when it fails")
    given = parser.parse_args(words)
    faulthandler.register(signal.SIGUSR1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # everything that was started is stopped
    seed = secrets.randbelow(2**31) if given.seed is None else given.seed
    print(f"seed {seed}, {given.seconds:.0f} s", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir=given.folder))
    report = soak(given.seconds, seed, folder / "run", rate=given.rate)
    text = json.dumps(report, indent=1, ensure_ascii=False)
    if given.report:
        given.report.write_text(text + "\n", "utf-8")
    print(text)
    if report["violations"]:
        print(f"FAILED: {len(report['violations'])} violations; what is left lies in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
