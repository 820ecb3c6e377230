"""Many rows of one table in one statement, put in by the driver itself.

Rules kept here
 * Values are converted as the columns' types say (SQLAlchemy's own converters, made once for each dialect), never left
   to the driver's guess. What is saved is its work for each row, which costs several times what the database does.
 * Rows go in together, not one by one: SQLite's driver lets other threads run at each step of a statement, and has to
   wait for its turn again after each.
 * It is a part of its caller's transaction and tells how many rows came in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, Update

from archive_core.catalogue.base import chunks

Convert = Callable[[Any], Any]

MARKS = {"sqlite": "?", "postgresql": "%s"}
"""How the drivers mark a value in a statement, by dialect."""

MOST_VALUES = 30_000 if sqlite3.sqlite_version_info >= (3, 32) else 999
"""Values in one statement: SQLite takes 32,766 of them, old builds 999; PostgreSQL 65,535."""

MOST_ROWS = 250


class ManyRows:
    """`INSERT` of rows whose values come in the order of `names`."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self._table = table
        self._names = tuple(names)
        self._converts: dict[str, Mapping[int, Convert]] = {}

    def put(self, connection: Connection, rows: Sequence[Sequence[Any]], ending: str = "") -> int:
        """Insert the rows; returns how many came in. `ending` are words of this program."""
        return sum(
            _execute(connection, self._table.name, self._names, chunk, ending).rowcount
            for chunk in chunks(self._converted(connection, rows), _at_once(self._names))
        )

    def put_unless_there(
        self, connection: Connection, rows: Sequence[Sequence[Any]], telling: Sequence[str]
    ) -> list[Any]:
        """Insert the rows with which nothing is in the way; these columns of those that came in."""
        places = [self._names.index(name) for name in telling]
        converted = self._converted(connection, rows)
        attempt = connection.begin_nested()
        came_in = sum(
            _execute(connection, self._table.name, self._names, chunk, "ON CONFLICT DO NOTHING").rowcount
            for chunk in chunks(converted, _at_once(self._names))
        )
        if came_in == len(converted):
            attempt.commit()
            return [tuple(row[place] for place in places) for row in converted]
        attempt.rollback()
        told: list[Any] = []
        for chunk in chunks(converted, _at_once(self._names)):
            ending = f"ON CONFLICT DO NOTHING RETURNING {', '.join(telling)}"
            told += _execute(connection, self._table.name, self._names, chunk, ending).all()
        return told

    def _converted(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """The rows as the driver takes them."""
        if not rows:
            return []
        converts = self._converts.get(connection.dialect.name)
        if converts is None:
            types = [self._table.c[name].type.dialect_impl(connection.dialect) for name in self._names]
            found = enumerate(kind.bind_processor(connection.dialect) for kind in types)
            converts = {place: convert for place, convert in found if convert is not None}
            self._converts[connection.dialect.name] = converts
        columns: list[Any] = list(zip(*rows, strict=True))
        for place, convert in converts.items():
            columns[place] = [convert(value) for value in columns[place]]
        return list(zip(*columns, strict=True))


def count_on(
    connection: Connection, table: str, names: tuple[str, str], by: Mapping[str, int], rule: str
) -> dict[str, int]:
    """Where counters stand after they were moved; one that is not there yet begins with what it is moved by. `rule`
    says in SQL what becomes of one that is there."""
    name, counted = names
    rows = sorted(by.items())
    if not rows:
        return {}
    attempt = connection.begin_nested()
    new = sum(
        _execute(connection, table, names, chunk, f"ON CONFLICT ({name}) DO NOTHING").rowcount
        for chunk in chunks(rows, _at_once(names))
    )
    if new == len(rows):
        attempt.commit()
        return dict(rows)
    attempt.rollback()
    ending = f"ON CONFLICT ({name}) DO UPDATE SET {counted} = {rule} RETURNING {name}, {counted}"
    stand: dict[str, int] = {}
    for chunk in chunks(rows, _at_once(names)):
        stand.update((key, number) for key, number in _execute(connection, table, names, chunk, ending))
    return stand


class ManyChanges:
    """An `UPDATE` of rows one by one; `columns` maps the statement's parameters, in the order in which the values
    come, to the columns whose types they have."""

    def __init__(self, statement: Update, table: Table, columns: Mapping[str, str]) -> None:
        self._statement = statement
        self._table = table
        self._columns = dict(columns)

    def make(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> int:
        """Change the rows; returns how many were changed."""
        if not rows:
            return 0
        compiled = self._statement.compile(dialect=connection.dialect)
        columns: dict[str, Any] = dict(zip(self._columns, zip(*rows, strict=True), strict=True))
        for name, column in self._columns.items():
            convert = self._table.c[column].type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
            if convert is not None:
                columns[name] = [convert(value) for value in columns[name]]
        order = compiled.positiontup if compiled.positional and compiled.positiontup else list(self._columns)
        ordered = zip(*(columns[name] for name in order), strict=True)
        given: list[Any] = (
            [*ordered] if compiled.positional else [dict(zip(order, row, strict=True)) for row in ordered]
        )
        return connection.exec_driver_sql(str(compiled), given).rowcount


def _at_once(names: Sequence[str]) -> int:
    return min(MOST_ROWS, MOST_VALUES // len(names))


def _execute(
    connection: Connection, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]], ending: str
) -> Any:
    """One `INSERT` of converted rows. Names and ending are this program's own words; every value goes its own way to
    the driver."""
    row = f"({', '.join([MARKS[connection.dialect.name]] * len(names))})"
    text = f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([row] * len(rows))} {ending}"  # noqa: S608
    return connection.exec_driver_sql(text, tuple([value for one in rows for value in one]))
