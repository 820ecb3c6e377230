"""The bundle: everything that proves one version of a preservation object, in one ZIP file.

    README.txt                        what this is and how to check it by hand (English, Czech)
    bundle.json                       the manifest: what is inside, with sizes and SHA-512
    description.json, metadata.json, data/…, chunks/…, prefix/…
    evidence/<line>.ers               the version's evidence records (RFC 4998)
    receipt.json, statement.json, statement.json.p7s
    seal-evidence/<line>.ers          the records of the group of statement and seal
    validation/<sha256>.{cer,crl,ocsp}
    trail/events.jsonl, trail/proof.json
    earlier/v<N>/description.json, earlier/v<N>/evidence/<line>.ers

Rules kept here
 * This module is the only one that knows the layout; writer and verifier both take it from here.
 * The manifest names every other member. It is under no seal: it finds accidents and keeps foreign
   members out, and everything that matters it repeats from something that is under evidence.
 * Certificates in `validation/` help to build paths; they are never trusted.
 * `earlier` holds the versions that already held one of the files of this one; a version between
   them has its description alone, so that the chain of predecessors has no gap.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Self

from archive_core import canonical, reading
from archive_core.bundle_readme import readme
from archive_core.description import Description, parse_poid_member
from archive_core.errors import MalformedDocumentError
from archive_core.ports import ValidationData
from archive_core.receipts import Statement, verify_line_name
from archive_core.trail.proofs import TrailProof
from archive_core.zip_writing import Source, WrittenEntry, ZipWriter

FORMAT = "trusted-archive/bundle/1"

README, MANIFEST, DESCRIPTION, METADATA = "README.txt", "bundle.json", "description.json", "metadata.json"
RECEIPT, STATEMENT, SEAL = "receipt.json", "statement.json", "statement.json.p7s"
EVIDENCE, SEAL_EVIDENCE, VALIDATION, EARLIER = "evidence/", "seal-evidence/", "validation/", "earlier/"
TRAIL_EVENTS, TRAIL_PROOF = "trail/events.jsonl", "trail/proof.json"
CONTENT = ("data/", "chunks/", "prefix/", "examination/")

MAX_MANIFEST_BYTES = 128 * 1024 * 1024
MAX_MEMBERS = 250_000

_VALIDATION_NAME = re.compile(r"validation/[0-9a-f]{64}\.(cer|crl|ocsp)")
_EARLIER_NAME = re.compile(r"earlier/v([1-9][0-9]{0,8})/(description\.json|evidence/([a-z0-9-]{1,32})\.ers)")
_SUFFIXES = (("cer", "certificates"), ("crl", "crls"), ("ocsp", "ocsps"))


def evidence_name(line: str) -> str:
    return f"{EVIDENCE}{line}.ers"


def seal_evidence_name(line: str) -> str:
    return f"{SEAL_EVIDENCE}{line}.ers"


def earlier_description_name(version: int) -> str:
    return f"{EARLIER}v{version}/{DESCRIPTION}"


def earlier_evidence_name(version: int, line: str) -> str:
    return f"{EARLIER}v{version}/{EVIDENCE}{line}.ers"


def is_validation_name(name: str) -> bool:
    return _VALIDATION_NAME.fullmatch(name) is not None


def parse_earlier_name(name: str) -> tuple[int, str | None] | None:
    """Version and line of a member below `earlier/` (no line: the description), or None."""
    found = _EARLIER_NAME.fullmatch(name)
    return (int(found[1]), found[3]) if found else None


def validation_members(data: ValidationData) -> dict[str, bytes]:
    """Members below `validation/`, named by their SHA-256."""
    return {
        f"{VALIDATION}{hashlib.sha256(der).hexdigest()}.{suffix}": der
        for suffix, kind in _SUFFIXES
        for der in getattr(data, kind)
    }


@dataclass(frozen=True, slots=True)
class ManifestFile:
    size: int
    sha512: str


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """bundle.json: which version this is about, its batch, its evidence lines (name to digest) and
    every other member by name."""

    poid: str
    version: int
    batch: int
    test_trust: bool
    lines: Mapping[str, str]
    files: Mapping[str, ManifestFile]

    def to_bytes(self) -> bytes:
        return canonical.write(
            {
                "format": FORMAT,
                "poid": self.poid,
                "version": self.version,
                "batch": self.batch,
                "test_trust": self.test_trust,
                "lines": dict(self.lines),
                "files": [
                    {"path": name, "size": file.size, "sha512": file.sha512}
                    for name, file in sorted(self.files.items())
                ],
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises `MalformedDocumentError`."""
        value = reading.members(
            canonical.read_canonical(data, max_bytes=MAX_MANIFEST_BYTES), _MEMBERS, "the bundle's manifest"
        )
        reading.formatted(value["format"], FORMAT)
        lines = value["lines"]
        if not isinstance(lines, dict) or not lines:
            raise MalformedDocumentError("the bundle's manifest names no evidence line")
        return cls(
            poid=parse_poid_member(value["poid"]),
            version=reading.integer(value["version"], "version", least=1),
            batch=reading.integer(value["batch"], "batch", least=1),
            test_trust=reading.flag(value["test_trust"], "test_trust"),
            lines={verify_line_name(line): reading.digest_name(name, "line") for line, name in lines.items()},
            files=_files(value["files"]),
        )


