"""Damage of every kind in one copy, or in all, and what a repair makes of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core.repair.result import RepairResult
from tests.integration.test_damage import HARMS, a_sample, other_file, sound
from tests.world import OPERATOR, World

__all__ = ["sound"]

pytestmark = pytest.mark.timeout(120)


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


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def big_object(world: World) -> str:
    return world.archive.objects(actor=OPERATOR)[0].poid


def test_there_is_nothing_to_repair_in_a_sound_archive(world: World) -> None:
    """And it says how much it looked at."""
    before = snapshot(world.store("one"))
    found = repair(world)

    assert (found.repaired, found.findings, found.good) == ([], [], True)
    assert found.checked["objects"] > 0
    assert snapshot(world.store("one")) == before


@pytest.mark.slow
def test_each_kind_of_harm_is_repaired_bit_exact(world: World) -> None:
    """To one kind of file each; all files of the store are as before, and the strange one is set aside."""
    world.archive.flush_trail()
    before = snapshot(world.store("one"))
    sample = a_sample(world, "one")
    for harm in HARMS:
        key = next(key for key, one in sample if one is harm)
        path = world.store("one") / key
        harm(path, other_file(path, world.store("one")))

        found = repair(world)
        assert found.findings == [], (harm.__name__, key, [one.to_json() for one in found.findings])
        assert found.repaired, (harm.__name__, key)
        assert {mended.store for mended, _ in found.repaired} == {"one"}
    after = snapshot(world.store("one"))
    assert {key: after.get(key) for key in before} == before
    assert world.audit().findings == []
