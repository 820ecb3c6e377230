"""(r) Downloads of small and large documents beside plain nginx, which verifies nothing."""

from __future__ import annotations

import csv
import hashlib
import http.client
import json
import re
import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path

from benchmarks import bare, nginx
from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult
from benchmarks.http_server import Server, serving
from benchmarks.measuring import run
from benchmarks.workspace import ROOT, Workspace

LETTER, TITLE = "r", "downloads beside plain nginx"
DIRECTLY, THROUGH, PLAIN = "trusted-archive", "trusted-archive through nginx", "plain nginx"
SERVERS = (DIRECTLY, THROUGH, PLAIN)
HASH = "bare: read and SHA-512 of the large document, two threads"
HEALTH = "GET /v1/health: the HTTP layer alone"
MANY = 16


@dataclass(frozen=True, slots=True)
class Told:
    """What `ab` said of one load: requests a second, milliseconds."""

    per_second: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Target:
    """One document, as one of the servers has it."""

    address: tuple[str, int]
    path: str
    key: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


def measure(space: Workspace) -> LineResult:
    ab, scale = space.require("ab", package="apache2-utils"), space.scale
    nginx.program()
    sizes = (scale.document_bytes, scale.download_large)
    files = _files(space, sizes)
    home = space.home("downloads")
    poids = {size: _deposited(space, home, files / f"{size}.bin") for size in sizes}
    told: dict[tuple[int, int, str], list[Told]] = {}
    health: list[Told] = []
    hashed: list[float] = []
    with (
        serving(home) as server,
        nginx.running(space.fresh("nginx"), files, (server.host, server.port)) as (plain, proxy),
    ):
        for size in sizes:
            targets = _targets(server, plain, proxy, size, poids[size])
            _compare(targets, files / f"{size}.bin")
            for _ in range(space.rounds):
                cells = [(clients, name) for clients in scale.download_clients for name in SERVERS]
                space.dice.shuffle(cells)
                for clients, name in cells:
                    found = _load(space, ab, targets[name], clients, size)
                    told.setdefault((size, clients, name), []).append(found)
                    space.said(
                        f"    {size} bytes, {clients} clients, {name}: {found.per_second:.1f}/s, "
                        f"p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms"
                    )
        health_at = Target((server.host, server.port), "/v1/health")
        for _ in range(space.rounds):
            health.append(_load(space, ab, health_at, min(MANY, max(scale.download_clients)), 0))
            hashed.append(_hashed(files / f"{scale.download_large}.bin"))
        peak = server.memory.peak_bytes
    return _result(space, told, health, hashed, peak)


def _files(space: Workspace, sizes: tuple[int, ...]) -> Path:
    """The documents under names that say their sizes: what plain nginx serves, and what is deposited."""
    folder = space.fresh("files")
    for size in sizes:
        (document,) = space.documents(1, size).iterdir()
        shutil.copy(document, folder / f"{size}.bin")
    return folder


def _deposited(space: Workspace, home: Path, document: Path) -> str:
    said = json.loads(space.archive(home, "--json", "deposit", document))
    return str(said["objects"][0]["poid"])


def _targets(server: Server, plain: int, proxy: int, size: int, poid: str) -> dict[str, Target]:
    path = f"/v1/preservation-objects/{poid}/files/{size}.bin"
    return {
        DIRECTLY: Target((server.host, server.port), path, server.key),
        THROUGH: Target(("127.0.0.1", proxy), path, server.key),
        PLAIN: Target(("127.0.0.1", plain), f"/{size}.bin"),
    }


def _compare(targets: dict[str, Target], document: Path) -> None:
    """All three give out the same bytes, or nothing is measured."""
    with document.open("rb") as stream:
        wanted = hashlib.file_digest(stream, "sha512").digest()
    for name, target in targets.items():
        line = http.client.HTTPConnection(*target.address, timeout=60)
        line.request("GET", target.path, headers=target.headers)
        answer = line.getresponse()
        found = hashlib.sha512()
        while piece := answer.read(bare.PIECE):
            found.update(piece)
        line.close()
        if answer.status != 200 or found.digest() != wanted:
            raise BenchmarkError(f"{name} does not give out the document: HTTP {answer.status}")


