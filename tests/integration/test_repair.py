"""Damage of every kind in one copy, or in all, and what a repair makes of it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core.archive import silent
from archive_core.audit import Audit
from archive_core.errors import LeaseHeldError, UnknownObjectError
from archive_core.findings import Verdict
from archive_core.holding import Holder
from archive_core.identifiers import BATCH, system_object
from archive_core.repair.result import RepairResult
from tests.integration.test_damage import BIG, HARMS, a_sample, other_file, sound
from tests.world import OPERATOR, World

__all__ = ["sound"]

pytestmark = pytest.mark.timeout(180)

CHUNK = 4 * 1024 * 1024


@pytest.fixture
def world(sound: Path, tmp_path: Path) -> Iterator[World]:
    """A copy of the sound home."""
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True, symlinks=True)
    made = World(tmp_path)
    made.clock.advance(hours=1)
    yield made
    made.archive.close()


def repair(world: World, *poids: str, dry_run: bool = False) -> RepairResult:
    return world.archive.repair(poids, dry_run=dry_run, actor=OPERATOR)


def snapshot(world: World, store: str) -> dict[str, bytes]:
    """Every file of a store but those of the trail, which grows."""
    folder = world.store(store)
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {key: path.read_bytes() for key, path in files.items() if "archive%3atr" not in key and "3atd" not in key}


def first_poid(world: World) -> str:
    return world.archive.objects(actor=OPERATOR)[0].poid


def the_file(world: World, store: str, ending: str) -> Path:
    return world.files(store, ending)[0]


def write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    write(path, bytes(content))


def whole_again(world: World, before: dict[str, dict[str, bytes]]) -> None:
    """The stores are as they were, to the byte, and an audit finds nothing."""
    for store, files in before.items():
        found = snapshot(world, store)
        assert found.keys() == files.keys()
        assert [key for key in files if found[key] != files[key]] == []
    assert world.audit().findings == []


def both(world: World) -> dict[str, dict[str, bytes]]:
    return {store: snapshot(world, store) for store in ("one", "two")}


# -- what is known ------------------------------------------------------------------------------


class EndedError(Exception):
    """The process ends here."""


def test_what_fixity_has_named_is_put_right_before_everything_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repair that is interrupted while it reads has already put right what was known: objects and system objects."""
    before = both(world)
    flip(the_file(world, "two", "v1/content/data/big.bin"), 100)
    batch = world.archive.copies.roots[0].object_path(system_object(BATCH, 1))
    (world.store("one") / batch / "inventory.json.sha512").unlink()
    named = world.archive.fixity.run(actor=OPERATOR, anew=True, progress=silent).audit.findings
    assert {entry.store for entry in named} == {"one", "two"}

    def interrupted(*_: object, **__: object) -> None:
        raise EndedError

    with monkeypatch.context() as patch:
        patch.setattr(Audit, "examine", interrupted)
        with pytest.raises(EndedError):
            repair(world)
    whole_again(world, before)

    done = repair(world)
    assert (done.repaired, done.findings) == ([], [])


def test_what_cannot_be_put_right_is_told_once_however_it_became_known(world: World) -> None:
    """Known to fixity and met again by the audit; and what was harmed since the check is found as well."""
    for store in ("one", "two"):
        flip(the_file(world, store, "v1/content/data/big.bin"), 100)
    world.archive.fixity.run(actor=OPERATOR, anew=True, progress=silent)
    flip(the_file(world, "two", "v1/content/data/big.bin"), CHUNK + 7)
    last = the_file(world, "one", "inventory.json")
    last.unlink()

    done = repair(world)
    assert [entry.code for entry in done.findings if entry.code == "NO_GOOD_COPY"] == ["NO_GOOD_COPY"] * 2
    assert len({(entry.store, entry.path, entry.code) for entry in done.findings}) == len(done.findings)
    assert last.exists()


# -- one copy -----------------------------------------------------------------------------------


def test_there_is_nothing_to_repair_in_a_sound_archive(world: World) -> None:
    """And it says how much it looked at."""
    before = both(world)
    found = repair(world)

    assert (found.repaired, found.findings, found.good) == ([], [], True)
    assert found.checked["objects"] > 0
    whole_again(world, before)


