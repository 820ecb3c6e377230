"""Snapshots of trusted lists in the stores: what a profile that demands qualified time-stamps rests on, now and later.

The union is one of tests: a list of lists, two national ones, and a time-stamp service that was granted and then
withdrawn. Lists and tokens are real; only the web is a dictionary.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from api.cli import main
from api.home import default_settings
from api.settings import parse_settings
from archive_core.digests import Digest
from archive_core.errors import (
    FixityError,
    MalformedDocumentError,
    SettingsError,
    StoreUnavailableError,
    UnavailableError,
    UnknownObjectError,
)
from archive_core.lifecycle import Status
from archive_core.list_snapshots import Snapshot
from archive_core.ports import TimestampToken, ValidationData
from policies.profiles import PreservationProfile, profile_by_id
from signing.http_fetch import Allowed
from signing.trusted_lists.keeping import ConfiguredLists, Places
from tests.unit.signing import forge
from tests.unit.signing.forge import Recipe
from tests.unit.signing.trusted_lists.list_world import GRANTED, WITHDRAWN, Listed, State, Union
from tests.world import OPERATOR, SteppingClock, World

LOTL = "https://lists.example/eu-lotl.xml"
CZECH = "https://tl.example/CZ.xml"
BEGAN = datetime(2025, 12, 1, tzinfo=UTC)
LATER = WITHDRAWN + timedelta(days=30)
DEMANDS = "demands-qualified-1"


class Web:
    """What lies at which address."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}

    def __call__(self, url: str, request: bytes | None) -> bytes:
        if url not in self.pages:
            raise UnavailableError(f"{url} does not answer")
        return self.pages[url]

    def publish(self, union: Union, issued: datetime, *, withdrawn: bool) -> None:
        """The lists as they are from a day on."""
        states = [State("granted", GRANTED)]
        if withdrawn:
            states.insert(0, State("withdrawn", WITHDRAWN))
        until = issued + timedelta(days=180)
        czech = union.national().but(services=[Listed(union.root, "TSA/QTST", states, "Stamps of the nation")])
        recipes = {CZECH: czech, LOTL: union.lists(), "https://tl.example/EE.xml": union.other_national()}
        for address, recipe in recipes.items():
            if address != CZECH and withdrawn and address in self.pages:
                continue  # only the nation's own list changes
            number = recipe.sequence + issued.year * 12 + issued.month
            self.pages[address] = recipe.but(issued=issued, next_update=until, sequence=number).octets()


class Unit:
    """A time-stamp authority that is the union's unit."""

    test_trust = False

    def __init__(self, union: Union, clock: SteppingClock, name: str) -> None:
        self.name, self._union, self._clock = name, union, clock
        self.asked = 0

    def timestamp(self, imprint: Digest) -> TimestampToken:
        self.asked += 1
        at = self._clock.now().replace(microsecond=0)
        crl = forge.crl(self._union.root, issued_at=at)
        token = Recipe(self._union.unit, imprint=imprint, gen_time=at, crls=(crl,)).token()
        return TimestampToken(token, imprint, at, self.name, test_trust=False)

    def validation_data(self, token: bytes) -> ValidationData:
        return ValidationData()


@pytest.fixture(scope="module")
def union() -> Union:
    return Union.made()


@pytest.fixture
def web(union: Union) -> Web:
    web = Web()
    web.publish(union, BEGAN - timedelta(days=10), withdrawn=False)
    return web


def source(union: Union, web: Web) -> ConfiguredLists:
    places = Places(addresses=(LOTL,), signers=(union.commission.der,))
    return ConfiguredLists(places, fetch=web, allowed=Allowed(["https://lists.example/", "https://tl.example/"]))


@pytest.fixture
def world(tmp_path: Path, union: Union, web: Web) -> Iterator[World]:
    world = World(tmp_path, start=BEGAN)
    (world.home / "union.pem").write_bytes(union.root.certificate.public_bytes(Encoding.PEM))
    world.settings = replace(world.settings, anchors=("union.pem",))
    world.restart()
    prepare(world, union, web)
    yield world
    world.archive.close()


def prepare(world: World, union: Union, web: Web) -> Unit:
    """The open archive gets the lists' places, the union's unit, and a profile that demands it."""
    archive = world.archive
    archive.lists.source = source(union, web)
    unit = Unit(union, world.clock, "local-tsa-1")
    assert isinstance(archive.authorities, dict)
    archive.authorities["local-tsa-1"] = unit
    assert isinstance(archive._trust_classes, dict)
    archive._trust_classes["local-tsa-1"] = "qualified"
    archive.published._profiles[DEMANDS] = demanding()
    archive.published.publish(archive.copies)
    return unit


