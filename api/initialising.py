"""`init`: a new home made whole, or one found to be whole already.

Rules kept here
 * What was interrupted is completed: nothing was deposited before the catalogue was there.
 * Nothing is made beside what somebody deposited: a catalogue that is lost is rebuilt and not replaced
   by an empty one; a store that is away is not replaced by an empty one either.
 * An older home is not migrated here: `upgrade` does that, after a backup.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from api.home import initialise_home
from api.settings import ArchiveSettings
from api.wiring import build_archive, build_copies, catalogue_file, catalogue_url
from archive_core.archive import Archive
from archive_core.catalogue.schema import schema_revision
from archive_core.catalogue.session import open_engine
from archive_core.errors import ArchiveError, CatalogueDamagedError, UnavailableError
from archive_core.identifiers import is_poid, object_name


def make_ready(home: Path, *, at: datetime) -> tuple[ArchiveSettings, Archive]:
    """The settings and the open archive of a home that is complete now.

    Raises `SettingsError`, `SchemaOutOfDateError`, `CatalogueDamagedError` or `UnavailableError`."""
    settings = initialise_home(home, at=at)
    if has_catalogue(settings):
        archive = build_archive(settings)
        try:
            archive.ready()
        except ArchiveError:
            archive.close()
            raise
        return settings, archive
    if holds_objects(settings):
        raise CatalogueDamagedError
    archive = build_archive(settings, create=True)
    try:
        archive.stores.require_locks()
    except ArchiveError:
        archive.close()
        raise
    return settings, archive


def has_catalogue(settings: ArchiveSettings) -> bool:
    """Whether there is a catalogue with any schema at all. Creates nothing."""
    file = catalogue_file(settings)
    if file is not None and not (file.exists() and file.stat().st_size):
        return False
    engine = open_engine(catalogue_url(settings))
    try:
        return schema_revision(engine) is not None
    finally:
        engine.dispose()


def holds_objects(settings: ArchiveSettings) -> bool:
    """Whether a store that can be asked holds a preservation object."""
    copies = build_copies(settings, create=False)
    try:
        for root in copies.roots:
            try:
                if any(_is_object(object_id) for object_id in root.object_ids()):
                    return True
            except UnavailableError:
                continue  # a store that is not made yet
    finally:
        copies.close()
    return False


def _is_object(object_id: str) -> bool:
    try:
        return is_poid(object_name(object_id))
    except ValueError:
        return False
