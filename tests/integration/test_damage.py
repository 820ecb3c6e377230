"""Every file of a store harmed in every way: named by the audit, never served, told in the trace."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archive_core.errors import ArchiveError, DamageError, FixityError
from archive_core.findings import Verdict
from archive_core.ocfl.package import ArchivalPackage, PackageFile
from archive_core.replication import about
from tests.lifetimes.crash_world import STRIDE
from tests.sampling import quick_first
from tests.world import OPERATOR, World

pytestmark = pytest.mark.timeout(120)  # damage never makes anything hang

BIG = bytes(range(256)) * 4 * 1024 * 9 + b"the end"  # 9 MiB and a little: three chunks

FIRST = {"a.txt": b"alpha", "sub/b.txt": b"beta", "big.bin": BIG}
SECOND = {"a.txt": b"alpha", "sub/c.txt": b"gamma"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with every kind of object: two versions with chunk lists, both profiles, trail, policies."""
    world = World(tmp_path_factory.mktemp("sound"))
    told = world.deposit(FIRST, metadata=b'{"title": "x"}')
    world.preserve()
    world.update(told.poid, SECOND)
    world.deposit({"r.txt": b"redundant"}, profile="redundant-1")
    world.preserve()
    world.archive.flush_trail()
    world.archive.close()
    return world.folder


@pytest.fixture
def world(sound: Path, tmp_path: Path) -> Iterator[World]:
    """A copy of the sound home."""
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True, symlinks=True)
    made = World(tmp_path)
    made.clock.advance(hours=1)
    yield made
    made.archive.close()


# -- harm -------------------------------------------------------------------------------------


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def flip(path: Path, other: Path) -> Path:
    """One bit of it."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    _write(path, bytes(content))
    return path


def truncate(path: Path, other: Path) -> Path:
    """Its last byte is gone."""
    _write(path, path.read_bytes()[:-1])
    return path


def swap(path: Path, other: Path) -> Path:
    """It and another file have each other's contents."""
    mine, its = path.read_bytes(), other.read_bytes()
    _write(path, its)
    _write(other, mine)
    return path


def delete(path: Path, other: Path) -> Path:
    """It is gone."""
    path.unlink()
    return path


def add(path: Path, other: Path) -> Path:
    """A stranger lies beside it."""
    stranger = path.with_name(f"{path.name}.stranger")
    stranger.write_bytes(b"not ours")
    return stranger


HARMS: tuple[Callable[[Path, Path], Path], ...] = (flip, truncate, swap, delete, add)


def kind_of(key: str) -> str:
    """What kind of file that is, whichever object and version it is of."""
    name = re.sub(r"^[0-9a-f]{64}\.", "X.", key.rpartition("/")[2])
    return f"{name} {'in a version' if '/v' in key else 'in the root'}"


def every_case(world: World, store: str) -> list[tuple[str, Callable[[Path, Path], Path]]]:
    keys = [str(path.relative_to(world.store(store))) for path in world.files(store, "")]
    return [(key, harm) for key in keys for harm in HARMS]


def a_sample(world: World, store: str) -> list[tuple[str, Callable[[Path, Path], Path]]]:
    """Each kind of file once, the harms in turn."""
    kinds = {kind_of(key): key for key, _ in every_case(world, store)}
    return list(zip(kinds.values(), itertools.cycle(HARMS), strict=False))


def other_file(path: Path, root: Path) -> Path:
    """Some other file with other content, of the same object when there is one."""
    content = path.read_bytes()
    top = path
    while top.parent != root and not (top / "0=ocfl_object_1.1").exists():
        top = top.parent
    near = sorted(top.rglob("*")) if top.is_dir() else []
    found = (one for one in itertools.chain(near, sorted(root.rglob("*"))) if one.is_file())
    return next(one for one in found if one != path and one.read_bytes() != content)


