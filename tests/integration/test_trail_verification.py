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
from archive_core.trail_verification import TrailVerification
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
    made = TrailVerification(catalogue=archive.catalogue, copies=archive.copies, on_damage=lambda *_: None)
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


EDITS = {
    "code": "code = code || 'x'",
    "outcome": "outcome = CASE outcome WHEN 'success' THEN 'failure' ELSE 'success' END",
    "actor": "actor = 'somebody'",
    "time": "recorded_at = '2020-01-01 00:00:00.000000'",
    "no time at all": "recorded_at = 'never'",
    "type": "type = 'deletion'",
    "no type at all": "type = 'wishful thinking'",
    "object": "poid = printf('0199b0c27d3e7bbb8%015x', seq)",
    "version": "version = 77",
    "number within the object": "object_event = 1000 + seq",
    "line": "line = x'7b7d'",
    "leaf hash": "leaf_hash = zeroblob(64)",
    "commitment": "commitment = 'ff' || substr(coalesce(commitment, printf('%0128d', 0)), 3)",
    "detail": """detail = '{"message": "nothing happened"}', detail_nonce = printf('%064d', 0)""",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_row_is_named(world: World, edit: str) -> None:
    """Whatever was changed in it."""
    tamper(world, lambda db: db.execute(f"UPDATE events SET {edit} WHERE seq = 5"))
    ((store, path, code),) = told(world)

    assert (store, path) == ("catalogue", "event 5")
    assert code in ("ROW_EDITED", "ROW_REMOVED")  # a row that cannot be read is none


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


def test_an_erased_detail_is_no_finding(world: World) -> None:
    """It may be erased; that is why it lies beside the chain."""
    tamper(world, lambda db: db.execute("UPDATE events SET detail = NULL, detail_nonce = NULL"))

    assert told(world) == []


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

    assert ("catalogue", "", "TRAIL_NOT_COMPARED") in told(world)


def test_an_archive_without_events_was_not_verified(tmp_path: Path) -> None:
    """Nothing looked at is never good."""
    world = World(tmp_path / "empty")
    codes = {entry.code for entry in verified(world).findings}

    assert "NOTHING_CHECKED" in codes


def test_random_tamperings_are_all_named(world: World) -> None:
    """Each of a third of all rows, in some way, and no row that was left alone."""
    chance = random.Random(7)
    size = verified(world).checked["rows"]
    chosen = chance.sample(range(size), size // 3)

    def act(db: sqlite3.Connection) -> None:
        for seq in chosen:
            edit = chance.choice(sorted(EDITS.values()))
            db.execute(f"UPDATE events SET {edit} WHERE seq = ?", (seq,))

    tamper(world, act)

    assert {path for _, path, _ in told(world)} == {f"event {seq}" for seq in chosen}


MANY, TAMPERED = 1_000_000, 10_000


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_ten_thousand_tamperings_of_a_million_events_are_all_named(tmp_path: Path) -> None:
    """Edited in every way, removed, and nothing else is named."""
    world = World(tmp_path / "many")
    at, chance = world.clock.now(), random.Random(11)
    for start in range(0, MANY, 5000):
        world.archive.catalogue.record_events(
            [
                EventRow(
                    event_id=f"{number:032x}",
                    recorded_at=at,
                    type="validation",
                    outcome="success",
                    code=f"c{number}",
                    actor="counter",
                    poid=f"0199b0c27d3e7aaa8{number % 50_000:015x}",
                    version=1,
                )
                for number in range(start, start + 5000)
            ]
        )
    world.archive.flush_trail()
    assert verified(world).findings == []
    chosen = chance.sample(range(MANY), TAMPERED)
    edits = [
        *(f"UPDATE events SET {edit} WHERE seq = ?" for edit in EDITS.values()),
        "DELETE FROM events WHERE seq = ?",
    ]
    tamper(world, lambda db: [db.execute(edits[n % len(edits)], (seq,)) for n, seq in enumerate(chosen)])

    assert {path for _, path, _ in told(world)} == {f"event {seq}" for seq in chosen}
