"""A store, a disk or the database fails at one step, and nobody can say whether the work was done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from archive_core.ports import ObjectStore
from tests.fakes.database import lost_connection
from tests.fakes.disk import io_error
from tests.fakes.faults import FaultPlan, Moment
from tests.fakes.stores import READING, WRITING, FaultyStore, unavailable
from tests.lifetimes.conftest import Fresh
from tests.lifetimes.crash_world import STORIES, Trial, break_files, fail, judge, sample, sweep

pytestmark = pytest.mark.soak

Steps = Callable[[str], list[str]]
MOMENTS = list(Moment)


def _strike(step: str) -> None:
    (lost_connection if step.startswith("catalogue") else io_error)(step)


def _failing(name: str, cases: list[tuple[int, Moment]], steps: list[str], fresh: Fresh) -> None:
    """The process that met the error goes on; the client comes back at every other step."""

    def one(case: tuple[int, Moment]) -> None:
        step, moment = case
        with fresh() as trial:
            plan = FaultPlan(step, moment, _strike)
            break_files(trial.archive, plan)
            fail(trial, STORIES[name], plan)
            assert plan.struck == steps_kind(plan)
            judge(trial, STORIES[name], retry=step % 2 == 0, restart=False)

    def steps_kind(plan: FaultPlan) -> str:
        assert plan.at is not None
        return plan.steps[plan.at - 1]

    sweep(one, cases, steps)


@pytest.mark.parametrize(("name", "most"), [("keyed-deposit", 3), ("keyed-update", 2), ("preserve", 4), ("flush", 2)])
def test_an_error_at_some_steps(name: str, most: int, fresh: Fresh, steps_of: Steps) -> None:
    """A sample of disk operations and commits, in turn not persisted and persisted."""
    steps = steps_of(name)
    chosen = [step for step in sample(steps, most + 1) if step <= len(steps)]
    _failing(name, [(step, MOMENTS[index % 2]) for index, step in enumerate(chosen)], steps, fresh)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", STORIES)
def test_an_error_at_every_step(name: str, moment: Moment, fresh: Fresh, steps_of: Steps) -> None:
    """Every disk operation and every commit, not persisted and persisted."""
    steps = steps_of(name)
    _failing(name, [(step, moment) for step in range(1, len(steps) + 1)], steps, fresh)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("prepared", ["postgresql"], indirect=True)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", STORIES)
def test_an_error_at_every_commit_on_postgresql(name: str, moment: Moment, fresh: Fresh, steps_of: Steps) -> None:
    """The database goes away before or after it has committed."""
    steps = steps_of(name)
    commits = [number for number, step in enumerate(steps, 1) if step == "catalogue commit"]
    _failing(name, [(step, moment) for step in commits], steps, fresh)


# -- whole stores -----------------------------------------------------------------------------


def test_the_fault_layer_knows_every_verb_of_a_store() -> None:
    """A verb that the port gets later is not left unbroken in silence."""
    verbs = {name for name in vars(ObjectStore) if not name.startswith("_")}

    assert verbs == WRITING | READING
    assert not WRITING & READING


def _break_store(trial: Trial, store: str, plan: FaultPlan, *, half: bool) -> None:
    root = next(root for root in trial.archive.copies.roots if root.store.name == store)
    root.store = FaultyStore(root.store, plan, half=half)


def _store_steps(name: str, store: str, fresh: Fresh) -> list[str]:
    with fresh() as trial:
        plan = FaultPlan()
        _break_store(trial, store, plan, half=False)
        STORIES[name].act(trial)
        return plan.steps


@pytest.mark.parametrize(
    "name",
    [
        "keyed-deposit",
        pytest.param("deposit", marks=pytest.mark.soak),
        pytest.param("update", marks=pytest.mark.soak),
        pytest.param("keyed-update", marks=pytest.mark.soak),
        pytest.param("flush", marks=pytest.mark.soak),
        pytest.param("preserve", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
def test_one_store_fails_at_every_verb(name: str, fresh: Fresh) -> None:
    """Not persisted, persisted, and half of the files persisted; the other store does its work."""
    for store in ("one", "two"):
        steps = _store_steps(name, store, fresh)
        ways = [(Moment.BEFORE, False), (Moment.AFTER, False), (Moment.BEFORE, True)]
        quick = name == "keyed-deposit"
        cases = [
            (step, *way)
            for step in range(1, len(steps) + 1)
            for index, way in enumerate(ways)
            if not (quick and (step + index + len(store)) % 2)
        ]

        def one(case: tuple[int, Moment, bool], store: str = store) -> None:
            step, moment, half = case
            with fresh() as trial:
                plan = FaultPlan(step, moment, unavailable)
                _break_store(trial, store, plan, half=half)
                fail(trial, STORIES[name], plan)
                assert plan.struck
                judge(trial, STORIES[name], retry=step % 2 == 0, restart=False)

        sweep(one, cases, steps)
