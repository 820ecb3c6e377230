"""Which keys a store takes.

Rules kept here
 * A key is relative, `/`-separated, with no empty, `.` or `..` part and no NUL: it cannot leave the
   storage root on any backend.
 * A key that is read may hold undecodable bytes (surrogate escapes), because a checker must be able
   to look at whatever lies there; a key that is written is proper Unicode.
 * Not one key of a group is accepted when one of them is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from archive_core.errors import UsageError
from archive_core.ports import NewObject

MAX_PART_BYTES = 255
"""What POSIX file systems take as one name."""

_PART = r"(?!\.{1,2}(?:/|\Z))[\x01-\x2e\x30-\x7f]{1,255}"
_PLAIN = re.compile(rf"{_PART}(?:/{_PART})*")
"""A new key in ASCII, as nearly all are: one look instead of one per part."""


def check_key(key: str) -> tuple[str, ...]:
    """The parts of a key; raises `UsageError` for anything that could leave the root."""
    parts = tuple(key.split("/"))
    if "\0" in key or any(part in {"", ".", ".."} for part in parts):
        raise UsageError("not a storage key", key=ascii(key)[:200])
    return parts


def check_new_key(key: str) -> tuple[str, ...]:
    """`check_key`, and what every backend can write: UTF-8, at most 255 bytes a part."""
    if _PLAIN.fullmatch(key):
        return tuple(key.split("/"))
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
        if not _PLAIN.fullmatch(key):
            check_new_key(key)
        if key in seen:
            raise UsageError("the same storage key twice in one group", key=ascii(key)[:200])
        seen.add(key)


def check_new_objects(objects: Sequence[NewObject]) -> None:
    """Every object's path good and none in another; its files below it, good and none twice; and its
    head a first one."""
    check_new_keys(item.head.object_path for item in objects)
    paths = {item.head.object_path for item in objects}
    for item in objects:
        path = item.head.object_path
        if item.head.expected is not None or not item.files:
            raise UsageError("not a new object", object_path=ascii(path)[:200])
        names = {f"{path}/inventory.json", f"{path}/{item.head.sidecar_name}"}
        check_new_keys([*names, *(file.key for file in item.files)])
        if len(names) != 2 or not all(file.key.startswith(f"{path}/") for file in item.files):
            raise UsageError("the files of a new object lie elsewhere", object_path=ascii(path)[:200])
        if any(path[:end] in paths for end, letter in enumerate(path) if letter == "/"):
            raise UsageError("one new object lies in another", object_path=ascii(path)[:200])
