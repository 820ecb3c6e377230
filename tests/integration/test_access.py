"""Organisations, keys, quotas and rates, from the request to the trail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from archive_core.errors import (
    AlreadyExistsError,
    ConcurrentChangeError,
    ConflictError,
    NotFoundError,
    NotPermittedError,
    OrganisationNotActiveError,
    QuotaExceededError,
    RateLimitedError,
    UnauthenticatedError,
    UnknownOrganisationError,
    UsageError,
)
from archive_core.lifecycle import Acknowledgement, Actor
from archive_core.organisations import Limits
from policies.access import SCOPES
from tests.integration.http_world import HttpWorld, file, http_world
from tests.world import OPERATOR, World

ORG, OTHER = "70891508", "00064581"
ADMINISTRATOR = Actor("admin", "administrator", ORG)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.archive.close()


@pytest.fixture
def http(tmp_path: Path) -> Iterator[HttpWorld]:
    with http_world(tmp_path) as made:
        yield made


# -- organisations ------------------------------------------------------------------------------


def test_an_organisation_survives_the_loss_of_the_catalogue(world: World) -> None:
    """With its name, its limits and whether it is open; what it uses is counted anew."""
    organisations = world.archive.organisations
    organisations.add(ORG, name="Kraj", limits=Limits(objects=5, bytes=10_000, rate_per_minute=60), actor=OPERATOR)
    organisations.add(OTHER, name="Město", actor=OPERATOR)
    organisations.add("default", name="vlastní", foreign=True, actor=OPERATOR)
    organisations.change(ORG, limits={"bytes": None, "objects": 7}, actor=OPERATOR)
    organisations.change(OTHER, active=False, name="Hlavní město", actor=OPERATOR)
    world.deposit({"a.txt": b"a"}, originator=ORG)
    before = [view.to_json() for view in organisations.list(actor=OPERATOR)]
    rebuilt, report = world.rebuilt("two")
    try:
        assert report.findings == ()
        after = [view.to_json() for view in rebuilt.organisations.list(actor=OPERATOR)]
        assert after == before
        assert {one["id"]: (one["active"], one["quota_objects"], one["objects"]) for one in after} == {
            ORG: (True, 7, 1),
            OTHER: (False, None, 0),
            "default": (True, None, 0),
        }
    finally:
        rebuilt.close()


@pytest.mark.parametrize("identifier", ["70891509", "default", "1234567", "", "a/b", "a" * 65, "č"])
def test_an_identifier_that_is_no_ico_is_refused(world: World, identifier: str) -> None:
    """Unless it is said to be none; and even then it is of a form that nothing trips over."""
    with pytest.raises(UsageError):
        world.archive.organisations.add(identifier, name="x", actor=OPERATOR)
    if identifier not in ("70891509", "default", "1234567"):
        with pytest.raises(UsageError):
            world.archive.organisations.add(identifier, name="x", foreign=True, actor=OPERATOR)


def test_what_is_no_organisation_is_not_entered(world: World) -> None:
    """Twice the same, no name, a limit that is none, by somebody who may not, or one that is not there."""
    organisations = world.archive.organisations
    organisations.add(ORG, name="Kraj", actor=OPERATOR)
    with pytest.raises(AlreadyExistsError):
        organisations.add(ORG, name="Kraj", actor=OPERATOR)
    for name, limits in (("", Limits()), ("x" * 501, Limits()), ("x", Limits(objects=-1)), ("x", Limits(bytes=2**63))):
        with pytest.raises(UsageError):
            organisations.add(OTHER, name=name, limits=limits, actor=OPERATOR)
    for actor in (ADMINISTRATOR, Actor("d", "depositor", ORG), Actor("a", "auditor")):
        with pytest.raises(NotPermittedError):
            organisations.add(OTHER, name="x", actor=actor)
        with pytest.raises(NotPermittedError):
            organisations.change(ORG, limits={"bytes": None}, actor=actor)
    with pytest.raises(UnknownOrganisationError):
        organisations.change(OTHER, name="x", actor=OPERATOR)
    with pytest.raises(UnknownOrganisationError):
        organisations.get(ORG, actor=replace(ADMINISTRATOR, originator=OTHER))
    assert [view.row.originator for view in organisations.list(actor=OPERATOR)] == [ORG]


def test_a_closed_organisation_keeps_what_it_has_and_gets_nothing_more(world: World) -> None:
    """Deposits, updates and new keys are refused until it is opened again."""
    organisations = world.archive.organisations
    organisations.add(ORG, name="Kraj", actor=OPERATOR)
    kept = world.deposit({"a.txt": b"a"}, originator=ORG)
    organisations.change(ORG, active=False, actor=OPERATOR)
    with pytest.raises(OrganisationNotActiveError):
        world.deposit({"b.txt": b"b"}, originator=ORG)
    with pytest.raises(OrganisationNotActiveError):
        world.update(kept.poid, {"b.txt": b"b"})
    with pytest.raises(OrganisationNotActiveError):
        world.archive.create_key(label="x", role="auditor", originator=ORG, actor=OPERATOR)
    assert world.archive.show(kept.poid, actor=OPERATOR).version == 1
    organisations.change(ORG, active=True, actor=OPERATOR)
    assert world.update(kept.poid, {"b.txt": b"b"}).version == 2


def test_only_registered_organisations_where_the_settings_say_so(world: World) -> None:
    """A deposit for one that nobody added, or a key, is refused; others go on."""
    world.archive.organisations.registered_only = True
    with pytest.raises(OrganisationNotActiveError):
        world.deposit({"a.txt": b"a"}, originator=ORG)
    with pytest.raises(OrganisationNotActiveError):
        world.archive.create_key(label="x", role="depositor", originator=ORG, actor=OPERATOR)
    world.archive.organisations.add(ORG, name="Kraj", actor=OPERATOR)
    assert world.deposit({"a.txt": b"a"}, originator=ORG).version == 1


# -- quotas -------------------------------------------------------------------------------------


def test_a_quota_of_objects_is_kept_and_updates_need_none(world: World) -> None:
    """The last one fits, the next does not, nothing of it is stored; what is repeated by its key is answered."""
    world.archive.organisations.add(ORG, name="Kraj", limits=Limits(objects=2), actor=OPERATOR)
    first = world.deposit({"a.txt": b"a"}, originator=ORG, key="k")
    world.deposit({"b.txt": b"b"}, originator=ORG)
    with pytest.raises(QuotaExceededError) as refused:
        world.deposit({"c.txt": b"c"}, originator=ORG)
    assert refused.value.facts == {"quota": "objects", "used": 2, "limit": 2}
    assert world.deposit({"a.txt": b"a"}, originator=ORG, key="k").replayed
    assert world.update(first.poid, {"a.txt": b"new"}).version == 2
    assert world.deposit({"c.txt": b"c"}, originator=OTHER).version == 1
    world.archive.preserve(actor=OPERATOR)
    world.archive.destroy(first.poid, reason="x", actor=OPERATOR)
    assert world.archive.organisations.get(ORG, actor=OPERATOR).objects == 1
    assert world.deposit({"c.txt": b"c"}, originator=ORG).version == 1


def test_what_is_deposited_once_is_answered_again_when_nothing_more_fits(world: World) -> None:
    """It adds nothing, alone and among others; what is new is refused, and so is what does not say `once`."""
    world.archive.organisations.add(ORG, name="Kraj", limits=Limits(objects=1), actor=OPERATOR)
    first = world.deposit({"a.txt": b"a"}, originator=ORG, once=True)
    again = world.deposit({"a.txt": b"a"}, originator=ORG, once=True)
    assert (again.poid, again.replayed) == (first.poid, True)
    for files, once in (({"a.txt": b"b"}, True), ({"b.txt": b"a"}, True), ({"a.txt": b"a"}, False)):
        with pytest.raises(QuotaExceededError):
            world.deposit(files, originator=ORG, once=once)
    answers: list[Any] = []
    asked = [world.submission({"a.txt": text}, originator=ORG, once=True) for text in (b"new", b"a")]
    world.archive.deposit_many(asked, actor=OPERATOR, tell=answers.append)
    assert isinstance(answers[0], QuotaExceededError)
    assert answers[1].poid == first.poid
    assert world.archive.organisations.get(ORG, actor=OPERATOR).objects == 1


def test_a_quota_of_bytes_counts_every_version(world: World) -> None:
    """Also when it is set after something was deposited."""
    made = world.deposit({"a.txt": b"x" * 600}, originator=ORG)
    world.archive.organisations.add(ORG, name="Kraj", limits=Limits(bytes=1500), actor=OPERATOR)
    world.update(made.poid, {"a.txt": b"y" * 600})
    with pytest.raises(QuotaExceededError):
        world.update(made.poid, {"a.txt": b"z" * 600})
    assert world.archive.organisations.get(ORG, actor=OPERATOR).bytes == 1200
    assert world.update(made.poid, {"a.txt": b"z" * 300}).version == 3


def test_many_at_once_fill_a_quota_to_the_last_place(world: World) -> None:
    """Of ten submissions of one command those that fit are kept, the others refused, each in its place."""
    world.archive.organisations.add(ORG, name="Kraj", limits=Limits(objects=4), actor=OPERATOR)
    answers: list[object] = []
    submissions = [world.submission({"a.txt": b"%d" % number}, originator=ORG) for number in range(10)]
    world.archive.deposit_many(submissions, actor=OPERATOR, tell=answers.append)
    assert [isinstance(one, Acknowledgement) for one in answers] == [True] * 4 + [False] * 6
    assert all(isinstance(one, QuotaExceededError) for one in answers[4:])


def test_several_processes_never_exceed_a_quota(world: World) -> None:
    """Three archives over one home, eight depositors: exactly as many as fit."""
    world.archive.organisations.add(ORG, name="Kraj", limits=Limits(objects=7), actor=OPERATOR)
    archives = [world.archive, world.open(), world.open()]

    def one(number: int) -> bool:
        submission = world.submission({"a.txt": b"%d" % number}, originator=ORG)
        end = time.monotonic() + 60
        while time.monotonic() < end:  # room that another one has taken and counted may be refused for a moment
            try:
                archives[number % 3].deposit(submission, actor=OPERATOR)
            except QuotaExceededError:
                if world.archive.organisations.get(ORG, actor=OPERATOR).objects == 7:
                    return False
                time.sleep(0.01)
            else:
                return True
        raise AssertionError("refused although there is room")

    try:
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(one, range(16))) == 7
    finally:
        for other in archives[1:]:
            other.close()
    view = world.archive.organisations.get(ORG, actor=OPERATOR)
    assert view.objects == 7
    world.archive.catalogue.recount_use(ORG)
    assert world.archive.catalogue.take_room(
        "t", ORG, 1, 0, until=world.clock.now() + timedelta(1), at=world.clock.now()
    ) == ("objects", 7, 7)


def test_room_of_a_process_that_died_is_free_again(world: World) -> None:
    """After a while, by itself."""
    world.archive.organisations.add(ORG, name="Kraj", limits=Limits(objects=1), actor=OPERATOR)
    at = world.clock.now()
    assert world.archive.catalogue.take_room("dead", ORG, 1, 1, until=at + timedelta(minutes=15), at=at) is None
    with pytest.raises(QuotaExceededError):
        world.deposit({"a.txt": b"a"}, originator=ORG)
    world.clock.advance(minutes=16)
    assert world.deposit({"a.txt": b"a"}, originator=ORG).version == 1


# -- rates --------------------------------------------------------------------------------------


def test_who_asks_too_often_waits_as_long_as_is_said(world: World) -> None:
    """So many a minute are answered, by all processes together; after the time that was named, again."""
    world.archive.organisations.add(ORG, name="Kraj", limits=Limits(rate_per_minute=6), actor=OPERATOR)
    other = world.open()
    who = Actor("key-1", "auditor", ORG)
    try:
        for number in range(6):
            (world.archive, other)[number % 2].organisations.arrive(who)
        for archive in (world.archive, other):
            with pytest.raises(RateLimitedError) as refused:
                archive.organisations.arrive(replace(who, actor_id="key-2"))
        wait = refused.value.facts["retry_after"]
        assert isinstance(wait, int)
        assert 1 <= wait <= 10
        world.clock.advance(seconds=wait)
        other.organisations.arrive(who)
        with pytest.raises(RateLimitedError):
            world.archive.organisations.arrive(who)
        world.archive.organisations.arrive(replace(who, originator=OTHER))
    finally:
        other.close()


def test_a_key_with_a_rate_of_its_own_is_told_429(http: HttpWorld) -> None:
    """With Retry-After, before the route is looked at; other keys go on, and the trail is not filled."""
    _, secret = http.archive.create_key(label="x", role="auditor", originator=None, rate_per_minute=3, actor=OPERATOR)
    who = {"Authorization": f"Bearer {secret}"}
    answers = [http.get("/v1/profiles", who) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 20
    assert answers[-1].json["type"] == "urn:trusted-archive:problem:rate-limited"
    assert http.get("/v1/nothing", who).status_code == 429
    assert http.get("/v1/profiles", http.key("auditor", None)).status_code == 200
    assert [who for who, code in http.refusals() if code == "rate-limited"] == []


# -- keys ---------------------------------------------------------------------------------------


def test_a_key_that_ended_is_no_key(world: World) -> None:
    """From its last moment on, without anybody doing anything."""
    ends = world.clock.now() + timedelta(hours=1)
    row, secret = world.archive.create_key(label="x", role="auditor", originator=ORG, expires=ends, actor=OPERATOR)
    assert world.archive.authenticate(secret).actor_id == row.key_id
    world.archive._keys._good.clear()
    world.clock.advance(hours=1)
    with pytest.raises(UnauthenticatedError):
        world.archive.authenticate(secret)
    assert not world.archive.is_good_key(row)


def test_a_replaced_key_overlaps_with_the_one_that_follows(world: World) -> None:
    """Both are good for the overlap; then the new one alone. A key is replaced once."""
    old, first = world.archive.create_key(
        label="spisovka", role="depositor", originator=ORG, scopes=["deposit"], actor=OPERATOR
    )
    _, new, second = world.archive.rotate_key(old.key_id, overlap=timedelta(days=2), actor=OPERATOR)

    assert (new.label, new.role, new.originator, new.scopes, new.replaces) == (
        "spisovka",
        "depositor",
        ORG,
        ["deposit"],
        old.key_id,
    )
    assert first != second
    assert world.archive.authenticate(first).actor_id == old.key_id
    assert world.archive.authenticate(second).scopes == frozenset({"deposit"})
    with pytest.raises(ConcurrentChangeError):
        world.archive.rotate_key(old.key_id, actor=OPERATOR)
    world.clock.advance(days=2)
    world.archive._keys._good.clear()
    with pytest.raises(UnauthenticatedError):
        world.archive.authenticate(first)
    assert world.archive.authenticate(second).actor_id == new.key_id
    with pytest.raises(ConflictError):
        world.archive.rotate_key(old.key_id, actor=OPERATOR)
    assert len(world.archive.keys()) == 2


def test_an_overlap_never_prolongs_a_key(world: World) -> None:
    """One that ends tomorrow ends tomorrow; what follows it is good as long as it was."""
    ends = world.clock.now() + timedelta(days=30)
    old, _ = world.archive.create_key(label="x", role="auditor", originator=ORG, expires=ends, actor=OPERATOR)
    world.clock.advance(days=29)
    ended, new, _ = world.archive.rotate_key(old.key_id, overlap=timedelta(days=7), actor=OPERATOR)

    assert ended.expires == ends
    assert new.expires is not None
    assert timedelta(days=29, hours=23) < new.expires - new.created <= timedelta(days=30)


@pytest.mark.parametrize(
    "wanted",
    [
        {"role": "root"},
        {"role": "depositor", "originator": None},
        {"label": ""},
        {"label": "x" * 201},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"rate_per_minute": 0},
        {"rate_per_minute": 2**31},
    ],
    ids=str,
)
def test_what_is_no_key_is_not_made(world: World, wanted: dict[str, object]) -> None:
    """An unknown role or scope, a key of nobody, one that ended before it began."""
    given: dict[str, object] = {"label": "x", "role": "auditor", "originator": ORG, "actor": OPERATOR, **wanted}
    with pytest.raises(UsageError):
        world.archive.create_key(**given)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        world.archive.create_key(**{**given, "expires": world.clock.now(), "role": "auditor"})  # type: ignore[arg-type]
    assert world.archive.keys() == []


def test_an_administrator_has_the_keys_of_one_organisation(world: World) -> None:
    """Makes, replaces and revokes them; no operator's, nobody else's; and no more than once each."""
    archive = world.archive
    theirs, _ = archive.create_key(label="x", role="auditor", originator=OTHER, actor=OPERATOR)
    boss, _ = archive.create_key(label="x", role="operator", originator=ORG, actor=OPERATOR)
    mine, _ = archive.create_key(label="x", role="auditor", originator=ORG, actor=ADMINISTRATOR)
    for role, whose in (("operator", ORG), ("auditor", OTHER), ("auditor", None)):
        with pytest.raises(NotPermittedError):
            archive.create_key(label="x", role=role, originator=whose, actor=ADMINISTRATOR)
    for change in (archive.revoke_key, archive.rotate_key):
        with pytest.raises(NotFoundError):
            change(theirs.key_id, actor=ADMINISTRATOR)
        with pytest.raises(NotPermittedError):
            change(boss.key_id, actor=ADMINISTRATOR)
        with pytest.raises(NotPermittedError):
            change(mine.key_id, actor=Actor("d", "depositor", ORG))
    assert {row.key_id for row in archive.keys(actor=ADMINISTRATOR)} == {boss.key_id, mine.key_id}
    assert archive.revoke_key(mine.key_id, actor=ADMINISTRATOR).revoked_at is not None


def test_scopes_narrow_a_key_at_the_door(http: HttpWorld) -> None:
    """An auditor narrowed to reading does not trace; no scope lets a depositor operate."""
    made = {
        scopes: http.archive.create_key(label="x", role="auditor", originator="obec-a", scopes=scopes, actor=OPERATOR)[
            1
        ]
        for scopes in (("read",), ("trace",), tuple(SCOPES))
    }
    poid = http.post(file("a.txt", b"a")).json["poid"]
    object_ = f"/v1/preservation-objects/{poid}"

    def status(scopes: tuple[str, ...], address: str) -> int:
        return http.get(address, {"Authorization": f"Bearer {made[scopes]}"}).status_code

    assert (status(("read",), object_), status(("read",), f"{object_}/trace")) == (200, 403)
    assert (status(("trace",), object_), status(("trace",), f"{object_}/trace")) == (403, 200)
    assert (status(tuple(SCOPES), object_), status(tuple(SCOPES), "/v1/status")) == (200, 403)


def test_a_secret_is_in_one_answer_and_nowhere_else(http: HttpWorld) -> None:
    """Not in a later answer, the catalogue, the trail or a store."""
    who = http.key("administrator")
    made = http.client.post("/v1/keys", json={"label": "spisovka", "role": "depositor"}, headers=who)
    secret = made.json["secret"].encode()
    http.archive.flush_trail()

    assert made.status_code == 201
    assert made.json["organisation"] == "obec-a"
    assert secret.decode() not in http.get("/v1/keys", who).get_data(as_text=True)
    assert secret.decode() not in http.get(made.headers["Location"], who).get_data(as_text=True)
    held = [path for path in http.home.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert held == []
