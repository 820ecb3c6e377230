"""Questions about versions go by an index, however large the catalogue is."""

from __future__ import annotations

import pytest
from sqlalchemy import Table, create_engine, delete, select

from archive_core.catalogue.base import among, these
from archive_core.catalogue.tables import claims, metadata, versions


@pytest.mark.parametrize("table", [versions, claims], ids=lambda table: str(table.name))
@pytest.mark.parametrize("verb", [select, delete])
def test_versions_are_found_without_going_through_the_table(table: Table, verb: object) -> None:
    """The plan searches by the key; a list of pairs alone would scan every row at every deposit."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    statement = verb(table).where(among(table).params(these([("a" * 32, 1), ("b" * 32, 2)])))  # type: ignore[operator]
    text = str(statement.compile(engine, compile_kwargs={"literal_binds": True}))
    with engine.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]

    assert any(step.startswith(f"SEARCH {table.name} ") for step in plan), plan
    assert not any(step.startswith(f"SCAN {table.name}") for step in plan), plan
