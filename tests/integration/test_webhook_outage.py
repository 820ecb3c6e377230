"""A receiver of webhooks that is down for an hour: the example itself, a process that is killed and started again."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.settings import ArchiveSettings, parse_settings
from api.wiring_webhooks import build_sender
from archive_core.changes import Change, Cursor
from archive_core.notifying import Receiver
from tests.ports import free_port
from tests.vectors import REPOSITORY
from tests.world import World

EXAMPLE = REPOSITORY / "examples" / "webhook_receiver.py"
RIGHT, WRONG = ("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))

# The example's own clock is the world's: it refuses what is more than five minutes off.
STARTED_AT = """\
import runpy, sys, time
ahead, real = float(sys.argv.pop(1)), time.time
time.time = lambda: real() + ahead
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.archive.close()


@contextmanager
def receiver(world: World, folder: Path, port: int, secret: str) -> Iterator[None]:
    """The example at that port, ended by SIGKILL."""
    (folder / "receiver-secret").write_text(secret)
    ahead = (world.clock.now() - datetime.now(UTC)).total_seconds()
    words = ["--secret-file", str(folder / "receiver-secret"), "--port", str(port), "--out", str(folder / "book")]
    command = [sys.executable, "-c", STARTED_AT, str(ahead), str(EXAMPLE), *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert "listening" in process.stderr.readline()
        yield
    finally:
        process.kill()
        process.wait(20)
        process.stderr.close()


def settings(world: World, port: int) -> ArchiveSettings:
    (world.home / "secret").write_text(RIGHT)
    text = (world.home / "trusted-archive.toml").read_text()
    hook = (
        f'\n[[webhook]]\nname = "spisovka"\nurl = "http://127.0.0.1:{port}/"\nsecret = "file:secret"\ntimeout = 5.0\n'
    )
    return parse_settings(text + hook, world.home)


def booked(folder: Path) -> list[tuple[str, str, int | None]]:
    lines = [json.loads(line) for line in (folder / "book").read_text().splitlines()]
    return [(line["change"], line["poid"], line.get("version")) for line in lines]


def changed(world: World) -> list[tuple[str, str, int | None]]:
    """Everything that there is to tell, in the order of the trail."""
    found: list[Change] = []
    cursor = Cursor(0)
    while True:
        page = world.archive.changes.since(cursor, limit=7, originator=None)
        found += page.changes
        cursor = page.next
        if not page.more:
            return [(one.kind, one.poid, one.version) for one in found]


def test_a_receiver_down_for_an_hour_misses_nothing_and_takes_nothing_forged(world: World, tmp_path: Path) -> None:
    """An hour of deposits, updates and evidence while nobody listens, a minute at a time; then somebody with another
    secret listens there for a moment and takes nothing; then the example, killed and started again with its book, has
    every change once, those of each object in their order; each signature was checked by it."""
    port = free_port()
    made = world.archive.notifying
    made.receivers, made.send = (Receiver("spisovka", from_start=True),), build_sender(settings(world, port))
    poids = [world.deposit({"a.txt": b"%d" % number}).poid for number in range(3)]
    world.archive.flush_trail()
    with receiver(world, tmp_path, port, RIGHT):
        assert made.round() == []
    before = booked(tmp_path)
    assert [poid for _, poid, _ in before] == poids

    started, tried = world.clock.now(), 0
    for minute in range(60):
        if minute % 15 == 0:
            poids.append(world.deposit({"a.txt": b"later %d" % minute}).poid)
            world.update(poids[minute // 15 - 1], {"a.txt": b"new %d" % minute})
            world.preserve()
        world.archive.flush_trail()
        row = world.archive.catalogue.receiver("spisovka")
        assert row is not None
        before_tries = row.tries
        assert made.round() == ["spisovka"]
        row = world.archive.catalogue.receiver("spisovka")
        assert row is not None
        tried += row.tries - before_tries
        world.clock.advance(minutes=1)
    assert world.clock.now() - started >= timedelta(hours=1)
    assert 4 <= tried <= 15, "offered again and again, and not once a minute"
    assert booked(tmp_path) == before

    world.clock.advance(hours=2)  # the longest that it waits, and more
    with receiver(world, tmp_path, port, WRONG):
        assert made.round() == ["spisovka"]
    assert booked(tmp_path) == before, "what is not signed with its secret is not taken"
    assert "spisovka" in made.warnings()[0]

    world.clock.advance(hours=2)  # the longest that it waits, and more
    with receiver(world, tmp_path, port, RIGHT):
        assert made.round() == []
    told, wanted = booked(tmp_path), changed(world)
    assert sorted(told) == sorted(wanted)
    assert len(told) == len(set(told))
    for poid in poids:
        assert [one for one in told if one[1] == poid] == [one for one in wanted if one[1] == poid]
    assert {kind for kind, _, _ in told} == {"replicated", "evidenced"}
    assert {version for _, _, version in told} == {1, 2}
    assert made.warnings() == []
