"""(n) Seals from files and from a module, examinations by format, a large PDF, and what examination costs a deposit."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization

from api.home import initialise_home
from api.wiring import build_archive
from archive_core.lifecycle import Actor, SubmissionObject, SubmittedFile
from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult, Outcome
from benchmarks.measuring import run
from benchmarks.workspace import Workspace, archive_command
from signing.examination.documents import Document
from signing.examination.forking import Template
from signing.examination.registry import examine
from signing.examination.request import NamedPath, Request
from signing.examination.sandbox import Runs, examine_and_ask
from signing.keys import SigningKey, load_key
from signing.pkcs11_key import Pkcs11Address, Pkcs11Key
from signing.seals import DeviceSealer, SoftwareSealer

if TYPE_CHECKING:
    from tests.unit.signing.examination.signing_world import World

LETTER, TITLE = "n", "seals, examinations and what they cost a deposit"
STATEMENT = b'{"format":"trusted-archive/statement/1"}' + b" " * 700 + b"\n"
OPERATOR = Actor("benchmark", "operator", None)
APART = ("CAdES", "PAdES")
"""Formats of which a process of its own is measured: the least and the most of libraries that it loads."""
PLAIN, EXAMINED = "redundant-1", "signed-recorded-1"


def measure(space: Workspace) -> LineResult:
    from tests.unit.signing.examination.signing_world import World

    folder = space.fresh("trust-services")
    folder.mkdir(parents=True, exist_ok=True)
    world = World.made(folder / "trust")
    figures = [*_seals(space, folder), *_examinations(space, folder, world)]
    large, goals = _large_pdf(space, folder, world)
    deposits, more = _deposits(space, folder, world)
    return LineResult(
        LETTER,
        TITLE,
        [*figures, *large, *deposits],
        [*goals, *more],
        (
            f"seals: {_times(space)} statements of {len(STATEMENT)} bytes in one process, SHA-512 (JSON with P-384: "
            "SHA-384), no revocation data fetched; the module is SoftHSM2, one session",
            f"examinations: {_times(space)} times the same small file, trusted by nobody; in this process (what the "
            "formats cost), in an interpreter of its own (as `examine` does it), and in a forked process (deposits)",
            "the large PDF: one signature over all of it, the whole command `trusted-archive examine`",
            f"deposits: {_times(space)} signed PDFs one after another, in this process, on two stores; p99 of so "
            "few is the slowest",
        ),
    )


def _times(space: Workspace) -> int:
    return space.scale.checks


# -- seals --------------------------------------------------------------------------------------------


def _seals(space: Workspace, folder: Path) -> Iterator[Figure]:
    from tests.hsm import PIN, key, soft_hsm
    from tests.unit.signing import forge

    root = forge.authority()
    for kind in ("p384", "rsa3072"):
        private = key(kind)
        identity = forge.issued("Sealer", root, key=private, extensions=[(forge.key_usage(), True)])
        octets = private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        software = SoftwareSealer(SigningKey(octets, identity.der, (root.der,)))
        at = datetime.now(UTC)
        yield _rate(space, f"CAdES, key in a file, {kind}", "seals", partial(software.seal, STATEMENT, at=at))
        yield _rate(space, f"JAdES, key in a file, {kind}", "seals", partial(software.seal_json, STATEMENT, at=at))
        with soft_hsm(folder / f"hsm-{kind}") as hsm:
            hsm.put(private, "seal")
            device = Pkcs11Key(
                Pkcs11Address.parse(hsm.address("seal")), lambda: PIN, certificates=(identity.der, root.der)
            )
            sealer = DeviceSealer(device)
            yield _rate(space, f"CAdES, key in SoftHSM2, {kind}", "seals", partial(sealer.seal, STATEMENT, at=at))


def _rate(space: Workspace, name: str, unit: str, work: Callable[[], object]) -> Figure:
    """After one that is not counted, because libraries load in it."""
    work()
    runs = []
    for _ in range(space.rounds):
        began = time.perf_counter()
        for _ in range(_times(space)):
            work()
        runs.append(Outcome(time.perf_counter() - began))
    return Figure.rate(name, unit, _times(space), runs)


# -- examinations -------------------------------------------------------------------------------------


def _files(world: World) -> dict[str, bytes]:
    from tests.unit.signing.examination import test_asic_examination as containers
    from tests.unit.signing.xml_forge import XmlRecipe

    key = load_key(world.local.seal_key_address, certificates=world.local.seal_certificate_file)
    seal = SoftwareSealer(key, test_trust=True).seal_json(STATEMENT, at=datetime.now(UTC))
    return {
        "CAdES": world.cms(b"content" * 1000, stamped=True),
        "PAdES": world.document_stamped(world.pdf(stamped=True)),
        "XAdES": XmlRecipe(containers.SIGNER).document(),
        "ASiC-E": containers.zipped(containers.with_xades(containers.DATA)),
        "JAdES": seal.flattened(),
    }


def _examinations(space: Workspace, folder: Path, world: World) -> Iterator[Figure]:
    from tests.unit.signing.examination.signing_world import NOW, nobody

    trust = nobody()
    template = Template()
    for name, octets in _files(world).items():
        found = examine(Document(name, octets), trust=trust, at=NOW)
        if not found.examined or not found.signatures or not all(one.signature_intact for one in found.signatures):
            raise BenchmarkError(f"{name}: the file to be measured is not examined as it should be: {found.reason}")

        def here(octets: bytes = octets) -> None:
            examine(Document("file", octets), trust=trust, at=NOW)

        yield _rate(space, f"{name}, in this process", "examinations", here)
        if name in APART:
            path = folder / f"examined-{name}"
            path.write_bytes(octets)
            yield _rate(space, f"{name}, in an interpreter of its own", "examinations", _apart(path, NOW))
            yield _rate(space, f"{name}, in a forked process", "examinations", _apart(path, NOW, template.run))
    template.close()


def _apart(path: Path, at: datetime, run: Runs | None = None) -> Callable[[], object]:
    def apart() -> None:
        if not examine_and_ask(Request(NamedPath(path, path.name), at), run=run).examination.examined:
            raise BenchmarkError(f"{path.name} was not examined")

    return apart


def _large_pdf(space: Workspace, folder: Path, world: World) -> tuple[list[Figure], list[Goal]]:
    from tests.unit.signing.examination.signing_world import plain_pdf

    size = min(100_000_000, space.scale.large_bytes // 8)
    path = folder / "large.pdf"
    path.write_bytes(world.pdf(plain_pdf(size)))
    command = archive_command(folder, "--json", "examine", path)
    outcomes = [run(command, cwd=folder)[0] for _ in range(space.rounds)]
    figure = Figure.time(f"examine a PDF of {path.stat().st_size // 1_000_000} MB", outcomes)
    limit = 300 * 2**20 + 2 * path.stat().st_size
    text = f"a PDF of {path.stat().st_size // 1_000_000} MB in ≤ {limit // 2**20} MiB"
    return [figure], [Goal("n-memory", text, figure.peak_bytes / 2**20, limit / 2**20, at_most=True)]


# -- deposits -----------------------------------------------------------------------------------------


def _deposits(space: Workspace, folder: Path, world: World) -> tuple[list[Figure], list[Goal]]:
    at = datetime.now(UTC)
    archive = build_archive(initialise_home(folder / "home", at=at), create=True)
    with contextlib.closing(archive):
        seconds: dict[str, list[float]] = {PLAIN: [], EXAMINED: []}
        for number in range(_times(space) + 1):
            for profile, taken in seconds.items():
                path = folder / f"deposit-{number}-{profile}.pdf"
                path.write_bytes(world.pdf())
                submission = SubmissionObject((SubmittedFile("a.pdf", path),), "default", profile=profile)
                began = time.perf_counter()
                archive.deposit(submission, actor=OPERATOR)
                taken.append(time.perf_counter() - began)
    figures, told = [], {}
    for profile, taken in seconds.items():
        ordered = sorted(taken[1:])  # in the first one libraries load
        told[profile] = statistics.median(ordered)
        figures.append(Figure.milliseconds(f"deposit, profile {profile}, p50", [statistics.median(ordered)]))
        figures.append(Figure.milliseconds(f"deposit, profile {profile}, p99", [ordered[-1]]))
    added = told[EXAMINED] - told[PLAIN]
    text = "examination adds ≤ 1500 ms to a deposit (p50)"
    return figures, [Goal("n-deposit", text, added * 1000, 1500, at_most=True)]
