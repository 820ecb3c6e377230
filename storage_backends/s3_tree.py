"""Keys below one prefix of a bucket, looked at as a tree.

Rules kept here
 * A directory is what keys make it; an object whose key ends in a slash, as consoles make them, is an empty one.
 * What is not there is told from a bucket that is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

from archive_core.errors import UnknownObjectError
from archive_core.ports import EntryKind, StoredEntry
from storage_backends.s3_bucket import Bucket, Kept
from storage_backends.s3_client import NotThereError
from storage_backends.s3_listing import in_order_of_parts
from storage_backends.s3_pool import Pool
from storage_backends.s3_reading import opened

TOGETHER = 32
"""Files that are read side by side."""


class S3Tree:
    """The keys that begin with `start`, without it. They are taken as already checked."""

    def __init__(self, bucket: Bucket, start: str) -> None:
        self._bucket = bucket
        self._start = start

    def open(self, key: str) -> BinaryIO:
        """The bytes under a key; raises `UnknownObjectError` when there are none."""
        try:
            if is_text(key):
                return opened(self._bucket, self._start + key)
        except NotThereError:
            pass
        raise UnknownObjectError("there is no file under that key", store=self._bucket.name, key=ascii(key))

    def stat(self, key: str) -> StoredEntry | None:
        # By a list, which says whether it is the key or the bucket that is not there.
        found = self._bucket.first(self._start + key) if is_text(key) else None
        return StoredEntry(key, found.size) if found is not None and found.key == self._start + key else None

    def below(self, path: str) -> list[str]:
        """The key `path`, if there is such a file, and all keys below it."""
        whole = self._start + path
        listed = (kept.key for kept in self._bucket.entries(whole, end=f"{whole}0"))
        return [key.removeprefix(self._start) for key in listed if key == whole or key.startswith(f"{whole}/")]

    def walk(self, prefix: str) -> Iterator[StoredEntry]:
        """Everything below a directory, in order of the keys' parts."""
        start = f"{self._start}{prefix}/" if prefix else self._start
        entries = self._bucket.entries(start) if is_text(prefix) else iter(())
        return in_order_of_parts(
            (self._entry(kept) for kept in entries if kept.key != self._start),
            lambda key: self._bucket.first(f"{self._start}{key}/") is not None,
        )

    def read_below(self, prefix: str, most: int, pool: Pool) -> Iterator[tuple[StoredEntry, bytes | None]]:
        """What `walk` names, with the bytes of files of at most `most` bytes, read side by side."""
        entries = self.walk(prefix)
        while some := tuple(islice(entries, TOGETHER)):
            yield from zip(some, pool.all(lambda entry: self._small(entry, most), some), strict=True)

    def _small(self, entry: StoredEntry, most: int) -> bytes | None:
        if entry.kind is not EntryKind.FILE or entry.size > most:
            return None
        with self.open(entry.key) as stream:
            return stream.read()

    def _entry(self, kept: Kept) -> StoredEntry:
        key = kept.key.removeprefix(self._start)
        if not key.endswith("/") and all(part not in ("", ".", "..") for part in key.split("/")):
            return StoredEntry(key, kept.size)
        if kept.size == 0 and key.endswith("/") and key.rstrip("/"):
            return StoredEntry(key.rstrip("/"), 0, EntryKind.EMPTY_DIRECTORY)  # how consoles make folders
        return StoredEntry(key, kept.size, EntryKind.OTHER)

    def children(self, prefix: str) -> list[str]:
        """The names directly below a directory, sorted; directories end in a slash."""
        if not is_text(prefix):
            return []
        start = f"{self._start}{prefix}/" if prefix else self._start
        objects, prefixes = self._bucket.names(start)
        return sorted(name.removeprefix(start) for name in {*objects, *prefixes} - {start})


def is_text(key: str) -> bool:
    """Whether a key could be in a bucket at all; names with undecodable bytes are only on file systems."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def ancestors(keys: Iterable[str]) -> set[str]:
    """The directories above keys."""
    found: set[str] = set()
    for key in keys:
        end = key.rfind("/")
        while end > 0 and key[:end] not in found:
            found.add(key[:end])
            end = key.rfind("/", 0, end)
    return found
