"""Bringing an older home to this version: what there is to do, and doing it after a backup.

Rules kept here
 * A home of a newer version is refused; nothing is guessed about it.
 * Settings and catalogue are copied aside before anything is changed; the stores are never rewritten.
 * Each step may be repeated: an upgrade that stopped is simply run again.
 * A store of the settings that was not added yet, or that left, is not asked for anything.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import inspect, select

from api.home import only_user
from api.settings import SETTINGS_FILE, ArchiveSettings
from api.wiring import build_copies, build_published, catalogue_file, catalogue_url, require_catalogue
from archive_core.catalogue.schema import pending_revisions, schema_revision, upgrade
from archive_core.catalogue.session import open_engine
from archive_core.catalogue.tables import store_states
from archive_core.errors import CatalogueDamagedError
from archive_core.replication import Copies
from archive_core.stores import TAKING_PART


@dataclass(frozen=True, slots=True)
class UpgradeStep:
    name: str
    about: str
    run: Callable[[ArchiveSettings], None]

    def to_json(self) -> dict[str, str]:
        return {"name": self.name, "about": self.about}


def plan(home: Path) -> list[UpgradeStep]:
    """What this version would do to the home; empty when it is up to date.

    Raises `SettingsError` or `SchemaOutOfDateError` for a home of a newer version, and
    `CatalogueDamagedError` when there is no catalogue: an empty one is never made here."""
    settings = ArchiveSettings.load(home)
    steps: list[UpgradeStep] = []
    require_catalogue(settings)
    engine = open_engine(catalogue_url(settings))
    try:
        found, pending = schema_revision(engine), pending_revisions(engine)
    finally:
        engine.dispose()
    if found is None:
        raise CatalogueDamagedError(
            "the catalogue's database is empty, so there is nothing to upgrade: `trusted-archive init` completes a new "
            "home, `trusted-archive rebuild-catalogue` one that holds documents"
        )
    if pending:
        names = "; ".join(f"{revision} ({title})" for revision, title in pending)
        steps.append(UpgradeStep("catalogue", f"migrate the catalogue from {found} by {names}", _migrate))
    copies = _taking_part(settings)
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
        backup = home / f"backup-{at:%Y%m%dT%H%M%S%fZ}"
        backup.mkdir(mode=0o700)
        shutil.copy2(home / SETTINGS_FILE, backup / SETTINGS_FILE)
        _back_up_catalogue(settings, backup)
        for step in steps:
            step.run(settings)
        return backup


def _back_up_catalogue(settings: ArchiveSettings, backup: Path) -> None:
    source = catalogue_file(settings)
    if source is None:
        # A server database is backed up by its own means; say so where the operator looks.
        note = "The catalogue is in a server database: back it up with pg_dump. It can be rebuilt from any store.\n"
        (backup / "README.txt").write_text(note, "utf-8")
        return
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(backup / source.name)) as copy:
        old.backup(copy)


def _migrate(settings: ArchiveSettings) -> None:
    engine = open_engine(catalogue_url(settings))
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def _taking_part(settings: ArchiveSettings) -> Copies:
    """The stores that the catalogue says take part; all of the settings where it says nothing of any."""
    engine = open_engine(catalogue_url(settings))
    try:
        told = inspect(engine).has_table(store_states.name)
        with engine.connect() as connection:
            rows = connection.execute(select(store_states)).all() if told else []
    finally:
        engine.dispose()
    states = {row.store: row.state for row in rows}
    copies = build_copies(settings, create=False)
    those = [root for root in copies.roots if states.get(root.store.name) in TAKING_PART]
    if those:
        rule = copies.given_rule.among([root.store.name for root in those])
        copies.take_part(those, those, rule, copies.profile_rules)
    return copies


def _publish(settings: ArchiveSettings) -> None:
    copies = _taking_part(settings)
    try:
        build_published(settings).publish(copies)
    finally:
        copies.close()
