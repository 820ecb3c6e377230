"""(g) The catalogue made again from one store."""

from __future__ import annotations

import json

from benchmarks.figures import BenchmarkError, Figure, LineResult, Outcome
from benchmarks.measuring import run
from benchmarks.small_files import deposit_into
from benchmarks.workspace import Workspace, archive_command

LETTER, TITLE = "g", "rebuild of a catalogue from one store"
SIZE = 1_000


def measure(space: Workspace) -> LineResult:
    count = space.scale.rebuild_objects
    each = min(count, 10_000)
    folder = space.documents(each, SIZE)
    names = sorted(path.name for path in folder.iterdir())
    home = space.home("rebuild")
    space.said(f"    depositing {count} documents (not timed)")
    for _ in range(count // each):
        deposit_into(home, folder, names)
    space.archive(home, "preserve")

    def rebuild() -> Outcome:
        outcome, said = run(archive_command(home, "--json", "rebuild-catalogue", "--from", "one"), cwd=home)
        found = json.loads(said)
        if found["findings"] or found["objects"] != count // each * each:
            raise BenchmarkError(f"not {count} objects without a finding: {found['objects']}, {found['findings'][:3]}")
        return outcome

    runs = space.compare({"trusted-archive rebuild-catalogue": rebuild})
    figures = [Figure.rate(name, "objects", count, found) for name, found in runs.items()]
    return LineResult(
        LETTER,
        TITLE,
        figures,
        [],
        (
            f"{count} objects of one file of {SIZE} bytes, deposited and evidenced; from store one; SQLite",
            "every description, batch and segment is read and verified, its events too; no goal was set",
        ),
    )
