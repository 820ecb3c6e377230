"""The time-stamp client over real sockets: honest, lying, slow, endless and absent authorities."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from archive_core.digests import Digest
from archive_core.errors import SettingsError, TimestampAuthorityUnavailableError, TimestampRefusedError
from signing.http_transport import HttpTransport
from signing.local_trust import POLICY, LocalTrust, create_local_trust
from signing.local_tsa import tsa_wsgi_app
from signing.tsa import TsaClient, build_request
from tests.ports import free_port

IMPRINT = Digest.of("sha512", b"root")
TYPE = b"Content-Type: application/timestamp-reply\r\n"


class Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> LocalTrust:
    return create_local_trust(tmp_path_factory.mktemp("home") / "trust", at=Now().now())


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Tests read no log."""


@contextmanager
def served(trust: LocalTrust) -> Iterator[str]:
    """The local authority over HTTP; the address is given."""
    app = tsa_wsgi_app(trust.responder("local-tsa-1", Now()))
    server: WSGIServer = make_server("127.0.0.1", 0, app, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsa"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A raw server that reads one request and then does as it is told; the requests' heads are given."""
    heads: list[bytes] = []

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            heads.append(_read_request(self.request))
            try:
                answer(self.request)
            except OSError:
                return  # the client has hung up, as it should

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", heads
        finally:
            server.shutdown()
            thread.join()


def _read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(4096)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(4096)
    return head


def sends(*parts: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(b"".join(parts))


def ok(body: bytes, kind: bytes = TYPE) -> Callable[[socket.socket], None]:
    return sends(b"HTTP/1.1 200 OK\r\n", kind, b"Content-Length: %d\r\n\r\n" % len(body), body)


def ask(url: str, **options: float) -> bytes:
    return HttpTransport(url, **{"timeout": 3.0, **options})(build_request(IMPRINT, nonce=1))  # type: ignore[arg-type]


def test_an_honest_authority_is_reached_and_believed(trust: LocalTrust) -> None:
    """The whole way: request, POST, answer, echo."""
    with served(trust) as url:
        token = TsaClient("remote", HttpTransport(url), policy=POLICY).timestamp(IMPRINT)
    assert token.imprint == IMPRINT
    assert abs((Now().now() - token.gen_time).total_seconds()) < 60


def test_the_request_is_what_rfc_3161_says(trust: LocalTrust) -> None:
    """POST, application/timestamp-query, and nothing that identifies us beyond need."""
    with answering(ok(b"x")) as (url, heads):
        HttpTransport(url + "path?q=1", credentials=("user", "pass"))(b"request")
    lines = heads[0].split(b"\r\n")
    assert lines[0] == b"POST /path?q=1 HTTP/1.1"
    assert b"Content-Type: application/timestamp-query" in lines
    assert b"Content-Length: 7" in lines
    assert b"Authorization: Basic dXNlcjpwYXNz" in lines


@pytest.mark.parametrize("status", [b"400 Bad Request", b"401 Unauthorized", b"404 Not Found", b"204 No Content"])
def test_an_answer_other_than_200_is_refused(status: bytes) -> None:
    """It will not become better by itself."""
    server = answering(sends(b"HTTP/1.1 ", status, b"\r\n", TYPE, b"Content-Length: 0\r\n\r\n"))
    with server as (url, _), pytest.raises(TimestampRefusedError, match=status[:3].decode()):
        ask(url)


@pytest.mark.parametrize("status", [b"500 Error", b"502 Bad Gateway", b"503 Later", b"429 Too Many Requests"])
def test_trouble_at_the_authority_is_unavailability(status: bytes) -> None:
    """It may become better: the batch is tried again."""
    server = answering(sends(b"HTTP/1.1 ", status, b"\r\nContent-Length: 0\r\n\r\n"))
    with server as (url, _), pytest.raises(TimestampAuthorityUnavailableError, match=status[:3].decode()):
        ask(url)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(code: int) -> None:
    """Nothing but the configured address is contacted."""
    with answering(ok(b"honey")) as (elsewhere, contacted):
        redirect = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (code, elsewhere.encode())
        with answering(sends(redirect)) as (url, _), pytest.raises(TimestampRefusedError, match="redirect"):
            ask(url)
        assert contacted == []


def test_a_proxy_from_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request goes where the settings say."""
    with answering(ok(b"proxy")) as (proxy, contacted), answering(ok(b"authority")) as (url, _):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        assert ask(url) == b"authority"
        assert contacted == []


def test_a_web_page_with_status_200_is_refused() -> None:
    """Captive portals answer everything."""
    server = answering(ok(b"<html>please log in</html>", b"Content-Type: text/html\r\n"))
    with server as (url, _), pytest.raises(TimestampRefusedError, match="text/html"):
        ask(url)


def test_a_web_page_dressed_as_an_answer_is_refused() -> None:
    """The content type alone convinces nobody."""
    server = answering(ok(b"<html>please log in</html>"))
    with server as (url, _), pytest.raises(TimestampRefusedError, match="TimeStampResp"):
        TsaClient("portal", HttpTransport(url)).timestamp(IMPRINT)


@pytest.mark.parametrize("announced", [True, False])
def test_an_oversized_answer_is_refused(announced: bool) -> None:
    """At most the limit is read, whatever is announced."""
    length = b"Content-Length: 100000\r\n" if announced else b""
    server = answering(sends(b"HTTP/1.1 200 OK\r\n", TYPE, length, b"\r\n", b"x" * 100_000))
    with server as (url, _), pytest.raises(TimestampRefusedError, match="more than 5000"):
        ask(url, max_answer=5000)


def test_an_endless_answer_is_refused() -> None:
    """Memory is bounded also against a peer that never stops."""

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + TYPE + b"\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with answering(endless) as (url, _), pytest.raises(TimestampRefusedError, match="more than"):
        ask(url)


def test_a_truncated_answer_is_unavailability() -> None:
    """Announced and not delivered."""
    server = answering(sends(b"HTTP/1.1 200 OK\r\n", TYPE, b"Content-Length: 500\r\n\r\n", b"x" * 100))
    with server as (url, _), pytest.raises(TimestampAuthorityUnavailableError):
        ask(url)


def test_no_answer_at_all_is_unavailability() -> None:
    """The connection is closed without a word."""
    with answering(lambda connection: None) as (url, _), pytest.raises(TimestampAuthorityUnavailableError):
        ask(url)


def test_something_that_is_not_http_is_unavailability() -> None:
    """Some other service on the port."""
    with answering(sends(b"220 smtp ready\r\n")) as (url, _), pytest.raises(TimestampAuthorityUnavailableError):
        ask(url)


def test_nobody_there_is_unavailability() -> None:
    """Connection refused."""
    port = free_port()
    with pytest.raises(TimestampAuthorityUnavailableError, match=str(port)):
        ask(f"http://127.0.0.1:{port}/")


def _silent(connection: socket.socket) -> None:
    connection.recv(1)


def _dripping_head(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(200):
        connection.sendall(b"X-Drip-%d: 1\r\n" % number)
        time.sleep(0.05)


def _dripping_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + TYPE + b"\r\n")
    for _ in range(200):
        connection.sendall(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("slow", [_silent, _dripping_head, _dripping_body])
def test_one_deadline_covers_everything(slow: Callable[[socket.socket], None]) -> None:
    """A peer that drips byte by byte holds nobody longer than the deadline."""
    started = time.monotonic()
    server = answering(slow)
    late = r"no complete answer within 0\.4 s|timed out"
    with server as (url, _), pytest.raises(TimestampAuthorityUnavailableError, match=late):
        ask(url, timeout=0.4)
    assert time.monotonic() - started < 3


def test_the_deadline_covers_the_tls_handshake() -> None:
    """A peer that accepts the connection and greets nobody; the first byte then drips."""

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):  # the client cuts the connection
            connection.recv(4096)
            for octet in bytes.fromhex("160303") + b"\x40\x00" + b"\x02" * 100:
                connection.sendall(bytes([octet]))
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        started = time.monotonic()
        with pytest.raises(TimestampAuthorityUnavailableError):
            ask(f"https://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.4)
        assert time.monotonic() - started < 3
        thread.join(10)


@pytest.mark.parametrize(
    "url",
    ["", "tsa.example", "ftp://tsa.example/", "http://", "http://user:secret@tsa.example/", "http://tsa.example:x/"],
)
def test_an_address_that_is_none_is_a_settings_error(url: str) -> None:
    """Said at start, not at the first batch."""
    with pytest.raises(SettingsError):
        HttpTransport(url)


def test_https_checks_the_server(trust: LocalTrust, tmp_path: Path) -> None:
    """A server with a certificate nobody vouches for is not talked to."""
    import ssl

    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    from tests.unit.signing import forge

    names = (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
    server = forge.issued("localhost", None, extensions=[names], end=Now().now() + forge.YEAR)
    pem = server.certificate.public_bytes(serialization.Encoding.PEM) + server.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "server.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    _read_request(secure)
                    ok(b"secure")(secure)
            except OSError:
                continue  # the first client hangs up on the unknown certificate

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with pytest.raises(TimestampAuthorityUnavailableError, match="certificate"):
            ask(f"https://localhost:{port}/")
        tls = ssl.create_default_context(cafile=str(tmp_path / "server.pem"))
        assert HttpTransport(f"https://localhost:{port}/", timeout=3, tls=tls)(b"request") == b"secure"
    finally:
        thread.join(5)
        listener.close()


def test_the_application_refuses_what_is_no_request(trust: LocalTrust) -> None:
    """GET, another content type, too much: HTTP errors, not tokens."""
    import http.client

    with served(trust) as url:
        port = int(url.split(":")[2].split("/")[0])
        cases = [
            ("GET", b"", {}, 405),
            ("POST", b"x", {"Content-Type": "text/plain"}, 415),
            ("POST", b"x" * 70_000, {"Content-Type": "application/timestamp-query"}, 413),
        ]
        for method, body, headers, expected in cases:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request(method, "/", body=body, headers=headers)
            assert connection.getresponse().status == expected
            connection.close()
