"""The main job on real parts: deposit, two copies, seal, stamp, proof, give back; SQLite and PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core.errors import (
    ConcurrentChangeError,
    EvidencePendingError,
    FixityError,
    IdempotencyConflictError,
    SubmissionError,
    UnknownObjectError,
)
from archive_core.findings import Verdict
from archive_core.lifecycle import Actor, Status
from tests.sampling import quick_first
from tests.world import OPERATOR, World

BIG = bytes(range(256)) * 4 * 1024 * 10  # 10 MiB: three chunks


@pytest.fixture(params=quick_first(["sqlite", "postgresql"]))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A whole archive, on each of the two databases."""
    url = "sqlite:///catalogue.sqlite3" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    made = World(tmp_path, url)
    yield made
    made.archive.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """A whole archive on SQLite, for what does not depend on the database."""
    made = World(tmp_path)
    yield made
    made.archive.close()


def test_what_was_deposited_is_proven_and_given_back_from_either_store_alone(world: World) -> None:
    """Deposit, update and a second profile survive the loss of the database, from either store."""
    first = world.deposit({"a.txt": b"alpha", "sub/b.txt": b"beta"}, metadata=b'{"title": "\xc5\xbd\xc3\xa1dost"}')
    second = world.deposit({"empty": b""}, profile="redundant-1")
    big = world.deposit({"big.bin": BIG})
    world.preserve()
    world.update(first.poid, {"a.txt": b"alpha", "c.txt": b"gamma"})
    world.preserve()
    late = world.deposit({"late.txt": b"not evidenced yet"})
    world.archive.flush_trail()

    assert Status.REPLICATED is world.archive.show(late.poid, actor=OPERATOR).status
    assert [file.line for file in world.archive.evidence(second.poid, actor=OPERATOR)] == ["sha3-512", "sha512"]
    assert BIG[4_000_000:9_000_000] == world.read(big.poid, "big.bin", start=4_000_000, stop=9_000_000)
    world.check("one", "two")


def test_a_rebuilt_catalogue_says_what_the_lost_one_said(world: World) -> None:
    """Listing, receipts, records and traces are the same after a rebuild from either store."""
    for number in range(5):
        world.deposit({"f": b"%d" % number}, key=f"key-{number}")
    world.preserve()
    world.archive.flush_trail()
    poids = list(world.told)
    before = [
        [view.to_json() for view in world.archive.objects(actor=OPERATOR)],
        [world.archive.trace(poid, actor=OPERATOR) for poid in poids],
    ]
    for store in ("one", "two"):
        archive, report = world.rebuilt(store)
        after = [
            [view.to_json() for view in archive.objects(actor=OPERATOR)],
            [archive.trace(poid, actor=OPERATOR) for poid in poids],
        ]
        records = [archive.evidence(poid, actor=OPERATOR) for poid in poids]
        receipts = [archive.receipt(poid, actor=OPERATOR) for poid in poids]
        archive.close()

        assert report.findings == ()
        assert before == after
        assert records == [world.archive.evidence(poid, actor=OPERATOR) for poid in poids]
        assert receipts == [world.archive.receipt(poid, actor=OPERATOR) for poid in poids]


def test_the_same_key_gives_the_same_object_and_other_bytes_a_conflict(world: World) -> None:
    """A retry is answered as the first time; a key used for something else is a conflict."""
    told = world.deposit({"a": b"1"}, key="žluťoučký kůň")
    again = world.deposit({"a": b"1"}, key="žluťoučký kůň")

    assert (told.poid, True) == (again.poid, again.replayed)
    with pytest.raises(IdempotencyConflictError):
        world.deposit({"a": b"2"}, key="žluťoučký kůň")
    assert len(world.archive.objects(actor=OPERATOR)) == 1


def test_an_interrupted_deposit_is_finished_by_its_retry_under_the_same_poid(world: World, monkeypatch) -> None:
    """The second store fails; the retry completes the very same package."""
    root = world.archive.copies.roots[1]
    real = root.write_versions
    monkeypatch.setattr(
        root, "write_versions", lambda packages: (_ for _ in ()).throw(FixityError("broken on purpose"))
    )
    with pytest.raises(FixityError):
        world.deposit({"a": b"1"}, key="k")
    monkeypatch.setattr(root, "write_versions", real)
    held = world.archive.catalogue.find_key("default", "k")
    assert held is not None
    told = world.deposit({"a": b"1"}, key="k")

    assert held.poid == told.poid
    world.preserve()
    world.check()


