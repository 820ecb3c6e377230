"""What the archive needs from outside, with the promises written down.

Rules kept here
 * A port exists only where the outside is hostile or truly plural: time, bytes, trusted time, seals.
   The catalogue is not a port: it is SQLAlchemy on SQLite and PostgreSQL, both tested.
 * The promise stands on the verb, here, and not on its implementations.
 * All ports are synchronous and raise only errors of `archive_core.errors`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from archive_core.digests import Digest
from archive_core.findings import Finding, SubIndication, Verdict
from policies.examination import ExaminationPolicy


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware, in UTC. Asked once per operation."""
        ...


# -- bytes ------------------------------------------------------------------------------------


class KnownBytes(bytes):
    """Bytes that were hashed by whoever states their digest beside them.

    A store may compare what it reads back with these very bytes, which is as strict as to compare
    digests and much cheaper; of other bytes it computes the digest itself."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be kept under a key.

    `key` is relative to the storage root, with `/`, without `.`/`..`/empty parts. `source` is the
    bytes themselves or the path of a staged file, which stays the caller's. `expected` is the
    digest that the stored bytes must have; for `KnownBytes` it is the digest of just these.
    """

    key: str
    source: bytes | Path
    expected: Digest
    size: int


class EntryKind(enum.StrEnum):
    FILE = "file"
    EMPTY_DIRECTORY = "empty directory"
    OTHER = "other"
    """A link, a device, a socket: nothing that belongs into a storage root (E090)."""


@dataclass(frozen=True, slots=True)
class StoredEntry:
    key: str
    size: int
    kind: EntryKind = EntryKind.FILE


@dataclass(frozen=True, slots=True)
class NewHead:
    """The root inventory that an OCFL object is to get, with its sidecar.

    `expected` is the sha512 of the root inventory that is being replaced, or None when there must
    be none yet.
    """

    object_path: str
    inventory: bytes
    sidecar: bytes
    sidecar_name: str
    expected: Digest | None


@dataclass(frozen=True, slots=True)
class NewObject:
    """An OCFL object of which nothing is there yet: its files, in the order in which they are to show,
    all below `head.object_path`, and the head that makes them count (its `expected` is None)."""

    files: Sequence[NewFile]
    head: NewHead


@dataclass(frozen=True, slots=True)
class PutBack:
    """A file that is to stand where a damaged or missing one stood.

    `before` is the sha512 of what was found under the key, None where there was no file; it is not compared
    when that was `unreadable`.
    """

    file: NewFile
    before: Digest | None
    unreadable: bool = False


