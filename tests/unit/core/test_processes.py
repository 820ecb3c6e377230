"""A process that is gone is known to be; anything else is not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from archive_core import processes
from archive_core.processes import is_gone, this_process


def test_this_process_lives() -> None:
    assert this_process()
    assert not is_gone(this_process())


def test_a_process_that_ended_is_gone() -> None:
    """Killed and not waited for yet, and afterwards; its number may be somebody else's then."""
    told = "print(this_process(), flush=True)"
    code = f"import sys; from archive_core.processes import this_process; {told}; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        name = process.stdout.readline().decode().strip()
        assert not is_gone(name)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_gone(name)
    assert is_gone(name)


@pytest.mark.parametrize("part", [0, 1])
def test_a_process_of_another_machine_or_container_is_not_said_to_be_gone(part: int) -> None:
    """Whatever its number is here."""
    parts = this_process().split(":")
    parts[part], parts[2] = "0", "999999999"

    assert not is_gone(":".join(parts))


@pytest.mark.parametrize("name", ["", "|", "a:b:c:d", "0123456789abcdef0123456789abcdef", "a:b:c|"])
def test_what_names_no_process_is_not_gone(name: str) -> None:
    assert not is_gone(name)


def test_a_number_that_another_process_has_now_is_gone() -> None:
    """It began at another time."""
    parts = this_process().split(":")

    assert is_gone(":".join([*parts[:3], "1|"]))


def test_where_the_system_does_not_tell_there_is_no_name(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    name = this_process()
    monkeypatch.setattr(processes, "_PROC", processes.Path(str(tmp_path)))
    processes._name.cache_clear()

    assert this_process() == ""
    assert not is_gone(name)
    monkeypatch.undo()
    processes._name.cache_clear()
