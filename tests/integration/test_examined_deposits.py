"""Deposits whose profile asks what is signed in them: taken in with what was found, set aside, or refused.

Who examines is a stand-in here, who finds what the first words of a file say: what becomes of findings is under test.
`test_examined_for_real.py` has the real one.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from api.offline.cli import main as verify_offline
from archive_core.errors import (
    ExaminationUnavailableError,
    IdempotencyConflictError,
    InQuarantineError,
    NotInQuarantineError,
    ObjectDestroyedError,
    SettingsError,
    SignaturesNotAcceptedError,
    UnknownObjectError,
    UsageError,
)
from archive_core.findings import Verdict
from archive_core.lifecycle import Acknowledgement, Actor, Status
from archive_core.ports import FileExamination, ValidationData
from policies.examination import ExaminationPolicy
from tests.world import OPERATOR, World

READER = Actor("a-reader", "auditor", "default")
RECORDED, SET_ASIDE, REQUIRED = "signed-recorded-1", "signed-quarantined-1", "signed-required-1"

_VERDICTS = {
    b"good": Verdict.PASSED,
    b"brok": Verdict.FAILED,
    b"open": Verdict.INDETERMINATE,
    b"late": Verdict.INDETERMINATE,
}


class StandIn:
    """Finds what a file's first four letters say; every report is another one, as real reports are."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False
        self.becomes: Verdict | None = None
        """What is found of those that wait, once what decides was issued."""
        self.known: list[tuple[datetime | None, ValidationData | None]] = []

    def examine(
        self,
        files: Sequence[tuple[str, Path | bytes]],
        *,
        at: datetime,
        policy: ExaminationPolicy,
        existed: datetime | None = None,
        material: ValidationData | None = None,
    ) -> list[FileExamination]:
        if self.away:
            raise ExaminationUnavailableError
        self.asked += 1
        self.known.append((existed, material))
        return [self._one(name, source) for name, source in files]

    def _one(self, name: str, source: Path | bytes) -> FileExamination:
        octets = source if isinstance(source, bytes) else source.read_bytes()
        verdict = _VERDICTS.get(bytes(octets[:4]))
        if verdict is None:
            reason = "not examined: no format that is known here"
            return FileExamination(name, None, examined=False, signatures=0, report=b"", reason=reason)
        later = octets[:4] == b"late" and self.becomes is None
        if octets[:4] == b"late" and self.becomes is not None:
            verdict = self.becomes
        return FileExamination(
            name,
            verdict,
            examined=True,
            signatures=1,
            report=b'{"examination number":%d}\n' % self.asked,
            xml=b"<r>%d</r>" % self.asked,
            format="CMS",
            sub_indications=("TRY_LATER",) if later else (),
            later=later,
            material=ValidationData(crls=(b"a list" if later else b"a fresh list",)),
        )