def test_a_keyless_deposit_that_lost_its_process_is_adopted_by_audit(small: World, monkeypatch) -> None:
    """What both stores hold and the catalogue does not is entered, with a note and no finding."""
    monkeypatch.setattr(
        small.archive.catalogue, "enter_versions", lambda *_: (_ for _ in ()).throw(SystemExit("killed on purpose"))
    )
    with pytest.raises(SystemExit):
        small.deposit({"a": b"orphan"})
    small.restart()
    small.clock.advance(hours=1)
    result = small.audit()

    assert result.findings == []
    assert [note.code for note in result.notes] == ["CLAIM_SETTLED"]
    (view,) = small.archive.objects(actor=OPERATOR)
    assert small.read(view.poid, "a") == b"orphan"


def test_a_batch_that_lost_its_process_before_the_stamp_is_stamped_later(world: World) -> None:
    """With the TSA away objects stay replicated; its return needs nobody but the next round."""
    switch = world.switch()
    switch.away = True
    told = world.deposit({"a": b"1"})
    (view,) = world.archive.preserve(actor=OPERATOR)
    assert view.error is not None
    with pytest.raises(EvidencePendingError):
        world.archive.evidence(told.poid, actor=OPERATOR)
    world.restart()
    (view,) = world.archive.preserve(actor=OPERATOR)

    assert (view.number, view.error) == (1, None)
    world.check()


def test_a_sealed_batch_that_the_catalogue_never_heard_of_is_adopted(small: World, monkeypatch) -> None:
    """The process dies between the stores and the catalogue; the next one goes on with that batch."""
    small.deposit({"a": b"1"})
    monkeypatch.setattr(
        small.archive.catalogue, "enter_batch", lambda *_: (_ for _ in ()).throw(SystemExit("killed on purpose"))
    )
    with pytest.raises(SystemExit):
        small.archive.preserve(actor=OPERATOR)
    small.restart()
    small.clock.advance(minutes=5)
    views = small.archive.preserve(actor=OPERATOR)

    assert [(view.number, view.error) for view in views] == [(1, None)]
    small.check()


def test_one_damaged_copy_is_named_and_the_other_served(small: World) -> None:
    """A flipped byte in one store: audit names store, path and code; readers get right bytes."""
    told = small.deposit({"a.txt": b"precious", "big.bin": BIG})
    small.preserve()
    for ending in ("data/a.txt", "data/big.bin"):
        (path,) = small.files("one", ending)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.chmod(0o644)
        path.write_bytes(content)

    assert small.read(told.poid, "a.txt") == b"precious"
    assert small.read(told.poid, "big.bin") == BIG
    assert Verdict.PASSED is small.archive.verify(told.poid, actor=OPERATOR).verdict
    found = {(entry.store, entry.path.rpartition("/")[2], entry.code) for entry in small.audit().findings}
    assert {("one", "a.txt", "E092"), ("one", "big.bin", "E092")} == found


def test_damage_of_all_copies_is_an_error_and_never_wrong_bytes(small: World) -> None:
    """With no good copy left reading stops with a precise error and verification says FAILED."""
    told = small.deposit({"a.txt": b"precious"})
    small.preserve()
    for store in ("one", "two"):
        (path,) = small.files(store, "data/a.txt")
        path.chmod(0o644)
        path.write_bytes(b"Precious")

    with pytest.raises(FixityError):
        small.read(told.poid, "a.txt")
    assert Verdict.FAILED is small.archive.verify(told.poid, actor=OPERATOR).verdict
    assert {"one", "two", "one, two"} == {entry.store for entry in small.audit().findings}


def test_an_object_that_one_store_lost_is_a_finding_and_not_adopted(small: World) -> None:
    """A missing object is damage: it is named for that store and left to repair."""
    told = small.deposit({"a.txt": b"precious"})
    small.preserve()
    (path,) = small.files("two", f"{told.poid}/inventory.json")
    shutil.rmtree(path.parent)

    assert small.read(told.poid, "a.txt") == b"precious"
    assert ("two", "OBJECT_MISSING") in {(entry.store, entry.code) for entry in small.audit().findings}


