"""Renewals that are killed, cut off or refused at a step: the same command finishes them, and every proof goes on.

Every step under every kind of fault is a soak, with the other stories; here is a sample of each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from archive_core.errors import ArchiveError, StoreUnavailableError
from tests.fakes.database import lost_connection, watch
from tests.fakes.disk import Loss, io_error
from tests.fakes.faults import FaultPlan, Moment
from tests.fault_matrix import Fault, Operation, cases, fault, met, operation
from tests.lifetimes.conftest import Fresh
from tests.lifetimes.crash_world import (
    OPERATIONS,
    STORIES,
    break_files,
    cut_power,
    fail,
    judge,
    judge_once,
    kill_child,
    sample,
    sweep,
)
from tests.renewal_world import MortalTsa, RenewalWorld, good

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Steps = Callable[[str], list[str]]
RENEWALS = cases({name: OPERATIONS[name] for name in ("renew", "rehash")})
WITH_DESTRUCTION = cases({name: OPERATIONS[name] for name in ("rehash", "renew", "destroy")})
MOST = 5


def _chosen(name: str, steps: list[str]) -> list[int]:
    """A sample, and around every commit of the catalogue, where one state becomes another; of the shorter work of a
    destruction less."""
    if name == "destroy":
        return sample(steps, 2)
    commits = [number for number, step in enumerate(steps, 1) if step == "catalogue commit"]
    return sorted({*sample(steps, MOST), *commits[::12]})


@fault(Fault.KILL)
@pytest.mark.parametrize("name", RENEWALS)
def test_a_killed_renewal_is_finished_by_the_same_command(name: str, fresh: Fresh, steps_of: Steps) -> None:
    """SIGKILL before a step; the command comes again at once, or an audit first."""
    steps = steps_of(name)

    def one(case: tuple[int, bool]) -> None:
        step, retry = case
        with fresh() as trial:
            if not kill_child(trial, STORIES[name], step):
                met(OPERATIONS[name], Fault.KILL)
            judge(trial, STORIES[name], retry=retry)
            assert list((trial.archive.copies.scratch / "renewal").glob("forming-*")) == []

    sweep(one, [(step, step % 2 == 0) for step in _chosen(name, steps)], steps)


@operation(Operation.DESTROY)
@fault(Fault.KILL)
def test_a_killed_destruction_is_finished_or_taken_back(fresh: Fresh, steps_of: Steps) -> None:
    """SIGKILL before the first and the last step and between; never half of an object."""
    steps = steps_of("destroy")

    def one(case: tuple[int, bool]) -> None:
        step, retry = case
        with fresh() as trial:
            if not kill_child(trial, STORIES["destroy"], step):
                met(Operation.DESTROY, Fault.KILL)
            judge(trial, STORIES["destroy"], retry=retry)

    sweep(one, [(step, number % 2 == 0) for number, step in enumerate(sample(steps, 4))], steps)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@fault(Fault.KILL)
@pytest.mark.parametrize("name", WITH_DESTRUCTION)
def test_every_step_may_be_the_last_of_a_process(name: str, fresh: Fresh, steps_of: Steps) -> None:
    """Every durable step of both renewals and of a destruction, within this process: what SIGKILL leaves behind."""
    _every(name, fresh, steps_of(name), 1)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("prepared", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", WITH_DESTRUCTION)
def test_every_few_steps_may_be_the_last_on_postgresql(name: str, fresh: Fresh, steps_of: Steps) -> None:
    """Every seventh, and another seventh of the commits."""
    _every(name, fresh, steps_of(name), 7)


def _every(name: str, fresh: Fresh, steps: list[str], stride: int) -> None:
    def one(step: int) -> None:
        with fresh() as trial:
            done = cut_power(trial, STORIES[name], step, None)
            assert not done or step > len(steps)  # work that takes long renews a lease: that is one step more
            met(OPERATIONS[name], Fault.KILL)
            judge_once(trial, STORIES[name])

    commits = [number for number, step in enumerate(steps, 1) if step == "catalogue commit"]
    sweep(one, sorted({*range(1, len(steps) + 2, stride), *commits[::stride]}), steps)


@fault(Fault.POWER)
@pytest.mark.parametrize("name", WITH_DESTRUCTION)
def test_a_power_cut_in_a_renewal_loses_no_proof(name: str, fresh: Fresh, steps_of: Steps) -> None:
    """Each step with another loss of what was not synced."""
    steps, losses = steps_of(name), itertools.cycle(Loss)

    def one(case: tuple[int, Loss]) -> None:
        step, loss = case
        with fresh() as trial:
            if not cut_power(trial, STORIES[name], step, loss):
                met(OPERATIONS[name], Fault.POWER)
            judge(trial, STORIES[name], retry=step % 2 == 0)

    sweep(one, [(step, next(losses)) for step in sample(steps, 2 if name == "destroy" else MOST)], steps)


@fault(Fault.NOT_PERSISTED, Fault.PERSISTED)
@pytest.mark.parametrize("name", WITH_DESTRUCTION)
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
            assert plan.struck
            met(OPERATIONS[name], Fault.PERSISTED if moment is Moment.AFTER else Fault.NOT_PERSISTED)
            judge(trial, STORIES[name], retry=step % 2 == 0, restart=False)

    chosen = [step for step in _chosen(name, steps) if step <= len(steps)]
    sweep(one, [(step, list(Moment)[index % 2]) for index, step in enumerate(chosen)], steps)


def test_no_authority_is_asked_twice_for_one_tree(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Broken off at every commit of the catalogue: all in all one more call than one, where the crash fell between
    the authority's answer and the commit that keeps it, and none otherwise; and that one is told, in the trail and
    to whoever renews."""
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
        told = []
        if not done:
            again = good(world.renew(which="due") if _finished(world) else world.renew())
            told = [view.repeated for view in again.views if view.repeated]
        events = [
            event for event in world.archive.catalogue.events_about("rn0000000001") if event.code == "answer-lost"
        ]
        lost = cast(list[dict[str, object]], world.archive.renewing.status()["lost_answers"])
        assert len(told) == len(events) == len(lost) == tsa.asked - asked - 1
        assert [one["message"] for one in lost] == told
        assert all("local-tsa-1 was asked at" in text for text in told)
        assert len([row for row in world.archive.catalogue.renewals() if row.gen_time]) == 1
        wasted.append(tsa.asked - asked - 1)
        world.archive.close()
        if plan.struck is None:
            break

    assert len(wasted) > 8
    assert sum(wasted) == 1  # the commit that keeps the answer
    assert max(wasted) == 1


