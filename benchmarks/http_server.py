"""The server as its users start it, for the time of a measurement."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import BenchmarkError
from benchmarks.http_client import Load
from benchmarks.measuring import TreeMemory
from benchmarks.workspace import ROOT, archive_command

START = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    process: subprocess.Popen[bytes]
    memory: TreeMemory
    host: str
    port: int
    key: str

    def load(self, path: str, *, clients: int = 1, size: int = 0, seconds: float = 1.0, **trouble: int) -> Load:
        return Load(self.host, self.port, path, self.key, clients, size, seconds, **trouble)


@contextmanager
def serving(home: Path, before: tuple[str | Path, ...] = ()) -> Iterator[Server]:
    """`trusted-archive serve` on a free port, stopped at the end; `before` stands before the command."""
    log = home.parent / "server.log"
    words = [*before, *archive_command(home, "--json", "serve", "--port", "0")]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(word) for word in words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        host, port = _address(process, log)
        with TreeMemory(process.pid) as memory:
            yield Server(process, memory, host, port, (home / "first-key").read_text("ascii").strip())
    finally:
        # A recorder writes what it has recorded when the server ends, and nothing when it is ended itself.
        os.kill(_child_of(process.pid) if before else process.pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _child_of(pid: int) -> int:
    """The server under a recorder; raises `BenchmarkError` when there is none."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [child for task in tasks for child in (task / "children").read_text("ascii").split()]
    if len(children) != 1:
        raise BenchmarkError(f"the recorder {pid} has {len(children)} children, not the server alone")
    return int(children[0])


def _address(process: subprocess.Popen[bytes], log: Path) -> tuple[str, int]:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and process.poll() is None:
        entries = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
        if any(entry.get("event") == "worker started" for entry in entries):
            address = next(str(entry["address"]) for entry in entries if entry.get("event") == "serving")
            host, _, port = address.removeprefix("http://").rpartition(":")
            return host, int(port)
        time.sleep(0.05)
    raise BenchmarkError(f"the server did not start: {log.read_text('utf-8')[-2000:]}")
