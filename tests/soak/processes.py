"""The product as separate processes: servers, workers and commands that can be killed and started again.

The rules this module keeps
 * What runs is the installed command `trusted-archive`, each in a process group of its own, so that a kill takes all
   of it and nothing else.
 * A process that was not told to end and did is a failure, with its log.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.command_line import environment
from tests.integration.http_world import BOUNDARY, body_of, file

START = 60.0
"""Seconds that a process is given to begin its work on a busy machine."""

_PROGRAM = Path(sys.executable).parent / "trusted-archive"
_MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def spawn(home: Path, words: list[str], log: Path) -> subprocess.Popen[bytes]:
    """A command on a home, its lines appended to `log`, its answer on a pipe."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [str(_PROGRAM), "--home", str(home), "--json", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=out,
            env={**environment(), "LANGUAGE": "en"},
            start_new_session=True,
        )


def kill(process: subprocess.Popen[bytes]) -> bool:
    """SIGKILL for the whole group; whether it was still running."""
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(START)
    return alive


def command(home: Path, *words: str, log: Path, seconds: float = 600.0) -> tuple[int, Any]:
    """Run a command to its end; exit code and answer."""
    process = spawn(home, list(words), log)
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        raise AssertionError(f"`{' '.join(words)}` did not end in {seconds:.0f} s: {log.read_text()[-3000:]}") from None
    return process.returncode, json.loads(out) if out else None


@dataclass
class Standing:
    """A process that stays: `serve` or `work`."""

    home: Path
    name: str
    words: list[str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    address: tuple[str, int] | None = None
    starts: int = 0
    logs: list[Path] = field(default_factory=list)

    def start(self) -> None:
        """Start it and wait until it says that it works."""
        self.launch()
        self.wait()

    def revive(self) -> int:
        """Start it as a supervisor does: again as long as it ends with 75, because what it needs is away. How often."""
        deadline = time.monotonic() + 2 * START
        for tries in range(1, 1000):
            self.launch()
            while self.alive and not self.begun() and time.monotonic() < deadline:
                time.sleep(0.05)
            if self.alive and self.begun():
                return tries
            if self.process is None or self.process.poll() not in (75, None) or time.monotonic() > deadline:
                break
            time.sleep(0.3)
        code = self.process.poll() if self.process else None
        raise AssertionError(f"{self.name} does not start ({code}): {self.logs[-1].read_text()[-3000:]}")

    def launch(self) -> None:
        self.starts += 1
        log = self.folder / f"{self.name}-{self.starts}.log"
        log.touch()
        self.logs.append(log)
        self.process = spawn(self.home, self.words, log)

    def wait(self) -> None:
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            if self.begun():
                return
            if not self.alive:
                break
            time.sleep(0.05)
        raise AssertionError(f"{self.name} did not start: {self.logs[-1].read_text()[-3000:]}")

    def begun(self) -> bool:
        """Whether it has said that it works; a server has its address then."""
        text = self.logs[-1].read_text("utf-8", "replace")
        entries = [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
        for entry in entries:
            if entry.get("event") == "serving":
                host, _, port = str(entry["address"]).removeprefix("http://").rpartition(":")
                self.address = host, int(port)
        wanted = "worker started" if self.words[0] == "serve" else "working"
        return any(entry.get("event") == wanted for entry in entries)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> bool:
        """SIGKILL; whether it was running."""
        assert self.process is not None
        self.address = None
        return kill(self.process)

    def stop(self) -> None:
        """End it gracefully; killed when it does not."""
        if self.process is None or not self.alive:
            return
        self.process.terminate()
        try:
            self.process.wait(START)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop: {self.logs[-1].read_text()[-3000:]}") from None


def server(home: Path, name: str, folder: Path, *more: str) -> Standing:
    """A server on a free port."""
    return Standing(home, name, ["serve", "--port", "0", *more], folder)


def worker(home: Path, name: str, folder: Path, *only: str) -> Standing:
    """A worker for these jobs, or all."""
    return Standing(home, name, ["work", *(word for job in only for word in ("--only", job))], folder)


@dataclass(frozen=True)
class Answer:
    """What a server said; status 0 when it said nothing whole."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    address: tuple[str, int] | None,
    key: str,
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    seconds: float = 30.0,
    **headers: str,
) -> Answer:
    """One request; whatever goes wrong on the way is no answer."""
    if address is None:
        return Answer(0, b"")
    connection = http.client.HTTPConnection(*address, timeout=seconds)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {key}", **given})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), dict(answer.getheaders()))
    except (OSError, http.client.HTTPException):
        return Answer(0, b"")
    finally:
        connection.close()


def post_files(
    address: tuple[str, int] | None,
    key: str,
    files: dict[str, bytes],
    *,
    idempotency_key: str,
    poid: str | None = None,
    seconds: float = 30.0,
) -> Answer:
    """A deposit, or an update of an object."""
    path = "/v1/preservation-objects" + (f"/{poid}/versions" if poid else "")
    body = body_of(*(file(name, content) for name, content in files.items()))
    return ask(
        address,
        key,
        "POST",
        path,
        body,
        seconds=seconds,
        Content_Type=_MULTIPART,
        Idempotency_Key=idempotency_key,
    )
