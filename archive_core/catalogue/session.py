"""Engines and transactions: how the catalogue reaches its database.

Rules kept here
 * One transaction per method of the catalogue; it is durable when the method returns. SQLite: WAL with
   synchronous=FULL. PostgreSQL: a server or role that switched synchronous commit off is overruled on
   our connections; fsync and full-page writes cannot be, so `weak_durability` names them.
 * A SQLite writer takes the write lock at its first statement (BEGIN IMMEDIATE), so that what it
   read is still true when it writes; PostgreSQL writers rely on unique indexes and row locks.
 * No exception of SQLAlchemy or of a driver leaves this module: it becomes one of ours.
 * What a server database undid (a deadlock, a serialisation failure, a connection that was lost before the commit)
   did not happen and is done again (`again`). A connection that is lost while it commits leaves a doubt: that is told
   to the caller, who repeats under the same key and learns which it was.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
    StatementError,
)

from archive_core.errors import (
    CatalogueDamagedError,
    CatalogueUnavailableError,
    ConcurrentChangeError,
    SchemaOutOfDateError,
    SettingsError,
    UsageError,
)

SQLITE_WAIT_SECONDS = 30
"""How long a SQLite writer waits for another one before it gives up."""

POOL_SIZE = 16
"""Connections that stay open; as many again may be opened for a while."""

TRIES = 8
"""How often a transaction that the database undid is tried, and with `PAUSE` how long an outage may last unnoticed:
some three seconds."""

PAUSE = 0.025
"""Seconds before the second try; each further one waits up to twice as long."""

_UNDONE = {"40001", "40P01"}
"""Serialisation failure and deadlock: whatever was under way, also a commit, is rolled back."""

SQLITE_CACHE_KIB = 4 * 1024
"""What a connection keeps of the database: enough for the ends of the indexes that a group of deposits touches, and
little enough for as many connections as a server has threads."""

SQLITE_WAL_PAGES = 8_000
"""Pages in the write-ahead log (32 MB) after which they go into the database file: a page that is written again and
again goes there once. They are durable before."""

_WRITES = "catalogue_writes"

T = TypeVar("T")


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///PATH` or `postgresql+psycopg://…`.

    Raises SettingsError for another database, for a malformed URL, and for an in-memory SQLite
    database, in which every connection would see another catalogue.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingsError("The catalogue's URL is not a database URL.") from error
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
            raise SettingsError("The catalogue needs a SQLite file, not a database in memory.")
        engine = create_engine(
            parsed,
            connect_args={"timeout": SQLITE_WAIT_SECONDS},
            pool_size=POOL_SIZE,
            max_overflow=POOL_SIZE,
            pool_use_lifo=True,  # the connection that wrote last knows the pages that are written next
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.drivername in {"postgresql", "postgresql+psycopg"}:
        psycopg = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(psycopg, pool_pre_ping=True, pool_size=POOL_SIZE, max_overflow=POOL_SIZE)
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    raise SettingsError(f"The catalogue runs on sqlite or postgresql+psycopg, not on {parsed.drivername}.")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transaction handling begins too late and never IMMEDIATE: we do it below.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        _to_wal(cursor)
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA cache_size = -{SQLITE_CACHE_KIB}")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {SQLITE_WAL_PAGES}")
    finally:
        cursor.close()


def _to_wal(cursor: Any) -> None:
    """A new database changes its journal once, and SQLite lets nobody wait for whoever is changing it."""
    end = time.monotonic() + SQLITE_WAIT_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.01)


def _prepare_postgresql(connection: Any, _record: object) -> None:
    # Within a transaction that is rolled back the setting would be too.
    connection.autocommit = True
    with connection.cursor() as cursor:
        if cursor.execute("SHOW synchronous_commit").fetchone() == ("off",):
            cursor.execute("SET SESSION synchronous_commit = on")
    connection.autocommit = False


def weak_durability(engine: Engine) -> list[str]:
    """The settings of the database under which a power cut loses what was committed, with what they
    should be; empty when a commit is durable. Raises `UnavailableError`."""
    wanted: dict[str, tuple[str, ...]]
    if engine.dialect.name == "postgresql":
        wanted = dict.fromkeys(("fsync", "full_page_writes"), ("on",))
        wanted["synchronous_commit"] = ("on", "local", "remote_write", "remote_apply")
        ask = "SHOW {}"
    else:
        wanted = {"synchronous": ("2", "3"), "journal_mode": ("wal",)}
        ask = "PRAGMA {}"
    with reading(engine) as connection:
        found = {name: str(connection.exec_driver_sql(ask.format(name)).scalar()) for name in wanted}
    return [f"{name} is {found[name]}, not {good[0]}" for name, good in wanted.items() if found[name] not in good]


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def again(transaction: Callable[[], T]) -> T:
    """Do what is one transaction, and once more when the database undid it, up to `TRIES` times.

    Raises what the last try raised; never repeats what may have been committed. Within another one it does nothing of
    its own: that one begins again."""
    if getattr(_trying, "now", False):
        return transaction()
    _trying.now = True
    try:
        for number in range(1, TRIES):
            try:
                return transaction()
            except _UndoneError:
                wait = PAUSE * 2.0**number * random.uniform(0.25, 1.0)  # noqa: S311 - lets contenders part
            time.sleep(wait)
        return transaction()
    finally:
        _trying.now = False


_trying = threading.local()


class _UndoneError(CatalogueUnavailableError):
    """The database undid a transaction: it may be done again."""

    @property
    def code(self) -> str:
        return CatalogueUnavailableError().code


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads."""
    with _translated(_Course()), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine, *, references_known: bool = False) -> Iterator[Connection]:
    """A transaction that writes: all of it durable at the end, or nothing.

    With `references_known` the caller itself enters what its rows refer to, and SQLite need not look it up
    for each of very many rows."""
    course = _Course()
    with _translated(course), engine.connect() as connection:
        connection = connection.execution_options(**{_WRITES: True})
        with _unchecked(connection) if references_known else nullcontext(), connection.begin():
            yield connection
            course.committing = True


