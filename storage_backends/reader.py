"""A process that reads whole objects of one store, so that reading goes on on another core than judging.

Rules kept here
 * The process gives what `archive_core.ocfl.plain.read_plain` gives, because it calls nothing else.
 * It takes requests from the one process that started it, over a socket that nobody else has, and ends when that
   process closes the socket or dies. It writes nothing.
 * A reader that vanished is `StoreUnavailableError`, now and from then on.
"""

from __future__ import annotations

import marshal
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from archive_core.errors import ArchiveError, StoreUnavailableError
from archive_core.ports import ReadObject, WantedObject


class Reader:
    """The process beside a store; it starts with the first request."""

    def __init__(self, name: str, root: Path, staging: Path) -> None:
        self._name = name
        self._arguments = [name, str(root), str(staging)]
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._ended = False

    def read(self, wanted: Sequence[WantedObject]) -> list[ReadObject | None]:
        """What lies under each path, None for what is not a plain object with that id."""
        with self._lock:
            try:
                connection = self._connection or self._start()
                connection.send_bytes(marshal.dumps([(path, id_, list(names)) for path, id_, names in wanted]))
                answer = marshal.loads(connection.recv_bytes())  # noqa: S302 - from a process of ours
            except (EOFError, OSError) as error:
                self._end()
                raise StoreUnavailableError("the process that reads for this store ended", store=self._name) from error
        if not isinstance(answer, list) or len(answer) != len(wanted):
            raise StoreUnavailableError("the process that reads for this store gave no answer", store=self._name)
        return answer

    def close(self) -> None:
        with self._lock:
            self._end()

    def _start(self) -> Connection:
        if self._ended:
            raise OSError("it has ended before")
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-I", "-m", "storage_backends.reader", str(theirs.fileno()), *self._arguments]
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


def main(arguments: Sequence[str]) -> None:
    """Serve the socket with the given descriptor until its other end is closed."""
    from archive_core.ocfl.plain import read_plain
    from storage_backends.filesystem import FilesystemStore

    for number in (signal.SIGINT, signal.SIGTERM):  # they are meant for the one that started this process
        signal.signal(number, signal.SIG_IGN)
    descriptor, name, root, staging = arguments
    store = FilesystemStore(name, Path(root), Path(staging))
    with Connection(int(descriptor)) as connection:
        while True:
            try:
                request = marshal.loads(connection.recv_bytes())  # noqa: S302 - from our own parent
                answer: list[ReadObject | None] = []
                for path, object_id, algorithms in request:
                    try:
                        found = read_plain(store, path, object_id, algorithms=algorithms)
                    except ArchiveError:
                        found = None  # the one that asked meets it again and tells it
                    answer.append(None if found is None else (found.files, found.size))
                connection.send_bytes(marshal.dumps(answer))
            except (EOFError, OSError):
                return  # nobody asks any more


if __name__ == "__main__":
    main(sys.argv[1:])
