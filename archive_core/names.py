"""Which file names can be kept safely for decades, on any file system and in any container.

Rules kept here
 * A path is relative, uses `/`, and has no empty, `.` or `..` part, no NUL, no control character, no
   backslash, no lone surrogate, no name that a common system reserves for a device.
 * A part has at most 255 bytes of UTF-8, a path at most 1,024 bytes.
 * Two paths of one submission must stay two on a file system that ignores case or normalises
   Unicode, and no file may be the folder of another (OCFL 3.5.3, E095).
 * Names are kept as they came: nothing is normalised, trimmed or replaced.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

from archive_core.errors import NameNotAcceptedError

MAX_PART_BYTES = 255
MAX_PATH_BYTES = 1024

_SEPARATOR_FIRST = str.maketrans({"/": "\0", "\0": "\1\1", "\1": "\1\2"})
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_. ()+,=@~-]{0,199}")
"""One part that nothing can be wrong with but that it names a device: as nearly all are."""


def verify_path(path: str) -> str:
    """The path itself when it can be kept; raises `NameNotAcceptedError` saying why not."""
    if _PLAIN.fullmatch(path) and not _DEVICE.fullmatch(path):
        return path
    shown = ascii(path[:80])
    try:
        encoded = path.encode("utf-8")
    except UnicodeEncodeError:
        raise NameNotAcceptedError(f"the file name {shown} is not valid Unicode", path=shown) from None
    if not path or path.startswith("/"):
        raise NameNotAcceptedError(f"the file name {shown} is empty or absolute", path=shown)
    if len(encoded) > MAX_PATH_BYTES:
        raise NameNotAcceptedError(f"the path {shown} has more than {MAX_PATH_BYTES} bytes", path=shown)
    if "\\" in path:
        raise NameNotAcceptedError(f"the file name {shown} holds a backslash; use / between folders", path=shown)
    if any(unicodedata.category(c) in ("Cc", "Cs") or c in "\u2028\u2029" for c in path):
        raise NameNotAcceptedError(f"the file name {shown} holds a control character", path=shown)
    for part in path.split("/"):
        _verify_part(part, shown)
    return path


def _verify_part(part: str, shown: str) -> None:
    if part in ("", ".", ".."):
        raise NameNotAcceptedError(f"the path {shown} has an empty, '.' or '..' part", path=shown)
    if len(part.encode("utf-8")) > MAX_PART_BYTES:
        raise NameNotAcceptedError(f"a part of {shown} has more than {MAX_PART_BYTES} bytes", path=shown)
    if _DEVICE.fullmatch(part):
        raise NameNotAcceptedError(f"the path {shown} holds a name reserved for a device", path=shown)


def verify_distinct(paths: Iterable[str]) -> None:
    """Raises `NameNotAcceptedError` when two paths are the same, could become the same, or one is
    the folder of another."""
    paths = list(paths)
    if len(paths) < 2:
        return
    seen: dict[str, str] = {}
    for path in paths:
        folded = _fold(path)
        if folded in seen:
            raise NameNotAcceptedError(
                f"{path[:80]!a} and {seen[folded][:80]!a} differ at most by case or by Unicode form",
                path=ascii(path[:80]),
            )
        seen[folded] = path
    for file, below in files_that_are_folders(seen):
        path = seen[below]
        raise NameNotAcceptedError(
            f"{seen[file][:80]!a} is a file and also the folder of {path[:80]!a}", path=ascii(path[:80])
        )


def files_that_are_folders(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each path that is also the folder of another, with one that lies below it.

    No folder is remembered, of which a hostile list may have hundreds for each path: in an order in
    which the separator stands before all other characters, what lies in a folder follows it at once.
    """
    for path, follower in pairwise(sorted(paths, key=lambda path: path.translate(_SEPARATOR_FIRST))):
        if path and follower.startswith(f"{path}/"):
            yield path, follower


def _fold(path: str) -> str:
    """Equal for paths that a file system without case or with its own Unicode form would merge."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())
