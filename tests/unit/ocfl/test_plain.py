"""A plain object is one about which no check has a finding; the least change makes it an object like any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archive_core.digests import Digest
from archive_core.ocfl.check import examine_object
from archive_core.ocfl.own_form import assess_sidecars
from archive_core.ocfl.plain import SMALL, files_below, read_plain
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import EntryKind
from storage_backends.filesystem import FilesystemStore
from tests.unit.ocfl.objects import FIRST, OBJECT, SECOND, new_root, package, root_with_two_versions


@pytest.fixture
def root(tmp_path: Path) -> StorageRoot:
    made = StorageRoot(FilesystemStore.create("disk", tmp_path / "root"))
    made.initialise()
    made.write_version(package({**FIRST, "data/large": b"x" * (SMALL + 5), "data/same": FIRST["data/a.txt"]}))
    return made


def folder(root: StorageRoot) -> Path:
    assert isinstance(root.store, FilesystemStore)
    return root.store.root / root.object_path(OBJECT)


def test_what_this_program_writes_is_plain(root: StorageRoot) -> None:
    """Every file with its digests, in every algorithm that was asked for."""
    found = read_plain(root.store, root.object_path(OBJECT), OBJECT, algorithms=["sha512", "sha3-512"])

    assert found is not None
    assert set(found.files) == {*FIRST, "data/large", "data/same"}
    for path, data in {**FIRST, "data/large": b"x" * (SMALL + 5)}.items():
        assert found.files[path] == {name: Digest.of(name, data).hex for name in ("sha512", "sha3-512")}
    assert found.size == sum(map(len, FIRST.values())) + SMALL + 5 + len(FIRST["data/a.txt"])


def test_a_store_that_reads_one_by_one_gives_the_same() -> None:
    """The memory store offers no more than the port asks for."""
    root, store = new_root()
    root.write_version(package())
    found = read_plain(store, root.object_path(OBJECT), OBJECT)

    assert found is not None
    assert set(found.files) == set(FIRST)


def test_other_objects_are_not_plain(root: StorageRoot) -> None:
    """Another id, an object of two versions, and nothing at all."""
    two, store = root_with_two_versions()

    assert read_plain(root.store, root.object_path(OBJECT), OBJECT + "0") is None
    assert read_plain(store, two.object_path(OBJECT), OBJECT) is None
    assert read_plain(root.store, root.object_path(OBJECT + "0"), OBJECT + "0") is None
    assert len(SECOND) == 3


FILES = ["0=ocfl_object_1.1", "inventory.json", "inventory.json.sha512", "v1/inventory.json"]
FILES += ["v1/inventory.json.sha512", *(f"v1/content/{path}" for path in [*FIRST, "data/large"])]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("change", ["flip", "append", "truncate", "remove", "link", "pipe", "folder"])
def test_a_change_to_any_file_is_seen(root: StorageRoot, file: str, change: str) -> None:
    """Of each of its files, in each way."""
    path = folder(root) / file
    data = path.read_bytes()
    path.unlink()
    if change == "flip":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif change in ("append", "truncate"):
        path.write_bytes(data + b" " if change == "append" else data[:-1])
    elif change == "link":
        (folder(root).parent / "elsewhere").write_bytes(data)
        path.symlink_to(folder(root).parent / "elsewhere")
    elif change == "pipe":
        import os

        os.mkfifo(path)
    elif change == "folder":
        path.mkdir()

    assert read_plain(root.store, root.object_path(OBJECT), OBJECT) is None


@pytest.mark.parametrize(
    "extra", ["extra", "v1/extra", "v1/content/extra", "v2/inventory.json", "logs/a", "empty/", "v1/content/empty/"]
)
def test_anything_more_is_seen(root: StorageRoot, extra: str) -> None:
    """A file or an empty folder too many, also where OCFL would allow it."""
    path = folder(root) / extra
    path.parent.mkdir(parents=True, exist_ok=True)
    if extra.endswith("/"):
        path.mkdir()
    else:
        path.write_bytes(b"")

    assert read_plain(root.store, root.object_path(OBJECT), OBJECT) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(extra=1),
        lambda document: document.update(contentDirectory="content"),
        lambda document: document["versions"]["v1"].update(created="yesterday"),
        lambda document: document["versions"]["v1"].update(message=1),
        lambda document: document["versions"]["v1"]["user"].update(address="nowhere"),
        lambda document: document["versions"]["v1"].pop("user"),
        lambda document: document.update(id="urn:x"),
        lambda document: document.update(fixity={}),
        lambda document: document.update(digestAlgorithm="sha256"),
        lambda document: document["manifest"].popitem(),
        lambda document: document.update(versions=[]),
    ],
)
def test_an_inventory_that_is_confirmed_but_says_something_else_is_seen(root: StorageRoot, change: object) -> None:
    """Its sidecars and its twin agree with it; it is still not what is written for this content."""
    document = json.loads((folder(root) / "inventory.json").read_text("utf-8"))
    change(document)  # type: ignore[operator]
    data = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    _put(root, data)

    assert read_plain(root.store, root.object_path(OBJECT), OBJECT) is None


@pytest.mark.parametrize(
    "data", [b"", b"null\n", b"[" * 100_000, b'{"versions":{"v1":{"created":"\\ud800"}}}\n', b"\xff\n"]
)
def test_an_inventory_that_is_none_is_seen(root: StorageRoot, data: bytes) -> None:
    """Empty, no object, too deep, no text."""
    _put(root, data)

    assert read_plain(root.store, root.object_path(OBJECT), OBJECT) is None


def _put(root: StorageRoot, data: bytes) -> None:
    sidecar = f"{Digest.of('sha512', data).hex} inventory.json\n".encode()
    for place in (folder(root), folder(root) / "v1"):
        (place / "inventory.json").write_bytes(data)
        (place / "inventory.json.sha512").write_bytes(sidecar)


def test_what_is_plain_has_no_finding(root: StorageRoot) -> None:
    """The strict checks agree, in findings and in what they looked at."""
    path = root.object_path(OBJECT)
    found, examined = read_plain(root.store, path, OBJECT), examine_object(root.store, path)

    assert found is not None
    assert examined.findings == []
    assert assess_sidecars(root, path) == []
    assert (examined.files, examined.size) == (len(found.files), found.size)


def test_a_folder_read_at_once_is_the_one_that_is_listed(root: StorageRoot) -> None:
    """The same entries in the same order, links and empty folders too, and the bytes of what is small."""
    place = folder(root)
    (place / "link").symlink_to(place / "inventory.json")
    (place / "v1" / "empty").mkdir()
    store, path = root.store, root.object_path(OBJECT)
    found = dict(files_below(store, path, SMALL))

    assert [(entry.key, entry.kind) for entry in found] == [(entry.key, entry.kind) for entry in store.list(path)]
    assert {entry.kind for entry in found} == set(EntryKind)
    for entry, data in found.items():
        if entry.kind is EntryKind.FILE and entry.size <= SMALL:
            with store.open(entry.key) as stream:
                assert data == stream.read()
        else:
            assert data is None
