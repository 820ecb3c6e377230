"""Processes that write for a store: two groups at once, and nothing lost when one vanishes."""

import os
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archive_core.errors import StoreUnavailableError
from archive_core.identifiers import PoidMint, storage_object_for
from archive_core.ocfl.package import ArchivalPackage, PackageFile
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import KnownBytes
from storage_backends.writer import LANES, SideBySideStore

AT = datetime(2026, 3, 1, tzinfo=UTC)
MINT = PoidMint()


def packages(count: int) -> list[ArchivalPackage]:
    return [
        ArchivalPackage(
            object_id=storage_object_for(MINT.mint(AT)),
            version=1,
            created=AT,
            message="Deposit",
            user_name="test",
            user_address="urn:test",
            files={"data/a": PackageFile.of(KnownBytes(b"%d" % number))},
            previous=None,
        )
        for number in range(count)
    ]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[StorageRoot]:
    store = SideBySideStore.create("one", tmp_path / "root", tmp_path / "staging")
    root = StorageRoot(store)
    root.initialise()
    yield root
    store.close()


def test_groups_that_come_at_the_same_time_are_all_written(root: StorageRoot) -> None:
    """More groups than lanes, from as many threads: each object is there."""
    groups = [packages(5) for _ in range(2 * LANES + 1)]
    threads = [threading.Thread(target=root.write_versions, args=(group,)) for group in groups]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    written = {package.object_id for group in groups for package in group}
    assert set(root.object_ids()) == written


def test_a_writer_that_vanished_is_said_to_be_away_and_the_next_group_gets_a_new_one(root: StorageRoot) -> None:
    """Nobody is told that a group was written which perhaps was not."""
    root.write_versions(packages(2))
    store = root.store
    assert isinstance(store, SideBySideStore)
    process = store._writer._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    with pytest.raises(StoreUnavailableError):
        root.write_versions(packages(2))
    again = packages(2)
    root.write_versions(again)

    assert {package.object_id for package in again} <= set(root.object_ids())


def test_closing_waits_for_what_is_being_written(root: StorageRoot) -> None:
    """A group that was handed over is written although the store is closed meanwhile."""
    group = packages(40)
    thread = threading.Thread(target=root.write_versions, args=(group,))
    thread.start()
    root.store.close()
    thread.join(60)

    assert not thread.is_alive()
    assert set(root.object_ids()) == {package.object_id for package in group}
