"""The power is cut while a rebuilt catalogue takes the old one's place: a whole one stands under its name.

The rules this module keeps
 * What a directory's sync did not cover may be there or not, each name for itself; a file that lost its name
   may come back under it with all that it ever held. (What is in a database's file is SQLite's to sync, with
   the settings that `weak_durability` asserts.)
 * Every moment between two operations on names is tried, and each combination of what may be lost then.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from api.cli import main
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import KeyRow
from tests.lifetimes.conftest import Fresh
from tests.lifetimes.test_crash_rebuild import REBUILD, _used

pytestmark = pytest.mark.slow

CATALOGUE = "catalogue.sqlite3"
Disk = dict[str, bytes]


class _Names:
    """The names of catalogues in one directory: which are there, and which of them are durable."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._held: dict[int, bytes] = {}
        self._before = self._durable = self._look()
        self.moments: list[tuple[str, list[Disk]]] = []

    def _look(self) -> dict[str, int]:
        found = {}
        for path in self._home.glob("catalogue*"):
            found[path.name] = inode = path.stat().st_ino
            content = path.read_bytes()
            if content or inode not in self._held:  # what was cut off without a sync may come back
                self._held[inode] = content
        return found

    def moment(self, step: str) -> None:
        """Write down all that a disk may hold if the power is cut right now."""
        now = self._look()
        moved = sorted(name for name in {*now, *self._durable} if now.get(name) != self._durable.get(name))
        disks = []
        for kept in itertools.product((now, self._durable), repeat=len(moved)):
            names = {**now, **dict.fromkeys(moved)}
            names.update({name: which.get(name) for name, which in zip(moved, kept, strict=True)})
            disks.append({name: self._held[inode] for name, inode in names.items() if inode is not None})
        self.moments.append((step, disks))

    def synced(self) -> None:
        self._durable = self._look()


def _watch(monkeypatch: pytest.MonkeyPatch, home: Path) -> _Names:
    names = _Names(home)

    def around(verb: str) -> Callable[..., Any]:
        real = getattr(os, verb)

        def act(*places: Any, **rest: Any) -> Any:
            if not str(places[0]).startswith(str(home / "catalogue")):
                return real(*places, **rest)
            names.moment(f"before {verb} {Path(places[-1]).name}")
            done = real(*places, **rest)
            names.moment(f"after {verb} {Path(places[-1]).name}")
            return done

        return act

    def fsync(descriptor: int, real: Callable[[int], None] = os.fsync) -> None:
        real(descriptor)
        if os.path.samestat(os.fstat(descriptor), home.stat()):
            names.synced()

    for verb in ("link", "replace", "rename"):
        monkeypatch.setattr(os, verb, around(verb))
    monkeypatch.setattr(os, "fsync", fsync)
    return names


def _dumped(file: Path) -> str:
    """All that a database says, which must be in order."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return "\n".join(connection.iterdump())


def _opened(disk: Disk, folder: Path) -> str:
    """What a restarted server finds on the disk."""
    folder.mkdir()
    for name, content in disk.items():
        (folder / name).write_bytes(content)
    Catalogue.open(f"sqlite:///{folder / CATALOGUE}").close()
    return _dumped(folder / CATALOGUE)


def test_a_power_cut_while_the_new_catalogue_takes_its_place(
    fresh: Fresh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the old one to the last row, or the new one, also when the old one's log comes back."""
    with fresh() as trial:
        for number in range(60):  # so that the old catalogue's pages lie otherwise than the new one's
            trial.archive.catalogue.add_key(
                KeyRow(
                    key_id=f"key-{number}",
                    key_hash=f"{number:0128x}",
                    label="counter",
                    originator="default",
                    role="depositor",
                    created=trial.clock.now(),
                )
            )
        _used(trial)
        names = _watch(monkeypatch, trial.home)
        assert main(["--home", str(trial.home), *REBUILD]) == 0
        names.moment("after the last step")
        monkeypatch.undo()
        (kept,) = trial.home.glob("catalogue.2*.sqlite3")
        old, new = _dumped(kept), _dumped(trial.home / CATALOGUE)
        assert old != new
        disks = [(step, disk) for step, found in names.moments for disk in found]
        assert any(f"{CATALOGUE}-wal" in disk for _, disk in disks)
        wrong = [
            (step, sorted(disk))
            for number, (step, disk) in enumerate(disks)
            if _opened(disk, tmp_path / str(number)) not in (old, new)
        ]
        assert not wrong
