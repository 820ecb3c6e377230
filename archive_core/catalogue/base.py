"""What the parts of the catalogue share: rows in and out, put-if-absent, chunks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from itertools import islice
from operator import attrgetter
from types import FunctionType
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Table, bindparam, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from archive_core.catalogue.session import again

T = TypeVar("T")
S = TypeVar("S")

CHUNK = 500
"""Values in one IN list (SQLite allows 999 parameters on old builds)."""


class Part:
    """A part of the catalogue: methods over one engine.

    Each public method is one transaction, or several that may be repeated, and is done again when the database undid
    it (`session.again`); it takes values and returns values, so that to repeat it is to have done it once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, member in vars(cls).copy().items():
            if isinstance(member, FunctionType) and not name.startswith("_"):
                setattr(cls, name, _repeatable(member))


def _repeatable(method: Callable[..., T]) -> Callable[..., T]:
    @wraps(method)
    def repeatable(self: Part, *given: Any, **named: Any) -> T:
        values = [_kept(one) for one in given]
        rest = {name: _kept(one) for name, one in named.items()}
        return again(lambda: method(self, *values, **rest))

    return repeatable


def _kept(value: Any) -> Any:
    """An argument that may be gone through more than once."""
    return tuple(value) if isinstance(value, Iterator) else value


def to_row(kind: type[T], mapping: Mapping[Any, Any]) -> T:
    """A frozen row from a result, by field name; columns that are no field are left out."""
    return kind(**{name: mapping[name] for name in field_names(kind)})


def to_rows(kind: type[T], mappings: Iterable[Mapping[Any, Any]]) -> list[T]:
    return [to_row(kind, mapping) for mapping in mappings]


def to_values(row: Any) -> dict[str, Any]:
    """Column values of a frozen row, shallow."""
    names = field_names(type(row))
    return dict(zip(names, _GETTERS[type(row)](row), strict=True))


def values_of(row: Any) -> tuple[Any, ...]:
    """The values of a frozen row in the order of its fields."""
    kind = type(row)
    if kind not in _GETTERS:
        field_names(kind)
    return _GETTERS[kind](row)


def field_names(kind: type[Any]) -> tuple[str, ...]:
    names = _FIELD_NAMES.get(kind)
    if names is None:
        names = tuple(field.name for field in dataclasses.fields(kind))
        _GETTERS[kind] = attrgetter(*names)
        _FIELD_NAMES[kind] = names
    return names


_FIELD_NAMES: dict[type[Any], tuple[str, ...]] = {}
_GETTERS: dict[type[Any], attrgetter[tuple[Any, ...]]] = {}


def upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, in this connection's dialect."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def per_dialect(make: Callable[[Connection], S]) -> Callable[[Connection], S]:
    """A statement that is made once for each dialect: to make one costs more than to run it."""
    made: dict[str, S] = {}

    def statement(connection: Connection) -> S:
        name = connection.dialect.name
        if name not in made:
            made[name] = make(connection)
        return made[name]

    return statement


def among(table: Table) -> ColumnElement[bool]:
    """That a row's (poid, version) is one of those that `these` gives to the statement.

    The POIDs are asked for by themselves as well: by a list of pairs alone SQLite goes through the whole table.
    """
    pairs = tuple_(table.c.poid, table.c.version).in_(bindparam("pairs", expanding=True))
    return table.c.poid.in_(bindparam("poids", expanding=True)) & pairs


def these(wanted: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """The parameters of a statement that asks `among`."""
    pairs = list(wanted)
    return {"poids": list({poid for poid, _ in pairs}), "pairs": pairs}


def by_version(wanted: Iterable[tuple[str, int]]) -> list[tuple[int, list[str]]]:
    """Versions with the POIDs that are wanted of each: a list of POIDs is found along an index, where a list of
    pairs is taken apart by the database each time."""
    found: dict[int, list[str]] = {}
    for poid, version in wanted:
        found.setdefault(version, []).append(poid)
    return list(found.items())


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk
