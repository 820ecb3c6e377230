"""The trail proven anew: whoever edits, removes, moves, replaces, adds or cuts is named, in stores and catalogue."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from archive_core.archive import silent
from archive_core.audit_result import AuditResult
from archive_core.catalogue.rows import EventRow
from archive_core.holding import Holder
from archive_core.trail.merkle import leaf_hash
from archive_core.trail.segments import SegmentHeader, split_leaves
from archive_core.trail_verification import TrailVerification
from tests.tampering import (
    EDITS,
    FEW,
    MANY,
    Files,
    Segmentwise,
    Trail,
    code_of,
    lines_of,
    make_trail,
    removed,
    rewritten_with_the_head,
    swapped_details,
    tamper_everywhere,
)
from tests.world import OPERATOR, World


@pytest.fixture(scope="module")
def _told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with some dozens of events in two segments."""
    folder = tmp_path_factory.mktemp("trail")
    world = World(folder / "made")
    for number in range(8):
        world.deposit({"a.txt": b"%d" % number})
    world.preserve()
    for view in world.archive.objects(actor=OPERATOR):
        world.archive.verify(view.poid, actor=OPERATOR)
    world.archive.flush_trail()
    world.archive.close()
    return world.folder


@pytest.fixture
def world(_told: Path, tmp_path: Path) -> World:
    """A copy of it, opened."""
    shutil.copytree(_told, tmp_path / "world", symlinks=True)
    return World(tmp_path / "world")


def verified(world: World) -> AuditResult:
    archive = world.archive
    made = TrailVerification(
        catalogue=archive.catalogue,
        copies=archive.copies,
        holder=Holder(archive.catalogue, world.clock),
        on_damage=lambda *_: None,
    )
    return made.run(progress=silent)


def told(world: World) -> list[tuple[str, str, str]]:
    return sorted((entry.store, entry.path, entry.code) for entry in verified(world).findings)


def tamper(world: World, act: Callable[[sqlite3.Connection], object]) -> None:
    with closing(sqlite3.connect(world.home / "catalogue.sqlite3")) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        act(connection)
        connection.commit()


def test_a_trail_that_nobody_touched_is_good(world: World) -> None:
    """Every event in both stores, every row; sealed heads were compared."""
    found = verified(world)

    assert found.findings == []
    assert found.checked["stores"] == 2
    assert found.checked["events"] == 2 * found.checked["rows"] > 2 * 16
    assert found.checked["segments"] == 4
    assert found.checked["anchors"] == 2
    assert found.checked["pending"] == 0


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_row_is_named(world: World, edit: str) -> None:
    """Whatever was changed in it."""
    tamper(world, lambda db: db.execute(f"UPDATE events SET {EDITS[edit]} WHERE seq = 5"))

    assert told(world) == [("catalogue", "event 5", code_of(edit))]


def test_a_removed_row_is_named(world: World) -> None:
    """And no other one."""
    tamper(world, lambda db: db.execute("DELETE FROM events WHERE seq IN (0, 7)"))

    assert told(world) == [("catalogue", "event 0", "ROW_REMOVED"), ("catalogue", "event 7", "ROW_REMOVED")]


def test_rows_that_changed_places_are_named(world: World) -> None:
    """Both of them."""

    def swap(db: sqlite3.Connection) -> None:
        for old, new in ((3, -3), (4, 3), (-3, 4)):
            db.execute("UPDATE events SET seq = ? WHERE seq = ?", (new, old))

    tamper(world, swap)

    assert told(world) == [("catalogue", "event 3", "ROW_MOVED"), ("catalogue", "event 4", "ROW_MOVED")]


