"""Which keys a store takes.

Rules kept here
 * A key is relative, `/`-separated, with no empty, `.` or `..` part and no NUL: it cannot leave the
   storage root on any backend.
 * A key that is read may hold undecodable bytes (surrogate escapes), because a checker must be able
   to look at whatever lies there; a key that is written is proper Unicode.
 * Not one key of a group is accepted when one of them is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from archive_core.errors import UsageError

MAX_PART_BYTES = 255
"""What POSIX file systems take as one name."""


def check_key(key: str) -> tuple[str, ...]:
    """The parts of a key; raises `UsageError` for anything that could leave the root."""
    parts = tuple(key.split("/"))
    if "\0" in key or any(part in {"", ".", ".."} for part in parts):
        raise UsageError("not a storage key", key=ascii(key)[:200])
    return parts


def check_new_key(key: str) -> tuple[str, ...]:
    """`check_key`, and what every backend can write: UTF-8, at most 255 bytes a part."""
    parts = check_key(key)
    try:
        lengths = [len(part.encode("utf-8")) for part in parts]
    except UnicodeEncodeError as error:
        raise UsageError("a storage key is not Unicode text", key=ascii(key)[:200]) from error
    if max(lengths) > MAX_PART_BYTES:
        raise UsageError("a part of a storage key is longer than 255 bytes", key=ascii(key)[:200])
    return parts


def check_prefix(prefix: str) -> tuple[str, ...]:
    """The parts of a directory prefix; `""` is the root."""
    return check_key(prefix) if prefix else ()


def check_new_keys(keys: Iterable[str]) -> None:
    """All keys good and none twice."""
    seen: set[str] = set()
    for key in keys:
        check_new_key(key)
        if key in seen:
            raise UsageError("the same storage key twice in one group", key=ascii(key)[:200])
        seen.add(key)
