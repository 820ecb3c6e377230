"""A process of ours beside this one that is asked one thing at a time.

Rules kept here
 * It takes requests from the one process that started it, over a socket that nobody else has, and ends when that
   process closes the socket or dies. What it was asked it finishes first.
 * It starts with the first request. One that vanished is `StoreUnavailableError`, now and from then on.
 * What goes through the socket is data (`marshal` of plain values between two processes of one program), never code
   of somebody else's.
"""

from __future__ import annotations

import marshal
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from archive_core import errors
from archive_core.errors import ArchiveError, StoreUnavailableError

PackedError = tuple[str, str, dict[str, Any]]


class Aside:
    """The process; `module` is run with the descriptor of its socket and `arguments`."""

    def __init__(self, store: str, module: str, arguments: Sequence[str]) -> None:
        self._store = store
        self._module = module
        self._arguments = list(arguments)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._ended = False

    def ask(self, request: Any) -> Any:
        """The answer to a request; raises `StoreUnavailableError` when there is none."""
        with self._lock:
            try:
                connection = self._connection or self._start()
                connection.send_bytes(marshal.dumps(request))
                return marshal.loads(connection.recv_bytes())  # noqa: S302 - from a process of ours
            except (EOFError, OSError) as error:
                self._end()
                raise StoreUnavailableError(
                    "a process that works for this store ended; whether it had done what it was asked is not known",
                    store=self._store,
                ) from error
            except BaseException:
                self._end()  # an answer nobody waited for must not be the next one's
                raise

    def close(self) -> None:
        with self._lock:
            self._end()

    def _start(self) -> Connection:
        if self._ended:
            raise OSError("it has ended before")
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-I", "-m", self._module, str(theirs.fileno()), *self._arguments]
            try:
                self._process = subprocess.Popen(  # noqa: S603 - this very Python and our own module
                    command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
                )
            except OSError:
                ours.close()
                raise
        self._connection = Connection(ours.detach())
        return self._connection

    def _end(self) -> None:
        self._ended = True
        connection, self._connection = self._connection, None
        process, self._process = self._process, None
        if connection is not None:
            connection.close()
        if process is not None:
            process.wait()


def serve(descriptor: int, answer: Callable[[Any], Any]) -> None:
    """Answer what comes through the socket until its other end is closed. Ctrl-C and SIGTERM are meant for the one
    that started this process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with Connection(descriptor) as connection:
        while True:
            try:
                request = marshal.loads(connection.recv_bytes())  # noqa: S302 - from our own parent
            except (EOFError, OSError):
                return  # nobody asks any more
            said = marshal.dumps(answer(request))
            try:
                connection.send_bytes(said)
            except OSError:
                return


def packed_error(error: ArchiveError) -> PackedError:
    """An error as plain values."""
    facts = {name: value if isinstance(value, str | int) else str(value) for name, value in error.facts.items()}
    return type(error).__name__, str(error), facts


def unpacked_error(packed: PackedError) -> ArchiveError:
    name, message, facts = packed
    kind: type[ArchiveError] = getattr(errors, name)
    return kind(message, **facts)
