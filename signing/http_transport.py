"""How a time-stamp request travels over HTTP (RFC 3161 3.4).

Rules kept here
 * Only the configured address is contacted: no redirect is followed (a POST that comes back as a GET asks for
   nothing), and where it would lead is told, so that the address can be put right. No proxy is taken from the
   environment; one that the settings name is used for everything, with CONNECT where the address is https.
   Nothing named in an answer is fetched.
 * One deadline covers connecting and another everything after it, TLS handshake included; the answer
   is bounded. A slow or endless peer costs at most that. (Looking up a name has the resolver's own limit.)
 * Status and content type must be right before a byte is believed.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import urlsplit

from archive_core.errors import SettingsError, TimestampAuthorityUnavailableError, TimestampRefusedError

REQUEST_TYPE = "application/timestamp-query"
ANSWER_TYPE = "application/timestamp-reply"
MAX_PROXY_HEAD = 16 * 1024
"""Bytes of a proxy's answer to CONNECT."""


class HttpTransport:
    """Posts a TimeStampReq to one address and returns the body of the answer.

    `timeout` is seconds for connecting, and again for the whole exchange. `tls` is used for https
    addresses (its default checks the server against the system's roots). `credentials` are (user,
    password) for HTTP Basic. `proxy` is `http://HOST:PORT`, with `proxy_credentials` where it asks for them.

    Calling it raises `TimestampAuthorityUnavailableError` when no complete answer came in time or the
    server has trouble (HTTP 5xx, 429), and `TimestampRefusedError` when what came is no time-stamp answer.
    """

    _method = "POST"
    _expected: str | None = ANSWER_TYPE

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 20.0,
        max_answer: int = 1024 * 1024,
        tls: ssl.SSLContext | None = None,
        credentials: tuple[str, str] | None = None,
        proxy: str | None = None,
        proxy_credentials: tuple[str, str] | None = None,
    ) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise SettingsError(f"{url!r} has no valid port") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(f"{url!r} is not an http or https address of a time-stamp authority")
        if parts.username or parts.password or parts.fragment:
            raise SettingsError("an address of a time-stamp authority holds no credentials and no fragment")
        self._url = url
        default = http.client.HTTPS_PORT if parts.scheme == "https" else http.client.HTTP_PORT
        self._host, self._port = parts.hostname, port or default
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._tls = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        self._timeout = timeout
        self._max_answer = max_answer
        self._headers = {"Content-Type": REQUEST_TYPE, "Accept": ANSWER_TYPE, "Connection": "close"}
        if credentials is not None:
            self._headers["Authorization"] = _basic(credentials)
        self._proxy = _proxy_place(proxy) if proxy else None
        self._proxy_headers = {"Proxy-Authorization": _basic(proxy_credentials)} if proxy_credentials else {}
        if self._proxy and self._tls is None:  # RFC 9112 3.2.2: a proxy is given the whole address
            self._path = f"http://{parts.netloc}{self._path}"

    def __call__(self, request: bytes) -> bytes:
        expired = threading.Event()
        try:
            with contextlib.closing(self._reached()) as peer, _cut_after(self._timeout, peer, expired):
                connection = self._connection(peer)
                headers = self._headers if self._tls else self._headers | self._proxy_headers
                connection.request(self._method, self._path, body=request or None, headers=headers)
                response = connection.getresponse()
                self._check_in_time(expired)  # a head that was cut off looks complete
                self._check_head(response)
                body = self._body(response)
                self._check_in_time(expired)  # so does a body without announced length
                return body
        except (OSError, http.client.HTTPException) as error:
            self._check_in_time(expired)
            said = str(error) or type(error).__name__
            raise TimestampAuthorityUnavailableError(f"{self._url}: {said}", url=self._url) from error

    def _check_in_time(self, expired: threading.Event) -> None:
        if expired.is_set():
            message = f"{self._url}: no complete answer within {self._timeout:g} s"
            raise TimestampAuthorityUnavailableError(message, url=self._url)

    def _reached(self) -> socket.socket:
        """A connected socket; with TLS, before its handshake."""
        peer = socket.create_connection(self._proxy or (self._host, self._port), self._timeout)
        if self._tls is None:
            return peer
        try:
            if self._proxy:
                self._tunnel(peer)
            return self._tls.wrap_socket(peer, server_hostname=self._host, do_handshake_on_connect=False)
        except BaseException:
            peer.close()
            raise

    def _tunnel(self, peer: socket.socket) -> None:
        """Ask the proxy for a way to the server (RFC 9110 9.3.6)."""
        deadline = time.monotonic() + self._timeout
        place = f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        lines += [f"{name}: {value}" for name, value in self._proxy_headers.items()]
        peer.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            peer.settimeout(max(0.001, deadline - time.monotonic()))
            octet = peer.recv(1)  # one at a time: what comes behind the head is the server's
            if not octet or len(head) > MAX_PROXY_HEAD:
                raise OSError("the proxy gave no answer that can be read")
            head += octet
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].startswith(b"2"):
            said = head.split(b"\r\n", 1)[0][:100].decode("ascii", "replace")
            raise OSError(f"the proxy lets nobody through: {said!r}")
        peer.settimeout(self._timeout)

    def _connection(self, peer: socket.socket) -> http.client.HTTPConnection:
        """HTTP over a socket that is connected already, so that it never connects anywhere by itself."""
        connection = http.client.HTTPConnection(self._host, self._port)
        if isinstance(peer, ssl.SSLSocket):
            peer.do_handshake()
            connection.default_port = http.client.HTTPS_PORT
        connection.auto_open = 0
        connection.sock = peer
        return connection

    def _check_head(self, response: http.client.HTTPResponse) -> None:
        status = response.status
        if status >= 500 or status in (408, 425, 429):
            raise TimestampAuthorityUnavailableError(f"{self._url}: HTTP {status}", url=self._url, status=status)
        if status != 200:
            why = _redirected(response.headers.get("Location")) if 300 <= status < 400 else ""
            said = f"{self._url}: HTTP {status}{why}"
            raise TimestampRefusedError(said, url=self._url, rule="http-status", status=status)
        kind = response.headers.get_content_type()
        if self._expected is not None and kind != self._expected:
            raise TimestampRefusedError(f"{self._url}: content type {kind}, not {self._expected}", rule="content-type")

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        body = response.read(self._max_answer + 1)
        if len(body) > self._max_answer:
            raise TimestampRefusedError(f"{self._url}: more than {self._max_answer} bytes", rule="size")
        if response.length:  # announced and not delivered
            raise http.client.IncompleteRead(body, response.length)
        return body


def _redirected(location: str | None) -> str:
    """For the operator, who has to look at it: an address in an answer is nothing to go to unasked."""
    if not location:
        return " (redirects are not followed)"
    return f" (redirects are not followed; if it is right, put {location[:200]!r} into the settings)"


def _basic(credentials: tuple[str, str]) -> str:
    return "Basic " + b64encode(":".join(credentials).encode()).decode("ascii")


def _proxy_place(proxy: str) -> tuple[str, int]:
    parts = urlsplit(proxy)
    try:
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"{proxy!r} has no valid port") from error
    if parts.scheme != "http" or not parts.hostname or port is None or parts.username or parts.path.strip("/"):
        raise SettingsError("a proxy is written http://HOST:PORT, its user and password apart from it")
    return parts.hostname, port


@contextlib.contextmanager
def _cut_after(seconds: float, sock: socket.socket, expired: threading.Event) -> Iterator[None]:
    """Ends all traffic on a socket when the time is up, however slowly bytes keep dripping in."""

    def cut() -> None:
        expired.set()
        with contextlib.suppress(OSError):  # closed in the meantime: nothing is left to be cut
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, whose own shutdown would wait

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
