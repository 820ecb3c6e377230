"""The checker: silent about what is good, and each planted fault found with its code."""

import itertools
import os
from pathlib import Path

import pytest

from archive_core.findings import Finding
from archive_core.ocfl.check import assess_object, examine_object
from archive_core.ocfl.check_root import assess_root
from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.storage_root import StorageRoot
from storage_backends.filesystem import FilesystemStore
from tests.unit.ocfl.objects import FIRST, OBJECT, SECOND, package, root_with_two_versions

OTHER = "urn:trusted-archive:ba0000000001"


@pytest.fixture
def root(tmp_path: Path) -> StorageRoot:
    """A root in a directory with two objects, one of two versions."""
    root = StorageRoot(FilesystemStore.create("disk", tmp_path / "root"))
    root.initialise()
    first = root.write_version(package())
    root.write_version(package(SECOND, version=2, previous=first))
    root.write_version(package(object_id=OTHER))
    return root


def directory(root: StorageRoot) -> Path:
    assert isinstance(root.store, FilesystemStore)
    return root.store.root


def place(root: StorageRoot) -> Path:
    return directory(root) / root.object_path(OBJECT)


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings}


def object_codes(root: StorageRoot) -> set[str]:
    return codes(assess_object(root.store, root.object_path(OBJECT)))


def test_what_we_write_has_no_fault(root: StorageRoot) -> None:
    """Nothing is found, and everything was looked at."""
    seen = []
    report = assess_root(root.store, progress=lambda examination: seen.append(examination.object_id))

    assert report.findings == []
    assert (report.objects, report.files) == (2, 3 + 2 + 3)
    data = [*FIRST.values(), SECOND["data/c.txt"], SECOND["description.json"], *FIRST.values()]
    assert report.size == sum(map(len, data))
    assert sorted(filter(None, seen)) == [OBJECT, OTHER]


def test_the_store_in_memory_is_judged_alike() -> None:
    """No directory is assumed."""
    root, _ = root_with_two_versions()
    report = assess_root(root.store)

    assert report.findings == []
    assert report.objects == 1


def test_an_object_that_is_not_there_is_not_valid(root: StorageRoot) -> None:
    """A check that looked at nothing is an error."""
    examination = examine_object(root.store, "no/such/object")

    assert {"E003", "E063"} <= codes(examination.errors)
    assert (examination.files, examination.size) == (0, 0)


def _write(name: str, data: bytes = b"x") -> object:
    def change(place: Path) -> None:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)

    return change


def _flip(name: str) -> object:
    def change(place: Path) -> None:
        data = (place / name).read_bytes()
        (place / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    return change


def _lose(name: str) -> object:
    return lambda place: (place / name).unlink()


def _copy(source: str, target: str) -> object:
    return lambda place: (place / target).write_bytes((place / source).read_bytes())


def _lose_directory(name: str) -> object:
    def change(place: Path) -> None:
        for path in sorted((place / name).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (place / name).rmdir()

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_write("surprise"), {"E001"}),
        (_write("surprise/file"), {"E001"}),
        (_write("v3"), {"E001"}),
        (_write("v3/content/x"), {"E046", "E001"}),
        (_write("v5/content/x"), {"E046", "E001", "E010"}),
        (_write("v03/content/x"), {"E046", "E001", "E012", "E013"}),
        (_lose("0=ocfl_object_1.1"), {"E003"}),
        (_write("0=ocfl_object_1.0", b"ocfl_object_1.0\n"), {"E003"}),
        (_write("0=ocfl_object_2.0", b"ocfl_object_2.0\n"), {"E003", "E004", "E006"}),
        (_write("0=ocfl_object_1.1", b"ocfl_object_1.1"), {"E007"}),
        (_write("0=ocfl_object_1.1", b""), {"E007"}),
        (_write("v1/surprise"), {"E015"}),
        (_write("v1/inventory.json.md5"), {"E015"}),
        (_write("v1/other/file"), {"W002"}),
        (_write("v1/content/data/surprise"), {"E023"}),
        (_write("v2/content/surprise"), {"E023"}),
        (_lose_directory("v1"), {"E010", "E046", "E092"}),
        (_lose_directory("v1/content"), {"E016", "E023", "E092"}),
        (lambda place: (place / "v1/content/empty").mkdir(), {"E024"}),
        (_lose("v1/content/data/a.txt"), {"E023", "E092"}),
        (_flip("v1/content/data/a.txt"), {"E092"}),
        (_write("v1/content/data/a.txt", b""), {"E092"}),
        (_copy("v1/content/data/b.txt", "v1/content/data/a.txt"), {"E092"}),
        (_lose("inventory.json"), {"E063"}),
        (_write("inventory.json", b"{}"), {"E036", "E064"}),
        (_write("inventory.json", b"not json"), {"E033"}),
        (_lose("inventory.json.sha512"), {"E058"}),
        (_flip("inventory.json"), {"E060", "E064"}),
        (_write("inventory.json.sha512", b"0" * 128 + b" inventory.json\n"), {"E060"}),
        (_write("inventory.json.sha512", b"0" * 128 + b"\n"), {"E061"}),
        (_write("inventory.json.sha256"), {"E001"}),
        (_copy("v1/inventory.json", "inventory.json"), {"E046", "E060"}),
        (_lose("v1/inventory.json"), {"W010"}),
        (_lose("v2/inventory.json"), {"W010"}),
        (_lose("v1/inventory.json.sha512"), {"E058"}),
        (_lose("v2/inventory.json.sha512"), {"E058"}),
        (_write("v1/inventory.json.sha512", b"0" * 128 + b" inventory.json\n"), {"E060"}),
        (_write("v1/inventory.json", b"{"), {"E033"}),
        (_flip("v2/inventory.json"), {"E064", "E060"}),
        (_copy("v2/inventory.json", "v1/inventory.json"), {"E040", "E060"}),
        (_write("extensions/file"), {"E067"}),
        (_write("extensions/unheard-of/config.json"), {"W013"}),
        (_write("extensions/0009-digest-algorithms/config.json"), set()),
        (_write("logs/anything"), set()),
        (lambda place: (place / "logs").mkdir(), set()),
        (lambda place: (place / "link").symlink_to("inventory.json"), {"E001", "E090"}),
        (lambda place: (place / "v1/content/data/link").symlink_to("a.txt"), {"E090"}),
    ],
)
def test_a_planted_fault_is_found_with_its_code(root: StorageRoot, change: object, expected: set[str]) -> None:
    """One change to a good object, and at least these codes; none when the change is allowed."""
    assert callable(change)
    change(place(root))
    found = object_codes(root)

    assert expected <= found
    assert bool(expected) == bool(found)


