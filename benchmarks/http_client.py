"""A load of HTTP requests from many clients in one thread, so that the client costs little.

python -m benchmarks.http_client LOAD.json    says what happened as one JSON document

Each client keeps one connection and sends its next request when the answer to the last one came. Every
request is the same but for the first bytes of its document. Beside them, if wished, slow clients (a few bytes
at a time) and failing ones (a wrong key, a wrong digest, a connection cut in the middle of a body).
"""

from __future__ import annotations

import itertools
import json
import os
import selectors
import socket
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

BOUNDARY = "----benchmark7MA4YWxkTrZu0gW"
_STAMP = 32


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent, by how many, and for how long. `size` 0 stands for a GET."""

    host: str
    port: int
    path: str
    key: str
    clients: int = 1
    size: int = 0
    seconds: float = 1.0
    slow: int = 0
    failing: int = 0


def request(load: Load, number: int, *, key: str | None = None, digest: str = "") -> bytes:
    """One request; the documents of two numbers differ."""
    authorization = f"Authorization: Bearer {key or load.key}\r\n"
    if not load.size:
        return f"GET {load.path} HTTP/1.1\r\nHost: {load.host}\r\n{authorization}\r\n".encode("ascii")
    claim = f"Content-Digest: sha-256=:{digest}:\r\n" if digest else ""
    body = _body(load.size, number, claim)
    return (
        f"POST {load.path} HTTP/1.1\r\nHost: {load.host}\r\n{authorization}"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode("ascii") + body


_RANDOM: dict[int, bytes] = {}


def _body(size: int, number: int, claim: str) -> bytes:
    document = _RANDOM.setdefault(size, os.urandom(size))
    stamp = f"{os.getpid():010}-{number:020}".encode("ascii")[:_STAMP]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="document.bin"\r\n{claim}\r\n'
    return b"".join((head.encode("ascii"), stamp, document[len(stamp) :], f"\r\n--{BOUNDARY}--\r\n".encode("ascii")))


@dataclass(slots=True)
class Client:
    """One connection: what is still to be sent, and what came of the answer."""

    load: Load
    socket: socket.socket
    sending: memoryview = field(default_factory=lambda: memoryview(b""))
    received: bytearray = field(default_factory=bytearray)
    began: float = 0.0

    def begin(self, data: bytes) -> None:
        self.sending, self.received, self.began = memoryview(data), bytearray(), time.perf_counter()

    def send(self, most: int = 1 << 20) -> bool:
        """Send what can be sent now; True when nothing is left."""
        while self.sending:
            try:
                sent = self.socket.send(self.sending[:most])
            except BlockingIOError:
                return False
            self.sending = self.sending[sent:]
            if most < 1 << 20:
                break
        return not self.sending

    def receive(self) -> tuple[int, bytes] | None:
        """Status and body once the answer is whole; raises ConnectionError when it never will be."""
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.received += data
        return parsed(self.received)


def parsed(received: bytes | bytearray) -> tuple[int, bytes] | None:
    """Status and body of a whole answer with a Content-Length; None while it is not whole."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    lines = bytes(received[:end]).split(b"\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    length = int(fields[b"content-length"])
    body = received[end + 4 :]
    return (int(lines[0].split()[1]), bytes(body[:length])) if len(body) >= length else None


def connect(load: Load) -> socket.socket:
    made = socket.create_connection((load.host, load.port), timeout=60)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def one_connection(load: Load) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    client = Client(load, connect(load))
    with client.socket:
        client.socket.sendall(request(load, 0))
        while (answer := client.receive()) is None:
            pass
    return answer


class Crowd:
    """The good clients of a load, and the others."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._numbers = itertools.count()
        self._selector = selectors.DefaultSelector()
        self.latencies: list[float] = []
        self.refused: dict[str, int] = {}
        self._slow = [self._open() for _ in range(load.slow)]
        self._failing = [self._open() for _ in range(load.failing)]
        self._good = [self._open() for _ in range(load.clients)]

    def _open(self) -> Client:
        made = connect(self._load)
        made.setblocking(False)
        return Client(self._load, made)

    def run(self) -> dict[str, Any]:
        began = time.perf_counter()
        end, last_drip = began + self._load.seconds, began
        for client in self._good:
            self._start(client)
        for client in self._slow:
            client.begin(request(self._load, next(self._numbers)))
        busy, finished = len(self._good), began
        while busy:
            for key, events in self._selector.select(0.05):
                client = key.data
                if events & selectors.EVENT_WRITE and client.send():
                    self._selector.modify(client.socket, selectors.EVENT_READ, client)
                if events & selectors.EVENT_READ and (answer := client.receive()) is not None:
                    now = time.perf_counter()
                    self._answered(client, answer, now)
                    finished = now
                    if now < end:
                        self._start(client)
                    else:
                        self._selector.unregister(client.socket)
                        busy -= 1
            now = time.perf_counter()
            if now - last_drip >= 0.05 and now < end:
                last_drip = now
                self._trouble()
        return self._told(finished - began)

    def _start(self, client: Client) -> None:
        client.begin(request(self._load, next(self._numbers)))
        if client.socket in self._selector.get_map():
            self._selector.modify(client.socket, selectors.EVENT_WRITE, client)
        else:
            self._selector.register(client.socket, selectors.EVENT_WRITE, client)

    def _answered(self, client: Client, answer: tuple[int, bytes], now: float) -> None:
        wanted = 201 if self._load.size else 200
        if answer[0] != wanted:
            raise ConnectionError(f"HTTP {answer[0]} for a good request: {answer[1][:300]!r}")
        self.latencies.append(now - client.began)

    def _trouble(self) -> None:
        """Slow clients send some more bytes; of the failing ones each fails in its own way, and comes again."""
        for client in self._slow:
            client.send(64)
        for number, client in enumerate(self._failing):
            fault = ("key", "digest", "cut")[number % 3]
            self.refused[fault] = self.refused.get(fault, 0) + 1
            client.socket.setblocking(True)
            try:
                data = request(
                    self._load,
                    next(self._numbers),
                    key="0" * 40 if fault == "key" else None,
                    digest="A" * 43 + "=" if fault == "digest" else "",
                )
                client.socket.sendall(data[: len(data) // 2] if fault == "cut" else data)
            except OSError:
                pass  # the server may refuse before it has read everything
            finally:
                client.socket.close()
            self._failing[number] = self._open()

    def _told(self, seconds: float) -> dict[str, Any]:
        if not self.latencies:
            raise ConnectionError("no request was answered")
        ordered = sorted(self.latencies)
        return {
            "answered": len(ordered),
            "seconds": seconds,
            "per_second": len(ordered) / seconds,
            "p50": statistics.median(ordered),
            "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
            "worst": ordered[-1],
            "faults": self.refused,
        }


def command(load: Load, place: Path) -> list[str | Path]:
    """The command line of a load; its description is written to `place`."""
    place.write_text(json.dumps(asdict(load)), "utf-8")
    return [sys.executable, "-m", "benchmarks.http_client", place]


if __name__ == "__main__":
    print(json.dumps(Crowd(Load(**json.loads(Path(sys.argv[1]).read_text("utf-8")))).run()))
