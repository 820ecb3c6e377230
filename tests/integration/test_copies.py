"""Quorum and debts: what is acknowledged when stores are away, and what they get afterwards."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.home import initialise_home
from api.settings import SETTINGS_FILE
from archive_core import stores
from archive_core.archive import silent
from archive_core.catalogue.rows import CopyDebt
from archive_core.errors import ArchiveError, ConflictError, StoreUnavailableError
from archive_core.identifiers import storage_object_for
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.trail.events import EventType
from tests.vectors import REPOSITORY
from tests.world import OPERATOR, World

THIRD = """
[[store]]
name = "three"
scheme = "filesystem"
root = "stores/three"
staging = "staging/three"
required = false
"""


def world_with(folder: Path, more: str = THIRD) -> World:
    """An archive with more stores than a new home has."""
    home = folder / "home"
    initialise_home(home, at=datetime.now(UTC))
    settings = home / SETTINGS_FILE
    settings.write_text(settings.read_text() + more)
    return World(folder)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two required stores and one that may be away."""
    made = world_with(tmp_path)
    yield made
    made.archive.close()


def unplug(world: World, name: str) -> None:
    world.store(name).rename(world.store(name).with_suffix(".gone"))


def plug(world: World, name: str) -> None:
    world.store(name).with_suffix(".gone").rename(world.store(name))
    world.archive.copies.away.answered(name)


def ids(world: World, name: str) -> set[str]:
    (root,) = [root for root in world.archive.copies.known if root.store.name == name]
    return set(root.object_ids())


def pay(world: World) -> None:
    assert all(payment.owed == 0 for payment in world.archive.debts.pay(silent))
    assert world.archive.catalogue.owed_copies() == []


def test_a_dispensable_store_that_is_away_gets_later_what_it_missed(world: World) -> None:
    """Deposits, updates, batches and the trail go on without it; each missing copy is a debt; when it is back the
    copies are made, and it holds byte for byte what the others hold."""
    first = world.deposit({"a.txt": b"before"})
    assert first.stores == ("one", "two", "three")
    unplug(world, "three")
    told = world.deposit({"a.txt": b"first"})
    world.update(told.poid, {"a.txt": b"second"})
    world.update(first.poid, {"a.txt": b"after"})
    world.preserve()

    assert told.stores == ("one", "two")
    (owed,) = world.archive.catalogue.owed_copies()
    assert (owed.store, owed.objects > 3) == ("three", True)
    assert any("three lacks" in warning for warning in world.archive.status(actor=OPERATOR)["warnings"])  # type: ignore[attr-defined]
    (left,) = world.archive.debts.pay(silent)
    assert (left.paid, left.owed > 3) == (0, True)
    plug(world, "three")
    pay(world)
    assert {path.relative_to(world.store("one")): path.read_bytes() for path in world.files("one", "")} == {
        path.relative_to(world.store("three")): path.read_bytes() for path in world.files("three", "")
    }
    assert world.audit().findings == []


def test_a_required_store_that_is_away_refuses_the_deposit(world: World) -> None:
    """However many others took it."""
    unplug(world, "two")
    with pytest.raises(StoreUnavailableError):
        world.deposit({"a.txt": b"1"})
    assert world.archive.catalogue.owed_copies() == []


@pytest.mark.parametrize(
    ("rule", "needed"),
    [("[copies]\nstores = 3\n", "1 more of the stores"), ("[copies]\nsites = 2\n", "1 more of the sites")],
)
def test_too_few_stores_or_sites_refuse_the_deposit(tmp_path: Path, rule: str, needed: str) -> None:
    """The settings say how many must hold it before anybody is told that it is kept."""
    home = tmp_path / "home"
    initialise_home(home, at=datetime.now(UTC))
    text = (home / SETTINGS_FILE).read_text().replace('staging = "staging/', 'site = "here"\nstaging = "staging/')
    (home / SETTINGS_FILE).write_text(text)
    world = world_with(tmp_path, THIRD + rule)
    world.deposit({"a.txt": b"0"})
    unplug(world, "three")
    with pytest.raises(StoreUnavailableError) as caught:
        world.deposit({"a.txt": b"1"})
    with pytest.raises(StoreUnavailableError, match=needed):
        world.deposit({"a.txt": b"2"})  # the store is left alone now
    assert caught.value
    assert world.archive.catalogue.owed_copies() == []
    world.archive.close()


