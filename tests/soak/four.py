"""Four processes over PostgreSQL - two servers, a scheduler, a worker - killed at random under load.

python -m tests.soak.four --seconds 600 [--seed N] [--report FILE] [--folder DIR]

The rules this module keeps
 * Nothing breaks but processes, by SIGKILL: each of the four, as a whole or, of a server, one process of it. Whoever
   was killed is started again after a moment, as systemd would.
 * The servers do no scheduled work, the scheduler does all of it but what clients ask for, the worker that alone: so
   what each of them did shows that it was there.
 * At the end what was acknowledged is what is present and what verifies, count by count, from each store alone.
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
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.home import initialise_home
from api.settings import SETTINGS_FILE, ArchiveSettings
from api.wiring import build_archive, open_catalogue
from archive_core.archive import Archive
from tests.memory import below
from tests.postgres import running_server
from tests.soak.judge import Judge
from tests.soak.ledger import Ledger
from tests.soak.people import Client, Stage, thread
from tests.soak.processes import Standing, ask, server, worker

CLIENTS = 8
PATIENCE = 180.0
"""Seconds that everybody is given after the last kill to be told of what is under way."""
ONE = "one process of"
"""Before the name of a server: not all of it dies."""


@dataclass
class Ground:
    """Where it takes place: a home over PostgreSQL with two stores on the disk."""

    folder: Path
    home: Path
    url: str

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """A new home in `folder`, and a database of its own that syncs as one in use does."""
    (folder / "logs").mkdir(parents=True)
    with running_server(own=True, durable=True) as database, database.database() as url:
        home = initialise_home(folder / "home", at=datetime.now(UTC), catalogue_url=url).home
        with (home / SETTINGS_FILE).open("a") as settings:
            settings.write("interval = 0.5\n")
        build_archive(ArchiveSettings.load(home), create=True).close()
        yield Ground(folder, home, url)


def four(where: Ground) -> tuple[list[Standing], list[Standing]]:
    """The servers; the scheduler and the worker."""
    logs = where.folder / "logs"
    servers = [server(where.home, name, logs, "--no-work") for name in ("server-a", "server-b")]
    scheduler = Standing(where.home, "scheduler", ["work", "--except", "run jobs"], logs)
    return servers, [scheduler, worker(where.home, "worker", logs, "run jobs")]


class Reaper:
    """Kills one after the other: every name of a shuffled deck, then the deck anew."""

    def __init__(self, stage: Stage, pause: float) -> None:
        self._stage = stage
        self._pause = pause
        self._chance = stage.chance("reaper")
        self._by_name = {one.name: one for one in (*stage.servers, *stage.workers)}
        self.names = [*self._by_name, *(f"{ONE} {one.name}" for one in stage.servers)]
        self._deck: list[str] = []

    def run(self) -> None:
        while not self._stage.stop.wait(self._chance.uniform(0.3, 1.7) * self._pause):
            if not self._deck:
                self._deck = list(self.names)
                self._chance.shuffle(self._deck)
            name = self._deck.pop()
            if self._kill(name):
                self._stage.ledger.fault(name, kill=True)
            else:
                self._deck.insert(0, name)

    def _kill(self, name: str) -> bool:
        standing = self._by_name[name.removeprefix(f"{ONE} ")]
        if not standing.alive:
            standing.revive()
            return False
        if name.startswith(ONE):
            assert standing.process is not None
            others = below(standing.process.pid)[1:]
            if others:
                os.kill(self._chance.choice(others), signal.SIGKILL)
            return bool(others)
        killed = standing.kill()
        self._stage.stop.wait(self._chance.uniform(0.0, 1.0))
        standing.revive()
        return killed


class Asker:
    """Asks for verifications of what was acknowledged, and waits for each: the worker's work."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._chance = stage.chance("asker")

    def run(self) -> None:
        while not self._stage.stop.wait(self._chance.uniform(1.0, 6.0)):
            with self._stage.ledger._lock:
                told = list(self._stage.ledger.told)
            if told:
                self._verify(self._chance.sample(told, min(20, len(told))))

    def _verify(self, poids: Sequence[str]) -> None:
        body = json.dumps({"poids": list(poids)}).encode()
        answer = self._insist("POST", "/v1/verifications", 202, body)
        while answer is not None:
            found = self._insist("GET", f"/v1/verifications/{answer['id']}", 200)
            if found is None or found["state"] == "done":
                break
            if found["state"] == "failed":
                self._stage.ledger.violate(f"a verification failed: {found['error']}")
                return
            time.sleep(0.2)
        else:
            return
        if found is not None:
            self._stage.ledger.count("verifications done")
            if found["result"]["not_passed"] or found["result"]["checked"] < len(poids):
                self._stage.ledger.violate(f"not all was verified, or not all passed: {json.dumps(found)[:600]}")

    def _insist(self, method: str, path: str, wanted: int, body: bytes | None = None) -> Any:
        """Ask one server after the other until one answers."""
        while True:
            one = self._chance.choice(self._stage.servers)
            answer = ask(one.address, self._stage.key, method, path, body, Content_Type="application/json")
            if answer.status == wanted:
                return answer.json
            if answer.status not in (0, 503):
                self._stage.ledger.violate(f"{method} {path} was answered {answer.status} {answer.body[:300]!r}")
                return None
            if time.monotonic() > self._stage.given_up:
                self._stage.ledger.violate(f"{method} {path} was never answered")
                return None
            time.sleep(0.2)


