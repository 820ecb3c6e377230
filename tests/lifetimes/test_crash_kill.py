"""A process is killed (SIGKILL) before every durable step, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fault_matrix import Fault, Operation, cases, fault, met, operation
from tests.lifetimes.conftest import Fresh
from tests.lifetimes.crash_world import EVERYDAY, OPERATIONS, STORIES, Prepared, judge, kill_child, sample, sweep

pytestmark = fault(Fault.KILL)

Steps = Callable[[str], list[str]]


def _killed(name: str, steps: list[str], chosen: list[int], fresh: Fresh) -> None:
    def one(case: tuple[int, bool]) -> None:
        step, retry = case
        with fresh() as trial:
            survived = kill_child(trial, STORIES[name], step)
            assert not survived or step > len(steps)  # work that takes long renews a lease: that is one step more
            if not survived:
                met(OPERATIONS[name], Fault.KILL)
            judge(trial, STORIES[name], retry=retry)

    sweep(one, [(step, step % 2 == 0) for step in chosen], steps)


@operation(Operation.DEPOSIT)
def test_a_kill_in_the_middle_of_a_deposit(fresh: Fresh, steps_of: Steps) -> None:
    """One step, in the quick suite."""
    steps = steps_of("keyed-deposit")
    _killed("keyed-deposit", steps, [len(steps) // 2], fresh)


@pytest.mark.slow
@pytest.mark.parametrize("prepared", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("name", cases({name: OPERATIONS[name] for name in EVERYDAY}))
def test_a_kill_at_some_steps(name: str, prepared: Prepared, fresh: Fresh, steps_of: Steps) -> None:
    """After the first commit, in the middle, and after the last step; where the commits differ, around them alone."""
    steps = steps_of(name)
    commits = [number for number, step in enumerate(steps, 1) if step == "catalogue commit"]
    others = {commits[-1]} if prepared.server else {sample(steps, 2)[-1], len(steps) + 1}
    _killed(name, steps, sorted({commits[0] + 1, *others}), fresh)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", cases(OPERATIONS))
def test_a_kill_at_every_step(name: str, fresh: Fresh, steps_of: Steps) -> None:
    """Every step; the client comes back at once, or never."""
    steps = steps_of(name)
    _killed(name, steps, list(range(1, len(steps) + 2)), fresh)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("prepared", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", cases(OPERATIONS))
def test_a_kill_at_every_commit_on_postgresql(name: str, fresh: Fresh, steps_of: Steps) -> None:
    """Every commit and what follows it, and a sample of the other steps."""
    steps = steps_of(name)
    commits = [number for number, step in enumerate(steps, 1) if step == "catalogue commit"]
    chosen = {*commits, *(number + 1 for number in commits), *sample(steps, 12)}
    _killed(name, steps, sorted(chosen), fresh)