class ObjectStore(Protocol):
    """One storage root: bytes under keys that never change, but for object heads and for damage that is mended.

    Errors of every verb: `StoreUnavailableError` when the store does not answer or cannot be
    written, whether or not the bytes arrived (assume both).
    """

    @property
    def name(self) -> str:
        """The name by which settings, findings and reports call this store."""
        ...

    def put_new(self, files: Sequence[NewFile]) -> None:
        """Keep all files; the first is visible before any other and the last after all others (on a file system
        each in the order given).

        When this returns, every file is durable (content, name and directory) and was read back
        equal to its `expected` digest. A key that already holds the same bytes is left alone and
        counts as success; one with other bytes raises `AlreadyExistsError`. On an error some of
        the files may be there.
        """
        ...

    def replace_head(
        self, object_path: str, inventory: bytes, sidecar: bytes, sidecar_name: str, *, expected: Digest | None
    ) -> None:
        """Make `inventory` the root inventory of the OCFL object at `object_path`.

        `expected` is the sha512 of the root inventory that is being replaced, or None when there
        must be none yet; anything else found raises `ConcurrentChangeError`, except that the very
        bytes asked for count as success. Durable and read back when it returns. The inventory
        becomes visible before its sidecar (`inventory.json.sha512`): a reader that meets the new
        inventory beside the old sidecar has met a crash, not damage, when the newest version
        directory holds the same inventory.
        """
        ...

    def replace_heads(self, heads: Sequence[NewHead]) -> None:
        """`replace_head` for many objects, sharing the durable steps; each head stands alone.

        Every `expected` is compared before any head is replaced; on an error some may be replaced.
        """
        ...

    def put_objects(self, objects: Sequence[NewObject]) -> None:
        """Keep new objects, sharing the durable steps: what `put_new` of their files and then
        `replace_heads` of their heads promise, with the same errors.

        A store that can do so shows each object whole or not at all; no store shows a head before
        all files of its object are durable. Where something lies at an object's path already, that
        object goes the way of the two verbs. On an error some of the objects may be there.
        """
        ...

    def put_back(self, files: Sequence[PutBack]) -> None:
        """Put good files in the place of damaged or missing ones: the one verb by which bytes under a key
        change, for repair alone.

        Each file is written aside, durable and read back equal to its `expected` digest before it takes, at
        once, the place of what lies under its key, in the order given. Durable when it returns. What lies
        there must still be what was found (`before`), or be the file itself already, else
        `ConcurrentChangeError` and that file and those after it are not put. A directory or a link in the
        way raises `AlreadyExistsError`: the caller removes it first.
        """
        ...

    def remove(self, keys: Sequence[str]) -> None:
        """Remove files that no root inventory names (crash leftovers), empty directories, and the
        directories which that leaves empty; durable when it returns. A key that is not there counts
        as removed. Where the store can tell, a file that somebody has put under the key meanwhile stays:
        `ConcurrentChangeError`.

        The store cannot know what an inventory names: the caller has looked, under its lease.
        """
        ...

    def purge_object(self, object_path: str) -> None:
        """Destroy the OCFL object at a path: the only verb by which bytes that count go away.

        Every byte below the path, in every version that the store itself may keep, is gone for good when
        this returns, and stays so after a power cut; where nothing lies, that counts as success. What the
        store may not delete yet (an object lock) raises `StoreUnavailableError`; then, as on any other
        error, some of it may be gone. The caller has made sure that a tombstone is in this store."""
        ...

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """The bytes under a key, seekable; `FileNotFoundError` is never raised but
        `UnknownObjectError` when there is none."""
        ...

    def stat(self, key: str) -> StoredEntry | None:
        """What lies under a key, or None."""
        ...

    def list(self, prefix: str = "") -> Iterator[StoredEntry]:
        """Every file, empty directory and odd thing below a directory prefix (`""` or `a/b`), at
        any depth, in code point order of the key's parts; nothing from beside the root."""
        ...

    def children(self, prefix: str = "") -> Sequence[str]:
        """The names directly below a directory prefix, sorted; directories end in `/`."""
        ...

    def leftovers(self) -> Sequence[str]:
        """Names of what interrupted writes left in this store's staging area, beside the root."""
        ...

    def clear_leftovers(self) -> Sequence[str]:
        """Remove what `leftovers` names and return it; never touches the root."""
        ...

    def close(self) -> None:
        """Let go of whatever helps to write. A later write gets it again."""
        ...


@runtime_checkable
class ReadsBelow(Protocol):
    """What a store may offer besides: many small files for the price of few."""

    def read_below(self, prefix: str, most: int) -> Iterator[tuple[StoredEntry, bytes | None]]:
        """All that `list` names, each with its bytes when it is a file of at most `most` bytes, else with
        None. Each directory is looked at once, so what changes meanwhile may be missing or be met twice."""
        ...


@runtime_checkable
class Beside(Protocol):
    """What a store may offer besides: room beside its storage root, where probes and canaries lie."""

    def beside(self, what: str) -> ObjectStore:
        """A store of the same kind and name beside the root, never in it; `what` is a short plain name. What
        lies there is neither listed as a leftover nor cleared as one."""
        ...


@runtime_checkable
class Remakes(Protocol):
    """What a store may offer besides: to be made again when it is gone altogether."""

    def remake(self) -> bool:
        """Make the empty place for a storage root that is not there at all; True when that was needed. Raises
        `StoreUnavailableError` when what it belongs to is gone too."""
        ...


@runtime_checkable
class LimitsKeys(Protocol):
    """What a store may have besides: keys that end earlier than those of a file system."""

    @property
    def longest_key(self) -> int:
        """The most bytes (UTF-8) of a key."""
        ...


@dataclass(frozen=True, slots=True)
class LockAttack:
    """One way to get at locked bytes, and whether the store held; `detail` is what it answered."""

    name: str
    held: bool
    detail: str


@dataclass(frozen=True, slots=True)
class LockProbe:
    """What became of a locked canary that was attacked in every way that matters."""

    mode: str
    attacks: tuple[LockAttack, ...]
    holding: tuple[LockAttack, ...] = ()
    """The same of one that was under a legal hold, where the kind of store has these."""

    @property
    def keeps_holds(self) -> bool | None:
        """Whether what is under a legal hold stayed, and went when it was released; None when nobody tried."""
        return all(attack.held for attack in self.holding) if self.holding else None

    @property
    def holds(self) -> bool:
        """Whether every attack was tried and none got through."""
        return bool(self.attacks) and all(attack.held for attack in self.attacks)

    @property
    def broken(self) -> tuple[str, ...]:
        """The attacks that got through."""
        return tuple(attack.name for attack in self.attacks if not attack.held)


