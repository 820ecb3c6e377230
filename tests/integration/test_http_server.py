"""The real server: slow, broken and vanishing clients, stops, restarts, the scheduler inside."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.settings import ArchiveSettings
from api.wiring import build_archive
from tests.integration.http_server import Server, launch, running_server
from tests.integration.http_world import BOUNDARY, body_of, file, new_home
from tests.sampling import quick_first

PATIENCE = 1.0
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def home_at(place: Path) -> Path:
    """A new home with its stores and catalogue."""
    settings = new_home(place / "home")
    build_archive(settings, create=True).close()
    return settings.home


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server with little patience, shared by the tests that do not stop it."""
    with running_server(home_at(tmp_path_factory.mktemp("server")), patience=PATIENCE) as started:
        yield started


def ask(
    server: Server, method: str, address: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, address, body, {"Authorization": f"Bearer {server.key}", **given})
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def deposit(server: Server, *, key: str | None = None) -> dict[str, Any]:
    headers = {"Content_Type": MULTIPART} | ({"Idempotency_Key": key} if key else {})
    status, _, body = ask(server, "POST", "/v1/preservation-objects", body_of(file("a.txt", b"hello")), **headers)

    assert status == 201
    return dict(json.loads(body))


def raw(server: Server, *pieces: bytes, pause: float = 0.0, half_close: bool = False) -> bytes:
    """What comes back for these bytes until the server closes the connection."""
    with socket.create_connection((server.host, server.port), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while more := connection.recv(65536):
            received += more
        return received


def head(server: Server, *lines: str) -> bytes:
    given = ["POST /v1/preservation-objects HTTP/1.1", "Host: test", f"Authorization: Bearer {server.key}"]
    return "\r\n".join([*given, f"Content-Type: {MULTIPART}", *lines, "", ""]).encode("ascii")


def told(answer: bytes) -> tuple[int, str]:
    """Status and problem code of a raw answer."""
    top, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in top
    return int(top.split()[1]), str(json.loads(body)["type"]).removeprefix("urn:trusted-archive:problem:")


def staged(server: Server) -> list[str]:
    return [path.name for path in (server.home / "staging" / "deposits").iterdir() if path.name.startswith("upload-")]


def refuses(server: Server) -> bool:
    """Whether nobody listens any more."""
    try:
        socket.create_connection((server.host, server.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def eventually(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


def objects(server: Server) -> list[Any]:
    """What is held, as listed."""
    return list(json.loads(ask(server, "GET", "/v1/preservation-objects")[2])["objects"])


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


BODY = body_of(file("a.bin", b"x" * 300_000))


def test_a_chunked_upload_is_taken(server: Server) -> None:
    """No Content-Length is needed."""
    pieces = [chunk(BODY[start : start + 50_000]) for start in range(0, len(BODY), 50_000)]
    answer = raw(server, head(server, "Transfer-Encoding: chunked", "Connection: close"), *pieces, b"0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 201")


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", f"Content-Length: {len(BODY)}"])
def test_a_stalled_upload_is_told_so_and_closed(server: Server, framing: str) -> None:
    """408 when patience ends, the connection closed, nothing left."""
    part = BODY[:100_000]
    before = objects(server)
    answer = raw(server, head(server, framing), chunk(part) if "chunked" in framing else part)

    assert told(answer) == (408, "stalled-upload")
    assert staged(server) == []
    assert objects(server) == before


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", f"Content-Length: {len(BODY)}"])
def test_a_cut_upload_is_truncated(server: Server, framing: str) -> None:
    """A client that ends its sending half-way is answered 400, and nothing is left."""
    part = BODY[:100_000]
    answer = raw(server, head(server, framing), chunk(part) if "chunked" in framing else part, half_close=True)

    assert told(answer) == (400, "truncated-submission")
    assert staged(server) == []


def test_a_vanished_client_leaves_nothing(server: Server) -> None:
    """A connection reset in mid-upload: no file, no object, no thread held."""
    before = objects(server)
    for _ in range(40):
        connection = socket.create_connection((server.host, server.port), timeout=30)
        connection.sendall(head(server, f"Content-Length: {len(BODY)}") + BODY[:50_000])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    eventually(lambda: not staged(server), "the staging directory is empty")

    assert objects(server) == before


def test_a_broken_chunk_coding_is_told_so(server: Server) -> None:
    """A chunk size that is no number is the client's mistake."""
    answer = raw(server, head(server, "Transfer-Encoding: chunked"), chunk(BODY[:1000]), b"zzz\r\nmore\r\n")

    assert told(answer) == (400, "malformed-upload")
    assert staged(server) == []


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"RUBBISH\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /v1/verifications HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/verifications HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_not_http_is_a_problem_too(server: Server, request_bytes: bytes) -> None:
    """Requests that never reach the application are answered in the same form."""
    assert told(raw(server, request_bytes)) == (400, "usage")


def test_clients_that_drip_do_not_keep_others_out(server: Server) -> None:
    """More dripping clients than threads: all are given up, and a deposit gets through."""
    stop = threading.Event()
    dripping = [socket.create_connection((server.host, server.port), timeout=30) for _ in range(24)]

    def drip() -> None:
        while not stop.wait(0.2):
            for connection in dripping:
                try:
                    connection.send(b"G")
                except OSError:
                    continue

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        assert deposit(server)["status"] == "replicated"
    finally:
        stop.set()
        thread.join()
        for connection in dripping:
            connection.close()


def test_idle_connections_hold_no_thread(tmp_path: Path) -> None:
    """More silent connections than threads, and patience without end: if they held threads, nobody would be served."""
    with running_server(home_at(tmp_path), patience=3600) as server:
        idle = [socket.create_connection((server.host, server.port), timeout=30) for _ in range(64)]
        status, _, _ = ask(server, "GET", "/v1/health")
        for connection in idle:
            connection.close()

    assert status == 200


def test_the_status_tells_how_the_scheduler_fares(server: Server) -> None:
    """Every job that runs every few moments has run, and none has failed; others may take long to have their turn."""
    deposit(server)
    often = {"preserve", "flush trail", "run jobs", "webhooks", "index"}
    assert jobs_told(server).keys() == often | {
        "renew",
        "fixity",
        "examine later",
        "trusted lists",
        "validation data",
        "keep locks",
        "clear leftovers",
        "pay copies",
    }
    eventually(lambda: all(jobs_told(server)[name]["runs"] for name in often), "every job has run")

    assert {job["last_error"] for job in jobs_told(server).values()} == {None}


def jobs_told(server: Server) -> dict[str, dict[str, Any]]:
    return dict(json.loads(ask(server, "GET", "/v1/status")[2])["scheduler"])


def test_a_refused_upload_is_answered_although_it_goes_on(server: Server) -> None:
    """A client without a key that sends megabytes still learns why it was refused."""
    head_only = (
        b"POST /v1/preservation-objects HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n"
    )
    answer = raw(server, head_only, BODY[:300_000])

    assert told(answer) == (401, "unauthenticated")


def test_a_deposit_becomes_evidenced_by_itself(tmp_path: Path) -> None:
    """Nobody types `preserve`; the first key is private and stays the same after a restart."""
    home = home_at(tmp_path)
    settings = home / "trusted-archive.toml"
    with running_server(home) as server:
        key_file = home / "first-key"
        first = server.key
        poid = deposit(server)["poid"]

        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        assert settings.exists()
        assert ask(server, "GET", f"/v1/preservation-objects/{poid}/evidence")[0] == 404
        server.wait_for_nothing(minutes=2)
        eventually(lambda: ask(server, "GET", f"/v1/preservation-objects/{poid}/evidence")[0] == 200, "evidence comes")
        assert server.stop(signal.SIGTERM) == 0
        assert "worker stopped" in server.events()
    with running_server(home) as server:
        assert first == server.key
        assert ask(server, "GET", f"/v1/preservation-objects/{poid}")[0] == 200
        assert server.stop(signal.SIGINT) == 0


def test_a_second_server_on_a_home_is_refused(server: Server, tmp_path: Path) -> None:
    """One server per home; the first goes on."""
    log = tmp_path / "second.log"
    second = launch(server.home, log)

    assert second.wait(60) == 75
    assert "lease-held" in log.read_text("utf-8")
    assert ask(server, "GET", "/v1/health")[0] == 200


def test_a_taken_port_is_told_so(server: Server, tmp_path: Path) -> None:
    """Exit code 78 and the port in the message."""
    log = tmp_path / "other.log"
    other = launch(home_at(tmp_path), log, port=server.port)

    assert other.wait(60) == 78
    assert f"port {server.port}" in log.read_text("utf-8")


@pytest.mark.parametrize("how", quick_first([signal.SIGTERM, signal.SIGINT]))
def test_a_stop_waits_for_a_running_deposit(tmp_path: Path, how: signal.Signals) -> None:
    """An upload that has begun is finished and acknowledged; then the server is gone."""
    with running_server(home_at(tmp_path)) as server:
        with socket.create_connection((server.host, server.port), timeout=60) as connection:
            connection.sendall(head(server, f"Content-Length: {len(BODY)}") + BODY[:200_000])
            eventually(lambda: staged(server), "the upload has begun")
            os.killpg(server.process.pid, how)  # as a terminal does: to every process of the group
            eventually(lambda: refuses(server), "no new connection is taken")
            connection.sendall(BODY[200_000:])
            answer = connection.recv(65536)

        assert answer.startswith(b"HTTP/1.1 201")
        assert server.process.wait(60) == 0
    archive = build_archive(ArchiveSettings.load(server.home))
    try:
        assert archive.catalogue.count_states(None).objects == 1
    finally:
        archive.close()


def test_a_killed_worker_is_replaced_and_its_leftovers_cleared(tmp_path: Path) -> None:
    """kill -9 in mid-upload: a new worker serves, the staging directory is clean, no lock is held."""
    with running_server(home_at(tmp_path)) as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        if not children.exists():
            pytest.skip("children of a process are not to be seen here, so the worker cannot be killed")
        with socket.create_connection((server.host, server.port), timeout=60) as connection:
            connection.sendall(head(server, f"Content-Length: {len(BODY)}") + BODY[:200_000])
            eventually(lambda: staged(server), "the upload has begun")
            os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
            eventually(lambda: server.events().count("worker started") == 2, "another worker")

        assert staged(server) == []
        assert deposit(server)["status"] == "replicated"


def test_every_line_of_the_log_is_json_without_secrets(server: Server) -> None:
    """Structured to the last line, whatever the clients did."""
    deposit(server, key="a-very-private-key")
    logged = server.log.read_text("utf-8")

    assert server.entries()
    for secret in (server.key, "a-very-private-key", "a.txt", "RUBBISH"):
        assert secret not in logged
