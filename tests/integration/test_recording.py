"""Events that come at the same moment share a transaction, and an error is of the event that has it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from archive_core.catalogue.rows import EventRow
from archive_core.errors import CatalogueUnavailableError, ConcurrentChangeError
from archive_core.trail.events import EventType, Outcome
from tests.world import OPERATOR, World

MANY = 12


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.archive.close()


class Gate:
    """The catalogue's recording, which waits in its first call until all others have come."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.groups: list[list[str]] = []
        self.refused: dict[str, Exception] = {}
        self._come = threading.Event()
        self._group = world.archive._sequencer._recording
        self._real = world.archive.catalogue.record_events
        monkeypatch.setattr(world.archive.catalogue, "record_events", self._record)

    def _record(self, rows: Sequence[EventRow]) -> list[EventRow]:
        codes = [row.code for row in rows]
        self.groups.append(codes)
        if len(self.groups) == 1:
            assert self._come.wait(30)
        for code in codes:
            if code in self.refused:
                raise self.refused[code]
        return self._real(rows)

    def open_when_all_wait(self) -> None:
        while len(self._group._waiting) < MANY - 1:
            assert not self._come.wait(0.005)
        self._come.set()


def record(world: World, code: str) -> Exception | None:
    try:
        world.archive._sequencer.record(EventType.DISSEMINATION, Outcome.SUCCESS, code, actor=OPERATOR)
    except (CatalogueUnavailableError, ConcurrentChangeError) as error:
        return error
    return None


def at_once(world: World, gate: Gate) -> dict[str, Exception | None]:
    codes = [f"c{number:02}" for number in range(MANY)]
    with ThreadPoolExecutor(MANY) as pool:
        asked = {code: pool.submit(record, world, code) for code in codes}
        gate.open_when_all_wait()
        return {code: one.result() for code, one in asked.items()}


def recorded(world: World) -> set[str]:
    return {row.code for row in world.archive.catalogue.pending_events() if row.code.startswith("c")}


def test_those_that_wait_are_recorded_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first goes alone; whoever comes meanwhile is the next group, and each is there when its caller goes on."""
    gate = Gate(world, monkeypatch)
    assert set(at_once(world, gate).values()) == {None}
    assert [len(group) for group in gate.groups] == [1, MANY - 1]
    assert len(recorded(world)) == MANY


def test_an_event_that_is_refused_keeps_no_other_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(world, monkeypatch)
    gate.refused["c05"] = ConcurrentChangeError("this one cannot be")
    failed = {code for code, error in at_once(world, gate).items() if error is not None}
    assert failed == {"c05"}
    assert recorded(world) == {f"c{number:02}" for number in range(MANY)} - {"c05"}


def test_a_catalogue_that_is_away_is_told_to_all_and_not_asked_for_each(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(world, monkeypatch)
    gate.refused |= {f"c{number:02}": CatalogueUnavailableError("away") for number in range(MANY)}
    assert None not in at_once(world, gate).values()
    assert len(gate.groups) == 2
    assert recorded(world) == set()
