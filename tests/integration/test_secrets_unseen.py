"""Secrets are in no command line and in no environment of the processes that read foreign files."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import load_der_x509_certificate

from archive_core.digests import Digest
from archive_core.ports import TokenFor
from signing.examination.request import NamedPath, Request, TrustGiven
from signing.examination.sandbox import Limits, examine_apart
from signing.keys import load_key
from signing.pdf_seals.sealing import PdfSealing
from signing.seals import SoftwareSealer
from tests.unit.signing.examination.signing_world import NOW, World, plain_pdf
from tests.world import SteppingClock

MARKER = "prozradit-me-9d1c77"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")]


@dataclass
class Seen:
    """What process lists showed of the children of this process."""

    children: set[int] = field(default_factory=set)
    with_marker: set[str] = field(default_factory=set)

    def look(self) -> None:
        for pid in _descendants(os.getpid()):
            shown = {name: _read(pid, name) for name in ("cmdline", "environ")}
            if any(shown.values()):
                self.children.add(pid)
            self.with_marker |= {name for name, octets in shown.items() if MARKER.encode() in octets}


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""  # it is gone


def _descendants(root: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = _read(int(entry.name), "stat").rpartition(b") ")[2].split()
            if len(stat) > 1:
                parents[int(entry.name)] = int(stat[1])
    found: set[int] = set()
    waiting = {root}
    while waiting:
        waiting = {pid for pid, parent in parents.items() if parent in waiting} - found
        found |= waiting
    return found


@contextmanager
def watched() -> Iterator[Seen]:
    seen, over = Seen(), threading.Event()

    def watch() -> None:
        while not over.is_set():
            seen.look()
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("TRUSTED_ARCHIVE_SEAL_PASSWORD", MARKER)
    return World.made(tmp_path / "trust")


def _sealer(world: World, folder: Path) -> SoftwareSealer:
    """With a key in PKCS #12, whose password is the marker."""
    plain = load_key(world.local.seal_key_address, certificates=world.local.seal_certificate_file)
    key = serialization.load_der_private_key(plain.private_key, None)
    chain = [load_der_x509_certificate(der) for der in plain.chain]
    locked = serialization.BestAvailableEncryption(MARKER.encode())
    certificate = load_der_x509_certificate(plain.certificate)
    octets = pkcs12.serialize_key_and_certificates(b"seal", key, certificate, chain, locked)  # type: ignore[arg-type]
    (folder / "seal.p12").write_bytes(octets)
    loaded = load_key("file:seal.p12", base=folder, passphrase=MARKER.encode())
    return SoftwareSealer(loaded, test_trust=True, validation_source=world.local.seal_validation_data)


def _seal(world: World, folder: Path) -> None:
    def stamp(digest: Digest) -> TokenFor:
        authority = world.local.authority("local-tsa-1", SteppingClock(NOW))
        token = authority.timestamp(digest)
        return TokenFor(token.der, authority.validation_data(token.der))

    trust, limits = TrustGiven((), (world.local.anchor,)), Limits(wall_seconds=240)
    sealing = PdfSealing(_sealer(world, folder), trust, limits=limits)
    (folder / "a.pdf").write_bytes(plain_pdf())
    sealing.seal_pdf(folder / "a.pdf", folder / "copy.pdf", at=NOW, stamp=stamp, reason="", lines=())


def _examine(world: World, folder: Path) -> None:
    (folder / "a.p7m").write_bytes(world.cms(b"content"))
    examine_apart(Request(NamedPath(folder / "a.p7m", "a.p7m"), NOW), Limits(wall_seconds=240))


@pytest.mark.parametrize("work", [_seal, _examine])
def test_children_show_no_secret(world: World, tmp_path: Path, work: Callable[[World, Path], None]) -> None:
    """Neither the environment's nor the key's password; the children were looked at."""
    with watched() as seen:
        work(world, tmp_path)

    assert seen.children
    assert seen.with_marker == set()


def test_a_secret_that_is_shown_is_seen(world: World) -> None:
    """The watch finds what a child is given in its words and what it inherits."""
    with watched() as seen:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(1)", MARKER], check=True, timeout=60)

    assert seen.with_marker == {"cmdline", "environ"}