def _judge_audit(world: World, store: str, key: str, harm: Callable[[Path, Path], Path]) -> list[str]:
    """What is wrong with the audit's answer to one harm; nothing is left of the harm afterwards."""
    root = world.store(store)
    path = root / key
    other = other_file(path, root)
    kept = {one: one.read_bytes() for one in (path, other)}
    named = str(harm(path, other).relative_to(root))
    try:
        result = world.audit()
    finally:
        for one, content in kept.items():
            _write(one, content)
        path.with_name(f"{path.name}.stranger").unlink(missing_ok=True)
    wrong = []
    if {store} != {entry.store for entry in result.findings}:
        wrong.append(f"stores named: {sorted({entry.store for entry in result.findings})}")
    places = {entry.path for entry in result.findings if entry.code}
    # The file itself, the object or directory in which it is missed; of an inventory and its sidecar, either.
    pair = named.removesuffix(".sha512")
    if not any(place and (place.startswith(pair) or named.startswith(f"{place}/")) for place in places):
        wrong.append(f"places named: {sorted(places)}")
    if result.notes:
        wrong.append(f"taken for a crash: {[note.to_json() for note in result.notes]}")
    return [f"{harm.__name__} {key}: {what}" for what in wrong]


def _judge_all(world: World, store: str, cases: list[tuple[str, Callable[[Path, Path], Path]]]) -> None:
    assert world.audit().findings == []
    wrong = [line for key, harm in cases for line in _judge_audit(world, store, key, harm)]

    assert not wrong, f"{len(wrong)} wrong of {len(cases)}:\n" + "\n".join(wrong)
    assert world.audit().findings == []


def test_each_kind_of_harm_is_named_by_the_audit(world: World) -> None:
    """Store, path and code; the sound store is not blamed, and damage is never taken for a crash. Here on a file each;
    below on each kind of file."""
    sample = a_sample(world, "one")

    _judge_all(world, "one", [next(case for case in sample if case[1] is harm) for harm in HARMS])


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARMS)
def test_each_kind_of_harm_to_each_kind_of_file_is_named_by_the_audit(
    world: World, harm: Callable[[Path, Path], Path]
) -> None:
    """Every harm meets a third of the kinds of file in either store, other ones in each, and every kind of file is met
    by most of the harms."""
    for store, start in (("one", 0), ("two", 1)):
        kinds = [key for key, _ in a_sample(world, store)]
        offset = start + HARMS.index(harm)
        _judge_all(world, store, [(key, harm) for key in kinds[offset % 3 :: 3]])


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("store", ["one", "two"])
def test_every_harm_to_every_file_is_named_by_the_audit(world: World, store: str) -> None:
    """The whole matrix."""
    _judge_all(world, store, every_case(world, store)[::STRIDE])


# -- reading ----------------------------------------------------------------------------------


def _poid(world: World) -> str:
    return world.archive.objects(actor=OPERATOR)[0].poid


def _damage_in_trace(world: World, poid: str, store: str) -> list[dict[str, object]]:
    return [
        event
        for event in world.archive.trace(poid, actor=OPERATOR)
        if (event["type"], event["outcome"], event["subject"]) == ("fixity check", "failure", f"store-{store}")
    ]


def _reads_right(world: World, poid: str, out: Path) -> None:
    for version, files in ((1, FIRST), (2, SECOND)):
        for path, content in files.items():
            assert world.read(poid, path, version) == content
        folder = out / str(version)
        world.archive.retrieve(poid, version, folder, actor=OPERATOR)
        found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert files == found
        assert Verdict.PASSED is world.archive.verify(poid, version, actor=OPERATOR).verdict
        assert world.archive.evidence(poid, version, actor=OPERATOR)


def _judge_reading(world: World, cases: list[tuple[str, Callable[[Path, Path], Path]]], tmp_path: Path) -> list[str]:
    """Harm one file after the other in store one and read everything each time, as a new process does."""
    poid, wrong = _poid(world), []
    for number, (key, harm) in enumerate(cases):
        path = world.store("one") / key
        other = other_file(path, world.store("one"))
        kept = {one: one.read_bytes() for one in (path, other)}
        harm(path, other)
        try:
            world.restart()
            _reads_right(world, poid, tmp_path / "out" / str(number))
        except (AssertionError, ArchiveError) as error:
            wrong.append(f"{harm.__name__} {key}: {type(error).__name__} {str(error)[:300]}")
        finally:
            for one, content in kept.items():
                _write(one, content)
            path.with_name(f"{path.name}.stranger").unlink(missing_ok=True)
    return wrong


