"""Who uses the archive during a soak: clients over HTTP, bulk deposits and everyday commands on the command line.

The rules this module keeps
 * A client that gets no answer asks again under the same key, until it is told. Nothing else is retried.
 * An answer that nobody may get, whatever is broken meanwhile, is a violation.
 * Everybody draws from a random sequence of its own, made from the seed and its name.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.soak.ledger import Files, Ledger, digests
from tests.soak.place import Place
from tests.soak.processes import Answer, Standing, ask, kill, post_files, spawn

PATIENT = {0, 429, 503}
"""No answer, too fast, not now."""
LARGE = 5 * 1024 * 1024
THINKING = 0.5
"""Seconds between two requests of a client, on average."""
GATHERING = 4.0
"""Seconds between two folders that are deposited on the command line, on average."""


@dataclass
class Stage:
    """What all share: who stands where, what runs, when it ends."""

    place: Place
    ledger: Ledger
    seed: int
    servers: list[Standing]
    workers: list[Standing]
    stop: threading.Event = field(default_factory=threading.Event)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    """Commands that run now, by name."""
    spared: set[str] = field(default_factory=set)
    """Commands that were killed often enough at the same work and may come to their end."""
    rate: float = float("inf")
    """Acknowledgements a second after which depositors rest, so that a long run can be judged in the end."""
    given_up: float = float("inf")
    """The moment (monotonic) after which nobody asks again."""

    @property
    def ahead(self) -> bool:
        """Whether more was deposited by now than is to be."""
        return self.ledger.counts["acknowledged"] > self.rate * (time.monotonic() - self.ledger.began)

    def chance(self, name: str) -> random.Random:
        return random.Random(f"{self.seed} {name}")

    @property
    def key(self) -> str:
        return (self.place.home / "first-key").read_text("ascii").strip()

    def command(self, name: str, *words: str) -> tuple[int, Any]:
        """Run a command under a name by which it can be killed; exit code and answer. -9 when it was killed."""
        process = spawn(self.place.home, list(words), self.place.log(name))
        self.running[name] = process
        try:
            out, _ = process.communicate(timeout=900)
        except subprocess.TimeoutExpired:
            kill(process)
            self.ledger.violate(f"`{' '.join(words)[:60]}` did not end in 15 minutes")
            return -9, None
        finally:
            self.running.pop(name, None)
        found = json.loads(out) if out.strip() else None
        self.ledger.count(f"`{words[0]}` ended with {process.returncode}")
        if process.returncode == 75:
            self.ledger.refused(name, (found or {}).get("error"))
        return process.returncode, found


def thread(act: Callable[[], None], name: str, ledger: Ledger) -> threading.Thread:
    """A thread that does not die in silence."""

    def guarded() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - it fails the run, with its name
            ledger.violate(f"{name} ended with {type(error).__name__}: {error}")

    return threading.Thread(target=guarded, name=name)


class Client:
    """One of those who deposit, update and read over HTTP, one request at a time."""

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage = stage
        self._ledger = stage.ledger
        self._name = name
        self._chance = stage.chance(name)
        self._number = 0
        self._mine: list[tuple[str, int]] = []

    def run(self) -> None:
        while not self._stage.stop.wait(self._chance.uniform(0.0, 2 * THINKING)):
            dice = self._chance.random()
            if dice < 0.12 and self._mine:
                self._update()
            elif (dice < 0.45 or self._stage.ahead) and self._ledger.told:
                self._read()
            else:
                self._deposit()

    def _content(self) -> dict[str, bytes]:
        chance = self._chance
        if chance.random() < 0.01:
            return {"large.bin": chance.randbytes(LARGE + chance.randrange(LARGE))}
        return {
            f"{number}/{self._name}.txt": chance.randbytes(chance.randrange(1, 6000))
            for number in range(1, chance.choice([2, 2, 2, 3, 4]))
        }

    def _deposit(self) -> None:
        files = self._content()
        settled = self._chance.random() < 0.85
        answer = self._insist(files, None)
        if answer is None:
            return
        poid = answer["poid"]
        self._ledger.acknowledge(poid, 1, digests(files), "deposit over HTTP", settled=settled)
        if not settled:
            self._mine.append((poid, 1))

    def _update(self) -> None:
        place = self._chance.randrange(len(self._mine))
        poid, version = self._mine[place]
        files = self._content()
        answer = self._insist(files, poid)
        if answer is None:
            del self._mine[place]
            return
        if answer["version"] != version + 1:
            self._ledger.violate(f"the update of {poid} v{version} was acknowledged as v{answer['version']}")
        self._ledger.acknowledge(poid, answer["version"], digests(files), "update over HTTP", settled=False)
        self._mine[place] = (poid, answer["version"])

    def _insist(self, files: dict[str, bytes], poid: str | None) -> Any:
        """Ask one server after the other until one acknowledges."""
        self._number += 1
        key = f"{self._stage.seed}-{self._name}-{self._number}"
        pause = 0.05
        while True:
            server = self._chance.choice(self._stage.servers)
            answer = post_files(server.address, self._stage.key, files, idempotency_key=key, poid=poid)
            if answer.status in (200, 201):
                return answer.json
            self._unexpected(answer, "a deposit" if poid is None else f"an update of {poid}")
            if time.monotonic() > self._stage.given_up:
                self._ledger.violate(f"{key} was never acknowledged: {answer.status} {answer.body[:300]!r}")
                return None
            time.sleep(pause)
            pause = min(1.0, pause * 2)

    def _unexpected(self, answer: Answer, what: str) -> None:
        self._ledger.count(f"answered {answer.status or 'not at all'}")
        if answer.status not in PATIENT:
            self._ledger.violate(f"{what} was answered {answer.status} {answer.body[:600]!r}")
            time.sleep(1.0)

    def _harmed(self) -> list[str]:
        """At times: what is damaged just now, which is soon so little of everything that nobody would meet it."""
        if self._chance.random() < 0.5:
            return []
        return [one.name for one in self._ledger.damages[-200:] if not one.healed and one.name in self._ledger.told]

    def _read(self) -> None:
        with self._ledger._lock:
            poid = self._chance.choice(self._harmed() or list(self._ledger.told))
            version = self._chance.choice(list(self._ledger.told[poid]))
            path, expected = self._chance.choice(list(self._ledger.told[poid][version].items()))
        server = self._chance.choice(self._stage.servers)
        address = f"/v1/preservation-objects/{poid}/files/{path}?version={version}"
        answer = ask(server.address, self._stage.key, "GET", address)
        if answer.status == 200:
            self._ledger.count("read")
            if "Copies-Damaged" in answer.headers:
                self._ledger.count("read past damage")
            if hashlib.sha512(answer.body).hexdigest() != expected:
                self._ledger.violate(f"wrong bytes were handed out of {poid} v{version} {path}")
        else:
            self._unexpected(answer, f"reading {poid} v{version} {path}")


class Bulk:
    """Deposits folders of files on the command line, each until all of it is acknowledged."""

    def __init__(self, stage: Stage, name: str, size: int) -> None:
        self._stage = stage
        self._name = name
        self._size = size
        self._chance = stage.chance(name)
        self._folder = stage.place.folder / name
        self._folder.mkdir()

    def run(self) -> None:
        number = 0
        while not self._stage.stop.wait(self._chance.uniform(0.0, 2 * GATHERING)):
            if self._stage.ahead:
                continue
            number += 1
            paths = self._files(number)
            while paths and time.monotonic() < self._stage.given_up:
                paths = self._deposit(paths)
            if paths:
                self._stage.ledger.violate(f"{len(paths)} files of {self._name} were never acknowledged")

    def _files(self, number: int) -> list[Path]:
        paths = []
        for place in range(self._size):
            path = self._folder / f"{number}-{place}.bin"
            path.write_bytes(self._chance.randbytes(self._chance.randrange(16, 4000)))
            paths.append(path)
        return paths

    def _deposit(self, paths: Sequence[Path]) -> list[Path]:
        """Those that were not acknowledged."""
        code, found = self._stage.command(self._name, "deposit", "--once", *map(str, paths))
        if code not in (0, 75, -9):
            self._stage.ledger.violate(f"deposit ended with {code}: {json.dumps(found)[:600]}")
        left = set(paths)
        for answer in (found or {}).get("objects", []):
            path = Path(answer["path"])
            if "poid" in answer:
                files: Files = {path.name: hashlib.sha512(path.read_bytes()).hexdigest()}
                self._stage.ledger.acknowledge(answer["poid"], 1, files, "deposit in bulk", settled=True)
                left.discard(path)
                path.unlink()
        if left and not self._stage.stop.is_set():
            time.sleep(0.2)
        return sorted(left)


def preserver(stage: Stage) -> None:
    """Closes and proves what waits, again and again."""
    chance = stage.chance("preserve")
    while not stage.stop.wait(chance.uniform(1.0, 6.0)):
        code, found = stage.command("preserve", "preserve")
        if code in (0, 75):
            stage.ledger.count("preserves")
        if code == 0:
            stage.ledger.count("batches", len(found["batches"]))
        elif code not in (75, -9):
            stage.ledger.violate(f"preserve ended with {code}: {json.dumps(found)[:600]}")
