"""Long trails made by the product itself, and tamperings with them, each with what must be said of it.

The rules this module keeps
 * Events come into the trail through the recorder and the sequencer of the archive, sealed statements through its
   batches. Only what an intruder does goes past them, to the files and to the database.
 * Each tampering says which store or catalogue, which place and which code must be named for it. Tamperings lie so far
   apart that each is named by itself, and in some segments the intruder adapts the store's own digests.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from archive_core.archive import silent
from archive_core.audit_result import AuditResult
from archive_core.holding import Holder
from archive_core.journal import event_row
from archive_core.trail.events import Detail, Event, EventType, Outcome, new_event
from archive_core.trail.merkle import Frontier, leaf_hash
from archive_core.trail.segments import SegmentHeader, split_leaves, split_lines
from archive_core.trail_verification import TrailVerification
from tests.world import CATALOGUE, World

Named = tuple[str, str, str]
"""Store or `catalogue`, place, code."""

GAP = 8
"""Lines between two tamperings, so that each is told apart from its neighbour."""

EVERY_DETAILED = 5
"""One event in so many has a detail."""

AT = datetime(2026, 3, 1, tzinfo=UTC)
KINDS = [EventType.ACCESS, EventType.DISSEMINATION, EventType.VALIDATION, EventType.FIXITY_CHECK]


@dataclass
class Trail:
    """A world with a long trail, and where it lies. `segments` are all of it, `own` those that hold nothing but events
    that were recorded here."""

    world: World
    segments: list[SegmentHeader]
    own: list[SegmentHeader]
    places: dict[str, dict[str, Path]] = field(default_factory=dict)

    def verified(self) -> AuditResult:
        archive = self.world.archive
        holder = Holder(archive.catalogue, self.world.clock)
        made = TrailVerification(
            catalogue=archive.catalogue, copies=archive.copies, holder=holder, on_damage=lambda *_: None
        )
        return made.run(progress=silent)

    def told(self) -> Counter[Named]:
        return Counter((entry.store, entry.path, entry.code) for entry in self.verified().findings)

    def place(self, store: str, name: str) -> Path:
        """The directory of a trail object (`tr…`, `td…`) in a store."""
        if store not in self.places:
            found = {}
            for folder, names, _ in os.walk(self.world.store(store)):
                found |= {one.rpartition("%3a")[2]: Path(folder, one) for one in names if "%3at" in one}
            self.places[store] = found
        return self.places[store][name]

    def database(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.world.home / CATALOGUE)
        connection.execute("PRAGMA foreign_keys = OFF")
        return connection


def make_trail(folder: Path, events: int, *, at_once: int = 10_000, seals: int = 3) -> Trail:
    """A trail of so many recorded events and those of some deposits: after each part of them a document is deposited
    and the trail sealed."""
    world = World(folder)
    chance, recorder, own, made = random.Random(17), world.archive._sequencer, set(), 0
    recorder.flush()
    for part in range(seals):
        while made < events * (part + 1) // seals:
            count = min(at_once, events * (part + 1) // seals - made)
            before = {row.number for row in world.archive.catalogue.segments()}
            recorder.record_all([event_row(*_event(number, chance)) for number in range(made, made + count)])
            recorder.flush()
            own |= {row.number for row in world.archive.catalogue.segments()} - before
            made += count
        world.deposit({"a.txt": b"%d" % part})
        world.preserve()
    recorder.flush()
    trail = Trail(world, [], [])
    numbers = [row.number for row in world.archive.catalogue.segments()]
    headers = [trail.place("one", f"tr{number:010d}") / "v1" / "content" / "segment.json" for number in numbers]
    trail.segments = [SegmentHeader.parse(path.read_bytes()) for path in headers]
    trail.own = [one for one in trail.segments if one.number in own]
    return trail


def _event(number: int, chance: random.Random) -> tuple[Event, Detail | None]:
    event, detail = new_event(
        KINDS[number % len(KINDS)],
        Outcome.FAILURE if number % 11 == 0 else Outcome.SUCCESS,
        f"c{number % 97}",
        at=AT + timedelta(milliseconds=number),
        actor=f"key-{chance.randrange(50):016x}",
        poid=f"0199b0c27d3e7aaa8{number // 4:015x}",
        version=1,
        detail={"name": f"Person {number}", "address": "192.0.2.7"} if number % EVERY_DETAILED == 0 else None,
    )
    return event, detail


# -- segments -----------------------------------------------------------------------------------------


@dataclass
class Files:
    """The files of one segment in one store, to be changed and written back."""

    trail: Trail
    store: str
    header: SegmentHeader
    kept: dict[Path, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"segment {self.header.number}"

    def where(self, index: int) -> str:
        return f"{self.name}, line {index + 1}, event {self.header.first + index}"

    def path(self, file: str) -> Path:
        kind = "td" if file == "details.jsonl" else "tr"
        return self.trail.place(self.store, f"{kind}{self.header.number:010d}") / "v1" / "content" / file

    def read(self, file: str) -> bytes:
        return self.path(file).read_bytes()

    def write(self, file: str, data: bytes, *, adapted: bool) -> None:
        """`adapted`: inventory and sidecars say that it was always so."""
        path = self.path(file)
        changes = {path: data}
        if adapted:
            was, now = (hashlib.sha512(one).hexdigest() for one in (self.read(file), data))
            root = path.parents[2]
            for place in (root, root / "v1"):
                inventory = (place / "inventory.json").read_bytes().replace(was.encode(), now.encode())
                changes[place / "inventory.json"] = inventory
                digest = hashlib.sha512(inventory).hexdigest()
                changes[place / "inventory.json.sha512"] = f"{digest} inventory.json\n".encode()
        for changed_path, content in changes.items():
            self.kept.setdefault(changed_path, changed_path.read_bytes())
            changed_path.chmod(0o644)
            changed_path.write_bytes(content)

    def undo(self) -> None:
        for path, content in self.kept.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.kept.clear()

    def remove(self) -> None:
        root = self.path("segment.json").parents[2]
        for path in sorted(root.rglob("*"), reverse=True):
            if path.is_file():
                self.kept[path] = path.read_bytes()
                path.unlink()
            else:
                path.rmdir()
        root.rmdir()


Change = Callable[[bytes, random.Random], bytes]


def _flip(line: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(line) - 1)
    changed = line[place] ^ 1
    return line[:place] + bytes([changed if changed != 10 else line[place] ^ 2]) + line[place + 1 :]


def _parsed(line: bytes, chance: random.Random) -> bytes:
    """A member changed, canonical as before; whose event it is stays."""
    value = json.loads(line)
    member = chance.choice(["actor", "code", "outcome", "time", "type", "version"])
    value[member] = {
        "actor": "key-9999",
        "code": f"{value['code']}x",
        "outcome": "failure" if value["outcome"] == "success" else "success",
        "time": "2020-01-01T00:00:00Z",
        "type": "deletion",
        "version": 77,
    }[member]
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def tamper_lines(
    lines: list[bytes], chance: random.Random, count: int, *, foreign: Change, edits: Sequence[Change]
) -> list[tuple[int, str, int | None]]:
    """Change a list of lines at `count` places. Returns (place, kind, line as found for what was inserted)."""
    room = len(lines) // GAP - 1
    assert count <= room, "the segment is too short for so many"
    places = sorted(GAP * one + 2 for one in chance.sample(range(room), count))
    kinds = ["EDITED", "INSERTED", "DUPLICATED", "REORDERED", "SWAPPED", "REMOVED"]
    chosen = [(place, kinds[(number + chance.randrange(2)) % len(kinds)]) for number, place in enumerate(places)]
    shift, told = 0, []
    for place, kind in chosen:
        told.append((place, kind.replace("SWAPPED", "REORDERED"), place + shift if kind == "INSERTED" else None))
        if kind == "SWAPPED":
            told.append((place + 3, "REORDERED", None))
        shift += {"INSERTED": 1, "DUPLICATED": 1, "REMOVED": -1}.get(kind, 0)
    for place, kind in reversed(chosen):
        if kind == "EDITED":
            lines[place] = chance.choice(edits)(lines[place], chance)
        elif kind == "REMOVED":
            del lines[place]
        elif kind == "INSERTED":
            lines.insert(place, foreign(lines[place], chance))
        elif kind == "DUPLICATED":
            lines.insert(place + 2, lines[place])
        elif kind == "REORDERED":
            lines.insert(place + 3, lines.pop(place))
        else:
            lines[place], lines[place + 3] = lines[place + 3], lines[place]
    return told


def _foreign_event(line: bytes, chance: random.Random) -> bytes:
    return json.dumps({**json.loads(line), "event_id": f"{chance.getrandbits(128):032x}"}, sort_keys=True,
                      separators=(",", ":")).encode() + b"\n"  # fmt: skip


def lines_of(files: Files, chance: random.Random, count: int, *, adapted: bool) -> list[Named]:
    """Events edited, removed, inserted, repeated, moved and exchanged."""
    lines = split_lines(files.read("events.jsonl"))
    told = tamper_lines(lines, chance, count, foreign=_foreign_event, edits=(_flip, _parsed))
    files.write("events.jsonl", b"".join(lines), adapted=adapted)
    return [
        (
            files.store,
            files.where(place)
            if found is None
            else f"{files.name}, line {found + 1}, event {files.header.first + place}",
            f"TRAIL_EVENT_{kind}",
        )
        for place, kind, found in told
    ]


def details_of(files: Files, chance: random.Random, count: int, *, adapted: bool) -> list[Named]:
    """Details edited, removed, inserted, repeated, moved and exchanged."""
    lines, events = split_lines(files.read("details.jsonl")), split_lines(files.read("events.jsonl"))
    index = {json.loads(line)["event_id"]: number for number, line in enumerate(events)}
    of = [index[json.loads(line)["event_id"]] for line in lines]

    def edited(line: bytes, _: random.Random) -> bytes:
        return line.replace(b'"Person ', b'"Nobody ')

    def foreign(line: bytes, some: random.Random) -> bytes:
        return line.replace(line.split(b'"event_id":"')[1][:32], b"%032x" % some.getrandbits(128))

    told = tamper_lines(lines, chance, count, foreign=foreign, edits=(edited,))
    files.write("details.jsonl", b"".join(lines), adapted=adapted)
    return [
        (
            files.store,
            files.where(of[place]) if found is None else f"{files.name}, details.jsonl, line {found + 1}",
            f"TRAIL_DETAIL_{kind}",
        )
        for place, kind, found in told
    ]


def swapped_details(files: Files, chance: random.Random, count: int, *, adapted: bool) -> list[Named]:
    """What is said of two events exchanged, each under the id of the other."""
    lines, events = split_lines(files.read("details.jsonl")), split_lines(files.read("events.jsonl"))
    index = {json.loads(line)["event_id"]: number for number, line in enumerate(events)}
    told = []
    for place in chance.sample(range(0, len(lines) - 2, 2), count):
        one, two = (json.loads(line) for line in lines[place : place + 2])
        told += [(files.store, files.where(index[each["event_id"]]), "TRAIL_DETAIL_EDITED") for each in (one, two)]
        one["event_id"], two["event_id"] = two["event_id"], one["event_id"]
        lines[place : place + 2] = [
            json.dumps(each, sort_keys=True, separators=(",", ":")).encode() + b"\n" for each in (two, one)
        ]
    files.write("details.jsonl", b"".join(lines), adapted=adapted)
    return told


def leaves_of(files: Files, chance: random.Random, count: int, *, adapted: bool) -> list[Named]:
    """Bits of leaf hashes."""
    leaves = bytearray(files.read("leaves.bin"))
    chosen = chance.sample(range(len(leaves) // 64), count)
    for place in chosen:
        leaves[64 * place + chance.randrange(64)] ^= 1 << chance.randrange(8)
    files.write("leaves.bin", bytes(leaves), adapted=adapted)
    return [(files.store, files.where(place), "TRAIL_LEAF_EDITED") for place in chosen]


def rewritten(files: Files, chance: random.Random, count: int, *, adapted: bool) -> list[Named]:
    """Events edited together with their leaf hashes."""
    lines, leaves = split_lines(files.read("events.jsonl")), split_leaves(files.read("leaves.bin"))
    chosen = chance.sample(range(len(lines)), count)
    for place in chosen:
        lines[place] = _parsed(lines[place], chance)
        leaves[place] = leaf_hash(lines[place][:-1])
    files.write("events.jsonl", b"".join(lines), adapted=adapted)
    files.write("leaves.bin", b"".join(leaves), adapted=adapted)
    named = [(files.store, files.where(place), "TRAIL_EVENT_EDITED") for place in chosen]
    return [(files.store, files.name, "TRAIL_HEAD_MISMATCH"), *named]


def rewritten_with_the_head(files: Files, chance: random.Random, count: int, *, adapted: bool) -> list[Named]:
    """Events, leaf hashes and the segment's own header: the next segment tells, and the other store, or each file's
    digest."""
    named = rewritten(files, chance, count, adapted=adapted)
    leaves = split_leaves(files.read("leaves.bin"))
    before = SegmentHeader.parse(files.read("segment.json"))
    start = _frontier_before(files)
    files.write("segment.json", replace(before, frontier=start.extended(leaves)).to_bytes(), adapted=adapted)
    following = f"segment {files.header.number + 1}"
    by_whole = ["TRAIL_STORES_DIFFER"] if adapted else ["TRAIL_SEGMENT_DAMAGED"] * 3
    said = [(files.store, files.name, code) for code in by_whole]
    return [*named[1:], *said, (files.store, following, "TRAIL_HEAD_MISMATCH")]


def _frontier_before(files: Files) -> Frontier:
    earlier = [one for one in files.trail.segments if one.number < files.header.number]
    return earlier[-1].frontier if earlier else Frontier()


def tail_cut(files: Files, chance: random.Random, count: int, *, adapted: bool) -> list[Named]:
    """The last events of a segment gone."""
    lines = split_lines(files.read("events.jsonl"))
    files.write("events.jsonl", b"".join(lines[:-count]), adapted=adapted)
    gone = range(len(lines) - count, len(lines))
    return [(files.store, files.where(place), "TRAIL_EVENT_REMOVED") for place in gone]


def line_cut(files: Files, chance: random.Random, count: int, *, adapted: bool) -> list[Named]:
    """The last event broken off."""
    lines = split_lines(files.read("events.jsonl"))
    files.write("events.jsonl", b"".join(lines)[: -chance.randrange(1, 100)], adapted=adapted)
    return [(files.store, files.where(len(lines) - 1), "TRAIL_EVENT_EDITED")]


def list_cut(files: Files, chance: random.Random, count: int, *, adapted: bool) -> list[Named]:
    leaves = files.read("leaves.bin")
    files.write("leaves.bin", leaves[: -64 * count], adapted=adapted)
    return [(files.store, f"{files.name}, leaves.bin", "TRAIL_SEGMENT_MALFORMED")]


def header_edited(files: Files, chance: random.Random, count: int, *, adapted: bool) -> list[Named]:
    header = SegmentHeader.parse(files.read("segment.json"))
    files.write("segment.json", replace(header, number=header.number + 1).to_bytes(), adapted=adapted)
    return [(files.store, f"{files.name}, segment.json", "TRAIL_SEGMENT_MALFORMED")]


def header_broken(files: Files, chance: random.Random, count: int, *, adapted: bool) -> list[Named]:
    files.write("segment.json", files.read("segment.json").replace(b'"size":', b'"size":-'), adapted=adapted)
    return [(files.store, f"{files.name}, segment.json", "TRAIL_SEGMENT_MALFORMED")]


def removed(files: Files, chance: random.Random, count: int, *, adapted: bool) -> list[Named]:
    """The whole segment gone."""
    files.remove()
    return [(files.store, files.name, "TRAIL_SEGMENT_MISSING")]


Segmentwise = Callable[..., list[Named]]
MANY: list[Segmentwise] = [lines_of, details_of, lines_of, swapped_details, leaves_of, lines_of, rewritten]
"""Many in one segment."""
FEW: list[Segmentwise] = [tail_cut, line_cut, list_cut, header_edited, header_broken, removed, rewritten_with_the_head]
"""One in one segment."""


# -- the catalogue --------------------------------------------------------------------------------------

EDITS = {
    "code": "code = code || 'x'",
    "outcome": "outcome = CASE outcome WHEN 'success' THEN 'failure' ELSE 'success' END",
    "actor": "actor = 'somebody'",
    "no actor": "actor = NULL",
    "time": "recorded_at = '2020-01-01 00:00:00.000000'",
    "no time at all": "recorded_at = 'never'",
    "type": "type = 'deletion'",
    "no type at all": "type = 'wishful thinking'",
    "object": "poid = printf('0199b0c27d3e7bbb8%015x', seq)",
    "version": "version = 77",
    "number within the object": "object_event = 1000000 + seq",
    "line": "line = x'7b7d'",
    "leaf hash": "leaf_hash = zeroblob(64)",
    "commitment": "commitment = 'ff' || substr(coalesce(commitment, printf('%0128d', 0)), 3)",
    "detail": """detail = '{"message": "nothing happened"}', detail_nonce = printf('%064d', 0)""",
}


def code_of(edit: str) -> str:
    """A row that cannot be read is none."""
    return "ROW_REMOVED" if edit == "no time at all" else "ROW_EDITED"


Rowwise = Callable[[sqlite3.Connection, int], list[Named]]


def row_edited(edit: str) -> Rowwise:
    def act(db: sqlite3.Connection, seq: int) -> list[Named]:
        db.execute(f"UPDATE events SET {EDITS[edit]} WHERE seq = ?", (seq,))
        return [("catalogue", f"event {seq}", code_of(edit))]

    return act


def row_removed(db: sqlite3.Connection, seq: int) -> list[Named]:
    db.execute("DELETE FROM events WHERE seq = ?", (seq,))
    return [("catalogue", f"event {seq}", "ROW_REMOVED")]


def rows_exchanged(db: sqlite3.Connection, seq: int) -> list[Named]:
    for old, new in ((seq, -1), (seq + 3, seq), (-1, seq + 3)):
        db.execute("UPDATE events SET seq = ? WHERE seq = ?", (new, old))
    return [("catalogue", f"event {one}", "ROW_MOVED") for one in (seq, seq + 3)]


def row_replaced(db: sqlite3.Connection, seq: int) -> list[Named]:
    event_id = f"{seq:032x}"
    db.execute("UPDATE events SET event_id = ?, code = 'other' WHERE seq = ?", (event_id, seq))
    return [("catalogue", f"event {seq}", "ROW_REPLACED")]


def row_unnumbered(db: sqlite3.Connection, seq: int) -> list[Named]:
    db.execute("UPDATE events SET seq = NULL, leaf_hash = NULL WHERE seq = ?", (seq,))
    return [("catalogue", f"event {seq}", "ROW_REMOVED")]


def _copied(db: sqlite3.Connection, seq: int, number: float) -> None:
    names = "recorded_at, type, outcome, code, actor, poid, version, subject, commitment, line, leaf_hash"
    db.execute(
        f"INSERT INTO events (event_id, seq, object_event, {names}) "
        f"SELECT printf('%032x', seq + 7000000), ?, 5000000 + seq, {names} FROM events WHERE seq = ?",
        (number, seq),
    )


def row_copied_behind(db: sqlite3.Connection, seq: int) -> list[Named]:
    number = 10_000_000_000 + seq
    _copied(db, seq, number)
    return [("catalogue", f"event {number}", "ROW_ADDED")]


def row_copied_before(db: sqlite3.Connection, seq: int) -> list[Named]:
    _copied(db, seq, -1 - seq)
    return [("catalogue", f"event {-1 - seq}", "ROW_ADDED")]


def row_copied_between(db: sqlite3.Connection, seq: int) -> list[Named]:
    """A number that no counter gives."""
    _copied(db, seq, seq + 0.5)
    return [("catalogue", f"event {seq + 0.5}", "ROW_ADDED")]


def details_exchanged(db: sqlite3.Connection, seq: int) -> list[Named]:
    """Of the next two events that have some."""
    two = db.execute(
        "SELECT seq, detail, detail_nonce FROM events WHERE seq >= ? AND detail IS NOT NULL ORDER BY seq LIMIT 2",
        (seq,),
    ).fetchall()
    for (number, *_), (_, detail, nonce) in zip(two, reversed(two), strict=True):
        db.execute("UPDATE events SET detail = ?, detail_nonce = ? WHERE seq = ?", (detail, nonce, number))
    return [("catalogue", f"event {number}", "ROW_EDITED") for number, *_ in two]


def detail_removed(db: sqlite3.Connection, seq: int) -> list[Named]:
    query = "SELECT seq FROM events WHERE seq >= ? AND detail IS NOT NULL ORDER BY seq LIMIT 1"
    (number,) = db.execute(query, (seq,)).fetchone()
    db.execute("UPDATE events SET detail = NULL, detail_nonce = NULL WHERE seq = ?", (number,))
    return [("catalogue", f"event {number}", "ROW_DETAIL_REMOVED")]


ROWS: list[Rowwise] = [
    *(row_edited(edit) for edit in EDITS),
    row_removed,
    rows_exchanged,
    row_replaced,
    row_unnumbered,
    row_copied_behind,
    row_copied_before,
    row_copied_between,
    details_exchanged,
    detail_removed,
]
ROW_GAP = 16
"""Rows that one of them may touch."""


def tamper_rows(trail: Trail, chance: random.Random, count: int) -> list[Named]:
    """So many tamperings with rows of the events that were recorded, of every kind in turn."""
    room = [place for one in trail.own for place in range(one.first, one.size - 2 * ROW_GAP, ROW_GAP)]
    assert len(room) >= count, "the trail is too short for so many"
    named: list[Named] = []
    with closing(trail.database()) as db:
        for number, place in enumerate(sorted(chance.sample(room, count))):
            named += ROWS[number % len(ROWS)](db, place)
        db.commit()
    return named


def tamper_segment_rows(trail: Trail, numbers: Iterable[int]) -> list[Named]:
    """The rows of segments: edited in turn in head, size and frontier, or removed."""
    ways = [
        ("UPDATE segments SET head = printf('%0128d', number) WHERE number = ?", "SEGMENT_ROW_EDITED"),
        ("UPDATE segments SET size = size + 1 WHERE number = ?", "SEGMENT_ROW_EDITED"),
        ("UPDATE segments SET frontier = '[]' WHERE number = ?", "SEGMENT_ROW_EDITED"),
        ("DELETE FROM segments WHERE number = ?", "SEGMENT_ROW_REMOVED"),
    ]
    named = []
    with closing(trail.database()) as db:
        for turn, number in enumerate(numbers):
            way, code = ways[turn % len(ways)]
            db.execute(way, (number,))
            named.append(("catalogue", f"segment {number}", code))
        db.commit()
    return named


# -- all of it ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """How many tamperings there were, and what must be said of them."""

    count: int
    named: Counter[Named]


def tamper_everywhere(trail: Trail, chance: random.Random, count: int) -> Done:
    """`count` tamperings: 2 of 5 with rows, the others with the segments of both stores, never of one segment in
    both. A segment of which little is left, or nothing, has neighbours that nobody touches."""
    of_rows = count * 2 // 5
    named = tamper_rows(trail, chance, of_rows)
    few = [(one, store) for one in FEW for store in ("one", "two")]
    longest = max(one.size - one.first for one in trail.own)
    own = [one for one in trail.own if 2 * (one.size - one.first) > longest]
    assert len(own) >= 3 * len(few), "the trail has too few segments"
    singles = own[1 : 2 * len(few) : 2]
    for turn, ((act, store), header) in enumerate(zip(few, singles, strict=True)):
        assert header.number + 1 not in {one.number for one in singles}
        named += act(Files(trail, store, header), chance, 1, adapted=turn % 4 < 2)
    rest = own[2 * len(few) : -1]
    left = count - of_rows - len(few)
    for turn, header in enumerate(rest):
        part = left // (len(rest) - turn)
        files = Files(trail, "one" if turn % 2 else "two", header)
        named += MANY[turn % len(MANY)](files, chance, part, adapted=turn % 4 < 2)
        left -= part
    named += tamper_segment_rows(trail, [one.number for one in own[-4:]])
    return Done(count + 4, Counter(named))
