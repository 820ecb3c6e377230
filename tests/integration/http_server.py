"""A real server process for tests, over a home of its own.

python -m tests.integration.http_server HOME PORT PATIENCE

Its clock is the system's, but for what `Server.wait_for_nothing` puts into a file beside the home.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from api.server import serve
from api.settings import ArchiveSettings
from api.wiring import build_archive
from archive_core.errors import ArchiveError

ROOT = Path(__file__).resolve().parents[2]
START = 60.0
"""Seconds that a server is given to start on a busy machine."""


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    home: Path
    log: Path
    host: str
    port: int

    @property
    def key(self) -> str:
        return (self.home / "first-key").read_text("ascii").strip()

    def wait_for_nothing(self, minutes: float) -> None:
        """Let the server's clock be so many minutes ahead from now on."""
        ahead = _ahead(self.home)
        ahead.with_suffix(".new").write_text(str(minutes * 60))
        ahead.with_suffix(".new").replace(ahead)

    def entries(self) -> list[dict[str, object]]:
        """Every line of its log so far; each must be JSON."""
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]

    def events(self) -> list[object]:
        return [entry["event"] for entry in self.entries()]

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(how)
        return self.process.wait(60)


class ToldClock:
    """The system's clock, and what a test says."""

    def __init__(self, home: Path) -> None:
        self._ahead = _ahead(home)

    def now(self) -> datetime:
        ahead = float(self._ahead.read_text()) if self._ahead.exists() else 0.0
        return datetime.now(UTC) + timedelta(seconds=ahead)


def _ahead(home: Path) -> Path:
    return home.with_name(f"{home.name}.ahead")


def launch(home: Path, log: Path, *, port: int = 0, patience: float = 20.0) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.integration.http_server", str(home), str(port), str(patience)]
    with log.open("ab") as out:
        return subprocess.Popen(command, cwd=ROOT, stderr=out, stdout=subprocess.DEVNULL, start_new_session=True)


@contextmanager
def running_server(home: Path, *, patience: float = 20.0) -> Iterator[Server]:
    """A server that has started, on a free port; killed at the end if it still runs."""
    log = home.parent / f"{home.name}.log"
    log.unlink(missing_ok=True)
    process = launch(home, log, patience=patience)
    try:
        started = wait_for_start(process, log)
        host, _, port = str(started["address"]).removeprefix("http://").rpartition(":")
        yield Server(process, home, log, host, int(port))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_start(process: subprocess.Popen[bytes], log: Path) -> dict[str, object]:
    """The `serving` entry, once a worker has started; fails the test when the process ends before."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        entries = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
        if any(entry["event"] == "worker started" for entry in entries):
            return next(dict(entry) for entry in entries if entry["event"] == "serving")
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_text('utf-8')}")


if __name__ == "__main__":
    try:
        serve(
            ArchiveSettings.load(Path(sys.argv[1])),
            partial(build_archive, clock=ToldClock(Path(sys.argv[1]))),
            host="127.0.0.1",
            port=int(sys.argv[2]),
            json_lines=True,
            patience=float(sys.argv[3]),
        )
    except ArchiveError as error:
        sys.stderr.write(json.dumps({"event": "refused", "code": error.code, "detail": str(error)}) + "\n")
        sys.exit(error.exit_code)
