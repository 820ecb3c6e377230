"""Directories that lock by the immutable attribute: what is locked stays, and the probe shows it."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from archive_core.digests import Digest
from archive_core.errors import SettingsError, StoreUnavailableError
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import LocksObjects, NewFile, PutBack
from storage_backends import immutable
from storage_backends.immutable import ImmutableStore, _below, _mark
from tests.unit.ocfl.objects import package
from tests.vectors import missing

AHEAD = timedelta(days=180)


@pytest.fixture
def store() -> Iterator[ImmutableStore]:
    """A store on a file system that has the attribute, with one object; skipped where it cannot be set."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="immutable-") as folder:
        place = Path(folder)
        made = ImmutableStore.create("locked", place / "root", place / "staging")
        assert isinstance(made, ImmutableStore)
        try:
            try:
                made.probe_locks()
            except SettingsError:
                missing("the immutable attribute: root on ext4, XFS or Btrfs in /var/tmp")
            root = StorageRoot(made)
            root.initialise()
            root.write_version(package())
            yield made
        finally:
            made.close()
            for path in _below(place):
                with suppress(OSError):
                    _mark(path, False)


@pytest.fixture
def path(store: ImmutableStore) -> str:
    return StorageRoot(store).object_path(package().object_id)


def later() -> datetime:
    return datetime.now(UTC) + AHEAD


def test_a_canary_survives_every_attack(store: ImmutableStore) -> None:
    """And nothing of it is left."""
    found = store.probe_locks()
    assert found.holds
    assert len(found.attacks) > 12
    assert isinstance(store, LocksObjects)
    assert [one.name for one in store.root.parent.iterdir() if "canary" in one.name] == []


@pytest.mark.parametrize("forgets", ["files", "everything"])
def test_a_file_system_that_takes_the_attribute_and_forgets_it_is_found_out(
    store: ImmutableStore, monkeypatch: pytest.MonkeyPatch, forgets: str
) -> None:
    """Set on nothing, or on directories alone."""
    real = immutable._mark

    def forgetting(path: Path, on: bool) -> None:
        if not on or (forgets == "files" and path.is_dir()):
            real(path, on)

    monkeypatch.setattr(immutable, "_mark", forgetting)
    found = store.probe_locks()
    assert not found.holds
    assert {"forget the lock", "write to a file"} <= set(found.broken)


def test_without_the_right_to_set_it_the_store_cannot_lock(
    store: ImmutableStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting to change, and no store that seems to lock."""

    def refused(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(immutable, "_mark", refused)
    with pytest.raises(SettingsError, match="immutable attribute"):
        store.probe_locks()


def test_what_is_locked_can_be_neither_changed_nor_deleted(store: ImmutableStore, path: str) -> None:
    """Not by this program either, before its time; reading and new versions go on."""
    assert store.locked_until(path) is None
    until = later()
    assert store.lock_object(path, until) > 0
    assert store.locked_until(path) == until
    files = [one for one in (store.root / path).rglob("*") if one.is_file() and "/v1/" in str(one)]
    for file in files:
        with pytest.raises(PermissionError):
            file.unlink()
        with pytest.raises(PermissionError):
            file.open("r+b")
    with pytest.raises(StoreUnavailableError, match="locked"):
        store.purge_object(path)
    assert StorageRoot(store).read_file(package().object_id, 1, "data/a.txt", 100)


def test_a_lock_is_only_ever_made_longer(store: ImmutableStore, path: str) -> None:
    """An earlier end changes nothing, a later one counts; a half locked object counts as not locked."""
    until = later()
    store.lock_object(path, until)
    store.lock_object(path, until - timedelta(days=1))
    assert store.locked_until(path) == until
    store.lock_object(path, until + timedelta(days=1))
    assert store.locked_until(path) == until + timedelta(days=1)
    file = next(one for one in (store.root / path).rglob("data/*"))
    _mark(file, False)
    assert store.locked_until(path) is None
    store.lock_object(path, until)
    assert store.locked_until(path) is not None


def test_what_is_past_its_lock_is_purged(store: ImmutableStore, path: str) -> None:
    """Completely."""
    store.lock_object(path, datetime.now(UTC) - timedelta(seconds=1))
    store.purge_object(path)
    assert not (store.root / path).exists()


def test_repair_puts_a_locked_file_right_and_leaves_it_locked(store: ImmutableStore, path: str) -> None:
    """Damage of the device does not ask for attributes."""
    until = later()
    store.lock_object(path, until)
    file = next(one for one in (store.root / path).rglob("data/*"))
    good = file.read_bytes()
    for one in reversed(_below(file.parents[2])):
        _mark(one, False)
    file.chmod(0o644)
    file.write_bytes(b"damaged")
    store.lock_object(path, until)
    key = str(file.relative_to(store.root))
    item = PutBack(NewFile(key, good, Digest.of("sha512", good), len(good)), Digest.of("sha512", b"damaged"))
    store.put_back([item])
    assert file.read_bytes() == good
    assert store.locked_until(path) == until
    assert os.getxattr(file.parents[2], "user.trusted-archive.locked-until")
