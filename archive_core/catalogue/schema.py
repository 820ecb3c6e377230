"""The catalogue's schema: which revision it has, and how it gets the newest.

Rules kept here
 * Alembic's migrations are the only way in which a table comes to be, in tests too.
 * A database of another revision is refused, an older one and a newer one alike; nothing is
   migrated behind an operator's back.
 * Two processes that upgrade at once do so one after the other.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from archive_core.catalogue.session import reading, writing
from archive_core.errors import SchemaOutOfDateError, SettingsError

_UPGRADE_LOCK = 0x7472_6361  # "trca": any fixed number that others do not use


def migrations_folder() -> Path:
    """Where the migrations lie: in the checkout, or where `pip install` put them."""
    beside = Path(__file__).resolve().parents[2] / "alembic"
    installed = Path(sysconfig.get_path("data")) / "share" / "trusted-archive" / "alembic"
    for folder in (beside, installed):
        if (folder / "env.py").is_file():
            return folder
    raise SettingsError("The migrations of the catalogue are not installed.", looked_in=[str(beside), str(installed)])


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, made in code; `env.py` uses the connection when there is one."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head_revision() -> str:
    """The revision that this program needs."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise SettingsError("The catalogue's migrations are incomplete.")
    return head


def schema_revision(engine: Engine) -> str | None:
    """The revision of a database; None when it has no schema yet."""
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_current(engine: Engine) -> None:
    """Raise SchemaOutOfDateError unless the database has exactly the revision that we need."""
    found, needed = schema_revision(engine), head_revision()
    if found == needed:
        return
    if found is not None and not known_revision(found):
        raise _from_a_newer_program(found)
    raise SchemaOutOfDateError(found=found, needed=needed)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring a database to a revision, all migrations in one transaction.

    Raises SchemaOutOfDateError, and changes nothing, for a database from a newer program.
    """
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})
        found = MigrationContext.configure(connection).get_current_revision()
        if found is not None and not known_revision(found):
            raise _from_a_newer_program(found)
        command.upgrade(alembic_config(connection), revision)


def pending_revisions(engine: Engine) -> list[tuple[str, str]]:
    """The migrations that an upgrade would run, oldest first: revision and title.

    Raises SchemaOutOfDateError for a database from a newer program.
    """
    found = schema_revision(engine)
    if found is not None and not known_revision(found):
        raise _from_a_newer_program(found)
    scripts = ScriptDirectory.from_config(alembic_config())
    waiting = list(scripts.iterate_revisions("head", found or "base"))
    return [(script.revision, script.doc.partition("\n")[0]) for script in reversed(waiting)]


def _from_a_newer_program(found: str) -> SchemaOutOfDateError:
    return SchemaOutOfDateError(
        "The catalogue was written by a newer version of this program; install that version.",
        found=found,
        needed=head_revision(),
    )


def known_revision(revision: str) -> bool:
    """Whether this program has a migration of that name; a newer program's revision is unknown."""
    scripts = ScriptDirectory.from_config(alembic_config())
    return any(script.revision == revision for script in scripts.walk_revisions())
