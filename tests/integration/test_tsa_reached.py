"""How a time-stamp authority is reached: passwords, client certificates, a private bundle, proxies; what is refused."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from api.settings_services import AuthoritySettings, ConnectionSettings
from api.settings_table import Secret
from api.wiring_signing import http_authority
from archive_core.digests import Digest
from archive_core.errors import SettingsError, TimestampAuthorityUnavailableError, TimestampRefusedError
from tests.unit.signing import forge
from tests.unit.signing.fake_tsa import FakeTsa
from tests.unit.signing.forge import Recipe

IMPRINT = Digest.of("sha512", b"root")
PASSWORD = "tsa-password-4711"
NAMES = (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    allow_reuse_address = True


class Place:
    """An authority behind TLS that asks for a client's certificate and a password; and the files for it."""

    def __init__(self, home: Path) -> None:
        start, end = datetime.now(UTC) - forge.YEAR, datetime.now(UTC) + forge.YEAR
        self.home = home
        self.root = forge.authority("Private root", start=start, end=end)
        self.server = forge.issued("localhost", self.root, start=start, end=end, extensions=[NAMES])
        self.client = forge.issued("archive", self.root, start=start, end=end)
        self.tsa = FakeTsa(forge.time_stamp_unit(forge.authority(start=start, end=end), start=start, end=end), ())
        self.heads: list[bytes] = []
        self.clients: list[Any] = []
        (home / "server.pem").write_bytes(pem(self.server))
        (home / "ca.pem").write_bytes(self.root.certificate.public_bytes(serialization.Encoding.PEM))
        (home / "client.pem").write_bytes(pem(self.client, b"client-secret"))
        bag = pkcs12.serialize_key_and_certificates(
            b"client",
            self.client.key,
            self.client.certificate,
            [self.root.certificate],
            serialization.BestAvailableEncryption(b"client-secret"),
        )
        (home / "client.p12").write_bytes(bag)
        (home / "password").write_text(PASSWORD)
        (home / "client.password").write_text("client-secret\n")

    @contextmanager
    def listening(self) -> Iterator[str]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.home / "server.pem")
        context.load_verify_locations(self.home / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        place = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                try:
                    with context.wrap_socket(self.request, server_side=True) as secure:
                        head, body = request(secure)
                        place.heads.append(head)
                        place.clients.append(secure.getpeercert())
                        secure.sendall(answered(place.tsa(body)))
                except OSError:
                    return  # a client that is not let in, or hangs up

        with listening(Handler) as port:
            yield f"https://localhost:{port}/tsa"

    def settings(self, url: str, **changes: Any) -> AuthoritySettings:
        connection = ConnectionSettings(
            timeout=3.0,
            user="archive",
            password=Secret("file:password"),
            client_key="client.p12",
            client_password=Secret("file:client.password"),
            ca="ca.pem",
        )
        return AuthoritySettings("paid", "http", url, trust_class="advanced", connection=replace(connection, **changes))

    def ask(self, url: str, **changes: Any) -> None:
        http_authority(self.home, self.settings(url, **changes), Clock(), ()).timestamp(IMPRINT)


@contextmanager
def listening(handler: type[BaseRequestHandler]) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def pem(identity: forge.Identity, password: bytes | None = None) -> bytes:
    encryption: Any = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    key = identity.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return bytes(identity.certificate.public_bytes(serialization.Encoding.PEM) + key)


def request(connection: socket.socket) -> tuple[bytes, bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(4096) or b"\r\n\r\n"
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < (lengths or [0])[0]:
        body += connection.recv(4096)
    return head, body


def answered(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("client", ["client.p12", "client.pem"])
def test_basic_and_a_client_certificate_behind_a_private_bundle(place: Place, client: str) -> None:
    """All at once, as paid authorities have it; the key is given to TLS from PKCS#12 and from PEM."""
    with place.listening() as url:
        place.ask(url, client_key=client)
    assert place.clients[0]["subject"] == ((("commonName", "archive"),),)
    assert b"Authorization: Basic YXJjaGl2ZTp0c2EtcGFzc3dvcmQtNDcxMQ==" in place.heads[0].split(b"\r\n")


@pytest.mark.parametrize("changes", [{"client_key": "", "client_password": None}, {"ca": ""}, {"ca": "other.pem"}])
def test_without_the_right_certificates_nobody_is_reached(place: Place, changes: dict[str, Any]) -> None:
    """No client's certificate; the system's roots; the root of somebody else. The bundle replaces the system's."""
    other = forge.authority("Other root").certificate.public_bytes(serialization.Encoding.PEM)
    (place.home / "other.pem").write_bytes(other)
    with place.listening() as url, pytest.raises(TimestampAuthorityUnavailableError) as caught:
        place.ask(url, **changes)
    assert PASSWORD not in str(caught.value)
    assert place.heads == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"client_password": Secret("file:password")}, "cannot be read"),
        ({"client_password": None}, "cannot be read"),
        ({"client_key": "absent.p12"}, "absent.p12"),
        ({"client_key": "ca.pem"}, "cannot be read"),
        ({"ca": "password"}, "bundle of certificates"),
        ({"user": ""}, "written together"),
        ({"password": None}, "written together"),
        ({"user": "a:b"}, "no colon"),
        ({"password": Secret("file:absent")}, "cannot read the secret"),
        ({"proxy": "https://proxy:1"}, "a proxy is written"),
        ({"proxy": "http://u:p@proxy:1"}, "a proxy is written"),
        ({"proxy": "http://proxy"}, "a proxy is written"),
        ({"proxy": "http://proxy:x"}, "no valid port"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(place: Place, changes: dict[str, Any], said: str) -> None:
    """With the key to change, and without a secret."""
    with pytest.raises(SettingsError, match=said) as caught:
        place.ask("https://localhost:1/tsa", **changes)
    assert PASSWORD not in str(caught.value)
    assert "client-secret" not in str(caught.value)


@contextmanager
def proxy(answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> Iterator[tuple[int, list[bytes]]]:
    """A proxy that opens a way to wherever it is asked to, or gives this answer."""
    heads: list[bytes] = []

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += self.request.recv(1)
            heads.append(head)
            self.request.sendall(answer)
            if b" 200 " not in answer:
                return
            port = int(head.split(b" ")[1].rpartition(b":")[2])
            with socket.create_connection(("127.0.0.1", port)) as far:
                back = threading.Thread(target=pump, args=(far, self.request), daemon=True)
                back.start()
                pump(self.request, far)
                back.join(5)

    with listening(Handler) as port:
        yield port, heads


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(4096):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # one side has hung up


def test_a_proxy_is_gone_through_and_learns_no_password_of_the_authority(place: Place) -> None:
    """CONNECT; TLS is with the authority, and Basic goes inside it."""
    with place.listening() as url, proxy() as (port, heads):
        place.ask(url, proxy=f"http://127.0.0.1:{port}", proxy_user="me", proxy_password=Secret("file:client.password"))
    assert len(place.heads) == 1
    assert heads[0].startswith(b"CONNECT localhost:")
    assert b"Proxy-Authorization: Basic bWU6Y2xpZW50LXNlY3JldA==" in heads[0]
    assert b"\r\nAuthorization" not in heads[0]
    assert b"Proxy-Authorization" not in place.heads[0]


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"HTTP/1.1 403 No\r\n\r\n", b"x" * 20_000, b"\r\n\r\n"],
)
def test_a_proxy_that_lets_nobody_through_is_unavailability(place: Place, answer: bytes) -> None:
    """And so is one that speaks no HTTP."""
    with place.listening() as url, proxy(answer) as (port, _), pytest.raises(TimestampAuthorityUnavailableError):
        place.ask(url, proxy=f"http://127.0.0.1:{port}")
    assert place.heads == []


def test_an_address_in_the_clear_is_given_whole_to_the_proxy(place: Place) -> None:
    """RFC 9112 3.2.2: the absolute form."""
    seen: list[bytes] = []

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            head, body = request(self.request)
            seen.append(head)
            self.request.sendall(answered(place.tsa(body)))

    with listening(Handler) as port:
        place.ask("http://tsa.example:8080/path?q", proxy=f"http://127.0.0.1:{port}", client_key="", ca="")
    assert seen[0].startswith(b"POST http://tsa.example:8080/path?q HTTP/1.1\r\nHost: tsa.example:8080\r\n")


@pytest.mark.parametrize(
    ("stated", "asked", "good"),
    [(timedelta(seconds=1), 1.0, True), (timedelta(seconds=2), 1.0, False), (None, 1.0, False), (None, 0.0, True)],
)
def test_an_accuracy_is_stated_and_no_worse_than_asked_for(stated: Any, asked: float, good: bool, place: Place) -> None:
    """EN 319 421: a second, for those that are qualified."""
    from signing.tsa import TsaClient

    def stating(info: Any) -> Any:
        info["accuracy"] = {"seconds": int(stated.total_seconds())} if stated else None
        return info

    def edit(recipe: Recipe) -> Recipe:
        return recipe.but(edit_info=stating)

    tsa = FakeTsa(forge.time_stamp_unit(forge.authority()), (), edit=edit)
    client = TsaClient("a", tsa, accuracy=timedelta(seconds=asked) if asked else None)
    if good:
        assert client.timestamp(IMPRINT).imprint == IMPRINT
        return
    with pytest.raises(TimestampRefusedError, match="accura"):
        client.timestamp(IMPRINT)


def test_a_signer_named_by_sha_1_alone_is_refused() -> None:
    """ESSCertIDv2 (RFC 5816) is asked of every new token."""
    from signing.tsa import TsaClient

    tsa = FakeTsa(forge.time_stamp_unit(forge.authority()), (), edit=lambda recipe: recipe.but(ess="v1"))
    with pytest.raises(TimestampRefusedError, match="ESSCertIDv2"):
        TsaClient("a", tsa).timestamp(IMPRINT)
