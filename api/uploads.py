"""Takes an upload in: from the request body to staged files, and away again.

Rules kept here
 * Bytes go to the staging directory while they are hashed, but for a few small files; memory does not grow
   with them.
 * Limits are applied as bytes arrive: body, number of files, length of each field.
 * Whatever happens, nothing of an upload is left in the staging directory afterwards.
 * Fields are `file` (repeatable, its filename the relative path), `metadata`, `profile`, `digests`
   and `originator`; any other is refused.
 * Digests claimed for a part are compared as soon as the part has ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from api.digest_fields import merge_claims
from api.multipart import PartData, PartStart
from api.part_staging import IN_MEMORY, PREFIX, PartStaging, Room, data_of, verify_claims
from api.refusals import MalformedUploadError, UnknownFieldError
from archive_core import canonical, processes
from archive_core.digests import MultiHasher, digest_size, is_known
from archive_core.errors import (
    DigestMismatchError,
    MalformedDocumentError,
    MetadataNotAcceptedError,
    SizeLimitError,
    UsageError,
)
from archive_core.lifecycle import SubmissionObject, SubmittedFile
from archive_core.names import verify_path
from policies.profiles import PreservationProfile


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Upper bounds in bytes, but `files`, a count. A profile may be stricter."""

    body: int
    files: int
    metadata: int
    digests: int = 16 * 1024 * 1024
    text: int = 1024

    @classmethod
    def under(cls, profiles: Sequence[PreservationProfile], *, body: int) -> UploadLimits:
        """The most that any of the profiles admits; which one applies is known only at the end."""
        return cls(
            body=body,
            files=max(profile.limits.max_files for profile in profiles),
            metadata=max(profile.limits.max_metadata_bytes for profile in profiles),
        )


@dataclass(slots=True)
class Upload:
    """What has been taken in; the files are there only inside `staged_upload`."""

    files: list[SubmittedFile] = field(default_factory=list)
    fields: dict[str, bytes] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """A field as text, or None; raises `MalformedUploadError` unless it is UTF-8 and not empty."""
        value = self.fields.get(name)
        if value is None:
            return None
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedUploadError(f"the field {name} is not UTF-8") from None
        if not text or "\0" in text:
            raise MalformedUploadError(f"the field {name} is empty or holds a NUL")
        return text

    def submission(self, *, originator: str, key: str | None) -> SubmissionObject:
        """The upload as a submission, with the digests of the field `digests` added to its files."""
        return SubmissionObject(
            files=tuple(_with_claims(self.files, self._claims())),
            originator=originator,
            metadata=self.fields.get("metadata"),
            profile=self.text("profile"),
            key=key,
        )

    def _claims(self) -> dict[str, dict[str, str]]:
        if "digests" not in self.fields:
            return {}
        try:
            value = canonical.read(self.fields["digests"], max_depth=2)
        except MalformedDocumentError as error:
            raise UsageError(f"the field digests is not acceptable JSON: {error}") from error
        if not isinstance(value, dict) or not all(_is_claim(claim) for claim in value.values()):
            raise UsageError('the field digests is written {"PATH": {"sha512": "HEX"}}')
        return value


def _is_claim(claim: object) -> bool:
    return (
        isinstance(claim, dict)
        and bool(claim)
        and all(is_known(name) and _is_hex(value, 2 * digest_size(name)) for name, value in claim.items())
    )


def _is_hex(value: object, length: int) -> bool:
    return isinstance(value, str) and len(value) == length and set(value.lower()) <= set("0123456789abcdef")


def _with_claims(files: list[SubmittedFile], claims: dict[str, dict[str, str]]) -> Iterator[SubmittedFile]:
    missing = claims.keys() - {file.path for file in files}
    if missing:
        path = min(missing)
        raise DigestMismatchError(f"a digest is claimed for {path[:80]!a}, which did not arrive", path=path[:80])
    for file in files:
        claimed = claims.get(file.path)
        if claimed is None:
            yield file
        else:
            yield SubmittedFile(file.path, file.source, merge_claims((file.claimed, claimed)), file.digests)


@contextmanager
def staged_upload(parts: Iterator[PartStart | PartData], staging: Path, limits: UploadLimits) -> Iterator[Upload]:
    """Take all parts in, hand the upload out, remove its files at the end."""
    intake = _Intake(staging, limits)
    try:
        intake.take(parts)
        yield intake.upload
    finally:
        intake.clear()


def clear_staging(staging: Path, *, alone: bool = True) -> int:
    """Remove what uploads of dead processes left. A server that is not `alone` on the home leaves what may belong to
    another one that lives."""
    leftovers = [path for path in staging.iterdir() if path.name.startswith(PREFIX)] if staging.is_dir() else []
    if not alone:
        leftovers = [path for path in leftovers if processes.is_gone(_owner(path.name))]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


def _owner(name: str) -> str:
    """The process that staged a file, as `processes` names it."""
    return name.removeprefix(PREFIX).rpartition("|")[0] + "|"


class _Intake:
    """Sorts parts into files and fields."""

    def __init__(self, staging: Path, limits: UploadLimits) -> None:
        self.upload = Upload()
        self._limits = limits
        self._staging = PartStaging(staging, Room(IN_MEMORY))

    def take(self, parts: Iterator[PartStart | PartData]) -> None:
        for part in parts:
            if not isinstance(part, PartStart):
                raise MalformedUploadError("bytes before the first part")
            if part.name == "file":
                self._take_file(part, parts)
            else:
                self._take_field(part, parts)

    def clear(self) -> None:
        self._staging.clear()

    def _take_file(self, part: PartStart, parts: Iterator[PartStart | PartData]) -> None:
        if part.filename is None:
            raise MalformedUploadError("a file part needs a filename: its relative path")
        path = verify_path(part.filename)
        if len(self.upload.files) >= self._limits.files:
            raise SizeLimitError(f"more than {self._limits.files} files", limit=self._limits.files)
        source, digests = self._staging.keep(data_of(parts), part.claims)
        verify_claims(path, part.claims, digests)
        self.upload.files.append(SubmittedFile(path, source, part.claims, digests))

    def _take_field(self, part: PartStart, parts: Iterator[PartStart | PartData]) -> None:
        limits = {
            "metadata": self._limits.metadata,
            "digests": self._limits.digests,
            "profile": self._limits.text,
            "originator": self._limits.text,
        }
        if part.name not in limits:
            raise UnknownFieldError(f"unknown field {part.name[:40]!a}", known=["file", *sorted(limits)])
        if part.name in self.upload.fields:
            raise UsageError(f"the field {part.name} comes twice")
        value = bytearray()
        for data in data_of(parts):
            value += data
            if len(value) > limits[part.name]:
                message = f"the field {part.name} has more than {limits[part.name]} bytes"
                kind = MetadataNotAcceptedError if part.name == "metadata" else SizeLimitError
                raise kind(message, limit=limits[part.name])
        self.upload.fields[part.name] = bytes(value)
        found = MultiHasher(part.claims)
        found.update(bytes(value))
        verify_claims(part.name, part.claims, found.digests())
