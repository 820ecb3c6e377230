"""The whole catalogue in one SQLite file, as it was at one moment, and back into any database.

Rules kept here
 * One form for both databases: a catalogue can be taken from one and put back into the other.
 * Taking one stops nobody: the moment is that of one reading transaction.
 * A snapshot of an older program is brought to this schema when it is put back, one of a newer program is refused.
 * Leases are not put back: whoever held them is gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, func, insert, select, text

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.schema import schema_revision, upgrade
from archive_core.catalogue.session import open_engine, reading, writing
from archive_core.catalogue.tables import leases, metadata
from archive_core.errors import CatalogueDamagedError, CatalogueUnavailableError

ROWS = 1000
"""Rows that are carried at once."""


def take(engine: Engine, path: Path) -> None:
    """Write a snapshot to a new file; raises `CatalogueUnavailableError` or `CatalogueDamagedError`."""
    try:
        if engine.dialect.name == "sqlite":
            _copy_file(str(engine.url.database), path)
        else:
            _copy_rows(engine, path)
    except sqlite3.DatabaseError as error:
        raise CatalogueUnavailableError("the catalogue cannot be copied", reason=str(error)) from error


def _copy_file(source: str, path: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(path)) as copy:
        old.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it


def _copy_rows(engine: Engine, path: Path) -> None:
    target = open_engine(f"sqlite:///{path}")
    try:
        upgrade(target)
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as source, source.begin():
            source.execute(text("SET TRANSACTION READ ONLY"))
            with writing(target, references_known=True) as there:
                _carry(source, there)
        with target.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        target.dispose()
    with closing(sqlite3.connect(path)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")


def prepare(path: Path, mark: Callable[[Catalogue], None]) -> None:
    """Make a snapshot a catalogue of this program's schema, without leases and with what `mark` writes into it; what
    it was is changed in place. May be repeated. Raises `CatalogueDamagedError` and `SchemaOutOfDateError`."""
    engine = open_engine(f"sqlite:///{path}")
    try:
        with reading(engine) as connection:
            said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if said != "ok" or schema_revision(engine) is None:
            raise CatalogueDamagedError("the catalogue of the backup is damaged", reason=str(said))
        upgrade(engine)
        with writing(engine) as connection:
            connection.execute(delete(leases))
        mark(Catalogue(engine))
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        engine.dispose()


def pour(path: Path, target: Catalogue) -> None:
    """Put a prepared snapshot into an empty catalogue that is marked as unfinished."""
    source = open_engine(f"sqlite:///{path}")
    try:
        with reading(source) as here, writing(target.engine, references_known=True) as there:
            _carry(here, there)
            _count_on(there)
    finally:
        source.dispose()


def _carry(source: Connection, target: Connection) -> None:
    for table in metadata.sorted_tables:
        found = source.execution_options(yield_per=ROWS).execute(select(table)).mappings()
        for rows in found.partitions():
            target.execute(insert(table), [dict(row) for row in rows])


def _count_on(connection: Connection) -> None:
    """Where the database counts up by itself, it goes on behind what was put in."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        last = connection.scalar(select(func.max(column)))
        name = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
        if last is not None and name is not None:
            connection.execute(select(func.setval(name, last)))
