"""A small web server on this machine, for what a test has to answer over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


@dataclass(frozen=True)
class Request:
    """What came: method, path, headers (names in lower case, with `-`) and body."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    body: bytes
    kind: str = "application/octet-stream"
    status: str = "200 OK"
    headers: tuple[tuple[str, str], ...] = field(default=())


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Tests read no log."""


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@contextmanager
def serving(answer: Callable[[Request], Answer], port: int = 0) -> Iterator[str]:
    """Answer requests for the length of the block; the server's address is given."""

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        headers = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name[:5] == "HTTP_"}
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        said = answer(Request(environ["REQUEST_METHOD"], environ["PATH_INFO"], headers, body))
        start(said.status, [("Content-Type", said.kind), ("Content-Length", str(len(said.body))), *said.headers])
        return [said.body]

    server = make_server("127.0.0.1", port, app, server_class=_Threaded, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