def test_a_debt_that_cannot_be_noted_is_no_success(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody would remember is not acknowledged."""

    def broken(*_: object) -> None:
        raise StoreUnavailableError("the catalogue is away")

    unplug(world, "three")
    monkeypatch.setattr(world.archive.debts._catalogue, "owe_copies", broken)
    with pytest.raises(ArchiveError):
        world.deposit({"a.txt": b"1"})


def test_nobody_waits_for_a_store_that_failed_a_moment_ago(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not even asked, until its time is over."""
    unplug(world, "three")
    world.deposit({"a.txt": b"1"})
    asked = []
    monkeypatch.setattr(
        world.archive.copies.roots[2], "write_versions", lambda packages: asked.append(packages), raising=True
    )
    assert world.deposit({"a.txt": b"2"}).stores == ("one", "two")
    assert asked == []


def test_a_store_that_answers_wrongly_but_took_it_is_found_out_when_the_debt_is_paid(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error whose write arrived leaves a debt that costs nothing."""
    root: StorageRoot = world.archive.copies.roots[2]
    real = root.write_versions

    def lost(packages: object) -> object:
        real(packages)  # type: ignore[arg-type]
        raise StoreUnavailableError("the answer was lost")

    monkeypatch.setattr(root, "write_versions", lost)
    told = world.deposit({"a.txt": b"1"})
    assert told.stores == ("one", "two")
    monkeypatch.setattr(root, "write_versions", real)
    world.archive.copies.away.answered("three")
    pay(world)
    assert ids(world, "three") == ids(world, "one")


def left_over(world: World, poid: str, *parts: str) -> None:
    """What a write that was broken off leaves in the third store of an object that it owes."""
    (source,) = world.store("one").glob(f"*/*{poid}")
    target = world.store("three") / source.relative_to(world.store("one"))
    for part in parts:
        for file in sorted((source / part).rglob("*")) if (source / part).is_dir() else [source / part]:
            if file.is_file():
                place = target / file.relative_to(source)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(file.read_bytes())


def looked_at(world: World) -> tuple[set[tuple[str, str]], set[str]]:
    """Store and code of what audit and fixity find, and the codes of their notes."""
    world.clock.advance(hours=1)
    audited = world.audit()
    read = world.archive.fixity.run(actor=OPERATOR, anew=True, progress=silent).audit
    findings = {(entry.store, entry.code) for entry in [*audited.findings, *read.findings]}
    return findings, {entry.code for entry in [*audited.notes, *read.notes]}


@pytest.mark.slow
@pytest.mark.parametrize("parts", [("0=ocfl_object_1.1", "v1/content"), ("v1",), ("0=ocfl_object_1.1", "v1", "v2")])
def test_half_a_copy_in_a_store_that_owes_it_is_no_damage(world: World, parts: tuple[str, ...]) -> None:
    """A write that was broken off left it: audit and fixity say that the copy is owed; paying the debt makes it whole.
    Found by the chaos soak: a bucket that went away in the middle of a group was reported as damaged."""
    updated = world.deposit({"a.txt": b"before"})
    unplug(world, "three")
    told = world.deposit({"a.txt": b"1", "b/c.txt": b"2"})
    world.update(told.poid, {"a.txt": b"3"})
    world.update(updated.poid, {"a.txt": b"after"})
    plug(world, "three")
    world.preserve()
    left_over(world, told.poid, *parts)
    left_over(world, updated.poid, "v2/content")
    world.archive.copies.away.failed("three")
    assert looked_at(world) == (set(), {"COPY_OWED"})

    world.archive.copies.away.answered("three")
    pay(world)
    assert looked_at(world) == (set(), set())
    assert ids(world, "three") == ids(world, "one")


@pytest.mark.slow
def test_wrong_bytes_in_a_store_that_owes_something_are_damage(world: World) -> None:
    """What a store holds of an object is judged though it owes the newer version; what nobody owes is missing."""
    updated, other = world.deposit({"a.txt": b"before"}), world.deposit({"b.txt": b"other"})
    unplug(world, "three")
    world.update(updated.poid, {"a.txt": b"after"})
    plug(world, "three")
    (file,) = [path for path in world.files("three", "v1/content/data/a.txt") if updated.poid in str(path)]
    file.write_bytes(b"befoul")
    for path in world.files("three", "inventory.json"):
        if other.poid in str(path):
            path.unlink()
    findings, _ = looked_at(world)

    assert ("three", "E092") in findings
    assert ("three", "E063") in findings


@pytest.mark.slow
def test_what_was_destroyed_does_not_come_back_from_a_store_that_leaves(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store may not delete it yet, and is the only one that still has it; drained, it gives it to nobody."""
    monkeypatch.setattr(stores, "REFRESH", 0.0)
    told = world.deposit({"a.txt": b"1"})
    world.deposit({"b.txt": b"2"})
    world.preserve()

    def locked(object_path: str) -> None:
        raise StoreUnavailableError("a lock that has not ended")

    monkeypatch.setattr(world.archive.copies.roots[1].store, "purge_object", locked)
    owed = world.archive.destroy(told.poid, reason="a test", actor=OPERATOR).owed
    assert [debt.store for debt in owed] == ["two"]
    name = f"urn:trusted-archive:{told.poid}"
    assert [store for store in ("one", "two", "three") if name in ids(world, store)] == ["two"]
    payments = world.archive.stores.drain("two", actor=OPERATOR, progress=silent)
    assert all(payment.error is None for payment in payments)
    assert [store for store in ("one", "two", "three") if name in ids(world, store)] == ["two"]


def test_a_trail_that_is_owed_is_not_cut_off(world: World) -> None:
    """A store that was away when the trail grew lacks segments at the end, or in the middle: both are known."""
    world.deposit({"a.txt": b"1"})
    world.archive.flush_trail()
    unplug(world, "three")
    world.deposit({"b.txt": b"2"})
    world.preserve()
    plug(world, "three")
    for _ in ("at the end", "in the middle"):
        audited = world.audit()
        assert audited.findings == []
        assert {note.code for note in audited.notes} == {"COPY_OWED"}
        world.deposit({"c.txt": b"3"})
        world.archive.flush_trail()
    pay(world)
    root = world.archive.copies.roots[2]
    root.store.purge_object(root.object_path("urn:trusted-archive:tr0000000002"))
    assert {("three", "TRAIL_SEGMENT_MISSING"), ("three", "OBJECT_MISSING")} <= {
        (entry.store, entry.code) for entry in world.audit().findings
    }


@pytest.mark.slow
def test_a_store_that_leaves_lacks_what_is_new_and_that_is_no_damage(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deposits, updates, evidence and the trail go on while it is drained; nothing is written to it, not by a repair
    either, and its wrong bytes are still named."""
    monkeypatch.setattr(stores, "REFRESH", 0.0)
    told = world.deposit({"a.txt": b"1"})
    world.preserve()
    world.archive.stores.drain("two", actor=OPERATOR, progress=silent)
    world.update(told.poid, {"a.txt": b"2"})
    world.deposit({"b.txt": b"3"})
    world.preserve()
    before = ids(world, "two")
    assert looked_at(world) == (set(), {"STORE_LEAVING"})
    repaired = world.archive.repair((told.poid,), actor=OPERATOR)
    assert (repaired.findings, repaired.repaired) == ([], [])
    assert ids(world, "two") == before
    (file,) = [path for path in world.files("two", "v1/content/data/a.txt") if told.poid in str(path)]
    file.write_bytes(b"0")
    assert ("two", "E092") in {(entry.store, entry.code) for entry in world.audit().findings}


def test_a_copy_that_only_damaged_stores_hold_stays_owed(world: World) -> None:
    """Wrong bytes are not copied, and the debt says why it is still there."""
    unplug(world, "three")
    told = world.deposit({"a.txt": b"as it was"})
    plug(world, "three")
    for store in ("one", "two"):
        (file,) = [path for path in world.files(store, "data/a.txt") if told.poid in str(path)]
        file.write_bytes(b"as it is!")
    payments = world.archive.debts.pay(silent)

    assert [(payment.store, payment.owed) for payment in payments] == [("three", 1)]
    assert payments[0].error is not None
    assert not any(told.poid in name for name in ids(world, "three"))


def test_a_new_store_is_filled_and_an_old_one_leaves(tmp_path: Path) -> None:
    """A store that nobody added gets nothing; added, it gets everything; drained and retired, the old one is neither
    written nor read, and what it held is proven from the others."""
    world = World(tmp_path)
    told = world.deposit({"a.txt": b"1"})
    world.preserve()
    settings = world.home / SETTINGS_FILE
    settings.write_text(settings.read_text() + THIRD.replace("required = false\n", ""))
    world.settings = type(world.settings).load(world.home)
    world.restart()
    archive = world.archive
    assert [view.state for view in archive.stores.views()] == ["member", "member", "new"]
    assert world.deposit({"b.txt": b"2"}).stores == ("one", "two")

    payment = archive.stores.add("three", actor=OPERATOR, progress=silent)
    assert (payment.owed, payment.error) == (0, None)
    assert ids(world, "three") == ids(world, "one")
    assert world.deposit({"c.txt": b"3"}).stores == ("one", "two", "three")
    with pytest.raises(ConflictError, match="drain"):
        archive.stores.retire("one", lost=False, actor=OPERATOR, progress=silent)
    archive.stores.drain("one", actor=OPERATOR, progress=silent)
    assert world.deposit({"d.txt": b"4"}).stores == ("two", "three")
    archive.stores.retire("one", lost=False, actor=OPERATOR, progress=silent)
    world.store("one").rename(tmp_path / "gone")
    world.preserve()
    assert world.read(told.poid, "a.txt") == b"1"
    assert world.audit().findings == []
    with pytest.raises(ConflictError, match="another name"):
        archive.stores.add("one", actor=OPERATOR, progress=silent)
    archive.close()


def test_comparing_names_what_is_missing_and_what_differs(world: World) -> None:
    """An object that one store lost, a version that another lacks."""
    told = world.deposit({"a.txt": b"1"})
    other = world.deposit({"b.txt": b"2"})
    world.preserve()
    assert world.archive.stores.compare(silent).same
    (root,) = [root for root in world.archive.copies.roots if root.store.name == "two"]
    root.store.purge_object(root.object_path(f"urn:trusted-archive:{told.poid}"))
    unplug(world, "three")
    world.update(other.poid, {"b.txt": b"3"})
    plug(world, "three")
    found = world.archive.stores.compare(silent)

    assert not found.same
    assert found.missing["one"] == []
    assert found.missing["two"] == [f"urn:trusted-archive:{told.poid}"]
    assert f"urn:trusted-archive:{other.poid}" in found.missing["three"]


_DYING = """
import os, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from api.settings import ArchiveSettings
from api.wiring import build_archive
from archive_core import debts
from archive_core.archive import silent
from tests.world import OPERATOR, SteppingClock

debts.TOGETHER = 3
home, writes, when, minutes = sys.argv[1:]
clock = SteppingClock(datetime.now(UTC) + timedelta(minutes=int(minutes)))
archive = build_archive(ArchiveSettings.load(Path(home)), clock=clock)
(root,) = [root for root in archive.copies.known if root.store.name == "three"]
real, left = root.store.put_objects, [int(writes)]

def put_objects(objects):
    left[0] -= 1
    if when == "after" or left[0] > 0:
        real(objects)
    if left[0] <= 0:
        os.kill(os.getpid(), signal.SIGKILL)

root.store.put_objects = put_objects
archive.stores.add("three", actor=OPERATOR, progress=silent)
"""


@pytest.mark.slow
def test_filling_a_store_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    """Killed before and after a group of copies is written, it loses nothing and copies nothing twice in the end."""
    world = World(tmp_path)
    for number in range(12):
        world.deposit({"a.txt": b"%d" % number})
    world.preserve()
    settings = world.home / SETTINGS_FILE
    settings.write_text(settings.read_text() + THIRD)
    world.archive.close()
    held = []
    for minutes, (writes, when) in enumerate(((1, "before"), (1, "after"), (2, "before"), (2, "after")), 1):
        words = [sys.executable, "-c", _DYING, str(world.home), str(writes), when, str(5 * minutes)]
        done = subprocess.run(words, cwd=REPOSITORY, check=False, capture_output=True, timeout=120)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        held.append(len(list((world.home / "stores" / "three").rglob("0=ocfl_object_1.1"))))
    assert held == sorted(held)
    assert held[-1] > 0
    world.settings = type(world.settings).load(world.home)
    world.clock.advance(hours=1)
    world.archive = world.open()
    assert world.archive.stores.add("three", actor=OPERATOR, progress=silent).owed == 0
    assert world.archive.stores.compare(silent).same
    assert world.audit().findings == []
    world.archive.close()


def test_what_was_destroyed_is_copied_nowhere(world: World) -> None:
    """A store that was away gets the tombstone and not the object."""
    unplug(world, "three")
    told = world.deposit({"a.txt": b"1"})
    world.preserve()
    world.archive.destroy(told.poid, reason="a test", actor=OPERATOR)
    plug(world, "three")
    pay(world)

    assert f"urn:trusted-archive:{told.poid}" not in ids(world, "three")
    assert f"urn:trusted-archive:ts{told.poid}" in ids(world, "three")
    assert world.archive.stores.compare(silent).same


def test_a_debt_that_grows_while_it_is_paid_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that comes between the copying and the forgetting of the debt skips the store, because it owes the
    object; then it still owes it. Found by the chaos soak: the newest version stayed on two stores only."""
    unplug(world, "three")
    told = world.deposit({"a.txt": b"before"})
    plug(world, "three")
    forget = world.archive.catalogue.paid_copies

    def late(store: str, debts: Iterable[CopyDebt]) -> None:
        monkeypatch.setattr(world.archive.catalogue, "paid_copies", forget)
        world.update(told.poid, {"a.txt": b"after"})
        forget(store, debts)

    monkeypatch.setattr(world.archive.catalogue, "paid_copies", late)
    world.archive.debts.pay(silent)

    assert world.archive.catalogue.owing_copies([storage_object_for(told.poid)]) == {
        ("three", storage_object_for(told.poid))
    }
    pay(world)
    assert world.audit().findings == []


@pytest.mark.parametrize("judge", ["audit", "fixity", "repair"])
def test_a_debt_that_is_paid_while_somebody_looks_is_no_damage(
    world: World, monkeypatch: pytest.MonkeyPatch, judge: str
) -> None:
    """Whoever saw the copy missing and then asks who owes it hears of nobody any more: it looks again. Found by the
    chaos soak: audits reported objects as missing that were copied a moment later."""
    unplug(world, "three")
    world.deposit({"a.txt": b"first"})
    plug(world, "three")
    owing = world.archive.catalogue.owing_copies

    def paid_meanwhile(objects: Iterable[str]) -> set[tuple[str, str]]:
        monkeypatch.setattr(world.archive.catalogue, "owing_copies", owing)
        pay(world)
        return owing(objects)

    monkeypatch.setattr(world.archive.catalogue, "owing_copies", paid_meanwhile)
    if judge == "audit":
        assert world.audit().findings == []
    elif judge == "fixity":
        assert world.archive.fixity.run(actor=OPERATOR, anew=True, progress=silent).audit.findings == []
    else:
        repaired = world.archive.repair(actor=OPERATOR, dry_run=False)
        assert (repaired.findings, repaired.repaired) == ([], [])
    assert world.archive.catalogue.owed_copies() == []
    told = world.archive.catalogue.events_about("store-three")
    assert [row.code for row in told if row.type == str(EventType.FIXITY_CHECK) and row.outcome == "failure"] == []


def test_a_missing_copy_that_nobody_owes_is_damage_however_often_one_looks(world: World) -> None:
    """The second look excuses nothing."""
    told = world.deposit({"a.txt": b"first"})
    shutil.rmtree(next(path for path in world.store("three").rglob(f"*{told.poid}") if path.is_dir()))
    assert {(entry.store, entry.code) for entry in world.audit().findings} == {("three", "OBJECT_MISSING")}


@pytest.mark.parametrize("versions", [1, 2])
def test_repair_leaves_to_the_payment_what_is_owed(world: World, versions: int) -> None:
    """A sound copy that lacks its newest versions is noted; once a byte of it is wrong it is repaired whole."""
    told = world.deposit({"a.txt": b"before"}) if versions == 2 else None
    unplug(world, "three")
    if told is None:
        told = world.deposit({"a.txt": b"after"})
    else:
        world.update(told.poid, {"a.txt": b"after"})
    plug(world, "three")

    left = world.archive.repair([told.poid], actor=OPERATOR, dry_run=False)
    assert (left.findings, left.repaired) == ([], [])
    assert [(entry.store, entry.code) for entry in left.notes] == [("three", "COPY_OWED")]
    if versions == 2:
        (file,) = [path for path in world.files("three", "v1/content/data/a.txt") if told.poid in str(path)]
        file.write_bytes(b"befoul")
        mended = world.archive.repair([told.poid], actor=OPERATOR, dry_run=False)
        assert {one.path.rpartition(told.poid)[2] for one, _ in mended.repaired} >= {"/v1/content/data/a.txt"}
        assert file.read_bytes() == b"before"
    pay(world)
    assert world.audit().findings == []


@pytest.mark.parametrize("judge", ["audit", "fixity", "repair"])
def test_a_directory_that_a_write_has_just_made_is_no_damage(world: World, judge: str) -> None:
    """While somebody deposits it is left alone and noted; afterwards it is cleared. Found by the chaos soak: a repair
    took away directories of deposits under way, and called them strays."""
    world.deposit({"a.txt": b"first"})
    made = world.store("one") / "zz" / "yy"
    made.mkdir(parents=True)
    at = datetime.now(UTC)
    claim = world.archive.catalogue.claim("o", None, "", "0" * 31 + "1", 1, b"{}", at)
    if judge == "audit":
        audited = world.audit()
        assert (audited.findings, [one.code for one in audited.notes]) == ([], ["DIRECTORY_EMPTY"] * 2)
    elif judge == "fixity":
        read = world.archive.fixity.run(actor=OPERATOR, anew=True, progress=silent).audit
        assert (read.findings, [one.code for one in read.notes]) == ([], ["DIRECTORY_EMPTY"])
    else:
        repaired = world.archive.repair(actor=OPERATOR, dry_run=False)
        assert (repaired.findings, repaired.repaired) == ([], [])
    assert made.is_dir()

    assert world.archive.catalogue.abandon_claim(claim)
    assert world.audit().findings == []
    assert not made.exists()


@pytest.mark.parametrize("judge", ["audit", "fixity", "repair"])
@pytest.mark.parametrize(("versions", "harm"), [(1, "gone"), (2, "gone"), (2, "before"), (2, "other")])
def test_a_head_without_its_sidecar_is_owed_where_the_store_owes(
    world: World, judge: str, versions: int, harm: str
) -> None:
    """What a write leaves that was broken off between a root inventory and its sidecar is no damage while the store
    owes the object; a sidecar that says anything else is. In a bucket the heads of a group are written side by side,
    so that a kill can leave some of them so at once."""
    told = world.deposit({"a.txt": b"first"})
    if versions == 2:
        world.update(told.poid, {"a.txt": b"second"})
    (folder,) = (path for path in world.store("three").rglob(f"*{told.poid}") if path.is_dir())
    sidecar = folder / "inventory.json.sha512"
    good = sidecar.read_bytes()
    sidecar.unlink()
    if harm != "gone":
        before = (folder / "v1" / sidecar.name).read_bytes()
        sidecar.write_bytes(before if harm == "before" else before.translate(bytes.maketrans(b"0a", b"a0")))

    assert {entry.code for entry in world.audit().findings} == {"E058" if harm == "gone" else "E060"}
    world.archive.copies.owe("three", [storage_object_for(told.poid)], "the process ended")
    if judge == "repair":
        done = world.archive.repair([told.poid], actor=OPERATOR, dry_run=False)
        wrong, notes = [one for one, _ in done.repaired], done.notes
    else:
        run = world.archive.fixity.run(actor=OPERATOR, anew=True, progress=silent).audit
        found = world.audit() if judge == "audit" else run
        wrong, notes = list(found.findings), found.notes
    assert [entry.store for entry in wrong] == (["three"] if harm == "other" else [])
    assert ("COPY_OWED" in {entry.code for entry in notes}) == (harm != "other")
    pay(world)
    assert sidecar.read_bytes() == good
    assert world.audit().findings == []
