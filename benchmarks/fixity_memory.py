"""(l) The memory of a fixity cycle, with few objects and with ten times as many."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult, Outcome
from benchmarks.measuring import run
from benchmarks.small_files import deposit_into
from benchmarks.workspace import Workspace, archive_command

LETTER, TITLE = "l", "memory of a fixity cycle over real objects"
SIZE = 1_000
MOST_MIB, MOST_GROWTH = 200, 1.15


def measure(space: Workspace) -> LineResult:
    figures, peaks = [], []
    for count in space.scale.fixity_objects:
        home = _filled(space, count)
        runs = space.compare({f"fixity run of {count} objects": partial(_run, home, count)})
        for name, outcomes in runs.items():
            figures.append(Figure.rate(name, "objects", 2 * count, outcomes))
            peaks.append(figures[-1].peak_bytes / 2**20)
    few, many = space.scale.fixity_objects
    return LineResult(
        LETTER,
        TITLE,
        figures,
        [
            Goal("l-most", f"{many} objects: at most {MOST_MIB} MiB", peaks[1], MOST_MIB, at_most=True),
            Goal(
                "l-flat",
                f"{many} objects: at most {MOST_GROWTH} of the memory of {few}",
                peaks[1] / peaks[0],
                MOST_GROWTH,
                at_most=True,
            ),
        ],
        (
            f"objects of one file of {SIZE} bytes, deposited and evidenced, in two stores that are read side by side; "
            "the sum over the process and those that read for it",
        ),
    )


def _filled(space: Workspace, count: int) -> Path:
    each = min(count, 10_000)
    folder = space.documents(each, SIZE)
    names = sorted(path.name for path in folder.iterdir())
    home = space.home("fixity-memory")
    space.said(f"    depositing {count} documents (not timed)")
    for _ in range(count // each):
        deposit_into(home, folder, names)
    space.archive(home, "preserve")
    return home


def _run(home: Path, count: int) -> Outcome:
    outcome, said = run(archive_command(home, "--json", "fixity", "run"), cwd=home)
    found = json.loads(said)
    if found["findings"] or found["checked"]["objects"] < 2 * count:
        raise BenchmarkError(f"not {count} sound objects in each store: {found['checked']}, {found['findings'][:3]}")
    return outcome
