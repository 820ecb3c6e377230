"""description.json: what a version of a preservation object is, and what its evidence is about.

Rules kept here
 * The description names identity, order, names, sizes and digests, and holds 32 random bytes, so that
   nobody can guess its digest or confirm a guessed document from a sibling in somebody's record.
 * The data group of a version is the *set* of distinct digests of the description and of every file
   that it lists (RFC 4998 4.2: a data object group), in the digest of one evidence line.
 * A description and its canonical bytes are interchangeable: parsing refuses any other spelling.
 * A name that could not be kept safely is refused on reading as it is on deposit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring as _quoted
from typing import Any, Self

from archive_core import canonical, reading
from archive_core.digests import hash_bytes
from archive_core.errors import MalformedDocumentError, NameNotAcceptedError
from archive_core.findings import utc_text
from archive_core.identifiers import is_poid
from archive_core.names import MAX_PATH_BYTES, verify_distinct, verify_path

FORMAT = "trusted-archive/description/1"
KINDS = ("deposit", "update", "validation-data")
ROLES = ("document", "metadata", "chunks", "prefix-record", "examination", "validation-data")
EXAMINED = ("accept", "quarantine")
"""What became of a version by the examination of its signatures (`policies.examination`)."""

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of a description that are read: room for some 100,000 files."""
MAX_FILES = 200_000
NONCE_BYTES = 32

EXAMINATION = "examination/"
"""Where reports of examinations and what was collected for them lie."""

_PLACES = {
    "document": "data/",
    "chunks": "chunks/",
    "prefix-record": "prefix/",
    "examination": EXAMINATION,
    "validation-data": EXAMINATION,
}
_MEMBERS = (
    "format",
    "poid",
    "version",
    "kind",
    "originator",
    "profile",
    "idempotency_key",
    "received",
    "files",
    "predecessor",
    "nonce",
)


@dataclass(frozen=True, slots=True)
class DescribedFile:
    """A file of a version. `path` is the logical path within the package (`data/…`), `digests` maps
    algorithm names to lower-case hexadecimal values, `size` counts bytes."""

    path: str
    role: str
    size: int
    digests: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "role": self.role, "size": self.size, "digests": dict(self.digests)}

    def to_text(self) -> str:
        """The same as canonical JSON."""
        digests = ",".join(f"{_quoted(name)}:{_quoted(value)}" for name, value in sorted(self.digests.items()))
        return f'{{"digests":{{{digests}}},"path":{_quoted(self.path)},"role":{_quoted(self.role)},"size":{self.size}}}'


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of the signatures in a version: `outcome` is one of `EXAMINED`; `later`: what would decide about
    them appears only later."""

    outcome: str
    later: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """One version of a preservation object, as its evidence sees it.

    `predecessor` is the version before and the sha512 (hex) of its description; `nonce` 64
    hexadecimal digits; `received` the claimed time of deposit, an aware instant; `examined` is None where the
    profile asks nothing of signatures, and then no member of the document.
    """

    poid: str
    version: int
    kind: str
    originator: str
    profile: str
    idempotency_key: str | None
    received: datetime
    files: tuple[DescribedFile, ...]
    predecessor: tuple[int, str] | None
    nonce: str
    examined: Examined | None = None

    def to_json(self) -> dict[str, Any]:
        before, examined = self.predecessor, self.examined
        said = {} if examined is None else {"examined": {"outcome": examined.outcome, "later": examined.later}}
        return {
            **said,
            "format": FORMAT,
            "poid": self.poid,
            "version": self.version,
            "kind": self.kind,
            "originator": self.originator,
            "profile": self.profile,
            "idempotency_key": self.idempotency_key,
            "received": utc_text(self.received),
            "files": [file.to_json() for file in self.files],
            "predecessor": None if before is None else {"version": before[0], "sha512": before[1]},
            "nonce": self.nonce,
        }

    def to_bytes(self) -> bytes:
        """The canonical bytes; `Description.parse` gives the same value back."""
        if self.examined is not None or self.predecessor is not None:
            return canonical.write(self.to_json())
        # What `canonical.write` makes of it, put together at once, because every deposit needs it.
        files = ",".join(file.to_text() for file in self.files)
        key = "null" if self.idempotency_key is None else _quoted(self.idempotency_key)
        return (
            f'{{"files":[{files}],"format":"{FORMAT}","idempotency_key":{key},"kind":{_quoted(self.kind)},'
            f'"nonce":{_quoted(self.nonce)},"originator":{_quoted(self.originator)},"poid":{_quoted(self.poid)},'
            f'"predecessor":null,"profile":{_quoted(self.profile)},"received":"{utc_text(self.received)}",'
            f'"version":{self.version}}}\n'
        ).encode()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The description that canonical bytes stand for; raises `MalformedDocumentError`."""
        value = canonical.read_canonical(data, max_bytes=MAX_BYTES)
        names = (*_MEMBERS, "examined") if isinstance(value, dict) and "examined" in value else _MEMBERS
        value = reading.members(value, names, "the description")
        reading.formatted(value["format"], FORMAT)
        version = reading.integer(value["version"], "version", least=1)
        return cls(
            poid=_poid(value["poid"]),
            version=version,
            kind=reading.one_of(value["kind"], KINDS, "kind"),
            originator=reading.text(value["originator"], "originator"),
            profile=reading.text(value["profile"], "profile"),
            idempotency_key=reading.optional_text(value["idempotency_key"], "idempotency_key"),
            received=reading.instant(value["received"], "received"),
            files=_files(value["files"]),
            predecessor=_predecessor(value["predecessor"], version),
            nonce=reading.hex_bytes(value["nonce"], "nonce", NONCE_BYTES).hex(),
            examined=_examined(value["examined"]) if "examined" in value else None,
        )

    def file(self, path: str) -> DescribedFile | None:
        """The file with this logical path, or None."""
        return next((file for file in self.files if file.path == path), None)

    def group_digests(self, algorithm: str) -> tuple[bytes, ...]:
        """The data group of this version in one algorithm: distinct digests, sorted as bytes.

        Raises `MalformedDocumentError` when a file has no digest of that algorithm.
        """
        group = {hash_bytes(algorithm, self.to_bytes())}
        for file in self.files:
            if algorithm not in file.digests:
                raise MalformedDocumentError(f"{file.path[:80]!a} has no {algorithm} digest in its description")
            group.add(bytes.fromhex(file.digests[algorithm]))
        return tuple(sorted(group))


