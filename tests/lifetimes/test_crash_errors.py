"""A store, a disk or the database fails at one step, and nobody can say whether the work was done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from archive_core.ports import ObjectStore
from tests.fakes.database import lost_connection
from tests.fakes.disk import io_error
from tests.fakes.faults import FaultPlan, Moment
from tests.fakes.stores import READING, WRITING, FaultyStore, unavailable
from tests.fault_matrix import Fault, Operation, cases, fault, met, operation
from tests.lifetimes.conftest import Fresh
from tests.lifetimes.crash_world import (
    EVERYDAY,
    OPERATIONS,
    STORIES,
    Prepared,
    Trial,
    break_files,
    fail,
    judge,
    sample,
    sweep,
)

Steps = Callable[[str], list[str]]
MOMENTS = list(Moment)
FAULTS = {Moment.BEFORE: Fault.NOT_PERSISTED, Moment.AFTER: Fault.PERSISTED}
EACH_DAY = cases({name: OPERATIONS[name] for name in EVERYDAY})


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
            met(OPERATIONS[name], FAULTS[moment])
            if plan.struck == "catalogue commit" and trial.archive.catalogue.engine.dialect.name == "postgresql":
                met(OPERATIONS[name], Fault.DATABASE)
            judge(trial, STORIES[name], retry=step % 2 == 0, restart=False)

    def steps_kind(plan: FaultPlan) -> str:
        assert plan.at is not None
        return plan.steps[plan.at - 1]

    sweep(one, cases, steps)


@operation(Operation.DEPOSIT)
@pytest.mark.parametrize("moment", cases(FAULTS))
def test_an_error_in_the_middle_of_a_deposit(moment: Moment, fresh: Fresh, steps_of: Steps) -> None:
    """One step, not persisted and persisted, in the quick suite."""
    steps = steps_of("keyed-deposit")
    _failing("keyed-deposit", [(len(steps) // 2, moment)], steps, fresh)


@pytest.mark.slow
@pytest.mark.parametrize("prepared", ["sqlite", pytest.param("postgresql", marks=fault(Fault.DATABASE))], indirect=True)
@pytest.mark.parametrize("moment", cases(FAULTS))
@pytest.mark.parametrize("name", EACH_DAY)
def test_an_error_at_some_steps(name: str, moment: Moment, prepared: Prepared, fresh: Fresh, steps_of: Steps) -> None:
    """A sample of disk operations and commits, others when the work was persisted than when it was not; where the
    commits differ, the first and the last of them."""
    steps = steps_of(name)
    commits = [number for number, step in enumerate(steps, 1) if step == "catalogue commit"]
    some = [step for step in sample(steps, 6) if step <= len(steps)][MOMENTS.index(moment) :: 2]
    chosen = {commits[0], *([commits[-1]] if prepared.server else some)}
    _failing(name, [(step, moment) for step in sorted(chosen)], steps, fresh)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("moment", cases(FAULTS))
@pytest.mark.parametrize("name", cases(OPERATIONS))
def test_an_error_at_every_step(name: str, moment: Moment, fresh: Fresh, steps_of: Steps) -> None:
    """Every disk operation and every commit, not persisted and persisted."""
    steps = steps_of(name)
    _failing(name, [(step, moment) for step in range(1, len(steps) + 1)], steps, fresh)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@fault(Fault.DATABASE)
@pytest.mark.parametrize("prepared", ["postgresql"], indirect=True)
@pytest.mark.parametrize("moment", cases(FAULTS))
@pytest.mark.parametrize("name", cases(OPERATIONS))
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


WAYS = [(Moment.BEFORE, False), (Moment.AFTER, False), (Moment.BEFORE, True)]
"""Not persisted, persisted, and half of the files persisted."""


def _failing_store(name: str, store: str, fresh: Fresh, *, most: int = 10_000) -> None:
    """The other store does its work. Of more cases than `most` so many are tried, spread over all."""
    steps = _store_steps(name, store, fresh)
    cases = [(step, *way) for step in range(1, len(steps) + 1) for way in WAYS]
    stride = -(-len(cases) // most)
    cases = cases[:: stride if stride % len(WAYS) or stride <= 1 else stride + 1]  # each way has its turn

    def one(case: tuple[int, Moment, bool]) -> None:
        step, moment, half = case
        with fresh() as trial:
            plan = FaultPlan(step, moment, unavailable)
            _break_store(trial, store, plan, half=half)
            fail(trial, STORIES[name], plan)
            assert plan.struck
            judge(trial, STORIES[name], retry=step % 2 == 0, restart=False)

    sweep(one, cases, steps)


@pytest.mark.slow
@pytest.mark.parametrize("store", ["one", "two"])
@pytest.mark.parametrize("name", EVERYDAY)
def test_one_store_fails_at_some_verbs(name: str, store: str, fresh: Fresh) -> None:
    """One of the cases; disks that fail, are full or dying are elsewhere."""
    _failing_store(name, store, fresh, most=1)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("store", ["one", "two"])
@pytest.mark.parametrize("name", STORIES)
def test_one_store_fails_at_every_verb(name: str, store: str, fresh: Fresh) -> None:
    """Every verb, in every way."""
    _failing_store(name, store, fresh)