@runtime_checkable
class LocksObjects(Protocol):
    """What a store may offer besides: bytes that nobody can change or delete before an instant."""

    @property
    def lock_mode(self) -> str:
        """How strict its locks are, for people."""
        ...

    def lock_object(self, object_path: str, until: datetime) -> int:
        """Lock every byte of the OCFL object at a path at least until an instant; locks are never shortened.
        Returns how many files (and versions of them) that are. Raises `StoreUnavailableError`."""
        ...

    def locked_until(self, object_path: str) -> datetime | None:
        """Until when all of an object is locked; None when anything of it is not."""
        ...

    def probe_locks(self) -> LockProbe:
        """Lock a canary beside the root and try everything to get at it. Raises `StoreUnavailableError` when the
        store did not answer, and `SettingsError` when it cannot lock at all."""
        ...


@runtime_checkable
class HoldsObjects(Protocol):
    """What a store that locks may offer besides: versions that nobody can delete until they are released."""

    def hold_object(self, object_path: str, on: bool) -> int:
        """Hold every version of every file of the OCFL object at a path, or release them; returns how many there are.
        What was held is looked at again. Raises `StoreUnavailableError`."""
        ...

    def is_on_hold(self, object_path: str) -> bool | None:
        """Whether all versions of an object are held; None when only some are."""
        ...


WantedObject = tuple[str, str, tuple[str, ...]]
"""An object's path in the store, its id, and digest algorithms besides sha512."""

ReadObject = tuple[Mapping[str, Mapping[str, str]], int]
"""Digests (hexadecimal) of the files of a plain object by logical path and algorithm, and its bytes of content."""


class ObjectReader(Protocol):
    def read(self, wanted: Sequence[WantedObject]) -> Sequence[ReadObject | None]:
        """What `ocfl.plain.read_plain` gives for each. Raises `UnavailableError`."""
        ...

    def close(self) -> None:
        """Let go of whatever helps to read."""
        ...


@runtime_checkable
class LendsReaders(Protocol):
    """What a store may offer besides: reading that goes on on another core."""

    def lend_reader(self) -> ObjectReader:
        """A reader for whoever asks, who closes it."""
        ...


@runtime_checkable
class IsFar(Protocol):
    """What a store may be: so far away that reading from it is mostly waiting for answers."""

    @property
    def side_by_side(self) -> int:
        """How many objects are best read at the same time."""
        ...


ObjectToCopy = tuple[str, str, str]
"""An object's path in the store that it is read from, its path in the one that it is written to, and its id."""


class ObjectCopier(Protocol):
    def copy(self, wanted: Sequence[ObjectToCopy]) -> Sequence[str | None]:
        """What `ocfl.plain_copy.copy_plain` does and gives. Raises `UnavailableError`; then some may be copied."""
        ...

    def close(self) -> None:
        """Let go of whatever helps to copy; what was asked is finished first."""
        ...


@runtime_checkable
class LendsCopiers(Protocol):
    """What a store may offer besides: to be copied from on another core."""

    def lend_copier(self, target: ObjectStore) -> ObjectCopier | None:
        """A copier into another store for whoever asks, who closes it; None where there is none for that store."""
        ...


# -- trusted time and seals -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ValidationData:
    """Certificates, CRLs and OCSP responses, each DER, that help to validate a token or seal."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class TimestampToken:
    """An RFC 3161 token that echoes its request; not yet validated against trust.

    `der` is the complete ContentInfo as received; it is never re-encoded.
    """

    der: bytes
    imprint: Digest
    gen_time: datetime
    tsa: str
    test_trust: bool


class TimestampAuthority(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def test_trust(self) -> bool:
        """True for a local test authority, whose stamps prove nothing to anybody else."""
        ...

    def timestamp(self, imprint: Digest) -> TimestampToken:
        """A token over `imprint`, every echo checked (RFC 3161 2.4.2: status, nonce, imprint,
        policy, certificate). Raises `TimestampAuthorityUnavailableError` when there is no answer
        and `TimestampRefusedError` when the answer is not what was asked for."""
        ...

    def validation_data(self, token: bytes) -> ValidationData:
        """Chain and revocation data for the token's certificates, as fresh as can be had now."""
        ...


