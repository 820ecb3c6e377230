"""Where a file system store writes before anything shows.

Rules kept here
 * Staging lies beside the storage root, on the same file system, never in it.
 * Each process writes in a session directory of its own and holds a lock on it; when the process
   ends, however, the lock is gone and what is left there is a leftover.
 * What belongs to a living session is never named or cleared as a leftover, whoever asks.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import secrets
import shutil
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from archive_core.errors import StoreUnavailableError

_LOCK = "lock"
_HEADS = "heads.lock"
_POLL_SECONDS = 0.01


class Staging:
    """The staging area of one store."""

    def __init__(self, area: Path, *, lock_seconds: float = 30.0) -> None:
        self.area = area
        self._lock_seconds = lock_seconds
        self._session: Path | None = None
        self._numbers = itertools.count(1)
        self._starting = threading.Lock()

    def new_path(self) -> str:
        """A path in this process's session that nobody else uses. `session` was called before."""
        return f"{self._session}/{os.getpid()}-{next(self._numbers)}"

    def session(self) -> str:
        """This process's session directory, made on first use."""
        with self._starting:
            if self._session is None or not self._session.is_dir():
                self._session, lock = self._open_session()
                weakref.finalize(self, _end_session, self._session, lock, os.getpid())
            return str(self._session)

    def _open_session(self) -> tuple[Path, int]:
        self.area.mkdir(mode=0o700, exist_ok=True)
        while True:
            session = self.area / secrets.token_hex(8)
            session.mkdir(mode=0o700)
            try:
                lock = os.open(session / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (FileNotFoundError, BlockingIOError):
                continue  # somebody cleared leftovers just between our two steps
            if (session / _LOCK).exists():
                return session, lock
            os.close(lock)

    @contextmanager
    def heads_locked(self) -> Iterator[None]:
        """Nobody else on this staging area compares and replaces heads meanwhile; raises
        `StoreUnavailableError` when that cannot be had in time."""
        self.area.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(self.area / _HEADS, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            deadline = time.monotonic() + self._lock_seconds
            while not _try_lock(lock):
                if time.monotonic() > deadline:
                    raise StoreUnavailableError("another process has held this store's head lock too long")
                time.sleep(_POLL_SECONDS)
            yield
        finally:
            os.close(lock)

    def leftovers(self) -> list[str]:
        """`session/name` of everything staged in a session whose process is gone, sorted."""
        found = []
        for session in self._dead_sessions():
            found += [f"{session.name}/{path.name}" for path in sorted(session.iterdir()) if path.name != _LOCK]
        return found

    def clear_leftovers(self) -> list[str]:
        """Remove the dead sessions; the names of what was in them."""
        removed = []
        for session in self._dead_sessions():
            for path in sorted(session.iterdir()):
                if path.name != _LOCK:
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    else:
                        path.unlink()
                    removed.append(f"{session.name}/{path.name}")
            (session / _LOCK).unlink(missing_ok=True)
            with suppress(FileNotFoundError):  # its process may be starting and begin anew
                session.rmdir()
        return removed

    def _dead_sessions(self) -> Iterator[Path]:
        """Sessions whose lock we can take. The lock is held while the caller looks at one."""
        if not self.area.is_dir():
            return
        for session in sorted(self.area.iterdir()):
            if session == self._session or session.is_symlink() or not session.is_dir():
                continue
            try:
                lock = os.open(session / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            except FileNotFoundError:
                if session.is_dir():  # it ended before it could lock: nothing is in it
                    yield session
                continue
            try:
                if _try_lock(lock):
                    yield session
            finally:
                os.close(lock)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end_session(session: Path, lock: int, owner: int) -> None:
    """At the end of the process that made it: leave no empty session behind."""
    if os.getpid() != owner:
        return  # a forked child shares the lock and the directory; both stay the parent's
    with suppress(OSError):  # nobody is left to be told; what stays behind is named as a leftover
        if [path.name for path in session.iterdir()] == [_LOCK]:
            (session / _LOCK).unlink()
            session.rmdir()
    os.close(lock)
