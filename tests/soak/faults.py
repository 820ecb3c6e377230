"""The chaos: kills, outages, a full disk, at moments that a seed decides.

The rules this module keeps
 * Every class of fault comes once in each deal of a shuffled deck, so that none is left out. A command that did not run
   when its turn came is killed as soon as it runs. One that was killed some times at the same work is spared until it
   is done: what takes minutes would never end.
 * Whatever is broken is whole again when the chaos ends.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.soak.people import Stage
from tests.soak.processes import Standing, kill

COMMANDS = ("bulk", "preserve", "fixity", "repair")
STANDING = ("server", "worker", "one process of a server")
KILLS = tuple(f"kill: {name}" for name in (*STANDING, *COMMANDS))
OUTAGES = ("S3 stopped", "TSA stopped", "disk full", "database crashed", "connections ended")
_ANSWER = b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"


class Killer:
    """Ends processes with SIGKILL; those that stay are started again."""

    def __init__(self, stage: Stage, pause: float) -> None:
        self._stage = stage
        self._pause = pause
        self._chance = stage.chance("killer")
        self._deck: list[str] = []
        self._missed: list[str] = []

    def run(self) -> None:
        while not self._stage.stop.wait(self._chance.uniform(0.3, 1.7) * self._pause):
            kind = self._next()
            if self._kill(kind.removeprefix("kill: ")):
                self._stage.ledger.fault(kind, kill=True)
            elif kind.removeprefix("kill: ") in COMMANDS:
                self._missed.append(kind)
            else:
                self._deck.insert(0, kind)

    def _next(self) -> str:
        """The one of those that were missed that runs now, else the next card."""
        for number, kind in enumerate(self._missed):
            names = _names(kind.removeprefix("kill: "))
            if any(name in self._stage.running and name not in self._stage.spared for name in names):
                return self._missed.pop(number)
        if not self._deck:
            self._deck = [kind for kind in KILLS if kind not in self._missed]
            self._chance.shuffle(self._deck)
        return self._deck.pop() if self._deck else self._missed.pop(0)

    def _kill(self, name: str) -> bool:
        if name in COMMANDS:
            return self._kill_command(name)
        standing = self._chance.choice(self._stage.workers if name == "worker" else self._stage.servers)
        if not standing.alive:
            standing.revive()
            return False
        if name == "one process of a server":
            return self._kill_one(standing)
        killed = standing.kill()
        self._stage.stop.wait(self._chance.uniform(0.0, 1.0))
        standing.revive()
        return killed

    def _kill_one(self, standing: Standing) -> bool:
        """A worker or a writer of a server; what is left of the server goes on, or is started anew."""
        assert standing.process is not None
        children = _below(standing.process.pid)
        if not children:
            return False
        os.kill(self._chance.choice(children), signal.SIGKILL)
        return True

    def _kill_command(self, name: str) -> bool:
        """At any moment of a command's life; also of its first second, when it only starts."""
        running = self._chance.choice(_names(name))
        deadline = time.monotonic() + 5
        while (process := self._stage.running.get(running)) is None:
            if time.monotonic() > deadline or self._stage.stop.wait(0.05):
                return False
        self._stage.stop.wait(self._chance.choice([self._chance.uniform(0.0, 2.0), self._chance.uniform(1.0, 6.0)]))
        return running not in self._stage.spared and kill(process)


def _names(kind: str) -> tuple[str, ...]:
    """What a command of that kind is called while it runs; what stands all the time has no such name."""
    return ("bulk-1", "bulk-2") if kind == "bulk" else (kind,)


def _below(pid: int) -> list[int]:
    """Every process below this one."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_below(child)]
    return found


class Breaker:
    """Takes away what the archive rests on, for a while."""

    def __init__(self, stage: Stage, pause: float, longest: float) -> None:
        self._stage = stage
        self._pause = pause
        self._longest = longest
        self._chance = stage.chance("breaker")
        self._acts: dict[str, Callable[[random.Random], None]] = {
            "S3 stopped": self._s3,
            "TSA stopped": self._tsa,
            "disk full": self._disk,
            "database crashed": self._database,
            "connections ended": self._connections,
        }

    def run(self) -> None:
        deck: list[str] = []
        while not self._stage.stop.wait(self._chance.uniform(0.3, 1.7) * self._pause):
            if not deck:
                deck = list(OUTAGES)
                self._chance.shuffle(deck)
            kind = deck.pop()
            self._acts[kind](self._chance)
            self._stage.ledger.fault(kind)

    def _wait(self) -> None:
        self._stage.stop.wait(self._chance.uniform(0.2, self._longest))

    def _s3(self, chance: random.Random) -> None:
        self._stage.place.ceph.stop_gateway()
        try:
            self._wait()
        finally:
            self._stage.place.ceph.start_gateway()

    def _tsa(self, chance: random.Random) -> None:
        tsa = self._stage.place.tsa
        tsa.behaviour = chance.choice([tsa.raw(_ANSWER), tsa.silent, tsa.raw(b""), tsa.body(b"no token")])
        try:
            self._wait()
        finally:
            tsa.behaviour = tsa.honest

    def _disk(self, chance: random.Random) -> None:
        """All but a few pages of the small disk are taken, or all of it."""
        filler = self._stage.place.disk / "filler"
        room = os.statvfs(self._stage.place.disk)
        left = chance.choice([0, 0, 1, 5, 40]) * room.f_frsize
        with filler.open("wb") as out:
            try:
                os.posix_fallocate(out.fileno(), 0, max(1, room.f_bavail * room.f_frsize - left))
            except OSError:
                self._stage.ledger.count("the disk was full before it was filled")
        try:
            self._wait()
        finally:
            filler.unlink()

    def _database(self, chance: random.Random) -> None:
        assert self._stage.place.database.crash is not None
        self._stage.place.database.crash()

    def _connections(self, chance: random.Random) -> None:
        for _ in range(chance.randrange(1, 5)):
            ended = self._stage.place.database.terminate_connections(self._stage.place.url)
            self._stage.ledger.count("connections ended", ended)
            self._stage.stop.wait(chance.uniform(0.01, 0.3))
