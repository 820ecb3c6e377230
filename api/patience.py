"""Connections that do not wait for ever: how slowly a client may send and receive.

Rules kept here
 * Waiting for a client is bounded: `PATIENCE` seconds at a stretch, and over a whole request no more
   than `PATIENCE` plus one second for every `SLOWEST` bytes that came. A thread is therefore never
   held by a client that sends a byte now and then.
 * Time spent by the archive itself does not count.
"""

from __future__ import annotations

import errno
import socket
import time
from typing import Any

PATIENCE = 20.0
"""Seconds."""

SLOWEST = 4096
"""Bytes a second."""


class PatientSocket(socket.socket):
    """A connected socket with the rules above; made from another, which it replaces."""

    _waited = 0.0
    _received = 0
    patience = PATIENCE
    slowest = SLOWEST

    @classmethod
    def taking_over(cls, other: socket.socket, patience: float = PATIENCE, slowest: int = SLOWEST) -> PatientSocket:
        made = cls(other.family, other.type, other.proto, fileno=other.detach())
        made.patience, made.slowest = patience, slowest
        made.settimeout(patience)
        return made

    def begin_request(self) -> None:
        self._waited, self._received = 0.0, 0

    def setblocking(self, flag: bool, /) -> None:
        """Blocking means: with patience."""
        self.settimeout(self.patience if flag else 0.0)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As `socket.recv`; raises TimeoutError (with ECONNRESET) when patience is at its end."""
        if self.gettimeout() == 0.0:
            return super().recv(size, flags)
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
        """As `socket.sendall`, but a slow reader is given time for each piece, not for the whole."""
        view = memoryview(data).cast("B")
        while view:
            view = view[self.send(view[:65536], flags) :]
