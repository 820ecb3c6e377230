"""A process that writes whole objects for one store, so that stores and their caller work side by side.

Rules kept here
 * The process keeps the promises of `FilesystemStore.put_objects`, because it calls nothing else.
 * It takes requests from the one process that started it, over sockets that nobody else has, and ends
   when that process closes them or dies. What it was told to write it finishes first.
 * It has as many sockets as groups may be written at once, and a thread for each: while one group waits for
   the device, the next is written.
 * Ctrl-C and SIGTERM are meant for the one that started it, and mean here that no more requests come.
 * Whether a writer that vanished had written, nobody knows: that is `StoreUnavailableError`, and the
   caller assumes both.
"""

from __future__ import annotations

import gc
import marshal
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from archive_core import errors
from archive_core.digests import Digest
from archive_core.errors import ArchiveError, StoreUnavailableError
from archive_core.ports import KnownBytes, NewFile, NewHead, NewObject
from storage_backends.filesystem import FilesystemStore

INLINE = 16 * 1024 * 1024
"""Objects of more bytes than this together are written by the caller itself: for them a process of its own gains
nothing, and small ones must not wait behind large ones. A small one that comes alone goes the same way as many: to
write it here would take some forty turns of a process in which others are at work."""


LANES = 2
"""Groups that one store writes at the same time."""


class Writer:
    """The process beside a store; it starts with the first request, and again after it vanished."""

    def __init__(self, name: str, root: Path, staging: Path) -> None:
        self._name = name
        self._arguments = [name, str(root), str(staging)]
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(LANES)
        self._process: subprocess.Popen[bytes] | None = None
        self._former: list[subprocess.Popen[bytes]] = []
        self._free: list[Connection] = []

    def put_objects(self, objects: Sequence[NewObject]) -> None:
        """As the port's verb; `LANES` requests at a time."""
        request = marshal.dumps([_packed(item) for item in objects])
        with self._room:
            process, connection = self._take()
            try:
                connection.send_bytes(request)
                answer = marshal.loads(connection.recv_bytes())  # noqa: S302 - from a process of ours
            except (EOFError, OSError) as error:
                self._give_up(process, connection)
                raise StoreUnavailableError(
                    "the process that writes for this store ended; whether it had written is not known",
                    store=self._name,
                ) from error
            except BaseException:
                self._give_up(process, connection)  # an answer nobody waited for must not be the next one's
                raise
            with self._lock:
                if process is self._process:
                    self._free.append(connection)
                else:
                    connection.close()  # another request found the process gone
        if answer is not None:
            raise _unpacked_error(*answer)

    def close(self) -> None:
        """Let the process finish and end."""
        with self._lock:
            self._leave()
            former, self._former = self._former, []
        for process in former:  # outside of the lock: whoever waits for an answer has yet to close its socket
            process.wait()

    def _take(self) -> tuple[subprocess.Popen[bytes], Connection]:
        """The process and a socket to it that nobody uses."""
        with self._lock:
            if self._process is None:
                self._start()
            assert self._process is not None
            return self._process, self._free.pop()

    def _give_up(self, process: subprocess.Popen[bytes], connection: Connection) -> None:
        """A socket is of no more use: the next request gets a new process."""
        connection.close()
        with self._lock:
            if process is self._process:
                self._leave()

    def _start(self) -> None:
        pairs = [socket.socketpair() for _ in range(LANES)]
        theirs = [their.fileno() for _, their in pairs]
        numbers = ",".join(str(number) for number in theirs)
        command = [sys.executable, "-I", "-m", "storage_backends.writer", numbers, *self._arguments]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very Python and our own module
                command, pass_fds=theirs, stdin=subprocess.DEVNULL
            )
        except OSError as error:
            for ours, _ in pairs:
                ours.close()
            raise StoreUnavailableError(f"cannot start a process: {error.strerror}", store=self._name) from error
        finally:
            for _, their in pairs:
                their.close()
        self._free = [Connection(ours.detach()) for ours, _ in pairs]

    def _leave(self) -> None:
        """Nothing more is asked of the process. It ends when the last of its sockets is closed: those in use are
        closed by whoever uses them."""
        free, self._free = self._free, []
        process, self._process = self._process, None
        for connection in free:
            connection.close()
        if process is not None:
            self._former.append(process)


