"""Where inputs start: specimens that our own code makes, and third-party vectors where they are.

The rules kept here
 * Nothing is committed: specimens are made anew for each process, vectors are read from ../shared.
 * Absent vectors are passed over here; our own specimens never are.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from archive_core.digests import Digest
from archive_core.trail.merkle import Log
from tests.bundles import Stamped, Version, Workshop
from tests.fuzz.mutation import MEMBER_MARK
from tests.offline import members_of
from tests.unit.evidence.story import Story
from tests.unit.signing import forge
from tests.unit.signing.fake_tsa import FakeTsa
from tests.vectors import VECTORS

AT = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
"""The instant as of which everything is judged: after the workshop's stamps, before anything ends."""
IMPRINT = Digest.of("sha512", b"what is stamped")
NONCE = 0x1234_5678_9ABC_DEF0


@dataclass(frozen=True)
class Specimens:
    """Two versions of one object and another object, in two batches of two lines."""

    workshop: Workshop
    first: Version
    second: Version
    batches: tuple[Stamped, Stamped]
    bundle: bytes

    @property
    def anchors(self) -> tuple[bytes, ...]:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding

        pem = self.workshop.anchor_file.read_bytes()
        return (x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER),)

    @property
    def members(self) -> Mapping[str, bytes]:
        return members_of(self.bundle)


@cache
def specimens() -> Specimens:
    workshop = Workshop(scratch() / "trust", digests={"sha512": "sha512", "sha3-512": "sha3-512"})
    first = workshop.deposit({"a.txt": b"alpha", "sub/žluť.bin": bytes(range(256))}, metadata=b'{"title": "x"}')
    other = workshop.deposit({"other": b"somebody else's"})
    before = workshop.batch(first, other)
    workshop.access(first)
    second = workshop.deposit({"a.txt": b"alpha", "big.bin": bytes(5 << 20)}, previous=first)
    after = workshop.batch(workshop.deposit({"third": b""}), second)
    bundle = after.bundle(second, [(before, first)])
    return Specimens(workshop, first, second, (before, after), bundle)


@cache
def small_bundle() -> tuple[bytes, Stamped, Version]:
    """A bundle without large files: quick to judge."""
    made = specimens()
    before = made.batches[0]
    return before.bundle(made.first), before, made.first


@cache
def scratch() -> Path:
    """A directory of this process, in memory where the system has that."""
    shared = Path("/dev/shm")
    holder = tempfile.TemporaryDirectory(prefix="fuzz-", dir=shared if shared.is_dir() else None)
    _HOLDERS.append(holder)
    return Path(holder.name)


_HOLDERS: list[tempfile.TemporaryDirectory[str]] = []


def vectors(suite: str, *endings: str, most: int = 40, largest: int = 64 * 1024) -> dict[str, bytes]:
    """Files of a vector suite by name; none where the suite is not there."""
    found: dict[str, bytes] = {}
    for path in sorted((VECTORS / suite).rglob("*")):
        if len(found) < most and path.is_file() and path.name.endswith(endings) and path.stat().st_size <= largest:
            found[f"{suite}/{path.name}"] = path.read_bytes()
    return found


# -- evidence -----------------------------------------------------------------------------------

DOCUMENTS = (b"one", b"two")


def records() -> dict[str, bytes]:
    renewed = Story(DOCUMENTS).stamp("sha256", others=5).renew_time_stamp().renew_hash_tree("sha512", others=2)
    made = specimens()
    return {
        "plain": Story(DOCUMENTS).stamp().der(),
        "one": Story(DOCUMENTS[:1]).stamp("sha384", others=3, position=2).der(),
        "renewed": renewed.der(),
        "ours": made.batches[0].record(made.first, "sha512"),
        **vectors("bc-ers", ".ers", ".er"),
        **vectors("dss-ers", ".ers", ".er"),
    }