def test_every_single_flipped_byte_of_an_object_is_found(root: StorageRoot) -> None:
    """No file of an object can be changed unnoticed, wherever in it."""
    for path in sorted(place(root).rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        for position, bit in itertools.product({0, len(data) // 2, len(data) - 1}, range(8)):
            path.write_bytes(data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :])
            assert object_codes(root), f"{path.name} changed at {position}, bit {bit}"
        path.write_bytes(data)

    assert object_codes(root) == set()


def _rewrite(place: Path, name: str, inventory: Inventory) -> None:
    (place / name / "inventory.json").write_bytes(inventory.document)
    (place / name / "inventory.json.sha512").write_bytes(inventory.sidecar)


@pytest.mark.parametrize(
    ("files", "object_id", "message", "expected"),
    [
        (FIRST, "urn:trusted-archive:another", "deposit", {"E037", "E110"}),
        (FIRST, OBJECT, "another message", {"W011"}),
        ({**FIRST, "data/d.txt": b"delta"}, OBJECT, "deposit", {"E066", "E023", "E092"}),
        ({**FIRST, "data/a.txt": b"other"}, OBJECT, "deposit", {"E066", "E092"}),
        ({k: v for k, v in FIRST.items() if k != "data/b.txt"}, OBJECT, "deposit", {"E066", "E023"}),
    ],
)
def test_inventories_that_contradict_each_other_are_found(
    root: StorageRoot, files: dict[str, bytes], object_id: str, message: str, expected: set[str]
) -> None:
    """Each is good for itself and has its sidecar; together they are not."""
    _rewrite(place(root), "v1", package(files, object_id=object_id, message=message).inventory)

    assert expected <= object_codes(root)


def test_fixity_values_are_checked(root: StorageRoot) -> None:
    """Every algorithm that is recorded is computed."""
    text = place(root).joinpath("inventory.json").read_text()
    good = {
        "md5": "2c1743a391305fbf367df8e4f069f9f9",
        "size": "5",
        "blake2b-160": "3bf3ad9e2d5cd0d7fdb2e0f5b3ec6d4a1a5b2e02",
    }
    for algorithm, value, expected in (
        ("md5", good["md5"], set()),
        ("size", "5", set()),
        ("md5", "0" * 32, {"E093"}),
        ("size", "6", {"E093"}),
        ("blake2b-160", good["blake2b-160"], {"E093"}),
        ("sha512/256", "0" * 64, {"E093"}),
    ):
        block = f'"fixity":{{"{algorithm}":{{"{value}":["v1/content/data/a.txt"]}}}},"head"'
        inventory = Inventory.parse(text.replace('"head"', block, 1).encode())
        _rewrite(place(root), "", inventory)
        _rewrite(place(root), "v2", inventory)
        assert object_codes(root) == expected, (algorithm, value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_lose("0=ocfl_1.1"), {"E069", "E076"}),
        (_write("0=ocfl_1.0", b"ocfl_1.0\n"), {"E076"}),
        (_write("0=ocfl_9.9", b"ocfl_9.9\n"), {"E075", "E076", "E079"}),
        (_write("0=ocfl_1.1", b"ocfl_1.1"), {"E080"}),
        (_write("ocfl_layout.json", b"{}"), {"E070"}),
        (_write("ocfl_layout.json", b"["), {"E070"}),
        (_write("ocfl_layout.json", b'{"extension":"my-own","description":"x"}'), {"E071"}),
        (_write("extensions/0003-hash-and-id-n-tuple-storage-layout/config.json", b"{}"), {"E071"}),
        (_lose("extensions/0003-hash-and-id-n-tuple-storage-layout/config.json"), {"E083", "E073"}),
        (_write("extensions/file"), {"E112"}),
        (_write("extensions/unheard-of/config.json"), {"W016"}),
        (_write("ocfl_1.1.md"), set()),
        (lambda place: (place / "empty").mkdir(), {"E073"}),
        (lambda place: (place / "a/b/c").mkdir(parents=True), {"E073"}),
        (_write("stray/file"), {"E072", "E084"}),
        (lambda place: (place / "link").symlink_to("/"), {"E090"}),
    ],
)
def test_a_fault_of_the_root_is_found_with_its_code(root: StorageRoot, change: object, expected: set[str]) -> None:
    """Around the objects nothing may lie that OCFL does not know."""
    assert callable(change)
    change(directory(root))
    report = assess_root(root.store)

    assert expected <= codes(report.findings)
    assert bool(expected) == bool(report.findings)
    assert report.objects == 2


