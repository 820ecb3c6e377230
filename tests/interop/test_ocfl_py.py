"""ocfl-py judges the storage roots that we write: every object, no error, no warning."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archive_core.identifiers import BATCH, TRAIL, PoidMint, named_object, storage_object_for, system_object
from archive_core.ocfl.check_root import assess_root
from archive_core.ocfl.package import ArchivalPackage, PackageFile
from archive_core.ocfl.storage_root import StorageRoot
from storage_backends.filesystem import FilesystemStore
from tests.interop.ocfl_judge import judge_object, judge_root, object_directories

pytestmark = [pytest.mark.interop, pytest.mark.slow]

WHEN = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
DEPOSIT = {
    "description.json": b"{}\n",
    "metadata.json": b'{"title":"x"}',
    "data/žluťoučký kůň.pdf": b"%PDF",
    "data/a/b/c/empty": b"",
    "data/same": b"%PDF",
    "data/100%.txt": b"percent",
    "data/ a\\b ": b"odd",
}


def package(
    object_id: str, files: dict[str, bytes], version: int = 1, root: StorageRoot | None = None
) -> ArchivalPackage:
    previous = root.read_inventory(object_id) if root else None
    made = {path: PackageFile.of(data) for path, data in files.items()}
    return ArchivalPackage(object_id, version, WHEN, "Deposit", "trusted-archive", "urn:x-software:y", made, previous)


@pytest.fixture
def root(tmp_path: Path) -> StorageRoot:
    """A root with deposits, an object of twelve versions, a version without new content, and system objects."""
    root = StorageRoot(FilesystemStore.create("disk", tmp_path / "root"))
    root.initialise()
    mint = PoidMint()
    poids = [mint.mint(WHEN) for _ in range(20)]
    root.write_versions([package(storage_object_for(poid), {**DEPOSIT, "n": poid.encode()}) for poid in poids])
    updated = storage_object_for(poids[0])
    for version in range(2, 13):
        root.write_version(package(updated, {"data/x": b"%d" % version, "data/same": b"%PDF"}, version, root))
    root.write_version(package(updated, {"data/renamed": b"%PDF"}, 13, root))
    root.write_version(package(system_object(BATCH, 1), {"members.txt": b"", "lines/sha512/tree.bin": os.urandom(640)}))
    root.write_version(package(system_object(TRAIL, 1), {"events.jsonl": b"{}\n", "segment.json": b"{}\n"}))
    root.write_version(package(named_object("profile-basic-1"), {"profile.toml": b"x = 1\n"}))
    return root


def place(root: StorageRoot) -> Path:
    assert isinstance(root.store, FilesystemStore)
    return root.store.root


def test_every_object_that_we_wrote_is_valid_without_a_warning(root: StorageRoot) -> None:
    """Number judged is number held; our own checker agrees."""
    ruling = judge_root(place(root))

    assert ruling.clean, ruling.words
    assert ruling.held == 23 == assess_root(root.store).objects == len(list(root.object_ids()))
    assert assess_root(root.store).findings == []


def test_a_flipped_byte_is_found_by_both(root: StorageRoot) -> None:
    """E092 from the foreign judge, although it calls the root itself good, and from ours."""
    victim = next(path for path in sorted(place(root).rglob("v1/content/data/same")))
    data = victim.read_bytes()
    victim.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    ruling = judge_root(place(root))

    assert not ruling.clean
    assert ruling.codes == ("E092",)
    assert len(ruling.invalid) == 1
    assert victim.is_relative_to(ruling.invalid[0])
    assert {finding.code for finding in assess_root(root.store).errors} == {"E092"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("inventory.json", "E064"),
        ("v1/inventory.json", "E064"),
        ("inventory.json.sha512", "E061"),
        ("0=ocfl_object_1.1", "E007"),
    ],
)
def test_damage_to_what_is_around_the_content_is_found_by_both(root: StorageRoot, name: str, code: str) -> None:
    """The same code from both judges."""
    directory = object_directories(place(root))[0]
    target = directory / name
    data = target.read_bytes()
    changed = data.replace(b"Deposit", b"deposit").replace(b" inventory.json", b"").replace(b"_1.1", b"_1.0")
    assert changed != data
    target.write_bytes(changed)
    valid, codes = judge_object(directory)
    ours = {finding.code for finding in assess_root(root.store).errors}

    assert not valid
    assert code in codes
    assert code in ours


def test_a_lost_and_a_surplus_file_are_found_by_both(root: StorageRoot) -> None:
    """Fewer files than the manifest, or more."""
    directory = object_directories(place(root))[0]
    content = next(path for path in sorted(directory.rglob("v1/content/**/*")) if path.is_file())
    content.with_name("surplus").write_bytes(b"1")
    assert judge_object(directory) == (False, {"E023"})
    content.unlink()
    valid, codes = judge_object(directory)

    assert not valid
    assert {"E023", "E092"} <= codes
    assert {"E023", "E092"} <= {finding.code for finding in assess_root(root.store).errors}
