"""What a tombstone says: a sealed and time-stamped document about an object that was destroyed.

Rules kept here
 * It holds what a rebuilt catalogue needs to enter the object's versions and to refuse what was refused before, and
   nothing of their content but, for each evidence line's digest, the values of its data group: from them the record
   can be derived for as long as it is covered. Without them (`--forget-digests`) nothing is left to guess by.
 * The seal is over the document, the time-stamp over the seal.
 * The event of a destruction follows from the document alone, so that a rebuild finds the same one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from archive_core import canonical, reading
from archive_core.admission import CONTENT_DIGEST
from archive_core.batch import validation_files
from archive_core.catalogue.rows import TombstoneRow, VersionRow
from archive_core.description import parse_poid_member
from archive_core.digests import Digest, hash_bytes
from archive_core.errors import MalformedDocumentError
from archive_core.findings import utc_text
from archive_core.identifiers import object_name, storage_object_for, tombstone_object
from archive_core.ports import Seal, ValidationData
from archive_core.trail.events import COMMITMENT, Event, EventType, Outcome

FORMAT = "trusted-archive/tombstone/1"
DOCUMENT, SEAL, TOKEN = "tombstone.json", "tombstone.json.p7s", "token.tst"
TOKEN_DATA, SEAL_DATA = "validation/", "seal-validation/"
MAX_DOCUMENT = 64 * 1024**2
MAX_REASON = 1000
"""Bytes of the reason; it is kept for ever, so it must not name people."""

_MOST = 100_000

_TOP = ("format", "poid", "reason", "actor", "asked", "tsa", "versions")
_VERSION = (
    "version",
    "kind",
    "originator",
    "profile",
    "received",
    "ocfl_version",
    "description_sha512",
    "idempotency_key",
    "request",
    "has_metadata",
    "size",
    "file_count",
    "groups",
)

Groups = Mapping[str, tuple[bytes, ...]]
"""By digest algorithm, the sorted values of a version's data group."""


@dataclass(frozen=True, slots=True)
class DestroyedVersion:
    """A version that is gone: the catalogue's row of it, and its data group where that is kept."""

    row: VersionRow
    groups: Groups

    def to_json(self) -> dict[str, object]:
        row = self.row
        return {
            "version": row.version,
            "kind": row.kind,
            "originator": row.originator,
            "profile": row.profile,
            "received": utc_text(row.received),
            "ocfl_version": row.ocfl_version,
            "description_sha512": row.description_digest,
            "idempotency_key": row.idempotency_key,
            "request": row.request_digest,
            "has_metadata": row.has_metadata,
            "size": row.size,
            "file_count": row.file_count,
            "groups": {name: [value.hex() for value in values] for name, values in self.groups.items()},
        }

    @classmethod
    def of_json(cls, poid: str, value: Any) -> Self:
        """Raises `MalformedDocumentError`."""
        found = reading.members(value, _VERSION, "a version")
        groups = found["groups"]
        if not isinstance(groups, dict):
            raise MalformedDocumentError("groups is not a JSON object")
        row = VersionRow(
            poid=poid,
            version=reading.integer(found["version"], "version", least=1),
            kind=reading.text(found["kind"], "kind"),
            originator=reading.text(found["originator"], "originator"),
            profile=reading.text(found["profile"], "profile"),
            received=reading.instant(found["received"], "received"),
            storage_object=storage_object_for(poid),
            ocfl_version=reading.integer(found["ocfl_version"], "ocfl_version", least=1),
            description_digest=reading.digest(found["description_sha512"], CONTENT_DIGEST, "description_sha512").hex(),
            idempotency_key=reading.optional_text(found["idempotency_key"], "idempotency_key"),
            request_digest=reading.text(found["request"], "request"),
            has_metadata=reading.flag(found["has_metadata"], "has_metadata"),
            size=reading.integer(found["size"], "size"),
            file_count=reading.integer(found["file_count"], "file_count"),
            destroyed=True,
        )
        return cls(row, {reading.digest_name(name, "groups"): _group(name, values) for name, values in groups.items()})