@pytest.fixture
def examiner(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setattr("api.wiring.build_examiner", lambda *_: stand_in)
    return stand_in


@pytest.fixture
def world(tmp_path: Path, examiner: StandIn) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.archive.close()


def events(world: World, poid: str) -> list[str]:
    return [f"{one['type']}: {one['code']}" for one in world.archive.trace(poid, actor=OPERATOR)]


def roles(world: World, poid: str, version: int | None = None) -> dict[str, str]:
    return {one.logical_path: one.role for one in world.archive.show(poid, version, actor=OPERATOR).files}


# -- taken in -------------------------------------------------------------------------------------------


def test_what_was_found_is_kept_with_the_documents(world: World) -> None:
    """Reports and collected material are files of the version, shown, read, and under its evidence."""
    told = world.deposit({"a.p7s": b"late a", "b.txt": b"words"}, profile=RECORDED)
    report = world.archive.signatures.report(told.poid, actor=READER)

    assert roles(world, told.poid) == {
        "data/a.p7s": "document",
        "data/b.txt": "document",
        "examination/1/00001.json": "examination",
        "examination/1/00001.xml": "examination",
        "examination/1/report.json": "examination",
        "examination/material/" + _sha256(b"a list") + ".crl": "validation-data",
    }
    assert (report["outcome"], report["later"], report["held"]) == ("accept", True, False)
    first, second = report["files"]
    assert (first["verdict"], first["sub_indications"], first["path"]) == ("INDETERMINATE", ["TRY_LATER"], "a.p7s")
    assert (second["examined"], second["verdict"], second["report"]) == (False, None, None)
    assert "no format that is known" in second["reason"]
    assert world.archive.signatures.document_report(told.poid, "a.p7s", xml=True, actor=READER) == b"<r>1</r>"
    assert told.file_count == 2
    assert events(world, told.poid)[-1] == "digital signature validation: accept-later"
    world.preserve()
    world.check()
    assert world.audit().findings == []


def test_a_profile_that_asks_nothing_costs_nothing(world: World, examiner: StandIn) -> None:
    """No examination, no file more, no member in the description; and no report where none was asked for."""
    told = world.deposit({"a.p7s": b"broken"})

    assert examiner.asked == 0
    assert set(roles(world, told.poid)) == {"data/a.p7s"}
    assert b"examined" not in b"".join(path.read_bytes() for path in world.files("one", "v1/content/description.json"))
    with pytest.raises(UnknownObjectError, match="asks nothing"):
        world.archive.signatures.report(told.poid, actor=READER)


@pytest.mark.parametrize("content", [b"broken", b"open"])
def test_a_recording_profile_takes_in_what_is_not_good(world: World, content: bytes) -> None:
    """With its verdict in the report: accepted is not the same as good."""
    told = world.deposit({"a": content}, profile=RECORDED)

    assert told.status is Status.REPLICATED
    (line,) = world.archive.signatures.report(told.poid, actor=READER)["files"]
    assert line["verdict"] in ("FAILED", "INDETERMINATE")


def test_an_update_is_examined_as_well(world: World) -> None:
    """Its reports stand below its own number; the first version keeps its own."""
    told = world.deposit({"a": b"good"}, profile=RECORDED)
    world.update(told.poid, {"a": b"broken"})

    assert "examination/2/report.json" in roles(world, told.poid)
    assert "examination/1/report.json" not in roles(world, told.poid)
    assert world.archive.signatures.report(told.poid, 1, actor=READER)["files"][0]["verdict"] == "PASSED"
    assert world.archive.signatures.report(told.poid, actor=READER)["files"][0]["verdict"] == "FAILED"


# -- refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a": b"good", "b": b"broken"}, "'b' are not as the profile signed-required-1 asks: FAILED"),
        ({"a": b"open"}, "INDETERMINATE"),
        ({"a": b"words"}, "asks for a signature"),
    ],
)
def test_what_is_not_accepted_leaves_nothing_but_an_event(world: World, files: dict[str, bytes], said: str) -> None:
    """The refusal names document and verdict; nothing is in any store or in the catalogue."""
    before = [path for store in ("one", "two") for path in world.files(store, "")]
    with pytest.raises(SignaturesNotAcceptedError, match=said) as refused:
        world.deposit(files, profile=REQUIRED)

    assert (refused.value.http_status, refused.value.exit_code) == (422, 10)
    assert [path for store in ("one", "two") for path in world.files(store, "")] == before
    assert world.archive.objects(actor=OPERATOR) == []
    assert world.archive.catalogue.pending_events(10)[-1].code == "signatures-not-accepted"


def test_one_bad_document_of_many_keeps_no_other_out(world: World) -> None:
    """In bulk each submission is examined and answered for itself."""
    submissions = [world.submission({"a": content}, profile=REQUIRED) for content in (b"good 1", b"broken", b"good 2")]
    answers: list[object] = []
    world.archive.deposit_many(submissions, actor=OPERATOR, tell=answers.append)

    assert [type(one) for one in answers] == [Acknowledgement, SignaturesNotAcceptedError, Acknowledgement]


def test_what_cannot_be_examined_now_is_not_taken_in_now(world: World, examiner: StandIn) -> None:
    """An examiner that is away is an answer to try again, never a deposit without examination."""
    examiner.away = True
    with pytest.raises(ExaminationUnavailableError):
        world.deposit({"a": b"good"}, profile=RECORDED)
    assert world.archive.objects(actor=OPERATOR) == []


def test_nobody_to_examine_is_an_error(world: World) -> None:
    """A profile that asks is never passed over."""
    world.archive._examining._examiner = None
    with pytest.raises(SettingsError, match="nothing here examines"):
        world.deposit({"a": b"good"}, profile=RECORDED)


# -- repeated -------------------------------------------------------------------------------------------


def test_a_repeated_deposit_gets_its_first_answer(world: World) -> None:
    """Although another examination found other octets, it is the same request."""
    first = world.deposit({"a": b"late"}, profile=RECORDED, key="k")
    again = world.deposit({"a": b"late"}, profile=RECORDED, key="k")

    assert (again.poid, again.replayed, again.description_sha512) == (first.poid, True, first.description_sha512)
    with pytest.raises(IdempotencyConflictError):
        world.deposit({"a": b"good"}, profile=RECORDED, key="k")


