"""A time-stamp authority over real HTTP that answers rightly, late, wrongly or not at all.

The rules this module keeps
 * Tokens are made by `tests/unit/signing/forge`, not by the product.
 * The authority's root must be put among the trust anchors of the home that is to believe it.
 * What it does is decided for each request by `behaviour`, so that it can change its mind.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn

from cryptography.hazmat.primitives.serialization import Encoding

from archive_core.digests import Digest
from tests.unit.signing import forge
from tests.unit.signing.fake_tsa import FakeTsa, response
from tests.unit.signing.forge import Recipe

POLICY = "2.999.7"
ANSWER = b"Content-Type: application/timestamp-reply\r\n"

Behaviour = Callable[[socket.socket, bytes], None]


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    allow_reuse_address = True


class HttpTsa:
    """The authority; `address` is where it listens, `asked` how many requests came."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        at = now()
        self.root = forge.authority("HTTP test root", start=at - forge.YEAR, end=at + 20 * forge.YEAR)
        self.unit = self._unit(at - forge.YEAR, at + 10 * forge.YEAR)
        self.behaviour: Behaviour = self.honest
        self.asked = 0
        self.address = ""
        self._first: bytes | None = None

    @property
    def anchor(self) -> bytes:
        """The root certificate as PEM."""
        return self.root.certificate.public_bytes(Encoding.PEM)

    @contextmanager
    def listening(self, port: int = 0) -> Iterator[HttpTsa]:
        """Serve for the length of the block, on a free port or on this one."""
        authority = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                try:
                    request = _body(self.request)
                    authority.asked += 1
                    authority.behaviour(self.request, request)
                except OSError:
                    return  # the client has hung up, as it may

        with _Server(("127.0.0.1", port), Handler) as server:
            self.address = f"http://127.0.0.1:{server.server_address[1]}/tsa"
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def _unit(self, start: datetime, end: datetime) -> forge.Identity:
        return forge.time_stamp_unit(self.root, "HTTP test TSU", start=start, end=end, key=forge.new_key("p384"))

    # -- what it can do -------------------------------------------------------------------------

    def honest(self, connection: socket.socket, request: bytes) -> None:
        self._send(connection, self._answer(request))

    def lying(self, edit: Callable[[Recipe], Recipe]) -> Behaviour:
        """Honest but for one thing in the token."""
        return lambda connection, request: self._send(connection, self._answer(request, edit))

    def with_status(self, status: int) -> Behaviour:
        """A good token under a status that does not grant it."""
        return lambda connection, request: self._send(connection, self._answer(request, status=status))

    def repeating(self, connection: socket.socket, request: bytes) -> None:
        """The very first good answer again and again, as a careless cache would."""
        self._first = self._first or self._answer(request)
        self._send(connection, self._first)

    def expired(self, connection: socket.socket, request: bytes) -> None:
        """A token under a certificate that ended a month ago."""
        at = self._now()
        unit = self._unit(at - forge.YEAR, at - timedelta(days=30))
        self._send(connection, self._answer(request, lambda recipe: recipe.but(signer=unit)))

    def stranger(self, connection: socket.socket, request: bytes) -> None:
        """A token under a root that nobody trusts."""
        at = self._now()
        root = forge.authority("Stranger", start=at - forge.YEAR, end=at + forge.YEAR)
        unit = forge.time_stamp_unit(root, start=at - forge.YEAR, end=at + forge.YEAR)
        self._send(connection, self._answer(request, lambda recipe: recipe.but(signer=unit, crls=())))

    def raw(self, *parts: bytes) -> Behaviour:
        """These bytes, whatever was asked."""
        return lambda connection, request: connection.sendall(b"".join(parts))

    def body(self, content: bytes, kind: bytes = ANSWER) -> Behaviour:
        """200 with this body."""
        return self.raw(b"HTTP/1.1 200 OK\r\n", kind, b"Content-Length: %d\r\n\r\n" % len(content), content)

    def silent(self, connection: socket.socket, request: bytes) -> None:
        """Never an answer; until the client hangs up."""
        connection.recv(1)

    # -- how ------------------------------------------------------------------------------------

    def _answer(
        self, request: bytes, edit: Callable[[Recipe], Recipe] = lambda recipe: recipe, *, status: int = 0
    ) -> bytes:
        at = self._now()
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        crl = forge.crl(self.root, issued_at=at - timedelta(hours=1))

        def made(recipe: Recipe) -> Recipe:
            return edit(replace(recipe, gen_time=at))

        return FakeTsa(self.unit, (crl,), edit=made, status=status)(request)

    def _send(self, connection: socket.socket, answer: bytes) -> None:
        self.body(answer)(connection, b"")


def other_imprint(recipe: Recipe) -> Recipe:
    return recipe.but(imprint=Digest.of(recipe.imprint.algorithm, b"something else"))


def rejection() -> bytes:
    """A well-formed refusal."""
    return response(2, None, "not today")


def _body(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(4096)
        if not piece:
            raise OSError("hung up")
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(4096)
    return body
