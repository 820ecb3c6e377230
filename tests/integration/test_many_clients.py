"""Many clients at once before a real server: idle ones, slow ones, oversized ones, and those who work meanwhile."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from api.worker import KEEPALIVE, LEAVE, MOST_UNWANTED
from tests.integration.crowd import DRIPPING, HALF, KEPT, SILENT, UNWANTED, Crowd, mixed
from tests.integration.http_server import Server, running_server
from tests.integration.http_world import BOUNDARY, MAX_UPLOAD, body_of, file
from tests.integration.test_http_server import home_at
from tests.memory import tree_bytes

PATIENCE = 5.0
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
ALLOWED = 1.5
"""Seconds by which the server may be late: it looks once a second."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(home_at(tmp_path_factory.mktemp("many")), patience=PATIENCE) as started:
        yield started


@dataclass
class Latencies:
    """Seconds that requests took, by what they were."""

    deposits: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)

    @property
    def worst(self) -> float:
        return max(self.deposits + self.reads)

    def __str__(self) -> str:
        return "; ".join(
            f"{len(found)} {name}: p50 {statistics.median(found) * 1e3:.0f} ms, "
            f"p99 {sorted(found)[int(len(found) * 0.99)] * 1e3:.0f} ms, worst {max(found) * 1e3:.0f} ms"
            for name, found in (("deposits", self.deposits), ("reads", self.reads))
        )


def work(server: Server, number: int, rounds: int, told: Latencies) -> int:
    """Deposit and read, again and again, each answer good at the first try; how many deposits."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    for turn in range(rounds):
        content = os.urandom(30_000)
        head = {"Authorization": f"Bearer {server.key}", "Content-Type": MULTIPART}
        began = time.monotonic()
        connection.request("POST", "/v1/preservation-objects", body_of(file("a.bin", content)), head)
        answer = connection.getresponse()
        body = answer.read()
        told.deposits.append(time.monotonic() - began)
        assert answer.status == 201, (number, turn, body)
        began = time.monotonic()
        poid = json.loads(body)["poid"]
        connection.request("GET", f"/v1/preservation-objects/{poid}/files/a.bin", headers=head)
        answer = connection.getresponse()
        body = answer.read()
        told.reads.append(time.monotonic() - began)
        assert (answer.status, hashlib.sha512(body).digest()) == (200, hashlib.sha512(content).digest())
    connection.close()
    return rounds


def all_work(server: Server, clients: int, rounds: int) -> Latencies:
    told = Latencies()
    with ThreadPoolExecutor(clients) as pool:
        done = [pool.submit(work, server, number, rounds, told) for number in range(clients)]
        assert sum(one.result() for one in done) == clients * rounds
    return told


def idle_and_active(server: Server, idle: int, active: int, rounds: int, *, at_least: float) -> Crowd:
    """The crowd stands there for at least so many seconds while others work; nobody who works waits for it."""
    alone = all_work(server, active, 1)
    before = tree_bytes(server.process.pid)
    began = time.monotonic()
    with Crowd((server.host, server.port), mixed(idle)) as crowd:
        told = all_work(server, active, rounds)
        while time.monotonic() - began < at_least:
            told = all_work(server, active, rounds)
            assert crowd.there >= 0.9 * idle, "who was cut off comes again at once"
        grown = tree_bytes(server.process.pid) - before
    after = all_work(server, active, 1)
    print(f"{active} active clients alone, before and after: {alone} | {after}")
    print(f"{active} active clients beside {idle} idle ones: {told}")
    print(f"{grown / 2**20:.0f} MiB more; cut off: { {kind: len(found) for kind, found in crowd.borne.items()} }")
    assert crowd.refused == 0
    allowed = max(PATIENCE, 3 * max(alone.worst, after.worst))  # the second on a machine that has much else to do
    assert told.worst < allowed, f"somebody waited for idle ones: {told.worst:.1f} s, {allowed:.1f} s are allowed"
    for kind in (HALF, DRIPPING):
        assert crowd.borne[kind], f"{kind}: nobody was cut off"
        assert max(crowd.borne[kind]) < PATIENCE + ALLOWED, kind
    assert crowd.borne[UNWANTED]
    assert max(crowd.borne[UNWANTED]) < PATIENCE + LEAVE + ALLOWED
    assert grown < 64 * 2**20 + idle * 64 * 1024
    return crowd


@pytest.mark.slow
def test_idle_and_slow_clients_hold_nobody_up(server: Server) -> None:
    """200 idle, half-open, dripping ones, 16 who deposit and read: each of their requests is answered as if they were
    alone; who drips a head or a body that nobody wants is cut off in time and comes again."""
    crowd = idle_and_active(server, 200, 16, 3, at_least=PATIENCE + 2 * ALLOWED)
    assert not crowd.borne[SILENT], "silence within its time is borne"
    assert not crowd.borne[KEPT]


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_thousand_idle_and_sixty_four_active_clients(server: Server) -> None:
    """The same with the full numbers, for as long as silence is borne."""
    crowd = idle_and_active(server, 1000, 64, 10, at_least=2 * KEEPALIVE)
    for kind in (SILENT, KEPT):
        assert crowd.borne[kind]
        assert max(crowd.borne[kind]) < KEEPALIVE + 2 * ALLOWED


@pytest.mark.slow
def test_where_there_is_no_room_idle_ones_go_and_active_ones_stay(tmp_path: Path) -> None:
    """64 connections are all there is, 150 clients idle and come again at once: those who work get in, every time."""
    home = home_at(tmp_path)
    settings = home / "trusted-archive.toml"
    text = settings.read_text()
    settings.write_text(text.replace("threads = 16", "threads = 16\nconnections = 64"))
    assert settings.read_text() != text
    with (
        running_server(home, patience=PATIENCE) as one,
        Crowd((one.host, one.port), [SILENT, KEPT, HALF] * 50) as crowd,
    ):
        told = all_work(one, 8, 3)
        files = len(list(Path(f"/proc/{worker_of(one)}/fd").iterdir()))
    print(told, {kind: len(found) for kind, found in crowd.borne.items()})
    assert told.worst < PATIENCE
    assert crowd.borne[SILENT]
    assert min(crowd.borne[SILENT]) < PATIENCE < KEEPALIVE
    assert files < 64 + 100


def worker_of(server: Server) -> int:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return int(children[0])


# -- what is too large --------------------------------------------------------------------------


def head(server: Server, *lines: str) -> bytes:
    given = ["POST /v1/preservation-objects HTTP/1.1", "Host: test", f"Authorization: Bearer {server.key}"]
    return "\r\n".join([*given, f"Content-Type: {MULTIPART}", *lines, "", ""]).encode("ascii")


def status_of(connection: socket.socket) -> int:
    """Of the next answer, which is read to the end of its head."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        assert more, received
        received += more
    return int(received.split()[1])


