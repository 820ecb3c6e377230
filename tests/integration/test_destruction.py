"""An object that is destroyed: what is gone, what stays, who answers for it, and what comes of a forged tombstone."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from api.cli import main
from archive_core.catalogue.sizes import batch_sizes
from archive_core.destruction.destroying import DestructionView
from archive_core.errors import (
    ConcurrentChangeError,
    ConflictError,
    EvidencePendingError,
    LeaseHeldError,
    NotFoundError,
    ObjectDestroyedError,
    SealKeyUnavailableError,
    StoreUnavailableError,
    TimestampRefusedError,
    UnavailableError,
    UnknownObjectError,
    UsageError,
)
from archive_core.evidence.record import parse_record
from archive_core.findings import SubIndication, Verdict
from archive_core.identifiers import tombstone_object
from archive_core.lifecycle import Actor, Status
from tests.world import OPERATOR, World

pytestmark = pytest.mark.slow

WHY = "disposal 2026/17"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two evidenced objects in one batch, the first of two versions."""
    made = World(tmp_path)
    made.deposit({"a.txt": b"alpha", "b/c.txt": b"gamma"}, key="first")
    made.deposit({"n.txt": b"the neighbour"})
    made.preserve()
    yield made
    made.archive.close()


def gone_of(world: World) -> str:
    """The object that these tests destroy."""
    return min(world.told)


def destroy(world: World, poid: str | None = None, **options: Any) -> DestructionView:
    return world.archive.destroy(poid or gone_of(world), reason=WHY, actor=OPERATOR, **options)


def warnings(world: World) -> str:
    return " ".join(cast(list[str], world.archive.status(actor=OPERATOR)["warnings"]))


def holds(world: World, store: str, text: str) -> list[Path]:
    """The files of a store or beside it whose path or content has a text."""
    roots = [world.store(store), world.store(store).with_name(f"{store}.staging")]
    found = []
    for root in roots:
        for path in root.rglob("*"):
            if text in path.name or (path.is_file() and text.encode() in path.read_bytes()):
                found.append(path)
    return found


def living(world: World) -> None:
    """Everything but the destroyed object is proven from each store alone."""
    told = dict(world.told)
    world.told = {poid: versions for poid, versions in told.items() if poid != gone_of(world)}
    world.check()
    world.told = told


def test_no_byte_of_it_is_left_and_its_neighbour_is_proven(world: World) -> None:
    """Neither store nor staging holds a file of it; rebuilt from either store, the rest is as ever."""
    poid = gone_of(world)
    view = world.archive.destroy(poid, reason=WHY, actor=OPERATOR)

    assert (view.purged, view.owed, view.replayed) == (("one", "two"), (), False)
    assert view.decided is not None
    for store in ("one", "two"):
        assert holds(world, store, "alpha") == []
        assert {path.name for path in holds(world, store, poid)} >= {tombstone_object(poid).replace(":", "%3a")}
        assert not [path for path in holds(world, store, poid) if path.name.endswith(f"%3a{poid}")]
    living(world)
    audit = world.audit()
    assert audit.findings == []
    assert audit.checked["objects"] > 0


def test_everything_answers_that_it_is_gone(world: World) -> None:
    """Shown and listed as destroyed; nothing of it is given; its evidence goes on, and a report says until when."""
    poid, archive = gone_of(world), world.archive
    before = archive.evidence(poid, actor=OPERATOR)
    destroy(world)

    shown = archive.show(poid, actor=OPERATOR).to_json()
    assert (shown["status"], "files" in shown) == ("destroyed", False)
    assert shown["destroyed"]["reason"] == WHY  # type: ignore[index]
    assert [view.status for view in archive.objects(actor=OPERATOR)] == [Status.DESTROYED, Status.EVIDENCED]
    assert archive.status(actor=OPERATOR)["objects"]["destroyed"] == 1  # type: ignore[index]
    for refused in (
        lambda: archive.retrieve(poid, None, world.folder / "out", actor=OPERATOR),
        lambda: archive.receipt(poid, actor=OPERATOR),
        lambda: archive.export(poid, None, io.BytesIO(), actor=OPERATOR),
        lambda: archive.stream_file(poid, None, "a.txt", actor=OPERATOR),
        lambda: archive.update(poid, world.submission({"x": b"y"}), actor=OPERATOR),
        lambda: world.deposit({"a.txt": b"alpha", "b/c.txt": b"gamma"}, key="first"),
    ):
        with pytest.raises(ObjectDestroyedError):
            refused()
    assert archive.evidence(poid, actor=OPERATOR) == before
    report = archive.verify(poid, actor=OPERATOR)
    assert (report.verdict, report.sub_indication) == (Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND)
    assert report.proof_of_existence is None
    assert [finding.code for finding in report.findings] == ["DESTROYED", "COVERED_UNTIL"]
    codes = [event["code"] for event in archive.trace(poid, actor=OPERATOR)]
    assert (codes.count("destroyed"), codes.count("purged")) == (1, 2)
    assert [one for one, _, _ in archive.verify_all(actor=OPERATOR)] == [max(world.told)]


