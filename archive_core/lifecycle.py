"""The frozen values a document becomes, in order; each is named by what is now true.

    SubmissionObject -> AcceptedSubmission -> PreparedSubmission -> ArchivalPackage (durable on every
    required store) -> PreservationObject

Rules kept here
 * A value is made only from the one before it, by the one module that may (`admission`, `packaging`,
   `committing`), so the order cannot be got wrong.
 * *received*, *replicated* and *evidenced* are three different words; none claims the next.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from archive_core.description import EXAMINATION, Description, Examined
from archive_core.digests import Digest
from archive_core.findings import utc_text
from policies.profiles import PreservationProfile


class Status(enum.StrEnum):
    """How far a version has come."""

    REPLICATED = "replicated"
    """Durable on every required store and in the catalogue; nothing is proven to others yet."""
    QUARANTINED = "quarantined"
    """Durable, and set aside because of its signatures: an operator releases or rejects it. Evidence goes on."""
    EVIDENCED = "evidenced"
    """Under a sealed and time-stamped statement; an evidence record can be derived."""
    DESTROYED = "destroyed"
    """Gone on purpose: a tombstone says when and why."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `actor_id` is opaque (a key id, `cli`, `scheduler`); `detail` is personal detail
    that goes to the erasable sidecar of the trail and nowhere else.

    `originator` bounds what the actor may see; None means every organisation's holdings.
    """

    actor_id: str
    role: str
    originator: str | None = None
    detail: Mapping[str, str] = field(default_factory=dict)
    scopes: frozenset[str] | None = None
    """What the role is narrowed to; None is not narrowed."""
    rate_per_minute: int | None = None
    """How many requests of this actor are answered in a minute; None is no limit of its own."""


@dataclass(frozen=True, slots=True)
class SubmittedFile:
    """One file of a submission. `path` is the depositor's relative path with `/`; `source` a staged
    or local file that stays the caller's, or the bytes of a small one; `claimed` maps digest names to
    lower-case hex; `digests` may carry digests already computed by whoever took the bytes in."""

    path: str
    source: Path | bytes
    claimed: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, Digest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubmissionObject:
    """What came in, with its claims; nothing is checked yet.

    `metadata` is JSON text as bytes, kept verbatim; `key` an idempotency key of at most 255 bytes
    of UTF-8; `profile` None means the archive's default profile. `once` without a key stands for a key
    that follows from what is submitted: the same names, content, metadata and profile of one originator
    are one object, however often they come.
    """

    files: tuple[SubmittedFile, ...]
    originator: str
    metadata: bytes | None = None
    profile: str | None = None
    key: str | None = None
    once: bool = False


@dataclass(frozen=True, slots=True)
class AcceptedFile:
    """A file that passed admission: measured once, its claimed digests confirmed."""

    logical_path: str
    role: str
    source: Path | bytes
    size: int
    digests: Mapping[str, Digest]


@dataclass(frozen=True, slots=True)
class AcceptedSubmission:
    """Checked against its profile and measured; nothing is stored yet.

    `request_digest` (sha512, hex) identifies what was asked for: same key and same digest is a
    retry, same key and another digest a conflict.
    """

    profile: PreservationProfile
    originator: str
    key: str | None
    files: tuple[AcceptedFile, ...]
    request_digest: str
    examined: Examined | None = None

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def found(self) -> tuple[AcceptedFile, ...]:
        """The files that an examination added, with their bytes: they are kept with the claim, because no other
        examination would find the same octets. Those that an earlier version holds are not among them."""
        if self.examined is None:
            return ()
        mine = (file for file in self.files if file.logical_path.startswith(EXAMINATION))
        return tuple(file for file in mine if isinstance(file.source, bytes) and len(file.source) == file.size)


@dataclass(frozen=True, slots=True)
class PreparedSubmission:
    """Accepted and described, by whom and when; nothing is claimed or stored yet. `description_bytes` are
    those of `description`."""

    accepted: AcceptedSubmission
    description: Description
    description_bytes: bytes
    actor: Actor
    at: datetime


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The unsealed answer to a deposit or update: true when given, proving nothing by itself."""

    poid: str
    version: int
    status: Status
    originator: str
    profile: str
    received: datetime
    size: int
    file_count: int
    description_sha512: str
    stores: tuple[str, ...]
    replayed: bool = False
    """True when an earlier identical request with the same key had already done it."""

    def to_json(self) -> dict[str, object]:
        return {
            "poid": self.poid,
            "version": self.version,
            "status": str(self.status),
            "originator": self.originator,
            "profile": self.profile,
            "received": utc_text(self.received),
            "size": self.size,
            "file_count": self.file_count,
            "description_sha512": self.description_sha512,
            "stores": list(self.stores),
            "replayed": self.replayed,
        }


