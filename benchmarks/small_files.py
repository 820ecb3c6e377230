"""(a) Many small documents, from the command line, on two stores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from benchmarks import bare, flames
from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult, Outcome
from benchmarks.measuring import run, run_all
from benchmarks.workspace import ROOT, Workspace, archive_command

LETTER, TITLE = "a", "small documents deposited from the command line on two stores"
OURS, BARE, RESTIC = "trusted-archive deposit", "bare loop, durable 200 at a time", "restic, one store after the other"
FSYNC, RESTIC_BOTH, BAGIT = "bare loop, fsync per file", "restic, both stores at once", "bagit.py and copy"


def measure(space: Workspace) -> LineResult:
    scale = space.scale
    folder = space.documents(scale.documents, scale.document_bytes)
    few = space.documents(scale.fsync_documents, scale.document_bytes)
    names = sorted(path.name for path in folder.iterdir())
    rivals: dict[str, Callable[[], Outcome]] = {
        OURS: lambda: deposit(space, folder, names),
        BARE: lambda: _bare(space, "grouped", folder),
        FSYNC: lambda: _bare(space, "fsync", few),
    }
    if space.wants("restic"):
        space.require("restic")
        rivals[RESTIC] = lambda: _restic(space, folder, together=False)
        rivals[RESTIC_BOTH] = lambda: _restic(space, folder, together=True)
    if space.wants("bagit"):
        space.tools_python()
        rivals[BAGIT] = lambda: _bagit(space, folder)
    runs = space.compare(rivals)
    figures = {
        name: Figure.rate(
            name, "documents", scale.fsync_documents if name == FSYNC else scale.documents, found, _NOTES.get(name, "")
        )
        for name, found in runs.items()
    }
    goals = [Goal("a-bare", f"≥ 0.6 of: {BARE}", figures[OURS].median / figures[BARE].median, 0.6)]
    if RESTIC in figures:
        text = f"ahead of: {RESTIC}"
        goals.append(Goal("a-restic", text, figures[OURS].median / figures[RESTIC].median, 1.0))
    if space.flames:
        home = space.home()
        flames.record(space, archive_command(home, "--json", "deposit", *names), folder, "a-deposit.svg")
    return LineResult(
        LETTER,
        TITLE,
        list(figures.values()),
        goals,
        (
            f"{scale.documents} documents of {scale.document_bytes} bytes ({scale.fsync_documents} for the loop with "
            "an fsync per file), sources in the page cache, one invocation",
            "ours: everything counts (start of the process, claims, description, two OCFL stores, every file read "
            "back and hashed, page cache warm, catalogue, trail); the loops do not read back, restic does not either",
        ),
    )


_NOTES = {
    OURS: "one OCFL object each; read back warm",
    RESTIC: "encrypts, packs and deduplicates",
    RESTIC_BOTH: "two processes",
    BAGIT: "one bag each; made durable once, at the end",
}


def deposit(space: Workspace, folder: Path, names: list[str]) -> Outcome:
    """A new home, and everything in `folder` deposited in one invocation."""
    return deposit_into(space.home(), folder, names)


def deposit_into(home: Path, folder: Path, names: list[str]) -> Outcome:
    """Deposit and find that each document was acknowledged as replicated."""
    outcome, said = run(archive_command(home, "--json", "deposit", *names), cwd=folder)
    told = [one["status"] for one in json.loads(said)["objects"]]
    if told != ["replicated"] * len(names):
        raise BenchmarkError(f"{len(names)} documents were deposited and {told.count('replicated')} acknowledged")
    return outcome


def _bare(space: Workspace, what: str, folder: Path) -> Outcome:
    targets = [space.fresh(f"{what}-{number}") for number in (1, 2)]
    outcome, _ = run(bare.command(what, folder, *targets), cwd=ROOT)
    return outcome


def _restic(space: Workspace, folder: Path, *, together: bool) -> Outcome:
    place = space.fresh("restic")
    commands = []
    environment = {"RESTIC_PASSWORD": "benchmark", "RESTIC_CACHE_DIR": str(place / "cache")}
    for number in (1, 2):
        repository = place / f"repository-{number}"
        run(["restic", "init", "--quiet", "--repo", repository], cwd=place, environment=environment, clock=False)
        commands.append(["restic", "backup", "--quiet", "--repo", str(repository), "."])
    if together:
        return run_all(commands, cwd=folder, environment=environment)
    first, second = (run(command, cwd=folder, environment=environment)[0] for command in commands)
    return Outcome(first.seconds + second.seconds, max(first.peak_bytes, second.peak_bytes))


def _bagit(space: Workspace, folder: Path) -> Outcome:
    script = Path(__file__).with_name("bagit_copy.py")
    command = [space.tools_python(), script, folder, space.fresh("bags"), space.fresh("bags-copy")]
    return run(command, cwd=ROOT)[0]
