"""Legal holds from end to end: who may not destroy what, what goes on, and what is known of it afterwards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cli import main
from archive_core.catalogue.rows import TombstoneRow
from archive_core.errors import (
    DestructionBegunError,
    NotUnderLegalHoldError,
    ObjectDestroyedError,
    UnavailableError,
    UnderLegalHoldError,
    UnknownObjectError,
    UsageError,
)
from archive_core.identifiers import tombstone_object
from archive_core.lifecycle import Actor, Status
from tests.world import OPERATOR, World

pytestmark = pytest.mark.slow

COURT, WHY = "12 C 34/2026", "evidence in court"
JANA = Actor("key-jana", "operator", None, {"user": "Jana Nováková"})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two evidenced objects."""
    made = World(tmp_path)
    made.deposit({"a.txt": b"alpha"})
    made.deposit({"b.txt": b"beta"})
    made.preserve()
    yield made
    made.archive.close()


def first(world: World) -> str:
    return min(world.told)


def hold(world: World, *poids: str, name: str | None = COURT) -> None:
    world.archive.place_hold(poids or (first(world),), name=name, reason=WHY, actor=JANA)


def lift(world: World, *poids: str, name: str | None = COURT) -> None:
    world.archive.lift_hold(poids or (first(world),), name=name, reason="the case is closed", actor=JANA)


def destroy(world: World, poid: str | None = None, **options: bool) -> None:
    world.archive.destroy(poid or first(world), reason="disposal 2026/17", actor=OPERATOR, **options)


def unplugged(world: World, name: str) -> Path:
    away = world.store(name).with_name(f"{name}-away")
    world.store(name).rename(away)
    return away


def test_what_is_held_is_not_destroyed_until_the_last_hold_is_lifted(world: World) -> None:
    """Neither tried nor planned; the attempt is an event of the object, and so are placing and lifting, with who and
    why in what can be erased."""
    poid, archive = first(world), world.archive
    hold(world)
    hold(world, name="police/7")
    for options in ({}, {"dry_run": True}):
        with pytest.raises(UnderLegalHoldError) as refused:
            destroy(world, **options)
        assert refused.value.facts == {"poid": poid, "holds": [COURT, "police/7"]}
    lift(world)
    with pytest.raises(UnderLegalHoldError):
        destroy(world)
    lift(world, name="police/7")
    destroy(world)

    assert archive.show(poid, actor=OPERATOR).status is Status.DESTROYED
    events = archive.trace(poid, actor=OPERATOR)
    told = [(one["type"], one["code"]) for one in events if one["type"] in ("legal hold", "refusal")]
    assert told == [
        ("legal hold", "placed"),
        ("legal hold", "placed"),
        ("refusal", "under-legal-hold"),
        ("legal hold", "lifted"),
        ("refusal", "under-legal-hold"),
        ("legal hold", "lifted"),
    ]
    placed = next(one for one in events if one["code"] == "placed")
    assert placed["detail"] == {"user": "Jana Nováková", "hold": COURT, "reason": WHY}
    assert (placed["actor"], placed["seq"] is None) == ("key-jana", False)
    chained = {name: value for name, value in placed.items() if name != "detail"}
    assert not [word for word in (COURT, WHY, "Jana") if word in json.dumps(chained, ensure_ascii=False)]
    world.told.pop(poid)
    world.check()


def test_everything_else_goes_on_under_a_hold(world: World) -> None:
    """Updates, evidence, repair, reading, renewal; what is held next to it is destroyed as ever."""
    poid = first(world)
    hold(world)
    world.update(poid, {"a.txt": b"second"})
    world.preserve()
    damaged = world.files("one", "v1/content/data/a.txt")[0]
    damaged.chmod(0o644)
    damaged.write_bytes(b"broken")
    repaired = world.archive.repair(actor=OPERATOR)
    assert repaired.findings == []
    assert world.read(poid, "a.txt", 1) == b"alpha"
    destroy(world, max(world.told))
    assert world.audit().findings == []
    with pytest.raises(UnderLegalHoldError):
        destroy(world)


def test_a_hold_is_shown_since_when_by_whom_and_why(world: World) -> None:
    """One object tells its name and since when; the list everything; another organisation sees nothing of it."""
    poid, archive = first(world), world.archive
    hold(world)
    (standing,) = archive.legal_holds(actor=OPERATOR)

    assert (standing.poid, standing.name, standing.reason, standing.by) == (poid, COURT, WHY, "key-jana")
    assert standing.who == {"user": "Jana Nováková"}
    (shown,) = archive.show(poid, actor=OPERATOR).to_json()["holds"]  # type: ignore[misc, attr-defined]
    assert shown == {"hold": standing.hold, "name": COURT, "since": shown["since"]}
    assert "holds" not in archive.show(max(world.told), actor=OPERATOR).to_json()
    other = Actor("key-1", "operator", "another")
    assert archive.legal_holds(actor=other) == []
    for refused in (
        lambda: archive.legal_holds([poid], actor=other),
        lambda: archive.place_hold([poid], reason=WHY, actor=other),
        lambda: archive.lift_hold([poid], reason=WHY, actor=other),
    ):
        with pytest.raises(UnknownObjectError):
            refused()