def test_a_row_in_the_place_of_another_is_named(world: World) -> None:
    """One that was recorded and never chained, with a number that was another's; and one behind the end."""
    size = verified(world).checked["rows"]
    rows = [
        EventRow(event_id=f"{n:032x}", recorded_at=world.clock.now(), type="validation", outcome="success", code="x")
        for n in range(2)
    ]
    world.archive.catalogue.record_events(rows)

    def place(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM events WHERE seq = 6")
        line = "line = x'00', leaf_hash = zeroblob(64)"
        db.execute(f"UPDATE events SET seq = 6, {line} WHERE event_id = ?", (rows[0].event_id,))
        db.execute(f"UPDATE events SET seq = ?, {line} WHERE event_id = ?", (size, rows[1].event_id))

    tamper(world, place)

    assert told(world) == [("catalogue", f"event {size}", "ROW_ADDED"), ("catalogue", "event 6", "ROW_REPLACED")]


def test_a_detail_that_a_row_lacks_is_named_unless_it_was_erased(world: World) -> None:
    """It may be erased; that is why it lies beside the chain. Then no store holds it."""
    tamper(world, lambda db: db.execute("UPDATE events SET detail = NULL, detail_nonce = NULL"))
    assert {code for _, _, code in told(world)} == {"ROW_DETAIL_REMOVED"}
    for store in ("one", "two"):
        for path in world.store(store).rglob("*%3atd*"):
            shutil.rmtree(path)
    assert told(world) == []


def test_details_that_a_store_lacks_are_named(world: World) -> None:
    """As long as another has them, or the catalogue."""
    path, *_ = sorted(world.store("two").rglob("*%3atd*"))
    shutil.rmtree(path)
    ((store, place, code),) = told(world)
    assert (store, code) == ("two", "TRAIL_DETAILS_MISSING")
    shutil.rmtree(world.store("one") / path.relative_to(world.store("two")))
    assert {(store, code) for store, _, code in told(world)} == {("catalogue", "ROW_DETAIL_ALONE")}
    assert place == f"segment {int(path.name[-10:])}"


def test_a_cut_trail_is_named(world: World) -> None:
    """A store that lacks the last segment is behind; both without it are shorter than what was sealed."""
    last = max(row.number for row in world.archive.catalogue.segments())
    for store in ("one", "two"):
        for path in world.store(store).rglob(f"*tr{last:010d}"):
            shutil.rmtree(path)
        codes = {(entry.store, entry.code) for entry in verified(world).findings}
        if store == "one":
            assert codes == {("one", "TRAIL_BEHIND")}
    assert ("catalogue", "ROW_ADDED") in codes


def test_an_edited_segment_is_named_and_rows_are_compared_with_the_other_store(world: World) -> None:
    """Line and event stand in the finding."""
    (path, *_) = sorted(world.files("one", "events.jsonl"))
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content.replace(b'"success"', b'"failure"', 1))
    tamper(world, lambda db: db.execute("UPDATE events SET code = 'other' WHERE seq = 2"))
    found = told(world)

    assert ("catalogue", "event 2", "ROW_EDITED") in found
    assert {store for store, _, _ in found} == {"one", "catalogue"}


def test_without_a_sound_store_nothing_is_said_of_the_rows(world: World) -> None:
    """And that is a finding."""
    for store in ("one", "two"):
        for path in world.files(store, "events.jsonl"):
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:-10])

    assert {("catalogue", f"segment {number}", "TRAIL_NOT_COMPARED") for number in (1, 2)} <= set(told(world))


def test_an_archive_without_events_was_not_verified(tmp_path: Path) -> None:
    """Nothing looked at is never good."""
    world = World(tmp_path / "empty")
    codes = {entry.code for entry in verified(world).findings}

    assert "NOTHING_CHECKED" in codes


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    """A few segments, thrice sealed; who changes it puts it back."""
    return make_trail(tmp_path_factory.mktemp("short") / "world", 1200, at_once=200)