def test_a_rebuilt_catalogue_says_the_same(world: World) -> None:
    """From each store: the same list, the same tombstone, the same event, no finding; and no second destruction."""
    poid = gone_of(world)
    destroy(world)
    world.archive.flush_trail()
    expected = [view.to_json() for view in world.archive.objects(actor=OPERATOR)]
    for store in ("one", "two"):
        archive, report = world.rebuilt(store)
        assert report.findings == ()
        assert report.destroyed == 1
        archive._destruction.settle(OPERATOR)
        assert [view.to_json() for view in archive.objects(actor=OPERATOR)] == expected
        assert archive.catalogue.tombstone(poid) == world.archive.catalogue.tombstone(poid)
        assert archive.evidence(poid, actor=OPERATOR) == world.archive.evidence(poid, actor=OPERATOR)
        codes = [event["code"] for event in archive.trace(poid, actor=OPERATOR)]
        assert codes.count("destroyed") == 1
        again = archive.destroy(poid, reason="another", actor=OPERATOR)
        assert (again.replayed, again.reason) == (True, WHY)
        archive.close()


def test_digests_go_too_when_it_is_asked_for(world: World) -> None:
    """Then no record is derived, and nothing says by which values one could guess."""
    poid = gone_of(world)
    (digest,) = [file.sha512 for file in world.archive.show(poid, actor=OPERATOR).files if file.path == "a.txt"]
    assert destroy(world, keep_digests=False).digests_kept is False
    with pytest.raises(ObjectDestroyedError):
        world.archive.evidence(poid, actor=OPERATOR)
    for store in ("one", "two"):
        assert holds(world, store, digest) == []
    assert world.audit().findings == []


def test_a_dry_run_changes_nothing(world: World) -> None:
    tsa = world.switch()
    held = world.files("one", "")
    view = world.archive.destroy(gone_of(world), reason=WHY, actor=OPERATOR, dry_run=True)
    assert (view.dry_run, view.versions, view.decided) == (True, 1, None)
    assert (tsa.asked, world.files("one", "")) == (0, held)
    world.check()


# -- refused ------------------------------------------------------------------------------------


def test_without_a_time_stamp_nothing_is_destroyed(world: World) -> None:
    """The authority is away: the machine's own clock decides nothing."""
    authority = world.switch()
    authority.away = True
    with pytest.raises(UnavailableError):
        destroy(world)
    authority.away = False
    assert world.archive.catalogue.destructions_under_way() == []
    world.check()
    world.update(gone_of(world), {"a.txt": b"as ever"})


def test_what_has_no_evidence_is_not_destroyed(world: World) -> None:
    told = world.deposit({"new.txt": b"new"})
    world.update(gone_of(world), {"a.txt": b"second"})
    for poid in (told.poid, gone_of(world)):
        with pytest.raises(EvidencePendingError):
            destroy(world, poid)


def test_a_clock_that_is_wrong_destroys_nothing(world: World) -> None:
    """Ours went back by a year: what the authority says is not about now, and the seal's certificate begins later."""
    world.clock.advance(days=-365)
    old = world.switch()
    frozen = old.timestamp

    def late(imprint: object) -> object:
        world.clock.advance(days=365)
        token = frozen(imprint)
        world.clock.advance(days=-365)
        return token

    old.timestamp = late  # type: ignore[method-assign,assignment]
    with pytest.raises((TimestampRefusedError, ConflictError, SealKeyUnavailableError)):
        destroy(world)
    assert world.archive.catalogue.tombstone(gone_of(world)) is None


def test_another_organisation_cannot_destroy_it(world: World) -> None:
    with pytest.raises(UnknownObjectError):
        world.archive.destroy(gone_of(world), reason=WHY, actor=Actor("key-1", "operator", "another"))


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_a_reason_is_needed(world: World, reason: str) -> None:
    with pytest.raises(UsageError):
        world.archive.destroy(gone_of(world), reason=reason, actor=OPERATOR)