class TwoStores(Judge):
    """Judges a home that has the stores `one` and `two` alone."""

    def _alone(self, archive: Archive, store: str, expected: list[Any]) -> None:
        if store in {one.name for one in self._settings.stores}:
            super()._alone(archive, store, expected)


def soak(seconds: float, seed: int, folder: Path, *, pause: float = 4.0, rate: float = float("inf")) -> dict[str, Any]:
    """Run it; the report. `pause` is the time between two kills, on average; `rate` acknowledgements a second are
    enough, so that all of them can be judged."""
    began = datetime.now(UTC)
    with ground(folder) as where:
        ledger = Ledger(folder / "acknowledged.jsonl")
        servers, workers = four(where)
        stage = Stage(where, ledger, seed, servers, workers)  # type: ignore[arg-type]
        stage.rate = rate
        reaper = Reaper(stage, pause)
        try:
            for one in (*servers, *workers):
                one.launch()
            for one in (*servers, *workers):
                one.wait()
            _run(stage, reaper, seconds)
            for one in (*servers, *workers):
                one.stop()
            evidenced = _evidenced(where)
            judge = TwoStores(stage)
            judge.settle()
            judge.judge()
        finally:
            for one in (*servers, *workers):
                if one.alive:
                    one.kill()
        _never_came(ledger, reaper, evidenced, seconds)
        return _report(stage, judge, began, seconds, evidenced)


def _run(stage: Stage, reaper: Reaper, seconds: float) -> None:
    ledger = stage.ledger
    people = [
        *(thread(Client(stage, f"client-{number}").run, f"client-{number}", ledger) for number in range(CLIENTS)),
        thread(Asker(stage).run, "asker", ledger),
    ]
    killing = thread(reaper.run, "reaper", ledger)
    for one in (*people, killing):
        one.start()
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(20.0, left))
        told, kills = ledger.counts["acknowledged"], sum(ledger.kills.values())
        print(f"{time.monotonic() - ledger.began:6.0f} s  {told} acknowledged, {kills} kills", flush=True)
    stage.given_up = time.monotonic() + PATIENCE
    stage.stop.set()
    killing.join(PATIENCE)
    for standing in (*stage.servers, *stage.workers):
        if not standing.alive:
            standing.revive()
    for one in people:
        one.join(2 * PATIENCE)
    for one in (*people, killing):
        if one.is_alive():
            ledger.violate(f"{one.name} does not come to its end")


def _evidenced(where: Ground) -> int:
    """Batches that the scheduler proved, before any command did."""
    catalogue = open_catalogue(ArchiveSettings.load(where.home), create=False)
    try:
        return sum(row.evidenced_at is not None for row in catalogue.batches())
    finally:
        catalogue.close()


def _never_came(ledger: Ledger, reaper: Reaper, evidenced: int, seconds: float) -> None:
    """A run that left something out shows nothing."""
    for name in reaper.names:
        if not ledger.kills[name]:
            ledger.violate(f"never killed: {name}")
    for what in ("deposit over HTTP", "update over HTTP"):
        if not ledger.counts[f"acknowledged by {what}"]:
            ledger.violate(f"nothing was acknowledged: {what}")
    for what in ("read", "verifications done"):
        if not ledger.counts[what]:
            ledger.violate(f"it never happened: {what}")
    if seconds >= 300 and not evidenced:
        ledger.violate("the scheduler proved nothing")


def _report(stage: Stage, judge: Judge, began: datetime, seconds: float, evidenced: int) -> dict[str, Any]:
    ledger = stage.ledger
    return {
        "format": "trusted-archive/soak-of-four/1",
        "seed": stage.seed,
        "began": began.isoformat(timespec="seconds"),
        "seconds": seconds,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "acknowledged": ledger.counts["acknowledged"],
        "present": {
            key.removeprefix("versions present in "): value for key, value in judge.figures.items() if "present" in key
        },
        "verified": judge.figures.get("versions verified", 0),
        "kills": dict(sorted(ledger.kills.items())),
        "batches proven by the scheduler": evidenced,
        "counts": dict(sorted(ledger.counts.items())),
        "judged": judge.figures,
        "violations": ledger.violations,
    }


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.four", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rate", type=float, default=float("inf"), help="acknowledgements a second that are enough")
    parser.add_argument("--report", type=Path, default=None, help="where the JSON report goes")
    parser.add_argument("--folder", type=Path, default=None, help="where it runs; kept when it fails")
    given = parser.parse_args(words)
    faulthandler.register(signal.SIGUSR1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # everything that was started is stopped
    seed = secrets.randbelow(2**31) if given.seed is None else given.seed
    print(f"seed {seed}, {given.seconds:.0f} s", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="four-", dir=given.folder))
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
