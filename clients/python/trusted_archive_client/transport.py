"""Requests over one connection, made again while that may help.

Rules kept here
 * A request is made again after no answer, and after the statuses that say "not now": so only requests that may be
   made twice come here. Pauses follow `Retry-After`; without it they grow, and no two clients keep step.
 * `give_up_after` bounds one call as a whole, with its pauses.
 * An answer that came before the request was sent whole counts: it says why.
 * A certificate that is not trusted is not asked again.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from trusted_archive_client.errors import (
    ClientError,
    ProblemError,
    UnexpectedAnswerError,
    UnreachableError,
    UnreadableSourceError,
    problem_of,
)
from trusted_archive_client.sources import BLOCK, Body

MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of an answer that is read into memory."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How long to go on, in seconds. Where the store does not say how long to wait, the pauses are up to `first`, then
    twice as long each time, and no longer than `most`."""

    give_up_after: float = 600.0
    first: float = 0.5
    most: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A status below 400, the headers by their small names, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            raise UnexpectedAnswerError("the answer is no JSON") from None


class Trying:
    """One call with all its tries: knows how long it may still go on."""

    def __init__(self, retry: Retry, sleep: Callable[[float], None], now: Callable[[], float]) -> None:
        self._retry = retry
        self._sleep = sleep
        self._now = now
        self._until = now() + retry.give_up_after
        self._pause = retry.first

    def worth(self, error: ProblemError | UnreachableError) -> bool:
        """Whether the same request may succeed later and there is time for it; then it has been waited for."""
        if isinstance(error, ProblemError):
            return error.retriable and self.again(error.retry_after)
        return self.again(None)

    def again(self, after: float | None) -> bool:
        """Wait before another try; False when there is no time for one."""
        pause = after if after is not None else self._pause * (0.5 + random.random() / 2)  # noqa: S311 - no secret
        self._pause = min(2 * self._pause, self._retry.most)
        if self._now() + pause > self._until:
            return False
        self._sleep(pause)
        return True


class Transport:
    """One connection to one store, for one thread."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float,
        retry: Retry,
        context: ssl.SSLContext | None = None,
        language: str = "en",
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"not the address of a store: {url}")
        self._parts = parts
        self._context = context or (ssl.create_default_context() if parts.scheme == "https" else None)
        self._timeout = timeout
        self._headers = {"Authorization": f"Bearer {key}", "Accept-Language": language}
        self._connection: http.client.HTTPConnection | None = None
        self.retry = retry
        self._sleep = sleep
        self._now = now

    def trying(self) -> Trying:
        return Trying(self.retry, self._sleep, self._now)

    def call(
        self,
        method: str,
        address: str,
        *,
        body: Body | None = None,
        headers: Mapping[str, str | bytes] | None = None,
        trying: Trying | None = None,
    ) -> Answer:
        """The answer, once there is one below 400; raises `ProblemError`, `UnreachableError` or
        `UnexpectedAnswerError`."""
        trying = trying or self.trying()
        while True:
            try:
                with self.once(method, address, body=body, headers=headers) as response:
                    return Answer(response.status, _headers(response), _read(response))
            except (ProblemError, UnreachableError) as error:
                if not trying.worth(error):
                    raise

    @contextmanager
    def once(
        self, method: str, address: str, *, body: Body | None = None, headers: Mapping[str, str | bytes] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """One try: the response while it is read; raises as `call`."""
        done = False
        try:
            response = self._asked(method, address, body, {**self._headers, **(headers or {})})
            if response.status >= 400:
                raise self._refusal(response)
            yield response
            done = response.isclosed() and not response.will_close
        except ssl.SSLCertVerificationError as error:
            raise ClientError(f"the certificate of {self._parts.hostname} is not trusted: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"{method} {address}: {type(error).__name__}: {error}") from error
        finally:
            if not done:
                self.close()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _asked(
        self, method: str, address: str, body: Body | None, headers: Mapping[str, str | bytes]
    ) -> http.client.HTTPResponse:
        fresh = self._connection is None
        connection = self._connection or self._connected()
        self._connection = connection
        connection.putrequest(method, self._parts.path.rstrip("/") + address, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Type", body.content_type)
        if body is not None or method in ("POST", "PATCH"):
            connection.putheader("Content-Length", str(body.size if body else 0))
        failure: OSError | None = None
        try:
            connection.endheaders()
            for block in _blocks(body):
                connection.send(block)
        except (BrokenPipeError, ConnectionResetError) as error:
            failure = error  # the store may have answered before it heard everything
        try:
            return connection.getresponse()
        except http.client.RemoteDisconnected:
            if fresh or failure is not None:
                raise
        self.close()  # an idle connection that had been given up meanwhile says nothing about the store
        return self._asked(method, address, body, headers)

    def _connected(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._context is not None:
            return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=self._timeout)

    def _refusal(self, response: http.client.HTTPResponse) -> Exception:
        after = retry_after(response.headers.get("Retry-After"))
        body = _read(response)
        with contextlib.suppress(ValueError, UnexpectedAnswerError):
            return problem_of(json.loads(body), response.status, after)
        if response.status in (429, 502, 503, 504):  # of a proxy before the store
            return problem_of({"type": "urn:trusted-archive:problem:unavailable"}, response.status, after)
        if response.status < 600 and not body:  # HEAD has no body to say more
            return problem_of({"type": f"urn:trusted-archive:problem:status-{response.status}"}, response.status, after)
        return UnexpectedAnswerError(f"status {response.status} with something that is no problem document")


def retry_after(text: str | None) -> float | None:
    """Seconds (RFC 9110 10.2.3); a date, which the store never sends, counts as nothing said."""
    return float(text) if text is not None and text.isascii() and text.isdecimal() else None


def _blocks(body: Body | None) -> Iterator[bytes]:
    """The bytes to be sent; what cannot be read here is no fault of the connection."""
    try:
        yield from body.blocks() if body is not None else ()
    except (OSError, EOFError) as error:
        raise UnreadableSourceError(str(error)) from error


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def blocks_of_answer(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body to its end; raises `http.client.IncompleteRead` for one that ends before its length, which a read of
    so many bytes passes over in silence."""
    while block := response.read(BLOCK):
        yield block
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)


def _read(response: http.client.HTTPResponse) -> bytes:
    data = bytearray()
    for block in blocks_of_answer(response):
        data += block
        if len(data) > MAX_ANSWER:
            raise UnexpectedAnswerError(f"an answer of more than {MAX_ANSWER} bytes")
    return bytes(data)
