"""(c) Evidence for very many objects in one batch."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from benchmarks import bare, flames
from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult, Outcome
from benchmarks.measuring import run
from benchmarks.workspace import ROOT, Workspace

LETTER, TITLE = "c", "evidence for very many objects in one batch"
OURS, BARE = "trusted-archive: preserve, whole command", "plain hash tree over as many random leaves"
SECONDS, GIB = 30, 1.5


def measure(space: Workspace) -> LineResult:
    count = space.scale.batch_objects
    filled = filled_home(space)
    last: list[Path] = []

    def ours() -> Outcome:
        home = space.fresh("batch") / "home"
        shutil.copytree(filled, home)
        outcome, said = run(command("preserve", home), cwd=ROOT)
        check_batch(said, count)
        for old in last:
            (old / "catalogue.sqlite3").unlink()  # a large file a round; the last one serves (d)
        last[:] = [home]
        return outcome

    runs = space.compare({OURS: ours, BARE: lambda: run(bare.command("tree", str(count)), cwd=ROOT)[0]})
    keep_batch_home(space, last[0])
    figures = [Figure.time(name, found) for name, found in runs.items()]
    if space.flames:
        home = space.fresh("batch-flames") / "home"
        shutil.copytree(filled, home)
        flames.record(space, command("preserve", home), ROOT, "c-evidence.svg")
    return LineResult(
        LETTER,
        TITLE,
        figures,
        [
            Goal("c-time", f"≤ {SECONDS} s for 1,000,000 objects", figures[0].median, SECONDS, at_most=True),
            Goal("c-memory", f"≤ {GIB} GiB", figures[0].peak_bytes / 2**30, GIB, at_most=True),
        ],
        (
            f"{count} objects of one file each, entered through the catalogue's own entry function; "
            f"{real_objects(space)} of them deposited as well",
            "timed: the process from start to end: members, leaves, tree, statement, seal, time-stamp of the local "
            "TSA and its validation, both versions of the batch object on two stores, the catalogue's rows",
            "above 10,000 objects leaves come from the digests of commit A; below that (every published profile) "
            "each description is read from a store first",
        ),
    )


def real_objects(space: Workspace) -> int:
    return min(space.scale.checks, space.scale.batch_objects // 10)


def command(what: str, home: Path, *words: str) -> list[str | Path]:
    return [sys.executable, "-m", "benchmarks.big_home", what, home, *words]


def filled_home(space: Workspace) -> Path:
    """A home with the catalogue filled and nothing evidenced."""
    home = space.home("batch-filled")
    count = space.scale.batch_objects
    space.said(f"    entering {count} objects into a catalogue (not timed)")
    run(command("fill", home, str(count), str(real_objects(space))), cwd=ROOT, clock=False)
    return home


def check_batch(said: str, count: int) -> None:
    views = json.loads(said)
    if [(view["objects"], view["error"]) for view in views] != [(count, None)]:
        raise BenchmarkError(f"not one batch over {count} objects: {views}")


def keep_batch_home(space: Workspace, home: Path) -> None:
    """The home of a finished batch, for (d) in the same run."""
    (space.place / "batch-home").write_text(str(home), "utf-8")


def batch_home(space: Workspace) -> Path:
    """The home that (c) left, or a new one."""
    kept = space.place / "batch-home"
    if not kept.exists():
        home = filled_home(space)
        check_batch(run(command("preserve", home), cwd=ROOT, clock=False)[1], space.scale.batch_objects)
        keep_batch_home(space, home)
    return Path(kept.read_text("utf-8"))