@pytest.mark.slow
def test_each_kind_of_harm_is_repaired_bit_exact(world: World) -> None:
    """To one kind of file each; all files of the store are as before, and the strange one is set aside."""
    world.archive.flush_trail()
    before = snapshot(world, "one")
    sample = a_sample(world, "one")
    for harm in HARMS:
        key = next(key for key, one in sample if one is harm)
        path = world.store("one") / key
        harm(path, other_file(path, world.store("one")))

        found = repair(world)
        assert found.findings == [], (harm.__name__, key, [one.to_json() for one in found.findings])
        assert found.repaired, (harm.__name__, key)
        assert {mended.store for mended, _ in found.repaired} == {"one"}
    whole_again(world, {"one": before})


@pytest.mark.slow
def test_what_was_repaired_is_told_and_in_the_trace(world: World) -> None:
    """The digests before and after, which store gave the bytes, and that the evidence was asked."""
    path = the_file(world, "two", "v1/content/data/a.txt")
    flip(path, 0)
    found = repair(world)
    (mended, rests), *others = found.repaired

    assert others == []
    assert (mended.store, mended.code, mended.sources, rests) == ("two", "FILE_DAMAGED", ("one",), "evidence")
    assert mended.before is not None
    assert mended.after is not None
    assert mended.before.hex != mended.after.hex
    events = world.archive.trace(first_poid(world), actor=OPERATOR)[-2:]
    assert [(one["type"], one["outcome"], one["subject"]) for one in events] == [
        ("fixity check", "failure", "store-two"),
        ("recovery", "success", "store-two"),
    ]
    detail = events[-1]["detail"]
    assert isinstance(detail, dict)
    assert detail["files"] == [
        {
            "path": str(path.relative_to(world.store("two"))),
            "code": "FILE_DAMAGED",
            "before": mended.before.hex,
            "after": mended.after.hex,
            "from": ["one"],
        }
    ]


@pytest.mark.slow
def test_a_dry_run_changes_nothing_and_says_what_it_would(world: World) -> None:
    """That something is damaged is no success."""
    flip(the_file(world, "one", "v1/content/data/a.txt"), 0)
    before = both(world)
    found = repair(world, dry_run=True)

    assert (len(found.repaired), found.findings, found.good) == (1, [], False)
    assert both(world) == before
    assert repair(world).good
    assert world.audit().findings == []


@pytest.mark.slow
def test_one_object_is_repaired_alone(world: World) -> None:
    """What is damaged elsewhere stays as it is; a POID that is none is unknown."""
    mine, other = (view.poid for view in world.archive.objects(actor=OPERATOR))
    flip(the_file(world, "one", f"{mine}/v1/content/data/a.txt"), 0)
    flip(the_file(world, "one", f"{other}/v1/content/data/r.txt"), 0)
    found = repair(world, mine)

    assert ([one.store for one, _ in found.repaired], found.findings) == (["one"], [])
    assert found.checked["objects"] == 2
    assert {other} == {one for entry in world.audit().findings for one in (mine, other) if one in entry.path}
    with pytest.raises(UnknownObjectError):
        repair(world, "0199b0c27d3e7abc8def0123456789ab")


@pytest.mark.slow
def test_a_strange_file_is_kept_on_this_machine(world: World) -> None:
    """It goes from the store, and its bytes stay with the operator."""
    (world.store("one") / "00").mkdir(exist_ok=True)
    (world.store("one") / "00" / "note.txt").write_bytes(b"who left this?")
    found = repair(world)

    assert found.good
    assert world.audit().findings == []
    assert [path.read_bytes() for path in world.home.rglob("note.txt")] == [b"who left this?"]


@pytest.mark.slow
def test_an_object_that_is_gone_is_there_again(world: World) -> None:
    """A preservation object with two versions, and every system object; bit-exact."""
    before = both(world)
    for folder in sorted(world.store("two").glob("*/urn*")):
        if "3atr" not in folder.name and "3atd" not in folder.name:
            shutil.rmtree(folder)
            found = repair(world)
            assert found.findings == [], (folder.name, found.findings)
    whole_again(world, before)


