"""The example of a filing service against a real server: killed on both sides, nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from trusted_archive_client import Client, NotAcceptedError

from tests.integration.http_server import Server, launch, running_server, wait_for_start
from tests.integration.http_world import made_home
from tests.vectors import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

EXAMPLE = REPOSITORY / "examples" / "filing_service.py"
DOCUMENTS = sorted((REPOSITORY / "examples" / "documents").iterdir())
RECORDS = 30


def day(folder: Path) -> Path:
    """Records of a day: ordinary ones, one that is large, and one that the store cannot take."""
    for number in range(RECORDS):
        record = folder / f"{number:03}"
        record.mkdir(parents=True)
        shutil.copy(DOCUMENTS[number % len(DOCUMENTS)], record)
        (record / "metadata.json").write_text(json.dumps({"číslo": number}))
    large = folder / "large"
    large.mkdir()
    with (large / "scan.tiff").open("wb") as out:
        for number in range(40):
            out.write(number.to_bytes(2) * 2**19)
    refused = folder / "refused"
    refused.mkdir()
    (refused / "aux.txt").write_text("a name that cannot be kept")
    return folder


class Filing:
    """The example as a process of its own, with what its book says."""

    def __init__(self, place: Path, server: Server) -> None:
        self._place = place
        self._server = server

    def start(self) -> subprocess.Popen[str]:
        words = [sys.executable, str(EXAMPLE), "--url", f"http://{self._server.host}:{self._server.port}"]
        words += ["--key-file", str(self._server.home / "first-key"), "--records", str(self._place / "2026-11-23")]
        words += ["--book", str(self._place / "book.sqlite3"), "--receipts", str(self._place / "receipts")]
        words += ["--trust", str(self._server.home / "trust" / "test-ca.pem"), "--patience", "200", "--pause", "0.5"]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "clients" / "python")}
        return subprocess.Popen(
            words, cwd=self._place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def states(self) -> dict[str, str]:
        book = self._place / "book.sqlite3"
        if not book.exists():
            return {}
        database = sqlite3.connect(f"file:{book}?mode=ro", uri=True)
        try:
            return dict(database.execute("SELECT key, state FROM records").fetchall())
        except sqlite3.OperationalError:  # it is just being made
            return {}
        finally:
            database.close()


def eventually(condition: Callable[[], object], filing: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert filing.poll() is None, filing.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_day_s_records_are_proven_whoever_is_killed_meanwhile(tmp_path: Path) -> None:
    """The filing service is killed in the middle, then the server is, and started again on the same address: at the end
    every record is there once and proven by a receipt that leads from its files to a good seal; the one that cannot be
    kept is refused by name."""
    day(tmp_path / "2026-11-23")
    home = made_home(tmp_path / "home")
    with running_server(home) as server:
        service = Filing(tmp_path, server)
        first = service.start()
        eventually(lambda: len(service.states()) > 0, first)
        first.kill()
        first.communicate()
        second = service.start()
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()
        log = tmp_path / "again.log"
        process = launch(home, log, port=server.port)
        try:
            wait_for_start(process, log)
            eventually(lambda: len(service.states()) == RECORDS + 2, second)
            server.wait_for_nothing(minutes=10)  # the batch is due
            said, _ = second.communicate(timeout=200)
            assert second.returncode == 1, said  # one was refused
            with Client(f"http://{server.host}:{server.port}", server.key) as archive:
                look(archive, service, said)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def look(archive: Client, service: Filing, said: str) -> None:
    """What the book says is so."""
    states = service.states()
    assert states.pop("2026-11-23/refused") == "refused"
    assert "name-not-accepted" in said
    assert set(states.values()) == {"proven"}
    assert len(states) == RECORDS + 1
    held = sorted(str(one.idempotency_key) for one in archive.search())
    evidenced = [change.poid for page in archive.follow() for change in page.changes if change.change == "evidenced"]
    assert held == sorted(states)
    assert len(evidenced) == len(set(evidenced)) == RECORDS + 1
    with pytest.raises(NotAcceptedError):
        archive.deposit({"aux.txt": b"x"}, key="x")
