"""What could not be decided at the deposit is examined again, until it is: a version with validation data.

The examiner is the stand-in of `test_examined_deposits.py`: what waits, who goes on, and what is written is under test.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from archive_core.errors import LeaseHeldError, StoreUnavailableError
from archive_core.examining_later import Patience
from archive_core.findings import Verdict
from archive_core.lifecycle import Status
from tests.integration.test_examined_deposits import RECORDED, SET_ASIDE, StandIn, events, examiner, roles
from tests.world import OPERATOR, World

__all__ = ["examiner"]


@pytest.fixture
def world(tmp_path: Path, examiner: StandIn) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.archive.close()


def again(world: World) -> list[dict[str, object]]:
    return [one.to_json() for one in world.archive.signatures.examine_again(actor=OPERATOR)]


def test_what_decides_later_becomes_a_version_under_evidence(world: World, examiner: StandIn) -> None:
    """The same documents, the earlier report and the new one, both lists; proven with the next batch and everywhere."""
    told = world.deposit({"a.p7s": b"late a", "b.txt": b"words"}, profile=RECORDED)
    world.preserve()
    first = world.archive.show(told.poid, actor=OPERATOR)
    examiner.becomes = Verdict.PASSED
    world.clock.advance(hours=1)
    (view,) = again(world)
    shown = world.archive.show(told.poid, actor=OPERATOR)

    assert (view["version"], view["outcome"], view["error"]) == (2, "accept", None)
    assert (shown.kind, shown.version, shown.versions) == ("validation-data", 2, (1, 2))
    assert (shown.size, shown.file_count, shown.examine_later) == (first.size, 2, False)
    assert {"examination/1/report.json", "examination/2/report.json"} <= set(roles(world, told.poid))
    assert list(roles(world, told.poid).values()).count("validation-data") == 2
    report = world.archive.signatures.report(told.poid, actor=OPERATOR)
    assert (report["version"], report["files"][0]["verdict"], report["later"]) == (2, "PASSED", False)
    assert world.archive.signatures.report(told.poid, 1, actor=OPERATOR)["files"][0]["verdict"] == "INDETERMINATE"
    existed, material = examiner.known[-1]
    assert existed == first.proof_of_existence
    assert material is not None
    assert material.crls == (b"a list",)
    assert again(world) == []
    assert world.read(told.poid, "a.p7s", 2) == b"late a"
    world.preserve()
    assert world.archive.verify(told.poid, 2, actor=OPERATOR).verdict is Verdict.PASSED
    assert world.audit().findings == []
    world.check()
    rebuilt, report_of = world.rebuilt("two")
    try:
        assert report_of.findings == ()
        assert rebuilt.show(told.poid, actor=OPERATOR) == world.archive.show(told.poid, actor=OPERATOR)
        assert rebuilt.catalogue.to_examine_again(world.clock.now()) == []
    finally:
        rebuilt.close()


def test_while_it_is_undecided_nothing_is_written(world: World) -> None:
    """The next try comes later each time, a day at most; a rebuilt catalogue tries at once."""
    told = world.deposit({"a": b"late"}, profile=RECORDED)
    waited = []
    for _ in range(9):
        (view,) = again(world)
        assert (view["version"], view["error"]) == (None, "what decides was not issued yet")
        row = world.archive.catalogue.later_examination(told.poid)
        assert row is not None
        waited.append(row.next_try - world.clock.now())
        assert again(world) == []
        world.clock.advance(days=1)

    assert [round(one.total_seconds() / 60) for one in waited] == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]
    assert world.archive.show(told.poid, actor=OPERATOR).versions == (1,)
    rebuilt, _ = world.rebuilt("one")
    try:
        assert [row.poid for row in rebuilt.catalogue.to_examine_again(world.clock.now())] == [told.poid]
    finally:
        rebuilt.close()


def test_what_stays_undecided_is_an_alarm(world: World, examiner: StandIn) -> None:
    """With what is in the way; gone when it is decided."""

    def alarms() -> list[str]:
        warnings = world.archive.status(actor=OPERATOR)["warnings"]
        assert isinstance(warnings, list)
        return [one for one in warnings if "undecided" in one]

    world.deposit({"a": b"late"}, profile=RECORDED)
    again(world)
    assert alarms() == []
    world.clock.advance(hours=49)
    assert len(alarms()) == 1
    assert "was not issued yet" in alarms()[0]
    examiner.becomes = Verdict.FAILED
    again(world)
    assert alarms() == []


def test_an_examiner_that_is_away_is_asked_again(world: World, examiner: StandIn) -> None:
    """It is a try in vain, with its reason; nothing is lost and nothing decided."""
    told = world.deposit({"a": b"late"}, profile=RECORDED)
    examiner.away = True
    (view,) = again(world)
    assert str(view["error"]).startswith("examination-unavailable")
    examiner.away, examiner.becomes = False, Verdict.PASSED
    world.clock.advance(hours=1)
    assert [one["version"] for one in again(world)] == [2]
    assert events(world, told.poid)[-1] == "digital signature validation: accept"


@pytest.mark.parametrize("step", ["stores", "catalogue"])
def test_a_round_that_was_interrupted_is_finished_with_the_same_bytes(
    world: World, examiner: StandIn, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Killed before a store has it, or before the catalogue has it: one version, with what was found first."""
    told = world.deposit({"a": b"late"}, profile=RECORDED)
    examiner.becomes = Verdict.PASSED
    asked = examiner.asked
    with monkeypatch.context() as broken:
        if step == "stores":
            broken.setattr(world.archive.copies, "start", _killed)
        else:
            broken.setattr(world.archive.catalogue, "enter_versions", _killed)
        with pytest.raises(KeyboardInterrupt):
            again(world)
    world.restart()
    world.clock.advance(minutes=20)
    assert [one["version"] for one in again(world)] == [2]

    number = asked + 1
    assert (
        world.archive.signatures.document_report(told.poid, "a", 2, xml=True, actor=OPERATOR) == b"<r>%d</r>" % number
    )
    world.preserve()
    world.check()
    assert world.audit().findings == []


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_stores_that_are_away_lose_nothing(world: World, examiner: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again, and the claim that was taken is used."""
    world.deposit({"a": b"late"}, profile=RECORDED)
    examiner.becomes = Verdict.PASSED
    with monkeypatch.context() as broken:
        root = world.archive.copies.roots[1]
        broken.setattr(type(root), "write_versions", _away)
        (view,) = again(world)
        assert str(view["error"]).startswith("store-unavailable")
    world.clock.advance(hours=1)
    assert [one["version"] for one in again(world)] == [2]
    world.preserve()
    world.check()


def _away(*_: object) -> None:
    raise StoreUnavailableError("the test pulled the cable")


def test_one_process_at_a_time_examines_again(world: World, examiner: StandIn) -> None:
    """The other one is told so, and nobody makes a second version."""
    world.deposit({"a": b"late"}, profile=RECORDED)
    examiner.becomes = Verdict.PASSED
    other = world.open()
    try:
        with world.archive.signatures._later._holder.hold("examine later"), pytest.raises(LeaseHeldError):
            other.signatures.examine_again(actor=OPERATOR)
    finally:
        other.close()
    assert [one["version"] for one in again(world)] == [2]


@pytest.mark.parametrize(
    ("becomes", "status", "held"),
    [(Verdict.PASSED, Status.REPLICATED, 0), (Verdict.FAILED, Status.QUARANTINED, 1)],
)
def test_what_appears_later_decides_about_quarantine(
    world: World, examiner: StandIn, becomes: Verdict, status: Status, held: int
) -> None:
    """What is found good waits for nobody, in no version; what is found broken stays set aside, once."""
    told = world.deposit({"a": b"late"}, profile=SET_ASIDE)
    assert told.status is Status.QUARANTINED
    examiner.becomes = becomes
    again(world)

    assert world.archive.show(told.poid, actor=OPERATOR).status is status
    assert world.archive.show(told.poid, 1, actor=OPERATOR).status is status
    assert [one.version for one in world.archive.signatures.quarantined(actor=OPERATOR)] == [2] * held


def test_a_release_stays_when_what_appears_later_is_bad(world: World, examiner: StandIn) -> None:
    """Somebody who knew better decided; the new report says what was found."""
    told = world.deposit({"a": b"late"}, profile=SET_ASIDE)
    world.archive.signatures.release(told.poid, None, reason="seen", actor=OPERATOR)
    examiner.becomes = Verdict.FAILED
    again(world)

    assert world.archive.show(told.poid, 2, actor=OPERATOR).status is Status.REPLICATED
    assert world.archive.signatures.report(told.poid, actor=OPERATOR)["files"][0]["verdict"] == "FAILED"


def test_new_content_ends_the_waiting_for_the_old(world: World, examiner: StandIn) -> None:
    """An update has its own examination."""
    told = world.deposit({"a": b"late"}, profile=RECORDED)
    world.update(told.poid, {"a": b"good"})
    examiner.becomes = Verdict.PASSED

    assert again(world) == []
    assert world.archive.show(told.poid, actor=OPERATOR).versions == (1, 2)


def test_what_was_destroyed_waits_for_nothing(world: World) -> None:
    """Nor does it warn."""
    told = world.deposit({"a": b"late"}, profile=RECORDED)
    world.preserve()
    world.archive.destroy(told.poid, reason="disposal", actor=OPERATOR)

    assert again(world) == []
    assert world.archive.catalogue.count_to_examine_again() == (0, None)


def test_preserve_looks_at_what_waits_first(world: World, examiner: StandIn) -> None:
    """So that a home without a server is served, too, and the version gets into the batch."""
    told = world.deposit({"a": b"late"}, profile=RECORDED)
    examiner.becomes = Verdict.PASSED
    world.preserve()

    assert world.archive.show(told.poid, actor=OPERATOR).status is Status.EVIDENCED
    assert world.archive.show(told.poid, actor=OPERATOR).version == 2


def test_patience_is_bounded() -> None:
    """However often it was tried."""
    patience = Patience(first=timedelta(minutes=1))

    assert [patience.after(tries) for tries in (1, 2, 11)] == [timedelta(minutes=n) for n in (1, 2, 1024)]
    assert patience.after(10**9) == timedelta(days=1)
