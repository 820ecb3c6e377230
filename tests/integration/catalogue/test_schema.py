"""The schema: made by migrations alone, compared with the tables, refused when it is another."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from archive_core.catalogue import Catalogue
from archive_core.catalogue.schema import (
    alembic_config,
    head_revision,
    migrations_folder,
    pending_revisions,
    require_current,
    schema_revision,
    upgrade,
)
from archive_core.catalogue.search_tables import is_described
from archive_core.catalogue.session import open_engine, reading, writing
from archive_core.catalogue.tables import metadata
from archive_core.errors import SchemaOutOfDateError
from tests.catalogue_rows import entry, poid
from tests.vectors import REPOSITORY


def test_the_migrated_schema_is_that_of_the_tables(database_url: str) -> None:
    """Tables, columns, types, indexes and constraints: nothing is missing and nothing is over."""
    engine = open_engine(database_url)
    upgrade(engine)

    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_described})
        differences = compare_metadata(context, metadata)
        names = {name for name in inspect(connection).get_table_names() if is_described(name, "table")}
    assert differences == []
    assert names == {*metadata.tables, "alembic_version"}


def test_a_difference_between_schema_and_tables_is_found(database_url: str) -> None:
    """The comparison above can fail: a dropped column and a dropped index are both seen."""
    engine = open_engine(database_url)
    upgrade(engine)
    with writing(engine) as connection:
        connection.execute(text("DROP INDEX ix_jobs_created"))
        connection.execute(text("ALTER TABLE jobs DROP COLUMN error"))

    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_described})
        differences = compare_metadata(context, metadata)
    assert {difference[0] for difference in differences} == {"add_column", "add_index"}


def test_partial_indexes_and_checks_are_the_same_in_schema_and_tables(database_url: str) -> None:
    """What Alembic's comparison does not look at: conditions of indexes, and check constraints."""
    engine = open_engine(database_url)
    upgrade(engine)
    with reading(engine) as connection:
        migrated = _conditions(connection)
    with writing(engine) as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(text(f"DROP TABLE {table.name}"))
        metadata.create_all(connection)
    with reading(engine) as connection:
        assert _conditions(connection) == migrated

    assert sum(1 for _, _, condition in migrated if condition) >= 8


def _conditions(connection: object) -> set[tuple[str, str, str]]:
    found: set[tuple[str, str, str]] = set()
    inspector = inspect(connection)
    for table in metadata.tables:
        for index in inspector.get_indexes(table):
            options = index.get("dialect_options", {})
            condition = options.get("sqlite_where", options.get("postgresql_where"))
            found.add((table, str(index["name"]), str(condition) if condition is not None else ""))
        for check in inspector.get_check_constraints(table):
            found.add((table, str(check["name"]), str(check["sqltext"])))
    return found


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    """Also with rows in it."""
    catalogue = Catalogue.create(database_url)
    catalogue.enter_version(*entry(1))
    upgrade(catalogue.engine)

    assert schema_revision(catalogue.engine) == head_revision()
    assert pending_revisions(catalogue.engine) == []
    assert catalogue.version(poid(1)).version == 1


def test_the_revision_that_is_needed_is_the_one_that_alembic_finds(database_url: str) -> None:
    """The migrations are read without Alembic at every start; Alembic reads the same in them and in the database."""
    engine = open_engine(database_url)
    upgrade(engine)
    with reading(engine) as connection:
        found = MigrationContext.configure(connection).get_current_revision()

    assert head_revision() == ScriptDirectory.from_config(alembic_config()).get_current_head() == found
    assert schema_revision(engine) == found


def test_an_empty_database_has_no_revision_and_is_refused(database_url: str) -> None:
    """Nothing is made behind the operator's back."""
    engine = open_engine(database_url)

    assert schema_revision(engine) is None
    assert [revision for revision, _ in pending_revisions(engine)][-1] == head_revision()
    with pytest.raises(SchemaOutOfDateError, match="upgrade"):
        require_current(engine)
    with reading(engine) as connection:
        assert inspect(connection).get_table_names() == []


