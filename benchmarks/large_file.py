"""(b) One large document: deposited, given back, exported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks import bare
from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult, Outcome
from benchmarks.measuring import run
from benchmarks.workspace import ROOT, Workspace

LETTER, TITLE = "b", "one large document"
PEAK_MIB = 200
_OURS = {name: f"trusted-archive {name}" for name in ("deposit", "retrieve", "export")}
_BARE = {
    "deposit": ("copies", "bare loop: read, hash, two copies, synced"),
    "retrieve": ("copy", "bare loop: read, hash, one copy"),
    "export": ("copy-synced", "bare loop: read, hash, one copy, synced"),
}


def measure(space: Workspace) -> LineResult:
    size = space.scale.large_bytes
    (document,) = space.documents(1, size).iterdir()
    runs: dict[str, list[Outcome]] = {}
    for number in range(space.rounds):
        halves = [_ours, _loops]
        space.dice.shuffle(halves)
        for half in halves:
            for name, outcome in half(space, document).items():
                runs.setdefault(name, []).append(outcome)
                space.said(f"    round {number + 1}  {name}: {outcome.seconds:.3f} s")
    figures, goals = [], []
    for verb, ours in _OURS.items():
        mine = Figure.rate(ours, "MB", size / 1e6, runs[ours])
        other = Figure.rate(_BARE[verb][1], "MB", size / 1e6, runs[_BARE[verb][1]])
        figures += [mine, other]
        goals.append(Goal(f"b-{verb}", f"{verb} ≥ 0.8 of the bare loop", mine.median / other.median, 0.8))
        text = f"{verb}: peak memory ≤ {PEAK_MIB} MiB"
        goals.append(Goal(f"b-{verb}-memory", text, mine.peak_bytes / 2**20, PEAK_MIB, at_most=True))
    return LineResult(
        LETTER,
        TITLE,
        figures,
        goals,
        (
            f"{size} bytes; MB are 10^6 bytes of the document, read once and written once or twice",
            "ours: deposit reads back from both stores; retrieve and export read the document after its time-stamp",
            "the few large files of a round are removed after it, so that the disk does not fill",
        ),
    )


def _ours(space: Workspace, document: Path) -> dict[str, Outcome]:
    home, out = space.home("large"), space.fresh("large-out")
    found = {_OURS["deposit"]: space.time_archive(home, "deposit", document)}
    space.archive(home, "preserve")
    (listed,) = json.loads(space.archive(home, "--json", "list"))["objects"]
    poid = listed["poid"]
    found[_OURS["retrieve"]] = space.time_archive(home, "retrieve", poid, "--out", out / "files")
    found[_OURS["export"]] = space.time_archive(home, "export", poid, "--out", out / "bundle.zip")
    _expect(out / "files" / document.name, document.stat().st_size)
    _expect(out / "bundle.zip", document.stat().st_size)
    for folder in (home.parent, out):
        shutil.rmtree(folder)
    return found


def _loops(space: Workspace, document: Path) -> dict[str, Outcome]:
    found = {}
    for verb, (what, name) in _BARE.items():
        targets = [space.fresh(f"large-{what}") for _ in range(2 if verb == "deposit" else 1)]
        found[name] = run(bare.command(what, document, *targets), cwd=ROOT)[0]
        for target in targets:
            _expect(target / "copy", document.stat().st_size)
            shutil.rmtree(target)
    return found


def _expect(path: Path, size: int) -> None:
    if not path.is_file() or path.stat().st_size < size:
        raise BenchmarkError(f"{path} was not written whole")
