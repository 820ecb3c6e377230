"""Reads the objects of very many versions from one store, each once, a page ahead of whoever judges them.

The rules this follows
 * What comes back for a version is what lies in the store and is exactly what commit A says; None for anything else,
   whatever the reason: whoever judges looks again in the thorough way, and there the reason is told.
 * Large objects are hashed side by side in threads. Many small ones are read by a process beside this one where the
   store lends one: reading them is not waiting but work. Where it is waiting, some are read at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event
from typing import TypeVar

from archive_core.admission import CONTENT_DIGEST
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.errors import ArchiveError
from archive_core.ocfl.plain import SMALL, PlainObject, read_plain
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.packaging import DESCRIPTION
from archive_core.ports import IsFar, LendsReaders, ObjectReader

Files = Mapping[str, tuple[str, str]]
"""By logical path, in the description's order: stored and content digest of commit A."""

Rows = TypeVar("Rows")
Begun = TypeVar("Begun")

Algorithms = Callable[[VersionRow], Sequence[str]]

MOST_FILES = 1000
"""A version of more files is not read here: what is at hand at once stays small."""

AHEAD = 2
"""Large objects that are read side by side; hashing them occupies a core each."""

AT_ONCE = 100
"""Small objects in one request to a process beside this one."""

FEW = 8
"""Small objects that one thread reads from a store that is far, so that all threads have some."""

WORTH_A_PROCESS = 1000
"""Versions from which on a process of its own is started: that costs as much as reading some hundred."""


@dataclass(slots=True)
class Page:
    """Versions that are being read."""

    rows: Sequence[VersionRow]
    files: Mapping[str, Files]
    large: dict[str, Future[PlainObject | None]] = field(default_factory=dict)
    small: list[Future[list[PlainObject | None]]] = field(default_factory=list)


class PlainReader:
    """Reads from one store."""

    def __init__(self, root: StorageRoot, *, expected: int, processes: int = 1) -> None:
        """`expected` is about how many versions will be read; `processes` how many may be started to read small ones:
        more than one where reading is most of the work."""
        self._root = root
        store = root.store
        lends = expected >= WORTH_A_PROCESS and isinstance(store, LendsReaders)
        self._aside: SimpleQueue[ObjectReader] = SimpleQueue()
        self._lent = (
            [store.lend_reader() for _ in range(processes)] if lends and isinstance(store, LendsReaders) else []
        )
        for reader in self._lent:
            self._aside.put(reader)
        self._closed = Event()
        far = store.side_by_side if isinstance(store, IsFar) else 1
        self._portion = AT_ONCE if far == 1 else FEW
        self._asking = ThreadPoolExecutor(len(self._lent) or far, thread_name_prefix="asking")
        self._hashing = ThreadPoolExecutor(AHEAD, thread_name_prefix="hashing")

    def close(self) -> None:
        """Also in the middle of a large object: nobody waits for it any more."""
        self._closed.set()
        for pool in (self._asking, self._hashing):
            pool.shutdown(wait=True, cancel_futures=True)
        for reader in self._lent:
            reader.close()

    def begin(self, rows: Sequence[VersionRow], files: Mapping[str, Files], algorithms: Algorithms) -> Page:
        """Begin to read those of the versions that `files` knows."""
        page = Page(rows, files)
        known = [row for row in rows if row.poid in files]
        for row in known:
            if row.size > SMALL:
                page.large[row.poid] = self._hashing.submit(self._one, row, tuple(algorithms(row)))
        small = [(row, tuple(algorithms(row))) for row in known if row.size <= SMALL]
        for start in range(0, len(small), self._portion):
            page.small.append(self._asking.submit(self._many, small[start : start + self._portion]))
        return page

    def results(self, page: Page) -> Iterator[tuple[VersionRow, PlainObject | None]]:
        """What was read of each version of the page, in their order."""
        small = (found for future in page.small for found in future.result())
        for row in page.rows:
            found = None
            if row.poid in page.large:
                found = page.large[row.poid].result()
            elif row.poid in page.files:
                found = next(small)
            yield row, found if found is not None and _is_deposited(found, row, page.files[row.poid]) else None

    def _one(self, row: VersionRow, algorithms: Sequence[str]) -> PlainObject | None:
        try:
            path = self._root.object_path(row.storage_object)
            return read_plain(
                self._root.store, path, row.storage_object, algorithms=algorithms, given_up=self._closed.is_set
            )
        except ArchiveError:
            return None  # met again, and told, by whoever looks at what is not plain

    def _many(self, wanted: Sequence[tuple[VersionRow, tuple[str, ...]]]) -> list[PlainObject | None]:
        if not self._lent:
            return [self._one(row, algorithms) for row, algorithms in wanted]
        reader = self._aside.get()  # there are as many as threads that ask
        try:
            asked = [(self._root.object_path(row.storage_object), row.storage_object, names) for row, names in wanted]
            return [None if one is None else PlainObject(*one) for one in reader.read(asked)]
        except ArchiveError:
            return [None] * len(wanted)  # as above
        finally:
            self._aside.put(reader)


def files_of(catalogue: Catalogue, rows: Iterable[VersionRow]) -> dict[str, dict[str, tuple[str, str]]]:
    """The files of those of the versions that may be plain, by POID."""
    return catalogue.first_files(
        row.poid for row in rows if (row.version, row.ocfl_version) == (1, 1) and row.file_count <= MOST_FILES
    )


def pages_ahead(pages: Iterable[Rows], begin: Callable[[Rows], Begun]) -> Iterator[Begun]:
    """Each page begun; the following one is begun before a page is handed out."""
    waiting: Begun | None = None
    for rows in pages:
        following = begin(rows)
        if waiting is not None:
            yield waiting
        waiting = following
    if waiting is not None:
        yield waiting


def _is_deposited(found: PlainObject, row: VersionRow, files: Files) -> bool:
    """Whether the files found are those of commit A, each with its digests, and no others."""
    return (
        len(found.files) == len(files) + 1
        and found.files.get(DESCRIPTION, {}).get(CONTENT_DIGEST) == row.description_digest
        and all(
            stored == content == found.files.get(path, {}).get(CONTENT_DIGEST)
            for path, (stored, content) in files.items()
        )
    )