def _group(algorithm: str, values: Any) -> tuple[bytes, ...]:
    listed = [
        reading.digest(value, algorithm, "a value of the group")
        for value in reading.items(values, "a group", least=1, most=2 * _MOST)
    ]
    if listed != sorted(set(listed)):
        raise MalformedDocumentError("the values of a group are not sorted, each once")
    return tuple(listed)


@dataclass(frozen=True, slots=True)
class TombstoneDocument:
    """`asked` is when the destruction was asked for by the clock of the machine; when it was decided is said by the
    time-stamp. `actor` is an opaque id."""

    poid: str
    reason: str
    actor: str
    asked: datetime
    tsa: str
    versions: tuple[DestroyedVersion, ...]

    def to_bytes(self) -> bytes:
        return canonical.write(
            {
                "format": FORMAT,
                "poid": self.poid,
                "reason": self.reason,
                "actor": self.actor,
                "asked": utc_text(self.asked),
                "tsa": self.tsa,
                "versions": [version.to_json() for version in self.versions],
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises `MalformedDocumentError`."""
        value = reading.members(canonical.read_canonical(data, max_bytes=MAX_DOCUMENT), _TOP, "the tombstone")
        reading.formatted(value["format"], FORMAT)
        poid = parse_poid_member(value["poid"])
        listed = reading.items(value["versions"], "versions", least=1, most=_MOST)
        versions = tuple(DestroyedVersion.of_json(poid, one) for one in listed)
        if [one.row.version for one in versions] != list(range(1, len(versions) + 1)):
            raise MalformedDocumentError("the versions of the tombstone are not all, each once and in order")
        return cls(
            poid=poid,
            reason=reading.text(value["reason"], "reason", most=MAX_REASON),
            actor=reading.text(value["actor"], "actor"),
            asked=reading.instant(value["asked"], "asked"),
            tsa=reading.text(value["tsa"], "tsa"),
            versions=versions,
        )

    @property
    def object_id(self) -> str:
        return tombstone_object(self.poid)

    @property
    def rows(self) -> list[VersionRow]:
        return [version.row for version in self.versions]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A tombstone whole: the document with its seal and time-stamp. `files` maps its files to their sha512 (hex)."""

    document: TombstoneDocument
    document_bytes: bytes
    seal: bytes
    seal_data: ValidationData
    token: bytes
    token_data: ValidationData
    gen_time: datetime

    @property
    def stored_files(self) -> dict[str, bytes]:
        """What lies in its object, by logical path."""
        return {
            DOCUMENT: self.document_bytes,
            SEAL: self.seal,
            TOKEN: self.token,
            **validation_files(SEAL_DATA, self.seal_data),
            **validation_files(TOKEN_DATA, self.token_data),
        }

    @property
    def row(self) -> TombstoneRow:
        """The catalogue's row: nothing in it that the stores do not say."""
        files = {path: Digest.of("sha512", data).hex for path, data in self.stored_files.items()}
        return TombstoneRow(
            poid=self.document.poid,
            storage_object=self.document.object_id,
            asked_at=self.document.asked,
            gen_time=self.gen_time,
            tsa=self.document.tsa,
            document_digest=files[DOCUMENT],
            files=files,
            reason=self.document.reason,
            actor=self.document.actor,
        )

    @property
    def event(self) -> Event:
        """The event of the destruction: a pure function of the document."""
        identity = hash_bytes(COMMITMENT, b"trusted-archive/deletion-event/1\x00", self.document_bytes)
        return Event(
            event_id=identity[:16].hex(),
            time=self.document.asked,
            type=EventType.DELETION,
            outcome=Outcome.SUCCESS,
            code="destroyed",
            actor=self.document.actor,
            poid=self.document.poid,
            subject=object_name(self.document.object_id),
            commitment=hash_bytes(COMMITMENT, self.document_bytes),
        )


def stamped_value(seal: Seal | bytes) -> Digest:
    """What the time-stamp is over."""
    return Digest.of("sha512", seal if isinstance(seal, bytes) else seal.der)


def sizes(rows: Sequence[VersionRow]) -> int:
    """Bytes of all versions together."""
    return sum(row.size for row in rows)
