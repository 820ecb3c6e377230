"""Random single faults in a storage root: drawn from a seed, done, and undone by nobody but the repair.

The rules this module keeps
 * A fault is one thing that happens to one file, one object or one pair of files. Faults of one round lie in distinct
   objects, so that each must be found and repaired for itself.
 * The same seed gives the same faults in the same archive; a failure names seed, round and fault.
 * A fault that changed no byte and no name does not count: another is drawn.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from archive_core.archive import silent
from archive_core.audit_result import AuditResult
from archive_core.catalogue.rows import EventRow
from archive_core.repair.result import RepairResult
from tests.world import OPERATOR, World

Harm = Callable[[random.Random, Path, list[Path]], None]
"""Does harm to an object's directory, of which these are all files."""


def _put(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def flip_bit(chance: random.Random, root: Path, files: list[Path]) -> None:
    path = chance.choice([one for one in files if one.stat().st_size])
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    _put(path, bytes(content))


def wipe_sector(chance: random.Random, root: Path, files: list[Path]) -> None:
    """512 bytes, or as many as there are, become zeros."""
    path = chance.choice([one for one in files if one.stat().st_size])
    content = bytearray(path.read_bytes())
    start = chance.randrange(0, len(content), 512)
    end = min(start + 512, len(content))
    content[start:end] = bytes(end - start)
    _put(path, bytes(content))


def noise(chance: random.Random, root: Path, files: list[Path]) -> None:
    """A run of bytes is written over."""
    path = chance.choice([one for one in files if one.stat().st_size])
    content = bytearray(path.read_bytes())
    start = chance.randrange(len(content))
    end = min(len(content), start + chance.randrange(1, 5000))
    content[start:end] = chance.randbytes(end - start)
    _put(path, bytes(content))


def truncate(chance: random.Random, root: Path, files: list[Path]) -> None:
    path = chance.choice([one for one in files if one.stat().st_size])
    _put(path, path.read_bytes()[: chance.randrange(path.stat().st_size)])


def lengthen(chance: random.Random, root: Path, files: list[Path]) -> None:
    path = chance.choice(files)
    _put(path, path.read_bytes() + chance.randbytes(chance.randrange(1, 600)))


def insert_byte(chance: random.Random, root: Path, files: list[Path]) -> None:
    path = chance.choice(files)
    content = path.read_bytes()
    place = chance.randrange(len(content) + 1)
    _put(path, content[:place] + chance.randbytes(1) + content[place:])


def delete(chance: random.Random, root: Path, files: list[Path]) -> None:
    chance.choice(files).unlink()


def swap(chance: random.Random, root: Path, files: list[Path]) -> None:
    """Two files of the object have each other's bytes."""
    first, second = chance.sample(files, 2)
    mine, its = first.read_bytes(), second.read_bytes()
    _put(first, its)
    _put(second, mine)


def copy_over(chance: random.Random, root: Path, files: list[Path]) -> None:
    """One file has another's bytes."""
    first, second = chance.sample(files, 2)
    _put(first, second.read_bytes())


def rename(chance: random.Random, root: Path, files: list[Path]) -> None:
    path = chance.choice(files)
    path.rename(path.with_name(f"{path.name}.{chance.randrange(10**6)}"))


def add(chance: random.Random, root: Path, files: list[Path]) -> None:
    path = chance.choice(files)
    path.with_name(f"stranger-{chance.randrange(10**6)}").write_bytes(chance.randbytes(chance.randrange(100)))


def add_directory(chance: random.Random, root: Path, files: list[Path]) -> None:
    chance.choice(files).with_name(f"empty-{chance.randrange(10**6)}").mkdir()


def link(chance: random.Random, root: Path, files: list[Path]) -> None:
    """A file becomes a link to its own bytes, which lie elsewhere now."""
    path = chance.choice(files)
    elsewhere = root.parent.parent.parent / f"elsewhere-{chance.randrange(10**9)}"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def become_directory(chance: random.Random, root: Path, files: list[Path]) -> None:
    path = chance.choice(files)
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    (path / "below").write_bytes(content)


def lose_directory(chance: random.Random, root: Path, files: list[Path]) -> None:
    """A directory of the object, or all of it."""
    shutil.rmtree(chance.choice(sorted({path.parent for path in files})))


def move_object(chance: random.Random, root: Path, files: list[Path]) -> None:
    """It lies where the layout does not look for it."""
    other = root.parent.with_name(f"{chance.randrange(256):02x}")
    if other == root.parent:
        raise LookupError
    other.mkdir(exist_ok=True)
    root.rename(other / root.name)


HARMS: tuple[Harm, ...] = (
    flip_bit,
    flip_bit,
    flip_bit,
    wipe_sector,
    noise,
    truncate,
    lengthen,
    insert_byte,
    delete,
    swap,
    copy_over,
    rename,
    add,
    add_directory,
    link,
    become_directory,
    lose_directory,
    move_object,
)


@dataclass(slots=True)
class Tally:
    """What came of the faults."""

    done: int = 0
    missed: list[str] = field(default_factory=list)
    unrepaired: list[str] = field(default_factory=list)
    by_kind: dict[str, int] = field(default_factory=dict)


Picture = dict[str, bytes | str | None]
"""Everything below a directory: a file's bytes, where a link leads, None for an empty directory."""


def picture(folder: Path) -> Picture:
    found: Picture = {}
    for place, directories, files in os.walk(folder):
        below = str(Path(place).relative_to(folder))
        if not directories and not files:
            found[below] = None
        for name in (*files, *(one for one in directories if (Path(place) / one).is_symlink())):
            path = Path(place) / name
            found[f"{below}/{name}"] = str(path.readlink()) if path.is_symlink() else path.read_bytes()
    return found


def corrupt(world: World, store: str, seed: int, faults: int, tally: Tally) -> None:
    """One round: so many faults in distinct objects of a store, one audit, one repair, every byte compared."""
    chance = random.Random(seed)
    root = world.store(store)
    # The trail's objects grow while this goes on; that they are repaired is tested where nothing grows.
    objects = sorted(path for path in root.glob("*/urn*") if "3atr0" not in path.name and "3atd0" not in path.name)
    chosen = chance.sample(objects, faults)
    before = {folder: picture(folder) for folder in chosen}
    done: dict[Path, str] = {}
    for folder in chosen:
        while folder not in done:
            harm = chance.choice(HARMS)
            try:
                harm(chance, folder, sorted(path for path in folder.rglob("*") if path.is_file()))
            except LookupError:
                continue
            if not folder.exists() or picture(folder) != before[folder]:
                done[folder] = harm.__name__
    found: list[AuditResult] = []
    result = _repair(world, found)
    for folder, harm_name in done.items():
        fault = f"seed {seed}: {harm_name} of {folder.relative_to(root)}"
        tally.done += 1
        tally.by_kind[harm_name] = tally.by_kind.get(harm_name, 0) + 1
        path = str(folder.relative_to(root))
        if not any(
            entry.store == store and entry.code and (entry.path == path or entry.path.startswith(f"{path}/"))
            for entry in found[0].findings
        ):
            tally.missed.append(fault)
        if not folder.exists() or picture(folder) != before[folder]:
            tally.unrepaired.append(fault)
    tally.unrepaired += [f"seed {seed}: left: {entry.to_json()}" for entry in result.findings]


def _repair(world: World, found: list[AuditResult]) -> RepairResult:
    """A repair; what its audit found, to the list."""

    def damage(result: AuditResult) -> list[EventRow]:
        found.append(AuditResult(list(result.findings)))
        return []

    return world.archive._repair.run(
        dry_run=False, at=world.clock.now(), actor=OPERATOR, damage=damage, progress=silent
    )