def test_what_is_being_updated_is_not_destroyed(world: World) -> None:
    """The claim on the next version stands in the way, and the other way round."""
    poid, catalogue = gone_of(world), world.archive.catalogue
    catalogue.claim("default", None, "r", poid, 2, b"description", world.clock.now())
    with pytest.raises(ConcurrentChangeError):
        destroy(world)
    assert catalogue.tombstone(poid) is None


def test_one_destruction_at_a_time(world: World) -> None:
    at = world.clock.now()
    world.archive.catalogue.acquire_lease("destruction", "another", at + timedelta(hours=1), at)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("archive_core.destruction.destroying.PATIENCE", 0.0)
        with pytest.raises(LeaseHeldError):
            destroy(world)
    assert world.archive._destruction.settle(OPERATOR) == []


# -- stores -------------------------------------------------------------------------------------


def unplugged(world: World, name: str) -> Path:
    away = world.store(name).with_name(f"{name}-away")
    world.store(name).rename(away)
    return away


def test_a_store_that_is_away_keeps_everything_until_it_has_the_tombstone(world: World) -> None:
    """Nothing is purged before every store holds the tombstone; the round after its return finishes it."""
    poid = gone_of(world)
    away = unplugged(world, "two")
    with pytest.raises(UnavailableError):
        destroy(world)
    assert holds(world, "one", "alpha") != []
    assert "interrupted" in warnings(world)
    with pytest.raises(UnavailableError):
        destroy(world)
    away.rename(world.store("two"))
    world.preserve()
    assert world.archive.show(poid, actor=OPERATOR).status is Status.DESTROYED
    assert holds(world, "two", "alpha") == []
    assert world.audit().findings == []


def test_a_store_that_may_not_delete_yet_owes_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object lock: the other store is purged, this one's debt is told and paid when it is over."""
    two = world.archive.copies.roots[1].store
    purge = two.purge_object

    def locked(path: str) -> None:
        raise StoreUnavailableError("locked until 2027-01-01")

    monkeypatch.setattr(two, "purge_object", locked)
    view = destroy(world)
    assert view.purged == ("one",)
    assert [(debt.store, debt.error) for debt in view.owed] == [("two", "locked until 2027-01-01")]
    audit = world.audit()
    assert [note.code for note in audit.notes] == ["DELETION_OWED"]
    assert audit.findings == []
    assert "two still holds 1" in warnings(world)
    with pytest.raises(ObjectDestroyedError):
        world.read(gone_of(world), "a.txt")
    monkeypatch.setattr(two, "purge_object", purge)
    world.preserve()
    assert holds(world, "two", "alpha") == []
    assert world.archive.catalogue.deletion_debts() == []


def test_a_copy_that_comes_back_is_found_and_purged_again(world: World, tmp_path: Path) -> None:
    """Somebody restored a disk: the audit names it, reading does not give it, the next round purges it."""
    shutil.copytree(world.store("two"), tmp_path / "old")
    destroy(world)
    for path in (tmp_path / "old").rglob(f"*%3a{gone_of(world)}"):
        shutil.copytree(path, world.store("two") / path.relative_to(tmp_path / "old"))
    audit = world.audit()
    assert [(one.store, one.code) for one in audit.findings] == [("two", "DESTROYED_OBJECT_PRESENT")]
    archive, report = world.rebuilt("two")
    assert report.findings == ()
    assert archive.show(gone_of(world), actor=OPERATOR).status is Status.DESTROYED
    archive.close()
    world.preserve()
    assert holds(world, "two", "alpha") == []
    assert world.audit().findings == []


def test_an_older_catalogue_obeys_the_tombstone(world: World, tmp_path: Path) -> None:
    """A backup of the catalogue is put back: the audit re-applies what was destroyed since."""
    world.archive.close()
    shutil.copy(world.home / "catalogue.sqlite3", tmp_path / "backup")
    world.archive = world.open()
    destroy(world)
    world.archive.close()
    for ending in ("-wal", "-shm"):
        (world.home / f"catalogue.sqlite3{ending}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup", world.home / "catalogue.sqlite3")
    world.archive = world.open()
    codes = [note.code for note in world.audit().notes]
    assert "TOMBSTONE_ADOPTED" in codes
    assert world.archive.show(gone_of(world), actor=OPERATOR).status is Status.DESTROYED
    world.preserve()
    assert world.audit().findings == []


# -- forged -------------------------------------------------------------------------------------