def wrapped_records() -> dict[str, bytes]:
    import base64

    der = Story(DOCUMENTS).stamp().der()
    text = base64.encodebytes(der)
    element = b'<?xml version="1.0"?><e:evidenceRecord xmlns:e="urn:x"><asn1EvidenceRecord>' + text
    return {
        "base64": text,
        "xml": element + b"</asn1EvidenceRecord></e:evidenceRecord>",
        **vectors("bsi-ervt", ".xml", ".ers", most=10),
    }


@cache
def world() -> tuple[forge.Identity, forge.Identity, bytes]:
    root = forge.authority()
    return root, forge.time_stamp_unit(root), forge.crl(root)


@cache
def good_token() -> bytes:
    _, unit, crl = world()
    return forge.Recipe(unit, imprint=IMPRINT, nonce=NONCE, crls=(crl,)).token()


def tokens() -> dict[str, bytes]:
    made = specimens().batches[0]
    return {
        "forged": good_token(),
        "ours": made.tokens["sha512"],
        "small": Story(DOCUMENTS).stamp().chains[0][0].token,
        **vectors("tsa-tokens", ".tst", ".tsr", ".der", ".p7s", most=20),
        **vectors("asn1-hostile", "", most=40, largest=16 * 1024),
    }


def answers() -> dict[str, bytes]:
    """Answers of a time-stamp authority to the request over IMPRINT with NONCE."""
    from signing.tsa import build_request

    _, unit, crl = world()
    request = build_request(IMPRINT, nonce=NONCE)
    refusing = FakeTsa(unit, status=2)
    return {
        "granted": FakeTsa(unit)(request),
        "with list": FakeTsa(unit, crls=(crl,))(request),
        "refused": refusing(request),
        "rejection alone": bytes.fromhex("30053003020102"),
        **vectors("tsa-tokens", ".tsr", most=10),
    }


def validation() -> dict[str, bytes]:
    """Certificates, revocation lists and responses, DER and PEM."""
    root, unit, crl = world()
    data = specimens().batches[0].validation
    found = {"root": root.der, "unit": unit.der, "crl": crl, "pem": specimens().workshop.anchor_file.read_bytes()}
    for kind in ("certificates", "crls", "ocsps"):
        found |= {f"{kind} {number}": der for number, der in enumerate(getattr(data, kind))}
    return found


# -- documents ----------------------------------------------------------------------------------


def parts(*names: str) -> dict[str, bytes]:
    """These members of the bundles."""
    held = {f"large/{name}": data for name, data in specimens().members.items()}
    held |= {f"small/{name}": data for name, data in members_of(small_bundle()[0]).items()}
    return {name: data for name, data in held.items() if name.partition("/")[2] in names}


def segment() -> tuple[bytes, bytes, bytes]:
    """Header, lines and leaf hashes of a first segment."""
    from archive_core.trail.segments import build_segment

    events = specimens().workshop._events
    _, made = build_segment(1, None, events)
    assert Log(event.leaf_hash for event in events).size == len(events)
    return made.header, made.events, made.leaves


# -- containers ---------------------------------------------------------------------------------


def zips() -> dict[str, bytes]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", b"hello " * 50)
        archive.writestr("a/ž", b"")
        archive.writestr("folder/", b"")
    streamed = io.BytesIO()
    with zipfile.ZipFile(_Unseekable(streamed), "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        archive.writestr("streamed", b"with a data descriptor")
    long = io.BytesIO()
    with zipfile.ZipFile(long, "w") as archive, archive.open("long", "w", force_zip64=True) as entry:
        entry.write(b"with ZIP64 sizes")
    return {
        "ours": small_bundle()[0],
        "deflated": stream.getvalue(),
        "streamed": streamed.getvalue(),
        "zip64": long.getvalue(),
        "empty": b"PK\5\6" + bytes(18),
        **vectors("zip-hostile", ".zip", most=30),
    }


class _Unseekable(io.RawIOBase):
    def __init__(self, stream: io.BytesIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._stream.write(data)


def bundle_members() -> dict[str, bytes]:
    """A member's name, a mark, its content: the bundle is put together again around it."""
    return {name: name.encode() + MEMBER_MARK + data for name, data in members_of(small_bundle()[0]).items()}
