"""The first pass of an audit: every object that the catalogue knows, read once from every store.

The rules this pass follows
 * What is plain (`ocfl.plain`), exactly what commit A entered, and the leaf of its batch needs no second look: its
   bytes, OCFL rules, catalogue rows and evidence have all been checked by reading it.
 * Whatever else is met is only noted, for the passes that name what is wrong or find that nothing is.
 * Objects come in the order of their deposit, so that batches are judged one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime

from archive_core.audit_result import AuditResult
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.mass import MassProof
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.plain_reading import Page, PlainReader, pages_ahead

Progress = Callable[[str, int, int | None], None]

PAGE = 500

_POID = re.compile("[0-9a-f]{32}")


class PassedPaths:
    """Paths of objects, in little memory: the last 32 digits of a name, by what stands before them."""

    def __init__(self) -> None:
        self._held: dict[str, set[bytes]] = {}

    def add(self, path: str) -> None:
        self._held.setdefault(path[:-32], set()).add(bytes.fromhex(path[-32:]))

    def __call__(self, path: str) -> bool:
        held = self._held.get(path[:-32])
        return held is not None and _POID.fullmatch(path[-32:]) is not None and bytes.fromhex(path[-32:]) in held


@dataclass(slots=True)
class StorePass:
    """What came of one store: objects that need no second look, and POIDs that do."""

    passed: PassedPaths = field(default_factory=PassedPaths)
    others: list[str] = field(default_factory=list)


@dataclass(slots=True)
class FirstPass:
    """What the pass leaves to others: by store's name, and the POIDs whose evidence was not proven here."""

    stores: dict[str, StorePass]
    unproven: list[str] = field(default_factory=list)


def first_pass(
    catalogue: Catalogue,
    mass: MassProof,
    roots: Sequence[StorageRoot],
    result: AuditResult,
    *,
    at: datetime,
    progress: Progress,
) -> FirstPass:
    """Read everything; counts of what passed go into the result."""
    mass.forget()
    found = FirstPass({root.store.name: StorePass() for root in roots})
    total = catalogue.count_states().objects
    done = 0
    algorithms = mass.algorithms_of(at)
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(PlainReader(root, expected=total))) for root in roots]

        def begin(rows: Sequence[VersionRow]) -> list[Page]:
            files = mass.files_of(rows)
            return [reader.begin(rows, files, algorithms) for reader in readers]

        for pages in pages_ahead(_pages(catalogue), begin):
            proven: set[str] = set()
            for root, reader, page in zip(roots, readers, pages, strict=True):
                of_store = found.stores[root.store.name]
                for number, (row, plain) in enumerate(reader.results(page)):
                    progress(f"reading {root.store.name}", done + number, total)
                    if plain is None:
                        of_store.others.append(row.poid)
                        continue
                    of_store.passed.add(root.object_path(row.storage_object))
                    result.checked["objects"] += 1
                    result.checked["files"] += len(plain.files)
                    result.checked["bytes"] += plain.size
                    if row.poid not in proven and (judged := mass.batch_of(row, at)) and judged.proves(row, plain):
                        proven.add(row.poid)
                        result.checked["versions"] += 1
            rows = pages[0].rows
            found.unproven += [row.poid for row in rows if row.poid not in proven]
            done += len(rows)
    return found


def _pages(catalogue: Catalogue) -> Iterator[list[VersionRow]]:
    """The newest version of every living object, page by page."""
    after = None
    while page := catalogue.objects(after, PAGE, living=True):
        yield page
        after = page[-1].poid