def _load(space: Workspace, ab: str, target: Target, clients: int, size: int) -> Told:
    """So many clients, each with one connection that it keeps: small documents for some seconds, of large ones two for
    each client, and eight at least."""
    folder = space.fresh("ab")
    many = ["-n", str(max(8, clients if clients >= MANY else 2 * clients))]
    some = ["-t", str(max(1, round(space.scale.http_seconds / 2))), "-n", "10000000"]
    small = size < 2**20
    headers = [word for name, value in target.headers.items() for word in ("-H", f"{name}: {value}")]
    told = ["-e", folder / "served.csv"] if small else ["-g", folder / "times.tsv"]
    words = [ab, "-q", "-k", "-s", "120", "-c", str(clients), *(some if small else many), *headers, *told]
    _, said = run([*words, f"http://{target.address[0]}:{target.address[1]}{target.path}"], cwd=ROOT)
    for fault in ("Failed requests", "Non-2xx responses"):
        if (count := _number(said, fault, 0.0)) != 0:
            raise BenchmarkError(f"{fault}: {count:.0f}\n{said[-1500:]}")
    p50, p99 = _percentiles(folder / "served.csv") if small else _of_each(folder / "times.tsv")
    return Told(_number(said, "Requests per second"), p50, p99)


def _percentiles(file: Path) -> tuple[float, float]:
    """What `ab` computed itself, to a microsecond; of few requests it computes nonsense."""
    with file.open(newline="") as stream:
        served = {row[0]: float(row[1]) for row in list(csv.reader(stream))[1:]}
    return served["50"], served["99"]


def _of_each(file: Path) -> tuple[float, float]:
    """From the time of each request, to a millisecond."""
    with file.open(newline="") as stream:
        times = sorted(float(row["ttime"]) for row in csv.DictReader(stream, delimiter="\t"))
    return statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.99))]


def _number(said: str, name: str, missing: float | None = None) -> float:
    match = re.search(rf"^{re.escape(name)}:\s+([0-9.]+)", said, re.MULTILINE)
    if match is None and missing is None:
        raise BenchmarkError(f"ab does not say `{name}`:\n{said[-1500:]}")
    return float(match[1]) if match else float(missing or 0.0)


def _hashed(document: Path) -> float:
    """MB/s of two threads that read the document and hash it, each in pieces like ours."""
    copies, size = 16, document.stat().st_size
    words = bare.command("pieces", document, str(copies))
    return copies * size / 1e6 / run(words, cwd=ROOT)[0].seconds


def _result(
    space: Workspace,
    told: dict[tuple[int, int, str], list[Told]],
    health: list[Told],
    hashed: list[float],
    peak: int,
) -> LineResult:
    scale = space.scale
    figures: dict[tuple[int, int, str], Figure] = {}
    for (size, clients, name), rounds in told.items():
        large = size == scale.download_large
        rates = tuple(one.per_second * (size / 1e6 if large else 1.0) for one in rounds)
        times = ", ".join(
            f"{which} {statistics.median(getattr(one, which) for one in rounds):.1f} ms" for which in ("p50", "p99")
        )
        per_second = f"; {statistics.median(one.per_second for one in rounds):.2f} requests/s" if large else ""
        label = f"{size:,} bytes, {clients} client{'s' if clients > 1 else ''}, {name}"
        memory = peak if name == DIRECTLY else 0
        figures[size, clients, name] = Figure(
            label, "MB/s" if large else "requests/s", rates, memory, times + per_second
        )
    order = sorted(figures, key=lambda cell: (cell[0], cell[1], SERVERS.index(cell[2])))
    alone = Figure(HEALTH, "requests/s", tuple(one.per_second for one in health))
    bound = Figure(HASH, "MB/s", tuple(hashed))
    many = min(MANY, max(scale.download_clients))
    small, large = (
        {name: figures[size, many, name].median for name in SERVERS}
        for size in (scale.document_bytes, scale.download_large)
    )
    return LineResult(
        LETTER,
        TITLE,
        [*(figures[cell] for cell in order), alone, bound],
        [
            Goal(
                "r-hash",
                f"large, {many} clients ≥ 0.6 of reading and hashing alone",
                large[DIRECTLY] / bound.median,
                0.6,
            ),
            Goal(
                "r-small", f"small, {many} clients ≥ 0.5 of the HTTP layer alone", small[DIRECTLY] / alone.median, 0.5
            ),
            Goal(
                "r-through",
                f"large, {many} clients: through nginx ≥ 0.8 of directly",
                large[THROUGH] / large[DIRECTLY],
                0.8,
            ),
        ],
        (
            "every byte of ours is compared with its digest before it leaves (SHA-512 in pieces of 4 MiB), and each "
            "download is an event of the trail; plain nginx sends files with sendfile and looks at nothing",
            "load: ApacheBench (`ab -k`) on the same two cores, one thread, the same for all three; small documents "
            f"for {max(1, round(scale.http_seconds / 2))} s, of large ones one or two for each client, at least eight",
            "through nginx: deploy/nginx/trusted-archive.conf without TLS and client certificates",
            "memory: the server's whole process tree over all loads",
        ),
    )
