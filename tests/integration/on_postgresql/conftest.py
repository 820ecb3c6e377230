"""The tests of whole worlds once more, on PostgreSQL: each module here takes over those of a module beside this folder.

The rules this folder keeps
 * Every home that a test here makes or copies has a database of its own on a real server; the tests are the same ones.
 * A sample of each module is in the suite (`SAMPLE`), the others are soaks; a name of the sample that no test has is an
   error.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from api.settings import SETTINGS_FILE
from archive_core.catalogue.catalogue import Catalogue
from tests.postgres import PostgreSQL
from tests.world import SQLITE, World

SAMPLE = {
    "test_repair": ["test_what_was_repaired_is_told_and_in_the_trace"],
    "test_fixity": [],
    "test_reconciling": ["test_a_batch_that_the_catalogue_lost_is_entered_again"],
    "test_destruction": ["test_no_byte_of_it_is_left_and_its_neighbour_is_proven"],
    "test_copies": [],
    "test_legal_holds": ["test_a_rebuilt_catalogue_knows_the_holds"],
}
ON_A_FILE = {
    "test_an_older_catalogue_obeys_the_tombstone": "it puts an older file in the place of the catalogue",
    "test_an_older_catalogue_learns_of_the_hold_from_the_stores": "it puts an older file in the place of the catalogue",
    "test_the_tombstone_of_another_archive_is_not_obeyed": "it lays the file of one archive into another",
}
"""Tests that are not taken over, and why."""

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All are slow, and all but the sample soaks."""
    items[:] = [item for item in items if item.path.parent != HERE or _name(item) not in ON_A_FILE]
    mine = [item for item in items if item.path.parent == HERE]
    for item in mine:
        item.add_marker(pytest.mark.slow)
        item.add_marker(pytest.mark.postgresql)
        if _name(item) not in SAMPLE[item.path.stem]:
            item.add_marker(pytest.mark.soak)


def _name(item: pytest.Item) -> str:
    return str(getattr(item, "originalname", item.name))


def tests_of(module: str) -> set[str]:
    """The tests of a module that is taken over."""
    return {name for name in vars(importlib.import_module(f"tests.integration.{module}")) if name.startswith("test_")}


@pytest.fixture(scope="session", autouse=True)
def every_name_is_one() -> None:
    """Nothing is sampled or left out that is not there."""
    for module, names in SAMPLE.items():
        assert set(names) <= tests_of(module)
    assert ON_A_FILE.keys() <= set().union(*map(tests_of, SAMPLE))


@pytest.fixture(scope="module", autouse=True)
def every_world_on_postgresql(postgresql_server: PostgreSQL) -> Iterator[list[str]]:
    """A home that is new gets an empty database, one that was copied a copy of its own; which were made."""
    made: list[str] = []
    with ExitStack() as databases, pytest.MonkeyPatch.context() as patch:
        empty = databases.enter_context(postgresql_server.database())
        Catalogue.create(empty).close()
        real = World.__init__

        def on_server(world: World, folder: Path, url: str = SQLITE, *, start: datetime | None = None) -> None:
            settings = folder / "home" / SETTINGS_FILE
            before = _database_of(settings)
            template = str(make_url(before or empty).database)
            url = databases.enter_context(postgresql_server.database(template=template))
            if settings.exists():
                text = settings.read_text()
                assert (before or SQLITE) in text
                settings.write_text(text.replace(before or SQLITE, url))
            made.append(url)
            real(world, folder, url, start=start)

        patch.setattr(World, "__init__", on_server)
        yield made


def _database_of(settings: Path) -> str | None:
    """The server database that a home names; None when there is no home yet, or one that was only written down."""
    found = re.search(r'"(postgresql\+psycopg://[^"]+)"', settings.read_text()) if settings.exists() else None
    return found[1] if found else None


@pytest.fixture(autouse=True)
def it_was_there(every_world_on_postgresql: list[str], request: Any) -> Iterator[None]:
    """A test whose world is a file after all proves nothing."""
    yield
    world = request.node.funcargs.get("world")
    if isinstance(world, World):
        assert world.archive.catalogue.engine.dialect.name == "postgresql"
        assert every_world_on_postgresql