class SideBySideStore(FilesystemStore):
    """A `FilesystemStore` whose many small new objects are written by a process of its own."""

    def __init__(self, name: str, root: Path, staging: Path) -> None:
        super().__init__(name, root, staging)
        self._writer = Writer(name, self.root, staging.absolute())

    def put_objects(self, objects: Sequence[NewObject]) -> None:
        size = sum(file.size for item in objects for file in item.files)
        if size > INLINE or any(item.head.expected is not None for item in objects):
            super().put_objects(objects)
        else:
            self._writer.put_objects(objects)

    def close(self) -> None:
        self._writer.close()
        super().close()


def main(arguments: Sequence[str]) -> None:
    """Serve the sockets with the given descriptors until their other ends are closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)  # what is made here are files and their names: hardly any cycles
    descriptors, name, root, staging = arguments
    store = FilesystemStore(name, Path(root), Path(staging))
    lanes = [
        threading.Thread(target=_serve, args=(store, int(descriptor)), name=f"lane-{descriptor}")
        for descriptor in descriptors.split(",")
    ]
    threading.excepthook = _end_with
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()


def _end_with(failure: threading.ExceptHookArgs) -> None:
    """A defect ends the process, where it is seen."""
    sys.__excepthook__(failure.exc_type, failure.exc_value or failure.exc_type(), failure.exc_traceback)
    sys.stderr.flush()
    os._exit(1)


def _serve(store: FilesystemStore, descriptor: int) -> None:
    with Connection(descriptor) as connection:
        while True:
            try:
                request = marshal.loads(connection.recv_bytes())  # noqa: S302 - from our own parent
            except (EOFError, OSError):
                return  # nobody asks any more
            try:
                connection.send_bytes(marshal.dumps(_outcome(store, [_unpacked(item) for item in request])))
            except OSError:
                return


def _outcome(store: FilesystemStore, objects: Sequence[NewObject]) -> _PackedError | None:
    """None for success. What is no `ArchiveError` is a defect: it ends this process and is seen there."""
    try:
        store.put_objects(objects)
    except ArchiveError as error:
        facts = {name: value if isinstance(value, str | int) else str(value) for name, value in error.facts.items()}
        return type(error).__name__, str(error), facts
    return None


# -- what goes through the socket: nothing that could be code --------------------------------------

_PackedFile = tuple[str, bytes | str, bool, str, bytes, int]
_PackedObject = tuple[str, bytes, bytes, str, list[_PackedFile]]
_PackedError = tuple[str, str, dict[str, Any]]


def _packed(item: NewObject) -> _PackedObject:
    head = item.head
    files = [
        (
            file.key,
            file.source if isinstance(file.source, bytes) else str(file.source),
            isinstance(file.source, KnownBytes),
            file.expected.algorithm,
            file.expected.value,
            file.size,
        )
        for file in item.files
    ]
    return head.object_path, head.inventory, head.sidecar, head.sidecar_name, files


def _unpacked(packed: _PackedObject) -> NewObject:
    path, inventory, sidecar, sidecar_name, files = packed
    return NewObject(
        [
            NewFile(key, _source(data, known), Digest(name, value), size)
            for key, data, known, name, value, size in files
        ],
        NewHead(path, inventory, sidecar, sidecar_name, None),
    )


def _source(data: bytes | str, known: bool) -> bytes | Path:
    if isinstance(data, str):
        return Path(data)
    return KnownBytes(data) if known else data


def _unpacked_error(name: str, message: str, facts: dict[str, Any]) -> ArchiveError:
    kind: type[ArchiveError] = getattr(errors, name)
    return kind(message, **facts)


if __name__ == "__main__":
    main(sys.argv[1:])
