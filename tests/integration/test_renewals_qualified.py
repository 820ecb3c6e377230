"""Renewals under a profile that demands qualified time-stamps: their own are asked about, too."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from archive_core.renewal.running import ALL, RenewalRequest, RenewalResult
from policies.profiles import PreservationProfile, profile_by_id
from policies.renewal_values import RenewalKind
from tests.integration.test_list_snapshots import BEGAN, DEMANDS, LATER, Unit, Web, prepare
from tests.integration.test_list_snapshots import union as union
from tests.integration.test_list_snapshots import web as web
from tests.integration.test_list_snapshots import world as world
from tests.unit.signing.trusted_lists.list_world import Union
from tests.world import OPERATOR, World


@pytest.fixture
def poid(world: World) -> str:
    """A document under a qualified time-stamp."""
    world.archive.lists.refresh(actor=OPERATOR)
    made = world.deposit({"a": b"a"}, profile=DEMANDS)
    world.preserve()
    world.clock.advance(days=5)
    return made.poid


def renew(world: World) -> RenewalResult:
    return world.archive.renew(RenewalRequest(kind=RenewalKind.TIMESTAMP, which=ALL), actor=OPERATOR)


def unit(world: World) -> Unit:
    found = world.archive.authorities["local-tsa-1"]
    assert isinstance(found, Unit)
    return found


def qualified(world: World) -> list[Path]:
    """What lists said of the time-stamps of renewals."""
    return [path for path in world.files("one", "qualified.json") if "lines" not in path.parts]


def test_a_renewal_holds_what_the_lists_said_of_its_time_stamp(world: World, poid: str) -> None:
    """As its batch does."""
    (view,) = renew(world).views
    assert view.error is None
    (path,) = qualified(world)
    kept = json.loads(path.read_bytes())
    assert (kept["qualification"], kept["territory"], kept["snapshot"]) == ("QTSA", "CZ", 1)
    assert world.audit().findings == []
    world.check()


def test_after_the_withdrawal_nothing_is_renewed_by_it(world: World, union: Union, web: Web, poid: str) -> None:
    """The reason is told; what was stamped before stays proven."""
    web.publish(union, LATER, withdrawn=True)
    world.clock.advance(days=65)
    world.archive.lists.refresh(actor=OPERATOR)
    (view,) = renew(world).views
    assert "demands qualified ones, this is none" in (view.error or "")
    assert qualified(world) == []
    world.check()


def test_while_a_list_is_stale_the_time_stamp_waits_and_is_paid_once(
    world: World, union: Union, web: Web, poid: str
) -> None:
    """It is judged again by the next list, also by another process."""
    asked = unit(world).asked
    world.clock.advance(days=195)
    (view,) = renew(world).views
    assert "is stale" in (view.error or "")
    assert unit(world).asked == asked + 1
    web.pages.clear()
    web.publish(union, BEGAN + timedelta(days=199), withdrawn=False)
    world.restart()
    again = prepare(world, union, web)
    world.archive.lists.refresh(actor=OPERATOR)
    assert [one.error for one in renew(world).views if one.number] == [None]
    assert again.asked == 0
    assert len(qualified(world)) == 1


@pytest.mark.slow
def test_a_profile_that_demands_nothing_is_renewed_without_lists(world: World) -> None:
    """Nobody is asked."""
    text = profile_by_id("basic-1").source.decode().replace('id = "basic-1"', 'id = "plain-1"', 1)
    world.archive.published._profiles["plain-1"] = PreservationProfile.load(text.replace("2026-01", "2025-01").encode())
    world.archive.published.publish(world.archive.copies)
    world.deposit({"a": b"a"}, profile="plain-1")
    world.preserve()
    world.clock.advance(days=5)
    (view,) = renew(world).views
    assert (view.error, qualified(world)) == (None, [])