@pytest.mark.parametrize("gone", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_store_that_was_lost_is_filled_again(world: World, gone: bool) -> None:
    """An empty directory, or none at all: declaration, layout and every object, and every version proves itself."""
    before = both(world)
    world.archive.close()
    shutil.rmtree(world.store("one"))
    if not gone:
        world.store("one").mkdir()
    world.restart()
    planned = repair(world, dry_run=True)
    assert not planned.good
    found = repair(world)

    assert found.findings == []
    assert found.good
    told = {mended.path for mended, _ in found.repaired if mended.code == "OBJECT_MISSING"}
    assert {mended.path for mended, _ in planned.repaired} >= {path for path in told if "3atr" not in path}
    whole_again(world, before)
    shutil.rmtree(world.store("two"))
    world.check("one")


@pytest.mark.slow
def test_links_and_directories_in_the_way_are_removed(world: World) -> None:
    """Nothing is written through a link, and a directory does not keep a file from its place."""
    before = both(world)
    path = the_file(world, "one", "v1/content/data/a.txt")
    path.unlink()
    path.symlink_to(world.home / "trusted-archive.toml")
    other = the_file(world, "one", "inventory.json.sha512")
    other.unlink()
    (other / "below").mkdir(parents=True)
    (other / "below" / "x").write_bytes(b"x")
    found = repair(world)

    assert found.findings == []
    whole_again(world, before)
    assert (world.home / "trusted-archive.toml").stat().st_size > 100


# -- all copies ---------------------------------------------------------------------------------


def test_copies_that_are_damaged_in_different_chunks_heal_each_other(world: World) -> None:
    """Each chunk from the copy that has it; afterwards both are whole."""
    before = both(world)
    for store, places in (("one", (5, 2 * CHUNK + 1)), ("two", (CHUNK + 7,))):
        for place in places:
            flip(the_file(world, store, "v1/content/data/big.bin"), place)
    found = repair(world)

    assert found.findings == []
    assert {mended.sources for mended, _ in found.repaired} == {("two", "one")}
    assert {rests for _, rests in found.repaired} == {"evidence"}
    whole_again(world, before)


@pytest.mark.slow
def test_small_copies_that_are_damaged_in_different_places_are_put_together(world: World) -> None:
    """Two copies of one length, each wrong somewhere else: of all ways to join them one has the digest."""
    before = both(world)
    flip(the_file(world, "one", "description.json"), 3)
    path = the_file(world, "two", "description.json")
    flip(path, 99)
    flip(path, 300)
    found = repair(world)

    assert found.findings == []
    whole_again(world, before)


@pytest.mark.slow
def test_every_inventory_of_every_copy_may_be_lost(world: World) -> None:
    """What is to be there follows from the descriptions."""
    before = both(world)
    poid = first_poid(world)
    for store in ("one", "two"):
        for path in [*world.files(store, "inventory.json"), *world.files(store, "inventory.json.sha512")]:
            if poid in str(path):
                write(path, b"{}")
    found = repair(world)

    assert found.findings == []
    whole_again(world, before)


def test_what_no_copy_has_is_named_and_counted(world: World) -> None:
    """One chunk is lost: that many bytes, at that place, in both stores; and the rest of the object is put right."""
    for store in ("one", "two"):
        flip(the_file(world, store, "v1/content/data/big.bin"), CHUNK + 7)
    flip(the_file(world, "one", "v1/content/data/a.txt"), 0)
    found = repair(world)

    lost = [entry for entry in found.findings if entry.code == "NO_GOOD_COPY"]
    assert sorted(entry.store for entry in lost) == ["one", "two"]
    assert all(entry.path.endswith("v1/content/data/big.bin") for entry in lost)
    assert all(f"bytes {CHUNK} to {2 * CHUNK - 1}" in entry.message for entry in lost)
    assert found.to_json()["lost"] == {"objects": 1, "files": 1, "bytes": CHUNK}
    assert [mended.path.endswith("a.txt") for mended, _ in found.repaired] == [True]
    assert not found.good
    again = repair(world)
    assert (again.repaired, again.to_json()["lost"]) == ([], {"objects": 1, "files": 1, "bytes": CHUNK})
    recoveries = [one for one in world.archive.trace(first_poid(world), actor=OPERATOR) if one["type"] == "recovery"]
    assert {one["outcome"] for one in recoveries} == {"failure"}


@pytest.mark.slow
def test_a_small_file_that_is_lost_in_all_copies_is_lost(world: World) -> None:
    """Of two versions of an object the other one still proves itself."""
    for store in ("one", "two"):
        the_file(world, store, "v1/content/data/sub/b.txt").unlink()
    found = repair(world)

    assert found.to_json()["lost"] == {"objects": 1, "files": 1, "bytes": 4}
    assert {entry.code for entry in found.findings} >= {"NO_GOOD_COPY"}
    assert world.archive.verify(first_poid(world), 2, actor=OPERATOR).verdict is Verdict.PASSED


@pytest.mark.slow
def test_a_last_chunk_is_counted_with_its_own_length(world: World) -> None:
    for store in ("one", "two"):
        flip(the_file(world, store, "v1/content/data/big.bin"), len(BIG) - 1)

    assert repair(world).to_json()["lost"] == {"objects": 1, "files": 1, "bytes": len(BIG) % CHUNK}


def test_nothing_is_put_back_that_the_evidence_is_not_about(world: World) -> None:
    """Catalogue, description, inventory and content of one copy agree on something that was never deposited: the
    evidence record says otherwise, and then nothing is changed."""
    poid = world.archive.objects(actor=OPERATOR)[1].poid
    row = world.archive.catalogue.version(poid)
    forged = world.archive.catalogue.engine
    description = the_file(world, "one", f"{poid}/v1/content/description.json")
    content = description.read_bytes().replace(b'"originator":"default"', b'"originator":"defauIt"')
    assert content != description.read_bytes()
    from sqlalchemy import text

    from archive_core.digests import Digest

    write(description, content)
    with forged.begin() as connection:
        connection.execute(
            text("update versions set description_digest = :digest where poid = :poid"),
            {"digest": Digest.of("sha512", content).hex, "poid": row.poid},
        )
    before = both(world)
    found = repair(world)

    assert {entry.code for entry in found.findings} & {"EVIDENCE_BROKEN", "HASH_FAILURE"}
    assert found.repaired == []
    assert both(world) == before


@pytest.mark.slow
def test_a_destroyed_bit_in_each_system_object_of_both_stores_at_once(world: World) -> None:
    """Different files of the batch in either store: each is healed by the other."""
    before = both(world)
    flip(the_file(world, "one", "statement.json"), 10)
    flip(the_file(world, "two", "tree.bin"), 10)
    flip(the_file(world, "one", "tree.bin"), 60)
    flip(the_file(world, "two", "token.tst"), 10)
    found = repair(world)

    assert found.findings == []
    whole_again(world, before)


@pytest.mark.slow
def test_files_that_the_device_does_not_give_are_found_and_put_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad sectors under an inventory, a sidecar, a declaration, a document and a batch's tree: the store is not said to
    be away, each is named, and all are whole again."""
    before = both(world)
    bad = {
        str(the_file(world, "one", ending))
        for ending in (
            f"{first_poid(world)}/inventory.json",
            "v2/inventory.json.sha512",
            "0=ocfl_object_1.1",
            "data/r.txt",
            "tree.bin",
        )
    }
    real, replace = os.open, os.replace

    def opened(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        place = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), path) if dir_fd is not None else str(path)
        if place in bad and not flags & os.O_CREAT:
            raise OSError(errno.EIO, os.strerror(errno.EIO), place)
        return real(path, flags, mode, dir_fd=dir_fd)

    def replaced(source: str, target: str) -> None:
        replace(source, target)
        bad.discard(str(target))  # another sector

    monkeypatch.setattr("storage_backends.tree.os.open", opened)
    monkeypatch.setattr("storage_backends.durable.os.replace", replaced)
    audited = world.audit()
    places = {entry.path for entry in audited.findings if entry.store == "one"}
    found = repair(world)

    assert len(audited.findings) >= 5
    assert "." not in places
    assert found.findings == [], [entry.to_json() for entry in found.findings]
    assert bad == set()
    whole_again(world, before)


@pytest.mark.slow
def test_one_repair_at_a_time(world: World) -> None:
    holder = Holder(world.archive.catalogue, world.clock)
    with holder.hold("repair"), pytest.raises(LeaseHeldError):
        repair(world)


@pytest.mark.parametrize("brought_back", ["nowhere", "one store", "both stores"])
def test_what_was_destroyed_is_not_brought_back(world: World, brought_back: str) -> None:
    """A repair makes no copy of it, whatever somebody laid back into a store; the others stay whole."""
    poid = first_poid(world)
    stores = {"nowhere": (), "one store": ("one",), "both stores": ("one", "two")}[brought_back]
    kept = {store: next(path for path in world.store(store).rglob(f"*%3a{poid}")) for store in stores}
    for store, path in kept.items():
        shutil.copytree(path, world.folder / f"kept-{store}", symlinks=True)
    world.archive.destroy(poid, reason="its time had come", actor=OPERATOR)
    for store, path in kept.items():
        shutil.copytree(world.folder / f"kept-{store}", path, symlinks=True)
    found = repair(world)
    left = {store for store in ("one", "two") if any(world.store(store).rglob(f"*%3a{poid}"))}

    assert not any(poid in entry.path for entry in found.repaired)
    assert left == set(stores)
    assert {entry.code for entry in found.findings} == ({"DESTROYED_OBJECT_PRESENT"} if stores else set())
