"""Connections that do not wait for ever: how slowly a client may send and receive.

Rules kept here
 * Waiting for a client is bounded: `PATIENCE` seconds at a stretch, and over a whole request no more
   than `PATIENCE` plus one second for every `SLOWEST` bytes that came. A thread is therefore never
   held by a client that sends a byte now and then.
 * Time spent by the archive itself does not count.
 * A request's head is gathered without waiting at all, before any thread has to do with it; what came of it is
   received first.
 * Who asks before sending a body (RFC 9110 10.1.1) is told to go on when the body is wanted, and not before.
"""

from __future__ import annotations

import enum
import errno
import socket
import time
from typing import Any

PATIENCE = 20.0
"""Seconds."""

SLOWEST = 4096
"""Bytes a second."""

MOST_HEAD = 32 * 1024
"""Bytes of a request's head."""

_END = b"\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Head(enum.Enum):
    """How much of a request's head has come."""

    PART = enum.auto()
    WHOLE = enum.auto()
    TOO_LONG = enum.auto()
    GONE = enum.auto()
    """Nothing more will come: the client closed, or only its half."""


class PatientSocket(socket.socket):
    """A connected socket with the rules above; made from another, which it replaces."""

    _waited = 0.0
    _received = 0
    patience = PATIENCE
    slowest = SLOWEST
    owes_continue = False
    """Whether the client waits for `100 Continue` and no answer has begun."""
    body_declined = False
    """Whether it was answered instead: then nobody knows whether the body will come."""
    _ahead = b""

    @classmethod
    def taking_over(cls, other: socket.socket, patience: float = PATIENCE, slowest: int = SLOWEST) -> PatientSocket:
        made = cls(other.family, other.type, other.proto, fileno=other.detach())
        made.patience, made.slowest = patience, slowest
        made.settimeout(patience)
        return made

    def begin_request(self) -> None:
        self._waited, self._received = 0.0, 0
        self.owes_continue = self.body_declined = False

    def setblocking(self, flag: bool, /) -> None:
        """Blocking means: with patience."""
        self.settimeout(self.patience if flag else 0.0)

    # -- heads ----------------------------------------------------------------------------------

    def gather(self) -> Head:
        """Take what has come of a head, without waiting."""
        try:
            came = super().recv(MOST_HEAD)
        except BlockingIOError:
            return Head.PART
        except OSError:
            return Head.GONE
        if not came:
            return Head.GONE
        known = len(self._ahead)
        self._ahead += came
        return self.head(max(0, known - len(_END) + 1))

    def head(self, start: int = 0) -> Head:
        """What was gathered or put back; its end is looked for from `start`."""
        if self._ahead.find(_END, start) >= 0:
            return Head.WHOLE
        return Head.TOO_LONG if len(self._ahead) >= MOST_HEAD else Head.PART

    def put_back(self, data: bytes) -> None:
        """Bytes that were received and belong to the next request."""
        self._ahead = data + self._ahead

    @property
    def has_begun(self) -> bool:
        """Whether something of a request has come."""
        return bool(self._ahead)

    def is_speaking(self) -> bool:
        """Whether something has come that nobody took yet, or the client has closed; without waiting."""
        try:
            super().recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return False
        return True

    def throw_away(self, most: int) -> int | None:
        """Bytes that came and were thrown away, without waiting: 0 at the end, None when there is nothing just now."""
        try:
            return len(super().recv(most))
        except BlockingIOError:
            return None
        except OSError:
            return 0

    # -- bodies and answers ---------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As `socket.recv`; raises TimeoutError (with ECONNRESET) when patience is at its end."""
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        if self.gettimeout() == 0.0:
            return super().recv(size, flags)
        if self.owes_continue:
            self.owes_continue = False
            self.sendall(_CONTINUE)
        left = self.patience + self._received / self.slowest - self._waited
        if left <= 0:
            raise TimeoutError(errno.ECONNRESET, "the client sends too slowly")
        before = self.gettimeout()
        allowed = min(left, before or self.patience)
        began = time.monotonic()
        if allowed != before:  # each change asks the kernel, and most reads need none
            self.settimeout(allowed)
        try:
            data = super().recv(size, flags)
        except TimeoutError:
            raise TimeoutError(errno.ECONNRESET, "the client stopped sending") from None
        finally:
            self._waited += time.monotonic() - began
            if allowed != before:
                self.settimeout(before)
        self._received += len(data)
        return data

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """As `socket.sendall`, but a slow reader is given time for each piece that it takes, not for the whole."""
        if self.owes_continue:
            self.owes_continue, self.body_declined = False, True
        view = memoryview(data).cast("B")
        while view:
            view = view[self.send(view, flags) :]
