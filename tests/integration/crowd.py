"""Clients that do nothing good: silent ones, ones that keep their connection, half requests, drops, unwanted bodies.

The rules this module keeps
 * All of them live in one thread and cost next to nothing. Who is cut off comes again at once, so that there are as
   many all the time.
 * How long each was borne, from its first byte (of a silent one: from its connection) to its end, is written down.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

SILENT, KEPT, HALF, DRIPPING, UNWANTED = "silent", "kept alive", "half a head", "dripping head", "unwanted body"
_HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: crowd\r\n\r\n"
_HALF = b"POST /v1/preservation-objects HTTP/1.1\r\nHost: crowd\r\nX-Long: "
_BODY = b"POST /v1/preservation-objects HTTP/1.1\r\nHost: crowd\r\nContent-Length: 60000\r\n\r\nbeginning"
_FIRST = {SILENT: b"", KEPT: _HEALTH, HALF: _HALF, DRIPPING: _HALF, UNWANTED: _BODY}


def mixed(count: int) -> list[str]:
    """The kinds of a crowd of so many: mostly idle ones, as behind a page that everybody has open."""
    shares = (SILENT, SILENT, SILENT, KEPT, KEPT, KEPT, HALF, HALF, DRIPPING, UNWANTED)
    return [shares[number % len(shares)] for number in range(count)]


@dataclass(eq=False)
class Idler:
    """One of them."""

    kind: str
    socket: socket.socket
    began: float
    answers: int = 0


@dataclass
class Crowd:
    """A crowd before a server, from `with` to its end."""

    address: tuple[str, int]
    kinds: Sequence[str]
    drip: float = 0.25
    """Seconds between two bytes of a dripping one."""
    borne: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds for which those were borne that were cut off, by kind."""
    refused: int = 0
    """Connections that were not taken at all."""
    answered: int = 0
    """Answers that came to those that asked something."""
    failure: BaseException | None = None

    def __enter__(self) -> Crowd:
        self._selector = selectors.DefaultSelector()
        self._idlers: set[Idler] = set()
        self._over = threading.Event()
        for kind in self.kinds:
            self._come(kind)
        self._thread = threading.Thread(target=self._guarded, name="crowd")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for one in self._idlers:
            one.socket.close()
        if self.failure is not None:
            raise self.failure

    @property
    def there(self) -> int:
        return len(self._idlers)

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - raised at the end, in the test's thread
            self.failure = error

    def _run(self) -> None:
        dripped = time.monotonic()
        while not self._over.is_set():
            for key, _ in self._selector.select(0.05):
                self._hear(key.data)
            if time.monotonic() - dripped >= self.drip:
                dripped = time.monotonic()
                for one in [one for one in self._idlers if one.kind in (DRIPPING, UNWANTED)]:
                    self._say(one, b"x")

    def _come(self, kind: str) -> None:
        try:
            made = socket.create_connection(self.address, timeout=10)
        except OSError:
            self.refused += 1
            return
        made.setblocking(False)
        one = Idler(kind, made, time.monotonic())
        self._idlers.add(one)
        self._selector.register(made, selectors.EVENT_READ, one)
        self._say(one, _FIRST[kind])

    def _say(self, one: Idler, said: bytes) -> None:
        try:
            one.socket.send(said)
        except BlockingIOError:
            pass
        except OSError:
            self._gone(one)

    def _hear(self, one: Idler) -> None:
        try:
            came = one.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            came = b""
        if came:
            one.answers += 1
            self.answered += 1
            if one.kind == KEPT:
                one.began = time.monotonic()
        elif one in self._idlers:
            self._gone(one)

    def _gone(self, one: Idler) -> None:
        self._idlers.discard(one)
        self._selector.unregister(one.socket)
        one.socket.close()
        self.borne[one.kind].append(time.monotonic() - one.began)
        self._come(one.kind)
