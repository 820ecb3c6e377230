"""A store is filled or drained, and whoever does it fails, is killed or loses its power at a durable step: no store is
worse for it, and the same command ends it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from api.settings import SETTINGS_FILE, ArchiveSettings
from archive_core import copying, stores
from archive_core.archive import silent
from archive_core.errors import ArchiveError, UnavailableError
from archive_core.ocfl.plain_copy import copy_plain
from archive_core.ports import ObjectStore, ObjectToCopy
from storage_backends.filesystem import FilesystemStore
from tests.fakes.database import lost_connection, watch
from tests.fakes.disk import FaultyFiles, Loss, io_error
from tests.fakes.faults import FaultPlan, Moment, PowerCutError
from tests.fault_matrix import Fault, Operation, cases, fault, met
from tests.integration.test_copies import THIRD, plug, unplug
from tests.lifetimes import crash_world
from tests.lifetimes.crash_world import SAME, STRIDE, Databases, use_database
from tests.world import OPERATOR, SQLITE, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STORES = ("one", "two", "three")


def fill(world: World) -> None:
    """The third store joins and gets everything."""
    payment = world.archive.stores.add("three", actor=OPERATOR, progress=silent)
    _done([payment.error])


def drain(world: World) -> None:
    """The second store is emptied of what only it and the first hold."""
    payments = world.archive.stores.drain("two", actor=OPERATOR, progress=silent)
    _done([payment.error for payment in payments])


def _done(errors: list[str | None]) -> None:
    if any(errors):
        raise UnavailableError(str(errors))


class InThisProcess:
    """A copier whose disks are models, which no other process could write to."""

    def __init__(self, source: FilesystemStore, target: ObjectStore) -> None:
        self._stores = source, target

    def copy(self, wanted: Sequence[ObjectToCopy]) -> list[str | None]:
        return copy_plain(*self._stores, wanted)

    def close(self) -> None:
        """There is no process."""


def carry(world: World) -> None:
    """As `fill`, by a copier."""
    with (
        mock.patch.object(copying, "WORTH_PROCESSES", 1),
        mock.patch.object(copying, "MOST", 1),
        mock.patch.object(FilesystemStore, "lend_copier", lambda source, target: InThisProcess(source, target)),
    ):
        fill(world)


ACTS: dict[str, Callable[[World], None]] = {"fill": fill, "drain": drain, "carry": carry}
OPERATIONS = {"fill": Operation.FILL, "drain": Operation.DRAIN, "carry": Operation.FILL}
FAULTS = {Moment.BEFORE: Fault.NOT_PERSISTED, Moment.AFTER: Fault.PERSISTED}


@contextmanager
def no_waiting() -> Iterator[None]:
    """A store that joins or leaves need not wait for other processes to notice."""
    usual, stores.REFRESH = stores.REFRESH, 0.01
    try:
        yield
    finally:
        stores.REFRESH = usual


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    """There is no other process here."""
    with no_waiting():
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Homes with evidenced objects of several versions: in one the third store is new, in the other it lacks half of
    them and the second is to leave. With each, what everybody was told."""
    made = {name: prepare(tmp_path_factory.mktemp(name), name) for name in ("fill", "drain")}
    return {**made, "carry": made["fill"]}


def prepare(folder: Path, name: str, url: str = SQLITE) -> tuple[Path, dict[str, Any]]:
    world = World(folder, url)
    told = world.deposit({"a.txt": b"alpha", "b/c.bin": bytes(range(256)) * 9})
    world.deposit({"d.txt": b"delta"})
    world.preserve()
    settings = world.home / SETTINGS_FILE
    settings.write_text(settings.read_text() + THIRD)
    world.settings = ArchiveSettings.load(world.home)
    world.restart()
    if name == "drain":
        fill(world)
        unplug(world, "three")
    world.update(told.poid, {"a.txt": b"alpha again"})
    world.deposit({"e.txt": b"epsilon"})
    world.preserve()
    world.archive.flush_trail()
    if name == "drain":
        plug(world, "three")
    world.archive.close()
    return folder, world.told


@contextmanager
def copy_of(prepared: Any, name: str, folder: Path, databases: Databases = SAME) -> Iterator[World]:
    source, told = prepared[name]
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, symlinks=True)
    world = World(folder, use_database(folder / "home", databases))
    world.told = told
    world.clock.advance(hours=1)
    try:
        yield world
    finally:
        world.archive.close()


def break_all(archive: Any, plan: FaultPlan) -> list[FaultyFiles]:
    """As `break_files`, for every store of the settings, also one that does not take part yet."""
    disks = []
    for root in archive.copies.known:
        files = FaultyFiles(root.store.name, plan)
        root.store._files = files
        disks.append(files)
    watch(archive.catalogue.engine, plan)
    return disks


