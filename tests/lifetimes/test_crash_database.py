"""PostgreSQL goes away in the middle of work, by an error or by SIGKILL for every process of it: what was committed is
there when it is back, what was not is not half, and nothing was told that it does not hold."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from archive_core.catalogue.session import weak_durability
from archive_core.errors import ArchiveError
from tests.fakes.database import lost_connection
from tests.fakes.faults import FaultPlan, Moment
from tests.fault_matrix import Fault, Operation, cases, fault, met, operation
from tests.lifetimes.crash_world import STORIES, Prepared, prepare, sweep
from tests.lifetimes.test_crash_moving import break_all, no_waiting
from tests.lifetimes.works import WORKS, Works
from tests.postgres import PostgreSQL, running_server

pytestmark = [pytest.mark.slow, pytest.mark.postgresql, pytest.mark.timeout(300), fault(Fault.DATABASE)]

COMMIT = "catalogue commit"

LONG = ("renew", "rehash", "destroy", "repair", "fill", "drain")
"""Work whose commits are lost here; that of every day is in the tests of errors."""


class Commits(FaultPlan):
    """A plan whose steps are the commits alone; it may be set again and again for one archive."""

    def set(self, at: int | None, moment: Moment, strike: object) -> None:
        assert callable(strike)
        self.at, self.moment, self.strike, self.struck = at, moment, strike, None
        self.steps.clear()

    def do(self, step: str, action):  # type: ignore[no-untyped-def]
        return super().do(step, action) if step == COMMIT else action()


@pytest.fixture(scope="module")
def works(on_postgresql: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Works]:
    """Everything that there is to do, on PostgreSQL."""
    with no_waiting(), closing(Works(on_postgresql, tmp_path_factory)) as made:
        yield made


@pytest.mark.parametrize("name", cases({name: WORKS[name] for name in ("renew", "repair", "drain")}))
def test_commits_that_are_lost_in_long_work(name: str, works: Works, tmp_path: Path) -> None:
    """Before one and after another, on what the first has left."""
    with works.begin(name, tmp_path / "trial") as begun:
        plan = Commits()
        break_all(begun.world.archive, plan)
        for at, moment in ((4, Moment.BEFORE), (2, Moment.AFTER)):
            plan.set(at, moment, lost_connection)
            begun.attempt()
            assert plan.struck
            met(WORKS[name], Fault.DATABASE)
            plan.set(None, moment, lost_connection)
            begun.world.clock.advance(minutes=3)
        begun.ended()


def _commits(works: Works, folder: Path, name: str) -> int:
    with works.begin(name, folder) as begun:
        plan = Commits()
        break_all(begun.world.archive, plan)
        assert begun.attempt()
        return len(plan.steps)


def _lost(works: Works, folder: Path, name: str, at: int, moment: Moment, strike: object) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with works.begin(name, folder) as begun:
        plan = Commits()
        break_all(begun.world.archive, plan)
        plan.set(at, moment, strike)
        begun.attempt()
        plan.set(None, moment, strike)
        met(WORKS[name], Fault.DATABASE)
        begun.world.clock.advance(minutes=3)
        begun.ended()


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", cases({name: WORKS[name] for name in LONG if name not in STORIES}))
def test_any_commit_may_be_lost_in_long_work(name: str, works: Works, tmp_path: Path) -> None:
    """Every commit, before and after; those of stories are in the tests of errors."""
    tried = list(itertools.product(range(1, _commits(works, tmp_path / "count", name) + 1), Moment))
    sweep(lambda case: _lost(works, tmp_path / "trial", name, *case, lost_connection), tried, [])


# -- a server of our own, durable as it is shipped, that is killed ----------------------------------


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PostgreSQL, Works]]:
    """A server of our own with the durability that it is shipped with, and work on it."""
    with running_server(own=True, durable=True) as server, server.database() as url, no_waiting():
        prepared = prepare(tmp_path_factory.mktemp("killed"), url, server)
        with closing(Works(prepared, tmp_path_factory)) as made:
            yield server, made


@operation(Operation.DEPOSIT, Operation.UPDATE, Operation.PRESERVE)
def test_a_server_that_is_killed_keeps_what_it_has_committed(killed: tuple[PostgreSQL, Works], tmp_path: Path) -> None:
    """SIGKILL for all of its processes: before a commit, and when one has just been made; in a deposit, an update and
    a preservation, one after the other."""
    server, works = killed
    assert server.kill is not None
    with works.begin("keyed-deposit", tmp_path / "trial") as begun:
        assert weak_durability(begun.world.archive.catalogue.engine) == []
        plan = Commits()
        break_all(begun.world.archive, plan)
        for name, at, moment in (
            ("keyed-deposit", 2, Moment.BEFORE),
            ("keyed-update", 2, Moment.AFTER),
            ("preserve", 3, Moment.AFTER),
        ):
            plan.set(at, moment, lambda _: server.kill())
            with suppress(ArchiveError):
                STORIES[name].act(begun.world)
            assert plan.struck
            met(WORKS[name], Fault.DATABASE)
            begun.world.clock.advance(minutes=3)
        plan.set(None, Moment.BEFORE, lambda _: None)
        begun.ended()


@pytest.mark.soak
@pytest.mark.timeout(14_400)
@pytest.mark.parametrize("name", cases(WORKS))
def test_a_server_may_be_killed_at_any_commit(name: str, killed: tuple[PostgreSQL, Works], tmp_path: Path) -> None:
    """Every commit, before and after."""
    server, works = killed
    assert server.kill is not None
    tried = list(itertools.product(range(1, _commits(works, tmp_path / "count", name) + 1), Moment))
    kill = lambda _: server.kill()  # noqa: E731 - what strikes is called with the step
    sweep(lambda case: _lost(works, tmp_path / "trial", name, *case, kill), tried, [])
