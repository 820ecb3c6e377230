"""What all tests share: completeness, Hypothesis settings, a PostgreSQL server."""

import os
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from tests import completeness, fault_matrix, room
from tests.postgres import PostgreSQL, running_server
from tests.s3.ceph import S3Server, shared_server
from tests.s3.versitygw import running_versitygw
from tests.vectors import in_ci

room.settle()

# A shared machine stalls now and then, so no deadline; in CI the examples are the same in each run.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if in_ci() else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of our own."""
    completeness.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Make sure that nothing is left out in silence."""
    config.pluginmanager.register(completeness.Completeness(config), "completeness")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that stands for faults in the table of them has seen each of them strike."""
    fault_matrix.forget()
    result = yield
    fault_matrix.require_met(item)
    return result


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """One throw-away PostgreSQL server for the session (for each xdist worker)."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One real S3 server for the session, shared by all xdist workers."""
    base = tmp_path_factory.getbasetemp()
    with shared_server(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) as server:
        yield server


@pytest.fixture(scope="session")
def second_s3_server() -> Iterator[S3Server]:
    """A real S3 server of another make, for soak runs."""
    with running_versitygw() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQL) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database that belongs to this test alone."""
    with postgresql_server.database() as url:
        yield url
