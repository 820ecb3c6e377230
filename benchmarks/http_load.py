"""(e) Deposits over HTTP from many clients at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import flames
from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult
from benchmarks.http_client import command
from benchmarks.http_server import Server, serving
from benchmarks.measuring import run
from benchmarks.workspace import ROOT, Workspace

LETTER, TITLE = "e", "concurrent deposits over HTTP"
PATH = "/v1/preservation-objects"
CLIENTS, LEAST = 16, 600
SLOW = FAILING = 6


def measure(space: Workspace) -> LineResult:
    scale = space.scale
    kinds: dict[str, dict[str, int]] = {f"{n} clients": {"clients": n} for n in scale.http_clients}
    many = min(CLIENTS, max(scale.http_clients))
    crowd = f"{many} clients, {SLOW} slow and {FAILING} failing ones in the crowd"
    kinds[crowd] = {"clients": many, "slow": SLOW, "failing": FAILING}
    health = f"GET /v1/health, {many} clients: the HTTP layer alone"
    told: dict[str, list[dict[str, Any]]] = {}
    peak = 0
    for number in range(space.rounds):
        with serving(space.home("http")) as server:
            order = [*kinds, health]
            space.dice.shuffle(order)
            _load(space, server, {"clients": 1}, PATH, scale.document_bytes, min(1.0, scale.http_seconds))
            for name in order:
                what = (PATH, scale.document_bytes) if name in kinds else ("/v1/health", 0)
                found = _load(space, server, kinds.get(name, {"clients": many}), *what, scale.http_seconds)
                told.setdefault(name, []).append(found)
                space.said(
                    f"    round {number + 1}  {name}: {found['per_second']:.0f}/s, p99 {found['p99'] * 1e3:.0f} ms"
                )
            peak = max(peak, server.memory.peak_bytes)
    figures = []
    for name in [*kinds, health]:
        rates = tuple(one["per_second"] for one in told[name])
        unit = "documents/s" if name in kinds else "requests/s"
        figures.append(Figure(name, unit, rates, peak if name in kinds else 0))
        if name in kinds:
            figures += [Figure.milliseconds(f"{name}, {q}", [one[q] for one in told[name]]) for q in ("p50", "p99")]
    by_name = {figure.name: figure for figure in figures}
    at = f"{many} clients"
    goals = [
        Goal("e-rate", f"≥ {LEAST} documents/s at {CLIENTS} clients", by_name[at].median, LEAST),
        Goal(
            "e-crowd",
            "slow and failing clients do not hold the group: p99 of the others ≤ 3 × without them",
            by_name[f"{crowd}, p99"].median / by_name[f"{at}, p99"].median,
            3.0,
            at_most=True,
        ),
    ]
    faults = told[crowd][-1]["faults"]
    if not faults:
        raise BenchmarkError("no client failed: the crowd was not what it should have been")
    if space.flames:
        _flames(space, many)
    return LineResult(
        LETTER,
        TITLE,
        figures,
        goals,
        (
            f"documents of {scale.document_bytes} bytes as multipart/form-data, {scale.http_seconds} s for each "
            "number of clients, keep-alive, client on the same two cores; the server's scheduler runs as ever",
            "acknowledged means: durable and read back on two stores, in the catalogue",
            f"slow clients send 64 bytes every 50 ms; failing ones use a wrong key, claim a wrong digest or cut the "
            f"connection ({faults} in one round)",
        ),
    )


def _load(
    space: Workspace, server: Server, crowd: dict[str, int], path: str, size: int, seconds: float
) -> dict[str, Any]:
    load = server.load(path, size=size, seconds=seconds, **crowd)
    _, said = run(command(load, space.place / "load.json"), cwd=ROOT)
    return dict(json.loads(said))


def _flames(space: Workspace, clients: int) -> None:
    target = Path("e-http.svg")
    home = space.home("http-flames")
    with flames.recording(space, target) as before, serving(home, before) as server:
        _load(space, server, {"clients": clients}, PATH, space.scale.document_bytes, 2 * space.scale.http_seconds)
