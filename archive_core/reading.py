"""Taking a JSON object apart, strictly: the few moves that every format of ours needs.

Rules kept here
 * Nothing is optional unless it says so and nothing unknown is passed over: a reader that ignores a
   member cannot know what was promised there.
 * Each move raises `MalformedDocumentError` naming the member.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from archive_core.canonical import MAX_INTEGER
from archive_core.digests import digest_size, is_known
from archive_core.errors import MalformedDocumentError
from archive_core.findings import utc_text

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
_HEX = re.compile(r"([0-9a-f]{2})*")


def members(value: Any, names: Collection[str], what: str) -> dict[str, Any]:
    """The value itself when it is an object with exactly these members."""
    if not isinstance(value, dict):
        raise MalformedDocumentError(f"{what} is not a JSON object")
    if set(value) != set(names):
        differing = sorted(set(value) ^ set(names))
        raise MalformedDocumentError(f"{what} lacks or has unknown members: {ascii(differing)[:200]}")
    return value


def formatted(value: Any, expected: str) -> None:
    """Check the `format` member of a document."""
    if value != expected:
        raise MalformedDocumentError(f"not {expected} but {ascii(value)[:80]}")


def integer(value: Any, what: str, *, least: int = 0, most: int = MAX_INTEGER) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise MalformedDocumentError(f"{what} is not an integer from {least} to {most}")
    return value


def text(value: Any, what: str, *, most: int = 1024, least: int = 1) -> str:
    """Text of `least` to `most` bytes of UTF-8."""
    if not isinstance(value, str) or not least <= len(value.encode("utf-8")) <= most:
        raise MalformedDocumentError(f"{what} is not text of {least} to {most} bytes")
    return value


def optional_text(value: Any, what: str, *, most: int = 1024) -> str | None:
    return None if value is None else text(value, what, most=most)


def flag(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise MalformedDocumentError(f"{what} is not true or false")
    return value


def one_of(value: Any, allowed: Collection[str], what: str) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise MalformedDocumentError(f"{what} is none of {', '.join(sorted(allowed))}")
    return value


def items(value: Any, what: str, *, most: int, least: int = 0) -> list[Any]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise MalformedDocumentError(f"{what} is not a list of {least} to {most} items")
    return value


def hex_bytes(value: Any, what: str, size: int) -> bytes:
    """Exactly `size` bytes in lower-case hexadecimal digits."""
    if not isinstance(value, str) or len(value) != 2 * size or not _HEX.fullmatch(value):
        raise MalformedDocumentError(f"{what} is not {2 * size} lower-case hexadecimal digits")
    return bytes.fromhex(value)


def digest_name(value: Any, what: str) -> str:
    if not isinstance(value, str) or not is_known(value):
        raise MalformedDocumentError(f"{what} is not a known digest algorithm")
    return value


def digest(value: Any, algorithm: str, what: str) -> bytes:
    return hex_bytes(value, what, digest_size(algorithm))


def base64_bytes(value: Any, what: str, *, most: int) -> bytes:
    """Bytes in padded base64 (RFC 4648 4), in its one canonical spelling."""
    try:
        if not isinstance(value, str) or len(value) > 4 * (most // 3 + 1):
            raise ValueError
        data = base64.b64decode(value, validate=True)
        if base64.b64encode(data).decode("ascii") != value:
            raise ValueError
    except (ValueError, binascii.Error):
        raise MalformedDocumentError(f"{what} is not base64 of at most {most} bytes") from None
    return data


def instant(value: Any, what: str) -> datetime:
    """An RFC 3339 time in UTC with `Z`, in the one spelling that `findings.utc_text` gives it."""
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            read = datetime.fromisoformat(value).astimezone(UTC)
        except ValueError:
            read = None
        if read is not None and utc_text(read) == value:
            return read
    raise MalformedDocumentError(f"{what} is not a time in UTC such as 2026-01-31T12:00:00Z")