def test_a_stray_file_hides_no_object(root: StorageRoot) -> None:
    """The objects beside it are still named and examined."""
    (place(root).parent / "Thumbs.db").write_bytes(b"1")

    assert len(list(root.object_ids())) == 2
    assert assess_root(root.store).objects == 2


def test_an_object_in_the_wrong_place_is_found(root: StorageRoot) -> None:
    """A good object that the layout puts elsewhere cannot be found by its id."""
    (directory(root) / "zz").mkdir()
    place(root).rename(directory(root) / "zz" / "moved")
    report = assess_root(root.store)

    assert "E083" in codes(report.findings)


def test_what_an_interrupted_first_version_left_is_one_invalid_object(root: StorageRoot) -> None:
    """It is judged as the object that it is not, at its own path."""
    for name in ("0=ocfl_object_1.1", "inventory.json", "inventory.json.sha512"):
        (place(root) / name).unlink()
    report = assess_root(root.store)

    assert {"E003", "E063"} <= codes(report.findings)
    assert report.objects == 2
    assert all(root.object_path(OBJECT) in finding.where for finding in report.findings)


def test_findings_name_store_and_path(root: StorageRoot) -> None:
    """An operator must find the file."""
    (place(root) / "v1/content/data/a.txt").write_bytes(b"wrong")
    (finding,) = assess_object(root.store, root.object_path(OBJECT))

    assert finding.where == f"disk:{root.object_path(OBJECT)}/v1/content/data/a.txt"


def test_a_name_that_is_not_text_is_shown_escaped(root: StorageRoot) -> None:
    """Findings can be printed and written as JSON whatever the name."""
    with open(os.fsencode(place(root)) + b"/bad\xff\n", "wb") as stream:
        stream.write(b"1")
    findings = assess_object(root.store, root.object_path(OBJECT))

    assert codes(findings) == {"E001"}
    for finding in findings:
        for text in finding.to_json().values():
            assert text.encode("utf-8").decode("utf-8").isprintable()


def test_a_write_that_is_going_on_is_no_fault(root: StorageRoot) -> None:
    """What its writer still works at is left out, and counted as not looked at."""
    (place(root) / "inventory.json").unlink()
    asked = []

    def under_way(path: str) -> bool:
        asked.append(path)
        return True

    report = assess_root(root.store, under_way=under_way)

    assert report.findings == []
    assert report.objects == 1
    assert asked == [root.object_path(OBJECT)]


def test_a_write_that_ends_while_it_is_examined_is_no_fault(root: StorageRoot) -> None:
    """What looks faulty is examined again before it is believed."""
    inventory = place(root) / "inventory.json"
    data = inventory.read_bytes()
    inventory.unlink()

    def under_way(path: str) -> bool:
        inventory.write_bytes(data)  # the writer ends just now
        return False

    report = assess_root(root.store, under_way=under_way)

    assert report.findings == []
    assert report.objects == 2