def test_the_same_hold_is_placed_once(world: World) -> None:
    """The second time it is said to be there already, and there is no second event."""
    poid = first(world)
    hold(world)
    again = world.archive.place_hold([poid, poid], name=COURT, reason="other", actor=OPERATOR)

    assert [(one.hold in again.replayed, one.reason) for one in again.holds] == [(True, WHY)]
    assert [one["code"] for one in world.archive.trace(poid, actor=OPERATOR)].count("placed") == 1


def test_objects_that_are_named_together_are_held_together(world: World) -> None:
    """Or none of them: an unknown one, or one that is destroyed, leaves the others as they were."""
    poid, other = first(world), max(world.told)
    with pytest.raises(UnknownObjectError):
        hold(world, poid, "0199b0c27d3e7000800000000000abcd")
    destroy(world, other)
    with pytest.raises(ObjectDestroyedError):
        hold(world, poid, other)
    assert world.archive.legal_holds(actor=OPERATOR) == []


def test_which_hold_is_lifted_is_never_guessed(world: World) -> None:
    """With several, one is named, by its name or its id; one that is not there is refused, and a second time too."""
    poid = first(world)
    with pytest.raises(NotUnderLegalHoldError):
        lift(world, name=None)
    hold(world)
    hold(world, name=None)
    with pytest.raises(UsageError, match="several legal holds"):
        lift(world, name=None)
    with pytest.raises(NotUnderLegalHoldError):
        lift(world, name="12 C 35/2026")
    unnamed = next(one for one in world.archive.legal_holds(actor=OPERATOR) if one.name is None)
    lift(world, name=unnamed.hold)
    lift(world, name=None)
    with pytest.raises(NotUnderLegalHoldError):
        lift(world)
    assert world.archive.legal_holds([poid], actor=OPERATOR) == []


def test_a_hold_needs_a_reason_and_a_name_that_can_be_read(world: World) -> None:
    """Nothing is held by one that says nothing, too much, or cannot be seen as what it is."""
    wrong = [(COURT, why) for why in ("", " \n", "x" * 2001)]
    wrong += [(name, WHY) for name in ("", " x", "x ", "x" * 201, "a\nb", "a\u202eb")]
    for name, reason in wrong:
        with pytest.raises(UsageError):
            world.archive.place_hold([first(world)], name=name, reason=reason, actor=OPERATOR)
    assert world.archive.legal_holds(actor=OPERATOR) == []


# -- durable --------------------------------------------------------------------------------------


def test_a_rebuilt_catalogue_knows_the_holds(world: World) -> None:
    """From each store alone, with name and reason; what was lifted is not held, and what is held is not destroyed."""
    poid, other = first(world), max(world.told)
    hold(world, poid, other)
    hold(world, name="police/7")
    lift(world, other)
    expected = world.archive.legal_holds(actor=OPERATOR)
    assert [one.poid for one in expected] == [poid, poid]
    for store in ("one", "two"):
        archive, report = world.rebuilt(store)
        assert report.findings == ()
        assert archive.legal_holds(actor=OPERATOR) == expected
        with pytest.raises(UnderLegalHoldError):
            archive.destroy(poid, reason="x", actor=OPERATOR)
        archive.close()


def test_what_the_stores_do_not_take_is_not_acknowledged(world: World) -> None:
    """A hold counts at once all the same, a lift does not; asked for again, each is there once."""
    poid = first(world)
    away = unplugged(world, "two")
    with pytest.raises(UnavailableError):
        hold(world)
    assert [one.poid for one in world.archive.legal_holds(actor=OPERATOR)] == [poid]
    away.rename(world.store("two"))
    hold(world)
    unplugged(world, "two")
    with pytest.raises(UnavailableError):
        lift(world)
    (standing,) = world.archive.legal_holds(actor=OPERATOR)
    assert standing.lifting
    away.rename(world.store("two"))
    with pytest.raises(UnderLegalHoldError):
        world.archive._destruction.plan(poid, reason="x", keep_digests=True, originator=None)
    lift(world)
    assert world.archive.legal_holds(actor=OPERATOR) == []
    codes = [one["code"] for one in world.archive.trace(poid, actor=OPERATOR)]
    assert (codes.count("placed"), codes.count("lifted")) == (1, 1)


