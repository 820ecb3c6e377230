"""The process that takes requests: threads that only whole requests take, and connections that wait beside them.

Rules kept here
 * A thread is taken by a request whose head has come. Who connects and says nothing, or half a head, costs a descriptor
   and a few bytes, and is given up in time: `KEEPALIVE` seconds of silence, a patience for a head that was begun.
 * When there is no room for another connection, one that only waits is closed for it: first those that were answered
   and do not go, then those that never asked anything, last those kept alive; the longest waiting first. One that is
   being answered is never closed.
 * The loop that accepts connections waits for nobody; whoever is to be left is given a moment to read what was said.
 * Of a body that nobody wants little is read, and few threads at once wait for the rest of it.
"""

from __future__ import annotations

import errno
import json
import logging
import resource
import selectors
import signal
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from gunicorn.workers.gthread import DEFAULT_WORKER_DATA_TIMEOUT, STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from api.logs import log
from api.multipart import BLOCK
from api.patience import Head, PatientSocket
from archive_core.errors import SettingsError

KEEPALIVE = 30
"""Seconds for which a connection may be silent."""

LEAVE = 5.0
"""Seconds that a client is given to read the last answer and to close."""
MOST_UNWANTED = 1024 * 1024
"""Bytes that are read of what nobody wants, so that the answer is not lost to a reset."""
_AT_ONCE = 0.002
"""Seconds in which the rest of a body that is there already is thrown away."""
_TRIED = 8
"""Connections that are looked at before another kind makes room."""

_OTHER_FILES = 512
"""Descriptors that are left to stores, catalogue, libraries; and more for each thread."""
_FILES_OF_A_THREAD = 16


def room(wanted: int, threads: int) -> int:
    """How many connections this process may have, up to `wanted`; raises its limit of open files for that as far as
    the system lets it, and `SettingsError` when there would not be one for each thread."""
    others = _OTHER_FILES + threads * _FILES_OF_A_THREAD
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + others:
        soft = min(hard, wanted + others)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    found = min(wanted, soft - others)
    if found <= threads:
        raise SettingsError(
            f"{threads} threads and their files need more than the {soft} files that this process may open: raise the "
            f"limit (`ulimit -n`, LimitNOFILE=) to {wanted + others}, or take fewer threads"
        )
    if found < wanted:
        log("fewer connections than wanted", logging.WARNING, connections=found, wanted=wanted, open_files=soft)
    return found


class Connection(TConn):  # type: ignore[misc]
    """A connection, and among which it waits, if it does."""

    waits: Waiting | None = None
    thrown_away = 0


