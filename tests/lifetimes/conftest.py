"""Homes that are prepared once for all trials, on both databases."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.lifetimes.crash_world import STORIES, Prepared, Trial, count_steps, prepare
from tests.postgres import PostgreSQL

Fresh = Callable[[], AbstractContextManager[Trial]]


@pytest.fixture(scope="session")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A prepared home on SQLite."""
    return prepare(tmp_path_factory.mktemp("prepared-sqlite"))


@pytest.fixture(scope="session")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory, postgresql_server: PostgreSQL) -> Iterator[Prepared]:
    """A prepared home on PostgreSQL; trials get a copy of its database."""
    with postgresql_server.database() as url:
        yield prepare(tmp_path_factory.mktemp("prepared-postgresql"), url, postgresql_server)


@pytest.fixture
def prepared(request: pytest.FixtureRequest) -> Prepared:
    """The home on the database that the test asks for (SQLite by default)."""
    found = request.getfixturevalue(f"on_{getattr(request, 'param', 'sqlite')}")
    assert isinstance(found, Prepared)
    return found


@pytest.fixture
def fresh(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Make a trial: a copy of the prepared home that nobody else uses; nothing is left of it when it went well."""

    @contextmanager
    def trial() -> Iterator[Trial]:
        folder = tmp_path_factory.mktemp("trial")
        with prepared.trial(folder) as made:
            yield made
        shutil.rmtree(folder)

    return trial


@pytest.fixture(scope="session")
def steps_of(on_sqlite: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """The durable steps of a story, found by one run without a fault."""
    known: dict[str, list[str]] = {}

    def steps(name: str) -> list[str]:
        if name not in known:
            with on_sqlite.trial(tmp_path_factory.mktemp("count")) as trial:
                known[name] = count_steps(trial, STORIES[name])
        return known[name]

    return steps
