"""Where a benchmark works: fresh directories, documents to deposit, homes, and the tools it needs.

Rules kept here
 * A directory is handed out once. What was made is removed at the end of everything, unless it is to be kept.
 * Documents are random bytes: nothing is gained by compressing or recognising them again.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import BenchmarkError, Outcome
from benchmarks.measuring import run

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done: bytes, counts, and for HTTP seconds at each number of clients."""

    documents: int = 10_000
    document_bytes: int = 30_000
    fsync_documents: int = 1_000
    large_bytes: int = 5 * 2**30
    batch_objects: int = 1_000_000
    checks: int = 20
    http_seconds: float = 6.0
    http_clients: tuple[int, ...] = (1, 4, 16, 64)
    fixity_documents: int = 20_000
    fixity_large: tuple[int, int] = (4, 512 * 2**20)
    fixity_objects: tuple[int, int] = (10_000, 100_000)
    rebuild_objects: int = 100_000
    renewed_batches: int = 100
    renewed_holding: tuple[int, int] = (1_000, 100_000)
    renewed_times: int = 12
    rehashed_documents: int = 10_000
    rehashed_large: tuple[int, int] = (4, 256 * 2**20)
    very_many: tuple[int, int] = (100_000, 1_000)
    drill_documents: int = 100_000
    download_large: int = 100_000_000
    download_clients: tuple[int, ...] = (1, 16, 64)

    @classmethod
    def quick(cls) -> Scale:
        """Seconds for everything: it shows that every line runs, and measures nothing worth telling."""
        return cls(
            documents=12,
            document_bytes=3_000,
            fsync_documents=6,
            large_bytes=9 * 2**20,
            batch_objects=10_001,
            checks=3,
            http_seconds=0.4,
            http_clients=(1, 3),
            fixity_documents=12,
            fixity_large=(2, 6 * 2**20),
            fixity_objects=(10, 20),
            rebuild_objects=20,
            renewed_batches=1,
            renewed_holding=(7, 1_000),
            renewed_times=3,
            rehashed_documents=12,
            rehashed_large=(2, 6 * 2**20),
            very_many=(9, 1_000),
            drill_documents=12,
            download_large=5 * 2**20,
            download_clients=(1, 3),
        )


@dataclass
class Workspace:
    """One run of the benchmarks."""

    place: Path
    scale: Scale
    rounds: int
    without: frozenset[str]
    flames: bool
    dice: random.Random
    said: Callable[[str], None] = print
    prepared: Path | None = None
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def fresh(self, name: str) -> Path:
        """A directory that was never used."""
        path = self.place / f"{next(self._numbers):04}-{name}"
        path.mkdir(parents=True)
        return path

    # -- rounds -------------------------------------------------------------------------------

    def compare(self, rivals: Mapping[str, Callable[[], Outcome]]) -> dict[str, list[Outcome]]:
        """Every rival once a round, in an order of the dice's."""
        outcomes: dict[str, list[Outcome]] = {name: [] for name in rivals}
        for number in range(self.rounds):
            order = list(rivals)
            self.dice.shuffle(order)
            for name in order:
                outcome = rivals[name]()
                outcomes[name].append(outcome)
                self.said(f"    round {number + 1}  {name}: {outcome.seconds:.3f} s")
        return outcomes

    # -- documents ----------------------------------------------------------------------------

    def documents(self, count: int, size: int) -> Path:
        """A directory with `count` files of `size` random bytes, in the page cache; made once."""
        folder = self.place / f"documents-{count}-{size}"
        if not folder.is_dir():
            folder.mkdir(parents=True)
            for number in range(count):
                with (folder / f"{number:07}.bin").open("wb") as stream:
                    for start in range(0, size, 2**20):
                        stream.write(os.urandom(min(2**20, size - start)))
        for path in folder.iterdir():
            with path.open("rb") as stream:
                while stream.read(2**22):
                    pass
        return folder

    # -- the archive --------------------------------------------------------------------------

    def home(self, name: str = "home") -> Path:
        """A new home with two stores, made by `init`."""
        home = self.fresh(name) / "home"
        self.archive(home, "init")
        return home

    def archive(self, home: Path, *words: str | Path, cwd: Path | None = None) -> str:
        """One command on a home, not timed; its standard output."""
        return run(archive_command(home, *words), cwd=cwd or self.place, clock=False)[1]

    def time_archive(self, home: Path, *words: str | Path, cwd: Path | None = None) -> Outcome:
        return run(archive_command(home, *words), cwd=cwd or self.place)[0]

    # -- tools --------------------------------------------------------------------------------

    def wants(self, rival: str) -> bool:
        return rival not in self.without

    def require(self, program: str, *, package: str = "") -> str:
        """The path of a program; raises `BenchmarkError` saying how to get it, or how to leave a rival out."""
        found = shutil.which(program)
        if found is None and package:
            raise BenchmarkError(f"{program} is not installed: apt-get install {package}")
        if found is None:
            raise BenchmarkError(
                f"{program} is not installed: apt-get install {program}, or leave it out with --without {program}"
            )
        return found

    def tools_python(self) -> Path:
        """The Python of an environment of the benchmarks' own, with bagit and py-spy as they are locked."""
        digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
        place = ROOT / "build" / f"benchmarks-venv-{digest}"
        python = place / "bin" / "python"
        if not (place / "complete").exists():
            self.said("    installing bagit and py-spy, as locked with hashes, into an environment of their own")
            shutil.rmtree(place, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
            subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
            (place / "complete").touch()
        return python


def archive_command(home: Path, *words: str | Path) -> list[str | Path]:
    """`trusted-archive` as it is installed beside this Python."""
    program = Path(sys.executable).with_name("trusted-archive")
    if not program.exists():
        raise BenchmarkError(f"{program} is not there: run `make setup` first")
    return [program, "--home", home, *words]