def test_a_tombstone_that_was_changed_destroys_nothing(world: World, tmp_path: Path) -> None:
    """Its document, moved to another object, does not fit; its words, changed, do not fit the seal."""
    poid, neighbour = gone_of(world), max(world.told)
    backup = tmp_path / "before"
    shutil.copytree(world.store("one"), backup)
    destroy(world)
    (stone,) = world.store("one").rglob(f"*%3ats{poid}")
    shutil.copytree(stone, backup / stone.relative_to(world.store("one")))
    document = next((backup / stone.relative_to(world.store("one"))).rglob("tombstone.json"))
    value = json.loads(document.read_bytes())
    value["reason"] = "another reason"
    document.chmod(0o644)
    document.write_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    shutil.rmtree(world.store("one"))
    backup.rename(world.store("one"))
    archive, report = world.rebuilt("one")
    assert [one.code for one in report.findings] == ["TOMBSTONE_NOT_OBEYED"]
    assert archive.show(poid, actor=OPERATOR).status is Status.EVIDENCED
    assert archive.show(neighbour, actor=OPERATOR).status is Status.EVIDENCED
    archive.close()


def test_the_tombstone_of_another_archive_is_not_obeyed(tmp_path: Path) -> None:
    """Sealed and stamped by keys that nobody here trusts: audit and rebuild say so, and the object lives."""
    here, there = World(tmp_path / "here"), World(tmp_path / "there")
    told = here.deposit({"a.txt": b"alpha"})
    here.preserve()
    here.archive.close()
    shutil.rmtree(there.home / "stores")
    shutil.copytree(here.home / "stores", there.home / "stores")
    there.archive.close()
    shutil.copy(here.home / "catalogue.sqlite3", there.home / "catalogue.sqlite3")
    there.clock.advance(minutes=5)
    there.archive = there.open()
    there.archive.destroy(told.poid, reason="forged", actor=OPERATOR)
    there.archive.close()
    for store in ("one", "two"):
        (stone,) = there.store(store).rglob(f"*%3ats{told.poid}")
        shutil.copytree(stone, here.store(store) / stone.relative_to(there.store(store)))
    here.archive = here.open()
    audit = here.audit()
    assert {one.code for one in audit.findings} == {"TOMBSTONE_NOT_OBEYED"}
    _, report = here.rebuilt("one")
    assert [one.code for one in report.findings] == ["TOMBSTONE_NOT_OBEYED"]
    assert here.read(told.poid, "a.txt") == b"alpha"
    here.archive.close()


def test_evidence_of_what_is_gone_parses_and_names_no_missing(world: World) -> None:
    """What `evidence` gives of it is a record as any other; what never was is not found."""
    destroy(world)
    (file,) = world.archive.evidence(gone_of(world), actor=OPERATOR)
    assert len(parse_record(file.der).chains) == 1
    with pytest.raises(NotFoundError):
        world.archive.evidence("0" * 12 + "7" + "0" * 3 + "8" + "0" * 15, actor=OPERATOR)


def test_the_command_destroys_only_when_told_so(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --yes it is a mistake in the words, with --dry-run a sentence; then it is done, once."""
    poid = gone_of(world)

    def said(*words: str) -> tuple[int, str]:
        code = main(["--home", str(world.home), "--json", "destroy", poid, "--reason", WHY, *words])
        return code, capsys.readouterr().out

    assert said()[0] == 2
    assert said("--yes", "--dry-run")[0] == 2
    code, document = said("--dry-run")
    assert (code, json.loads(document)["decided"]) == (0, None)
    world.check()
    code, document = said("--yes")
    assert (code, json.loads(document)["purged"]) == (0, ["one", "two"])
    code, document = said("--yes")
    assert (code, json.loads(document)["replayed"]) == (0, True)
    assert main(["--home", str(world.home), "retrieve", poid, "--out", str(world.folder / "out")]) == 11
    assert main(["--home", str(world.home), "show", poid]) == 0
    assert WHY in capsys.readouterr().out
    assert main(["--home", str(world.home), "verify", poid]) == 3


def test_plans_and_drills_do_without_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The oldest object of the only batch is gone: what is read and tried is the living one."""
    destroy(world)
    assert batch_sizes(world.archive.catalogue) == {1: len(b"the neighbour")}
    at = f"{world.clock.now().year + 3}-06-01"
    code = main(["--home", str(world.home), "--json", "renewal", "drill", "--break", "sha512", "--at", at])
    drilled = json.loads(capsys.readouterr().out)
    assert code in (0, 1), drilled
    assert drilled["with_renewal"]["samples"]["passed"] == drilled["with_renewal"]["samples"]["checked"] == 1
    assert main(["--home", str(world.home), "renewal", "plan", "--until", "2060"]) == 0
    assert main(["--home", str(world.home), "verify", "--all"]) == 0
