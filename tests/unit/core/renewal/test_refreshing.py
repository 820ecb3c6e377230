"""How far the look for lasting revocation data has come; what it does is in test_foreign_services.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core.errors import LeaseHeldError, MalformedDocumentError
from archive_core.renewal.covering import Covering
from archive_core.renewal.refreshing import _STATE, LEASE, Refreshed
from tests.world import OPERATOR, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.archive.close()


def stamped(world: World, times: int) -> None:
    for number in range(times):
        world.deposit({"a.txt": str(number).encode()})
        world.preserve()


def through(world: World) -> int:
    return int(json.loads(world.archive.catalogue.meta_get(_STATE) or "{}")["through"])


def test_what_lasts_from_the_beginning_is_looked_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists that were issued after the time-stamp, as the test authority's are; nothing is fetched or written."""
    stamped(world, 2)
    assert world.archive.refresh_validation_data() == Refreshed()
    assert through(world) == 2
    monkeypatch.setattr(Covering, "token", None)
    assert world.archive.refresh_validation_data() == Refreshed()


def test_a_batch_without_its_time_stamp_is_come_back_to(world: World) -> None:
    """Nothing behind it is passed over either."""
    stamped(world, 1)
    switched = world.switch("local-tsa-1")
    switched.away = True
    world.deposit({"a.txt": b"waits"})
    world.archive.preserve(actor=OPERATOR)
    world.archive.refresh_validation_data()
    assert through(world) == 1
    switched.away = False
    world.preserve()
    world.archive.refresh_validation_data()
    assert through(world) == 2


def test_one_process_at_a_time_and_no_guess_about_a_damaged_note(world: World) -> None:
    """Another one is at it; the catalogue holds what nobody wrote there."""
    with world.archive.renewing.means.holder.hold(LEASE), pytest.raises(LeaseHeldError):
        world.archive.refresh_validation_data()
    for text in ("x", "{}", '{"through": 0, "waiting": ["x"]}'):
        world.archive.catalogue.meta_set(_STATE, text)
        with pytest.raises(MalformedDocumentError, match="cannot be read"):
            world.archive.refresh_validation_data()
