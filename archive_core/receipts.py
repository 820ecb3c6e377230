"""The batch's statement and the receipt that is drawn from it.

Rules kept here
 * The statement is what the archive seals: which batch this is, what went before, how many objects
   it holds under which root, where the trail stood, by which rules. It names no document.
 * A receipt is self-contained: description, path from the description's data group to the sealed
   root, statement, seal. Whoever holds it needs nothing else from us but certificates.
 * Both are canonical JSON; the bytes that are sealed or described travel inside as base64 of
   themselves, never re-written.
 * A receipt exists only for what is evidenced; *received* and *replicated* have no receipt.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from archive_core import canonical, reading
from archive_core.description import MAX_BYTES as MAX_DESCRIPTION_BYTES
from archive_core.description import MAX_FILES, parse_poid_member
from archive_core.digests import digest_size
from archive_core.errors import EvidenceBrokenError, MalformedDocumentError
from archive_core.evidence.hash_tree import reduced_root
from archive_core.findings import utc_text
from archive_core.trail.merkle import HASH_SIZE

STATEMENT_FORMAT = "trusted-archive/statement/1"
RECEIPT_FORMAT = "trusted-archive/receipt/1"
EVIDENCED = "evidenced"

MAX_STATEMENT_BYTES = 64 * 1024
MAX_SEAL_BYTES = 1024 * 1024
MAX_RECEIPT_BYTES = 160 * 1024 * 1024
MAX_LINES = 8
MAX_HEIGHT = 64
"""Levels of a batch's tree that a path may have: 2^64 objects."""


@dataclass(frozen=True, slots=True)
class Root:
    """The root over a batch's object groups in one evidence line; `value` is the digest's bytes."""

    digest: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Named:
    """A published document (profile, algorithm table) by identifier and sha512 (hex)."""

    id: str
    sha512: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What a batch's seal is over.

    `previous` is the number and the statement's sha512 (hex) of the batch before, `roots` maps
    evidence lines to roots over the object groups, `trail_size`/`trail_head` say how far the trail
    reached (RFC 9162 head, SHA-512), `time` is the archive's claimed time.
    """

    batch: int
    previous: tuple[int, str] | None
    leaf_count: int
    roots: Mapping[str, Root]
    trail_size: int
    trail_head: bytes
    profile: Named
    algorithms: Named
    derivation_version: int
    time: datetime
    test_trust: bool

    def to_json(self) -> dict[str, Any]:
        before = self.previous
        return {
            "format": STATEMENT_FORMAT,
            "batch": self.batch,
            "previous": None if before is None else {"batch": before[0], "sha512": before[1]},
            "leaf_count": self.leaf_count,
            "roots": {line: {"digest": r.digest, "root": r.value.hex()} for line, r in self.roots.items()},
            "trail": {"size": self.trail_size, "head": self.trail_head.hex()},
            "profile": {"id": self.profile.id, "sha512": self.profile.sha512},
            "algorithms": {"id": self.algorithms.id, "sha512": self.algorithms.sha512},
            "derivation_version": self.derivation_version,
            "time": utc_text(self.time),
            "test_trust": self.test_trust,
        }

    def to_bytes(self) -> bytes:
        return canonical.write(self.to_json())

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The statement that canonical bytes stand for; raises `MalformedDocumentError`."""
        value = reading.members(
            canonical.read_canonical(data, max_bytes=MAX_STATEMENT_BYTES), _STATEMENT_MEMBERS, "the statement"
        )
        reading.formatted(value["format"], STATEMENT_FORMAT)
        batch = reading.integer(value["batch"], "batch", least=1)
        trail = reading.members(value["trail"], ("size", "head"), "trail")
        return cls(
            batch=batch,
            previous=_previous(value["previous"], batch),
            leaf_count=reading.integer(value["leaf_count"], "leaf_count", least=1),
            roots=_roots(value["roots"]),
            trail_size=reading.integer(trail["size"], "trail size"),
            trail_head=reading.hex_bytes(trail["head"], "trail head", HASH_SIZE),
            profile=_named(value["profile"], "profile"),
            algorithms=_named(value["algorithms"], "algorithms"),
            derivation_version=reading.integer(value["derivation_version"], "derivation_version", least=1),
            time=reading.instant(value["time"], "time"),
            test_trust=reading.flag(value["test_trust"], "test_trust"),
        )