def parse_poid_member(value: Any) -> str:
    """A POID in its one spelling; raises `MalformedDocumentError`."""
    return _poid(value)


def _poid(value: Any) -> str:
    if not isinstance(value, str) or not is_poid(value):
        raise MalformedDocumentError("poid is not a POID")
    return value


def _predecessor(value: Any, version: int) -> tuple[int, str] | None:
    if value is None:
        if version != 1:
            raise MalformedDocumentError(f"version {version} names no predecessor")
        return None
    value = reading.members(value, ("version", "sha512"), "predecessor")
    before = reading.integer(value["version"], "predecessor version", least=1)
    if before != version - 1:
        raise MalformedDocumentError(f"version {version} names version {before} as its predecessor")
    return before, reading.digest(value["sha512"], "sha512", "predecessor sha512").hex()


def _examined(value: Any) -> Examined:
    value = reading.members(value, ("outcome", "later"), "examined")
    return Examined(reading.one_of(value["outcome"], EXAMINED, "outcome"), reading.flag(value["later"], "later"))


def _files(value: Any) -> tuple[DescribedFile, ...]:
    files = tuple(_file(item) for item in reading.items(value, "files", least=1, most=MAX_FILES))
    try:
        verify_distinct(file.path for file in files)
    except NameNotAcceptedError as error:
        raise MalformedDocumentError(f"the description lists clashing names: {error}") from error
    return files


def _file(value: Any) -> DescribedFile:
    value = reading.members(value, ("path", "role", "size", "digests"), "a listed file")
    role = reading.one_of(value["role"], ROLES, "role")
    path = _path(reading.text(value["path"], "path", most=MAX_PATH_BYTES + 64), role)
    digests = value["digests"]
    if not isinstance(digests, dict) or not 1 <= len(digests) <= 16 or "sha512" not in digests:
        raise MalformedDocumentError(f"{path[:80]!a} does not have 1 to 16 digests with sha512 among them")
    return DescribedFile(
        path=path,
        role=role,
        size=reading.integer(value["size"], "size"),
        digests={
            reading.digest_name(name, "digests"): reading.digest(digits, name, f"{name} digest").hex()
            for name, digits in digests.items()
        },
    )


def _path(path: str, role: str) -> str:
    place = _PLACES.get(role)
    if place is None:
        if path != "metadata.json":
            raise MalformedDocumentError(f"{path[:80]!a} is not the place of metadata")
        return path
    if not path.startswith(place):
        raise MalformedDocumentError(f"{path[:80]!a} is not a place for the role {role}")
    try:
        verify_path(path.removeprefix(place))
    except NameNotAcceptedError as error:
        raise MalformedDocumentError(f"the description lists an unsafe name: {error}") from error
    return path
