"""What is set aside is kept: whole, durable, and beside what was set aside before."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest

from archive_core.ports import EntryKind, StoredEntry
from archive_core.repair import mending
from archive_core.repair.mending import Mended, SetAside, Unmended
from storage_backends.filesystem import FilesystemStore

KEY = "deep/stranger.txt"


@pytest.fixture
def root(tmp_path: Path) -> Any:
    """A store with nothing in it; of a storage root only that is asked for."""
    return SimpleNamespace(store=FilesystemStore.create("one", tmp_path / "store"))


def strange(root: Any, content: bytes) -> None:
    """Somebody lays a file into the store."""
    path = root.store.root / KEY
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def take(folder: Path, root: Any) -> list[Mended | Unmended]:
    told: list[Mended | Unmended] = []
    SetAside(folder).take(root, [StoredEntry(KEY, 1, EntryKind.FILE)], told.append)
    return told


def kept(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_other_bytes_of_the_same_name_are_kept_beside_the_first(root: Any, tmp_path: Path) -> None:
    """Each once, however often the same bytes come back."""
    folder = tmp_path / "aside"
    for content in (b"first", b"second", b"first", b"third", b"second"):
        strange(root, content)
        assert [type(one) for one in take(folder, root)] == [Mended]
        assert list(root.store.list()) == []

    assert kept(folder) == {f"one/{KEY}": b"first", f"one/{KEY}.2": b"second", f"one/{KEY}.3": b"third"}


def test_what_cannot_be_kept_stays_in_the_store(root: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room here: nothing half is left, and what was kept before is as it was."""
    folder = tmp_path / "aside"
    strange(root, b"first")
    take(folder, root)
    strange(root, b"second")

    def full(source: BinaryIO, target: BinaryIO, length: int) -> None:
        target.write(source.read(3))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mending.shutil, "copyfileobj", full)
    (told,) = take(folder, root)

    assert isinstance(told, Unmended)
    assert "No space left" in told.message
    assert (root.store.root / KEY).read_bytes() == b"second"
    assert kept(folder) == {f"one/{KEY}": b"first"}


def test_it_is_durable_before_the_store_loses_it(root: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contents, then every name on the way from the folder down; a power cut leaves it in one of the two places."""
    folder = tmp_path / "aside"
    steps: list[str] = []
    sync, remove = os.fsync, root.store.remove

    def synced(descriptor: int) -> None:
        steps.append(os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), tmp_path))
        sync(descriptor)

    def removed(keys: list[str]) -> None:
        steps.append("removed")
        remove(keys)

    monkeypatch.setattr(mending.os, "fsync", synced)
    root.store.remove = removed
    strange(root, b"first")
    take(folder, root)
    before = steps[: steps.index("removed")]

    assert before[0].startswith("aside/one/deep/")
    assert before[1:] == ["aside/one/deep", "aside/one", "aside", "."]
