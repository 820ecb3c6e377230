"""The catalogue's schema: which revision it has, and how it gets the newest.

Rules kept here
 * Alembic's migrations are the only way in which a table comes to be, in tests too.
 * A database of another revision is refused, an older one and a newer one alike; nothing is
   migrated behind an operator's back.
 * Two processes that upgrade at once do so one after the other.
 * Whether the schema is current is known without Alembic, which is loaded to change it: every start
   asks, and only an upgrade needs the half second that Alembic takes to load.
"""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

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


_PARSING = Lock()


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, made in code; `env.py` uses the connection when there is one."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head_revision() -> str:
    """The revision that this program needs: the one migration that no other one follows."""
    revisions = _revisions()
    heads = set(revisions) - set(revisions.values())
    if len(heads) != 1:
        raise SettingsError("The catalogue's migrations are incomplete.", heads=sorted(heads))
    return heads.pop()


def known_revision(revision: str) -> bool:
    """Whether this program has a migration of that name; a newer program's revision is unknown."""
    return revision in _revisions()


def schema_revision(engine: Engine) -> str | None:
    """The revision of a database; None when it has no schema yet."""
    with reading(engine) as connection:
        return _revision_of(connection)


def _revision_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def _revisions() -> dict[str, str | None]:
    """Every migration's revision and the one before it, read from the scripts without running them."""
    found: dict[str, str | None] = {}
    for script in sorted((migrations_folder() / "versions").glob("*.py")):
        said = _constants(script.read_bytes())
        revision, before = said.get("revision"), said.get("down_revision")
        if not isinstance(revision, str) or not isinstance(before, str | None):
            raise SettingsError(f"The migration {script.name} does not say what it follows.")
        found[revision] = before
    return found


@lru_cache(maxsize=64)
def _constants(source: bytes) -> Mapping[str, object]:
    """The names that a module binds to plain constants."""
    found: dict[str, object] = {}
    # CPython 3.11 builds syntax trees of two threads with one counter of depth (gh-106905).
    with _PARSING:
        module = ast.parse(source)
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id: node.value.value for target in targets if isinstance(target, ast.Name)}
    return found


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
        found = _revision_of(connection)
        if found is not None and not known_revision(found):
            raise _from_a_newer_program(found)
        if revision == "head" and found == head_revision():
            return
        from alembic import command

        command.upgrade(alembic_config(connection), revision)


def pending_revisions(engine: Engine) -> list[tuple[str, str]]:
    """The migrations that an upgrade would run, oldest first: revision and title.

    Raises SchemaOutOfDateError for a database from a newer program.
    """
    from alembic.script import ScriptDirectory

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
