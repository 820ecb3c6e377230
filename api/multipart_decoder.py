"""The lines of a multipart body (RFC 2046 5.1.1): delimiters found, header blocks and content between.

Rules kept here
 * Content comes out as it went in, wherever the body happens to be cut into blocks: a delimiter is a
   delimiter only when all of its line is there, so what may still become one waits for more.
 * A line ends in CRLF. A bare CR or LF is content between delimiters and refused in a header.
 * Memory is bounded by one block, one header block and one delimiter line; time is linear.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from werkzeug.datastructures import Headers

from api.refusals import MalformedUploadError
from archive_core.errors import TruncatedSubmissionError

MAX_HEADER = 16 * 1024
"""Bytes of one part's header block."""
MAX_OUTSIDE = 64 * 1024
"""Bytes before the first delimiter and after the last: both are ignored, neither may be endless."""
_MAX_PADDING = 256
"""White space after a boundary (RFC 2046 5.1.1, transport-padding)."""

_AFTER_BOUNDARY = re.compile(rb"(--)|[ \t]{0,%d}\r\n" % _MAX_PADDING)
_MAY_BECOME_ONE = re.compile(rb"-?|[ \t]{0,%d}\r?" % _MAX_PADDING)
_HEADER_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*")


@dataclass(frozen=True, slots=True)
class PartData:
    """Bytes of the part that began last; `last` when it ends with them."""

    data: bytes
    last: bool


class _Place(enum.Enum):
    BEFORE, HEADER, CONTENT, AFTER = range(4)


class MultipartDecoder:
    """Takes blocks of a body and gives the header and the content of each part, in order."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")  # the first delimiter needs no line before it
        self._searched = 0
        self._place = _Place.BEFORE
        self._outside = 0

    def feed(self, block: bytes) -> Iterator[Headers | PartData]:
        """What the body says up to the end of this block; raises `MalformedUploadError`."""
        self._buffer += block
        moving = True
        while moving:
            match self._place:
                case _Place.BEFORE:
                    skipped, moving = self._up_to_delimiter()
                    self._ignore(len(skipped))
                    self._outside = 0 if moving else self._outside
                case _Place.HEADER:
                    headers = self._header_block()
                    moving = headers is not None
                    if headers is not None:
                        yield headers
                case _Place.CONTENT:
                    content, moving = self._up_to_delimiter()
                    if content or moving:
                        yield PartData(content, last=moving)
                case _Place.AFTER:
                    self._ignore(len(self._buffer))
                    self._buffer.clear()
                    moving = False

    def finish(self) -> None:
        """The body is over; raises `TruncatedSubmissionError` before the closing delimiter."""
        if self._place is not _Place.AFTER:
            raise TruncatedSubmissionError("the body ended before its last part did; nothing was stored")

    def _up_to_delimiter(self) -> tuple[bytes, bool]:
        """The bytes before the next delimiter line, and whether that line is there and was taken."""
        buffer, found = self._buffer, self._searched
        while (found := buffer.find(self._delimiter, found)) >= 0:
            end = found + len(self._delimiter)
            if after := _AFTER_BOUNDARY.match(buffer, end):
                before = bytes(buffer[:found])
                self._place = _Place.AFTER if after[1] else _Place.HEADER
                self._searched = 0
                # The line end of the delimiter stays: a header block may be empty.
                del buffer[: after.end() if after[1] else after.end() - 2]
                return before, True
            if _MAY_BECOME_ONE.fullmatch(buffer, end):
                return self._released(found), False
            found = end - 1  # content that only looks like one; delimiters do not overlap
        return self._released(len(buffer) - len(self._delimiter) + 1), False

    def _released(self, count: int) -> bytes:
        """The first bytes of the buffer, which cannot be a part of a delimiter."""
        ready = bytes(self._buffer[: max(0, count)])
        del self._buffer[: len(ready)]
        self._searched = 0
        return ready

    def _header_block(self) -> Headers | None:
        end = self._buffer.find(b"\r\n\r\n", self._searched)
        if end > MAX_HEADER or (end < 0 and len(self._buffer) > MAX_HEADER):
            raise MalformedUploadError(f"a part header has more than {MAX_HEADER} bytes")
        if end < 0:
            self._searched = max(0, len(self._buffer) - 3)
            return None
        headers = _parse_headers(bytes(self._buffer[2:end]))
        del self._buffer[: end + 4]
        self._place, self._searched = _Place.CONTENT, 0
        return headers

    def _ignore(self, count: int) -> None:
        self._outside += count
        if self._outside > MAX_OUTSIDE:
            raise MalformedUploadError(f"more than {MAX_OUTSIDE} bytes stand before the first part or after the last")


def _parse_headers(block: bytes) -> Headers:
    """The fields of a header block, folded lines joined (RFC 5322 2.2.3)."""
    try:
        text = re.sub(r"\r\n(?=[ \t])", "", block.decode("utf-8"))
    except UnicodeDecodeError:
        raise MalformedUploadError("a part header is not UTF-8") from None
    headers = Headers()
    for line in text.split("\r\n") if text else []:
        field = _HEADER_LINE.fullmatch(line)
        if field is None:
            raise MalformedUploadError("a part header cannot be read (RFC 7578)")
        headers.add(field[1], field[2])
    return headers
