"""The walk through one or several stores: every object, then what belongs to none, then the controls.

Rules kept here
 * Stores that are at the same place go side by side, each with its own readers; what the catalogue says of a window is
   asked once for all of them.
 * A window is few objects and not too many bytes. After it, when a second has gone by, where each store is is written
   down: whatever ends the process costs that much and no more.
 * An object that is being written while it is looked at is nobody's fault yet: it is left to the next cycle.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from archive_core.audit_comparing import ExpectedVersion, code_of, entry_of, versions_of, without_debts
from archive_core.audit_result import AuditEntry
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.content import Content
from archive_core.errors import ArchiveError, UnknownObjectError
from archive_core.fixity.canary import HARMS, Harm, control
from archive_core.fixity.checking import Checked, StoreCheck
from archive_core.fixity.spots import draw, spot_check
from archive_core.fixity.state import PHASES, Cycle
from archive_core.identifiers import is_poid, object_name
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ocfl.vocabulary import shown
from archive_core.plain_reading import Page, files_of, pages_ahead
from archive_core.ports import EntryKind
from archive_core.publishing import Published
from archive_core.recovery import GRACE
from archive_core.repair.places import strays
from archive_core.system_objects import expected_objects

T = TypeVar("T")

WINDOW = 500
WINDOW_BYTES = 256 * 1024**2
LEAST_BYTES = 1024**2
BEAT = 20.0
"""Seconds after which a lease is prolonged while something long is read."""
WRITE_DOWN = 1.0
"""Seconds after which the state is written at the end of a window."""

_STRAY = {EntryKind.OTHER: "E090", EntryKind.FILE: "E072"}
_MOST_STRAYS = 1000


@dataclass(slots=True)
class Walker:
    """One store on its way through a cycle. `beat` paces: it is told how many bytes were read; `keep` keeps the lease,
    `save` writes the cycle down."""

    root: StorageRoot
    cycle: Cycle
    beat: Callable[[int], None]
    keep: Callable[[], None]
    save: Callable[[], None]

    def while_kept(self, work: Callable[[], T]) -> T:
        """The work's result; the lease is kept however long that takes."""
        with ThreadPoolExecutor(1, thread_name_prefix="fixity") as pool:
            future = pool.submit(work)
            while wait([future], timeout=BEAT).not_done:
                self.keep()
            return future.result()

    def enter(self, checked: Checked) -> None:
        counts = self.cycle.counts
        counts.objects += checked.objects
        counts.files += checked.files
        counts.bytes += checked.size
        counts.read_again += len(checked.notes)
        for entry in checked.findings:
            self.cycle.find(entry)
        for entry in checked.notes:
            self.cycle.note(entry)