def test_right_bytes_are_served_whatever_is_harmed_in_one_store(world: World, tmp_path: Path) -> None:
    """Files, versions, records and verdicts, with a kind of file for each harm."""
    sample = a_sample(world, "one")
    cases = [next(case for case in reversed(sample) if case[1] is harm) for harm in HARMS]

    assert _judge_reading(world, cases, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARMS)
def test_right_bytes_are_served_whatever_kind_of_file_is_harmed(
    world: World, tmp_path: Path, harm: Callable[[Path, Path], Path]
) -> None:
    """The same with every second kind of file for each harm."""
    kinds = [key for key, _ in a_sample(world, "one")]

    assert _judge_reading(world, [(key, harm) for key in kinds[HARMS.index(harm) % 2 :: 2]], tmp_path) == []


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_right_bytes_are_served_after_every_harm_to_every_file(world: World, tmp_path: Path) -> None:
    """The whole matrix of one store."""
    assert _judge_reading(world, every_case(world, "one")[::STRIDE], tmp_path) == []


@pytest.mark.parametrize("ending", ["data/a.txt", "data/big.bin", "v1/content/description.json", "chunks/big.bin.json"])
@pytest.mark.parametrize("harm", quick_first([flip, truncate, delete]))
def test_damage_met_while_reading_stands_in_the_objects_trace(
    world: World, ending: str, harm: Callable[[Path, Path], Path]
) -> None:
    """With the store's name, once for each reading, also after the trail was sequenced and rebuilt."""
    poid = _poid(world)
    (path,) = [path for path in world.files("one", ending) if poid in str(path)]
    harm(path, path)
    list(world.archive.stream_file(poid, 1, "big.bin", actor=OPERATOR))
    list(world.archive.stream_file(poid, 1, "a.txt", actor=OPERATOR))
    world.archive.verify(poid, 1, actor=OPERATOR)
    found = _damage_in_trace(world, poid, "one")
    world.archive.flush_trail()
    archive, report = world.rebuilt("two")
    traced = archive.trace(poid, actor=OPERATOR)
    archive.close()

    assert 1 <= len(found) <= 3
    assert {"fixity"} == {event["code"] for event in found}
    assert report.findings == ()
    assert traced == world.archive.trace(poid, actor=OPERATOR)


def test_an_audits_findings_stand_in_the_trace_of_each_object(world: World) -> None:
    """Also for files that no reader asks for, such as an old sidecar."""
    poid = _poid(world)
    (path,) = [path for path in world.files("two", "v1/inventory.json.sha512") if poid in str(path)]
    path.unlink()
    world.audit()
    (event,) = _damage_in_trace(world, poid, "two")
    others = [view.poid for view in world.archive.objects(actor=OPERATOR) if view.poid != poid]

    assert re.fullmatch(r"E\d{3}", str(event["code"]))
    assert all(not _damage_in_trace(world, other, "two") for other in others)


def test_damage_in_the_middle_of_a_stream_is_healed_and_told_once(world: World) -> None:
    """The first chunk has left when the second and third break; the reader gets right bytes."""
    poid = _poid(world)
    (path,) = world.files("one", "data/big.bin")
    stream = world.archive.stream_file(poid, 1, "big.bin", actor=OPERATOR)
    read = [next(stream)]
    content = bytearray(path.read_bytes())
    content[5 * 1024 * 1024] ^= 1
    content[-1] ^= 1
    _write(path, bytes(content))
    read += list(stream)

    assert b"".join(read) == BIG
    assert len(_damage_in_trace(world, poid, "one")) == 1


