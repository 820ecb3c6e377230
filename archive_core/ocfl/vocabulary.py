"""The names that OCFL 1.1 fixes: digest algorithms, extensions, versions, paths.

Rules kept here
 * Content is addressed by sha512 or sha256 only (3.4, E025); everything else is fixity.
 * The fixity algorithms of the specification and of extension 0009 are all supported (E027).
 * Digests are hexadecimal and compared without regard to case; `size` is a decimal number.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from archive_core.names import files_that_are_folders

SPEC_VERSIONS = ("1.0", "1.1")
INVENTORY = "inventory.json"
OBJECT_DECLARATION = "0=ocfl_object_1.1"
CONTENT_ALGORITHMS = ("sha512", "sha256")
VERSION_NAME = re.compile(r"v(0*)([1-9][0-9]*)")

OBJECT_EXTENSIONS = frozenset(
    {
        "0000-example-extension",
        "0001-digest-algorithms",
        "0005-mutable-head",
        "0008-schema-registry",
        "0009-digest-algorithms",
        "initial",
    }
)
ROOT_EXTENSIONS = OBJECT_EXTENSIONS | {
    "0002-flat-direct-storage-layout",
    "0003-hash-and-id-n-tuple-storage-layout",
    "0004-hashed-n-tuple-storage-layout",
    "0006-flat-omit-prefix-storage-layout",
    "0007-n-tuple-omit-prefix-storage-layout",
    "0010-differential-n-tuple-omit-prefix-storage-layout",
    "0011-direct-clean-path-layout",
    "0012-hash-and-no-prefix-id-n-tuple-storage-layout",
}
"""Registered extensions, and `initial`, which the registry reserves."""


_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)


class _Size:
    """The `size` "digest" of extension 0009, with the face of a hash object."""

    def __init__(self) -> None:
        self._size = 0

    def update(self, data: bytes) -> None:
        self._size += len(data)

    def hexdigest(self) -> str:
        return str(self._size)


@dataclass(frozen=True, slots=True)
class FixityAlgorithm:
    """How a fixity value is computed and what it looks like."""

    new: Callable[[], Any]
    pattern: re.Pattern[str]


def _hexadecimal(digits: int) -> re.Pattern[str]:
    return re.compile(f"[0-9a-fA-F]{{{digits}}}")


def _blake2b(size: int) -> FixityAlgorithm:
    return FixityAlgorithm(lambda: hashlib.blake2b(digest_size=size), _hexadecimal(size * 2))


FIXITY_ALGORITHMS: dict[str, FixityAlgorithm] = {
    "md5": FixityAlgorithm(lambda: hashlib.md5(usedforsecurity=False), _hexadecimal(32)),
    "sha1": FixityAlgorithm(lambda: hashlib.sha1(usedforsecurity=False), _hexadecimal(40)),
    "sha256": FixityAlgorithm(hashlib.sha256, _hexadecimal(64)),
    "sha512": FixityAlgorithm(hashlib.sha512, _hexadecimal(128)),
    "blake2b-512": _blake2b(64),
    "blake2b-160": _blake2b(20),
    "blake2b-256": _blake2b(32),
    "blake2b-384": _blake2b(48),
    "sha512/256": FixityAlgorithm(lambda: hashlib.new("sha512_256"), _hexadecimal(64)),
    "size": FixityAlgorithm(_Size, re.compile("0|[1-9][0-9]{0,18}")),
}


def version_number(name: str) -> int | None:
    """The number in a version directory name, padded or not, or None for any other name."""
    match = VERSION_NAME.fullmatch(name)
    return int(match[2]) if match and len(name) <= 12 else None


def is_object_root(names: Iterable[str]) -> bool:
    """Whether a directory with these children (directories end in `/`) is an object root, be it one
    that lacks most of an object: a declaration, an inventory or a version directory is enough."""
    return any(
        name.startswith("0=") or name == INVENTORY or (name.endswith("/") and version_number(name[:-1]))
        for name in names
    )


def unsafe_parts(path: str) -> bool:
    """Whether a path has an empty, `.` or `..` element (E052, E099)."""
    return any(part in {"", ".", ".."} for part in path.strip("/").split("/"))


def conflicts(paths: set[str]) -> list[str]:
    """The paths that are also the beginning of another path (E095, E101), sorted."""
    return sorted(path for path, _ in files_that_are_folders(paths))


def shown(text: object, longest: int = 200) -> str:
    """A name as it can be printed anywhere: cut, control characters and bad bytes escaped."""
    raw = str(text)
    cut = raw[:longest] + ("…" if len(raw) > longest else "")
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in cut)


def is_rfc3339(value: Any) -> bool:
    """Whether a value is a date and time of RFC 3339, with seconds and zone."""
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return False
    year, month, day, hour, minute, second = (int(match[n]) for n in range(1, 7))
    try:
        datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001 (ranges only)
    except ValueError:
        return False
    return second <= 60  # a leap second is a time of RFC 3339
