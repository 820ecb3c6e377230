"""Small objects of a store that is far away are read at the same time, and told in their order."""

import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from archive_core import plain_reading
from archive_core.plain_reading import PlainReader, files_of
from tests.world import World


@pytest.mark.parametrize(("side_by_side", "most"), [(4, 4), (None, 1)])
def test_as_many_objects_are_under_way_as_the_store_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side_by_side: int | None, most: int
) -> None:
    """Reading such a store is waiting; where it is work, one object comes after the other."""
    world = World(tmp_path)
    told = [world.deposit({"a.txt": b"%d" % number}).poid for number in range(60)]
    root = world.archive.copies.roots[0]
    if side_by_side is not None:
        monkeypatch.setattr(type(root.store), "side_by_side", side_by_side, raising=False)
    under_way, seen, lock = 0, 0, threading.Lock()
    read = plain_reading.read_plain

    def slow(*args: Any, **more: Any) -> Any:
        nonlocal under_way, seen
        with lock:
            under_way += 1
            seen = max(seen, under_way)
        time.sleep(0.005)
        try:
            return read(*args, **more)
        finally:
            with lock:
                under_way -= 1

    monkeypatch.setattr(plain_reading, "read_plain", slow)
    rows = world.archive.catalogue.objects(None, 100, living=True)
    with closing(PlainReader(root, expected=len(rows))) as reader:
        page = reader.begin(rows, files_of(world.archive.catalogue, rows), lambda row: ())
        found = list(reader.results(page))
    world.archive.close()

    assert [row.poid for row, _ in found] == sorted(told)
    assert all(plain is not None for _, plain in found)
    assert seen == most