def test_an_answer_that_waited_until_it_was_good_no_more_is_told(tmp_path: Path) -> None:
    """It waited in the catalogue while its authority was revoked; another one is asked for, and both are events."""
    world, tsa = _renewal_that_waits(tmp_path)
    tsa.revoked.append((tsa.unit, world.clock.now(), None))
    tsa.renew_unit()
    world.clock.advance(minutes=20)
    asked = tsa.asked
    result = world.renew(which="due")

    codes = [event.code for event in world.archive.catalogue.events_about("rn0000000001")]
    assert codes.count("answer-unusable") == 1
    assert tsa.asked - asked <= 1
    assert [view.repeated for view in result.views if view.number == 1] == [None]
    assert not world.archive.catalogue.meta_get("renewal-token:1")
    world.archive.close()


def test_a_refusal_is_no_lost_answer(tmp_path: Path) -> None:
    """The authority said no, or nothing: that was an answer of a kind, and is told as such; no call was in vain."""
    world = RenewalWorld(tmp_path)
    world.deposit({"a.txt": b"alpha"})
    world.preserve()
    tsa = world.mortal["local-tsa-1"]
    tsa.away = True
    tsa.inside = False
    assert not world.renew().is_complete
    tsa.away = False
    tsa.frozen = world.clock.now() - timedelta(days=1)
    assert not world.renew(which="due").is_complete
    tsa.frozen = None
    result = good(world.renew(which="due"))

    assert [view.repeated for view in result.views] == [None]
    codes = {event.code for event in world.archive.catalogue.events_about("rn0000000001")}
    assert "answer-lost" not in codes
    assert {"line-sha512", "timestamp-refused", "unavailable"} == codes
    world.archive.close()


def _renewal_that_waits(folder: Path) -> tuple[RenewalWorld, MortalTsa]:
    """The token is in the catalogue and on no store: the stores went away when it came."""
    world = RenewalWorld(folder)
    world.deposit({"a.txt": b"alpha"})
    world.preserve()
    finishing = world.archive.renewing._timestamps._finishing
    write = finishing._write

    def away(*_: object) -> None:
        raise StoreUnavailableError("the test took the stores away")

    finishing._write = away  # type: ignore[method-assign,assignment]
    assert not world.renew().is_complete
    finishing._write = write  # type: ignore[method-assign]
    assert world.archive.catalogue.meta_get("renewal-token:1")
    return world, world.mortal["local-tsa-1"]


def test_an_answer_that_waited_is_used_and_nobody_is_asked_again(tmp_path: Path) -> None:
    """The stores are back: the token that was paid for goes to them."""
    world, tsa = _renewal_that_waits(tmp_path)
    world.clock.advance(days=40)
    asked = tsa.asked
    good(world.renew(which="due"))

    assert tsa.asked == asked
    assert [row.number for row in world.archive.catalogue.renewals() if row.gen_time] == [1]
    world.prove()
    world.archive.close()


def _tried(world: RenewalWorld) -> bool:
    try:
        return world.renew().is_complete
    except ArchiveError:
        return False


def _finished(world: RenewalWorld) -> bool:
    """Whether the renewal came to its end although nobody was told."""
    return any(row.gen_time for row in world.archive.catalogue.renewals())