def test_a_deposit_that_lost_its_process_is_finished_with_what_it_had_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim keeps the reports: the retry writes the very same bytes, whatever it finds itself."""
    committing = world.archive._deposit._committing
    with monkeypatch.context() as broken:
        broken.setattr(committing._catalogue, "enter_versions", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            world.deposit({"a": b"late"}, profile=RECORDED, key="k")
    (claim,) = world.archive.catalogue.open_claims(world.clock.now())
    kept = world.archive.catalogue.claim_files(claim.poid, 1)
    assert set(kept) >= {"examination/1/report.json", "examination/1/00001.xml"}
    world.restart()
    told = world.deposit({"a": b"late"}, profile=RECORDED, key="k")

    assert told.poid == claim.poid
    assert world.archive.signatures.document_report(told.poid, "a", xml=True, actor=OPERATOR) == b"<r>1</r>"
    assert world.archive.catalogue.claim_files(claim.poid, 1) == {}
    world.preserve()
    world.check()
    assert world.audit().findings == []


def _power_cut(*_: object) -> None:
    raise KeyboardInterrupt


# -- quarantine -----------------------------------------------------------------------------------------


def test_what_is_set_aside_is_kept_shown_and_given_to_operators_alone(world: World) -> None:
    """Durable and under evidence; whoever is no operator sees that it is there and why, and gets nothing of it."""
    told = world.deposit({"a": b"broken"}, profile=SET_ASIDE)
    world.preserve()
    shown = world.archive.show(told.poid, actor=READER)

    assert told.status is shown.status is Status.QUARANTINED
    assert shown.proof_of_existence is not None
    assert shown.to_json()["examined"] == {"outcome": "quarantine", "later": False}
    assert [one.poid for one in world.archive.signatures.quarantined(actor=READER)] == [told.poid]
    assert world.archive.signatures.report(told.poid, actor=READER)["held"] is True
    assert any("in quarantine" in one for one in world.archive.status(actor=OPERATOR)["warnings"])  # type: ignore[attr-defined]
    with pytest.raises(InQuarantineError):
        world.archive.stream_file(told.poid, None, "a", actor=READER)
    with pytest.raises(InQuarantineError):
        world.archive.receipt(told.poid, actor=READER)
    with pytest.raises(InQuarantineError):
        world.archive.export(told.poid, None, io.BytesIO(), actor=READER)
    assert world.read(told.poid, "a") == b"broken"
    assert events(world, told.poid)[2] == "digital signature validation: quarantine"
    world.check()


def test_another_organisation_sees_nothing_of_a_quarantine(world: World) -> None:
    """Neither in the list nor by its identifier."""
    told = world.deposit({"a": b"broken"}, profile=SET_ASIDE)
    stranger = Actor("s", "auditor", "another")

    assert world.archive.signatures.quarantined(actor=stranger) == []
    with pytest.raises(UnknownObjectError):
        world.archive.signatures.report(told.poid, actor=stranger)
    with pytest.raises(UnknownObjectError):
        world.archive.signatures.release(told.poid, None, reason="mine", actor=Actor("o", "operator", "another"))


def test_a_release_is_in_the_trail_before_anybody_is_told(world: World) -> None:
    """So that a catalogue that was rebuilt from one store knows it."""
    told = world.deposit({"a": b"broken"}, profile=SET_ASIDE, key="k")
    held = world.deposit({"a": b"open"}, profile=SET_ASIDE)
    view = world.archive.signatures.release(told.poid, None, reason="the original is on paper", actor=OPERATOR)

    assert view.status is Status.REPLICATED
    assert world.archive.catalogue.pending_events(10) == []
    assert events(world, told.poid)[-1] == "quarantine: released"
    assert b"".join(world.archive.stream_file(told.poid, None, "a", actor=READER)) == b"broken"
    assert world.deposit({"a": b"broken"}, profile=SET_ASIDE, key="k").status is Status.REPLICATED
    rebuilt, report = world.rebuilt("two")
    try:
        assert report.findings == ()
        assert [one.poid for one in rebuilt.signatures.quarantined(actor=OPERATOR)] == [held.poid]
        assert rebuilt.show(told.poid, actor=READER) == world.archive.show(told.poid, actor=READER)
    finally:
        rebuilt.close()
    with pytest.raises(NotInQuarantineError):
        world.archive.signatures.release(told.poid, None, reason="again", actor=OPERATOR)


def test_a_release_holds_for_the_deposit_and_not_for_an_update(world: World) -> None:
    """New content is examined and set aside anew."""
    told = world.deposit({"a": b"broken"}, profile=SET_ASIDE)
    world.archive.signatures.release(told.poid, None, reason="known", actor=OPERATOR)
    world.update(told.poid, {"a": b"broken again"})

    assert world.archive.show(told.poid, 1, actor=OPERATOR).status is Status.REPLICATED
    assert world.archive.show(told.poid, 2, actor=OPERATOR).status is Status.QUARANTINED


def test_what_is_rejected_is_destroyed_with_a_tombstone(world: World) -> None:
    """And no longer waits for anybody; a rebuilt catalogue says the same."""
    told = world.deposit({"a": b"broken"}, profile=SET_ASIDE)
    world.preserve()
    view = world.archive.signatures.reject(told.poid, None, reason="forged", actor=OPERATOR)

    assert view.status is Status.DESTROYED
    assert world.archive.signatures.quarantined(actor=OPERATOR) == []
    assert "quarantine: rejected" in events(world, told.poid)
    with pytest.raises(ObjectDestroyedError):
        world.archive.signatures.report(told.poid, actor=OPERATOR)
    rebuilt, _ = world.rebuilt("one")
    try:
        assert rebuilt.show(told.poid, actor=OPERATOR).to_json() == view.to_json() | {
            "versions": [1],
            "destroyed": rebuilt.show(told.poid, actor=OPERATOR).to_json()["destroyed"],
        }
        assert rebuilt.signatures.quarantined(actor=OPERATOR) == []
    finally:
        rebuilt.close()
    assert world.audit().findings == []


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001])
def test_a_decision_needs_a_reason(world: World, reason: str) -> None:
    """An empty or endless one decides nothing."""
    told = world.deposit({"a": b"broken"}, profile=SET_ASIDE)
    with pytest.raises(UsageError):
        world.archive.signatures.release(told.poid, None, reason=reason, actor=OPERATOR)
    assert world.archive.show(told.poid, actor=OPERATOR).status is Status.QUARANTINED


def test_only_what_is_set_aside_can_be_decided_about(world: World) -> None:
    """A good deposit is neither released nor rejected; least of all destroyed."""
    told = world.deposit({"a": b"good"}, profile=SET_ASIDE)
    world.preserve()
    for decide in (world.archive.signatures.release, world.archive.signatures.reject):
        with pytest.raises(NotInQuarantineError):
            decide(told.poid, None, reason="because", actor=OPERATOR)
    assert world.read(told.poid, "a") == b"good"


# -- elsewhere ------------------------------------------------------------------------------------------


def test_a_bundle_carries_what_was_found(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """And is judged as a whole by the verifier that needs no archive; a report that was changed is found out."""
    told = world.deposit({"a": b"late"}, profile=RECORDED)
    world.preserve()
    bundle = world.folder / "b.zip"
    with bundle.open("wb") as out:
        world.archive.export(told.poid, None, out, actor=OPERATOR)
    names = zipfile.ZipFile(bundle).namelist()
    assert {"examination/1/report.json", "examination/1/00001.xml"} <= set(names)
    trust = [str(path) for path in (world.home / "trust").rglob("*.pem") if "key" not in path.name]
    code = verify_offline([str(bundle), "--json", *(f"--trust={path}" for path in trust)])
    answer = json.loads(capsys.readouterr().out)
    assert code == 0, answer

    changed = world.folder / "changed.zip"
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(changed, "w") as new:
        for name in names:
            octets = old.read(name)
            new.writestr(
                name, octets.replace(b"INDETERMINATE", b"TOTAL-PASSED ") if name.endswith("report.json") else octets
            )
    assert verify_offline([str(changed), "--json", *(f"--trust={path}" for path in trust)]) == 1


def test_a_damaged_report_is_found_and_healed(world: World) -> None:
    """Reports are files like all others: audit names the damage, repair takes the other copy."""
    told = world.deposit({"a": b"late"}, profile=RECORDED)
    world.preserve()
    (path,) = world.files("one", "v1/content/examination/1/report.json")
    good = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(good.replace(b"INDETERMINATE", b"TOTAL-PASSED "))

    assert world.archive.signatures.report(told.poid, actor=READER)["files"][0]["verdict"] == "INDETERMINATE"
    assert world.audit().findings
    world.archive.repair(actor=OPERATOR)
    assert path.read_bytes() == good
    assert world.audit().findings == []


def _sha256(octets: bytes) -> str:
    import hashlib

    return hashlib.sha256(octets).hexdigest()
