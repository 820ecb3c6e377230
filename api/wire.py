"""In from the wire and out to it: parameters, JSON, headers of downloads.

Rules kept here
 * A parameter that nobody asked for, or one that comes twice, is refused.
 * JSON out is UTF-8 and never cached; bytes of deposited documents are never interpreted by a
   browser: octet-stream, attachment, nosniff.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from flask import Request, Response

from api.refusals import UnknownFieldError, UnsupportedMediaTypeError
from archive_core import canonical
from archive_core.errors import MalformedDocumentError, SizeLimitError, UnknownObjectError, UsageError
from archive_core.identifiers import parse_poid

MAX_JSON = 1024 * 1024
"""Bytes of a JSON request body."""

MAX_KEY = 255

_ENCODER = json.JSONEncoder(ensure_ascii=False)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


def parameters(request: Request, *known: str) -> dict[str, str]:
    """The query parameters; raises `UnknownFieldError` or `UsageError`."""
    for name, values in request.args.lists():
        if name not in known:
            raise UnknownFieldError(f"unknown parameter {name[:40]!a}", known=sorted(known))
        if len(values) > 1:
            raise UsageError(f"the parameter {name} comes twice")
    return request.args.to_dict()


def number(text: str | None, what: str) -> int | None:
    """A positive decimal number, or None for none; raises `UsageError`."""
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise UsageError(f"{what} is a whole number from 1", given=ascii(text[:40]))
    return int(text)


def poid_of(text: str) -> str:
    """A POID from an address; what is not one cannot exist, so it raises `UnknownObjectError`."""
    try:
        return parse_poid(text)
    except ValueError:
        raise UnknownObjectError from None


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key header as it stands, in UTF-8; raises `UsageError` outside 1 to 255 bytes."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    raw = given.encode("latin-1")  # WSGI hands header bytes over as ISO 8859-1 (PEP 3333)
    try:
        key = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("the Idempotency-Key is not UTF-8") from None
    if not 0 < len(raw) <= MAX_KEY:
        raise UsageError(f"the Idempotency-Key has {len(raw)} bytes; 1 to {MAX_KEY} are taken")
    return key


def json_object(request: Request) -> dict[str, Any]:
    """The JSON object in the request body; raises `UsageError` or one of its family."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaTypeError("send the request as application/json")
    body = request.stream.read(MAX_JSON + 1)
    if len(body) > MAX_JSON:
        raise SizeLimitError(f"the body has more than {MAX_JSON} bytes", limit=MAX_JSON)
    try:
        value = canonical.read(body, max_bytes=MAX_JSON)
    except MalformedDocumentError as error:
        raise UsageError(f"the body is not acceptable JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError("the body must be a JSON object")
    return value


def json_response(value: object, status: int = 200, **headers: str) -> Response:
    """`headers` are written with `_` for `-`."""
    response = Response(_ENCODER.encode(value), status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    for name, content in headers.items():
        response.headers[name.replace("_", "-")] = content
    return response


def download(content: bytes | Iterable[bytes], filename: str, mimetype: str, status: int = 200) -> Response:
    """Bytes to be saved under a name, not shown."""
    response = Response(content, status=status, mimetype=mimetype)
    response.headers["Content-Disposition"] = attachment(filename)
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def attachment(filename: str) -> str:
    """Content-Disposition for any name (RFC 6266 4.3, RFC 8187)."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def primed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, with the first chunk already fetched, so that a refusal still becomes a problem
    document and not a broken answer."""
    first = next(chunks, b"")
    return _Primed(first, chunks)


class _Primed:
    """An iterator whose `close` reaches the source, also when nothing was read from it."""

    def __init__(self, first: bytes, rest: Iterator[bytes]) -> None:
        self._first: bytes | None = first
        self._rest = rest

    def __iter__(self) -> _Primed:
        return self

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._rest)

    def close(self) -> None:
        close = getattr(self._rest, "close", None)
        if close is not None:
            close()
