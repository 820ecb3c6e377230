"""Fixity: every byte of every copy is read, damage is named, and a check that finds nothing planted is not believed."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.fixity_svg import history_svg
from archive_core.archive import silent
from archive_core.audit_result import AuditEntry
from archive_core.errors import LeaseHeldError, UsageError
from archive_core.fixity import cycle as walk
from archive_core.fixity import running
from archive_core.fixity.canary import HARMS as PLANTED
from archive_core.fixity.canary import Harm
from archive_core.fixity.checking import READ_DIFFERED, Checked, StoreCheck
from archive_core.fixity.running import FixityResult, Pace
from archive_core.fixity.spots import spot_check
from archive_core.fixity.state import Cycle, StoreState
from archive_core.holding import Holder
from archive_core.ports import ObjectStore
from tests.integration.test_damage import HARMS, a_sample, other_file
from tests.world import OPERATOR, World

pytestmark = pytest.mark.timeout(120)

STORES = ("one", "two")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with six objects, one of two versions, and one large document."""
    world = World(tmp_path_factory.mktemp("sound"))
    for number in range(5):
        told = world.deposit({"a.txt": b"alpha %d" % number, "sub/b.bin": bytes([number]) * 5000})
    world.deposit({"big.bin": bytes(range(256)) * 4 * 1024 * 5})
    world.update(told.poid, {"a.txt": b"another"})
    world.preserve()
    world.archive.flush_trail()
    world.archive.close()
    return world.folder