@dataclass(frozen=True, slots=True)
class TokenAssessment:
    """What a validator says of one token.

    `trusted_until`: the earliest end of validity on the certificate path used, if there is one.
    `gen_time` and `imprint` are set whenever the token could be parsed. With a path, `signer_until` is the
    end of the signer's certificate, `authority_until` the earliest end above it (None when the signer is the
    anchor), and `digests` and `signatures` (scheme and key bits, as algorithm tables name them) are all that
    token and path rest on.
    """

    verdict: Verdict
    sub_indication: SubIndication | None
    message: str
    gen_time: datetime | None = None
    imprint: Digest | None = None
    test_trust: bool = False
    trusted_until: datetime | None = None
    signer: str = ""
    findings: tuple[Finding, ...] = field(default=())
    signer_until: datetime | None = None
    authority_until: datetime | None = None
    digests: tuple[str, ...] = ()
    signatures: tuple[tuple[str, int], ...] = ()


class TimestampValidator(Protocol):
    def assess(self, token: bytes, *, at: datetime, data: ValidationData | None = None) -> TokenAssessment:
        """Judge a token (complete ContentInfo) as of the instant `at`.

        Format, one signer, ESSCertID(v2), EKU, CMS signature, then the certificate path to the
        validator's trust anchors and revocation as of `at` with the certificates and revocation
        data in the token, in `data` and known to the validator. Does not compare the imprint with
        anything: that is the caller's step. Never raises for bad input: says FAILED/FORMAT_FAILURE.

        FAILED: malformed or forged. INDETERMINATE: intact, but trust, time, revocation or algorithm
        is missing. PASSED: all good at `at`.
        """
        ...


@runtime_checkable
class JudgesMany(Protocol):
    """What a validator may offer besides: judging that goes on on every core."""

    def assess_many(self, tokens: Sequence[bytes], *, at: datetime) -> Sequence[TokenAssessment]:
        """What `assess` says of each token by itself, as of `at`. Worth its price for thousands."""
        ...


@dataclass(frozen=True, slots=True)
class Seal:
    """A detached CAdES signature (DER ContentInfo) and what is needed to validate it."""

    der: bytes
    validation_data: ValidationData
    test_trust: bool


@dataclass(frozen=True, slots=True)
class JsonSeal:
    """A seal as a JSON web signature (RFC 7515) with its payload inside, and what is needed to validate it. The three
    parts are base64url text."""

    protected: str
    payload: str
    signature: str
    validation_data: ValidationData
    test_trust: bool

    def compact(self) -> bytes:
        """RFC 7515 7.1."""
        return f"{self.protected}.{self.payload}.{self.signature}".encode("ascii")

    def flattened(self) -> bytes:
        """RFC 7515 7.2.2."""
        return (
            f'{{"payload":"{self.payload}","protected":"{self.protected}","signature":"{self.signature}"}}\n'
        ).encode("ascii")


class Sealer(Protocol):
    @property
    def test_trust(self) -> bool:
        """Whether what it seals now is test trust."""
        ...

    def in_force(self, at: datetime) -> Sealer:
        """The sealer whose key is in force at an instant; keys take over from each other."""
        ...

    def seal(self, content: bytes, *, at: datetime) -> Seal:
        """A detached CAdES seal over the bytes, its signer certificate inside. Raises
        `SealKeyUnavailableError` when the key does not answer."""
        ...


@dataclass(frozen=True, slots=True)
class SealAssessment:
    verdict: Verdict
    sub_indication: SubIndication | None
    message: str
    signer: str = ""
    test_trust: bool = False


@runtime_checkable
class SealsJson(Protocol):
    """What a sealer may offer besides: seals for programs that read JSON and no CMS."""

    def seal_json(self, content: bytes, *, at: datetime) -> JsonSeal:
        """A JWS with the headers of JAdES baseline B (TS 119 182-1) over the bytes, by the key that `seal` uses. Raises
        `SealKeyUnavailableError`, and `SettingsError` for a key that JSON has no algorithm for."""
        ...


@dataclass(frozen=True, slots=True)
class TokenFor:
    """A token that was accepted over a digest, with what validates it."""

    der: bytes
    data: ValidationData


StampDigest = Callable[[Digest], TokenFor]
"""Obtains a time-stamp that was judged; raises `UnavailableError`."""


@runtime_checkable
class SealsDigests(Protocol):
    """What a sealer may offer besides: seals over data of which it is given the digest alone, for PDF documents."""

    def seal_digest(self, digest: bytes, *, at: datetime, stamp: StampDigest) -> Seal:
        """A detached CAdES seal as a PDF holds it (EN 319 142-1 6.3: no signing-time inside) over data with this
        SHA-512 digest, with a signature time-stamp. Raises as `Sealer.seal`."""
        ...


