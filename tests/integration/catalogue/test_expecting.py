"""Every process knows that a store has yet to answer one of them; the dead expect nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from archive_core import expecting
from archive_core.catalogue.catalogue import Catalogue
from archive_core.expecting import TERM, Expectations
from tests.vectors import REPOSITORY

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Standing:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


def test_it_is_said_until_it_is_taken_back(catalogue: Catalogue) -> None:
    """To everybody, and of that store alone, though another name begins like it."""
    clock = Standing()
    mine, other = Expectations(catalogue, clock), Expectations(catalogue, clock)
    first, second = mine.announce("three"), mine.announce("three")
    assert (other.of("three"), other.of("thre"), other.of("three 2"), other.of("thre_")) == (True, False, False, False)
    first()
    assert other.of("three")
    second()
    assert not other.of("three")


def test_it_is_said_again_and_ends_when_nobody_says_it(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Standing()
    take_back = Expectations(catalogue, clock).announce("three")
    clock.at += TERM
    assert not Expectations(catalogue, clock).of("three")
    take_back()

    monkeypatch.setattr(expecting, "_AGAIN", 0.01)
    said = threading.Event()
    real = catalogue.acquire_lease

    def heard(name: str, holder: str, until: datetime, at: datetime) -> bool:
        held = real(name, holder, until, at)
        if at > NOW + TERM:
            said.set()
        return held

    monkeypatch.setattr(catalogue, "acquire_lease", heard)
    take_back = Expectations(catalogue, clock).announce("three")
    clock.at += timedelta(seconds=1)
    assert said.wait(30)
    clock.at += TERM - timedelta(seconds=1)
    assert Expectations(catalogue, clock).of("three")
    take_back()


def test_a_process_that_is_gone_expects_nothing(catalogue: Catalogue) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "from archive_core.processes import this_process; print(this_process())"],
        check=True,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    ).stdout.strip()
    catalogue.acquire_lease("late three 1", f"{ended}{expecting.new_token()}", NOW + TERM, NOW)
    assert catalogue.leases_below("late three ") != []
    assert not Expectations(catalogue, Standing()).of("three")
    assert catalogue.leases_below("late three ") == []
