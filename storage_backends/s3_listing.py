"""Keys of a bucket in the order in which a store lists them.

Rules kept here
 * A server lists keys in order of their bytes, where `a-b` comes before `a/b`; a store lists in order of the parts of
   its keys, where it comes after. A key is held back while one that belongs before it may still come.
 * What is held stays small: when it grows, the server is asked whether there is anything of that kind at all.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator

from archive_core.ports import StoredEntry

HELD = 2000
"""Entries that are held back before the server is asked."""

_Held = tuple[tuple[str, ...], int, StoredEntry, list[str]]


def in_order_of_parts(entries: Iterable[StoredEntry], is_directory: Callable[[str], bool]) -> Iterator[StoredEntry]:
    """The same entries, which come in order of their keys' code points, in order of the keys' parts.

    `is_directory` says whether there are keys below one: it is asked seldom.
    """
    held: list[_Held] = []
    none_below: set[str] = set()
    for number, entry in enumerate(entries):
        while held and not _waits(held[0][3], entry.key):
            yield heapq.heappop(held)[2]
        heapq.heappush(held, (tuple(entry.key.split("/")), number, entry, _may_come_before(entry.key)))
        if len(held) > HELD:
            first = held[0]
            while first[3]:
                if first[3][-1] not in none_below and is_directory(first[3][-1]):
                    break  # keys below it are still to come: there is no way but to hold
                none_below.add(first[3].pop())
            if len(none_below) > HELD:
                none_below.clear()
    while held:
        yield heapq.heappop(held)[2]


def _may_come_before(key: str) -> list[str]:
    """The directories whose keys belong before this one though they are listed after it; the longest first."""
    return [key[:end] for end in range(len(key) - 1, 0, -1) if key[end] < "/" and key[end - 1] != "/"]


def _waits(directories: list[str], key: str) -> bool:
    """Whether keys below one of the directories may come at `key` or after. Those that may not are dropped."""
    while directories and key >= f"{directories[0]}0":  # "0" follows "/"
        directories.pop(0)
    return bool(directories)
