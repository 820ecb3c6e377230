"""A profile of the home's own says which copies make what is deposited under it kept; the others are debts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest

from api.home import initialise_home
from api.settings import SETTINGS_FILE, ArchiveSettings
from api.wiring import build_copies, build_published
from archive_core.archive import silent
from archive_core.errors import ArchiveError, SettingsError, StoreUnavailableError
from archive_core.lifecycle import Acknowledgement
from policies.errors import PolicyError
from policies.profiles import PreservationProfile, Quorum
from tests.integration.test_copies import THIRD, ids, pay, plug, unplug
from tests.world import OPERATOR, World

BASIC = resources.files("policies").joinpath("published/profile-basic-1.toml").read_text("utf-8")


def profile(name: str, copies: str) -> str:
    """The basic profile with another id and copies of its own."""
    text = BASIC.replace('id = "basic-1"', f'id = "{name}"')
    return text.replace('required_copies = "all"', 'required_copies = "quorum"') + f"\n[copies]\n{copies}\n"


URGENT = profile("urgent-1", 'required = ["one"]\nstores = 1')
ANY_TWO = profile("pair-1", 'required = ["one"]\nstores = 2\nsites = 2')
SAFE = profile("safe-1", 'required = ["one", "two", "three"]')


def home_with(folder: Path, *profiles: str, stores: str = THIRD) -> ArchiveSettings:
    home = folder / "home"
    initialise_home(home, at=datetime.now(UTC))
    (home / "profiles").mkdir()
    for number, text in enumerate(profiles):
        (home / "profiles" / f"{number}.toml").write_text(text, "utf-8")
    settings = home / SETTINGS_FILE
    named = ", ".join(f'"profiles/{number}.toml"' for number in range(len(profiles)))
    text = settings.read_text().replace("trust_anchors =", f"profiles = [{named}]\ntrust_anchors =")
    settings.write_text(text + stores)
    return ArchiveSettings.load(home)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Stores one and two are required by the settings, three is not; three profiles see it otherwise."""
    home_with(tmp_path, URGENT, ANY_TWO, SAFE)
    made = World(tmp_path)
    yield made
    made.archive.close()


@pytest.mark.slow
def test_a_profile_is_acknowledged_at_its_own_quorum(world: World) -> None:
    """With a required store away: the weaker profile is kept and owed, the others refuse; afterwards all is paid."""
    unplug(world, "two")
    urgent = world.deposit({"a.txt": b"urgent"}, profile="urgent-1")
    pair = world.deposit({"a.txt": b"pair"}, profile="pair-1")
    for other in ("basic-1", "safe-1"):
        with pytest.raises(StoreUnavailableError):
            world.deposit({"a.txt": b"refused"}, profile=other)

    assert (urgent.stores, pair.stores) == (("one", "three"), ("one", "three"))
    (owed,) = world.archive.catalogue.owed_copies()
    assert (owed.store, owed.objects) == ("two", 2)
    assert world.read(urgent.poid, "a.txt") == b"urgent"
    plug(world, "two")
    pay(world)
    world.preserve()
    world.clock.advance(hours=1)
    assert world.audit().findings == []
    assert ids(world, "two") == ids(world, "one") == ids(world, "three")
    world.check("one", "two", "three")


@pytest.mark.slow
def test_a_stricter_profile_refuses_what_the_settings_would_keep(world: World) -> None:
    """A store that the settings may do without is required by the profile."""
    unplug(world, "three")
    assert world.deposit({"a.txt": b"basic"}).stores == ("one", "two")
    with pytest.raises(StoreUnavailableError):
        world.deposit({"a.txt": b"safe"}, profile="safe-1", key="safe")

    plug(world, "three")
    assert world.deposit({"a.txt": b"safe"}, profile="safe-1", key="safe").stores == ("one", "two", "three")