class Waiting:
    """Connections that wait, in the order in which they will have waited long enough; a deque to gunicorn."""

    def __init__(self) -> None:
        self._held: dict[Connection, None] = {}

    def append(self, conn: Connection) -> None:
        self._held[conn] = None
        conn.waits = self

    def remove(self, conn: Connection) -> None:
        del self._held[conn]
        conn.waits = None

    def popleft(self) -> Connection:
        conn = next(iter(self._held))
        self.remove(conn)
        return conn

    def expired(self, now: float) -> list[Connection]:
        """Those whose time is over."""
        found = []
        for conn in self._held:
            if conn.timeout > now:
                break
            found.append(conn)
        return found

    def __getitem__(self, place: int) -> Connection:
        return next(islice(self._held, place, None))

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's worker with threads under the rules above, and problem documents where it has HTML."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.keepalived_conns = Waiting()
        self.pending_conns = Waiting()
        self.begun = Waiting()
        self.leaving = Waiting()
        self._draining = threading.BoundedSemaphore(max(1, self.cfg.threads // 4))

    # -- in, and out of the waiting -------------------------------------------------------------

    def accept(self, listener: socket.socket) -> None:
        """A new connection waits with the idle ones until it says something."""
        if self.nr_conns >= self.worker_connections - 1:
            self._make_room()
        try:
            plain, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                log("no descriptor for another connection", logging.WARNING, connections=self.nr_conns)
                self._make_room()
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        conn = Connection(
            self.cfg, PatientSocket.taking_over(plain, self.app.patience), address, listener.getsockname()
        )
        conn.set_timeout()
        self._wait(conn, self.pending_conns)

    def _wait(self, conn: Connection, among: Waiting) -> None:
        """Until it says something."""
        conn.sock.setblocking(False)
        among.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_client_socket_readable, conn))

    def _wait_no_more(self, conn: Connection) -> None:
        assert conn.waits is not None
        conn.waits.remove(conn)
        if conn.sock.fileno() in self.poller.get_map():
            self.poller.unregister(conn.sock)

    def _end(self, conn: Connection) -> None:
        """Close one that waits, now."""
        self._wait_no_more(conn)
        self.nr_conns -= 1
        conn.close()

    def _make_room(self) -> bool:
        """Close one connection that only waits; whether there was one."""
        for waiting in (self.leaving, self.pending_conns, self.begun, self.keepalived_conns):
            for conn in list(islice(waiting, _TRIED)):
                if waiting is self.leaving or not conn.sock.is_speaking():
                    self._end(conn)
                    return True
        return False

    # -- what is said ---------------------------------------------------------------------------

    def on_client_socket_readable(self, conn: Connection, client: PatientSocket) -> None:
        """More of a head has come, or the client has gone."""
        if conn.waits is None:
            return  # closed in this very round, to make room
        if conn.waits is self.leaving:
            self._throw_away(conn)
            return
        match client.gather():
            case Head.GONE:
                self._end(conn)
            case Head.TOO_LONG:
                self._wait_no_more(conn)
                self.handle_error(None, client, conn.client, _HeadTooLongError())
                self._leave(conn)
            case Head.WHOLE:
                self._wait_no_more(conn)
                self.enqueue_req(conn)
            case Head.PART if conn.waits is not self.begun:
                conn.waits.remove(conn)
                conn.timeout = time.monotonic() + self.app.patience
                self.begun.append(conn)

    on_pending_socket_readable = on_client_socket_readable

    def enqueue_req(self, conn: Connection) -> None:
        """A request for the threads: its head is there."""
        conn.data_ready = True
        conn.sock.begin_request()
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """As gunicorn does, but a body is read in blocks of the size in which it is taken in, not of 8 KiB, and asked
        for only when it is wanted."""
        conn.parser.unreader.mxchunk = BLOCK
        conn.sock.owes_continue, req._expected_100_continue = req._expected_100_continue, False
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """Whether the connection is good for another request: what was left of the body is out of the way."""
        if not keepalive or conn.sock.body_declined:
            return False
        if conn.parser.finish_body(deadline=time.monotonic() + _AT_ONCE):
            return True
        if not self._draining.acquire(blocking=False):
            return False
        try:
            return bool(conn.parser.finish_body(deadline=time.monotonic() + DEFAULT_WORKER_DATA_TIMEOUT))
        finally:
            self._draining.release()

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """In the loop again: wait for the next request, which may have come already, or leave."""
        try:
            keep = not fs.cancelled() and bool(fs.result())
        except Exception as error:  # noqa: BLE001 - said in the log; the connection is of no use any more
            log("connection given up", logging.ERROR, error=error)
            keep = False
        if not keep:
            self._leave(conn)
            return
        conn.sock.put_back(conn.parser.unreader.take_buffered())
        if conn.sock.head() is Head.WHOLE:
            self.enqueue_req(conn)
            return
        begun = conn.sock.has_begun
        conn.timeout = time.monotonic() + (self.app.patience if begun else self.cfg.keepalive)
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + STOP_KEEPALIVE_LINGER)
        self._wait(conn, self.begun if begun else self.keepalived_conns)

    # -- leaving --------------------------------------------------------------------------------

    def _leave(self, conn: Connection) -> None:
        """Nothing more will be said (RFC 9112 9.6): the client may read it, and close."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.nr_conns -= 1
            conn.close()
            return
        conn.timeout = time.monotonic() + (LEAVE if self.alive else STOP_KEEPALIVE_LINGER)
        self._wait(conn, self.leaving)

    def _throw_away(self, conn: Connection) -> None:
        """Some of what a client still sends; then it is left to itself until its time is over."""
        found = conn.sock.throw_away(BLOCK)
        if found is None:
            return
        if not found:
            self._end(conn)
            return
        conn.thrown_away += found
        if conn.thrown_away >= MOST_UNWANTED:
            self.poller.unregister(conn.sock)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close those that waited long enough, or all."""
        if force:
            for conn in [*self.keepalived_conns, *self.leaving, *self.begun, *self.pending_conns]:
                self._end(conn)
            return
        now = time.monotonic()
        for waiting in (self.keepalived_conns, self.pending_conns, self.begun, self.leaving):
            for conn in waiting.expired(now):
                self._end(conn)

    def murder_pending(self) -> None:
        """Done above."""

    def _cap_keepalive(self, deadline: float) -> None:
        """At a stop, connections on which nothing was said yet are given up like kept-alive ones; who comes now
        is refused at once, and does not wait for an answer that nobody will give."""
        for listener in self.sockets:
            listener.close()
        for waiting in (self.keepalived_conns, self.pending_conns, self.begun, self.leaving):
            for conn in waiting:
                conn.timeout = min(conn.timeout, deadline)

    def init_signals(self) -> None:
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C comes here too; the arbiter decides

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """What is not HTTP is told so, in the form of every other error."""
        expected = type(exc).__module__ == "gunicorn.http.errors" or isinstance(exc, _HeadTooLongError)
        log("request not readable", logging.WARNING, error=None if expected else exc, kind=type(exc).__name__)
        code, status, reason = ("usage", 400, "Bad Request") if expected else ("internal", 500, "Internal Server Error")
        body = json.dumps(
            {"type": f"urn:trusted-archive:problem:{code}", "title": reason, "status": status, "detail": reason}
        ).encode()
        head = (
            f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n"
            f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            client.sendall(head.encode("ascii") + body)
        except OSError as error:
            log("answer not sent", logging.DEBUG, kind=type(error).__name__)


class _HeadTooLongError(Exception):
    """More than `MOST_HEAD` bytes, and no end."""
