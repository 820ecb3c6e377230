"""The production server: gunicorn, one worker process, threads, the scheduler inside.

Rules kept here
 * One process commits for everybody. The archive is built inside it, never before a fork.
 * What would keep the server from working is found before it starts listening, and says which exit
   code it is (`archive_core.errors`).
 * SIGTERM and SIGINT are graceful: no new connections, running requests and jobs end, then it stops.
 * Over an SQLite catalogue there is one server per home: the second is refused while the first lives. Over a server
   database several may serve one home, or homes of their own on several machines with the same stores.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger

from api.app import create_app
from api.client_certificates import ClientCertificates
from api.collector import leave_alone_what_is_there
from api.home import one_of_several, only_user
from api.logs import log, start_logging
from api.patience import PATIENCE
from api.routing import EXTENSION, SCHEDULER_EXTENSION
from api.scheduler import Scheduler, jobs_of
from api.settings import ArchiveSettings
from api.uploads import clear_staging
from api.wiring import catalogue_file
from api.worker import KEEPALIVE, PatientWorker, room
from archive_core.errors import SettingsError, UnavailableError
from archive_core.holding import Holder
from archive_core.lifecycle import Actor

if TYPE_CHECKING:
    from archive_core.archive import Archive

GRACE = 30
"""Seconds that running requests and jobs are given at a stop."""

BACKLOG = 2048
"""Connections that the system keeps for us while we are busy; it may keep fewer (net.core.somaxconn)."""

FIRST_KEY_FILE = "first-key"
FIRST_KEY_PATIENCE = 30.0
"""Seconds that a server waits for another one that starts at the same time."""
_OPERATOR = Actor(actor_id="serve", role="operator")

Build = Callable[[ArchiveSettings], "Archive"]


def serve(
    settings: ArchiveSettings,
    build: Build,
    *,
    host: str,
    port: int,
    json_lines: bool = False,
    patience: float = PATIENCE,
    works: bool = True,
) -> None:
    """Serve until a signal, then end the process (`SystemExit`). Clients are waited for `patience`
    seconds (`api.patience`). Unless it `works`, the scheduler's jobs are left to other processes
    (`api.working`). Raises `SettingsError`, `LeaseHeldError` or `UnavailableError` when it cannot start, and the
    errors of `build`."""
    start_logging()
    connections = room(settings.server.connections, settings.server.threads)
    with home_in_use(settings):
        key_file = _prepare(settings, build)
        listener = _listen(host, port)
        _announce(listener, settings, key_file, json_lines=json_lines)
        _Server(settings, build, listener, patience, works, connections).run()


def home_in_use(settings: ArchiveSettings) -> AbstractContextManager[None]:
    """The home's lock for a process that stays: for itself where the catalogue is a file, else beside others."""
    return only_user(settings.home) if catalogue_file(settings) is not None else one_of_several(settings.home)


def ensure_first_key(archive: Archive, home: Path) -> Path | None:
    """The file (mode 0600) with the first key, made when there is no key yet; None when there are
    keys and no such file. The key is an operator's, of no single organisation."""
    path = home / FIRST_KEY_FILE
    with Holder(archive.catalogue, archive.clock).hold("first key", patience=FIRST_KEY_PATIENCE):
        return _first_key(archive, path)


def _first_key(archive: Archive, path: Path) -> Path | None:
    if archive.keys():
        return path if path.is_file() else None
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        _, secret = archive.create_key(label="first key", role="operator", originator=None, actor=_OPERATOR)
        out.write(secret + "\n")
        out.flush()
        os.fsync(out.fileno())
    return path


def _prepare(settings: ArchiveSettings, build: Build) -> Path | None:
    """Find out in this process, before the fork, whether the archive can work."""
    ClientCertificates.under(settings.proxy, settings.home)
    archive = build(settings)
    try:
        archive.ready()
        return ensure_first_key(archive, settings.home)
    finally:
        archive.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
        )
    except OSError as error:
        raise SettingsError(f"cannot listen on {host} port {port}: {error.strerror}") from error


