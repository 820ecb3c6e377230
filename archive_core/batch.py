"""The batch object: what one evidence batch keeps in every store, written and read.

    members.txt                      line i: "<poid> <version>", the object under leaf i
    statement.json, statement.json.p7s
    lines/<line>/line.json           digest, TSA, trust class
    lines/<line>/tree.bin            all levels of the tree over the objects, leaf level first
    lines/<line>/token.tst           from the version on in which the line was stamped
    lines/<line>/validation/…        chain and revocation data of the token
    seal-validation/…                the same for the seal

Rules kept here
 * Members, tree, statement and seal are version 1, durable before any TSA is asked.
 * The stamped root is H(sorted(objects' root, leaf of {statement, seal})): statement and seal are the
   last sibling of every object's path, so the last but one value on it is the sealed root.
 * No names and no member digests stand here; the path of one document tells nothing of the others.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from archive_core import canonical, reading
from archive_core.digests import Digest, hash_bytes
from archive_core.errors import MalformedDocumentError
from archive_core.evidence.hash_tree import HashTree, combine, group_leaf
from archive_core.identifiers import BATCH, system_object
from archive_core.ocfl.inventory import Inventory
from archive_core.ocfl.package import ArchivalPackage, PackageFile
from archive_core.ports import TimestampToken, ValidationData
from archive_core.receipts import Statement

MEMBERS, STATEMENT, SEAL = "members.txt", "statement.json", "statement.json.p7s"

_USER, _USER_ADDRESS = "trusted-archive", "urn:trusted-archive:software"


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One evidence line of a batch: its name, digest, TSA and the trust class that is asked for."""

    line: str
    digest: str
    tsa: str
    trust_class: str

    def to_bytes(self) -> bytes:
        return canonical.write(
            {"line": self.line, "digest": self.digest, "tsa": self.tsa, "trust_class": self.trust_class}
        )

    @classmethod
    def parse(cls, data: bytes) -> BatchLine:
        """Raises `MalformedDocumentError`."""
        names = ("line", "digest", "tsa", "trust_class")
        value = reading.members(canonical.read_canonical(data), names, "the line")
        return cls(*(reading.text(value[name], name) for name in names))


@dataclass(frozen=True, slots=True)
class FormedBatch:
    """A batch with its statement sealed; not yet stamped."""

    number: int
    members: tuple[tuple[str, int], ...]
    lines: tuple[BatchLine, ...]
    trees: Mapping[str, HashTree]
    statement_bytes: bytes
    statement: Statement
    seal: bytes
    seal_data: ValidationData

    @property
    def object_id(self) -> str:
        return system_object(BATCH, self.number)

    def seal_group(self, digest: str) -> tuple[bytes, bytes]:
        """The data group of statement and seal, sorted."""
        return _seal_group(digest, self.statement_bytes, self.seal)

    def seal_leaf(self, digest: str) -> bytes:
        return _seal_leaf(digest, self.statement_bytes, self.seal)

    def stamped_root(self, line: BatchLine) -> Digest:
        """The one value that the line's time-stamp is over."""
        root = self.trees[line.line].root
        return Digest(line.digest, combine(line.digest, (root, self.seal_leaf(line.digest))))


@lru_cache(maxsize=16)
def _seal_group(digest: str, statement: bytes, seal: bytes) -> tuple[bytes, bytes]:
    """Asked for with every object of a batch, and the same for all."""
    first, second = sorted((hash_bytes(digest, statement), hash_bytes(digest, seal)))
    return first, second


@lru_cache(maxsize=16)
def _seal_leaf(digest: str, statement: bytes, seal: bytes) -> bytes:
    return group_leaf(digest, _seal_group(digest, statement, seal))


def members_text(members: Sequence[tuple[str, int]]) -> bytes:
    return "".join(f"{poid} {version}\n" for poid, version in members).encode("ascii")


