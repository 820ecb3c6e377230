"""(f) Every byte read again: `audit` and `verify --all` beside sha512sum."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult, Outcome
from benchmarks.measuring import run
from benchmarks.small_files import deposit_into
from benchmarks.workspace import Workspace, archive_command

LETTER, TITLE = "f", "audit and verify --all beside sha512sum over the same files"


def measure(space: Workspace) -> LineResult:
    scale = space.scale
    large_count, large_bytes = scale.fixity_large
    kinds = {
        "large files": (large_count, large_bytes, 0.9),
        f"files of {scale.document_bytes} bytes": (scale.fixity_documents, scale.document_bytes, 0.7),
    }
    figures, goals = [], []
    for kind, (count, size, least) in kinds.items():
        home = filled(space, count, size)
        content = count * size
        rivals: dict[str, Callable[[], Outcome]] = {
            "audit": partial(_audit, home, count, size),
            "verify --all": partial(_verify, home, count),
            "sha512sum of both stores": partial(sum_of, home / "stores"),
            "sha512sum of one store": partial(sum_of, home / "stores" / "one"),
        }
        found = {}
        for name, runs in space.compare(rivals).items():
            copies = 2 if name in ("audit", "sha512sum of both stores") else 1
            found[name] = Figure.rate(f"{kind}: {name}", "MB", copies * content / 1e6, runs)
        figures += list(found.values())
        pairs = {"audit": "sha512sum of both stores", "verify --all": "sha512sum of one store"}
        for ours, rival in pairs.items():
            key = f"f-{ours.split()[0]}-{'large' if size == large_bytes else 'small'}"
            text = f"{kind}: {ours} ≥ {least} of {rival}"
            goals.append(Goal(key, text, found[ours].median / found[rival].median, least))
    return LineResult(
        LETTER,
        TITLE,
        figures,
        goals,
        (
            f"{large_count} files of {large_bytes} bytes, {scale.fixity_documents} of {scale.document_bytes}; page "
            "cache warm; MB are 10^6 bytes of documents, in both stores (audit) or one (verify --all)",
            "sha512sum over every file of the same stores, `find … -print0 | sort -z | xargs -0 sha512sum`: one core; "
            "ours judges OCFL, catalogue, trail and evidence besides, and records what it did",
        ),
    )


def filled(space: Workspace, count: int, size: int) -> Path:
    """A home with everything deposited and evidenced; not timed."""
    folder = space.documents(count, size)
    names = sorted(path.name for path in folder.iterdir())
    home = space.home("fixity")
    for start in range(0, len(names), 10_000):
        deposit_into(home, folder, names[start : start + 10_000])
    space.archive(home, "preserve")
    return home


def _audit(home: Path, count: int, size: int) -> Outcome:
    outcome, said = run(archive_command(home, "--json", "audit"), cwd=home)
    found = json.loads(said)
    checked = found["checked"]
    if found["findings"] or checked["versions"] != count or checked["bytes"] < 2 * count * size:
        raise BenchmarkError(f"the audit did not find {count} sound versions: {checked}, {found['findings'][:3]}")
    return outcome


def _verify(home: Path, count: int) -> Outcome:
    outcome, said = run(archive_command(home, "--json", "verify", "--all"), cwd=home)
    found = json.loads(said)
    if (found["verdict"], found["checked"]) != ("PASSED", count):
        raise BenchmarkError(f"not {count} versions that passed: {found['verdict']}, {found['checked']}")
    return outcome


def sum_of(folder: Path) -> Outcome:
    pipe = "find . -type f -print0 | sort -z | xargs -0 sha512sum > /dev/null"
    return run(["bash", "-o", "pipefail", "-c", pipe], cwd=folder)[0]