def _announce(listener: socket.socket, settings: ArchiveSettings, key_file: Path | None, *, json_lines: bool) -> None:
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if json_lines:
        key = str(key_file) if key_file else None
        said = json.dumps({"event": "serving", "address": address, "home": str(settings.home), "key_file": key})
    else:
        said = f"Serving {settings.home} at {address} (stop with Ctrl-C)"
        if key_file is not None:
            said += f"\nThe first key is in {key_file}"
            said += f'\nTry: curl -H "Authorization: Bearer $(cat {key_file})" {address}/v1/status'
    sys.stderr.write(said + "\n")
    sys.stderr.flush()


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with our settings instead of its command line."""

    def __init__(
        self,
        settings: ArchiveSettings,
        build: Build,
        listener: socket.socket,
        patience: float,
        works: bool,
        connections: int,
    ) -> None:
        self.patience = patience
        self._connections = connections
        self._works = works
        self._settings = settings
        self._build = build
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        os.environ.pop("GUNICORN_FD", None)
        for name, value in {
            "bind": [f"fd://{self._listener.fileno()}"],
            "workers": 1,
            "worker_class": PatientWorker,
            "threads": self._settings.server.threads,
            "worker_connections": self._connections,
            "timeout": 120,
            "graceful_timeout": GRACE,
            "keepalive": KEEPALIVE,
            "limit_request_line": 8190,
            "limit_request_fields": 64,
            "loglevel": "warning",
            "logger_class": QuietLogger,
            "accesslog": None,
            "proc_name": "trusted-archive",
            "worker_exit": _stop_worker,
            "control_socket_disable": True,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called inside the worker process: the only place where the serving archive is made."""
        clear_staging(self._settings.staging, alone=catalogue_file(self._settings) is not None)
        archive = self._build(self._settings)
        archive.notifying.begin()
        app = create_app(archive, settings=self._settings)
        stopping = threading.Event()
        jobs = jobs_of(archive, self._settings.server.interval, stopping) if self._works else ()
        scheduler = Scheduler(jobs, stopping)
        app.extensions[SCHEDULER_EXTENSION] = scheduler
        scheduler.start()
        leave_alone_what_is_there()
        log("worker started", threads=self._settings.server.threads)
        return app

    def run(self) -> None:
        _GracefulArbiter(self).run()


def _stop_worker(_arbiter: Arbiter, worker: PatientWorker) -> None:
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions[SCHEDULER_EXTENSION].stop()
        app.extensions[EXTENSION].archive.close()
        log("worker stopped")


class _GracefulArbiter(Arbiter):  # type: ignore[misc]
    """Ctrl-C is as graceful as SIGTERM, and a worker that cannot start is told in our exit codes."""

    def handle_int(self) -> None:
        raise StopIteration

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        super().halt(reason, UnavailableError.exit_code if exit_status else 0)


class QuietLogger(Logger):  # type: ignore[misc]
    """gunicorn's messages as entries of ours, without the addresses and headers it puts into them."""

    def setup(self, cfg: Config) -> None:
        self.cfg = cfg
        self._access_log_enabled = False

    def _entry(self, level: int, message: object, *, trace: bool = False) -> None:
        error = sys.exc_info()[1] if trace else None
        log("gunicorn", level, error=error, message=str(message)[:200])

    def critical(self, msg: object, *args: object, **kwargs: object) -> None:
        self._entry(logging.CRITICAL, msg)

    def error(self, msg: object, *args: object, **kwargs: object) -> None:
        self._entry(logging.ERROR, msg)

    def warning(self, msg: object, *args: object, **kwargs: object) -> None:
        self._entry(logging.WARNING, msg)

    def info(self, msg: object, *args: object, **kwargs: object) -> None:
        self._entry(logging.DEBUG, msg)

    def debug(self, msg: object, *args: object, **kwargs: object) -> None:
        self._entry(logging.DEBUG, msg)

    def exception(self, msg: object, *args: object, **kwargs: object) -> None:
        self._entry(logging.ERROR, msg, trace=True)

    def log(self, lvl: object, msg: object, *args: object, **kwargs: object) -> None:
        self._entry(lvl if isinstance(lvl, int) else logging.INFO, msg)

    def access(self, *args: object) -> None:
        """Requests are logged by the application."""

    def reopen_files(self) -> None:
        """Entries go to standard error, which is nobody's file."""

    def close_on_exec(self) -> None:
        """As `reopen_files`."""
