"""Many objects out of one request body: a manifest, and the files that it names, in its order.

Rules kept here
 * Nothing is looked up by seeking. Of what comes after the manifest, an object is handed on as soon as the last of its
   parts has come and the next part has begun, or the body has ended as it should; what waits for its answer is all
   that is staged. What comes before the manifest waits for it.
 * What is wrong with one object is its own answer; its parts are read and passed over, and the next one is taken.
 * When the body itself breaks off or cannot be read, the objects that had not wholly come are refused with that; those
   before it are deposited.
 * Memory is the manifest, one block, and one room for small files, however many objects there are.
 * Whatever happens, nothing of the request is left in the staging directory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.bulk_manifest import MAX_MANIFEST, ManifestFile, ManifestObject, read_manifest
from api.digest_fields import merge_claims
from api.multipart import PartData, PartStart
from api.part_staging import PartStaging, Room, data_of, hashed, verify_claims
from api.refusals import MalformedUploadError
from api.resumable import Upload, Uploads
from archive_core.digests import Digest, MultiHasher
from archive_core.errors import ArchiveError, SizeLimitError, TruncatedSubmissionError
from archive_core.lifecycle import Acknowledgement, Actor, SubmissionObject, SubmittedFile
from archive_core.ports import KnownBytes

IN_MEMORY = 8 * 1024 * 1024
"""Bytes of small files that one request keeps in memory; what does not fit is staged."""
MAX_EARLY = 10_000
"""Parts that may come before the manifest."""

Originator = Callable[[str | None], str]
"""Whose an object will be, after what its manifest says; raises `NotPermittedError`."""


@contextmanager
def bulk_intake(
    parts: Iterator[PartStart | PartData], staging: Path, *, uploads: Uploads, actor: Actor, originator: Originator
) -> Iterator[BulkIntake]:
    """Read the manifest, hand the intake out, remove what is left of it at the end; raises what is wrong with the
    manifest or comes before it."""
    room = Room(IN_MEMORY)
    early = _Early(PartStaging(staging, room))
    with ExitStack() as until:
        until.callback(early.staging.clear)
        objects = early.up_to_manifest(parts)
        intake = BulkIntake(objects, parts, early, staging, room, uploads, actor, originator)
        until.callback(intake.clear)
        yield intake


@dataclass(frozen=True, slots=True)
class _Kept:
    """A part that came before the manifest."""

    source: Path | KnownBytes
    claims: dict[str, str]
    digests: dict[str, Digest]


class _Early:
    """Parts `file` that come before the manifest: many programs that were generated from a description do not keep the
    order of fields. They are staged until it is known whose they are."""

    def __init__(self, staging: PartStaging) -> None:
        self.staging = staging
        self._kept: dict[str, _Kept] = {}

    def up_to_manifest(self, parts: Iterator[PartStart | PartData]) -> tuple[ManifestObject, ...]:
        while isinstance(start := next(parts, None), PartStart):
            if start.name == "manifest":
                return self._named(_manifest(start, parts))
            if start.name != "file" or not start.filename or start.filename in self._kept:
                raise MalformedUploadError("beside the manifest come parts `file`, each with a filename of its own")
            if len(self._kept) >= MAX_EARLY:
                raise SizeLimitError(f"more than {MAX_EARLY} parts before the manifest", limit=MAX_EARLY)
            source, digests = self.staging.keep(data_of(parts), start.claims)
            self._kept[start.filename] = _Kept(source, start.claims, digests)
        raise MalformedUploadError("there is no part `manifest`")

    def take(self, name: str, file: ManifestFile) -> SubmittedFile | None:
        """The part of that name, if it came; raises `DigestMismatchError` or `UsageError`."""
        kept = self._kept.get(name)
        if kept is None:
            return None
        claims = merge_claims((kept.claims, file.claims))
        verify_claims(file.path, claims, kept.digests)
        return SubmittedFile(file.path, kept.source, claims, kept.digests)

    def __contains__(self, name: str) -> bool:
        return name in self._kept

    def _named(self, objects: tuple[ManifestObject, ...]) -> tuple[ManifestObject, ...]:
        strange = self._kept.keys() - {name for one in objects for name in one.parts}
        if strange:
            raise MalformedUploadError(f"the manifest names no part {min(strange)[:40]!a}")
        return objects


def _manifest(start: PartStart, parts: Iterator[PartStart | PartData]) -> tuple[ManifestObject, ...]:
    value = bytearray()
    hasher = MultiHasher(start.claims)
    for data in hashed(data_of(parts), hasher):
        value += data
        if len(value) > MAX_MANIFEST:
            raise SizeLimitError(f"the manifest has more than {MAX_MANIFEST} bytes", limit=MAX_MANIFEST)
    verify_claims("manifest", start.claims, hasher.digests())
    return read_manifest(bytes(value))


class BulkIntake:
    """The objects of one request, taken in one after the other."""

    def __init__(
        self,
        objects: tuple[ManifestObject, ...],
        parts: Iterator[PartStart | PartData],
        early: _Early,
        staging: Path,
        room: Room,
        uploads: Uploads,
        actor: Actor,
        originator: Originator,
    ) -> None:
        self.objects = objects
        self._parts = parts
        self._staging = staging
        self._uploads = uploads
        self._actor = actor
        self._originator = originator
        self._early = early
        self._room = room
        self._turns = {name: turn for turn, name in enumerate(name for one in objects for name in one.parts)}
        self._turn = -1
        self._begun: PartStart | None = None
        self._failure: ArchiveError | None = None
        self._waiting: deque[_Held] = deque()

    def submissions(self) -> Iterator[SubmissionObject | ArchiveError]:
        """One for each object of the manifest, in its order: what is to be deposited, or why it is refused."""
        self._to_next_part()
        for described in self.objects:
            held = _Held()
            self._waiting.append(held)
            yield self._taken(described, held)

    def answered(self, answer: Acknowledgement | ArchiveError) -> None:
        """The first of the objects that wait was answered: what was kept for it is let go of."""
        with self._waiting.popleft() as held:
            if isinstance(answer, Acknowledgement) and held.uploads:
                self._uploads.deposited(held.uploads)

    def clear(self) -> None:
        while self._waiting:
            self._waiting.popleft().close()

    def _taken(self, described: ManifestObject, held: _Held) -> SubmissionObject | ArchiveError:
        """Reads the parts of an object and up to the beginning of the next one, whatever becomes of it."""
        staging = PartStaging(self._staging, self._room)
        held.callback(staging.clear)
        files = {file.part: file for file in described.files if file.part is not None}
        sources: dict[str, SubmittedFile] = {}
        error = described.error
        for name in described.parts:
            try:
                taken = self._part(name, files.get(name) if error is None else None, staging)
            except ArchiveError as refusal:
                error = error or refusal
                continue
            if taken is not None:
                sources[name] = taken
        error = error or self._failure
        if error is not None:
            held.close()
            return error
        try:
            return self._submission(described, sources, held)
        except ArchiveError as refusal:
            held.close()
            return refusal

    def _part(self, name: str, file: ManifestFile | None, staging: PartStaging) -> SubmittedFile | None:
        """The part of that name, or nothing of it where no file is given; raises what is wrong with it."""
        if self._failure is not None:
            raise self._failure
        if name in self._early:
            return None if file is None else self._early.take(name, file)
        if self._begun is None or self._begun.filename != name:
            raise TruncatedSubmissionError(f"the part {name[:40]!a} did not come")
        claims, content = self._begun.claims, self._content()
        try:
            if file is None:
                return None
            claims = merge_claims((claims, file.claims))
            source, digests = staging.keep(content, claims)
            verify_claims(file.path, claims, digests)
            return SubmittedFile(file.path, source, claims, digests)
        finally:
            if self._failure is None:
                self._pass_over(content)

    def _pass_over(self, content: Iterator[bytes]) -> None:
        """What is left of a part, and on to the next one."""
        try:
            for _ in content:
                pass
        except ArchiveError:
            return  # kept as the failure of the body: every object that has not wholly come is refused with it
        self._to_next_part()

    def _content(self) -> Iterator[bytes]:
        """The bytes of the part that has begun; what breaks the body is the failure of all that has not come."""
        try:
            yield from data_of(self._parts)
        except ArchiveError as error:
            self._failure = error
            raise

    def _to_next_part(self) -> None:
        """The next part has begun, or the body has ended well, or there is a failure."""
        self._begun = None
        try:
            start = next(self._parts, None)
            if start is None:
                return
            if not isinstance(start, PartStart):
                raise MalformedUploadError("a part does not end")
            turn = self._turns.get(start.filename or "", -1) if start.name == "file" else -1
            turn = -1 if (start.filename or "") in self._early else turn
            if turn <= self._turn:
                raise MalformedUploadError(
                    f"after the manifest come parts `file`, named in it and in its order: {start.name[:40]!a} with the "
                    f"filename {(start.filename or '')[:40]!a} is none, or its turn is over"
                )
            self._turn, self._begun = turn, start
        except ArchiveError as error:
            self._failure = error

    def _submission(
        self, described: ManifestObject, sources: dict[str, SubmittedFile], held: _Held
    ) -> SubmissionObject:
        originator = self._originator(described.originator)
        ids = [file.upload for file in described.files if file.upload is not None]
        held.uploads = held.enter_context(self._uploads.held(ids, actor=self._actor)) if ids else []
        found = iter(held.uploads)
        return SubmissionObject(
            files=tuple(
                sources[file.part] if file.part is not None else _uploaded(file, next(found))
                for file in described.files
            ),
            originator=originator,
            metadata=described.metadata,
            profile=described.profile,
            key=described.key,
        )


class _Held(ExitStack):
    """What is kept for one object until it is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.uploads: list[Upload] = []


def _uploaded(file: ManifestFile, upload: Upload) -> SubmittedFile:
    return SubmittedFile(file.path, upload.data, file.claims)
