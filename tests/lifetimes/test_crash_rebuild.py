"""`rebuild-catalogue` is killed before every durable step: there is a whole catalogue, the old or the new one."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import signal

import pytest

from api.settings import SETTINGS_FILE, ArchiveSettings
from archive_core.errors import SettingsError, UnavailableError
from tests.fakes.faults import Moment
from tests.lifetimes.commands import command
from tests.lifetimes.conftest import Fresh
from tests.lifetimes.crash_world import NEW, STORIES, Trial, judge, sample, sweep
from tests.postgres import PostgreSQL
from tests.world import OPERATOR

pytestmark = pytest.mark.slow

REBUILD = ["--json", "rebuild-catalogue", "--from", "one"]


def _used(trial: Trial) -> None:
    """The home as it is after a kill in the middle of work: the last commits are in the log alone."""
    trial.deposit(NEW, key="new")
    trial.archive.flush_trail()
    shutil.copytree(trial.home, trial.folder / "copy", symlinks=True)
    trial.archive.close()
    shutil.rmtree(trial.home)
    (trial.folder / "copy").rename(trial.home)
    assert (trial.home / "catalogue.sqlite3-wal").stat().st_size > 0


def _listing(trial: Trial) -> list[dict[str, object]]:
    return [view.to_json() for view in trial.archive.objects(actor=OPERATOR)]


def _steps(fresh: Fresh) -> list[str]:
    with fresh() as trial:
        _used(trial)
        done = command(trial.home, REBUILD, trial.folder)
        assert done.code == 0, done
        return list(done.steps)


def _killed(fresh: Fresh, steps: list[str], chosen: list[int]) -> None:
    def one(step: int) -> None:
        with fresh() as trial:
            before = _listing(trial)
            _used(trial)
            expected = {told.poid for versions in trial.told.values() for told, _ in versions}
            assert command(trial.home, REBUILD, trial.folder, at=step).code == -signal.SIGKILL
            with (trial.home / "server.lock").open("a") as lock:  # what the dead one held is free
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            trial.archive = trial.open()
            assert {row["poid"] for row in _listing(trial)} == expected
            assert len(before) == len(expected) - 1
            trial.archive.close()
            assert command(trial.home, REBUILD, trial.folder).code == 0
            trial.archive = trial.open()
            judge(trial, STORIES["keyed-deposit"], retry=True)

    sweep(one, chosen, steps)


def _into(trial: Trial, url: str) -> None:
    """The home's catalogue is another, empty database from now on."""
    trial.archive.close()
    settings = trial.home / SETTINGS_FILE
    text, changes = re.subn(r'"postgresql\+psycopg://[^"]+"', json.dumps(url), settings.read_text())
    assert changes == 1
    settings.write_text(text)
    trial.settings = ArchiveSettings.load(trial.home)


def _killed_on_server(fresh: Fresh, server: PostgreSQL, steps: list[str], chosen: list[int]) -> None:
    def one(step: int) -> None:
        with fresh() as trial, server.database() as url:
            _into(trial, url)
            assert command(trial.home, REBUILD, trial.folder, at=step).code == -signal.SIGKILL
            with pytest.raises(SettingsError) as refused:
                trial.open()
            assert refused.value.code in ("catalogue-unfinished", "schema-out-of-date")
            assert command(trial.home, REBUILD, trial.folder).code == 0
            trial.archive = trial.open()
            judge(trial, STORIES["keyed-deposit"], retry=True)
            trial.archive.close()

    sweep(one, chosen, steps)


def _steps_on_server(fresh: Fresh, server: PostgreSQL) -> list[str]:
    with fresh() as trial, server.database() as url:
        _into(trial, url)
        done = command(trial.home, REBUILD, trial.folder)
        assert done.code == 0, done
        return list(done.steps)


@pytest.mark.parametrize("prepared", ["postgresql"], indirect=True)
def test_half_a_rebuild_on_postgresql_is_never_served(fresh: Fresh, postgresql_server: PostgreSQL) -> None:
    """Killed before a commit, in the middle and at the last: nobody opens what is there, and the same command again
    makes a whole catalogue of it."""
    steps = _steps_on_server(fresh, postgresql_server)
    commits = [number for number, step in enumerate(steps, 1) if step == "catalogue commit"]

    assert len(commits) > 3
    _killed_on_server(fresh, postgresql_server, steps, [commits[1], commits[len(commits) // 2], commits[-1]])


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("prepared", ["postgresql"], indirect=True)
def test_no_part_of_a_rebuild_on_postgresql_is_ever_served(fresh: Fresh, postgresql_server: PostgreSQL) -> None:
    """Every commit."""
    steps = _steps_on_server(fresh, postgresql_server)
    commits = [number for number, step in enumerate(steps, 1) if step == "catalogue commit"]
    _killed_on_server(fresh, postgresql_server, steps, commits)


def test_a_kill_at_some_steps_of_a_rebuild(fresh: Fresh) -> None:
    """Among them the last ones, in which the new catalogue takes the old one's place."""
    steps = _steps(fresh)
    renames = [number for number, step in enumerate(steps, 1) if not step.startswith(("catalogue", "file"))]

    assert renames
    _killed(fresh, steps, sorted({*sample(steps, 2), *renames} & set(range(1, len(steps) + 1))))


def _failed(fresh: Fresh, steps: list[str], chosen: list[int], moment: Moment) -> None:
    def one(step: int) -> None:
        with fresh() as trial:
            _used(trial)
            expected = {told.poid for versions in trial.told.values() for told, _ in versions}
            ended = command(trial.home, REBUILD, trial.folder, at=step, how="error", moment=moment)
            if not steps[step - 1].startswith("link"):  # where there are no hard links it is renamed
                assert ended.code == UnavailableError.exit_code, ended
                assert json.loads(ended.out)["error"]["code"] == "catalogue-unavailable", ended
            trial.archive = trial.open()
            assert {row["poid"] for row in _listing(trial)} == expected
            trial.archive.close()
            assert command(trial.home, REBUILD, trial.folder).code == 0
            trial.archive = trial.open()
            judge(trial, STORIES["keyed-deposit"], retry=True)

    sweep(one, chosen, steps)


@pytest.mark.parametrize("moment", Moment)
def test_an_error_at_some_steps_of_a_rebuild(fresh: Fresh, moment: Moment) -> None:
    """Said as an error of the database or the store, not as a fault of the program; a whole catalogue is there."""
    steps = _steps(fresh)
    renames = [number for number, step in enumerate(steps, 1) if not step.startswith(("catalogue", "file"))]
    chosen = sorted({*sample(steps, 2), *renames} & set(range(1, len(steps) + 1)))
    _failed(fresh, steps, chosen, moment)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("moment", Moment)
def test_an_error_at_every_step_of_a_rebuild(fresh: Fresh, moment: Moment) -> None:
    """Every commit, and every change of a name."""
    steps = _steps(fresh)
    _failed(fresh, steps, list(range(1, len(steps) + 1)), moment)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_kill_at_every_step_of_a_rebuild(fresh: Fresh) -> None:
    """Every commit into the new catalogue, and every change of a name."""
    steps = _steps(fresh)
    _killed(fresh, steps, list(range(1, len(steps) + 1)))