def test_profiles_of_one_group_are_judged_each_by_its_own_rule(world: World) -> None:
    """Deposits that share the durable steps: one that cannot be kept keeps no other out."""
    unplug(world, "two")
    named = ("basic-1", "urgent-1", "safe-1", "pair-1", "urgent-1")
    submissions = [
        world.submission({"a.txt": b"%d" % place}, profile=name, key=f"k{place}") for place, name in enumerate(named)
    ]
    answers: list[Acknowledgement | ArchiveError] = []
    world.archive.deposit_many(submissions, actor=OPERATOR, tell=answers.append)

    kept = [isinstance(answer, Acknowledgement) for answer in answers]
    assert kept == [False, True, False, True, True]
    plug(world, "two")
    again: list[Acknowledgement | ArchiveError] = []
    world.archive.deposit_many(submissions, actor=OPERATOR, tell=again.append)
    assert all(isinstance(answer, Acknowledgement) for answer in again)
    pay(world)
    world.preserve()
    assert world.audit().findings == []
    assert len(world.archive.objects(actor=OPERATOR)) == len(named)


@pytest.mark.slow
def test_an_update_waits_for_a_store_that_its_profile_requires_and_that_owes_the_object(world: World) -> None:
    """Version 2 is not acknowledged where version 1 is still missing; once that is paid, it is."""
    unplug(world, "two")
    told = world.deposit({"a.txt": b"1"}, profile="urgent-1")
    world.update(told.poid, {"a.txt": b"2"})
    plug(world, "two")
    with pytest.raises(StoreUnavailableError, match="two"):
        world.update(told.poid, {"a.txt": b"3"}, profile="safe-1", key="third")

    pay(world)
    world.update(told.poid, {"a.txt": b"3"}, profile="safe-1", key="third")
    assert ids(world, "two") >= {f"urn:trusted-archive:{told.poid}"}
    assert world.audit().findings == []


@pytest.mark.slow
def test_evidence_keeps_to_the_settings(world: World) -> None:
    """A batch of documents that one store suffices for is formed only when every required store takes it."""
    unplug(world, "two")
    world.deposit({"a.txt": b"urgent"}, profile="urgent-1")
    with pytest.raises(StoreUnavailableError):
        world.archive.preserve(actor=OPERATOR)

    plug(world, "two")
    assert [view.error for view in world.archive.preserve(actor=OPERATOR)] == [None]
    assert all(payment.owed == 0 for payment in world.archive.debts.pay(silent))


@pytest.mark.parametrize(
    ("copies", "said"),
    [
        ('required = ["four"]', "four"),
        ('required = ["one"]\nstores = 4', "more stores"),
        ('required = ["one"]\nsites = 4', "more stores or sites"),
        ('required = ["one", "one"]', "cannot be read"),
        ("required = []", "cannot be read"),
        ('required = ["one"]\nstores = 0', "cannot be read"),
        ('required = ["one"]\nstore = 1', "cannot be read"),
    ],
)
@pytest.mark.slow
def test_a_profile_that_these_stores_cannot_keep_stops_the_start(tmp_path: Path, copies: str, said: str) -> None:
    """Nothing is deposited under a promise that cannot be kept."""
    settings = home_with(tmp_path, profile("odd-1", copies))
    with pytest.raises(SettingsError, match=said):
        build_copies(settings, create=True)


def test_a_profile_is_published_once(tmp_path: Path) -> None:
    """An id that is there already is refused, whatever it says."""
    with pytest.raises(SettingsError, match="basic-1"):
        build_published(home_with(tmp_path, BASIC))


@pytest.mark.parametrize(
    "text",
    [
        BASIC + '\n[copies]\nrequired = ["one"]\n',
        BASIC.replace('required_copies = "all"', 'required_copies = "quorum"'),
    ],
)
def test_a_quorum_is_said_and_announced_or_neither(text: str) -> None:
    """A section that nothing announces, or an announcement without a section, is a contradiction."""
    with pytest.raises(PolicyError, match="quorum"):
        PreservationProfile.load(text.encode())


def test_what_a_profile_says_is_read() -> None:
    """Values and their defaults."""
    assert PreservationProfile.load(URGENT.encode()).quorum == Quorum(("one",), 1, 1)
    assert PreservationProfile.load(SAFE.encode()).quorum == Quorum(("one", "two", "three"), 1, 1)
    assert PreservationProfile.load(BASIC.encode()).quorum is None
