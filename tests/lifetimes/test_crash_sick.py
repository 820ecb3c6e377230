"""A disk is full, dying or slow from a step on: the work fails or waits, and when the disk is well again the same work
ends it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.sick import Sickness, SickPlan, beside, make_sick
from tests.fault_matrix import Fault, cases, fault, met
from tests.lifetimes.crash_world import Prepared, sweep
from tests.lifetimes.test_crash_moving import no_waiting
from tests.lifetimes.works import WORKS, Begun, Works
from tests.world import OPERATOR

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FAULTS = {Sickness.FULL: Fault.FULL, Sickness.DYING: Fault.EIO, Sickness.SLOW: Fault.SLOW}

PLACES = {"repair": 40, "fill": 30, "drain": 30}
"""About how many steps work takes that is not counted beforehand."""


@pytest.fixture(scope="module")
def works(on_sqlite: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Works]:
    """Everything that there is to do."""
    with no_waiting(), closing(Works(on_sqlite, tmp_path_factory)) as made:
        yield made


# -- what happens while a store is slow ----------------------------------------------------------


class Meanwhile:
    """What others do while one process waits for its store; whatever they began has ended when `over` returns."""

    def __init__(self, begun: Begun) -> None:
        self._begun = begun
        self._threads: list[threading.Thread] = []

    def alone(self) -> None:
        """Five minutes: longer than a lease, shorter than the grace of an unfinished deposit."""
        self._begun.world.clock.advance(minutes=5)

    def rival(self) -> None:
        """Five minutes, in which another process does the same."""
        self.alone()
        self._threads.append(beside(self._begun.by_another))

    def audit(self) -> None:
        """Two hours, as a machine sleeps that was suspended; somebody audits and clears up."""
        self._begun.world.clock.advance(hours=2)
        self._threads.append(beside(lambda: self._begun.by_another(audit)))

    def over(self) -> None:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def audit(world: Any) -> None:
    world.archive.audit(actor=OPERATOR)


WAYS: dict[str, Callable[[Meanwhile], Callable[[], None]]] = {
    "alone": lambda others: others.alone,
    "rival": lambda others: others.rival,
    "audit": lambda others: others.audit,
}


def ailing(begun: Begun, plan: SickPlan, name: str, at: int, sickness: Sickness, way: str = "rival") -> int:
    """Do the work on a disk that falls sick at a step, then cure it; how often the disk refused or kept waiting."""
    others = Meanwhile(begun)
    plan.arm(at, sickness, WAYS[way](others))
    begun.attempt()
    plan.cure()
    others.over()
    if plan.refused:
        met(WORKS[name], FAULTS[sickness])
    begun.world.clock.advance(minutes=3)  # whoever could not give its lease back has lost it
    return plan.refused


@fault(Fault.FULL, Fault.EIO, Fault.SLOW)
@pytest.mark.parametrize("name", cases(WORKS))
def test_a_disk_that_is_full_then_dying_then_slow(
    name: str, works: Works, tmp_path: Path, steps_of: Callable[[str], list[str]]
) -> None:
    """One after the other, on what the one before has left: at a step in the middle, at an earlier one, at an early one
    with another process that does the same meanwhile."""
    many = PLACES.get(name) or len(steps_of(name))
    with works.begin(name, tmp_path / "trial") as begun:
        plan = SickPlan()
        make_sick(begun.world.archive, plan)
        first, second = (Sickness.FULL, Sickness.DYING)[:: 1 if list(WORKS).index(name) % 2 else -1]
        for sickness, places in (
            (first, (many // 2, many // 4, 1)),
            (second, (many // 4, 3, 1)),
            (Sickness.SLOW, (5, 2, 1)),
        ):
            assert any(ailing(begun, plan, name, at, sickness) for at in places), sickness
        begun.ended()


@pytest.mark.parametrize("name", ["group", "keyed-update"])
def test_a_process_that_slept_while_others_cleared_up_ends_well(
    name: str, works: Works, tmp_path: Path, steps_of: Callable[[str], list[str]]
) -> None:
    """Two hours in the middle of its durable steps; an audit took it for dead."""
    steps = steps_of(name)
    writing = [number for number, step in enumerate(steps, 1) if not step.startswith("catalogue")]
    for at in (writing[len(writing) // 3], writing[-1]):
        one(works, tmp_path / "trial", name, at, Sickness.SLOW, "audit")


def one(works: Works, folder: Path, name: str, at: int, sickness: Sickness, way: str) -> None:
    """One trial of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    with works.begin(name, folder) as begun:
        plan = SickPlan()
        make_sick(begun.world.archive, plan)
        ailing(begun, plan, name, at, sickness, way)
        begun.ended()


def steps_now(works: Works, folder: Path, name: str) -> list[str]:
    """The durable steps of some work that nothing interrupts."""
    shutil.rmtree(folder, ignore_errors=True)
    with works.begin(name, folder) as begun:
        plan = SickPlan()
        make_sick(begun.world.archive, plan)
        assert begun.attempt()
        return plan.steps


@pytest.mark.soak
@pytest.mark.timeout(14_400)
@pytest.mark.parametrize("name", cases(WORKS))
@pytest.mark.parametrize("sickness", cases(FAULTS))
def test_a_disk_that_is_sick_from_any_step_on(name: str, sickness: Sickness, works: Works, tmp_path: Path) -> None:
    """Every step; a slow one alone, beside a rival, and beside an audit."""
    steps = steps_now(works, tmp_path / "count", name)
    ways = list(WAYS) if sickness is Sickness.SLOW else ["alone"]
    tried = [(at, way) for at in range(1, len(steps) + 1) for way in ways]
    sweep(lambda case: one(works, tmp_path / "trial", name, case[0], sickness, case[1]), tried, steps)
