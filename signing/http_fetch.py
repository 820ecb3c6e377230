"""Fetching what a certificate names over HTTP: issuers, revocation lists, answers of OCSP responders.

Rules kept here
 * Only addresses that the settings allow are contacted (`Allowed`): of the same scheme, host and port as an allowed
   one, and below its path. No redirect is followed, no proxy is taken from the environment, and no password of
   anybody is sent there.
 * Time and size of an answer are bounded, as for a time-stamp authority (`http_transport`). What type it says to be
   of decides nothing: what came is judged by its signature.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from archive_core.errors import SettingsError
from signing.http_transport import HttpTransport

MAX_FETCHED = 32 * 1024 * 1024
"""Bytes of a revocation list or response."""

_PORTS = {"http": 80, "https": 443}


class HttpFetch(HttpTransport):
    """Gets what lies at an address, or posts to it what has a content type.

    Calling it raises as `HttpTransport` does."""

    _expected = None

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        content_type: str | None = None,
        proxy: str | None = None,
        proxy_credentials: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(url, timeout=timeout, max_answer=MAX_FETCHED, proxy=proxy, proxy_credentials=proxy_credentials)
        self._method = "POST" if content_type else "GET"
        self._headers = {"Accept": "*/*", "Connection": "close"}
        if content_type is not None:
            self._headers["Content-Type"] = content_type


class Allowed:
    """The addresses that may be contacted: those below `prefixes`. Raises `SettingsError` for a prefix that is none."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._prefixes = [(prefix, self._parts(prefix)) for prefix in prefixes]

    def __bool__(self) -> bool:
        return bool(self._prefixes)

    def allows(self, url: str) -> bool:
        """Whether an address is below one that is allowed; one that cannot be read is not."""
        try:
            place, parts = self._place(urlsplit(url))
        except (ValueError, KeyError):
            return False
        if ".." in parts.path.split("/") or "%2e" in parts.path.lower() or "\\" in url or parts.username is not None:
            return False
        return any(place == known and self._below(parts.path, path) for _, (known, path) in self._prefixes)

    def _parts(self, prefix: str) -> tuple[tuple[str, str, int], str]:
        try:
            place, parts = self._place(urlsplit(prefix))
        except (ValueError, KeyError) as error:
            raise SettingsError(f"{prefix!r} is not the beginning of an http or https address") from error
        if parts.username is not None or parts.query or parts.fragment:
            raise SettingsError(f"{prefix!r} holds more than scheme, host, port and path")
        return place, parts.path

    @staticmethod
    def _place(parts: SplitResult) -> tuple[tuple[str, str, int], SplitResult]:
        if not parts.hostname:
            raise ValueError("no host")
        return (parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]), parts

    @staticmethod
    def _below(path: str, prefix: str) -> bool:
        return path == prefix or path.startswith(prefix if prefix.endswith("/") else f"{prefix}/")
