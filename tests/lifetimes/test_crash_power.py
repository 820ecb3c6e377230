"""The power is cut before every durable step: what was acknowledged is there, what was not is not half."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tests.fakes.disk import Loss
from tests.fault_matrix import Fault, Operation, cases, fault, met, operation
from tests.lifetimes.conftest import Fresh
from tests.lifetimes.crash_world import EVERYDAY, OPERATIONS, STORIES, Prepared, cut_power, judge, sample, sweep

pytestmark = fault(Fault.POWER)

Steps = Callable[[str], list[str]]


def _cut(name: str, cases: list[tuple[int, Loss, bool]], steps: list[str], fresh: Fresh) -> None:
    def one(case: tuple[int, Loss, bool]) -> None:
        step, loss, retry = case
        with fresh() as trial:
            if not cut_power(trial, STORIES[name], step, loss):
                met(OPERATIONS[name], Fault.POWER)
            judge(trial, STORIES[name], retry=retry)

    sweep(one, cases, steps)


@operation(Operation.DEPOSIT)
def test_a_power_cut_at_the_end_of_a_deposit(fresh: Fresh, steps_of: Steps) -> None:
    """All that was not synced is lost when the deposit was just acknowledged; in the quick suite."""
    steps = steps_of("keyed-deposit")
    _cut("keyed-deposit", [(len(steps), Loss.EVERYTHING, True)], steps, fresh)


@pytest.mark.slow
@pytest.mark.parametrize("prepared", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("name", cases({name: OPERATIONS[name] for name in EVERYDAY}))
def test_a_power_cut_at_some_steps(name: str, prepared: Prepared, fresh: Fresh, steps_of: Steps) -> None:
    """A sample of all steps, each with another loss; half of it with a database that lives on elsewhere."""
    steps = steps_of(name)
    losses = itertools.cycle(Loss)
    cases = [(step, next(losses), step % 2 == 0) for step in sample(steps, 4)]
    _cut(name, cases[EVERYDAY.index(name) % 2 :: 2] if prepared.server else cases, steps, fresh)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("name", cases(OPERATIONS))
def test_a_power_cut_at_every_step(name: str, loss: Loss, fresh: Fresh, steps_of: Steps) -> None:
    """Every step, every loss; the client comes back at once, or never."""
    steps = steps_of(name)
    _cut(name, [(step, loss, step % 2 == 0) for step in range(1, len(steps) + 2)], steps, fresh)
