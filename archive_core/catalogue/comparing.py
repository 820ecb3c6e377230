"""Several catalogues beside each other, row by row: one that is in use, and what the stores say.

Rules kept here
 * Rows come in the order of their keys from each database, so that memory is flat whatever the number of objects.
 * What does not follow from the stores is not compared: who recorded when, what a validator said of a time-stamp.
 * A row is put as it is said to be, or entered where there is none; nothing is ever removed. The events of an object
   are numbered on behind those that were put.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from sqlalchemy import Column, Engine, Table, insert, select, update

from archive_core.catalogue.events import number_on
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import batches, events, files, lines, renewals, segments, stamps, versions

Row = Mapping[str, Any]

COMPARED: dict[str, Table] = {
    "batches": batches,
    "lines": lines,
    "stamps": stamps,
    "renewals": renewals,
    "versions": versions,
    "files": files,
    "segments": segments,
    "events": events,
}

_LEFT_OUT = {
    "stamps": {"trusted_until", "facts"},
    "renewals": {"trusted_until"},
    "events": {"arrival", "detail", "detail_nonce"},
    "versions": {"request_digest"},
}
_KEYS: dict[str, tuple[str, ...]] = {"events": ("event_id",)}


def key_columns(name: str) -> list[Column[Any]]:
    """The columns by which rows of a table are told apart."""
    table = COMPARED[name]
    return [table.c[column] for column in _KEYS.get(name, tuple(column.name for column in table.primary_key))]


def same(name: str, one: Row, other: Row) -> bool:
    """Whether two rows say the same, as far as the stores say it."""
    left_out = _LEFT_OUT.get(name, set())
    return all(one[column.name] == other[column.name] for column in COMPARED[name].c if column.name not in left_out)


def side_by_side(name: str, engines: Sequence[Engine]) -> Iterator[tuple[tuple[Any, ...], list[Row | None]]]:
    """Every key that any of the databases has, in order, with the row that each has under it."""
    with ExitStack() as stack:
        streams = [_rows(name, stack.enter_context(reading(engine))) for engine in engines]
        heads = [next(stream, None) for stream in streams]
        while any(head is not None for head in heads):
            key = min(head[0] for head in heads if head is not None)
            row: list[Row | None] = []
            for number, head in enumerate(heads):
                if head is not None and head[0] == key:
                    row.append(head[1])
                    heads[number] = next(streams[number], None)
                else:
                    row.append(None)
            yield key, row


def _rows(name: str, connection: Any) -> Iterator[tuple[tuple[Any, ...], Row]]:
    table, keys = COMPARED[name], key_columns(name)
    query = select(table).order_by(*keys)
    if name == "events":
        query = query.where(table.c.seq.is_not(None))
    for found in connection.execution_options(yield_per=500).execute(query).mappings():
        yield tuple(found[column.name] for column in keys), dict(found)


def put(engine: Engine, name: str, rows: Sequence[Row]) -> None:
    """Make these rows what they are said to be, in one transaction."""
    table, keys = COMPARED[name], key_columns(name)
    left_out = {"arrival"} | (_LEFT_OUT.get(name, set()) - {"request_digest"})
    with writing(engine) as connection:
        for row in rows:
            values = {column: value for column, value in row.items() if column not in left_out}
            changed = connection.execute(update(table).where(*(key == row[key.name] for key in keys)).values(values))
            if not changed.rowcount:
                entered = {column: value for column, value in row.items() if column != "arrival"}
                connection.execute(insert(table).values(entered))
        if name == "events":
            number_on(connection, rows)