def steps_of(prepared: Any, name: str, folder: Path) -> list[str]:
    """The durable steps of the whole work."""
    with copy_of(prepared, name, folder) as world:
        plan = FaultPlan()
        break_all(world.archive, plan)
        ACTS[name](world)
        whole(world, name)
        assert sum("three publish" in step or "three link" in step or "three rename" in step for step in plan.steps)
        return plan.steps


def whole(world: World, name: str) -> None:
    """The third store holds what the first does, to the byte, and everything is proven from it alone."""
    holds = {store: held(world, store) for store in STORES}
    assert {path: holds["three"].get(path) for path in holds["one"]} == holds["one"]
    assert world.archive.debts.pay(silent) == []
    assert world.audit().findings == []
    world.check("one", "three")
    views = {view.name: view.state for view in world.archive.stores.views()}
    assert views == {"one": "member", "two": "draining" if name == "drain" else "member", "three": "member"}


def held(world: World, store: str) -> dict[str, bytes]:
    """A store's objects but those of the trail, which tells of the work itself."""
    root = world.store(store)
    paths = [
        path for path in root.rglob("*") if path.is_file() and "3atr0" not in str(path) and "3atd0" not in str(path)
    ]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def ended_by_the_next(world: World, name: str, before: dict[str, dict[str, bytes]]) -> None:
    """No store lost or changed anything; then the same command makes it whole."""
    for store in STORES:
        now = held(world, store)
        # What lies there is what lay there, or the newer head of an object that the first store holds.
        worse = [
            path for path, content in before[store].items() if now.get(path) not in (content, before["one"].get(path))
        ]
        assert worse == [], store
    world.restart()
    world.clock.advance(minutes=3)
    ACTS[name](world)
    whole(world, name)


def strike(step: str) -> None:
    """A disk that fails, or a database that is gone."""
    (lost_connection if step.startswith("catalogue") else io_error)(step)


def broken(prepared: Any, name: str, folder: Path, at: int, moment: Moment) -> None:
    with copy_of(prepared, name, folder) as world:
        before = {store: held(world, store) for store in STORES}
        plan = FaultPlan(at, moment, strike)
        break_all(world.archive, plan)
        with suppress(ArchiveError):
            ACTS[name](world)
        if plan.struck:
            met(OPERATIONS[name], FAULTS[moment])
        ended_by_the_next(world, name, before)


def cut(prepared: Any, name: str, folder: Path, at: int, loss: Loss | None) -> None:
    with copy_of(prepared, name, folder) as world:
        before = {store: held(world, store) for store in STORES}
        story: Any = SimpleNamespace(act=ACTS[name])
        trial: Any = world
        saved, crash_world.break_files = crash_world.break_files, break_all  # type: ignore[assignment]
        try:
            with suppress(PowerCutError):
                if not crash_world.cut_power(trial, story, at, loss):
                    met(OPERATIONS[name], Fault.POWER if loss else Fault.KILL)
        finally:
            crash_world.break_files = saved
        world.archive = world.open()
        ended_by_the_next(world, name, before)


@fault(Fault.NOT_PERSISTED, Fault.PERSISTED, Fault.KILL, Fault.POWER)
@pytest.mark.parametrize("name", cases(OPERATIONS))
def test_a_store_that_is_filled_or_drained_survives_a_fault_at_some_steps(
    prepared: Any, name: str, tmp_path: Path
) -> None:
    """A sample: errors that did or did not leave their work, kills, power cuts."""
    steps = steps_of(prepared, name, tmp_path / "count")
    chosen = [round(len(steps) * part) for part in (0.2, 0.4, 0.6, 0.8)]
    ways = [Moment.AFTER, None, Moment.BEFORE, Loss.SOME if name == "drain" else Loss.EVERYTHING]
    for at, way in zip(chosen, ways, strict=True):
        if isinstance(way, Moment):
            broken(prepared, name, tmp_path / "trial", at, way)
        else:
            cut(prepared, name, tmp_path / "trial", at, way)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@fault(Fault.NOT_PERSISTED, Fault.PERSISTED, Fault.KILL, Fault.POWER)
@pytest.mark.parametrize("name", cases(OPERATIONS))
def test_a_store_that_is_filled_or_drained_survives_a_fault_at_any_step(
    prepared: Any, name: str, tmp_path: Path
) -> None:
    """The whole matrix: `make soak STRIDE=5` tries each fifth step."""
    steps = steps_of(prepared, name, tmp_path / "count")
    for at in range(1, len(steps) + 1, STRIDE):
        for moment in Moment:
            broken(prepared, name, tmp_path / "trial", at, moment)
        for loss in (None, *Loss):
            cut(prepared, name, tmp_path / "trial", at, loss)