@pytest.fixture
def world(sound: Path, tmp_path: Path) -> Iterator[World]:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True, symlinks=True)
    made = World(tmp_path)
    yield made
    made.archive.close()


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is written down after every object."""
    monkeypatch.setattr(walk, "WINDOW", 1)
    monkeypatch.setattr(walk, "WRITE_DOWN", 0.0)


def run(world: World, **options: object) -> FixityResult:
    return world.archive.fixity.run(actor=OPERATOR, progress=silent, **options)  # type: ignore[arg-type]


def content_bytes(world: World, store: str) -> int:
    return sum(
        path.stat().st_size for path in world.store(store).rglob("*") if "/content/" in str(path) and path.is_file()
    )


def damage(world: World, store: str, ending: str) -> str:
    """Flip a bit of the first file with that ending; its path in the store."""
    path = world.files(store, ending)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(bytes(data))
    return str(path.relative_to(world.store(store)))


# -- what is read and found -------------------------------------------------------------------


def test_a_run_reads_every_byte_of_every_copy_and_counts_it(world: World) -> None:
    """Objects and system objects; nothing is wrong, every planted damage was found, and nothing is left of it."""
    found = run(world)

    assert (found.audit.findings, found.audit.notes) == ([], [])
    assert found.audit.checked["bytes"] == sum(content_bytes(world, store) for store in STORES)
    assert set(found.stores) == set(STORES)
    for facts in found.stores.values():
        assert facts["planted"] == facts["planted_found"] == len(PLANTED)
        assert facts["spots"] == 6
    assert world.audit().findings == []
    assert not [path for path in world.home.rglob("*canary*/**/*") if path.is_file() and path.name == "inventory.json"]


@pytest.mark.slow
def test_each_kind_of_harm_is_a_finding_with_store_path_and_code(world: World) -> None:
    """And an event: of the object, and of the cycle."""
    sample = a_sample(world, "two")
    for harm in HARMS:
        key = next(key for key, one in sample if one is harm)
        path = world.store("two") / key
        kept = {one: one.read_bytes() for one in (path, other_file(path, world.store("two")))}
        harm(path, other_file(path, world.store("two")))
        found = run(world)
        for one, content in kept.items():
            one.write_bytes(content)
        path.with_name(f"{path.name}.stranger").unlink(missing_ok=True)

        assert {entry.store for entry in found.audit.findings} == {"two"}, (harm.__name__, key)
        assert all(entry.path and entry.code for entry in found.audit.findings)
        last = world.archive.fixity.history()[-1]
        assert (last["store"], last["outcome"]) == ("two", "failure")
    assert run(world).audit.findings == []


@pytest.mark.slow
def test_damage_is_in_the_trace_of_its_object(world: World) -> None:
    damage(world, "one", "data/big.bin")
    run(world)
    poid = world.archive.objects(actor=OPERATOR)[5].poid

    events = world.archive.trace(poid, actor=OPERATOR)
    assert [(one["type"], one["outcome"], one["subject"]) for one in events[-1:]] == [
        ("fixity check", "failure", "store-one")
    ]


@pytest.mark.slow
def test_only_the_store_that_is_named_is_read(world: World) -> None:
    """And one that is none is refused by its name."""
    damage(world, "one", "a.txt")

    assert run(world, store="two").audit.findings == []
    assert not [told for told in world.archive.status(actor=OPERATOR)["warnings"] if "fixity" in told]  # type: ignore[attr-defined]
    assert [entry.store for entry in run(world, store="one").audit.findings] == ["one"]
    (warning,) = [told for told in world.archive.status(actor=OPERATOR)["warnings"] if "fixity" in told]  # type: ignore[attr-defined]
    assert warning.startswith("store one")
    with pytest.raises(UsageError, match="three"):
        run(world, store="three")


@pytest.mark.slow
def test_a_store_that_is_away_is_a_finding_and_the_other_is_read(world: World) -> None:
    world.store("one").rename(world.home / "away")
    found = run(world)

    assert [(entry.store, entry.code) for entry in found.audit.findings] == [("one", "STORE_UNAVAILABLE")]
    assert found.audit.checked["bytes"] == content_bytes(world, "two")


@pytest.mark.slow
def test_a_copy_that_is_owed_is_a_note(world: World) -> None:
    """The store lacks it, and that is known: the debt is paid when the store is there again."""
    poid = world.archive.objects(actor=OPERATOR)[0].poid
    row = world.archive.catalogue.version(poid)
    folder = world.files("two", f"{poid}/inventory.json")[0].parent
    shutil.rmtree(folder)
    if not list(folder.parent.iterdir()):
        folder.parent.rmdir()
    assert {entry.code for entry in run(world, store="two").audit.findings} == {"OBJECT_MISSING"}
    world.archive.debts.note("two", [row.storage_object], "it was away")
    found = run(world)

    assert (found.audit.findings, [note.code for note in found.audit.notes]) == ([], ["COPY_OWED"])
    audited = world.audit()
    assert (audited.findings, [note.code for note in audited.notes]) == ([], ["COPY_OWED"])


# -- the controls -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(place, marks=[] if not place else pytest.mark.slow if place % 4 == 0 else pytest.mark.soak)
        for place in range(len(PLANTED))
    ],
)
def test_a_planted_damage_that_is_missed_is_a_failure(world: World, number: int) -> None:
    """Whichever kind it is: here that damage is not done, so that nothing can be found."""

    def nothing(store: ObjectStore, one: object) -> None:
        """Harms nothing."""

    harms: list[Harm] = list(PLANTED)
    harms[number] = nothing  # type: ignore[assignment]
    world.archive.fixity.harms = tuple(harms)
    found = run(world, store="one")

    assert [(entry.store, entry.code) for entry in found.audit.findings] == [("one", "CANARY_MISSED")]
    assert found.stores["one"]["planted_found"] == len(PLANTED) - 1


@pytest.mark.slow
def test_a_check_that_says_everything_is_damaged_is_found_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sound canary is blamed."""
    real = StoreCheck.results

    def blaming(self: StoreCheck, *arguments: object) -> list[Checked]:
        for checked in (results := real(self, *arguments)):  # type: ignore[arg-type]
            checked.findings.append(AuditEntry(self.root.store.name, "x", "E092", "blamed"))
        return results

    monkeypatch.setattr(StoreCheck, "results", blaming)

    assert "CANARY_BLAMED" in {entry.code for entry in run(world, store="one").audit.findings}


@pytest.mark.slow
def test_a_cycle_that_looked_at_nothing_is_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Success over zero bytes is never reported."""
    monkeypatch.setattr(walk.CycleWalk, "advance", lambda *arguments, **options: True)
    found = run(world)

    assert {entry.code for entry in found.audit.findings} == {"NOTHING_CHECKED", "CANARY_MISSED"}
    assert {entry.store for entry in found.audit.findings} == set(STORES)


@pytest.mark.slow
def test_what_is_good_when_it_is_read_again_is_a_note(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sick cable is told, and no object is called damaged for it."""
    real, judged = StoreCheck._judged, []

    def flaky(self: StoreCheck, object_id: str, *rest: object) -> Checked:
        checked = real(self, object_id, *rest)  # type: ignore[arg-type]
        if object_id.endswith("profile-basic-1") and not judged:
            judged.append(object_id)
            checked.findings.append(AuditEntry(self.root.store.name, object_id, "E092", "a bit fell over"))
        return checked

    monkeypatch.setattr(StoreCheck, "_judged", flaky)
    found = run(world, store="one")

    assert found.audit.findings == []
    assert [(note.store, note.code) for note in found.audit.notes] == [("one", READ_DIFFERED)]
    assert found.stores["one"]["read_again"] == 1


