"""One large upload that is broken off again and again, on either side, and then deposited.

python -m tests.integration.uploading --gigabytes 5 --at /var/tmp [--seed N]     says as JSON what happened

The rules this module keeps
 * Client and server are processes of their own and die by SIGKILL: the client, the process that serves, the server as a
   whole; the server also in the middle of the deposit. Nothing is said to them beforehand.
 * No two blocks of what is sent are the same, so that a block that is lost, doubled or moved changes the digest.
 * The digest is computed here from what was meant, and compared with the bytes that lie in the stores.
 * A kill that did not hit what it should have hit is an error.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import json
import os
import random
import secrets
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from api.scheduler import LEFTOVERS_INTERVAL
from api.wiring import build_archive
from tests.integration.http_server import ROOT, launch, wait_for_start
from tests.integration.http_world import new_home
from tests.memory import Peak, below
from tests.ports import free_port

GB = 10**9
BLOCK = 2**20
PIECE = 64 * BLOCK
PROVEN = 4
"""Each so-many-th piece comes with a checksum, so that it is kept whole or not at all."""
PATIENCE = 600.0
"""Seconds without any progress after which the test gives up."""


@dataclass(frozen=True)
class Report:
    """What happened: seconds, bytes, the peak of the server's whole process tree, and who was killed how often."""

    size: int
    seed: int
    upload_seconds: float
    deposit_seconds: float
    peak_bytes: int
    looks: int
    kills: dict[str, int]
    sha512: str


# -- what is sent -------------------------------------------------------------------------------


def content(start: int, length: int) -> Iterator[memoryview]:
    """So many bytes of the document from `start`; each view is good until the next one."""
    block = bytearray(hashlib.shake_256(b"the document").digest(BLOCK))
    while length:
        number, inside = divmod(start, BLOCK)
        struct.pack_into(">Q", block, 0, number)
        taken = min(BLOCK - inside, length)
        yield memoryview(block)[inside : inside + taken]
        start, length = start + taken, length - taken


def digest(name: str, start: int, length: int) -> bytes:
    found = hashlib.new(name)
    for view in content(start, length):
        found.update(view)
    return found.digest()


def client(host: str, port: int, key: str, location: str, size: int) -> None:
    """Go on with an upload until it is complete, whatever happens; a client that knows tus, and nothing else."""
    line: http.client.HTTPConnection | None = None
    head = {"Authorization": f"Bearer {key}", "Tus-Resumable": "1.0.0"}
    while True:
        try:
            line = line or http.client.HTTPConnection(host, port, timeout=60)
            line.request("HEAD", location, headers=head)
            answer = line.getresponse()
            answer.read()
            if answer.status in (401, 404, 410):
                sys.exit(f"the upload is not there: {answer.status}")
            offset = int(answer.headers["Upload-Offset"]) if answer.status == 200 else None
            if offset == size:
                return
            if offset is None or not _sent(line, location, head, offset, size):
                time.sleep(0.1)
        except (OSError, http.client.HTTPException):
            line = None
            time.sleep(0.1)


def _sent(line: http.client.HTTPConnection, location: str, head: dict[str, str], offset: int, size: int) -> bool:
    length = min(PIECE - offset % PIECE, size - offset)
    line.putrequest("PATCH", location)
    for name, value in {
        **head,
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": str(offset),
        "Content-Length": str(length),
    }.items():
        line.putheader(name, value)
    if offset // PIECE % PROVEN == 0:
        line.putheader("Upload-Checksum", f"sha1 {base64.b64encode(digest('sha1', offset, length)).decode()}")
    line.endheaders()
    for view in content(offset, length):
        line.send(view)
    answer = line.getresponse()
    answer.read()
    return answer.status == 204


# -- who is killed ------------------------------------------------------------------------------


