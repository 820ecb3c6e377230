"""Reads the data objects of a batch again, window by window, for the first phase of a hash-tree renewal.

Rules kept here
 * Objects in the form in which this program writes them are read whole, each once, from the first store
   (`plain_reading`), the next window while one is judged. What is not plain there, or is not what the newest chain is
   about, is examined by itself, from whichever copy is good, and only that says that an object drops out.
 * What was found before an error is handed out before the error is raised.
 * However long a document takes to read, the lease is kept meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.plain_reading import Page, PlainReader, files_of, pages_ahead
from archive_core.renewal.examining import Examining
from archive_core.renewal.journal import Examined

WINDOW = 500
"""Data objects that are read between two looks at lease and journal."""

WINDOW_BYTES = 256 * 1024**2
"""Bytes after which a window ends early: twice as much is read again after a crash, at the most, beside one object."""

BEAT = 20.0
"""Seconds after which a lease is prolonged while something long is read."""


class Rereading:
    """The members of one batch; to be closed."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        root: StorageRoot,
        examining: Examining,
        keep: Callable[[], None],
        expected: int,
        budget: Budget,
    ) -> None:
        """`keep` prolongs the lease; `expected` is about how many versions will be read."""
        self._catalogue = catalogue
        self._examining = examining
        self._keep = keep
        self._budget = budget
        cores = os.cpu_count() or 1
        self._reader = PlainReader(root, expected=expected, processes=cores)
        self._pool = ThreadPoolExecutor(cores, thread_name_prefix="renewal")

    def close(self) -> None:
        """Also in the middle of a large object."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._reader.close()

    def windows(self, rows: Iterator[VersionRow], first: int) -> Iterator[Iterator[Examined]]:
        """What was found of each version, window by window in the order of `rows`; `first` is the leaf of the first."""
        leaf = first
        for page in pages_ahead(_windows(rows), self._begin):
            yield self._window(page, leaf)
            leaf += len(page.rows)
            self._budget.spend(sum(row.size for row in page.rows), self._keep)

    def _begin(self, rows: Sequence[VersionRow]) -> Page:
        algorithms = self._examining.algorithms
        living = [row for row in rows if not row.destroyed]
        return self._reader.begin(rows, files_of(self._catalogue, living), lambda _: algorithms)

    def _window(self, page: Page, first: int) -> Iterator[Examined]:
        self._wait([*page.large.values(), *page.small])
        found: list[Examined | Future[Examined]] = []
        for leaf, (row, plain) in enumerate(self._reader.results(page), first):
            known = self._examining.plain(leaf, plain.files) if plain is not None else None
            found.append(known or self._pool.submit(self._examining.version, row, leaf))
        self._wait([one for one in found if isinstance(one, Future)])
        for one in found:
            yield one.result() if isinstance(one, Future) else one

    def _wait(self, futures: Sequence[Future[Any]]) -> None:
        self._keep()
        while wait(futures, timeout=BEAT).not_done:
            self._keep()


class Budget:
    """How many bytes a second may be read, so that deposits and readers have the disks for the rest of the time;
    None for as many as there are."""

    def __init__(self, bytes_per_second: int | None) -> None:
        self._rate = bytes_per_second
        self._free = time.monotonic()

    def spend(self, size: int, keep: Callable[[], None]) -> None:
        """Bytes that were read; returns when the next ones may be. `keep` is called now and then, and may raise."""
        if self._rate is None:
            return
        self._free = max(self._free, time.monotonic() - BEAT) + size / self._rate
        while (left := self._free - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
            keep()


def _windows(rows: Iterator[VersionRow]) -> Iterator[list[VersionRow]]:
    """Few objects, and not too many bytes."""
    window: list[VersionRow] = []
    size = 0
    for row in rows:
        window.append(row)
        size += row.size
        if len(window) >= WINDOW or size >= WINDOW_BYTES:
            yield window
            window, size = [], 0
    if window:
        yield window
