"""The programs that are compared, each with two copies and by its own commands."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from benchmarks.figures import BenchmarkError
from benchmarks.workspace import archive_command

Fault = Callable[[random.Random, list[Path]], str]
"""Does harm to one of these files; says what was done."""

LONG_AGO = "2026-01-02 03:04:05"
PATIENCE = 25.0
"""Seconds after which a command is cut off and counts as failed: restic goes on trying for a quarter of an hour to read
what is not there."""


def call(
    words: Sequence[str | Path],
    *,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    patience: float | None = PATIENCE,
) -> tuple[bool, str]:
    """Whether a command ended well within its time (seconds; None: whenever it likes), and all that it said."""
    try:
        done = subprocess.run(
            [str(word) for word in words],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=patience,
        )
    except subprocess.TimeoutExpired as cut:
        return False, (cut.stdout or b"").decode("utf-8", "replace")
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")


def must(words: Sequence[str | Path], *, cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    done, said = call(words, cwd=cwd, environment=environment, patience=None)
    if not done:
        raise BenchmarkError(f"failed: {' '.join(map(str, words))[:200]}\n{said[-1500:]}")
    return said


class Rival(ABC):
    """One program. A `place` holds both its copies."""

    name: str
    version: str
    repairs: str
    """What a repair takes, for people."""
    patience = PATIENCE

    @abstractmethod
    def store(self, place: Path, documents: Path) -> None:
        """Make two copies of all documents."""

    @abstractmethod
    def check(self, place: Path) -> bool:
        """Whether the program's own full check of both copies, every byte read, finds nothing wrong."""

    @abstractmethod
    def repair(self, place: Path, documents: Path) -> None:
        """Whatever the program offers, with the other copy as the source; the documents themselves are gone."""

    @abstractmethod
    def gives(self, place: Path, copy: int, documents: Path) -> bool:
        """Whether all documents come back to the byte from that copy alone."""

    @abstractmethod
    def forge(self, place: Path, changed: Path, name: str) -> None:
        """As somebody with all rights: both copies hold the changed documents, as if they had been stored long ago."""

    def fresh(self, pristine: Path, documents: Path) -> Path:
        """What was stored, under the path under which it was stored; the original is kept aside."""
        aside = pristine.with_name(pristine.name + "-kept")
        if not aside.exists():
            shutil.copytree(pristine, aside, symlinks=True)
        if pristine.exists():
            shutil.rmtree(pristine)
        shutil.copytree(aside, pristine, symlinks=True)
        return pristine

    def harm(self, place: Path, copy: int, fault: Fault, chance: random.Random) -> str:
        """Let a fault hit one copy; says what was done."""
        return fault(chance, self.files(place, copy))

    def kept_bytes(self, place: Path) -> int:
        """The bytes of both copies."""
        return sum(path.stat().st_size for path in place.rglob("*") if path.is_file() and self.counts(path, place))

    def still_has(self, place: Path, data: bytes) -> bool:
        """Whether a document that somebody with all rights replaced can still be had from either copy."""
        return False

    def files(self, place: Path, copy: int) -> list[Path]:
        """The files of one copy in which documents and their descriptions lie."""
        return sorted(path for path in self.copy(place, copy).rglob("*") if path.is_file() and path.stat().st_size)

    def copy(self, place: Path, copy: int) -> Path:
        return place / f"copy-{copy}"

    def counts(self, path: Path, place: Path) -> bool:
        """Whether a file counts as stored."""
        return any(path.is_relative_to(self.copy(place, copy)) for copy in (1, 2))