@pytest.mark.slow
def test_a_spot_check_asks_the_bytes_that_lie_there_now(world: World) -> None:
    """A damaged file of one store does not give the answer; the same range of the other does."""
    damage(world, "one", "data/big.bin")
    poid = world.archive.objects(actor=OPERATOR)[5].poid
    archive = world.archive
    content = archive.fixity._content
    tries = [spot_check(archive.copies.roots[0], archive.catalogue, content, poid) for _ in range(20)]
    good = [spot_check(archive.copies.roots[1], archive.catalogue, content, poid) for _ in range(3)]
    path = world.files("one", "data/big.bin")[0]
    path.write_bytes(b"")
    empty = spot_check(archive.copies.roots[0], archive.catalogue, content, poid)

    assert good == [None] * 3
    assert all(one is None or one.code == "SPOT_CHECK_FAILED" for one in tries)
    assert empty is None or (empty.store, empty.code) == ("one", "SPOT_CHECK_FAILED")


# -- going on after an end ----------------------------------------------------------------------


class KilledError(BaseException):
    """Nothing catches this."""


def _killed_after(world: World, objects: int) -> None:
    def dying(what: str, done: int, total: int | None) -> None:
        if done >= objects:
            raise KilledError

    with pytest.raises(KilledError):
        world.archive.fixity.run(actor=OPERATOR, progress=dying)