def demanding(**more: str) -> PreservationProfile:
    text = profile_by_id("basic-1").source.decode()
    text = text.replace('id = "basic-1"', f'id = "{DEMANDS}"', 1).replace("2026-01-01", "2025-01-01")
    text = text.replace('trust_class_required = "test"', 'trust_class_required = "qualified"')
    for key, value in more.items():
        text = text.replace("\n[title]", f"\n{key} = {value}\n\n[title]", 1)
    return PreservationProfile.load(text.encode())


# -- taking ---------------------------------------------------------------------------------------------


def test_a_snapshot_is_on_every_store_and_in_the_trail(world: World) -> None:
    """All accepted lists by name; what did not change is not taken again."""
    snapshot, findings = world.archive.lists.refresh(actor=OPERATOR)
    again, _ = world.archive.lists.refresh(actor=OPERATOR)

    assert findings == ()
    assert ([one.territory for one in snapshot.lists], snapshot.number) == (["CZ", "EE", "EU"], 1)
    assert again == snapshot == world.archive.lists.newest()
    assert [len(world.files(store, "lists.json")) for store in ("one", "two")] == [1, 1]
    (event,) = [one for one in world.archive.catalogue.pending_events(20) if one.code == "trusted-lists"]
    assert (event.subject or "").startswith("tl0000000001:")
    assert world.audit().findings == []


def test_only_what_changed_is_kept_again(world: World, union: Union, web: Web) -> None:
    """A snapshot of the next month holds the list of one nation, and names the others where they lie."""
    world.archive.lists.refresh(actor=OPERATOR)
    web.publish(union, LATER, withdrawn=True)
    world.clock.advance(days=60)
    second, _ = world.archive.lists.refresh(actor=OPERATOR)

    assert second.number == 2
    assert sorted(second.held_by.values()) == [1, 1, 2]
    assert set(world.archive.lists.octets(second)) == {one.sha256 for one in second.lists}
    files = world.archive.lists.files(world.home / "trusted-lists")
    assert {path.stem for path in files} == {one.sha256 for one in second.lists}
    assert world.audit().findings == []
    rebuilt, report = world.rebuilt("two")
    try:
        assert report.findings == ()
        assert rebuilt.lists.newest() == second
        assert rebuilt.lists.snapshot(1).number == 1
    finally:
        rebuilt.close()


def test_a_list_by_somebody_else_is_not_taken(world: World, union: Union, web: Web) -> None:
    """It is told, and the others are taken; a list of lists by somebody else leaves nothing."""
    web.pages["https://tl.example/EE.xml"] = union.other_national().but(signer=union.czech).octets()
    snapshot, findings = world.archive.lists.refresh(actor=OPERATOR)
    assert [one.territory for one in snapshot.lists] == ["CZ", "EU"]
    assert any("EE" in finding.message for finding in findings)
    assert any("cannot all be had" in one for one in world.archive.lists.warnings())
    web.pages[LOTL] = union.lists(signer=union.czech).octets()
    with pytest.raises(UnavailableError, match="no trusted list can be had"):
        world.archive.lists.refresh(actor=OPERATOR)
    assert world.archive.lists.newest() == snapshot


def test_a_web_that_is_away_is_told_and_the_last_snapshot_counts(world: World, web: Web) -> None:
    """It is looked for again after half an hour, otherwise after a day."""
    lists = world.archive.lists
    assert lists.is_due()
    lists.refresh(actor=OPERATOR)
    assert not lists.is_due()
    world.clock.advance(days=1, minutes=1)
    assert lists.is_due()
    pages, web.pages = web.pages, {}
    with pytest.raises(UnavailableError):
        lists.refresh(actor=OPERATOR)
    assert not lists.is_due()
    assert any("does not answer" in one for one in lists.warnings())
    world.clock.advance(minutes=31)
    assert lists.is_due()
    web.pages = pages
    lists.refresh(actor=OPERATOR)
    assert lists.warnings() == []
    world.clock.advance(days=365)
    assert len([one for one in lists.warnings() if "is stale since" in one]) == 3


def test_nothing_configured_is_said(world: World) -> None:
    """Neither silence nor an empty snapshot; nothing is due and nothing warns."""
    world.archive.lists.source = None
    with pytest.raises(SettingsError, match="no trusted lists are configured"):
        world.archive.lists.refresh(actor=OPERATOR)
    with pytest.raises(SettingsError, match="no trusted lists were taken"):
        world.archive.lists.timestamp(b"", at=BEGAN)
    with pytest.raises(UnknownObjectError):
        world.archive.lists.snapshot(7)
    assert (world.archive.lists.is_due(), world.archive.lists.warnings()) == (False, [])