@dataclass(frozen=True, slots=True)
class ReceiptPath:
    """The way from a data group to the root over the batch's objects in one line: the group's
    digests, sorted, then the siblings bottom-up (RFC 4998 4.2); `digest` names the algorithm."""

    digest: str
    leaf_members: tuple[bytes, ...]
    siblings: tuple[bytes, ...]

    def root(self) -> bytes:
        """The root over the batch's objects that this path leads to."""
        return reduced_root(self.digest, [self.leaf_members, *((sibling,) for sibling in self.siblings)])

    def to_json(self) -> dict[str, Any]:
        return {
            "digest": self.digest,
            "leaf_members": [member.hex() for member in self.leaf_members],
            "siblings": [sibling.hex() for sibling in self.siblings],
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a depositor keeps: proof that the sealed statement covers the description.

    `description`, `statement` and `seal` are the very bytes; `path` maps evidence lines to paths;
    `proof_of_existence` is the genTime of the batch's earliest token.
    """

    poid: str
    version: int
    description: bytes
    statement: bytes
    seal: bytes
    path: Mapping[str, ReceiptPath]
    test_trust: bool
    proof_of_existence: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            "format": RECEIPT_FORMAT,
            "poid": self.poid,
            "version": self.version,
            "description": base64.b64encode(self.description).decode("ascii"),
            "statement": base64.b64encode(self.statement).decode("ascii"),
            "seal": base64.b64encode(self.seal).decode("ascii"),
            "path": {line: path.to_json() for line, path in self.path.items()},
            "test_trust": self.test_trust,
            "status": EVIDENCED,
            "proof_of_existence": utc_text(self.proof_of_existence),
        }

    def to_bytes(self) -> bytes:
        return canonical.write(self.to_json())

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The receipt that canonical bytes stand for; raises `MalformedDocumentError`."""
        value = reading.members(
            canonical.read_canonical(data, max_bytes=MAX_RECEIPT_BYTES), _RECEIPT_MEMBERS, "the receipt"
        )
        reading.formatted(value["format"], RECEIPT_FORMAT)
        reading.one_of(value["status"], (EVIDENCED,), "status")
        return cls(
            poid=parse_poid_member(value["poid"]),
            version=reading.integer(value["version"], "version", least=1),
            description=reading.base64_bytes(value["description"], "description", most=MAX_DESCRIPTION_BYTES),
            statement=reading.base64_bytes(value["statement"], "statement", most=MAX_STATEMENT_BYTES),
            seal=reading.base64_bytes(value["seal"], "seal", most=MAX_SEAL_BYTES),
            path=_paths(value["path"]),
            test_trust=reading.flag(value["test_trust"], "test_trust"),
            proof_of_existence=reading.instant(value["proof_of_existence"], "proof_of_existence"),
        )

    def verify_paths(self, statement: Statement, group: Mapping[str, Sequence[bytes]]) -> None:
        """Raises `EvidenceBrokenError` unless in every line of the statement the path starts with
        exactly the data group given for that line (sorted digests) and ends on the sealed root."""
        if set(self.path) != set(statement.roots):
            raise EvidenceBrokenError("the receipt has other evidence lines than the statement")
        for line, root in statement.roots.items():
            path = self.path[line]
            if path.digest != root.digest:
                raise EvidenceBrokenError(f"line {line}: the receipt and the statement use different digests")
            if tuple(path.leaf_members) != tuple(group[line]):
                raise EvidenceBrokenError(f"line {line}: the receipt's path does not start at this data group")
            if path.root() != root.value:
                raise EvidenceBrokenError(f"line {line}: the receipt's path does not lead to the sealed root")


_STATEMENT_MEMBERS = (
    "format",
    "batch",
    "previous",
    "leaf_count",
    "roots",
    "trail",
    "profile",
    "algorithms",
    "derivation_version",
    "time",
    "test_trust",
)
_RECEIPT_MEMBERS = (
    "format",
    "poid",
    "version",
    "description",
    "statement",
    "seal",
    "path",
    "test_trust",
    "status",
    "proof_of_existence",
)


def _previous(value: Any, batch: int) -> tuple[int, str] | None:
    if value is None:
        if batch != 1:
            raise MalformedDocumentError(f"batch {batch} names no previous batch")
        return None
    value = reading.members(value, ("batch", "sha512"), "previous")
    number = reading.integer(value["batch"], "previous batch", least=1)
    if number >= batch:
        raise MalformedDocumentError(f"batch {batch} names batch {number} as the one before")
    return number, reading.digest(value["sha512"], "sha512", "previous sha512").hex()


def _lines(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_LINES:
        raise MalformedDocumentError(f"{what} does not hold 1 to {MAX_LINES} evidence lines")
    for line in value:
        verify_line_name(line)
    return value


def verify_line_name(line: str) -> str:
    """The name of an evidence line, which is also part of file names: 1 to 32 lower-case letters,
    digits and hyphens. Raises `MalformedDocumentError`."""
    if not 1 <= len(line) <= 32 or not all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in line):
        raise MalformedDocumentError(f"not the name of an evidence line: {ascii(line)[:40]}")
    return line


def _roots(value: Any) -> dict[str, Root]:
    roots = {}
    for line, root in _lines(value, "roots").items():
        root = reading.members(root, ("digest", "root"), f"root {line}")
        algorithm = reading.digest_name(root["digest"], f"root {line} digest")
        roots[line] = Root(algorithm, reading.digest(root["root"], algorithm, f"root {line}"))
    return roots


def _paths(value: Any) -> dict[str, ReceiptPath]:
    return {line: _path(path, line) for line, path in _lines(value, "path").items()}


def _path(value: Any, line: str) -> ReceiptPath:
    value = reading.members(value, ("digest", "leaf_members", "siblings"), f"path {line}")
    algorithm = reading.digest_name(value["digest"], f"path {line} digest")
    leaf_members = _digests(value["leaf_members"], algorithm, f"path {line} leaf_members", MAX_FILES + 1)
    if not leaf_members or list(leaf_members) != sorted(set(leaf_members)):
        raise MalformedDocumentError(f"path {line}: leaf_members are not a sorted set")
    return ReceiptPath(
        algorithm, leaf_members, _digests(value["siblings"], algorithm, f"path {line} siblings", MAX_HEIGHT)
    )


def _digests(value: Any, algorithm: str, what: str, most: int) -> tuple[bytes, ...]:
    size = digest_size(algorithm)
    return tuple(reading.hex_bytes(item, what, size) for item in reading.items(value, what, most=most))


def _named(value: Any, what: str) -> Named:
    value = reading.members(value, ("id", "sha512"), what)
    return Named(
        reading.text(value["id"], f"{what} id", most=255),
        reading.digest(value["sha512"], "sha512", f"{what} sha512").hex(),
    )
