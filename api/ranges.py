"""Ranges and preconditions of RFC 9110 for files that never change.

Rules kept here
 * One byte range is served; several, another unit or nonsense are answered with the whole file
   (RFC 9110 14.2 allows it).
 * The entity tag is the SHA-512 of the file, strong; If-Range with anything else gives the whole file.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Request
from werkzeug.http import parse_range_header

from api.refusals import PreconditionFailedError, RangeNotSatisfiableError


@dataclass(frozen=True, slots=True)
class Selection:
    """Bytes `start` up to but not including `stop`; `partial` when a range was asked for."""

    start: int
    stop: int
    partial: bool

    def content_range(self, size: int) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def not_modified(request: Request, etag: str) -> bool:
    """Whether the caller has it already (If-None-Match); raises `PreconditionFailedError` (If-Match)."""
    if "If-Match" in request.headers and not request.if_match.contains(etag):
        raise PreconditionFailedError
    return "If-None-Match" in request.headers and request.if_none_match.contains_weak(etag)


def select(request: Request, etag: str, size: int) -> Selection:
    """What to send; raises `RangeNotSatisfiableError`."""
    whole = Selection(0, size, partial=False)
    given = parse_range_header(request.headers.get("Range"))
    if given is None or given.units != "bytes" or len(given.ranges) != 1 or not _applies(request, etag):
        return whole
    first, end = given.ranges[0]
    start = max(0, size + first) if first < 0 else first  # a suffix longer than the file is the file
    stop = size if end is None else min(end, size)
    if start >= stop:
        raise RangeNotSatisfiableError(size=size)
    return Selection(start, stop, partial=True)


def _applies(request: Request, etag: str) -> bool:
    given = request.headers.get("If-Range")
    if given is None:
        return True
    # A weak tag never matches here (RFC 9110 13.1.5), and there are no dates to compare with: none is read.
    return given.strip(" \t") == f'"{etag}"'
