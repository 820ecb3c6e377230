"""What was reported of a time-stamp authority: what it makes due, who is asked instead, and what is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from api.home import default_settings
from api.settings import ReportedSettings, parse_settings
from api.wiring import build_renewal_policy
from archive_core.archive import silent
from archive_core.errors import SettingsError
from archive_core.findings import Verdict
from archive_core.renewal.running import ALL, RenewalRequest, RenewalResult
from policies.renewal_values import Blocked, RenewalKind
from tests.world import OPERATOR, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One evidenced batch, three days old."""
    made = World(tmp_path)
    made.deposit({"a.txt": b"alpha"})
    made.preserve()
    made.clock.advance(days=3)
    yield made
    made.archive.close()


def report(world: World, authority: str = "local-tsa-1", *, ago: float = 1, **rest: bool) -> None:
    """The settings report on an authority as of some days ago, and the archive is opened with them."""
    day = (world.clock.now() - timedelta(days=ago)).date()
    rest.setdefault("compromised", False)
    one = ReportedSettings(authority, day, f"news of {authority}", **rest)
    world.settings = replace(world.settings, reported=(one,))
    world.restart()


def renew(world: World, **request: object) -> RenewalResult:
    return world.archive.renew(RenewalRequest(**request), actor=OPERATOR, progress=silent)  # type: ignore[arg-type]


def heads(world: World) -> list[tuple[int, str]]:
    """Position and authority of the newest stamps."""
    tsa_of = {row.storage_object: row.tsa for row in world.archive.catalogue.renewals()}
    return [(head.position, tsa_of.get(head.storage_object, head.tsa)) for head in world.archive.catalogue.heads()]


def test_without_news_nothing_is_due(world: World) -> None:
    """A young archive."""
    assert renew(world).views == ()


def test_an_authority_that_was_withdrawn_is_left_for_another_at_once(world: World) -> None:
    """Nothing is lost: its time-stamps stand, and another authority goes on."""
    report(world)
    result = renew(world)

    assert [(view.tsa, view.error) for view in result.views] == [("local-tsa-2", None)]
    assert heads(world) == [(1, "local-tsa-2")]
    assert renew(world).views == ()  # asked once
    world.check()


def test_an_operator_cannot_choose_the_authority_that_was_reported_on(world: World) -> None:
    """Not even by name."""
    report(world)
    result = renew(world, kind=RenewalKind.TIMESTAMP, which=ALL, tsa="local-tsa-1")

    assert all(view.error for view in result.views)
    assert heads(world) == [(0, "local-tsa-1")]


def test_a_compromised_authority_with_nothing_above_is_told_and_not_renewed(world: World) -> None:
    """A renewal would prove nothing."""
    report(world, compromised=True)
    result = renew(world)

    assert [need.blocked for need in result.blocked] == [Blocked.LAPSED]
    assert "news of local-tsa-1" in str(result.blocked[0].blocked_because)
    assert heads(world) == [(0, "local-tsa-1")]


def test_what_another_authority_had_covered_survives_the_compromise(world: World) -> None:
    """Covered before: nothing is due, everything is proven."""
    assert renew(world, kind=RenewalKind.TIMESTAMP, which=ALL, tsa="local-tsa-2").is_complete
    world.clock.advance(days=3)
    report(world, compromised=True)

    assert (renew(world).views, renew(world).blocked) == ((), ())
    world.check()


def test_a_compromised_renewal_is_abandoned_and_started_again_below_it(world: World) -> None:
    """A later time-stamp that turns bad does not doom the document: the one below is good, and covered anew."""
    assert renew(world, kind=RenewalKind.TIMESTAMP, which=ALL, tsa="local-tsa-2").is_complete
    world.clock.advance(days=3)
    report(world, "local-tsa-2", compromised=True)
    result = renew(world)

    assert [(view.tsa, view.error) for view in result.views] == [("local-tsa-1", None)]
    assert heads(world) == [(1, "local-tsa-1")]
    for poid in world.told:
        assert world.archive.verify(poid, actor=OPERATOR).verdict is Verdict.PASSED
    world.check()


def test_a_name_that_stands_for_another_authority_since_may_be_used(world: World) -> None:
    """Profiles name authorities; what is behind a name can be replaced."""
    report(world, compromised=False, replaced=True)
    result = renew(world)

    assert [(view.tsa, view.error) for view in result.views] == [("local-tsa-1", None)]
    assert renew(world).views == ()
    world.deposit({"b.txt": b"beta"})
    world.preserve()
    assert renew(world).views == ()
    world.check()


# -- the settings ---------------------------------------------------------------------------------

GOOD = '[[reported]]\nauthority = "local-tsa-1"\non = 2028-05-01\nwhat = "withdrawn"\ncompromised = false\n'


def parsed(more: str) -> object:
    return parse_settings(f"{default_settings('x', 'sqlite:///c.sqlite3')}\n{more}\n", Path("/home"))


def test_reports_and_margins_are_read() -> None:
    """And the defaults are those of the policy."""
    settings = parse_settings(
        f"{default_settings('x', 'sqlite:///c.sqlite3')}\n{GOOD}[renewal]\ntimestamp_margin_days = 30\n", Path("/home")
    )

    assert settings.reported[0].what == "withdrawn"
    assert build_renewal_policy(settings).timestamp_margin == timedelta(days=30)
    assert build_renewal_policy(settings).hash_tree_margin == timedelta(days=730)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (GOOD.replace("2028-05-01", '"2028-05-01"'), "must be a date"),
        (GOOD.replace("compromised = false", ""), "compromised"),
        (GOOD.replace("what =", "who ="), "what"),
        (GOOD + "urgent = true", "unknown key"),
        (GOOD + GOOD, "same name"),
        ("[renewal]\ntimestamp_margin_days = 0", "margins"),
        ("[renewal]\nhash_tree_margin_days = 99999", "margins"),
        ("[renewal]\nshare = 0.0", "share"),
        ("[renewal]\nshare = 1.5", "share"),
        ("[renewal]\nmargin = 5", "unknown key"),
    ],
)
def test_settings_that_say_something_else_are_refused(more: str, why: str) -> None:
    """A report that nobody reads would protect nothing."""
    with pytest.raises(SettingsError, match=why):
        parsed(more)