def test_a_copy_that_vanishes_in_mid_stream_is_replaced_by_the_other(world: World) -> None:
    """The whole store is gone between two chunks."""
    poid = _poid(world)
    stream = world.archive.stream_file(poid, 1, "big.bin", actor=OPERATOR)
    read = [next(stream)]
    world.store("one").rename(world.store("one").with_name("unplugged"))
    read += list(stream)

    assert b"".join(read) == BIG


def test_no_copy_in_mid_stream_ends_the_stream_with_a_precise_error(world: World) -> None:
    """What has left was right; then an error that names the file, at once."""
    poid = _poid(world)
    stream = world.archive.stream_file(poid, 1, "big.bin", actor=OPERATOR)
    read = [next(stream)]
    for store in ("one", "two"):
        (path,) = world.files(store, "data/big.bin")
        content = bytearray(path.read_bytes())
        content[5 * 1024 * 1024] ^= 1
        _write(path, bytes(content))
    with pytest.raises(FixityError, match=r"big\.bin.*store one.*store two"):
        read += list(stream)

    assert BIG.startswith(b"".join(read))
    for store in ("one", "two"):
        assert len(_damage_in_trace(world, poid, store)) == 1


@pytest.mark.parametrize("ending", ["data/a.txt", "data/big.bin", "content/description.json", "chunks/big.bin.json"])
@pytest.mark.parametrize("harm", quick_first([flip, truncate, delete]))
def test_damage_of_all_copies_is_a_precise_error_and_a_failed_verification(
    world: World, ending: str, harm: Callable[[Path, Path], Path], tmp_path: Path
) -> None:
    """Never wrong bytes, never a half-written folder, never a hang."""
    poid = _poid(world)
    for store in ("one", "two"):
        for path in [path for path in world.files(store, ending) if poid in str(path) and "/v1/" in str(path)]:
            harm(path, path)
    world.restart()
    with pytest.raises(DamageError, match=poid):
        world.archive.retrieve(poid, 1, tmp_path / "out", actor=OPERATOR, whole=True)
    report = world.archive.verify(poid, 1, actor=OPERATOR)
    result = world.audit()

    assert not (tmp_path / "out").exists()
    assert Verdict.FAILED is report.verdict
    assert report.proof_of_existence is None
    assert {"one", "two"} <= {entry.store for entry in result.findings}


@pytest.mark.parametrize("file", ["token.tst", "statement.json", "members.txt", "tree.bin", "statement.json.p7s"])
def test_damage_of_all_copies_of_a_batch_fails_every_object_in_it(world: World, file: str) -> None:
    """The documents are still served; what is proven of them is not claimed any more."""
    poid = _poid(world)
    for store in ("one", "two"):
        path = next(path for path in world.files(store, f"/{file}") if "%3aba0000000001" in str(path))
        flip(path, path)
    world.restart()

    assert world.read(poid, "a.txt", 1) == FIRST["a.txt"]
    assert Verdict.FAILED is world.archive.verify(poid, 1, actor=OPERATOR).verdict
    assert Verdict.PASSED is world.archive.verify(poid, 2, actor=OPERATOR).verdict
    with pytest.raises(DamageError):
        world.archive.evidence(poid, 1, actor=OPERATOR)
    with pytest.raises(DamageError):
        world.archive.receipt(poid, 1, actor=OPERATOR)


def test_a_damage_message_names_object_and_version() -> None:
    """The strings that readers give as what was read, and what is understood of them."""
    poid = "0199b0c27d3e7000800000000000000a"

    assert about(f"urn:trusted-archive:{poid}") == (poid, None)
    assert about(f"urn:trusted-archive:{poid} v2 description.json") == (poid, 2)
    assert about(f"{poid} v12") == (poid, 12)
    assert about(f"urn:trusted-archive:{poid} v1/content/data/a") == (poid, None)
    assert about("batch 12") == (None, None)
    assert about("urn:trusted-archive:ba0000000012 v1 members.txt") == (None, None)
    assert about(f"x {poid} v1") == (None, None)


# -- objects that are sound in themselves -----------------------------------------------------


