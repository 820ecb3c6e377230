"""How much is read at once, and how fast."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from archive_core.renewal import rereading
from archive_core.renewal.rereading import Budget, _windows
from tests.catalogue_rows import version_row


@dataclass
class Time:
    """A clock that only sleeping moves on."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The time of the budget's module."""
    made = Time()
    monkeypatch.setattr(time, "monotonic", made.monotonic)
    monkeypatch.setattr(time, "sleep", made.sleep)
    return made


def nothing() -> None:
    """No lease to keep."""


def test_without_a_budget_nobody_waits(clock: Time) -> None:
    """However much was read."""
    Budget(None).spend(10**15, nothing)

    assert clock.now == 1000.0


def test_bytes_take_as_long_as_they_may(clock: Time) -> None:
    """Ten pieces at a hundred bytes a second; what is free of it does not pile up beyond a few seconds."""
    budget = Budget(100)
    for _ in range(10):
        budget.spend(500, nothing)
    assert clock.now == pytest.approx(1050.0)
    clock.now += 10**6
    began = clock.now
    budget.spend(100 * 3600, nothing)

    assert clock.now - began == pytest.approx(3600 - rereading.BEAT)


def test_reading_that_is_slow_by_itself_is_not_slowed_down(clock: Time) -> None:
    """The disk took longer than the budget asks for."""
    budget = Budget(100)
    clock.now += 10.0
    before = clock.now
    budget.spend(500, nothing)

    assert clock.now == before


def test_who_waits_is_heard_every_second(clock: Time) -> None:
    """The lease is kept, and an error of whoever keeps it ends the waiting."""
    kept: list[float] = []

    def keep() -> None:
        kept.append(clock.now)
        if len(kept) == 5:
            raise RuntimeError("paused")

    with pytest.raises(RuntimeError, match="paused"):
        Budget(1).spend(10**9, keep)

    assert clock.now == pytest.approx(1005.0)


def test_windows_are_small_in_number_and_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every version is in one of them, in order; a large document is a window of its own at the most."""
    monkeypatch.setattr(rereading, "WINDOW", 3)
    monkeypatch.setattr(rereading, "WINDOW_BYTES", 100)
    sizes = [1, 1, 1, 1, 99, 500, 40, 40, 40, 1]
    rows = [version_row(number, size=size) for number, size in enumerate(sizes)]
    windows = list(_windows(iter(rows)))

    assert [[row.size for row in window] for window in windows] == [[1, 1, 1], [1, 99], [500], [40, 40, 40], [1]]
    assert [row for window in windows for row in window] == rows
    assert list(_windows(iter([]))) == []
