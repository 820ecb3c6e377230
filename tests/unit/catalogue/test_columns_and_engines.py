"""Column types and engines: what is refused before a database is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from archive_core.catalogue import Catalogue
from archive_core.catalogue.columns import UtcDateTime, Utf8Bytes
from archive_core.catalogue.session import open_engine, reading, writing
from archive_core.errors import (
    CatalogueDamagedError,
    CatalogueUnavailableError,
    SchemaOutOfDateError,
    SettingsError,
    UsageError,
)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgresql"])
def test_an_instant_without_a_time_zone_is_refused(dialect: object) -> None:
    """A naive instant is nobody's time."""
    with pytest.raises(ValueError, match="without a time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), dialect)  # type: ignore[arg-type]  # noqa: DTZ001


def test_an_instant_is_stored_in_utc_with_microseconds() -> None:
    """Another zone's instant is converted, not relabelled."""
    prague = timezone(timedelta(hours=2))

    stored = UtcDateTime().process_bind_param(datetime(2026, 7, 1, 1, 30, 0, 123456, tzinfo=prague), sqlite.dialect())

    assert stored == datetime(2026, 6, 30, 23, 30, 0, 123456)  # noqa: DTZ001
    assert UtcDateTime().process_result_value(stored, sqlite.dialect()) == datetime(
        2026, 6, 30, 23, 30, 0, 123456, tzinfo=UTC
    )


def test_client_text_is_stored_as_its_bytes() -> None:
    """Two keys are equal only if their UTF-8 is, composed or not."""
    composed, decomposed = "\u00e9", "e\u0301"
    column = Utf8Bytes()

    assert column.process_bind_param(composed, sqlite.dialect()) != column.process_bind_param(
        decomposed, sqlite.dialect()
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "catalogue.sqlite3",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://u@h/d",
        "oracle://u@h/d",
        "nonsense://x",
        "sqlite+nonsense:///x",
    ],
)
def test_a_url_of_no_catalogue_is_refused(url: str) -> None:
    """Only a SQLite file or PostgreSQL holds a catalogue; two connections never see two of them."""
    with pytest.raises(SettingsError):
        open_engine(url)


def test_a_refusal_never_shows_the_password() -> None:
    """What is wrong with a URL can be said without it."""
    with pytest.raises(SettingsError) as refused:
        open_engine("mysql://archive:s3cret@db/archive")

    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in str(refused.value.facts)


def test_sqlite_is_durable_and_keeps_its_foreign_keys(tmp_path: Path) -> None:
    """WAL, synchronous=FULL (2) and foreign keys, on every connection."""
    engine = open_engine(f"sqlite:///{tmp_path}/catalogue.sqlite3")

    for transaction in (reading, writing):
        with transaction(engine) as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_file_that_is_no_database_is_damage(tmp_path: Path) -> None:
    """The operator is told to rebuild, and the bytes stay as they are."""
    path = tmp_path / "catalogue.sqlite3"
    path.write_bytes(b"this is not a database" * 100)

    with pytest.raises(CatalogueDamagedError):
        Catalogue.open(f"sqlite:///{path}")
    assert path.read_bytes() == b"this is not a database" * 100


def test_a_file_in_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """A missing disk is not an empty catalogue."""
    with pytest.raises(CatalogueUnavailableError):
        Catalogue.open(f"sqlite:///{tmp_path}/absent/catalogue.sqlite3")


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    """The caller may try again; no exception of the driver is seen."""
    with pytest.raises(CatalogueUnavailableError):
        Catalogue.open("postgresql+psycopg://archive@127.0.0.1:1/archive?connect_timeout=2")


def test_an_empty_database_is_not_a_catalogue(tmp_path: Path) -> None:
    """Opening never makes tables."""
    with pytest.raises(SchemaOutOfDateError):
        Catalogue.open(f"sqlite:///{tmp_path}/catalogue.sqlite3")


def test_a_query_on_a_schema_without_our_tables_says_so(tmp_path: Path) -> None:
    """Also behind the check at the start, a missing table is named for what it is."""
    catalogue = Catalogue(open_engine(f"sqlite:///{tmp_path}/catalogue.sqlite3"))

    with pytest.raises(SchemaOutOfDateError):
        catalogue.batches()


def test_text_that_is_not_unicode_is_the_caller_s_mistake(tmp_path: Path) -> None:
    """A lone surrogate is refused before it reaches a row."""
    catalogue = Catalogue.create(f"sqlite:///{tmp_path}/catalogue.sqlite3")

    with pytest.raises(UsageError):
        catalogue.find_key("org", "\ud800")
    with pytest.raises(UsageError):
        catalogue.version("\ud800")


def test_a_writer_that_waits_too_long_is_told_to_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer that does not end is no crash; readers go on meanwhile."""
    monkeypatch.setattr("archive_core.catalogue.session.SQLITE_WAIT_SECONDS", 0.1)
    catalogue = Catalogue.create(f"sqlite:///{tmp_path}/catalogue.sqlite3")

    with writing(catalogue.engine):
        with pytest.raises(CatalogueUnavailableError) as refused:
            catalogue.meta_set("a", "b")
        assert catalogue.meta_get("a") is None
    assert refused.value.facts["reason"] == "database is locked"
    catalogue.meta_set("a", "b")


def test_an_error_within_a_transaction_undoes_all_of_it(tmp_path: Path) -> None:
    """All or nothing, also when the error is not the database's."""
    catalogue = Catalogue.create(f"sqlite:///{tmp_path}/catalogue.sqlite3")

    def stumble() -> None:
        with writing(catalogue.engine) as connection:
            connection.exec_driver_sql("INSERT INTO meta (name, value) VALUES ('a', 'b')")
            raise KeyError("anything")

    with pytest.raises(KeyError):
        stumble()
    assert catalogue.meta_get("a") is None


def test_a_closed_catalogue_is_one_file(tmp_path: Path) -> None:
    """What a rebuild moves into place has no write-ahead log beside it."""
    catalogue = Catalogue.create(f"sqlite:///{tmp_path}/catalogue.sqlite3")
    catalogue.meta_set("a", "b")
    catalogue.close()

    assert [path.name for path in tmp_path.iterdir()] == ["catalogue.sqlite3"]
