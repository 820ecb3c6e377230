"""A busy archive, whose stores have writer processes, is killed while a crowd deposits."""

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from api.settings import ArchiveSettings
from api.wiring import build_archive
from tests.world import OPERATOR, World

CROWD = """
import itertools, os, sys, threading
from pathlib import Path
from api.settings import ArchiveSettings
from api.wiring import build_archive
from archive_core.lifecycle import SubmissionObject, SubmittedFile
from tests.world import OPERATOR

archive = build_archive(ArchiveSettings.load(Path(sys.argv[1])), busy=True)
said = threading.Lock()

def client(number):
    for turn in itertools.count():
        key = f"{number}-{turn}"
        files = (SubmittedFile("a.txt", key.encode() * 500), SubmittedFile("b/c.txt", key.encode()))
        told = archive.deposit(SubmissionObject(files, "default", key=key), actor=OPERATOR)
        with said:
            sys.stdout.write(f"{told.poid} {key}\\n")
            sys.stdout.flush()

threads = [threading.Thread(target=client, args=(number,)) for number in range(12)]
for thread in threads:
    thread.start()
threads[0].join()
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.archive.close()


def killed_crowd(world: World, after: int) -> dict[str, str]:
    """POID by key of everything that was acknowledged before the process was killed."""
    command = [sys.executable, "-c", CROWD, str(world.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as crowd:
        assert crowd.stdout is not None
        lines = [crowd.stdout.readline() for _ in range(after)]
        crowd.send_signal(signal.SIGKILL)
        lines += crowd.stdout.readlines()
    assert crowd.returncode == -signal.SIGKILL
    whole = [line.split() for line in lines if line.endswith("\n")]
    assert len(whole) >= after
    return {key: poid for poid, key in whole}


def writers(world: World) -> list[int]:
    """The writer processes of this home that are still at work."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with suppress(OSError):
                words = (place / "cmdline").read_bytes()
                if b"storage_backends.writer" in words and str(world.home).encode() in words:
                    found.append(int(place.name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 150])
def test_what_was_acknowledged_is_there_and_the_rest_is_whole_or_absent(world: World, after: int) -> None:
    """After the kill: every acknowledged object with its bytes under its key; nothing half; audit is content."""
    told = killed_crowd(world, after)
    deadline = time.monotonic() + 60
    while writers(world):  # they finish what they were told, and end by themselves
        assert time.monotonic() < deadline, "a writer outlived the archive that was killed"
        time.sleep(0.02)
    world.restart()
    for key, poid in told.items():
        assert world.read(poid, "a.txt") == key.encode() * 500
        assert world.deposit({"a.txt": key.encode() * 500, "b/c.txt": key.encode()}, key=key).poid == poid
    for number in range(12):  # what was under way is finished by its retry, under one POID
        turn = 1 + max([int(key.split("-")[1]) for key in told if key.startswith(f"{number}-")], default=-1)
        key = f"{number}-{turn}"
        world.deposit({"a.txt": key.encode() * 500, "b/c.txt": key.encode()}, key=key)
    world.clock.advance(hours=1)
    world.preserve()

    assert world.audit().findings == []
    held = {view.poid for view in world.archive.objects(actor=OPERATOR, limit=100_000)}
    assert set(told.values()) <= held
    world.check()


def test_a_busy_archive_and_another_process_do_one_key_once(world: World) -> None:
    """Two processes' groups meet under the same keys: the same POIDs in both."""
    busy = build_archive(ArchiveSettings.load(world.home), busy=True)
    try:
        submissions = [world.submission({"a": hashlib.sha256(b"%d" % n).digest()}, key=f"k{n}") for n in range(40)]
        first: list[object] = []
        second: list[object] = []
        busy.deposit_many(submissions, actor=OPERATOR, tell=first.append)
        world.archive.deposit_many(submissions, actor=OPERATOR, tell=second.append)
    finally:
        busy.close()

    assert [told.poid for told in first] == [told.poid for told in second]  # type: ignore[attr-defined]
    assert all(told.replayed for told in second)  # type: ignore[attr-defined]
