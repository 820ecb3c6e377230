"""The power is cut before every durable step: what was acknowledged is there, what was not is not half."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tests.fakes.disk import Loss
from tests.lifetimes.conftest import Fresh
from tests.lifetimes.crash_world import STORIES, cut_power, judge, sample, sweep

pytestmark = pytest.mark.soak

Steps = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("name", "most"), [("deposit", 3), ("keyed-deposit", 2), ("update", 2), ("preserve", 4), ("flush", 3)]
)
def test_a_power_cut_at_some_steps(name: str, most: int, fresh: Fresh, steps_of: Steps) -> None:
    """A sample of all steps, each with another loss."""
    losses = itertools.cycle(Loss)
    cases = [(step, next(losses)) for step in sample(steps_of(name), most)]

    def one(case: tuple[int, Loss]) -> None:
        step, loss = case
        with fresh() as trial:
            cut_power(trial, STORIES[name], step, loss)
            judge(trial, STORIES[name], retry=step % 2 == 0)

    sweep(one, cases, steps_of(name))


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("name", STORIES)
def test_a_power_cut_at_every_step(name: str, loss: Loss, fresh: Fresh, steps_of: Steps) -> None:
    """Every step, every loss; the client comes back at once, or never."""

    def one(case: tuple[int, bool]) -> None:
        step, retry = case
        with fresh() as trial:
            cut_power(trial, STORIES[name], step, loss)
            judge(trial, STORIES[name], retry=retry)

    steps = steps_of(name)
    cases = [(step, step % 2 == 0) for step in range(1, len(steps) + 2)]
    sweep(one, cases, steps)
