"""(q) Deposits over HTTP on a directory and a bucket of a real S3 server, by 1 to 64 clients."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.figures import BenchmarkError, Figure, LineResult
from benchmarks.http_client import command
from benchmarks.http_load import PATH
from benchmarks.http_server import Server, serving
from benchmarks.measuring import run
from benchmarks.workspace import ROOT, Workspace

LETTER, TITLE = "q", "concurrent deposits over HTTP on a directory and a bucket"
BARE = "bare loop: so many puts and gets as a document takes, 16 threads"
_VERBS = ("PUT", "GET", "DELETE", "HEAD", "POST")


def measure(space: Workspace) -> LineResult:
    from tests.s3.ceph import PROGRAMS, running_ceph

    for program in PROGRAMS[:4]:
        space.require(program)
    scale = space.scale
    told: dict[str, list[dict[str, Any]]] = {}
    bare: list[float] = []
    requests: dict[str, float] = {}
    with running_ceph() as ceph:
        log = ceph.home / "log" / "client.rgw.log"
        for number in range(space.rounds):
            with serving(_home(space, ceph.server.new_bucket("bench"))) as server:
                _load(space, server, 1, min(1.0, scale.http_seconds))
                order = list(scale.http_clients)
                space.dice.shuffle(order)
                for clients in order:
                    before = _lines(log)
                    found = _load(space, server, clients, scale.http_seconds)
                    told.setdefault(f"{clients} clients", []).append(found)
                    requests |= _per_document(log, before, found, f"{clients} clients")
                    space.said(f"    round {number + 1}  {clients} clients: {found['per_second']:.1f}/s")
            bare.append(_bare(space, ceph.server.new_bucket("bare"), scale.document_bytes))
            space.said(f"    round {number + 1}  {BARE}: {bare[-1]:.1f}/s")
    figures = []
    for name, rounds in told.items():
        figures.append(Figure(name, "documents/s", tuple(one["per_second"] for one in rounds)))
        figures += [Figure.milliseconds(f"{name}, {q}", [one[q] for one in rounds]) for q in ("p50", "p99")]
    figures.append(Figure(BARE, "documents/s", tuple(bare)))
    figures += [Figure(f"{name}: requests to the bucket", "per document", (count,)) for name, count in requests.items()]
    return LineResult(
        LETTER,
        TITLE,
        figures,
        [],
        (
            f"documents of {scale.document_bytes} bytes, {scale.http_seconds} s for each number of clients; a Ceph 16 "
            "(monitor, storage daemon, gateway) on the same two cores, without conditional writes: writers take turns "
            "under a lease in the bucket, and those that come at the same time share a turn",
            "acknowledged means: durable and read back on the directory and in the bucket, in the catalogue",
            "requests are counted in the gateway's own log",
        ),
    )


def _home(space: Workspace, place: Any) -> Path:
    """A home whose second store is the bucket."""
    from tests.s3.homes import home_with_bucket

    home = home_with_bucket(space.fresh("s3"), place)
    space.archive(home, "init")
    return home


def _load(space: Workspace, server: Server, clients: int, seconds: float) -> dict[str, Any]:
    load = server.load(PATH, size=space.scale.document_bytes, seconds=seconds, clients=clients)
    _, said = run(command(load, space.place / "load.json"), cwd=ROOT)
    return dict(json.loads(said))


def _lines(log: Path) -> int:
    with log.open("rb") as stream:
        return sum(1 for _ in stream)


def _per_document(log: Path, before: int, found: dict[str, Any], name: str) -> dict[str, float]:
    """Requests that the gateway logged since, for each document that was acknowledged."""
    with log.open("r", encoding="utf-8", errors="replace") as stream:
        asked = sum(
            1
            for number, line in enumerate(stream)
            if number >= before and "beast:" in line and any(f'"{verb} ' in line for verb in _VERBS)
        )
    if not asked:
        raise BenchmarkError("the gateway logged no request")
    return {name: asked / found["answered"]}


def _bare(space: Workspace, place: Any, size: int) -> float:
    """Documents a second when each is seven objects that are put and got, and nothing else is done."""
    from storage_backends.s3_bucket import Bucket

    bucket, data = Bucket("bare", place), b"x" * size
    files = [data, *(b"y" * 1500,) * 6]

    def document(number: int) -> None:
        for place_, content in enumerate(files):
            kept = bucket.put(f"{number}/{place_}", content)
            if bucket.read(kept.key, version=kept.version) != content:
                raise BenchmarkError("a bucket gave back something else")

    count = max(4, int(40 * space.scale.http_seconds))
    document(count)
    with ThreadPoolExecutor(16) as threads:
        began = perf_counter()
        list(threads.map(document, range(count)))
        return count / (perf_counter() - began)