@dataclass(slots=True)
class _Course:
    """How far a transaction is: once it may have been committed, only the database can say that it was not."""

    committing: bool = False


@contextmanager
def _unchecked(connection: Connection) -> Iterator[None]:
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys = OFF")  # within a transaction it would do nothing
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _translated(course: _Course) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        # Methods look before they write; what still collides was written by somebody in between.
        raise ConcurrentChangeError(constraint=_first_line(error)) from error
    except DataError as error:
        raise UsageError("A value is not one that can be in the catalogue.", reason=_first_line(error)) from error
    except DBAPIError as error:
        if _schema_differs(error):
            raise SchemaOutOfDateError() from error
        if _is_damage(error):
            raise CatalogueDamagedError(reason=_first_line(error)) from error
        kind = _UndoneError if _is_undone(error, course) else CatalogueUnavailableError
        raise kind(reason=_first_line(error)) from error
    except StatementError as error:
        if isinstance(error.orig, UnicodeError | OverflowError):
            raise UsageError("A value is not one that can be in the catalogue.") from error
        raise
    except (UnicodeError, OverflowError) as error:
        raise UsageError("A value is not one that can be in the catalogue.") from error
    except SQLAlchemyError as error:
        raise CatalogueUnavailableError(reason=type(error).__name__) from error


def _is_undone(error: DBAPIError, course: _Course) -> bool:
    """Whether a server database has certainly kept nothing of the transaction."""
    if getattr(error.orig, "sqlstate", None) in _UNDONE:
        return True
    return error.connection_invalidated and not course.committing


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).partition("\n")[0][:200]


def _schema_differs(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) in {"42P01", "42703"}:  # undefined table, undefined column
        return True
    text = str(error.orig)
    return "no such table" in text or "no such column" in text or "has no column" in text


def _is_damage(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlite_errorname", "") or ""
    return code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