class SealsPdf(Protocol):
    def seal_pdf(
        self, source: Path, out: Path, *, at: datetime, stamp: StampDigest, reason: str, lines: Sequence[str]
    ) -> bool:
        """Write to `out`, a new file, the PDF at `source` with a seal of the PAdES baseline level B-LTA appended; the
        document's own octets stay as they are. `reason` stands in the signature; `lines`, where there are any, are
        shown on the first page. Gives whether it is test trust.

        Judged before it returns: what is there is a copy that verifies. Raises `NotSealableError` for what is no PDF
        that can be sealed, `SealKeyUnavailableError`, and what `stamp` raises."""
        ...


class SealValidator(Protocol):
    def assess_seal(
        self, seal: bytes, content: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> SealAssessment:
        """Judge a detached CAdES seal over `content` as of the instant `at` (for a seal under
        evidence: the proof-of-existence time). Never raises for bad input."""
        ...


@runtime_checkable
class JudgesJsonSeals(Protocol):
    """What a seal validator may offer besides."""

    def assess_json_seal(
        self, seal: bytes, content: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> SealAssessment:
        """Judge a JWS (any form) whose payload is `content`, as `assess_seal` does a CAdES seal."""
        ...


# -- signatures in what is deposited ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileExamination:
    """What the examination of one deposited file found. `verdict` is the worst of its signatures and time-stamps,
    INDETERMINATE where it could not be examined whole, None where nothing is signed in it, its format is not known or
    the profile does not ask for it (then `examined` is False and `reason` says why). `report` is the whole answer as
    canonical JSON and `xml` the same as a report of ETSI TS 119 102-2, both to be kept with the object; both are empty
    for a file that nobody looked into. `later`: what would decide appears only later. `material` is what was collected
    for its validation besides what is in the file, `problems` what could not be had, a sentence each."""

    path: str
    verdict: Verdict | None
    examined: bool
    signatures: int
    report: bytes
    xml: bytes = b""
    format: str = "unknown"
    reason: str = ""
    timestamps: int = 0
    sub_indications: tuple[str, ...] = ()
    later: bool = False
    material: ValidationData = field(default_factory=ValidationData)
    problems: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    """The trusted lists that were asked, by the SHA-256 (hexadecimal) of their octets."""


class ExaminesDeposits(Protocol):
    def examine(
        self,
        files: Sequence[tuple[str, Path | bytes]],
        *,
        at: datetime,
        policy: ExaminationPolicy,
        existed: datetime | None = None,
        material: ValidationData | None = None,
    ) -> Sequence[FileExamination]:
        """One answer for each (name, file), in their order. `existed` is an instant at which the files are known to
        have existed; `material` was collected earlier. Never raises for what is in a file;
        `ExaminationUnavailableError` when nothing can be examined now, `SettingsError` when what is to be trusted
        cannot be read."""
        ...


# -- trusted lists ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeptList:
    """A trusted list (ETSI TS 119 612) whose signature was checked. `sha256` (hexadecimal) names its octets; after
    `next_update` it is stale, and None means that it is closed."""

    sha256: str
    territory: str
    sequence: int
    issued: datetime
    next_update: datetime | None
    list_of_lists: bool
    octets: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True)
class GatheredLists:
    """The lists that were had and accepted, and what is to be said about others."""

    lists: tuple[KeptList, ...]
    findings: tuple[Finding, ...] = ()


class ListSource(Protocol):
    def gather(self) -> GatheredLists:
        """The lists that there are now, from configured addresses and files, each verified: signed by whom the
        configuration or the list of lists names. Raises `UnavailableError` when none can be had, and
        `SettingsError` when what is configured cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class QualifiedAnswer:
    """What trusted lists say: `qualified`, not qualified, or None where they cannot say (a stale list). `facts` are
    what is to be kept with a decision: texts and numbers."""

    qualified: bool | None
    reason: str
    facts: Mapping[str, str | int | None]


class AsksLists(Protocol):
    def timestamp(
        self, lists: Sequence[bytes], token: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> QualifiedAnswer:
        """Whether a time-stamp is a qualified one: its unit's service (QTST) was granted at genTime. `lists` are the
        octets of accepted lists, asked as of `at`. Never raises for what is in the token."""
        ...

    def seal(
        self, lists: Sequence[bytes], seal: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> QualifiedAnswer:
        """Whether a CAdES seal made at `at` is a qualified electronic seal."""
        ...
