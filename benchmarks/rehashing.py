"""(i) Hash-tree renewal beside sha512sum and a bare SHA3-512 loop over the same files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import bare
from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult, Outcome
from benchmarks.measuring import run
from benchmarks.small_files import deposit_into
from benchmarks.workspace import ROOT, Workspace, archive_command

LETTER, TITLE = "i", "hash-tree renewal to SHA3-512 beside bare loops over the same files"
LEAST = 0.8
OURS = "renewal run --hash-tree sha3-512"
SUM, LOOP, BOTH = "sha512sum", "bare SHA3-512 loop", "bare loop of both digests, two processes"


def measure(space: Workspace) -> LineResult:
    scale = space.scale
    count, size = scale.rehashed_large
    kinds = {
        f"{count} files of {size / 2**20:.0f} MiB": (count, size),
        f"{scale.rehashed_documents} files of {scale.document_bytes} bytes": (
            scale.rehashed_documents,
            scale.document_bytes,
        ),
    }
    figures, goals = [], []
    for place, (kind, (count, size)) in enumerate(kinds.items()):
        home = _filled(space, count, size)
        folder = home / "stores" / "one"
        rivals: dict[str, Callable[[], Outcome]] = {
            OURS: partial(_ours, space, home, count),
            SUM: partial(_sum, folder),
            LOOP: lambda folder=folder: run(bare.command("digest", "sha3_512", folder), cwd=ROOT)[0],  # type: ignore[misc]
            BOTH: lambda folder=folder: run(bare.command("digests", folder), cwd=ROOT)[0],  # type: ignore[misc]
        }
        found = {
            name: Figure.rate(f"{kind}: {name}", "MB", count * size / 1e6, runs)
            for name, runs in space.compare(rivals).items()
        }
        figures += list(found.values())
        what = "large" if place == 0 else "small"
        reached = found[OURS].median / found[LOOP].median
        goals.append(Goal(f"i-{what}", f"{kind}: ≥ {LEAST} of a {LOOP}", reached, LEAST))
    return LineResult(
        LETTER,
        TITLE,
        figures,
        goals,
        (
            "page cache warm; MB are 10^6 bytes of documents; all of them read every file of one store",
            "ours is the whole command: every file is read from a store and its SHA-512 compared with what is under "
            "evidence before its SHA3-512 counts; descriptions, h' of every member, tree, one time-stamp, journal and "
            "trail; afterwards `verify --all` passes",
            f"{SUM} and the {LOOP} compute one digest each, on one core; the last is what both digests cost on two "
            "cores with nothing around them",
        ),
    )


def _filled(space: Workspace, count: int, size: int) -> Path:
    """A home with documents deposited and evidenced; not timed."""
    folder = space.documents(count, size)
    home = space.home("rehash")
    deposit_into(home, folder, sorted(path.name for path in folder.iterdir()))
    space.archive(home, "preserve")
    return home


def _ours(space: Workspace, home: Path, count: int) -> Outcome:
    """Renew a copy of a home, in the page cache because it was just written."""
    again = space.fresh("rehash-again") / "home"
    shutil.copytree(home, again)
    words = ("--json", "renewal", "run", "--hash-tree", "sha3-512", "--all")
    outcome, said = run(archive_command(again, *words), cwd=again)
    renewed = json.loads(said)["renewals"]
    if [(one["documents"], one["error"], one["dropped"]) for one in renewed] != [(count, None, [])]:
        raise BenchmarkError(f"not one renewal of {count} documents: {said[:2000]}")
    verified = json.loads(run(archive_command(again, "--json", "verify", "--all"), cwd=again, clock=False)[1])
    if (verified["verdict"], verified["checked"]) != ("PASSED", count):
        raise BenchmarkError(f"not {count} versions that passed: {verified['verdict']}, {verified['checked']}")
    return outcome


def _sum(folder: Path) -> Outcome:
    pipe = "find . -type f -print0 | sort -z | xargs -0 sha512sum > /dev/null"
    return run(["bash", "-o", "pipefail", "-c", pipe], cwd=folder)[0]
