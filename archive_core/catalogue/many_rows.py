"""Many rows of one table, put in by the driver itself.

Rules kept here
 * The statement and the conversion of each column are SQLAlchemy's own, made once for each dialect; what is saved
   is its work for each row, which costs several times what the database does with it.
 * Values are converted as the columns' types say, never left to the driver's guess.
 * It is a part of its caller's transaction and tells how many rows came in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Table, Update, insert

from archive_core.catalogue.base import chunks

Convert = Callable[[Any], Any]


MARKS = {"sqlite": "?", "postgresql": "%s"}
TOLD_AT_ONCE = 100
"""Rows in one statement that tells what it did: SQLite takes 999 values on old builds."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A statement in one dialect; `order` are the parameters' names in the statement's order."""

    text: str
    order: tuple[str, ...]
    positional: bool
    converts: dict[str, Convert]


class ManyRows:
    """`INSERT` of rows whose values come in the order of `names`."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self._table = table
        self._names = tuple(names)
        self._plans: dict[str, _Plan] = {}

    def put(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> int:
        """Insert the rows; returns how many came in."""
        if not rows:
            return 0
        plan = self._plans.get(connection.dialect.name) or self._plan(connection)
        return _run(connection, plan, self._names, rows)

    def put_and_tell(self, connection: Connection, rows: Sequence[Sequence[Any]], telling: Sequence[str]) -> list[Any]:
        """Insert the rows one by one unless something is in the way; these columns of those that came in."""
        plan = self._plans.get(connection.dialect.name) or self._plan(connection)
        told: list[Any] = []
        for chunk in chunks(rows, TOLD_AT_ONCE):
            told += insert_telling(
                connection,
                self._table.name,
                self._names,
                list(zip(*_converted(self._names, plan.converts, chunk).values(), strict=True)),
                f"ON CONFLICT DO NOTHING RETURNING {', '.join(telling)}",
            )
        return told

    def _plan(self, connection: Connection) -> _Plan:
        compiled = insert(self._table).compile(dialect=connection.dialect, column_keys=list(self._names))
        plan = _Plan(
            str(compiled),
            tuple(compiled.positiontup or self._names) if compiled.positional else self._names,
            compiled.positional,
            _converts({name: name for name in self._names}, self._table, connection.dialect),
        )
        self._plans[connection.dialect.name] = plan
        return plan


class ManyChanges:
    """An `UPDATE` of rows one by one; `columns` maps the statement's parameters, in the order in which the values
    come, to the columns whose types they have."""

    def __init__(self, statement: Update, table: Table, columns: dict[str, str]) -> None:
        self._statement = statement
        self._table = table
        self._columns = columns
        self._plans: dict[str, _Plan] = {}

    def make(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> int:
        """Change the rows; returns how many were changed."""
        if not rows:
            return 0
        plan = self._plans.get(connection.dialect.name) or self._plan(connection)
        return _run(connection, plan, tuple(self._columns), rows)

    def _plan(self, connection: Connection) -> _Plan:
        compiled = self._statement.compile(dialect=connection.dialect)
        plan = _Plan(
            str(compiled),
            tuple(compiled.positiontup or self._columns) if compiled.positional else tuple(self._columns),
            compiled.positional,
            _converts(self._columns, self._table, connection.dialect),
        )
        self._plans[connection.dialect.name] = plan
        return plan


def _converts(columns: dict[str, str], table: Table, dialect: Dialect) -> dict[str, Convert]:
    found = {}
    for name, column in columns.items():
        convert = table.c[column].type.dialect_impl(dialect).bind_processor(dialect)
        if convert is not None:
            found[name] = convert
    return found


def insert_telling(
    connection: Connection, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]], ending: str
) -> Sequence[Any]:
    """One `INSERT` of at most `TOLD_AT_ONCE` converted rows with what stands at its end; what it returns. Names and
    ending are this program's own words, and every value goes its own way to the driver."""
    row = f"({', '.join([MARKS[connection.dialect.name]] * len(names))})"
    text = f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([row] * len(rows))} {ending}"  # noqa: S608
    return connection.exec_driver_sql(text, tuple(value for one in rows for value in one)).all()


def _converted(names: Sequence[str], converts: dict[str, Convert], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """The values of each column, as the driver takes them."""
    columns: dict[str, Any] = dict(zip(names, zip(*rows, strict=True), strict=True))
    for name, convert in converts.items():
        columns[name] = [convert(value) for value in columns[name]]
    return columns


def _run(connection: Connection, plan: _Plan, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    columns = _converted(names, plan.converts, rows)
    ordered = zip(*(columns[name] for name in plan.order), strict=True)
    given: list[Any] = (
        list(ordered) if plan.positional else [dict(zip(plan.order, row, strict=True)) for row in ordered]
    )
    return connection.exec_driver_sql(plan.text, given).rowcount