class Upload:
    """The upload of one document to a new home in `folder`."""

    def __init__(self, folder: Path, size: int, seed: int) -> None:
        build_archive(new_home(folder / "home"), create=True).close()
        self.home, self._folder, self._size, self._seed = folder / "home", folder, size, seed
        self._chance = random.Random(seed)
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self._client: subprocess.Popen[bytes] | None = None
        self._location = ""
        self._starts = 0
        self._began = time.monotonic()
        self._peak = Peak()
        self.kills: dict[str, int] = {}

    def run(self) -> Report:
        """Upload and deposit through all kills; raises AssertionError when something is not as it should be."""
        try:
            with self._peak:
                self._start()
                began = time.monotonic()
                self._upload()
                uploaded = time.monotonic()
                poid = self._deposit()
                deposited = time.monotonic()
                sha512 = digest("sha512", 0, self._size).hex()
                self._judge(poid, sha512)
        finally:
            for process in (self._server, self._client):
                if process is not None and process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        return Report(
            self._size,
            self._seed,
            round(uploaded - began, 1),
            round(deposited - uploaded, 1),
            self._peak.bytes,
            self._peak.looks,
            self.kills,
            sha512,
        )

    def _say(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {what}", flush=True)

    @property
    def _data(self) -> Path:
        """What has come: the one upload that there is."""
        (found,) = (self.home / "staging" / "uploads").glob(f"{self._location.rpartition('/')[2]}*/data")
        return found

    def _start(self) -> None:
        self._starts += 1
        log = self._folder / f"server-{self._starts}.log"
        log.touch()
        self._server = launch(self.home, log, port=self._port)
        wait_for_start(self._server, log)
        self._peak.pid = self._server.pid

    def _begin(self) -> None:
        """A client, on the same upload."""
        key = (self.home / "first-key").read_text("ascii").strip()
        words = ["client", "127.0.0.1", str(self._port), key, self._location, str(self._size)]
        command = [sys.executable, "-m", "tests.integration.uploading", *words]
        self._client = subprocess.Popen(command, cwd=ROOT, start_new_session=True)

    def _upload(self) -> None:
        answer = self._ask("POST", "/v1/uploads", {"Tus-Resumable": "1.0.0", "Upload-Length": str(self._size)})
        assert answer[0] == 201, answer
        self._location = str(answer[1]["Location"])
        self._begin()
        for at, victim in self._plan():
            self._wait_for(at)
            self._kill(victim)
        self._wait_for(self._size)
        assert self._client is not None
        assert self._client.wait(PATIENCE) == 0

    def _plan(self) -> list[tuple[int, str]]:
        """Places at which somebody dies: each twice and more, in any order."""
        victims = ["client", "one process", "server"] * max(2, min(6, self._size // (2 * GB)))
        self._chance.shuffle(victims)
        step = self._size / (len(victims) + 1)
        return [(int((number + self._chance.uniform(0.5, 1.4)) * step), one) for number, one in enumerate(victims)]

    def _wait_for(self, size: int) -> None:
        last, moved = -1, time.monotonic()
        while (now := self._data.stat().st_size) < size:
            assert self._client is not None
            assert self._client.poll() in (None, 0), "the client gave up"
            if now != last:
                last, moved = now, time.monotonic()
            assert time.monotonic() - moved < PATIENCE, f"nothing goes on at {now}"
            time.sleep(0.01)

    def _kill(self, victim: str) -> None:
        assert self._server is not None
        assert self._client is not None
        self.kills[victim] = self.kills.get(victim, 0) + 1
        self._say(f"{victim} killed at {self._data.stat().st_size}")
        if victim == "client":
            assert self._client.poll() is None, "the client was through before it could be killed"
            self._client.kill()
            self._client.wait()
            self._begin()
        elif victim == "one process":
            serving = below(self._server.pid)[1:]
            assert serving, "the server has no process that could be killed"
            os.kill(self._chance.choice(serving), signal.SIGKILL)
        else:
            self._kill_server()

    def _kill_server(self) -> None:
        assert self._server is not None
        self._peak.pid = None
        assert self._server.poll() is None, "the server ended by itself"
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait()
        time.sleep(self._chance.uniform(0.0, 0.3))
        self._start()

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=7200)
        key = (self.home / "first-key").read_text("ascii").strip()
        line.request(method, path, body, {"Authorization": f"Bearer {key}", **headers})
        answer = line.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        line.close()
        return found

    def _deposit(self) -> str:
        """Under a key: the server dies in the middle of it, and is asked again."""
        wanted = {"files": [{"path": "large.bin", "upload": self._location.rpartition("/")[2]}]}
        headers = {"Content-Type": "application/json", "Idempotency-Key": "large"}
        body = json.dumps(wanted).encode()
        self._say("uploaded")
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(self._ask, "POST", "/v1/deposits", headers, body)
            while self._written() < self._size // 3:
                assert not first.done(), first.result()
                time.sleep(0.01)
            self._kill_server()
            self.kills["server in the deposit"] = 1
            assert isinstance(first.exception(), (OSError, http.client.HTTPException))
        self._say("server killed in the deposit")
        status, _, answer = self._ask("POST", "/v1/deposits", headers, body)
        assert status == 201, answer
        status, _, again = self._ask("POST", "/v1/deposits", headers, body)
        assert (status, json.loads(again)["poid"]) == (200, json.loads(answer)["poid"])
        self._say("deposited")
        return str(json.loads(answer)["poid"])

    def _written(self) -> int:
        """Bytes that have come to the stores, or to their staging directories."""
        found = 0
        for place in (self.home / "stores", self.home / "staging" / "one", self.home / "staging" / "two"):
            for folder, _, names in os.walk(place):
                for name in names:
                    try:
                        found += (Path(folder) / name).stat().st_size
                    except FileNotFoundError:
                        continue
        return found

    # -- at the end ---------------------------------------------------------------------------

    def _judge(self, poid: str, sha512: str) -> None:
        """The stored bytes are those that were meant, the API says so, and nothing else is left anywhere."""
        status, said, _ = self._ask("HEAD", f"/v1/preservation-objects/{poid}/files/large.bin", {})
        told = base64.b64encode(bytes.fromhex(sha512)).decode()
        assert (status, said["Repr-Digest"]) == (200, f"sha-512=:{told}:")
        (one,) = (self.home / "stores" / "one").rglob("large.bin")
        (two,) = (self.home / "stores" / "two").rglob("large.bin")
        with one.open("rb") as stored:
            assert hashlib.file_digest(stored, "sha512").hexdigest() == sha512
        assert _same(one, two)
        status, _, _ = self._ask("DELETE", self._location, {"Tus-Resumable": "1.0.0"})
        assert status == 204
        deadline = time.monotonic() + 2 * LEFTOVERS_INTERVAL
        while left := [path for path in (self.home / "staging").rglob("*") if _is_large(path)]:
            assert time.monotonic() < deadline, left
            time.sleep(0.2)
        assert list((self.home / "staging" / "uploads").iterdir()) == []
        for store in ("one", "two"):
            held = sum(path.stat().st_size for path in (self.home / "stores" / store).rglob("*") if path.is_file())
            assert self._size < held < self._size * 1.001 + 8 * 2**20, f"{store} holds {held} bytes"
        listed: dict[str, Any] = json.loads(self._ask("GET", "/v1/preservation-objects", {})[2])
        assert [each["poid"] for each in listed["objects"]] == [poid]


def _is_large(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 4096


def _same(one: Path, two: Path) -> bool:
    with one.open("rb") as left, two.open("rb") as right:
        while True:
            a, b = left.read(4 * BLOCK), right.read(4 * BLOCK)
            if a != b:
                return False
            if not a:
                return True


def upload_in(folder: Path, size: int, seed: int | None = None) -> Report:
    """Run it in a new folder below `folder`, which is removed afterwards, and printed; needs four times the room."""
    seed = secrets.randbelow(2**31) if seed is None else seed
    print(f"seed {seed}", flush=True)
    free = shutil.disk_usage(folder).free
    assert free > 3.2 * size, (
        f"{folder} has {free / GB:.1f} GB free; an upload of {size / GB:.1f} GB needs 3.2 times that"
    )
    place = Path(tempfile.mkdtemp(prefix="upload-", dir=folder))
    try:
        report = Upload(place, size, seed).run()
    finally:
        shutil.rmtree(place)
    print(json.dumps(asdict(report)), flush=True)
    return report


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.uploading", description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--at", type=Path, default=Path("/var/tmp"), help="where; four times the size must be free")
    parser.add_argument("--seed", type=int)
    given = parser.parse_args(words)
    upload_in(given.at, int(given.gigabytes * GB), given.seed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        client(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5], int(sys.argv[6]))
    else:
        main()
