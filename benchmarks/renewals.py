"""(h) Time-stamp renewal of very many documents: one tree over the batches' tokens, one time-stamp."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import big_batch
from benchmarks.big_home import CLOSES_AT, SMALLER
from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult, Outcome
from benchmarks.measuring import run
from benchmarks.workspace import ROOT, Workspace, archive_command

LETTER, TITLE = "h", "time-stamp renewal of everything"
SECONDS, MIB = 60, 500
STRUCTURE = 64
"""Bytes of DER around a token and its path: tags, lengths and the name of a digest."""


def measure(space: Workspace) -> LineResult:
    whole, whole_poids = _whole(space)
    count, documents = space.scale.renewed_holding
    holding, poids = filled(space, count, documents)
    runs = {
        f"{space.scale.renewed_batches} batches, each of {CLOSES_AT[SMALLER]} documents": (
            whole,
            whole_poids[0],
            space.scale.renewed_batches,
        ),
        f"{count} batches, each of {documents} documents": (holding, poids[0], count),
    }
    figures: list[Figure] = []
    last: list[Path] = []
    for name, (home, poid, batches) in runs.items():
        timed, last = renewed(space, name, home, poid, batches)
        figures.append(timed)
    times = space.scale.renewed_times - 1
    grown = json.loads(run(command("again", last[-1], str(times), poids[0]), cwd=ROOT, clock=False)[1])
    before = json.loads(run(command("again", holding, "0", poids[0]), cwd=ROOT, clock=False)[1])
    sizes = [*before, *grown]
    figures += [Figure(f"record after {k} renewals", "bytes", (one["record"],)) for k, one in enumerate(sizes)]
    middle = statistics.median(one["seconds"] for one in grown[1:])
    figures.append(
        Figure("renewed again: one token for all", "s", (middle,), note=f"median of {times}, in one process")
    )
    return LineResult(
        LETTER,
        TITLE,
        figures,
        [
            Goal("h-time", f"≤ {SECONDS} s for 100 million documents", figures[1].median, SECONDS, at_most=True),
            Goal("h-memory", f"≤ {MIB} MiB", figures[1].peak_bytes / 2**20, MIB, at_most=True),
            Goal(
                "h-record",
                f"a renewal adds to a record its token, its path and ≤ {STRUCTURE} bytes",
                structure(sizes),
                STRUCTURE,
                at_most=True,
            ),
        ],
        (
            f"{space.scale.renewed_batches} batches: every object entered through the catalogue's own entry function "
            "and every batch formed, sealed, stamped and stored by `preserve`; only documents are not written as files",
            *conditions(count),
            f"record: of a document of the {count} batches; 0 renewals is as it was deposited, 1 is the timed renewal",
        ),
    )


def conditions(count: int) -> tuple[str, ...]:
    """How a holding of `count` batches was made, and what is timed."""
    return (
        f"{count} batches: the first is the product's, all others hold in both stores a token of their own over a root "
        "of their own, and in the catalogue batch, line and stamp; they have no members and no trees: a renewal "
        "that looked at a document would fail",
        "timed: the process from start to end: every token read and judged with chain and revocation data, tree, one "
        "call of the local TSA (counted), both versions of the renewal on two stores, trail, the catalogue's rows; "
        "afterwards a document's record verifies, renewed",
    )


def structure(sizes: Sequence[dict[str, float]]) -> float:
    """The most that a record grew by beyond token and path, over all renewals."""
    stamps = [one["stamps"] for one in sizes]
    if stamps != list(range(1, len(sizes) + 1)):
        raise BenchmarkError(f"a renewal did not bring one time-stamp: {stamps}")
    # Each value of the path has a tag and a length of its own and lies in a list of its own.
    return max(
        after["record"] - before["record"] - after["token"] - after["path"] - 6 * after["values"]
        for before, after in pairwise(sizes)
    )


def renewed(space: Workspace, name: str, home: Path, poid: str, batches: int) -> tuple[Figure, list[Path]]:
    """Renew copies of a home, one a round; the seconds and the copies that are left."""
    last: list[Path] = []
    found: list[dict[str, Any]] = []

    def ours() -> Outcome:
        for old in last:
            (old / "catalogue.sqlite3").unlink()  # a large file a round; the last one is used on
        last[:] = [space.fresh("renewal") / "home"]
        copied(home, last[0])
        outcome, said = run(command("renew", last[0]), cwd=ROOT)
        found.append(_checked(said, batches))
        verified = json.loads(run(archive_command(last[0], "--json", "verify", poid), cwd=last[0], clock=False)[1])
        if verified["verdict"] != "PASSED":
            raise BenchmarkError(f"a renewed record does not verify: {verified}")
        return outcome

    runs = space.compare({name: ours})[name]
    kib = found[-1]["stored"] / 1024
    documents = found[-1]["renewals"][0]["documents"]
    return Figure.time(name, runs, f"{documents} documents, 1 call, {kib:.0f} KiB written to each store"), last


def copied(home: Path, target: Path) -> None:
    """A home of its own over the same stored files: what a store holds is never written to again, only replaced, so
    that hard links do."""
    shutil.copytree(home, target, ignore=lambda folder, _: ["stores"] if Path(folder) == home else [])
    run(["cp", "-al", home / "stores", target / "stores"], cwd=target, clock=False)


def _checked(said: str, batches: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said)
    views = [(view["batches"], view["error"], view["obstacles"]) for view in found["renewals"]]
    if views != [(batches, None, [])] or found["asked"] != 1:
        raise BenchmarkError(f"not one renewal of {batches} batches by one call: {said[:2000]}")
    return found


def command(what: str, home: Path, *words: str) -> list[str | Path]:
    return [sys.executable, "-m", "benchmarks.renewal_home", what, home, *words]


def filled(space: Workspace, count: int, documents: int) -> tuple[Path, list[str]]:
    """A home with `count` batches, and the POIDs of real documents in the first of them; one that was filled beforehand
    (`python -m benchmarks.renewal_home fill DIR/COUNT COUNT DOCUMENTS`) is taken from the folder `--prepared DIR`."""
    if space.prepared is not None and (home := space.prepared / str(count)).is_dir():
        space.said(f"    {count} batches of {documents} documents were made beforehand: {home}")
    else:
        home = space.home("renewal-filled")
    space.said(f"    entering {count} batches of {documents} documents (not timed)")
    said = run(command("fill", home, str(count), str(documents)), cwd=ROOT, clock=False)[1]
    return home, json.loads(said)


def _whole(space: Workspace) -> tuple[Path, list[str]]:
    """A home whose batches were all made by `preserve`, and the POIDs of real documents in the last of them."""
    batches, each = space.scale.renewed_batches, CLOSES_AT[SMALLER]
    home = space.home("renewal-whole")
    space.said(f"    entering {batches * each} objects and evidencing them in {batches} batches (not timed)")
    words = ("fill", home, str(batches * each), str(space.scale.checks), SMALLER)
    poids = json.loads(run(big_batch.command(*words), cwd=ROOT, clock=False)[1])
    views = json.loads(run(big_batch.command("preserve", home), cwd=ROOT, clock=False)[1])
    if [(view["objects"], view["error"]) for view in views] != [(each, None)] * batches:
        raise BenchmarkError(f"not {batches} batches of {each}: {views[:3]}")
    return home, poids