@dataclass(frozen=True, slots=True)
class FileView:
    """A file of a version as people and machines are shown it; `path` without the `data/` prefix
    for documents."""

    path: str
    logical_path: str
    role: str
    size: int
    sha512: str

    def to_json(self) -> dict[str, object]:
        return {
            "path": self.path,
            "logical_path": self.logical_path,
            "role": self.role,
            "size": self.size,
            "sha512": self.sha512,
        }


@dataclass(frozen=True, slots=True)
class DestroyedView:
    """When an object was destroyed (by a time-stamp's genTime), why, who gave the time-stamp, and the stores that may
    still hold something of it."""

    decided: datetime
    reason: str
    tsa: str
    owed: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        return {"decided": utc_text(self.decided), "reason": self.reason, "tsa": self.tsa, "owed": list(self.owed)}


@dataclass(frozen=True, slots=True)
class HoldView:
    """A legal hold that an object is under: its id, its name if it has one, since when. Why, and by whom it was placed,
    is not for everybody who may see the object."""

    hold: str
    name: str | None
    since: datetime

    def to_json(self) -> dict[str, object]:
        return {"hold": self.hold, "name": self.name, "since": utc_text(self.since)}


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version as `list` and `show` give it: only facts that rebuild from the stores."""

    poid: str
    version: int
    kind: str
    status: Status
    originator: str
    profile: str
    received: datetime
    key: str | None
    size: int
    file_count: int
    description_sha512: str
    batch: int | None
    proof_of_existence: datetime | None
    test_trust: bool
    files: tuple[FileView, ...] = ()
    versions: tuple[int, ...] = ()
    destroyed: DestroyedView | None = None
    examined: str | None = None
    examine_later: bool = False
    holds: tuple[HoldView, ...] = ()
    """The object's legal holds, where one object is shown; a list of many does not look."""

    def to_json(self) -> dict[str, object]:
        shown: dict[str, object] = {
            "poid": self.poid,
            "version": self.version,
            "kind": self.kind,
            "status": str(self.status),
            "originator": self.originator,
            "profile": self.profile,
            "received": utc_text(self.received),
            "idempotency_key": self.key,
            "size": self.size,
            "file_count": self.file_count,
            "description_sha512": self.description_sha512,
            "batch": self.batch,
            "proof_of_existence": utc_text(self.proof_of_existence) if self.proof_of_existence else None,
            "test_trust": self.test_trust,
        }
        if self.examined is not None:
            shown["examined"] = {"outcome": self.examined, "later": self.examine_later}
        if self.holds:
            shown["holds"] = [hold.to_json() for hold in self.holds]
        if self.destroyed is not None:
            shown["destroyed"] = self.destroyed.to_json()
        if self.files:
            shown["files"] = [view.to_json() for view in self.files]
        if self.versions:
            shown["versions"] = list(self.versions)
        return shown


@dataclass(frozen=True, slots=True)
class BatchView:
    """What `preserve` did to one batch; number 0 stands for one that could not even be formed."""

    number: int
    profile: str
    objects: int
    evidenced_at: datetime | None
    test_trust: bool
    error: str | None = None

    def to_json(self) -> dict[str, object]:
        return {
            "batch": self.number,
            "profile": self.profile,
            "objects": self.objects,
            "evidenced_at": utc_text(self.evidenced_at) if self.evidenced_at else None,
            "test_trust": self.test_trust,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A derived evidence record of one line."""

    line: str
    digest: str
    der: bytes
    test_trust: bool