class CycleWalk:
    """Takes stores that are at the same place through the rest of their cycles."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        content: Content,
        published: Published,
        now: Callable[[], datetime],
        harms: tuple[Harm, ...] = HARMS,
        leaving: Callable[[], AbstractSet[str]] = frozenset,
    ) -> None:
        """`leaving` tells the names of the stores that get nothing new."""
        self._leaving = leaving
        self._catalogue = catalogue
        self._content = content
        self._published = published
        self._now = now
        self._harms = harms

    def advance(
        self,
        walkers: Sequence[Walker],
        *,
        enough: Callable[[], bool],
        window_bytes: int = WINDOW_BYTES,
        progress: Callable[[int, int], None],
    ) -> bool:
        """Go on until the cycles are whole (True) or it is `enough` (False). Raises `UnavailableError` when a store
        does not answer; what was done until then is written down."""
        first = walkers[0].cycle
        steps: dict[str, Callable[[], bool]] = {
            "objects": lambda: self._objects(walkers, enough, window_bytes, progress),
            "system": lambda: self._system(walkers, enough),
            "rest": lambda: self._each(walkers, self._rest),
            "spots": lambda: self._each(walkers, self._spots),
            "canaries": lambda: self._each(walkers, self._canaries),
        }
        for phase in PHASES[PHASES.index(first.phase) :]:
            if not steps[phase]():
                return False
            if phase != PHASES[-1]:
                for walker in walkers:
                    walker.cycle.phase, walker.cycle.cursor = PHASES[PHASES.index(phase) + 1], None
                    walker.cycle.mark(self._now())
                    walker.save()
        return True

    # -- objects ------------------------------------------------------------------------------

    def _objects(
        self,
        walkers: Sequence[Walker],
        enough: Callable[[], bool],
        window_bytes: int,
        progress: Callable[[int, int], None],
    ) -> bool:
        total = self._catalogue.count_states().objects
        processes = max(1, (os.cpu_count() or 1) // len(walkers))
        written = began = time.monotonic()
        with ExitStack() as stack:
            checks = [
                stack.enter_context(closing(StoreCheck(walker.root, expected=total, processes=processes)))
                for walker in walkers
            ]

            def begin(rows: Sequence[VersionRow]) -> tuple[Sequence[VersionRow], list[Page]]:
                files = files_of(self._catalogue, rows)
                return rows, [check.begin(rows, files) for check in checks]

            cursor = walkers[0].cycle.cursor
            done = walkers[0].cycle.counts.objects
            for rows, pages in pages_ahead(_windows(self._rows(cursor), window_bytes), begin):
                for walker, check, page in zip(walkers, checks, pages, strict=True):
                    size = self._window(walker, check, rows, page)
                    walker.beat(size)
                done += len(rows)
                progress(done, max(done, total))
                moment = time.monotonic()
                for walker in walkers:
                    walker.cycle.seconds += moment - began
                began = moment
                if enough() or moment - written >= WRITE_DOWN:
                    written = moment
                    for walker in walkers:
                        walker.cycle.mark(self._now())
                        walker.save()
                    if enough():
                        return False
        return True

    def _window(self, walker: Walker, check: StoreCheck, rows: Sequence[VersionRow], page: Page) -> int:
        before = walker.cycle.counts.bytes
        draw(walker.cycle, rows)
        found = walker.while_kept(lambda: check.results(page, self._versions))
        for row, checked in zip(rows, found, strict=True):
            if checked.findings and self._under_way(row.poid):
                continue
            again = partial(check.object, row.storage_object, partial(self._versions, row.poid))
            self._enter(walker, row.storage_object, checked, again)
        walker.cycle.cursor = rows[-1].poid
        return walker.cycle.counts.bytes - before

    def _enter(self, walker: Walker, object_id: str, checked: Checked, again: Callable[[], Checked]) -> None:
        checked.findings, owed = without_debts(
            self._catalogue,
            object_id,
            checked.findings,
            lambda: walker.while_kept(again).findings,
            partial(walker.root.is_torn, object_id),
            self._leaving(),
        )
        walker.enter(checked)
        for entry in owed:
            walker.cycle.note(entry)

    def _versions(self, poid: str) -> list[ExpectedVersion]:
        return versions_of(self._catalogue, poid)

    def _rows(self, after: str | None) -> Iterator[VersionRow]:
        while page := self._catalogue.objects(after, WINDOW, living=True):
            yield from page
            after = page[-1].poid

    def _under_way(self, poid: str) -> bool:
        """Whether the object may be being written just now."""
        try:
            following = self._catalogue.version(poid).version + 1
        except UnknownObjectError:
            following = 1
        claim = self._catalogue.open_claim(poid, following)
        return claim is not None and claim.claimed_at > self._now() - GRACE

    # -- system objects -----------------------------------------------------------------------

    def _system(self, walkers: Sequence[Walker], enough: Callable[[], bool]) -> bool:
        written = began = time.monotonic()
        with ExitStack() as stack:
            checks = [
                stack.enter_context(closing(StoreCheck(walker.root, expected=1, processes=1))) for walker in walkers
            ]
            # A place is a number: an object that comes in between makes another be looked at twice, and none missed.
            for number, expected in enumerate(expected_objects(self._catalogue, self._published)):
                place = f"{number:012d}"
                for walker, check in zip(walkers, checks, strict=True):
                    if walker.cycle.cursor is not None and place <= walker.cycle.cursor:
                        continue
                    look = partial(check.system_object, expected)
                    checked = walker.while_kept(look)
                    self._enter(walker, expected.object_id, checked, look)
                    walker.cycle.cursor = place
                    walker.beat(checked.size)
                moment = time.monotonic()
                for walker in walkers:
                    walker.cycle.seconds += moment - began
                began = moment
                if moment - written >= WRITE_DOWN:
                    written = moment
                    for walker in walkers:
                        walker.cycle.mark(self._now())
                        walker.save()
                    if enough():
                        return False
        return True

    # -- what belongs to no object, and the controls --------------------------------------------

    def _each(self, walkers: Sequence[Walker], step: Callable[[Walker], None]) -> bool:
        for walker in walkers:
            began = time.monotonic()
            walker.while_kept(partial(step, walker))
            walker.cycle.seconds += time.monotonic() - began
            walker.beat(0)
        return True

    def _rest(self, walker: Walker) -> None:
        """The root's own files, files that lie about, and objects that the catalogue does not know."""
        root, cycle = walker.root, walker.cycle
        for finding in root.assess_root_files():
            cycle.find(entry_of(root.store.name, finding))
        for number, entry in enumerate(strays(root)):
            if entry.kind is EntryKind.EMPTY_DIRECTORY:
                told = "nothing lies in it yet, or any more: `audit` clears it when nobody deposits"
                cycle.note(AuditEntry(root.store.name, shown(entry.key, 400), "DIRECTORY_EMPTY", told))
            elif number < _MOST_STRAYS:
                code = _STRAY[entry.kind]
                cycle.find(AuditEntry(root.store.name, shown(entry.key, 400), code, "it belongs to no object"))
        for poids in _groups(self._names(root), 1000):
            known = self._catalogue.known_objects(poids)
            for poid in poids:
                if poid not in known and not self._under_way(poid):
                    message = "stored, but not in the catalogue: `audit` adopts or clears it"
                    cycle.note(AuditEntry(root.store.name, poid, "ORPHAN", message))

    def _names(self, root: StorageRoot) -> Iterator[str]:
        """The POIDs whose objects lie in a store, by the names of their directories alone."""
        for directory in root.store.children():
            if not directory.endswith("/") or directory == "extensions/":
                continue
            waiting = [directory.removesuffix("/")]
            while waiting:
                path = waiting.pop()
                object_id = root.layout.object_id(path)
                if object_id is None:
                    if path.count("/") <= root.layout.number_of_tuples:
                        waiting += [f"{path}/{name[:-1]}" for name in root.store.children(path) if name.endswith("/")]
                    continue
                try:
                    name = object_name(object_id)
                except ValueError:
                    continue
                if is_poid(name):
                    yield name

    def _spots(self, walker: Walker) -> None:
        for poid in walker.cycle.sample:
            if self._catalogue.version(poid).destroyed:
                continue  # since it was drawn
            path = walker.root.object_path(self._catalogue.version(poid).storage_object)
            if any(told["path"].startswith(path) for told in (*walker.cycle.findings, *walker.cycle.notes)):
                continue  # it is known what is wrong there
            wrong = spot_check(walker.root, self._catalogue, self._content, poid)
            walker.cycle.counts.spots += 1
            if wrong is not None:
                walker.cycle.find(wrong)

    def _canaries(self, walker: Walker) -> None:
        counts = walker.cycle.counts
        try:
            result = control(walker.root, at=self._now(), harms=self._harms)
        except ArchiveError as error:
            walker.root.require_declaration()
            walker.cycle.find(AuditEntry(walker.root.store.name, ".", "CANARY_FAILED", f"{code_of(error)}: {error}"))
            return
        counts.planted += result.planted
        counts.planted_found += result.found
        for entry in result.findings:
            walker.cycle.find(entry)


def _windows(rows: Iterable[VersionRow], most: int) -> Iterator[list[VersionRow]]:
    """Few objects, and not too many bytes."""
    window: list[VersionRow] = []
    size = 0
    for row in rows:
        window.append(row)
        size += row.size
        if len(window) >= WINDOW or size >= most:
            yield window
            window, size = [], 0
    if window:
        yield window


def _groups(names: Iterable[str], size: int) -> Iterator[list[str]]:
    group: list[str] = []
    for name in names:
        group.append(name)
        if len(group) >= size:
            yield group
            group = []
    if group:
        yield group
