"""An empty catalogue on SQLite and on PostgreSQL: one suite, the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core.catalogue import Catalogue


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.slow])])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/catalogue.sqlite3"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def catalogue(database_url: str) -> Iterator[Catalogue]:
    """An empty catalogue on each of the two databases."""
    made = Catalogue.create(database_url)
    yield made
    made.close()
