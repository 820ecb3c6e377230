"""(k) A full fixity cycle beside sha512sum over the same files."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult, Outcome
from benchmarks.fixity import filled, sum_of
from benchmarks.measuring import run
from benchmarks.workspace import Workspace, archive_command

LETTER, TITLE = "k", "fixity run beside sha512sum over the same files"
OURS, RIVAL = "fixity run", "sha512sum of both stores"
ONE, RIVAL_ONE = "fixity run --store one", "sha512sum of one store"


def measure(space: Workspace) -> LineResult:
    scale = space.scale
    large_count, large_bytes = scale.fixity_large
    kinds = {
        "large files": (large_count, large_bytes, 0.9),
        f"files of {scale.document_bytes} bytes": (scale.fixity_documents, scale.document_bytes, 0.8),
    }
    figures, goals = [], []
    for kind, (count, size, least) in kinds.items():
        home = filled(space, count, size)
        rivals: dict[str, Callable[[], Outcome]] = {
            OURS: partial(_ours, home, count, size, 2),
            RIVAL: partial(sum_of, home / "stores"),
            ONE: partial(_ours, home, count, size, 1, "--store", "one"),
            RIVAL_ONE: partial(sum_of, home / "stores" / "one"),
        }
        found = {}
        for name, runs in space.compare(rivals).items():
            copies = 2 if name in (OURS, RIVAL) else 1
            found[name] = Figure.rate(f"{kind}: {name}", "MB", copies * count * size / 1e6, runs)
        figures += list(found.values())
        for ours, rival, what in ((OURS, RIVAL, "both"), (ONE, RIVAL_ONE, "one")):
            key = f"k-{what}-{'large' if size == large_bytes else 'small'}"
            reached = found[ours].median / found[rival].median
            goals.append(Goal(key, f"{kind}: {ours} ≥ {least} of {rival}", reached, least))
    return LineResult(
        LETTER,
        TITLE,
        figures,
        goals,
        (
            f"{large_count} files of {large_bytes} bytes, {scale.fixity_documents} of {scale.document_bytes}; page "
            "cache warm; MB are 10^6 bytes of documents, in both stores or in one",
            "ours is the whole command: every copy compared with commit A, state written down every second, system "
            "objects, strays, spot checks, and nine damages planted and found in each store",
        ),
    )


def _ours(home: Path, count: int, size: int, stores: int, *words: str) -> Outcome:
    outcome, said = run(archive_command(home, "--json", "fixity", "run", *words), cwd=home)
    found = json.loads(said)
    checked = found["checked"]
    if found["findings"] or checked["stores"] != stores or checked["bytes"] < stores * count * size:
        raise BenchmarkError(f"not every byte was read and found good: {checked}, {found['findings'][:3]}")
    return outcome
