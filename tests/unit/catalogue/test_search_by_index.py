"""Questions about versions go by an index, however large the catalogue is."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Table, create_engine, delete, event, select

from archive_core.catalogue.base import among, these
from archive_core.catalogue.tables import claims, metadata, versions


@pytest.mark.parametrize("table", [versions, claims], ids=lambda table: str(table.name))
@pytest.mark.parametrize("verb", [select, delete])
def test_versions_are_found_without_going_through_the_table(table: Table, verb: Any) -> None:
    """The plan searches by the key; a list of pairs alone would scan every row at every deposit."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    said: list[tuple[str, Any]] = []
    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", lambda *words: said.append((words[2], words[3])))
        connection.execute(verb(table).where(among(table)), these([("a" * 32, 1), ("b" * 32, 2)]))
        text, values = said[0]
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]

    assert any(step.startswith(f"SEARCH {table.name} ") for step in plan), plan
    assert not any(step.startswith(f"SCAN {table.name}") for step in plan), plan
