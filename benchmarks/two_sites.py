"""(p) A site is lost: an empty store takes its place and is filled from the one that is left."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult, Outcome
from benchmarks.fixity import filled
from benchmarks.measuring import run
from benchmarks.workspace import Workspace, archive_command

LETTER, TITLE = "p", "a store is lost: an empty one is added, filled and verified"
OURS, CP = "stores add", "cp -r, then sha512sum of the copy"
RCLONE = "rclone copy --checksum"
COMPARED, READ = "stores compare", "fixity run of the new store"
LEAST = 0.7


def measure(space: Workspace) -> LineResult:
    scale = space.scale
    count, size = scale.drill_documents, scale.document_bytes
    home = filled(space, count, size)
    drill = _Drill(space, home, count, size)
    rivals: dict[str, Callable[[], Outcome]] = {OURS: drill.add, CP: drill.cp}
    if space.wants("rclone"):
        space.require("rclone")
        rivals[RCLONE] = drill.rclone
    megabytes = _bytes_below(home / "stores" / "one") / 1e6
    runs = space.compare(rivals)
    figures = [Figure.rate(name, "MB", megabytes, found) for name, found in runs.items()]
    after = {COMPARED: drill.compare, READ: drill.read}
    figures += [Figure.rate(name, "MB", megabytes, found) for name, found in space.compare(after).items()]
    figures += [Figure.rate("stores add, in documents", "documents", count, runs[OURS])]
    reached = {figure.name: figure.median for figure in figures}
    goals = [
        Goal(f"p-{rival.split()[0]}", f"{OURS} ≥ {LEAST} of {rival}", reached[OURS] / reached[rival], LEAST)
        for rival in (CP, RCLONE)
        if rival in reached
    ]
    return LineResult(
        LETTER,
        TITLE,
        figures,
        goals,
        (
            f"{count} documents of {size} bytes, deposited and evidenced; {megabytes:.0f} MB in each store; page cache "
            "warm; each round fills a new empty store",
            "ours is the whole command: stores compared, files verified when they are read, made durable in groups and "
            "read back, compared again; two seconds at least, after which other processes write to the new store too",
            "the rivals' copies are made durable once, at the end (`sync -f`); rclone compares digests of both",
        ),
    )


class _Drill:
    """One home, of whose two stores the second is lost again and again."""

    def __init__(self, space: Workspace, home: Path, count: int, size: int) -> None:
        self._space, self._home, self._count, self._size = space, home, count, size
        self._lost = "two"
        self._number = 0

    def add(self) -> Outcome:
        """The last store is lost, and a new one joins."""
        name = self._next()
        outcome, said = run(archive_command(self._home, "--json", "stores", "add", name), cwd=self._home)
        found = json.loads(said)
        if found["state"] != "member" or found["payments"][0]["paid"] < self._count:
            raise BenchmarkError(f"the new store was not filled: {found}")
        return outcome

    def _next(self) -> str:
        """Lose a store and write another one into the settings; not timed."""
        self._space.archive(self._home, "stores", "retire", self._lost, "--lost", "--yes")
        self._number += 1
        name = f"new{self._number}"
        settings = self._home / "trusted-archive.toml"
        text = re.sub(rf'\[\[store\]\]\nname = "{self._lost}"\n(?:\w.*\n)*', "", settings.read_text("utf-8"))
        place = f'root = "stores/{name}"\nstaging = "staging/{name}"\n'
        settings.write_text(f'{text}\n[[store]]\nname = "{name}"\nscheme = "filesystem"\n{place}', "utf-8")
        self._lost = name
        return name

    def cp(self) -> Outcome:
        target = self._space.fresh("cp") / "copy"
        return self._shell(
            'cp -r "$0" "$1" && sync -f "$1" && cd "$1" && '
            "find . -type f -print0 | sort -z | xargs -0 sha512sum > /dev/null",
            target,
        )

    def rclone(self) -> Outcome:
        target = self._space.fresh("rclone") / "copy"
        return self._shell('rclone copy --quiet --config "" --checksum "$0" "$1" && sync -f "$1"', target)

    def _shell(self, words: str, target: Path) -> Outcome:
        source = self._home / "stores" / "one"
        outcome, _ = run(["bash", "-eo", "pipefail", "-c", words, str(source), str(target)], cwd=self._home)
        if _bytes_below(target) != _bytes_below(source):
            raise BenchmarkError(f"the copy in {target} is not whole")
        return outcome

    def compare(self) -> Outcome:
        outcome, said = run(archive_command(self._home, "--json", "stores", "compare"), cwd=self._home)
        found = json.loads(said)
        if not found["same"] or found["compared"] < self._count:
            raise BenchmarkError(f"the stores are not the same: {found}")
        return outcome

    def read(self) -> Outcome:
        words = ("--json", "fixity", "run", "--store", self._lost, "--anew")
        outcome, said = run(archive_command(self._home, *words), cwd=self._home)
        found = json.loads(said)
        if found["findings"] or found["checked"]["bytes"] < self._count * self._size:
            raise BenchmarkError(f"not every byte of the new store was found good: {found['checked']}")
        return outcome


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