def parse_members(data: bytes) -> tuple[tuple[str, int], ...]:
    """The inverse of `members_text`; raises `MalformedDocumentError`."""
    if not data:
        raise MalformedDocumentError("the batch has no members")
    if not _MEMBERS.fullmatch(data):
        lines = data.split(b"\n")
        bad = next((number for number, line in enumerate(lines) if not _MEMBERS.fullmatch(line + b"\n")), len(lines))
        raise MalformedDocumentError(f"member {bad} of the batch is not a POID and a version, as they are written")
    words = data.decode("ascii").split()
    return tuple(zip(words[::2], map(int, words[1::2]), strict=True))


_MEMBERS = re.compile(rb"(?:[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15} [1-9][0-9]{0,18}\n)++")
"""One expression over all lines: a batch of a million is read in a second. The POID is that of `is_poid`."""


def tree_path(line: str) -> str:
    return f"lines/{line}/tree.bin"


def line_path(line: str) -> str:
    return f"lines/{line}/line.json"


def token_path(line: str) -> str:
    return f"lines/{line}/token.tst"


def line_validation(line: str) -> str:
    return f"lines/{line}/validation/"


SEAL_VALIDATION = "seal-validation/"


def formed_package(batch: FormedBatch, at: datetime) -> ArchivalPackage:
    """Version 1 of the batch object: everything but the tokens."""
    files: dict[str, bytes] = {
        MEMBERS: members_text(batch.members),
        STATEMENT: batch.statement_bytes,
        SEAL: batch.seal,
        **validation_files(SEAL_VALIDATION, batch.seal_data),
    }
    for line in batch.lines:
        files[line_path(line.line)] = line.to_bytes()
        files[tree_path(line.line)] = batch.trees[line.line].to_bytes()
    return system_package(batch.object_id, 1, files, None, message="Sealed, before stamping", at=at)


def stamped_package(
    previous: Inventory, stamps: Mapping[str, bytes], *, at: datetime, message: str = "Time-stamped"
) -> ArchivalPackage:
    """The next version of the batch object: all it held, and the `stamped_files` of what was obtained."""
    held = previous.state(previous.head_number)
    files = {path: PackageFile.unchanged(digest) for path, digest in held.items()}
    files.update((path, PackageFile.of(content)) for path, content in stamps.items())
    return ArchivalPackage(
        object_id=previous.object_id,
        version=previous.head_number + 1,
        created=at,
        message=message,
        user_name=_USER,
        user_address=_USER_ADDRESS,
        files=files,
        previous=previous,
    )


def qualified_path(line: str) -> str:
    """What trusted lists said of a line's token, where the profile demands a qualified one."""
    return f"lines/{line}/qualified.json"


def stamped_files(stamps: Mapping[str, tuple[TimestampToken, ValidationData]]) -> dict[str, bytes]:
    """Tokens and their validation data, by line, as files."""
    files = {}
    for line, (token, data) in stamps.items():
        files[token_path(line)] = token.der
        files.update(validation_files(line_validation(line), data))
    return files


def system_package(
    object_id: str, version: int, files: Mapping[str, bytes], previous: Inventory | None, *, message: str, at: datetime
) -> ArchivalPackage:
    """A version of a system object whose files are given as bytes."""
    return ArchivalPackage(
        object_id=object_id,
        version=version,
        created=at,
        message=message,
        user_name=_USER,
        user_address=_USER_ADDRESS,
        files={path: PackageFile.of(content) for path, content in files.items()},
        previous=previous,
    )


def validation_files(folder: str, data: ValidationData) -> dict[str, bytes]:
    """Certificates, CRLs and OCSP responses as files named by their sha256."""
    return {
        f"{folder}{hashlib.sha256(item).hexdigest()}.{suffix}": item
        for suffix, items in (("cer", data.certificates), ("crl", data.crls), ("ocsp", data.ocsps))
        for item in items
    }


def validation_data(folder: str, files: Mapping[str, bytes]) -> ValidationData:
    """The inverse of `validation_files`, from all files of an object."""
    found: dict[str, list[bytes]] = {"cer": [], "crl": [], "ocsp": []}
    for path in sorted(files):
        if path.startswith(folder):
            found[path.rpartition(".")[2]].append(files[path])
    return ValidationData(tuple(found["cer"]), tuple(found["crl"]), tuple(found["ocsp"]))
