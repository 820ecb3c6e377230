"""Reading of several files of a version: how often a store is asked where they lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.storage_root import StorageRoot
from tests.world import OPERATOR, World

FILES = {f"{number}.txt": str(number).encode() for number in range(6)}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.archive.close()


def test_an_inventory_is_read_once_however_many_files_there_are(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And anew by whoever reads later, who may find another one."""
    poid = world.deposit(FILES).poid
    asked: Counter[str] = Counter()
    real = StorageRoot.read_inventory

    def counted(root: StorageRoot, *given: Any) -> Inventory | None:
        asked[root.store.name] += 1
        return real(root, *given)

    monkeypatch.setattr(StorageRoot, "read_inventory", counted)
    for times in (1, 2):
        out = tmp_path / f"out{times}"
        world.archive.retrieve(poid, None, out, actor=OPERATOR)
        assert {path.name: path.read_bytes() for path in out.iterdir()} == FILES
        assert max(asked.values()) == times
