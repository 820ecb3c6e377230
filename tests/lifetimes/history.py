"""What an archive must say after any history: a model that only remembers, and the world beside it.

The rules this module keeps
 * The model knows nothing of batches, stores or the catalogue: objects with versions, keys, and what
   was proven once. Everything else is asked of the archive and compared.
 * Damage is planted in one store at a time, so that a good copy is always there.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from api.offline.checking import Judges
from api.offline.checks import check_bundle
from api.settings import ArchiveSettings
from archive_core.findings import Report
from archive_core.lifecycle import Acknowledgement, Actor, EvidenceFile
from policies.algorithms import current_algorithms
from tests.world import SteppingClock, World

Files = dict[str, bytes]


@dataclass
class Version:
    """A version that was acknowledged; `evidence` and `receipt` as they were first handed out."""

    told: Acknowledgement
    files: Files = field(repr=False)
    metadata: bytes | None
    evidence: list[EvidenceFile] | None = None
    receipt: bytes | None = None


@dataclass
class Object:
    """A preservation object as its depositor knows it."""

    poid: str
    originator: str
    key: str | None
    versions: list[Version] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """What a key was used for, and how it was answered."""

    poid: str
    version: int
    updates: bool
    files: tuple[tuple[str, bytes], ...]


@dataclass
class Wound:
    """A damaged file of one store and what it held; None in `was` where the file is a stranger."""

    path: Path
    was: bytes | None

    def heal(self) -> None:
        if self.was is None:
            self.path.unlink()
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self.path.write_bytes(self.was)


@cache
def _folder() -> Path:
    """Where the archives of a run lie."""
    holder = tempfile.TemporaryDirectory(prefix="history-")
    _HOLDERS.append(holder)
    return Path(holder.name)


_HOLDERS: list[tempfile.TemporaryDirectory[str]] = []


@cache
def _template() -> tuple[Path, SteppingClock]:
    """An empty home, made once."""
    made = World(_folder() / "template")
    made.archive.close()
    return made.home, made.clock


class HistoryWorld(World):
    """A world over a copy of the empty home."""

    def __init__(self) -> None:
        home, clock = _template()
        self.folder = Path(tempfile.mkdtemp(dir=_folder()))
        shutil.copytree(home, self.folder / "home", symlinks=True)
        self.clock = SteppingClock(clock.now())
        self.settings = ArchiveSettings.load(self.folder / "home")
        self.told = {}
        self.archive = self.open()

    def remove(self) -> None:
        self.archive.close()
        shutil.rmtree(self.folder)

    def become_rebuilt(self, store: str) -> None:
        """Go on with the catalogue that was rebuilt from one store; the old one is gone."""
        archive, report = self.rebuilt(store)
        archive.close()
        self.archive.close()
        assert report.findings == (), report.findings
        for leftover in self.home.glob("catalogue.sqlite3*"):
            leftover.unlink()
        for made in self.home.glob("rebuilt.sqlite3*"):
            made.rename(made.with_name(made.name.replace("rebuilt", "catalogue")))
        self.archive = self.open()

    def judges(self) -> Judges:
        """The offline verifier's judges, on the test trust of this home."""
        return Judges(self.archive.validator, self.archive._seal_validator, current_algorithms(), self.clock.now())

    def judge_bundle(self, poid: str, version: int, actor: Actor) -> Report:
        """The offline verifier's report on the bundle of a version."""
        path = self.folder / "bundle.zip"
        with path.open("wb") as out:
            self.archive.export(poid, version, out, actor=actor)
        return check_bundle(path, self.judges())
