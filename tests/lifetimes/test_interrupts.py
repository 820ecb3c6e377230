"""Ctrl-C at a durable step of a command: exit 130, no traceback, and the same command again comes to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from archive_core.lifecycle import Status
from tests.lifetimes.commands import command
from tests.lifetimes.conftest import Fresh
from tests.lifetimes.crash_world import Trial, sample, sweep
from tests.world import OPERATOR, SteppingClock

Words = Callable[[Trial], list[str]]


COMMANDS: dict[str, Words] = {
    "deposit": lambda trial: ["deposit", _file(trial), "--key", "interrupted"],
    "preserve": lambda trial: ["preserve"],
    "audit": lambda trial: ["audit"],
    "verify": lambda trial: ["verify", trial.first],
    "rebuild-catalogue": lambda trial: ["rebuild-catalogue", "--from", "one"],
}


def _file(trial: Trial) -> str:
    path = trial.folder / "letter.txt"
    path.write_bytes(b"Dear archive")
    return str(path)


@contextmanager
def _closed(fresh: Fresh) -> Iterator[Trial]:
    """A trial whose home is not open."""
    with fresh() as trial:
        trial.archive.close()
        yield trial


def _steps(name: str, fresh: Fresh) -> list[str]:
    with _closed(fresh) as trial:
        done = command(trial.home, COMMANDS[name](trial), trial.folder)
        assert done.code == 0, done
        return list(done.steps)


def _interrupted(name: str, steps: list[str], chosen: list[int], fresh: Fresh) -> None:
    def one(step: int) -> None:
        with _closed(fresh) as trial:
            words = COMMANDS[name](trial)
            ended = command(trial.home, words, trial.folder, at=step, how="interrupt")
            assert ended.code == 130, ended
            assert "Traceback" not in ended.err, ended.err
            assert "cancelled" in ended.err
            again = command(trial.home, words, trial.folder)
            assert again.code == 0, again
            assert command(trial.home, ["preserve"], trial.folder).code == 0
            assert command(trial.home, ["audit"], trial.folder).code == 0
            trial.clock = SteppingClock(datetime.now(UTC) + timedelta(hours=1))
            trial.archive = trial.open()
            assert {Status.EVIDENCED} == {view.status for view in trial.archive.objects(actor=OPERATOR)}
            assert len(trial.archive.objects(actor=OPERATOR)) == len(trial.told) + (name == "deposit")
            trial.check("one")

    sweep(one, chosen, steps)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_at_some_steps_can_be_repeated(name: str, fresh: Fresh) -> None:
    """First, last and some in between."""
    steps = _steps(name, fresh)
    _interrupted(name, steps, [step for step in sample(steps, 3) if step <= len(steps)], fresh)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_at_every_step_can_be_repeated(name: str, fresh: Fresh) -> None:
    """Every commit, every operation on a file."""
    steps = _steps(name, fresh)
    _interrupted(name, steps, list(range(1, len(steps) + 1)), fresh)