def test_a_round_that_was_interrupted_is_taken_up(
    world: World, union: Union, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when the first store had it: the next round spreads and enters it, and makes no second one."""
    with monkeypatch.context() as broken:
        broken.setattr(type(world.archive.copies.roots[1]), "write_versions", _first_only(world))
        with pytest.raises(StoreUnavailableError):
            world.archive.lists.refresh(actor=OPERATOR)
    world.restart()
    prepare(world, union, web)
    snapshot, _ = world.archive.lists.refresh(actor=OPERATOR)

    assert snapshot.number == 1
    assert [len(world.files(store, "lists.json")) for store in ("one", "two")] == [1, 1]
    assert world.audit().findings == []


def _first_only(world: World) -> object:
    real = type(world.archive.copies.roots[0]).write_versions
    first = world.archive.copies.roots[0]

    def write(root: object, packages: object) -> object:
        if root is not first:
            raise StoreUnavailableError("the test pulled the cable")
        return real(root, packages)  # type: ignore[arg-type]

    return write


def test_a_damaged_list_is_read_from_the_other_copy(world: World) -> None:
    """Named by audit, healed by repair; where no copy is good, that is an error and no answer."""
    snapshot, _ = world.archive.lists.refresh(actor=OPERATOR)
    for store, good in (("one", True), ("two", False)):
        for path in world.files(store, ".xml"):
            path.chmod(0o600)
            path.write_bytes(path.read_bytes().replace(b"granted", b"grantEd"))
        if good:
            assert len(world.archive.lists.octets(snapshot)) == 3
            assert world.audit().findings
    with pytest.raises(FixityError):
        world.archive.lists.octets(snapshot)


@pytest.mark.parametrize("edit", [(b'"number":1', b'"number":0'), (b'"lists":[', b'"lists":[7,'), (b"", b"x")])
def test_a_snapshot_that_is_none_is_refused(world: World, edit: tuple[bytes, bytes]) -> None:
    """Whatever was changed in its document."""
    snapshot, _ = world.archive.lists.refresh(actor=OPERATOR)
    octets = snapshot.to_bytes()
    assert Snapshot.parse(octets) == snapshot
    with pytest.raises(MalformedDocumentError):
        Snapshot.parse(octets.replace(*edit, 1))


# -- demanding ------------------------------------------------------------------------------------------


def test_a_qualified_time_stamp_is_kept_with_what_the_lists_said(world: World) -> None:
    """Before the withdrawal: the batch holds the answer, the list's digest and the snapshot's number."""
    world.archive.lists.refresh(actor=OPERATOR)
    made = world.deposit({"a": b"a"}, profile=DEMANDS)
    world.preserve()
    (path,) = world.files("one", "qualified.json")
    kept = json.loads(path.read_bytes())

    assert world.archive.show(made.poid, actor=OPERATOR).status is Status.EVIDENCED
    assert (kept["qualification"], kept["territory"], kept["snapshot"]) == ("QTSA", "CZ", 1)
    assert kept["list_sha256"] in {one.sha256 for one in world.archive.lists.snapshot(1).lists}
    assert world.audit().findings == []


def test_after_the_withdrawal_nothing_less_is_taken(world: World, union: Union, web: Web) -> None:
    """The authority answers as before; the document waits, and the reason is told. No other profile minds."""
    web.publish(union, LATER, withdrawn=True)
    world.clock.advance(days=70)
    world.archive.lists.refresh(actor=OPERATOR)
    made = world.deposit({"a": b"a"}, profile=DEMANDS)
    (view,) = world.archive.preserve(actor=OPERATOR)

    assert "demands qualified ones, this is none" in (view.error or "")
    assert "withdrawn" in (view.error or "")
    assert world.archive.show(made.poid, actor=OPERATOR).status is Status.REPLICATED
    assert world.files("one", "token.tst") == []


def test_a_stale_list_decides_nothing_and_the_time_stamp_waits(world: World, union: Union, web: Web) -> None:
    """It is kept and judged again when there is a newer list: the authority is paid once."""
    world.archive.lists.refresh(actor=OPERATOR)
    unit = world.archive.authorities["local-tsa-1"]
    assert isinstance(unit, Unit)
    world.clock.advance(days=200)
    made = world.deposit({"a": b"a"}, profile=DEMANDS)
    (view,) = world.archive.preserve(actor=OPERATOR)
    assert "is stale" in (view.error or "")
    assert unit.asked == 1
    web.pages.clear()
    web.publish(union, BEGAN + timedelta(days=199), withdrawn=False)
    world.archive.lists.refresh(actor=OPERATOR)
    world.preserve()

    assert world.archive.show(made.poid, actor=OPERATOR).status is Status.EVIDENCED
    assert unit.asked == 1


def test_without_lists_nothing_is_qualified(world: World) -> None:
    """A profile that demands it gets no evidence, with the setting to change."""
    world.deposit({"a": b"a"}, profile=DEMANDS)
    (view,) = world.archive.preserve(actor=OPERATOR)

    assert "no trusted lists were taken" in (view.error or "")


def test_a_profile_that_demands_qualified_seals_refuses_others(world: World) -> None:
    """Ours is the home's own test key: no batch is formed, and the reason is told."""
    world.archive.published._profiles[DEMANDS] = demanding(qualified_seal="true")
    world.archive.lists.refresh(actor=OPERATOR)
    made = world.deposit({"a": b"a"}, profile=DEMANDS)
    (view,) = world.archive.preserve(actor=OPERATOR)

    assert "demands qualified seals, and the seal key makes none: not listed" in (view.error or "")
    assert world.archive.show(made.poid, actor=OPERATOR).status is Status.REPLICATED
    assert world.files("one", "statement.json") == []


def test_the_same_answers_ten_years_later_from_one_store_alone(world: World, union: Union, web: Web) -> None:
    """Offline, over a rebuilt catalogue: qualified before the withdrawal and not after it, as it was said then; asked
    as of today the old lists say nothing, because they are stale."""
    lists = world.archive.lists
    lists.refresh(actor=OPERATOR)
    before, digest = world.clock.now(), Digest.of("sha512", b"x")
    early = world.archive.authorities["local-tsa-1"].timestamp(digest).der
    web.publish(union, LATER, withdrawn=True)
    world.clock.advance(days=70)
    lists.refresh(actor=OPERATOR)
    after = world.clock.now()
    late = world.archive.authorities["local-tsa-1"].timestamp(digest).der
    asked = [(early, before, 1), (late, after, 2), (early, after, 2)]
    said = [lists.timestamp(token, at=at, number=number) for token, at, number in asked]
    assert [answer.qualified for answer in said] == [True, False, True]

    world.clock.advance(days=3650)
    web.pages.clear()
    rebuilt, report = world.rebuilt("two")
    try:
        rebuilt.lists.source = None
        assert report.findings == ()
        assert [rebuilt.lists.timestamp(token, at=at, number=number) for token, at, number in asked] == said
        assert rebuilt.lists.timestamp(early, at=world.clock.now(), number=1).qualified is None
    finally:
        rebuilt.close()


def test_the_command_line_takes_and_shows_lists_from_files(
    tmp_path: Path, union: Union, capsys: pytest.CaptureFixture[str]
) -> None:
    """Configured in the settings, signed by whom these name; nothing is fetched, and a deposit is examined by them."""
    home = ["--home", str(tmp_path / "home"), "--json"]

    def run(*words: str) -> tuple[int, dict[str, object]]:
        code = main([*home, *words])
        return code, json.loads(capsys.readouterr().out)

    assert run("init")[0] == 0
    assert run("lists", "show") == (0, {"snapshot": None})
    assert run("lists", "refresh")[0] == 78
    for name, recipe in (("eu", union.lists()), ("cz", union.national()), ("ee", union.other_national())):
        (tmp_path / "home" / f"{name}.xml").write_bytes(recipe.octets())
    (tmp_path / "home" / "eu.pem").write_bytes(union.commission.certificate.public_bytes(Encoding.PEM))
    settings = tmp_path / "home" / "trusted-archive.toml"
    lists = '\n[trusted_lists]\nfiles = ["eu.xml", "cz.xml", "ee.xml"]\nsigners = ["eu.pem"]\n'
    settings.write_text(settings.read_text() + lists)
    code, answer = run("lists", "refresh")
    snapshot = answer["snapshot"]
    assert isinstance(snapshot, dict)
    assert (code, snapshot["number"], answer["findings"]) == (0, 1, [])
    assert {one["territory"] for one in snapshot["lists"]} == {"EU", "CZ", "EE"}
    assert run("lists", "show", "--snapshot", "1")[1]["snapshot"] == run("lists", "show")[1]["snapshot"]
    assert run("lists", "show", "--snapshot", "2")[0] == 11
    (tmp_path / "home" / "cz.xml").write_bytes(union.national().octets().replace(b"granted", b"grantEd"))
    code, answer = run("lists", "refresh")
    assert (code, len(answer["findings"])) == (1, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('addresses = ["https://lists.example/x.xml"]', "signers"),
        ('addresses = ["ftp://lists.example/x.xml"]\nsigners = ["a.pem"]', "http"),
        ("hours = 0", "hours"),
        ("days = 1", "days"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, lines: str, said: str) -> None:
    """With the key to change."""
    text = default_settings("x", "sqlite:///c.sqlite3")
    with pytest.raises(SettingsError, match=said):
        parse_settings(f"{text}\n[trusted_lists]\n{lines}\n", tmp_path)