def same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files."""
    mine, theirs = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (one, other))
    return mine == theirs


class Ours(Rival):
    name = "trusted-archive"
    repairs = "`repair`"

    def __init__(self) -> None:
        from archive_core import __version__

        self.version = __version__

    def _run(self, place: Path, *words: str | Path, cwd: Path | None = None) -> tuple[bool, str]:
        return call(archive_command(place / "home", "--json", *words), cwd=cwd or place, patience=self.patience)

    def store(self, place: Path, documents: Path) -> None:
        place.mkdir()
        self.deposit(place, documents)

    def deposit(self, place: Path, documents: Path) -> None:
        """Into the home that is at the place, made if it is not."""
        must(archive_command(place / "home", "init"), cwd=place)
        names = sorted(path.name for path in documents.iterdir())
        must(archive_command(place / "home", "deposit", *names), cwd=documents)
        must(archive_command(place / "home", "preserve"), cwd=place)

    def check(self, place: Path) -> bool:
        return self._run(place, "audit")[0]

    def repair(self, place: Path, documents: Path) -> None:
        self._run(place, "repair")

    def copy(self, place: Path, copy: int) -> Path:
        return place / "home" / "stores" / ("one", "two")[copy - 1]

    def gives(self, place: Path, copy: int, documents: Path) -> bool:
        found = {path.name: path.read_bytes() for path in self.copy(place, copy).glob("**/content/data/*")}
        return found == {path.name: path.read_bytes() for path in documents.iterdir()}

    def forge(self, place: Path, changed: Path, name: str) -> None:
        """Content, description and inventories of both copies are made to agree, and the catalogue from them."""
        command = [sys.executable, "-m", "benchmarks.comparison_forging", place / "home", changed / name]
        must(command, cwd=Path(__file__).resolve().parents[1])
        shutil.rmtree(place / "forged", ignore_errors=True)
        done, said = self._run(place, "rebuild-catalogue")
        if not done and "findings" not in json.loads(said):
            raise BenchmarkError(said[-1000:])


class Restic(Rival):
    name = "restic"
    repairs = (
        "4 steps by hand: damaged files and snapshots removed, `rebuild-index`, `copy` from the other repository, "
        "`prune`; where that does not help, a new repository and `copy`"
    )

    def __init__(self) -> None:
        self.version = must(["restic", "version"], cwd=Path.cwd()).split()[1]

    def _words(self, place: Path, copy: int) -> list[str | Path]:
        return ["restic", "--quiet", "--no-cache", "--repo", self.copy(place, copy)]

    _environment: ClassVar[Mapping[str, str]] = {"RESTIC_PASSWORD": "comparison", "RESTIC_FROM_PASSWORD": "comparison"}

    def _run(self, place: Path, copy: int, *words: str | Path, cwd: Path | None = None) -> tuple[bool, str]:
        return call([*self._words(place, copy), *words], cwd=cwd or place, environment=self._environment)

    def store(self, place: Path, documents: Path) -> None:
        place.mkdir()
        for copy in (1, 2):
            must([*self._words(place, copy), "init"], cwd=place, environment=self._environment)
            must([*self._words(place, copy), "backup", "."], cwd=documents, environment=self._environment)

    def check(self, place: Path) -> bool:
        return self._is_good(place, 1) and self._is_good(place, 2)

    def _is_good(self, place: Path, copy: int) -> bool:
        return self._run(place, copy, "check", "--read-data")[0]

    def repair(self, place: Path, documents: Path) -> None:
        for copy in (1, 2):
            if self._is_good(place, copy):
                continue
            self._drop_damaged(place, copy)
            self._run(place, copy, "rebuild-index")
            self._run(place, copy, "copy", "--from-repo", self.copy(place, 3 - copy))
            self._run(place, copy, "prune")
            if not self._is_good(place, copy):
                shutil.rmtree(self.copy(place, copy))
                self._run(place, copy, "init")
                self._run(place, copy, "copy", "--from-repo", self.copy(place, 3 - copy))

    def _drop_damaged(self, place: Path, copy: int) -> None:
        """Files are named by the SHA-256 of their bytes: those that have another one are removed, and all snapshots,
        because what is there already is not copied again."""
        for path in (self.copy(place, copy) / "snapshots").iterdir():
            path.unlink()
        for folder in ("data", "index"):
            for path in (self.copy(place, copy) / folder).rglob("*"):
                if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
                    path.unlink()

    def gives(self, place: Path, copy: int, documents: Path) -> bool:
        target = place / "restored"
        shutil.rmtree(target, ignore_errors=True)
        self._run(place, copy, "restore", "latest", "--target", target)
        return target.is_dir() and same(target, documents)

    def forge(self, place: Path, changed: Path, name: str) -> None:
        for copy in (1, 2):
            must(
                [*self._words(place, copy), "backup", "--time", LONG_AGO, "--force", "."],
                cwd=changed,
                environment=self._environment,
            )
            said = must([*self._words(place, copy), "snapshots", "--json"], cwd=place, environment=self._environment)
            old = max(json.loads(said), key=lambda one: str(one["time"]))["id"]
            must([*self._words(place, copy), "forget", "--prune", old], cwd=place, environment=self._environment)


class Borg(Rival):
    name = "borg"
    repairs = (
        "5 commands by hand: `check --repair`, `extract` from the other repository, `delete`, `create`, `compact`; "
        "where that does not help, a new repository and `create`"
    )

    def __init__(self) -> None:
        self.version = must(["borg", "--version"], cwd=Path.cwd()).split()[1]

    def _environment(self, place: Path, copy: int) -> dict[str, str]:
        return {
            "BORG_PASSPHRASE": "comparison",
            "BORG_BASE_DIR": str(place / f"base-{copy}"),
            "BORG_REPO": str(self.copy(place, copy)),
            "BORG_CHECK_I_KNOW_WHAT_I_AM_DOING": "YES",
            "BORG_DELETE_I_KNOW_WHAT_I_AM_DOING": "YES",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        }

    def _run(self, place: Path, copy: int, *words: str | Path, cwd: Path | None = None) -> bool:
        return call(["borg", *words], cwd=cwd or place, environment=self._environment(place, copy))[0]

    def store(self, place: Path, documents: Path) -> None:
        place.mkdir()
        for copy in (1, 2):
            environment = self._environment(place, copy)
            must(["borg", "init", "--encryption", "repokey-blake2"], cwd=place, environment=environment)
            must(["borg", "create", "--compression", "none", "::all", "."], cwd=documents, environment=environment)

    def check(self, place: Path) -> bool:
        return self._is_good(place, 1) and self._is_good(place, 2)

    def _is_good(self, place: Path, copy: int) -> bool:
        return self._run(place, copy, "check", "--verify-data")

    def repair(self, place: Path, documents: Path) -> None:
        for copy in (1, 2):
            if self._is_good(place, copy):
                continue
            self._run(place, copy, "check", "--repair", "--verify-data")
            target = place / "extracted"
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            self._run(place, 3 - copy, "extract", "::all", cwd=target)
            self._run(place, copy, "delete", "::all")
            self._run(place, copy, "create", "--compression", "none", "::all", ".", cwd=target)
            self._run(place, copy, "compact")
            if not self._is_good(place, copy):
                shutil.rmtree(self.copy(place, copy))
                shutil.rmtree(place / f"base-{copy}")
                self._run(place, copy, "init", "--encryption", "repokey-blake2")
                self._run(place, copy, "create", "--compression", "none", "::all", ".", cwd=target)

    def gives(self, place: Path, copy: int, documents: Path) -> bool:
        target = place / "restored"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        self._run(place, copy, "extract", "::all", cwd=target)
        return same(target, documents)

    def forge(self, place: Path, changed: Path, name: str) -> None:
        for copy in (1, 2):
            environment = self._environment(place, copy)
            when = LONG_AGO.replace(" ", "T")
            must(["borg", "delete", "::all"], cwd=place, environment=environment)
            must(["borg", "create", "--timestamp", when, "::all", "."], cwd=changed, environment=environment)


class Rclone(Rival):
    name = "rclone"
    repairs = "2 commands by hand: `checksum` says which copy is bad, `copy` from the other"

    def __init__(self) -> None:
        self.version = must(["rclone", "version"], cwd=Path.cwd()).split()[1].removeprefix("v")

    _words = ("rclone", "--quiet", "--config", "")

    def store(self, place: Path, documents: Path) -> None:
        place.mkdir()
        for copy in (1, 2):
            must([*self._words, "copy", "--checksum", documents, self.copy(place, copy)], cwd=place)
            sums = must([*self._words, "hashsum", "sha256", self.copy(place, copy)], cwd=place)
            (place / f"sums-{copy}").write_text(sums)

    def check(self, place: Path) -> bool:
        return self._is_good(place, 1) and self._is_good(place, 2)

    def _is_good(self, place: Path, copy: int) -> bool:
        words = [*self._words, "checksum", "sha256", place / f"sums-{copy}", self.copy(place, copy)]
        return call(words, cwd=place)[0]

    def repair(self, place: Path, documents: Path) -> None:
        """File by file: what the sums say is bad comes from the other copy."""
        for copy in (1, 2):
            bad = place / "bad"
            words = [*self._words, "checksum", "sha256", place / f"sums-{copy}", self.copy(place, copy)]
            call([*words, "--differ", bad, "--missing-on-dst", place / "missing"], cwd=place)
            names = "".join(path.read_text() for path in (bad, place / "missing") if path.exists())
            (place / "names").write_text(names)
            source, target = self.copy(place, 3 - copy), self.copy(place, copy)
            call([*self._words, "copy", "--checksum", "--files-from", place / "names", source, target], cwd=place)

    def gives(self, place: Path, copy: int, documents: Path) -> bool:
        return same(self.copy(place, copy), documents)

    def forge(self, place: Path, changed: Path, name: str) -> None:
        when = datetime.fromisoformat(LONG_AGO).replace(tzinfo=UTC).timestamp()
        for copy in (1, 2):
            path = self.copy(place, copy) / name
            shutil.copy(changed / name, path)
            os.utime(path, (when, when))
            sums = must([*self._words, "hashsum", "sha256", self.copy(place, copy)], cwd=place)
            (place / f"sums-{copy}").write_text(sums)


PROGRAMS: tuple[type[Rival], ...] = (Ours, Restic, Borg, Rclone)