def _directory(world: World, store: str, name: str) -> Path:
    (path,) = [path.parent for path in world.files(store, "0=ocfl_object_1.1") if name in str(path)]
    return path


@pytest.mark.parametrize(
    "name", quick_first(["ba0000000001", "tr0000000001", "ba0000000002", "td0000000002", "profile-basic-1"], 2)
)
def test_a_system_object_that_is_gone_as_a_whole_is_missed(world: World, name: str) -> None:
    """Nothing is left that could be damaged; the catalogue knows that it must be there."""
    shutil.rmtree(_directory(world, "one", name))

    assert ("one", "OBJECT_MISSING") in {(entry.store, entry.code) for entry in world.audit().findings}


@pytest.mark.parametrize("name", quick_first(["ba0000000001", "tr0000000002", "profile-basic-1"]))
def test_an_object_put_in_the_place_of_another_is_named_and_not_believed(
    world: World, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same object of another archive, every digest right: store one is blamed, store two is served."""
    other = World(tmp_path_factory.mktemp("other"))
    for number in range(3):
        other.deposit({"x": b"%d" % number})
        other.preserve()
    if name.startswith("profile"):
        root = other.archive.copies.roots[0]
        inventory = root.read_inventory(f"urn:trusted-archive:{name}")
        assert inventory is not None
        shutil.rmtree(_directory(other, "one", name))
        files = {"profile.toml": PackageFile.of(b"# anything is good enough\n")}
        forged = ArchivalPackage(
            inventory.object_id, 1, other.clock.now(), "Published", "trusted-archive", "urn:x:y", files
        )
        root.write_version(forged)
    other.archive.close()
    place = _directory(world, "one", name)
    shutil.rmtree(place)
    shutil.copytree(_directory(other, "one", name), place)
    world.restart()
    poid = _poid(world)
    result = world.audit()
    report = world.archive.verify(poid, 1, actor=OPERATOR)

    assert ("one", "CONTENT_DIFFERS") in {(entry.store, entry.code) for entry in result.findings}
    assert {"one"} == {entry.store for entry in result.findings}
    assert Verdict.PASSED is report.verdict
    assert world.archive.evidence(poid, 1, actor=OPERATOR)


def test_a_batch_without_its_token_in_one_store_is_named_and_served_from_the_other(world: World) -> None:
    """Set back to before the stamp, sound as it was then."""
    poid = _poid(world)
    place = _directory(world, "one", "ba0000000001")
    shutil.rmtree(place / "v2")
    for file in ("inventory.json", "inventory.json.sha512"):
        shutil.copy(place / "v1" / file, place / file)
    world.restart()
    found = {(entry.store, entry.code) for entry in world.audit().findings}

    assert found == {("one", "CONTENT_DIFFERS")}
    assert Verdict.PASSED is world.archive.verify(poid, 1, actor=OPERATOR).verdict


def test_a_batch_with_another_seal_in_one_store_is_served_from_the_other(world: World) -> None:
    """Statement and tokens are right, every digest of the copy is; only the seal is another one."""
    poid = _poid(world)
    root = world.archive.copies.roots[0]
    object_id = "urn:trusted-archive:ba0000000001"
    place = _directory(world, "one", "ba0000000001")
    head = root.read_inventory(object_id)
    assert head is not None
    states = [
        {path: root.read_file(object_id, number, path, 2**20) for path in head.state(number)} for number in (1, 2)
    ]
    shutil.rmtree(place)
    previous = None
    for number, files in enumerate(states, 1):
        forged = {path: PackageFile.of(data[::-1] if path.endswith(".p7s") else data) for path, data in files.items()}
        package = ArchivalPackage(
            object_id, number, world.clock.now(), "Sealed", "trusted-archive", "urn:x:y", forged, previous
        )
        previous = root.write_version(package)
    world.restart()

    assert Verdict.PASSED is world.archive.verify(poid, 1, actor=OPERATOR).verdict
    assert world.archive.receipt(poid, 1, actor=OPERATOR)
