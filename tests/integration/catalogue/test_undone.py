"""What a server database undoes is done again; what it may have kept is never done twice; migrations with data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import OperationalError

from archive_core.catalogue import Catalogue
from archive_core.catalogue.schema import alembic_config, head_revision, schema_revision, upgrade
from archive_core.catalogue.session import TRIES, open_engine, writing
from archive_core.errors import CatalogueUnavailableError
from tests.catalogue_rows import entry, event_row, poid, version_row
from tests.integration.catalogue.test_concurrency import CONTENDERS, ROUNDS, contend
from tests.postgres import PostgreSQL

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]


@pytest.fixture
def catalogue(postgresql_url: str) -> Iterator[Catalogue]:
    made = Catalogue.create(postgresql_url)
    yield made
    made.close()


def end_connections(server: PostgreSQL, url: str, catalogue: Catalogue, times: int) -> list[str]:
    """Before each INSERT of versions, so often, every connection is ended; what was about to be done."""
    left, met = [times], []

    def before(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO versions") and left[0] > 0:
            left[0] -= 1
            met.append(statement)
            server.terminate_connections(url)

    event.listen(catalogue.engine, "before_cursor_execute", before)
    return met


def test_a_connection_lost_in_mid_transaction_is_not_noticed(
    postgresql_server: PostgreSQL, postgresql_url: str, catalogue: Catalogue
) -> None:
    """The transaction is done again from its first statement, once."""
    met = end_connections(postgresql_server, postgresql_url, catalogue, 2)
    assert catalogue.enter_versions(iter([entry(1), entry(2)])) == 2  # also when the rows come but once

    assert len(met) == 2
    assert catalogue.count_states().versions == 2
    assert len(catalogue.events_of(poid(1))) == 1


def test_a_database_that_never_lets_a_transaction_end_is_told(
    postgresql_server: PostgreSQL, postgresql_url: str, catalogue: Catalogue
) -> None:
    """There is an end to trying, and then nothing is kept."""
    met = end_connections(postgresql_server, postgresql_url, catalogue, 100)
    with pytest.raises(CatalogueUnavailableError):
        catalogue.enter_version(*entry(1))

    assert TRIES <= len(met) < 100
    assert Catalogue.open(postgresql_url).count_states().versions == 0


def test_a_connection_lost_at_the_commit_is_told_and_not_repeated(catalogue: Catalogue, postgresql_url: str) -> None:
    """It was kept, and the caller could not know: only the caller may ask again."""
    commit, commits = catalogue.engine.dialect.do_commit, []

    def do_commit(connection: object) -> None:
        commit(connection)  # type: ignore[arg-type]
        commits.append(1)
        raise OperationalError("COMMIT", None, OSError("gone"), connection_invalidated=True)

    catalogue.engine.dialect.do_commit = do_commit  # type: ignore[method-assign,assignment]
    with pytest.raises(CatalogueUnavailableError):
        catalogue.enter_version(*entry(1))

    assert len(commits) == 1
    assert Catalogue.open(postgresql_url).version(poid(1)).version == 1


def test_a_deadlock_is_undone_and_done_again(postgresql_url: str, catalogue: Catalogue) -> None:
    """Writers that lock the same rows in opposite orders all come through."""
    for number in (1, 2):
        catalogue.meta_set(f"row {number}", "0")

    class Crossing(Catalogue):
        def cross(self, first: int, second: int) -> None:
            with writing(self._engine) as connection:
                for number in (first, second):
                    connection.execute(
                        text("UPDATE meta SET value = CAST(CAST(value AS integer) + 1 AS text) WHERE name = :name"),
                        {"name": f"row {number}"},
                    )
                    connection.execute(text("SELECT pg_sleep(0.05)"))

    def act(_: Catalogue, contender: int, round_: int) -> None:
        mine = Crossing(open_engine(postgresql_url))
        mine.cross(*((1, 2) if contender % 2 else (2, 1)))
        mine.close()

    contend(postgresql_url, act, rounds=2)
    assert [catalogue.meta_get(f"row {number}") for number in (1, 2)] == [str(CONTENDERS * 2)] * 2
    with open_engine(postgresql_url).connect() as connection:
        deadlocks = connection.scalar(text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
    assert deadlocks is not None


def test_serialisation_failures_are_done_again(postgresql_url: str, catalogue: Catalogue) -> None:
    """A server whose default is SERIALIZABLE refuses many transactions that meet; none is lost, none is double."""
    strict = make_url(postgresql_url).update_query_dict({"options": "-c default_transaction_isolation=serializable"})
    about = version_row(1)

    def act(given: Catalogue, contender: int, round_: int) -> None:
        given.record_events([event_row(100 * round_ + contender, about)])

    contend(strict.render_as_string(hide_password=False), act)
    numbers = [found.object_event for found in catalogue.events_of(poid(1))]
    assert numbers == list(range(1, CONTENDERS * ROUNDS + 1))


def test_migrations_go_down_and_up_with_data(database_url: str) -> None:
    """On both databases: every step of the way, in both directions, what the older schema can hold is there before and
    after."""
    catalogue = Catalogue.create(database_url)
    for number in (1, 2, 3):
        catalogue.enter_version(*entry(number))
    before = [catalogue.version(poid(number)) for number in (1, 2, 3)]
    files = catalogue.files(poid(1), 1)
    catalogue.close()
    engine = open_engine(database_url)
    steps = 0
    while schema_revision(engine) != "0001":
        with writing(engine) as connection:
            command.downgrade(alembic_config(connection), "-1")
        steps += 1
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM versions")) == 3
    assert steps >= 3
    upgrade(engine)
    assert schema_revision(engine) == head_revision()
    engine.dispose()
    again = Catalogue.open(database_url)
    assert [again.version(poid(number)) for number in (1, 2, 3)] == before
    assert again.files(poid(1), 1) == files
    again.enter_version(*entry(4))
    again.close()