_MEMBERS = ("format", "poid", "version", "batch", "test_trust", "lines", "files")


def _files(value: Any) -> dict[str, ManifestFile]:
    files: dict[str, ManifestFile] = {}
    for item in reading.items(value, "files", least=1, most=MAX_MEMBERS):
        item = reading.members(item, ("path", "size", "sha512"), "a file of the manifest")
        path = reading.text(item["path"], "path", most=2048)
        if path in files or path == MANIFEST:
            raise MalformedDocumentError(f"the manifest names {path[:80]!a} wrongly or twice")
        sha512 = reading.digest(item["sha512"], "sha512", "sha512").hex()
        files[path] = ManifestFile(reading.integer(item["size"], "size"), sha512)
    if list(files) != sorted(files):
        raise MalformedDocumentError("the manifest is not sorted")
    return files


# -- writing ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EarlierVersion:
    """A version that already held one of the files: its description and its records by line."""

    description: bytes
    evidence: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class BundleContent:
    """What goes into a bundle.

    `content` maps the logical paths that the description lists (`data/…`, `metadata.json`, …) to
    where their bytes come from; `evidence` and `seal_evidence` map line names to DER records;
    `validation` is all chain and revocation data for tokens and seal; `events` are the lines of the
    object's events that the statement's trail head covers, in the order of `proof`.
    """

    description: bytes
    content: Mapping[str, Source]
    evidence: Mapping[str, bytes]
    receipt: bytes
    statement: bytes
    seal: bytes
    seal_evidence: Mapping[str, bytes]
    validation: ValidationData
    events: Sequence[bytes]
    proof: TrailProof
    earlier: Mapping[int, EarlierVersion] = field(default_factory=dict)


def write_bundle(stream: BinaryIO, content: BundleContent) -> None:
    """Write the ZIP file to a stream that need not be seekable; same content, same bytes.

    Raises ValueError when the parts do not belong together by name (files not as described, lines
    not as stated), and what the content's sources raise.
    """
    description = Description.parse(content.description)
    statement = Statement.parse(content.statement)
    lines = {line: root.digest for line, root in statement.roots.items()}
    if set(content.content) != {file.path for file in description.files}:
        raise ValueError("the files given are not the files described")
    if set(content.evidence) != set(lines) or set(content.seal_evidence) != set(lines):
        raise ValueError("the records given are not those of the statement's lines")
    if len(content.events) != len(content.proof.entries):
        raise ValueError("the trail proof is about another number of events")
    writer = ZipWriter(stream)
    first = readme(description, content.description, statement, content.evidence, content.validation)
    writer.add(README, first)
    for name, source in _members(content):
        writer.add(name, source)
    manifest = BundleManifest(
        poid=description.poid,
        version=description.version,
        batch=statement.batch,
        test_trust=statement.test_trust,
        lines=lines,
        files={entry.name: _manifest_file(entry) for entry in writer.entries},
    )
    writer.add(MANIFEST, manifest.to_bytes())
    writer.finish()


def _manifest_file(entry: WrittenEntry) -> ManifestFile:
    return ManifestFile(entry.size, entry.sha512)


def _members(content: BundleContent) -> list[tuple[str, Source]]:
    """Every member but README and manifest, in the order in which they are written."""
    members: list[tuple[str, Source]] = [
        (DESCRIPTION, content.description),
        (RECEIPT, content.receipt),
        (STATEMENT, content.statement),
        (SEAL, content.seal),
    ]
    members += [(evidence_name(line), record) for line, record in sorted(content.evidence.items())]
    members += [(seal_evidence_name(line), record) for line, record in sorted(content.seal_evidence.items())]
    members += sorted(validation_members(content.validation).items())
    members += [(TRAIL_EVENTS, b"".join(content.events)), (TRAIL_PROOF, content.proof.to_bytes())]
    for version, earlier in sorted(content.earlier.items()):
        members.append((earlier_description_name(version), earlier.description))
        members += [(earlier_evidence_name(version, line), record) for line, record in sorted(earlier.evidence.items())]
    members += sorted(content.content.items(), key=lambda item: item[0])
    return members
