"""The values that go into the catalogue and come out of it.

Rules kept here
 * Rows are frozen and made by keyword; every field is a fact that stands in the stores, so that a
   lost catalogue can be rebuilt. The exceptions are said where they stand: `KeyRow`, `JobRow`,
   leases and open claims live in the catalogue only.
 * Digests are lower-case hexadecimal text, instants are aware and in UTC, sizes are bytes.
 * Trail events: `line` is the canonical JSON line without its newline, `leaf_hash` the raw hash of
   that leaf, `seq` the leaf's index in the trail, counted from 0 (RFC 9162 2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """A version of a preservation object that is durable on its stores (commit A).

    `storage_object` and `ocfl_version` say where it lies; `description_digest` is the SHA-512 of
    its description.json; `batch` and `leaf` (from 0) are set once it belongs to an evidence batch.
    `destroyed` is true once its object has a tombstone: then there are no files of it, here or in the stores.
    `examined` is what became of its signatures (`description.EXAMINED`), None where nobody asked; `examine_later` that
    what decides about them appears only later.
    """

    poid: str
    version: int
    kind: str
    originator: str
    profile: str
    received: datetime
    storage_object: str
    ocfl_version: int
    description_digest: str
    idempotency_key: str | None
    request_digest: str
    has_metadata: bool
    size: int
    file_count: int
    batch: int | None = None
    leaf: int | None = None
    destroyed: bool = False
    examined: str | None = None
    examine_later: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterExamination:
    """How often an object was examined again in vain, when it is tried again, and what was in the way."""

    poid: str
    tries: int
    next_try: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TombstoneRow:
    """The destruction of an object. `asked_at` is when it was asked for by this machine's clock. While it is under way
    the rest is None: then no store need hold the tombstone yet. `gen_time` is the time-stamp's, by which it was
    decided; `files` maps the tombstone's files to their sha512 (hex), `document_digest` is that of its document."""

    poid: str
    storage_object: str
    asked_at: datetime
    gen_time: datetime | None = None
    tsa: str | None = None
    document_digest: str | None = None
    files: Mapping[str, str] | None = None
    reason: str | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionDebt:
    """A store that may still hold something of a destroyed object. Follows from stores and tombstones."""

    poid: str
    store: str
    since: datetime
    tries: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyDebt:
    """A storage object that a store lacks, or lacks the newest version of. Follows from comparing the stores."""

    store: str
    storage_object: str
    since: datetime
    tries: int = 0
    error: str | None = None
    noted: int = 1
    """How often it was noted; who pays it forgets it only if that is what it was when the debt was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockDebt:
    """A storage object of which a store is to lock what is new; `noted` as for a copy."""

    store: str
    storage_object: str
    since: datetime
    noted: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedCopies:
    """What one store lacks: how many objects, since when; `error` is what was last in the way, if anything was."""

    store: str
    objects: int
    since: datetime
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A file of a version: `content_digest` is of the plain bytes (what evidence covers),
    `stored_digest` of the bytes as stored (what OCFL covers); both SHA-512."""

    poid: str
    version: int
    path: str
    role: str
    size: int
    content_digest: str
    stored_digest: str
    key_ref: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixRecordRow:
    """An evidence record made by others that a version carries verbatim."""

    poid: str
    version: int
    name: str
    ocfl_path: str
    size: int
    record_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """An evidence batch; `originator` is None when it is shared between originators;
    `evidenced_at` is the genTime of its earliest initial stamp, None until all lines are stamped."""

    number: int
    storage_object: str
    profile: str
    originator: str | None
    formed_at: datetime
    leaf_count: int
    statement_digest: str
    previous_batch: int | None
    derivation_version: int
    trail_size: int
    test_trust: bool
    evidenced_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRow:
    """An evidence line of a batch: its own digest, TSA and trust class."""

    batch: int
    line: str
    digest: str
    tsa: str
    trust_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StampRow:
    """An archive time-stamp over a line of a batch.

    `chain` and `position` count from 0; (0, 0) is the initial stamp. `token_digest` is the SHA-512
    of the complete ContentInfo as the authority gave it. `covers_renewal` names the renewal object that
    holds the token (an initial stamp has none). `trusted_until` is the end of the certificate path used,
    if it has one; `facts` are what else is known of when the token ends (see `renewal/facts.py`).
    """

    batch: int
    line: str
    chain: int
    position: int
    digest: str
    gen_time: datetime
    storage_object: str
    ocfl_path: str
    token_digest: str
    covers_renewal: str | None = None
    trusted_until: datetime | None = None
    facts: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalRow:
    """A renewal: one object on every store, one time-stamp over what it covers.

    `kind` is `timestamp` or `hash-tree`; `covers` counts what it covers, `leaf_count` the leaves of its
    tree; `files` maps its files to their sha512. `gen_time`, `token_digest` and `trusted_until` are set
    once it is stamped; `abandoned` says why it never will be.
    """

    number: int
    storage_object: str
    kind: str
    line: str
    digest: str
    tsa: str
    formed_at: datetime
    covers: int
    leaf_count: int
    document_digest: str
    files: Mapping[str, str]
    gen_time: datetime | None = None
    token_digest: str | None = None
    trusted_until: datetime | None = None
    abandoned: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadRow:
    """The newest stamp of one line of one evidenced batch, with what the batch says of that line.

    `tsa` and `trust_class` are those that the batch was stamped by at first.
    """

    batch: int
    line: str
    chain: int
    position: int
    digest: str
    gen_time: datetime
    storage_object: str
    ocfl_path: str
    token_digest: str
    profile: str
    leaf_count: int
    tsa: str
    trust_class: str
    trusted_until: datetime | None = None
    facts: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An event of the trail. `object_event` numbers the events of one object from 1 and is given
    by the catalogue when it is None; `seq`, `line` and `leaf_hash` are given by the sequencer.
    `actor` is None where the stores alone tell of the event; `subject` names another opaque thing.
    `detail` and `detail_nonce` are the erasable part behind `commitment`."""

    event_id: str
    recorded_at: datetime
    type: str
    outcome: str
    code: str
    actor: str | None = None
    poid: str | None = None
    version: int | None = None
    subject: str | None = None
    object_event: int | None = None
    commitment: str | None = None
    line: bytes | None = None
    seq: int | None = None
    leaf_hash: bytes | None = None
    detail: Mapping[str, Any] | None = None
    detail_nonce: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow:
    """A trail segment: events `first` … `first + count - 1`; `size` and `head` (hexadecimal) are
    the log's after it, `frontier` the hashes of its complete subtrees, largest first."""

    number: int
    first: int
    count: int
    size: int
    head: str
    frontier: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """An API key, known by the hash of its secret. Lives in the catalogue only. `scopes` narrow what its role may do
    (None: not at all), `replaces` is the key that it was made to follow."""

    key_id: str
    key_hash: str
    label: str
    originator: str | None
    role: str
    created: datetime
    revoked_at: datetime | None = None
    last_used: datetime | None = None
    expires: datetime | None = None
    scopes: Sequence[str] | None = None
    replaces: str | None = None
    rate_per_minute: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationRow:
    """An originator as the operator manages it. Follows from the trail's events about it. Quotas count living objects
    and the bytes of all their versions; None is no limit."""

    originator: str
    name: str
    active: bool
    since: datetime
    quota_objects: int | None = None
    quota_bytes: int | None = None
    rate_per_minute: int | None = None

    @property
    def has_quota(self) -> bool:
        return self.quota_objects is not None or self.quota_bytes is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A long-running request and how far it is. Lives in the catalogue only."""

    job_id: str
    kind: str
    state: str
    created: datetime
    progress_done: int = 0
    progress_total: int | None = None
    result: Any = None
    error: str | None = None
    originator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """What is to be claimed: version `version` of `poid` with these description bytes, under an
    idempotency key of the originator or none."""

    originator: str
    key: str | None
    request_digest: str
    poid: str
    version: int
    description: bytes
    at: datetime
    files: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to write one version of an object, taken before any store is written.

    `fresh` is true for the call that took it. `completed` means that the version is in the
    catalogue; `description` is then empty, because nothing needs to be written again. Open claims
    live in the catalogue only: their loss loses a retry's identity, never a stored version.
    """

    poid: str
    version: int
    description: bytes
    request_digest: str
    completed: bool
    fresh: bool
    originator: str | None
    key: str | None
    claimed_at: datetime


class AwaitingGroup(NamedTuple):
    """Versions without a batch that share a profile and an originator."""

    profile: str
    originator: str
    waiting: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCounts:
    """How many living objects and versions there are, the versions by what is true of them; and how many objects
    were destroyed."""

    objects: int
    versions: int
    awaiting: int
    in_batch: int
    evidenced: int
    destroyed: int = 0
