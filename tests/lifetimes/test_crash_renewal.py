"""Renewals that are killed, cut off or refused at a step: the same command finishes them, and every proof goes on.

Every step under every kind of fault is a soak, with the other stories; here is a sample of each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from archive_core.errors import ArchiveError
from tests.fakes.database import lost_connection, watch
from tests.fakes.disk import Loss, io_error
from tests.fakes.faults import FaultPlan, Moment
from tests.lifetimes.conftest import Fresh
from tests.lifetimes.crash_world import STORIES, break_files, cut_power, fail, judge, kill_child, sample, sweep
from tests.renewal_world import RenewalWorld, good

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Steps = Callable[[str], list[str]]
RENEWALS = ("renew", "rehash")
MOST = 8


def _chosen(steps: list[str]) -> list[int]:
    """A sample, and around every commit of the catalogue, where one state becomes another."""
    commits = [number for number, step in enumerate(steps, 1) if step == "catalogue commit"]
    return sorted({*sample(steps, MOST), *commits[::4]})


@pytest.mark.parametrize("name", RENEWALS)
def test_a_killed_renewal_is_finished_by_the_same_command(name: str, fresh: Fresh, steps_of: Steps) -> None:
    """SIGKILL before a step; the command comes again at once, or an audit first."""
    steps = steps_of(name)

    def one(case: tuple[int, bool]) -> None:
        step, retry = case
        with fresh() as trial:
            kill_child(trial, STORIES[name], step)
            judge(trial, STORIES[name], retry=retry)
            assert list((trial.archive.copies.scratch / "renewal").glob("forming-*")) == []

    sweep(one, [(step, step % 2 == 0) for step in _chosen(steps)], steps)


@pytest.mark.parametrize("name", RENEWALS)
def test_a_power_cut_in_a_renewal_loses_no_proof(name: str, fresh: Fresh, steps_of: Steps) -> None:
    """Each step with another loss of what was not synced."""
    steps, losses = steps_of(name), itertools.cycle(Loss)

    def one(case: tuple[int, Loss]) -> None:
        step, loss = case
        with fresh() as trial:
            cut_power(trial, STORIES[name], step, loss)
            judge(trial, STORIES[name], retry=step % 2 == 0)

    sweep(one, [(step, next(losses)) for step in sample(steps, MOST)], steps)


@pytest.mark.parametrize("name", RENEWALS)
def test_an_error_in_a_renewal_leaves_it_to_the_next_try(name: str, fresh: Fresh, steps_of: Steps) -> None:
    """Disk and database in turn, not persisted and persisted; the process goes on."""
    steps = steps_of(name)

    def strike(step: str) -> None:
        (lost_connection if step.startswith("catalogue") else io_error)(step)

    def one(case: tuple[int, Moment]) -> None:
        step, moment = case
        with fresh() as trial:
            plan = FaultPlan(step, moment, strike)
            break_files(trial.archive, plan)
            fail(trial, STORIES[name], plan)
            judge(trial, STORIES[name], retry=step % 2 == 0, restart=False)

    chosen = [step for step in _chosen(steps) if step <= len(steps)]
    sweep(one, [(step, list(Moment)[index % 2]) for index, step in enumerate(chosen)], steps)


def test_no_authority_is_asked_twice_for_one_tree(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Broken off at every commit of the catalogue: all in all one more call than one, where the crash fell between
    the authority's answer and the commit that keeps it, and none otherwise."""
    wasted = []
    for step in itertools.count(1):
        world = RenewalWorld(tmp_path_factory.mktemp("asked"))
        world.deposit({"a.txt": b"alpha"})
        world.preserve()
        tsa = world.mortal["local-tsa-1"]
        asked = tsa.asked
        plan = FaultPlan(step, Moment.BEFORE, lost_connection)
        watch(world.archive.catalogue.engine, plan)
        done = _tried(world)
        plan.at = None
        world.restart()
        world.clock.advance(minutes=20)
        if not done:
            good(world.renew(which="due") if _finished(world) else world.renew())
        assert len([row for row in world.archive.catalogue.renewals() if row.gen_time]) == 1
        wasted.append(tsa.asked - asked - 1)
        world.archive.close()
        if plan.struck is None:
            break

    assert len(wasted) > 8
    assert sum(wasted) <= 2  # the commit that keeps the answer, and the one before it that ends an outage
    assert max(wasted) <= 1


def _tried(world: RenewalWorld) -> bool:
    try:
        return world.renew().is_complete
    except ArchiveError:
        return False


def _finished(world: RenewalWorld) -> bool:
    """Whether the renewal came to its end although nobody was told."""
    return any(row.gen_time for row in world.archive.catalogue.renewals())
