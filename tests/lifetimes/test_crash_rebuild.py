"""`rebuild-catalogue` is killed before every durable step: there is a whole catalogue, the old or the new one."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.cli.console import Console
from api.cli.run import run
from archive_core.catalogue.catalogue import Catalogue
from tests.fakes.database import watch
from tests.fakes.faults import FaultPlan, Moment, kill_this_process
from tests.lifetimes.conftest import Fresh
from tests.lifetimes.crash_world import CHILDREN, NEW, STORIES, Trial, judge, sample, sweep
from tests.world import OPERATOR

pytestmark = pytest.mark.soak


def _child(home: Path, at: int | None, out: Path) -> None:
    """Rebuild in a process of its own; every commit and every change of a file's name is a step."""
    plan = FaultPlan(at, Moment.BEFORE, lambda _: kill_this_process())
    create = Catalogue.create

    def watched(url: str) -> Catalogue:
        catalogue = create(url)
        watch(catalogue.engine, plan)
        return catalogue

    def step(name: str) -> Callable[..., Any]:
        real = getattr(os, name)
        return lambda *places, **rest: plan.do(f"{name} {Path(places[1]).name}", lambda: real(*places, **rest))

    Catalogue.create = staticmethod(watched)  # type: ignore[method-assign]
    for name in ("replace", "link", "rename"):
        setattr(os, name, step(name))
    with out.with_suffix(".log").open("w") as log:
        code = run(
            ["--home", str(home), "--json", "rebuild-catalogue", "--from", "one"],
            Console(as_json=True, verbose=True, out=log, err=log),
        )
    out.write_text("\n".join([str(code), *plan.steps]))


def _rebuild(home: Path, at: int | None, out: Path) -> int | None:
    child = CHILDREN.Process(target=_child, args=(home, at, out))
    child.start()
    child.join(120)
    return child.exitcode


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
        out = trial.folder / "out"
        assert _rebuild(trial.home, None, out) == 0
        code, *steps = out.read_text().splitlines()
        assert code == "0", out.with_suffix(".log").read_text()
        return steps


def _killed(fresh: Fresh, steps: list[str], chosen: list[int]) -> None:
    def one(step: int) -> None:
        with fresh() as trial:
            before = _listing(trial)
            _used(trial)
            expected = {told.poid for versions in trial.told.values() for told, _ in versions}
            assert _rebuild(trial.home, step, trial.folder / "out") == -signal.SIGKILL
            trial.archive = trial.open()
            assert {row["poid"] for row in _listing(trial)} == expected
            assert len(before) == len(expected) - 1
            trial.archive.close()
            assert _rebuild(trial.home, None, trial.folder / "again") == 0
            trial.archive = trial.open()
            judge(trial, STORIES["keyed-deposit"], retry=True)

    sweep(one, chosen, steps)


def test_a_kill_at_some_steps_of_a_rebuild(fresh: Fresh) -> None:
    """Among them the last ones, in which the new catalogue takes the old one's place."""
    steps = _steps(fresh)
    renames = [number for number, step in enumerate(steps, 1) if not step.startswith("catalogue")]

    assert renames
    _killed(fresh, steps, sorted({*sample(steps, 2), *renames} & set(range(1, len(steps) + 1))))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_kill_at_every_step_of_a_rebuild(fresh: Fresh) -> None:
    """Every commit into the new catalogue, and every change of a name."""
    steps = _steps(fresh)
    _killed(fresh, steps, list(range(1, len(steps) + 1)))
