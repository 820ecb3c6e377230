"""The parts of the process that takes requests; how it behaves as a whole is in integration/test_many_clients.py."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from api.home import default_settings
from api.settings import parse_settings
from api.worker import Connection, Waiting, room
from archive_core.errors import SettingsError
from tests.vectors import REPOSITORY


def connection(timeout: float) -> Connection:
    made = Connection.__new__(Connection)
    made.timeout = timeout
    return made


def test_who_waits_longest_is_first_and_each_waits_in_one_place() -> None:
    """In the order in which they came; taken out from the middle, too."""
    waiting, elsewhere = Waiting(), Waiting()
    one, two, three = (connection(float(number)) for number in (1, 2, 3))
    for each in (one, two, three):
        waiting.append(each)
    assert waiting.expired(2.0) == [one, two]
    waiting.remove(two)
    elsewhere.append(two)
    assert (list(waiting), len(waiting), waiting[0]) == ([one, three], 2, one)
    assert (waiting.popleft(), one.waits, two.waits, three.waits) == (one, None, elsewhere, waiting)
    assert waiting.expired(2.0) == []


def limited(soft: int, hard: int, wanted: int, threads: int) -> str:
    """What `room` says in a process that may open so many files."""
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from api.worker import room\n"
        f"print(room({wanted}, {threads}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    return (done.stdout or done.stderr).strip().splitlines()[-1]


def test_the_limit_of_open_files_is_raised_as_far_as_it_must_and_can_be() -> None:
    """A shell's usual 1,024 do not hold a thousand idle clients; where no more is to be had there are fewer."""
    assert limited(1024, 20_000, 4096, 16) == "4096 4864"
    assert limited(1024, 1024, 4096, 16) == "256 1024"
    assert "ulimit" in limited(700, 700, 4096, 16)


def test_what_is_enough_is_left_alone() -> None:
    """Nothing is lowered."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert room(32, 16) == 32
    assert resource.getrlimit(resource.RLIMIT_NOFILE) >= before


@pytest.mark.parametrize(("threads", "connections"), [(0, 10), (10, 10), (-1, 3)])
def test_fewer_connections_than_threads_are_refused(threads: int, connections: int) -> None:
    """By name, before anything starts."""
    text = default_settings("x", "sqlite:///catalogue.sqlite3")
    changed = text.replace("threads = 16", f"threads = {threads}\nconnections = {connections}")
    assert changed != text
    with pytest.raises(SettingsError, match="connections"):
        parse_settings(changed, Path("/home"))
