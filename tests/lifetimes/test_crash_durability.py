"""The databases themselves: what a commit promises is switched on, and said when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from api.doctor import examine
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.session import weak_durability
from tests.postgres import PostgreSQL
from tests.world import World


def _setting(catalogue: Catalogue, question: str) -> str:
    with catalogue.engine.connect() as connection:
        return str(connection.execute(text(question)).scalar())


def test_every_connection_to_sqlite_syncs_what_it_commits(tmp_path: Path) -> None:
    """WAL with synchronous=FULL (2): the log is synced at each commit; on several connections at once."""
    catalogue = Catalogue.create(f"sqlite:///{tmp_path}/catalogue.sqlite3")
    with catalogue.engine.connect() as first, catalogue.engine.connect() as second:
        for connection in (first, second):
            assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    assert weak_durability(catalogue.engine) == []
    catalogue.close()


@pytest.mark.parametrize("scope", ["DATABASE", "ROLE"])
def test_synchronous_commit_is_on_whatever_the_server_says(postgresql_server: PostgreSQL, scope: str) -> None:
    """Neither the database nor the role can switch it off for us, also after a rollback."""
    with postgresql_server.database() as url:
        catalogue = Catalogue.create(url)
        name = catalogue.engine.url.database if scope == "DATABASE" else catalogue.engine.url.username
        with catalogue.engine.connect() as connection:
            connection.execute(text(f'ALTER {scope} "{name}" SET synchronous_commit = off'))
            connection.commit()
        catalogue.close()
        again = Catalogue.open(url)
        with again.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            connection.rollback()
            found = connection.execute(text("SHOW synchronous_commit")).scalar()
            connection.execute(text(f'ALTER {scope} "{name}" RESET synchronous_commit'))
            connection.commit()
        again.close()

        assert found == "on"


def test_a_stronger_synchronous_commit_is_left_alone(postgresql_server: PostgreSQL) -> None:
    """An operator with replicas may ask for more than we do."""
    with postgresql_server.database() as url:
        catalogue = Catalogue.create(url)
        with catalogue.engine.connect() as connection:
            connection.execute(text(f'ALTER DATABASE "{catalogue.engine.url.database}" SET synchronous_commit = local'))
            connection.commit()
        catalogue.close()
        again = Catalogue.open(url)

        assert _setting(again, "SHOW synchronous_commit") == "local"
        again.close()


def test_a_server_without_fsync_is_named(postgresql_server: PostgreSQL) -> None:
    """Nobody can switch that on for one connection, so it is said; the throw-away server of the tests has it off."""
    with postgresql_server.database() as url:
        catalogue = Catalogue.create(url)
        fsync = _setting(catalogue, "SHOW fsync")
        weak = weak_durability(catalogue.engine)
        catalogue.close()

    assert ("fsync is off, not on" in weak) == (fsync == "off")
    assert not any("synchronous_commit" in one for one in weak)


def test_doctor_says_whether_a_commit_survives_a_power_cut(tmp_path: Path, postgresql_server: PostgreSQL) -> None:
    """Good on SQLite as we open it; a fault, with what to change, on a server without fsync."""
    with postgresql_server.database() as url:
        found = {}
        for kind, where in (("sqlite", "sqlite:///catalogue.sqlite3"), ("postgresql", url)):
            world = World(tmp_path / kind, where)
            fsync = _setting(world.archive.catalogue, "SHOW fsync") if kind == "postgresql" else "on"
            world.archive.close()
            checks = examine(world.home, at=world.clock.now())
            (check,) = [check for check in checks if check.name == "durability of the catalogue"]
            found[kind] = (check.ok, fsync == "on")
            assert check.ok or check.mend

    assert all(ok == expected for ok, expected in found.values())