def taken_before_the_end(connection: socket.socket, piece: bytes, most: int) -> int:
    """Bytes that are taken of a client that goes on sending, until it is cut off."""
    sent = 0
    connection.settimeout(LEAVE + 10)
    while sent < most:
        try:
            sent += connection.send(piece)
        except OSError:
            return sent
    raise AssertionError(f"{most} bytes were taken of what is too large")


def test_what_is_announced_too_large_is_refused_before_it_is_sent(server: Server) -> None:
    """413 to the head alone; of who sends it nevertheless little is taken, and then the connection ends."""
    with socket.create_connection((server.host, server.port), timeout=30) as connection:
        connection.sendall(head(server, f"Content-Length: {2**40}"))
        assert status_of(connection) == 413
        taken = taken_before_the_end(connection, b"x" * 65536, 256 * 2**20)
    assert taken < MOST_UNWANTED + 16 * 2**20, "more than the system's buffers"
    assert list((server.home / "staging" / "deposits").iterdir()) == []


def test_what_grows_too_large_is_refused_when_it_does(server: Server) -> None:
    """Without an announcement: 413 as soon as it is too much, not at the end."""
    begin = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'.encode()
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with socket.create_connection((server.host, server.port), timeout=30) as connection:
        connection.sendall(
            head(server, "Transfer-Encoding: chunked") + f"{len(begin):x}\r\n".encode() + begin + b"\r\n"
        )
        sent = 0
        connection.setblocking(False)
        answer = b""
        deadline = time.monotonic() + 30
        while not answer and time.monotonic() < deadline:
            try:
                sent += connection.send(piece[sent % len(piece) :])
            except BlockingIOError:
                time.sleep(0.01)
            try:
                answer = connection.recv(65536)
            except BlockingIOError:
                continue
    assert answer.startswith(b"HTTP/1.1 413"), answer[:200]
    assert MAX_UPLOAD <= sent < MAX_UPLOAD + 16 * 2**20
    assert list((server.home / "staging" / "deposits").iterdir()) == []


def test_who_asks_before_sending_is_answered_before_sending(server: Server) -> None:
    """Expect: 100-continue: 413 and 401 come instead of `100 Continue`; who may send is told to."""
    body = body_of(file("a.bin", b"x" * 1000))
    wanted = head(server, "Expect: 100-continue", f"Content-Length: {len(body)}")
    stranger = wanted.replace(server.key.encode(), b"0" * 40)
    assert stranger != wanted
    for asked, status in ((head(server, "Expect: 100-continue", f"Content-Length: {2**40}"), 413), (stranger, 401)):
        with socket.create_connection((server.host, server.port), timeout=30) as connection:
            connection.sendall(asked)
            assert status_of(connection) == status
            while connection.recv(65536):
                pass  # and it ends: nobody knows whether the body will come
    with socket.create_connection((server.host, server.port), timeout=30) as connection:
        connection.sendall(wanted)
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert status_of(connection) == 201


def test_a_head_without_end_is_refused(server: Server) -> None:
    """In bounded memory, with a problem document."""
    with socket.create_connection((server.host, server.port), timeout=30) as connection:
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 40_000)
        assert status_of(connection) == 400


def test_requests_that_come_together_are_all_answered(server: Server) -> None:
    """Ten in one piece, the eleventh cut in its head; then its rest."""
    one = b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.create_connection((server.host, server.port), timeout=30) as connection:
        connection.sendall(one * 10 + one[:20])
        received = b""
        connection.settimeout(1.0)
        try:
            while more := connection.recv(65536):
                received += more
        except TimeoutError:
            assert received.count(b"HTTP/1.1 200") == 10
        connection.settimeout(30)
        connection.sendall(one[20:])
        assert status_of(connection) == 200