@pytest.mark.parametrize("adapted", [False, True], ids=["", "with the store's own digests"])
@pytest.mark.parametrize("act", dict.fromkeys([*MANY, *FEW]), ids=lambda act: act.__name__)
def test_each_tampering_with_a_segment_is_named_alone(trail: Trail, act: Segmentwise, adapted: bool) -> None:
    """By its place and kind; nothing else is accused."""
    files = Files(trail, "two", trail.own[2])
    try:
        named = act(files, random.Random(5), 3, adapted=adapted)
        assert sorted(trail.told().elements()) == sorted(named)
    finally:
        files.undo()
    assert not trail.told()


def test_whoever_writes_a_store_anew_is_caught_by_the_other_and_by_the_seals(trail: Trail) -> None:
    """Everything from one event on, flawless in itself: the stores differ from there, and sealed heads do not fit; in
    both stores alike the sealed heads are what is left, and the rows."""
    first = trail.own[2]
    made = {store: rewritten_from(trail, store, first.number) for store in ("one", "two")}
    try:
        of_both = set(trail.told())
        assert {(store, "TRAIL_ANCHOR_MISMATCH") for store in made} <= {(store, code) for store, _, code in of_both}
        assert ("catalogue", f"event {first.first + 7}", "ROW_EDITED") in of_both
        for files in made["one"]:
            files.undo()
        of_two = set(trail.told())
        assert ("two", f"segment {first.number}", "TRAIL_STORES_DIFFER") in of_two
        assert ("two", f"segment {first.number}, line 8, event {first.first + 7}", "TRAIL_EVENT_EDITED") in of_two
        assert {store for store, *_ in of_two} == {"two"}
    finally:
        for files in (*made["one"], *made["two"]):
            files.undo()


def rewritten_from(trail: Trail, store: str, number: int) -> list[Files]:
    """One event of a segment changed, and every leaf hash and head from there on made to fit."""
    changed, previous = [], next(one for one in trail.segments if one.number == number - 1)
    for header in trail.segments[number - 1 :]:
        files = Files(trail, store, header)
        if header.number == number:
            lines = files.read("events.jsonl").splitlines(keepends=True)
            lines[7] = lines[7].replace(b'"outcome":"success"', b'"outcome":"failure"')
            files.write("events.jsonl", b"".join(lines), adapted=True)
            leaves = split_leaves(files.read("leaves.bin"))
            leaves[7] = leaf_hash(lines[7][:-1])
            files.write("leaves.bin", b"".join(leaves), adapted=True)
        frontier = previous.frontier.extended(split_leaves(files.read("leaves.bin")))
        previous = SegmentHeader(header.number, header.first, frontier, previous.head)
        files.write("segment.json", previous.to_bytes(), adapted=True)
        changed.append(files)
    return changed


@pytest.mark.slow
def test_random_tamperings_of_forty_thousand_events_are_all_named(tmp_path: Path) -> None:
    """Six hundred at once, in rows and in both stores, of every kind; and nothing that was left alone."""
    trail = make_trail(tmp_path / "many", 40_000, at_once=800)
    assert not trail.told()
    done = tamper_everywhere(trail, random.Random(7), 600)

    assert done.count >= 600
    assert trail.told() == done.named


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_ten_thousand_tamperings_of_a_million_events_are_all_named(tmp_path: Path) -> None:
    """The same; some are first tried one by one."""
    trail = make_trail(tmp_path / "many", 1_000_000)
    began = trail.verified()
    assert began.findings == []
    assert began.checked["rows"] >= 1_000_000
    for turn, act in enumerate((lines_of, swapped_details, rewritten_with_the_head, removed)):
        files = Files(trail, "one" if turn % 2 else "two", trail.own[turn])
        named = act(files, random.Random(turn), 1, adapted=turn % 4 < 2)
        assert sorted(trail.told().elements()) == sorted(named), act.__name__
        files.undo()
    done = tamper_everywhere(trail, random.Random(11), 10_000)

    assert done.count >= 10_000
    assert trail.told() == done.named
