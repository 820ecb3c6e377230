"""A repair that fails, is killed or loses its power at a durable step: no copy is worse, the next repair ends it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from archive_core.errors import ArchiveError
from tests.fakes.database import lost_connection
from tests.fakes.disk import Loss, io_error
from tests.fakes.faults import FaultPlan, Moment, PowerCutError
from tests.fault_matrix import Fault, Operation, fault, met, operation
from tests.integration.test_repair import flip, snapshot, the_file, whole_again
from tests.lifetimes.crash_world import SAME, STRIDE, Databases, break_files, cut_power, sample, use_database
from tests.world import OPERATOR, SQLITE, World

pytestmark = [pytest.mark.timeout(300), operation(Operation.REPAIR)]


Harmed = tuple[Path, dict[str, dict[str, bytes]]]
"""A folder with a home that was harmed, and what its stores held before."""


@pytest.fixture(scope="module")
def harmed(tmp_path_factory: pytest.TempPathFactory) -> Harmed:
    """A home in which one store has damages of every kind, and what both stores held before."""
    return harm(tmp_path_factory.mktemp("harmed"))


def harm(folder: Path, url: str = SQLITE) -> Harmed:
    """Make such a home in a folder."""
    world = World(folder, url)
    told = world.deposit({"a.txt": b"alpha", "b.txt": b"beta" * 100})
    world.deposit({"c.txt": b"gamma"})
    world.deposit({"d.txt": b"delta"})
    world.preserve()
    world.update(told.poid, {"a.txt": b"alpha again"})
    world.preserve()
    world.archive.flush_trail()
    before = {store: snapshot(world, store) for store in ("one", "two")}
    flip(the_file(world, "one", "data/b.txt"), 3)
    the_file(world, "one", f"{told.poid}/v2/inventory.json").unlink()
    flip(the_file(world, "one", "data/c.txt"), 0)
    flip(the_file(world, "one", "statement.json"), 9)
    lost = the_file(world, "one", "data/d.txt").parents[3]
    shutil.rmtree(lost)
    (world.store("one") / "stranger.txt").write_bytes(b"strange")
    world.archive.close()
    return world.folder, before


@contextmanager
def copy_of(harmed: Harmed, folder: Path, databases: Databases = SAME) -> Iterator[World]:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(harmed[0], folder, symlinks=True)
    world = World(folder, use_database(folder / "home", databases))
    world.clock.advance(hours=1)
    try:
        yield world
    finally:
        world.archive.close()


def act(world: Any) -> None:
    world.archive.repair(actor=OPERATOR)


STORY: Any = SimpleNamespace(act=act)


def steps_of(harmed: Harmed, folder: Path) -> list[str]:
    """The durable steps of the whole repair."""
    with copy_of(harmed, folder) as world:
        plan = FaultPlan()
        break_files(world.archive, plan)
        act(world)
        whole_again(world, harmed[1])
        assert sum("one replace" in step or "one publish" in step for step in plan.steps) > 4
        return plan.steps


def ended_by_the_next(world: World, harmed: Harmed, harms: dict[str, bytes]) -> None:
    """No file holds anything but what it should or what it held; then a repair makes all of it whole."""
    now = snapshot(world, "one")
    right = harmed[1]["one"]
    worse = [key for key in right if now.get(key) not in (right[key], harms.get(key))]
    assert worse == [], "a file is neither as it was found nor as it should be"
    assert snapshot(world, "two") == harmed[1]["two"]
    world.clock.advance(hours=1)
    world.restart()
    world.archive.catalogue.release_lease("repair", "nobody")
    found = world.archive.repair(actor=OPERATOR)
    assert found.findings == [], [entry.to_json() for entry in found.findings]
    whole_again(world, harmed[1])


def strike(step: str) -> None:
    """A disk that fails, or a database that is gone."""
    (lost_connection if step.startswith("catalogue") else io_error)(step)


def broken(harmed: Any, folder: Path, at: int, moment: Moment) -> None:
    with copy_of(harmed, folder) as world:
        harms = snapshot(world, "one")
        plan = FaultPlan(at, moment, strike)
        break_files(world.archive, plan)
        with suppress(ArchiveError):
            act(world)
        if plan.struck:
            met(Operation.REPAIR, Fault.PERSISTED if moment is Moment.AFTER else Fault.NOT_PERSISTED)
        ended_by_the_next(world, harmed, harms)


def cut(harmed: Any, folder: Path, at: int, loss: Loss | None) -> None:
    with copy_of(harmed, folder) as world:
        harms = snapshot(world, "one")
        world_as_trial: Any = world
        with suppress(PowerCutError):
            if not cut_power(world_as_trial, STORY, at, loss):
                met(Operation.REPAIR, Fault.POWER if loss else Fault.KILL)
        world.archive = world.open()
        ended_by_the_next(world, harmed, harms)


@pytest.mark.slow
@fault(Fault.KILL)
def test_a_repair_that_is_killed_is_ended_by_the_next(harmed: Any, tmp_path: Path) -> None:
    """Half way, as `kill -9` leaves it."""
    steps = steps_of(harmed, tmp_path / "count")
    cut(harmed, tmp_path / "trial", len(steps) // 2, None)


@pytest.mark.slow
@fault(Fault.NOT_PERSISTED, Fault.PERSISTED, Fault.KILL, Fault.POWER)
def test_a_repair_that_ends_at_some_steps_is_ended_by_the_next(harmed: Any, tmp_path: Path) -> None:
    """A sample: errors that did or did not leave their work, kills, power cuts that take what was not synced."""
    steps = steps_of(harmed, tmp_path / "count")
    ways = itertools.cycle([Moment.BEFORE, None, Moment.AFTER, Loss.EVERYTHING, Loss.SOME, Loss.CONTENTS])
    for at, way in zip(sample(steps, 6), ways, strict=False):
        if isinstance(way, Moment):
            broken(harmed, tmp_path / "trial", at, way)
        else:
            cut(harmed, tmp_path / "trial", at, way)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@fault(Fault.NOT_PERSISTED, Fault.PERSISTED, Fault.KILL, Fault.POWER)
def test_a_repair_that_ends_at_any_step_is_ended_by_the_next(harmed: Any, tmp_path: Path) -> None:
    """The whole matrix: `make soak STRIDE=5` tries each fifth step."""
    steps = steps_of(harmed, tmp_path / "count")
    for at in range(1, len(steps) + 1, STRIDE):
        for moment in Moment:
            broken(harmed, tmp_path / "trial", at, moment)
        for loss in (None, *Loss):
            cut(harmed, tmp_path / "trial", at, loss)
