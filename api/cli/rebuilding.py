"""`rebuild-catalogue`: the catalogue again, from one store.

Rules kept here
 * The old catalogue is kept beside the new one, which takes its name only when it is whole, and in one
   step: whatever stops the command, there is a whole catalogue under that name, the old or the new one.
 * Into a server database only when that is empty, or holds what a rebuild that was broken off has left:
   nothing else is overwritten there. Until the rebuild is done nobody can open that database.
 * No server may run on the home meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from api.cli.answers import BAD, GOOD
from api.cli.console import Console, path_text, shown
from api.cli.opening import settings_of
from api.home import only_user
from api.settings import ArchiveSettings
from api.syncing import sync_names
from api.texts import text
from api.wiring import build_copies, build_published, build_signing, catalogue_file, catalogue_url
from archive_core.catalogue.catalogue import Catalogue
from archive_core.clock import SystemClock
from archive_core.errors import CatalogueUnavailableError, ConflictError, UsageError
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.rebuild import Rebuild, RebuildReport
from archive_core.replication import Copies


def rebuild_catalogue(arguments: argparse.Namespace, console: Console) -> int:
    """Exit 1 when the store lacks something or something in it cannot be read."""
    settings = settings_of(arguments)
    with only_user(settings.home):
        copies = build_copies(settings, create=False)
        try:
            root = _store(arguments.store, settings, copies)
            clock = SystemClock()
            at = clock.now()
            target = _Target(settings)
            catalogue = target.open()
            try:
                signing = build_signing(settings, clock)
                report = Rebuild(
                    root=root,
                    catalogue=catalogue,
                    published=build_published(settings),
                    validator=signing.validator,
                    seal_validator=signing.seal_validator,
                    progress=console.progress,
                    stores=copies.names,
                ).run(at=at)
                catalogue.finish_rebuild()
            finally:
                catalogue.close()
            kept = target.swap(f"{at:%Y%m%dT%H%M%S%fZ}")
        finally:
            copies.close()
    document = {**report.to_json(), "store": root.store.name, "backup": path_text(kept) if kept else None}
    console.result(document, _lines(report, root.store.name, kept))
    return BAD if report.findings else GOOD


def _store(wanted: str | None, settings: ArchiveSettings, copies: Copies) -> StorageRoot:
    """The store of that name or directory; without one, the store that holds the most objects."""
    if wanted is None:
        return max(copies.roots, key=lambda root: sum(1 for _ in root.object_ids()))
    places = {one.name: one for one in settings.stores}
    for root in copies.roots:
        place = places[root.store.name]
        here = None if place.bucket else (settings.home / place.root).absolute()
        if wanted in (root.store.name, place.place(settings.home)) or Path(wanted).absolute() == here:
            return root
    names = ", ".join(copies.names)
    raise UsageError(text("there is no store {name}; there are: {names}", name=wanted, names=names))


def _lines(report: RebuildReport, store: str, kept: Path | None) -> Iterable[str]:
    yield text(
        "From {store}: {objects} objects, {versions} versions, {batches} batches, {events} events",
        store=store,
        objects=report.objects,
        versions=report.versions,
        batches=report.batches,
        events=report.events,
    )
    if kept:
        yield text("The old catalogue is kept as {path}", path=shown(path_text(kept)))
    yield text("API keys cannot be rebuilt: make new ones with `trusted-archive keys create`.")
    for finding in report.findings:
        yield f"{finding.code}  {shown(finding.where)}  {shown(finding.message)}"
    if report.findings:
        yield text("This store is not complete: `trusted-archive audit` compares it with the others.")


class _Target:
    """Where a rebuilt catalogue goes: a new SQLite file that is swapped in, or an empty database."""

    ASIDE = "catalogue.rebuilding.sqlite3"

    def __init__(self, settings: ArchiveSettings) -> None:
        self._settings = settings
        self._file = catalogue_file(settings)

    def open(self) -> Catalogue:
        if self._file is None:
            return Catalogue.create_for_rebuild(catalogue_url(self._settings))
        for part in _parts(self._settings.home / self.ASIDE):
            part.unlink(missing_ok=True)
        return Catalogue.create_for_rebuild(catalogue_url(self._settings, self.ASIDE))

    def swap(self, stamp: str) -> Path | None:
        """Put the new file in place; the old one's path, or None when there was none. Raises
        `CatalogueUnavailableError` when the disk refuses."""
        if self._file is None:
            return None
        try:
            return self._swap(self._file, stamp)
        except OSError as error:
            raise CatalogueUnavailableError(f"the new catalogue cannot be put in place: {error.strerror}") from error

    def _swap(self, file: Path, stamp: str) -> Path | None:
        aside = self._settings.home / self.ASIDE
        if left := [part.name for part in _parts(aside)[1:] if part.exists()]:
            raise ConflictError(f"the new catalogue is still in use ({left[0]} is there): nothing was changed")
        beside = file.with_name(f"{file.stem}.{stamp}{file.suffix}")
        kept = beside if file.exists() else None
        if kept:
            _fold_in_log(file)
            _name_too(file, kept)
        for old in _parts(file)[1:]:  # of a database that could not be read, or is not there
            if old.exists():
                os.replace(old, beside.with_name(old.name.replace(file.name, beside.name, 1)))
        # The old log must be gone for good: if a power cut brought it back, SQLite would play it into the new file.
        sync_names(file.parent)
        os.replace(aside, file)
        sync_names(file.parent)
        return kept


def _fold_in_log(file: Path) -> None:
    """Put what a killed server left in the write-ahead log into the database itself: moved one by one, the
    database would for a moment stand there without its newest transactions."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        try:
            in_use, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.DatabaseError:
            return  # it is damaged, which may be why it is rebuilt: its parts are kept as they are
    if in_use:
        raise ConflictError("the old catalogue is in use by another process: nothing was changed")


def _name_too(file: Path, kept: Path) -> None:
    """A second name for the old catalogue, so that it keeps the first until the new one takes it."""
    try:
        os.link(file, kept)
    except OSError:  # not every file system has hard links: then there is a moment without a catalogue
        os.replace(file, kept)


def _parts(file: Path) -> list[Path]:
    """A SQLite database and what lies beside it while it is used."""
    return [file, *(file.with_name(file.name + ending) for ending in ("-wal", "-shm"))]
