"""A way to an S3 server on which things go wrong: errors, cuts, delays, and locks that are taken and forgotten.

Requests go on as they came, signature and all; only what a fault concerns is changed.
"""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Request:
    """What came: `line` is method, space, target."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def line(self) -> str:
        return f"{self.method} {self.target}"


@dataclass
class Fault:
    """What becomes of requests for which `concerns` is true, as often as `times` says.

    `kind`: `500`, `503`, `403-skew` (answered by us), `lost` (carried out, then no answer), `cut` (the body ends half
    way), `slow` (answered after `seconds`), `forged` (answered 200 and not carried out)."""

    kind: str
    concerns: Callable[[Request], bool] = lambda request: True
    times: int = 1_000_000
    seconds: float = 0.0


@dataclass
class Proxy:
    """A running proxy; put faults into `faults`, look at `seen`."""

    endpoint: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def fault_of(self, request: Request) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.concerns(request):
                fault.times -= 1
                return fault
        return None


_CODES = {"500": "InternalError", "503": "SlowDown", "403-skew": "RequestTimeTooSkewed"}


@contextmanager
def running_proxy(server: str) -> Iterator[Proxy]:
    """A proxy in front of a server's endpoint."""
    there = urlsplit(server)
    locks: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            """Nothing is said."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:
                self.close_connection = True

        def _go(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
            proxy.seen.append(request.line)
            fault = proxy.fault_of(request)
            if fault is None:
                self._answer(*self._forward(request))
            elif fault.kind in _CODES:
                text = f"<Error><Code>{_CODES[fault.kind]}</Code><Message>a fault of the test</Message></Error>"
                self._answer(int(fault.kind[:3]), {}, text.encode())
            elif fault.kind == "slow":
                time.sleep(fault.seconds)
                self._answer(*self._forward(request))
            elif fault.kind == "lost":
                self._forward(request)
                self.close_connection = True
            elif fault.kind == "cut":
                status, headers, body = self._forward(request)
                self._answer(status, headers, body, cut=True)
            else:
                self._forge(request)

        def _forge(self, request: Request) -> None:
            """A lock is taken and shown, and not there."""
            if request.method == "PUT":
                locks[request.target] = request.body
                self._answer(200, {}, b"")
            else:
                self._answer(200 if request.target in locks else 404, {}, locks.get(request.target, b""))

        def _forward(self, request: Request) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
            try:
                connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
                for name, value in request.headers.items():
                    if name.lower() != "expect":
                        connection.putheader(name, value)
                connection.endheaders(request.body)
                answer = connection.getresponse()
                body = answer.read()
                kept = {k: v for k, v in answer.getheaders() if k.lower() not in ("transfer-encoding", "connection")}
                return answer.status, kept, body
            finally:
                connection.close()

        def _answer(self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False) -> None:
            self.send_response_only(status)
            lengths = [value for name, value in headers.items() if name.lower() == "content-length"]
            for name, value in headers.items():
                if name.lower() != "content-length":
                    self.send_header(name, value)
            bodiless = self.command == "HEAD" or status == 204
            self.send_header("Content-Length", lengths[0] if bodiless and lengths else str(len(body)))
            self.end_headers()
            if not bodiless:
                self.wfile.write(body[: len(body) // 2] if cut else body)
            if cut:
                self.wfile.flush()
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _go  # noqa: N815 - names that http.server asks for

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """A client that went away is meant."""

    running = Server(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{running.server_address[1]}")
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        running.shutdown()
        thread.join()
        running.server_close()