def test_organisations_do_not_see_each_other(small: World) -> None:
    """Another organisation's object is answered exactly like one that never was."""
    told = small.deposit({"a": b"1"}, originator="00111111")
    stranger = Actor("key-x", "depositor", "00222222")
    with pytest.raises(UnknownObjectError) as of_other:
        small.archive.show(told.poid, actor=stranger)
    with pytest.raises(UnknownObjectError) as of_none:
        small.archive.show("0" * 12 + "7" + "0" * 3 + "8" + "0" * 15, actor=stranger)

    assert str(of_other.value) == str(of_none.value)
    assert small.archive.objects(actor=stranger) == []


def test_two_processes_updating_at_once_make_one_next_version(small: World) -> None:
    """Both read version 1; one makes version 2, the other is told to read again."""
    told = small.deposit({"a": b"1"})
    other = small.open()
    head = other.catalogue.version(told.poid)
    other.catalogue.version = lambda *_, **__: head  # type: ignore[method-assign]
    small.update(told.poid, {"a": b"2"})
    with pytest.raises(ConcurrentChangeError):
        other.update(told.poid, small.submission({"a": b"3"}), actor=OPERATOR)
    other.close()

    assert small.archive.show(told.poid, actor=OPERATOR).version == 2


@pytest.mark.parametrize(
    "name",
    ["", "/abs", "../up", "a/../b", "a//b", "a\x00b", "a\nb", "back\\slash", "nul", "COM1.txt", "x" * 256, "\ud800"],
)
def test_a_name_that_cannot_be_kept_is_refused_and_nothing_is_stored(small: World, name: str) -> None:
    """Hostile and unkeepable names are refused before anything is written."""
    before = len(small.files("one", ""))
    with pytest.raises(SubmissionError):
        small.deposit({name: b"1"})

    assert before == len(small.files("one", ""))
    assert [row.type for row in small.archive.catalogue.pending_events()] == ["refusal"]


@pytest.mark.parametrize("pair", [("a", "A"), ("\u00e9", "e\u0301"), ("a", "a/b")])
def test_names_that_would_clash_elsewhere_are_refused(small: World, pair: tuple[str, str]) -> None:
    """Case, Unicode form and folder clashes are refused; nothing is stored."""
    with pytest.raises(SubmissionError):
        small.deposit({pair[0]: b"1", pair[1]: b"2"})

    assert small.archive.objects(actor=OPERATOR) == []


@pytest.mark.parametrize(
    "ending", ["/inventory.json", "/inventory.json.sha512", "description.json", "0=ocfl_object_1.1"]
)
@pytest.mark.parametrize("harm", quick_first(["flip", "truncate", "delete"]))
def test_harm_to_any_file_of_an_acknowledged_object_is_a_finding(small: World, ending: str, harm: str) -> None:
    """What was acknowledged is never taken for a crash leftover, however much it looks like one."""
    told = small.deposit({"a.txt": b"precious"})
    small.preserve()
    path = next(path for path in small.files("one", ending) if told.poid in str(path))
    path.chmod(0o644)
    content = path.read_bytes()
    if harm == "delete":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if harm == "truncate" else bytes([content[0] ^ 1]) + content[1:])
    small.clock.advance(days=1)
    result = small.audit()

    assert {"one"} == {entry.store for entry in result.findings}
    assert result.notes == []
    assert small.read(told.poid, "a.txt") == b"precious"
    assert Verdict.PASSED is small.archive.verify(told.poid, actor=OPERATOR).verdict


@pytest.mark.parametrize("kind", quick_first(["profile-basic-1", "algorithms-2026-06", "ba", "tr"], 2))
def test_harm_to_any_file_of_a_system_object_is_a_finding(small: World, kind: str) -> None:
    """Batches, trail segments and published policies are watched like documents."""
    told = small.deposit({"a.txt": b"precious"})
    small.preserve()
    for path in [path for path in small.files("two", "") if f"%3a{kind}" in str(path)]:
        content = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(content + b"x")
        found = small.audit()
        path.write_bytes(content)

        assert {"two"} == {entry.store for entry in found.findings}, path
    assert small.audit().findings == []
    assert Verdict.PASSED is small.archive.verify(told.poid, actor=OPERATOR).verdict
