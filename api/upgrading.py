"""Bringing an older home to this version: what there is to do, and doing it after a backup.

Rules kept here
 * A home of a newer version is refused; nothing is guessed about it.
 * Settings and catalogue are copied aside before anything is changed; the stores are never rewritten.
 * Each step may be repeated: an upgrade that stopped is simply run again.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import make_url

from api.home import only_user
from api.settings import SETTINGS_FILE, ArchiveSettings
from api.wiring import build_copies, build_published, catalogue_url
from archive_core.catalogue.schema import head_revision, known_revision, schema_revision, upgrade
from archive_core.catalogue.session import open_engine
from archive_core.errors import SchemaOutOfDateError


@dataclass(frozen=True, slots=True)
class UpgradeStep:
    name: str
    about: str
    run: Callable[[ArchiveSettings], None]

    def to_json(self) -> dict[str, str]:
        return {"name": self.name, "about": self.about}


def plan(home: Path) -> list[UpgradeStep]:
    """What this version would do to the home; empty when it is up to date.

    Raises `SettingsError` or `SchemaOutOfDateError` for a home of a newer version."""
    settings = ArchiveSettings.load(home)
    steps: list[UpgradeStep] = []
    engine = open_engine(catalogue_url(settings))
    try:
        found, needed = schema_revision(engine), head_revision()
    finally:
        engine.dispose()
    if found is not None and not known_revision(found):
        raise SchemaOutOfDateError("the catalogue was written by a newer version of this program: install that one")
    if found != needed:
        steps.append(UpgradeStep("catalogue", f"migrate the catalogue from {found or 'nothing'} to {needed}", _migrate))
    copies = build_copies(settings, create=False)
    try:
        missing = build_published(settings).missing(copies)
    finally:
        copies.close()
    if missing:
        steps.append(UpgradeStep("policies", f"publish {', '.join(missing)} in every store", _publish))
    return steps


def apply(home: Path, steps: Sequence[UpgradeStep], *, at: datetime) -> Path:
    """Back up settings and catalogue, then do the steps; the backup's folder. Raises `LeaseHeldError`
    while a server runs on the home."""
    with only_user(home):
        settings = ArchiveSettings.load(home)
        backup = home / f"backup-{at:%Y%m%dT%H%M%SZ}"
        backup.mkdir(mode=0o700)
        shutil.copy2(home / SETTINGS_FILE, backup / SETTINGS_FILE)
        _back_up_catalogue(settings, backup)
        for step in steps:
            step.run(settings)
        return backup


def _back_up_catalogue(settings: ArchiveSettings, backup: Path) -> None:
    url = make_url(catalogue_url(settings))
    if url.get_backend_name() != "sqlite":
        # A server database is backed up by its own means; say so where the operator looks.
        note = "The catalogue is in a server database: back it up with pg_dump. It can be rebuilt from any store.\n"
        (backup / "README.txt").write_text(note, "utf-8")
        return
    source = Path(str(url.database))
    if source.exists():
        with sqlite3.connect(source) as old, sqlite3.connect(backup / source.name) as copy:
            old.backup(copy)


def _migrate(settings: ArchiveSettings) -> None:
    engine = open_engine(catalogue_url(settings))
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def _publish(settings: ArchiveSettings) -> None:
    copies = build_copies(settings, create=False)
    try:
        build_published(settings).publish(copies)
    finally:
        copies.close()