@pytest.mark.parametrize("act", [require_current, upgrade, pending_revisions])
def test_a_catalogue_of_a_newer_program_is_refused_and_left_alone(database_url: str, act: object) -> None:
    """An unknown revision is somebody's future."""
    catalogue = Catalogue.create(database_url)
    with writing(catalogue.engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(SchemaOutOfDateError, match="newer"):
        act(catalogue.engine)  # type: ignore[operator]
    assert schema_revision(catalogue.engine) == "9999"
    with pytest.raises(SchemaOutOfDateError, match="newer"):
        Catalogue.open(database_url)


def test_a_catalogue_of_an_older_program_is_refused_until_it_is_upgraded(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen with one more migration than the database has; the upgrade then adds what is new."""
    Catalogue.create(database_url).close()
    folder = tmp_path / "alembic"
    shutil.copytree(migrations_folder(), folder)
    (folder / "versions" / "0002_next.py").write_text(
        '"""The next."""\nimport sqlalchemy as sa\nfrom alembic import op\n'
        f'revision = "next"\ndown_revision = "{head_revision()}"\n'
        'def upgrade():\n    op.add_column("meta", sa.Column("more", sa.Text()))\n',
        encoding="utf-8",
    )
    monkeypatch.setattr("archive_core.catalogue.schema.migrations_folder", lambda: folder)

    with pytest.raises(SchemaOutOfDateError, match="upgrade"):
        Catalogue.open(database_url)
    assert pending_revisions(open_engine(database_url)) == [("next", "The next.")]
    Catalogue.create(database_url).close()
    opened = Catalogue.open(database_url)
    with reading(opened.engine) as connection:
        assert "more" in {column["name"] for column in inspect(connection).get_columns("meta")}


def test_a_migration_that_fails_leaves_nothing_behind(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All migrations are one transaction."""
    folder = tmp_path / "alembic"
    shutil.copytree(migrations_folder(), folder)
    (folder / "versions" / "0002_broken.py").write_text(
        '"""Breaks."""\nimport sqlalchemy as sa\nfrom alembic import op\n'
        f'revision = "broken"\ndown_revision = "{head_revision()}"\n'
        'def upgrade():\n    op.create_table("extra", sa.Column("a", sa.Text()))\n    raise RuntimeError("broken")\n',
        encoding="utf-8",
    )
    monkeypatch.setattr("archive_core.catalogue.schema.migrations_folder", lambda: folder)
    engine = open_engine(database_url)

    with pytest.raises(RuntimeError, match="broken"):
        upgrade(engine)
    assert schema_revision(engine) is None
    with reading(engine) as connection:
        assert inspect(connection).get_table_names() == []


def test_two_upgrades_at_once_are_one(database_url: str) -> None:
    """The second one waits and finds nothing to do."""
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(lambda: upgrade(open_engine(database_url))) for _ in range(4)]:
            done.result(timeout=60)

    require_current(open_engine(database_url))


def test_a_first_connection_waits_for_whoever_writes_the_new_database(tmp_path: Path) -> None:
    """SQLite itself refuses at once to change the journal while another connection has begun to write."""
    place = tmp_path / "new.sqlite3"
    other = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE a (b)")
    other.execute("BEGIN IMMEDIATE")
    release = Timer(0.5, other.execute, ["COMMIT"])
    release.start()
    try:
        with reading(open_engine(f"sqlite:///{place}")) as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    finally:
        release.join()
        other.close()


def test_there_is_one_line_of_migrations_and_it_imports_nothing_of_ours() -> None:
    """A migration names types of its own time."""
    scripts = sorted((REPOSITORY / "alembic" / "versions").glob("*.py"))

    assert scripts
    assert head_revision() == scripts[-1].name.split("_")[0]
    for script in scripts:
        assert "import archive_core" not in script.read_text(encoding="utf-8")
        assert "from archive_core" not in script.read_text(encoding="utf-8")
    assert not (REPOSITORY / "alembic" / "__init__.py").exists()


def test_a_developer_s_alembic_finds_no_difference(tmp_path: Path) -> None:
    """`alembic -x url=… check` works from the checkout, and without a database it says what it wants."""
    url = f"sqlite:///{tmp_path}/catalogue.sqlite3"
    Catalogue.create(url).close()

    def alembic(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "alembic", *arguments]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    checked, unasked = alembic("-x", f"url={url}", "check"), alembic("check")

    assert checked.returncode == 0, checked.stderr
    assert "No new upgrade operations" in checked.stdout + checked.stderr
    assert unasked.returncode != 0
    assert "-x url=" in unasked.stderr