def test_a_process_that_dies_after_recording_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the trail was written: the next process puts it there, and the hold is in every store."""

    def dies(**_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(world.archive._sequencer, "flush", dies)
    with pytest.raises(KeyboardInterrupt):
        hold(world)
    monkeypatch.undo()
    world.restart()
    world.archive.flush_trail()
    for store in ("one", "two"):
        archive, _ = world.rebuilt(store)
        assert [one.name for one in archive.legal_holds(actor=OPERATOR)] == [COURT]
        archive.close()


def test_an_older_catalogue_learns_of_the_hold_from_the_stores(world: World, tmp_path: Path) -> None:
    """A copy from before is put back: once it is put right by the stores, what was held since is held, and what was
    lifted since is not."""
    poid, other = first(world), max(world.told)
    hold(world, other)
    world.archive.close()
    shutil.copy(world.home / "catalogue.sqlite3", tmp_path / "backup")
    world.archive = world.open()
    hold(world)
    lift(world, other)
    expected = world.archive.legal_holds(actor=OPERATOR)
    world.archive.close()
    for ending in ("-wal", "-shm"):
        (world.home / f"catalogue.sqlite3{ending}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup", world.home / "catalogue.sqlite3")
    world.archive = world.open()
    assert [one.poid for one in world.archive.legal_holds(actor=OPERATOR)] == [other]
    assert world.archive.audit(actor=OPERATOR, reconcile=True).findings == []
    assert world.archive.legal_holds(actor=OPERATOR) == expected
    with pytest.raises(UnderLegalHoldError):
        destroy(world, poid)
    destroy(world, other)


# -- beside destruction ---------------------------------------------------------------------------


def test_a_destruction_that_was_begun_cannot_be_held(world: World) -> None:
    """A store is away after the tombstone came to the other: refused for that reason; finished first, it is gone."""
    poid = first(world)
    away = unplugged(world, "two")
    with pytest.raises(UnavailableError):
        destroy(world)
    with pytest.raises(DestructionBegunError):
        hold(world)
    assert world.archive.legal_holds(actor=OPERATOR) == []
    away.rename(world.store("two"))
    with pytest.raises(ObjectDestroyedError):
        hold(world)
    assert world.archive.show(poid, actor=OPERATOR).status is Status.DESTROYED


def test_a_destruction_that_came_to_no_store_is_taken_back_for_the_hold(world: World) -> None:
    """What was only noted is withdrawn, and the object is held."""
    poid, catalogue = first(world), world.archive.catalogue
    catalogue.begin_destruction(
        TombstoneRow(poid=poid, storage_object=tombstone_object(poid), asked_at=world.clock.now())
    )
    hold(world)
    assert catalogue.destructions_under_way() == []
    assert [one.poid for one in world.archive.legal_holds(actor=OPERATOR)] == [poid]


# -- on the command line --------------------------------------------------------------------------


def test_the_command_holds_lists_and_releases(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON and in words; a mistake in the words is 2, what is held is 12."""
    poid = first(world)

    def said(*words: str) -> tuple[int, dict[str, object]]:
        code = main(["--home", str(world.home), "--json", *words])
        return code, json.loads(capsys.readouterr().out or "{}")

    code, placed = said("hold", poid, "--name", COURT, "--reason", WHY)
    (one,) = placed["holds"]  # type: ignore[misc]
    assert (code, one["poid"], one["replayed"], placed["owed"], placed["released"]) == (0, poid, False, [], False)
    code, listed = said("hold", "--list")
    assert (code, [(held["name"], held["reason"], held["by"]) for held in listed["holds"]]) == (
        0,
        [(COURT, WHY, "cli")],
    )  # type: ignore[attr-defined]
    assert said("hold", "--list", "--name", "other")[1] == {"holds": []}
    assert said("show", poid)[1]["holds"] == [{"hold": one["hold"], "name": COURT, "since": one["since"]}]
    assert said("destroy", poid, "--reason", "x", "--yes")[0] == 12
    for wrong in (["hold", poid], ["hold", "--reason", "x"], ["hold"], ["hold", "--list", "--release"]):
        assert said(*wrong)[0] == 2, wrong
    assert main(["--home", str(world.home), "hold", "--list"]) == 0
    assert COURT in capsys.readouterr().out
    code, released = said("hold", "--release", poid, "--reason", "closed")
    assert (code, released["released"]) == (0, True)
    assert said("hold", "--release", poid, "--reason", "closed")[0] == 12
    assert main(["--home", str(world.home), "hold", "--list"]) == 0
    assert capsys.readouterr().out.strip() == "Nothing is under a legal hold."
    assert said("destroy", poid, "--reason", "x", "--yes")[0] == 0
