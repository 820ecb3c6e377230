"""multipart/form-data (RFC 7578) from a stream, one event at a time, with bounds.

Rules kept here
 * Memory is bounded whatever is sent: one block plus one part header. Nothing is looked up by seeking.
 * A refusal comes as soon as its cause has been read, not at the end of the body.
 * Names are taken as they stand: no percent-decoding, no stripping of folders; only the backslash
   escapes of a quoted string (RFC 9110 5.6.4) and `filename*` in UTF-8 (RFC 8187) are undone.
 * What is ambiguous is refused: a header twice, a parameter twice, a coding on a part.
 * A body that ends before its closing delimiter or before its Content-Length is truncated.

Delimiters are found by `multipart_decoder`. Werkzeug's decoder is not used: where a block of the body
ends inside a delimiter line, it takes the line feed at the end of a document for part of that line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote_to_bytes

from gunicorn.http.errors import ParseException
from werkzeug.datastructures import Headers
from werkzeug.exceptions import ClientDisconnected

from api.digest_fields import merge_claims, parse_digest_field
from api.multipart_decoder import MultipartDecoder, PartData
from api.refusals import MalformedUploadError, StalledUploadError, UnsupportedMediaTypeError
from archive_core.digests import MultiHasher
from archive_core.errors import DigestMismatchError, SizeLimitError, TruncatedSubmissionError

__all__ = ["BLOCK", "BodyReader", "PartData", "PartStart", "boundary_of", "read_parts"]

BLOCK = 64 * 1024

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_PARAMETER = re.compile(r'\s*;\s*([A-Za-z*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";]+))', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class PartStart:
    """A part begins. `filename` is None for a plain form field; `claims` are digests by our names."""

    name: str
    filename: str | None
    claims: dict[str, str] = field(default_factory=dict)


def boundary_of(content_type: str | None) -> bytes:
    """The boundary of a multipart/form-data media type; raises `UnsupportedMediaTypeError` for
    another type and `MalformedUploadError` for a boundary outside RFC 2046 5.1.1."""
    kind, _, _ = (content_type or "").partition(";")
    if kind.strip().lower() != "multipart/form-data":
        raise UnsupportedMediaTypeError("send the files as multipart/form-data")
    boundary = _parameters((content_type or "")[len(kind) :], "Content-Type").get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise MalformedUploadError("the media type has no usable boundary (RFC 2046 5.1.1)")
    return boundary.encode("ascii")


class BodyReader:
    """Reads the request body block by block: counts it, checks its announced length and digests.

    `limit` is the largest number of bytes taken; `announced` the Content-Length, None when chunked.
    """

    def __init__(
        self, stream: Readable, *, limit: int, announced: int | None = None, claims: dict[str, str] | None = None
    ) -> None:
        self._stream = stream
        self._limit = limit
        self._announced = announced
        self._claims = claims or {}
        self._hasher = MultiHasher(self._claims)
        if announced is not None and announced > limit:
            raise SizeLimitError(f"the body has {announced} bytes; at most {limit} are taken", limit=limit)

    def blocks(self) -> Iterator[bytes]:
        """Every block of the body; raises `StalledUploadError`, `TruncatedSubmissionError`,
        `SizeLimitError`, `MalformedUploadError` or `DigestMismatchError`."""
        while block := self._read():
            self._hasher.update(block)
            if self._hasher.size > self._limit:
                raise SizeLimitError(f"the body has more than {self._limit} bytes", limit=self._limit)
            yield block
        if self._announced is not None and self._hasher.size != self._announced:
            raise TruncatedSubmissionError(
                f"the body ended after {self._hasher.size} of {self._announced} bytes; nothing was stored"
            )
        for name, digest in self._hasher.digests().items():
            if digest.hex != self._claims[name]:
                raise DigestMismatchError(
                    "the body has another digest than its Content-Digest claims; send it again",
                    algorithm=name,
                    claimed=self._claims[name],
                    found=digest.hex,
                )

    def _read(self) -> bytes:
        try:
            return self._stream.read(BLOCK)
        except TimeoutError:
            raise StalledUploadError(f"nothing came after {self._hasher.size} bytes of the body") from None
        except ParseException as error:
            raise MalformedUploadError(f"the chunked coding of the body is broken ({type(error).__name__})") from None
        except (OSError, ClientDisconnected) as error:
            raise TruncatedSubmissionError(
                f"the connection ended after {self._hasher.size} bytes of the body; nothing was stored"
            ) from error


def read_parts(body: BodyReader, boundary: bytes) -> Iterator[PartStart | PartData]:
    """The parts of the body, in order, as a start and its data."""
    decoder = MultipartDecoder(boundary)
    for block in body.blocks():
        for event in decoder.feed(block):
            yield event if isinstance(event, PartData) else _start(event)
    decoder.finish()


def _start(headers: Headers) -> PartStart:
    for name in ("Content-Disposition", "Content-Digest", "Repr-Digest", "Content-Encoding"):
        if len(headers.getlist(name)) > 1:
            raise MalformedUploadError(f"a part has {name} twice")
    if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaTypeError("a part has a content coding; send the bytes to be kept as they are")
    if headers.get("Content-Transfer-Encoding", "binary").strip().lower() not in ("7bit", "8bit", "binary"):
        raise UnsupportedMediaTypeError("a part has a transfer encoding (RFC 7578 4.7 forbids it)")
    kind, _, _ = headers.get("Content-Disposition", "").partition(";")
    if kind.strip().lower() != "form-data":
        raise MalformedUploadError("a part is not form-data")
    given = _parameters(headers["Content-Disposition"][len(kind) :], "Content-Disposition")
    if "name" not in given:
        raise MalformedUploadError("a part has no name")
    claims = merge_claims(parse_digest_field(headers[h]) for h in ("Content-Digest", "Repr-Digest") if h in headers)
    return PartStart(given["name"], _filename(given), claims)


def _filename(given: dict[str, str]) -> str | None:
    extended = given.get("filename*")
    if extended is None:
        return given.get("filename")
    charset, _, rest = extended.partition("'")
    _, separator, encoded = rest.partition("'")
    if charset.lower() != "utf-8" or not separator:
        raise MalformedUploadError("filename* must be written UTF-8''NAME (RFC 8187)")
    try:
        return unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedUploadError("filename* is not UTF-8") from None


def _parameters(text: str, where: str) -> dict[str, str]:
    """`; name=value` pairs; raises `MalformedUploadError` when anything else is left or one comes twice."""
    found: dict[str, str] = {}
    position = 0
    while match := _PARAMETER.match(text, position):
        name = match[1].lower()
        if name in found:
            raise MalformedUploadError(f"{where} has the parameter {name} twice")
        found[name] = match[3] if match[2] is None else _ESCAPED.sub(r"\1", match[2])
        position = match.end()
    if text[position:].strip(" \t;"):
        raise MalformedUploadError(f"the parameters of {where} cannot be read")
    return found