@pytest.mark.usefixtures("small_windows")
def test_a_run_that_was_killed_goes_on_at_the_same_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read twice but one window, nothing is left out, and what was found before is told."""
    whole = run(world).audit.checked
    path = damage(world, "one", "a.txt")
    _killed_after(world, 4)
    world.restart()
    begun: list[str] = []
    real = StoreCheck.begin

    def watching(self: StoreCheck, rows: list[object], *rest: object) -> object:
        begun.extend(row.poid for row in rows)  # type: ignore[attr-defined]
        return real(self, rows, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(StoreCheck, "begin", watching)
    found = run(world)

    assert found.audit.checked == whole
    assert {facts["resumed"] for facts in found.stores.values()} == {1}
    assert [(entry.store, entry.path) for entry in found.audit.findings] == [("one", path)]
    objects = {view.poid for view in world.archive.objects(actor=OPERATOR)}
    assert len(objects & set(begun)) <= 3


@pytest.mark.slow
@pytest.mark.usefixtures("small_windows")
def test_a_run_may_begin_anew(world: World) -> None:
    """With `anew`; and after a run that ended it always does, so that damage that came since is found."""
    _killed_after(world, 4)
    found = run(world, anew=True)
    assert {facts["resumed"] for facts in found.stores.values()} == {0}
    path = damage(world, "two", "a.txt")

    assert [(entry.store, entry.path) for entry in run(world).audit.findings] == [("two", path)]


@pytest.mark.slow
def test_two_runs_of_one_store_do_not_go_side_by_side(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PATIENCE", 0.0)
    holder = Holder(world.archive.catalogue, world.clock)
    with holder.hold("fixity-two"), pytest.raises(LeaseHeldError):
        run(world)

    assert run(world).audit.findings == []


# -- by schedule --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("small_windows")
def test_the_scheduler_reads_a_little_at_a_time(world: World) -> None:
    """Nothing in the first hour; then a window and a wait, until a cycle is whole and the next begins."""
    fixity = world.archive.fixity
    fixity._paces = {name: Pace(days=0.01, bytes_per_second=1000) for name in STORES}
    fixity.round(actor=OPERATOR)
    assert fixity.status()["stores"][0]["cycle"] is None
    world.clock.advance(hours=2)
    fixity.round(actor=OPERATOR)
    first = fixity.status()["stores"][0]
    assert first["cycle"]["objects"] == 1
    fixity.round(actor=OPERATOR)
    assert fixity.status()["stores"][0]["cycle"]["objects"] == 1, "it waits as long as its pace says"
    for _ in range(16):
        world.clock.advance(hours=3)
        assert fixity.round(actor=OPERATOR) == []
    last = fixity.status()["stores"][0]["last"]

    assert last["by"] == "schedule"
    assert last["bytes"] == content_bytes(world, "one")
    assert last["planted_found"] == len(PLANTED)


@pytest.mark.slow
@pytest.mark.usefixtures("small_windows")
def test_a_run_by_hand_is_whole_whatever_the_scheduler_has_read(world: World) -> None:
    """Damage in what the scheduler has read already is found by it."""
    fixity = world.archive.fixity
    fixity._paces = {name: Pace(bytes_per_second=1) for name in STORES}
    fixity.round(actor=OPERATOR)
    world.clock.advance(hours=2)
    fixity.round(actor=OPERATOR)
    assert fixity.status()["stores"][0]["cycle"]["objects"] == 1
    path = damage(world, "one", f"{world.archive.objects(actor=OPERATOR)[0].poid}/v1/content/data/a.txt")

    assert [entry.path for entry in run(world).audit.findings] == [path]


@pytest.mark.parametrize(
    ("pace", "hour", "allowed"),
    [
        (Pace(), 3, True),
        (Pace(from_hour=22, until_hour=6), 3, True),
        (Pace(from_hour=22, until_hour=6), 12, False),
        (Pace(from_hour=1, until_hour=5), 3, True),
        (Pace(from_hour=1, until_hour=5), 5, False),
    ],
)
def test_the_hours_of_a_store(pace: Pace, hour: int, allowed: bool) -> None:
    assert pace.allows(datetime(2026, 5, 1, hour, tzinfo=UTC)) is allowed


def test_a_cycle_is_spread_over_its_days_and_never_faster_than_allowed() -> None:
    """The waits after all bytes of a cycle make up its days, or more where the speed allows no less."""
    assert Pace(days=10, bytes_per_second=None).wait_after(500, 1000) == pytest.approx(5 * 86400)
    assert Pace(days=10, bytes_per_second=None, from_hour=0, until_hour=12).wait_after(10**9, 10**9) == pytest.approx(
        5 * 86400
    )
    assert Pace(days=1, bytes_per_second=10).wait_after(10**9, 10**9) == 10**8
    assert Pace(bytes_per_second=10).wait_after(100, None) == 10


# -- how it stands ------------------------------------------------------------------------------


def test_the_age_of_the_oldest_check_is_accounted() -> None:
    """Of a cycle under way: what it has passed is as old as it is, what it has not as old as the one before."""
    state, start = StoreState(), datetime(2026, 1, 1, tzinfo=UTC)
    assert state.oldest_check() is None
    cycle = state.begin("run", start)
    for number in range(1, 5):
        cycle.cursor = f"{number:032x}"
        cycle.counts.bytes += 1
        cycle.mark(start + timedelta(days=number))
    assert state.oldest_check() is None
    state.finish(start + timedelta(days=5))
    assert state.oldest_check() == "2026-01-01T00:00:00Z"
    following = state.begin("run", start + timedelta(days=6))
    following.cursor = f"{2:032x}"

    assert state.oldest_check() == "2026-01-03T00:00:00Z"


def test_a_state_is_written_and_read_as_it_is(world: World) -> None:
    state = StoreState(
        cycle=Cycle(
            3,
            "run",
            "2026-01-01T00:00:00Z",
            sample=["0199b0c27d3e7abc8def0123456789ab"],
            marks=[("2026-01-01T00:00:00Z", "0:x")],
        )
    )
    state.save(world.archive.catalogue, "one")

    assert StoreState.load(world.archive.catalogue, "one") == state


@pytest.mark.slow
def test_the_history_is_drawn(world: World) -> None:
    """Well-formed, with a bar for each cycle, and the bad ones named; also before there is any."""
    run(world)
    damage(world, "two", "a.txt")
    run(world)
    drawn = ElementTree.fromstring(history_svg(world.archive.fixity.history()))
    text = ElementTree.tostring(drawn, encoding="unicode")

    assert text.count("<ns0:title>cycle ") == 4
    assert "1 findings" in text
    assert "no cycle has ended yet" in history_svg([])
