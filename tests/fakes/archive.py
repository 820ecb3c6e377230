"""A stand-in for the archive, for tests of the HTTP edge only: real admission, objects in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, BinaryIO

from archive_core.admission import admit
from archive_core.catalogue.rows import JobRow, KeyRow
from archive_core.digests import hash_bytes
from archive_core.errors import (
    EvidencePendingError,
    IdempotencyConflictError,
    UnauthenticatedError,
    UnknownObjectError,
    UnknownProfileError,
)
from archive_core.identifiers import PoidMint, new_token
from archive_core.lifecycle import (
    Acknowledgement,
    Actor,
    BatchView,
    EvidenceFile,
    FileView,
    Status,
    SubmissionObject,
    VersionView,
)
from policies.profiles import PreservationProfile, published_profiles


class MemoryArchive:
    """The facade's verbs over dictionaries; proves nothing, stores nothing."""

    def __init__(self) -> None:
        self._mint = PoidMint()
        self._versions: dict[str, list[tuple[VersionView, dict[str, bytes]]]] = {}
        self._keys: dict[str, tuple[str, bytes | None, Acknowledgement]] = {}
        self._actors: dict[str, tuple[KeyRow, str]] = {}
        self._jobs: dict[str, JobRow] = {}
        self.refusals: list[tuple[str, str, str]] = []

    def close(self) -> None:
        pass

    def profiles(self) -> list[PreservationProfile]:
        return list(published_profiles())

    def create_key(self, *, label: str, role: str, originator: str | None, actor: Actor) -> tuple[KeyRow, str]:
        secret = new_token()
        row = KeyRow(
            key_id=new_token(),
            key_hash=hash_bytes("sha512", secret.encode()).hex(),
            label=label,
            originator=originator,
            role=role,
            created=datetime.now(UTC),
        )
        self._actors[row.key_hash] = (row, secret)
        return row, secret

    def keys(self) -> list[KeyRow]:
        return [row for row, _ in self._actors.values()]

    def authenticate(self, secret: str) -> Actor:
        found = self._actors.get(hash_bytes("sha512", secret.encode()).hex())
        if found is None:
            raise UnauthenticatedError("this key is not known")
        return Actor(actor_id=found[0].key_id, role=found[0].role, originator=found[0].originator)

    def record_refusal(self, error: Exception, *, actor: Actor, what: str) -> None:
        self.refusals.append((actor.actor_id, getattr(error, "code", "?"), what))

    def _profile(self, name: str | None) -> PreservationProfile:
        wanted = name or "basic-1"
        for profile in published_profiles():
            if profile.id == wanted:
                return profile
        raise UnknownProfileError(profile=wanted)

    def deposit(self, submission: SubmissionObject, *, actor: Actor) -> Acknowledgement:
        return self._put(self._mint.mint(datetime.now(UTC)), "deposit", submission)

    def update(self, poid: str, submission: SubmissionObject, *, actor: Actor) -> Acknowledgement:
        self._seen(poid, None, actor)
        return self._put(poid, "update", submission)

    def _put(self, poid: str, kind: str, submission: SubmissionObject) -> Acknowledgement:
        at = datetime.now(UTC)
        accepted = admit(submission, self._profile(submission.profile), at=at)
        if submission.key is not None:
            earlier = self._keys.get(f"{submission.originator}/{submission.key}")
            if earlier is not None:
                if earlier[0] != accepted.request_digest:
                    raise IdempotencyConflictError
                return replace(earlier[2], replayed=True)
        content: dict[str, bytes] = {}
        for file in accepted.files:
            content[file.logical_path] = file.source if isinstance(file.source, bytes) else file.source.read_bytes()
        files = tuple(
            FileView(f.logical_path.removeprefix("data/"), f.logical_path, f.role, f.size, f.digests["sha512"].hex)
            for f in accepted.files
        )
        held = self._versions.setdefault(poid, [])
        view = VersionView(
            poid=poid,
            version=len(held) + 1,
            kind=kind,
            status=Status.REPLICATED,
            originator=submission.originator,
            profile=accepted.profile.id,
            received=at,
            key=submission.key,
            size=sum(f.size for f in accepted.files),
            file_count=len(files),
            description_sha512="0" * 128,
            batch=None,
            proof_of_existence=None,
            test_trust=True,
            files=files,
            versions=tuple(range(1, len(held) + 2)),
        )
        held.append((view, content))
        made = Acknowledgement(
            poid, view.version, view.status, view.originator, view.profile, at, view.size, len(files), "0" * 128, ("a",)
        )
        if submission.key is not None:
            self._keys[f"{submission.originator}/{submission.key}"] = (accepted.request_digest, None, made)
        return made

    def _seen(self, poid: str, version: int | None, actor: Actor) -> tuple[VersionView, dict[str, bytes]]:
        held = self._versions.get(poid)
        if not held or actor.originator not in (None, held[0][0].originator):
            raise UnknownObjectError
        if version is not None and version > len(held):
            raise UnknownObjectError
        return held[(version or len(held)) - 1]

    def objects(self, *, actor: Actor, after: str | None = None, limit: int = 100) -> list[VersionView]:
        heads = [held[-1][0] for poid, held in sorted(self._versions.items()) if after is None or poid > after]
        shown = [view for view in heads if actor.originator in (None, view.originator)]
        return [replace(view, files=(), versions=()) for view in shown[:limit]]

    def show(self, poid: str, version: int | None = None, *, actor: Actor) -> VersionView:
        return self._seen(poid, version, actor)[0]

    def file(self, poid: str, version: int | None, path: str, *, actor: Actor) -> FileView:
        for file in self._seen(poid, version, actor)[0].files:
            if path in (file.path, file.logical_path):
                return file
        raise UnknownObjectError

    def stream_file(
        self, poid: str, version: int | None, path: str, *, actor: Actor, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        content = self._seen(poid, version, actor)[1][self.file(poid, version, path, actor=actor).logical_path]
        yield content[start:stop]

    def preserve(self, *, actor: Actor, only_due: bool = False, progress: object = None) -> list[BatchView]:
        for held in self._versions.values():
            held[:] = [(replace(view, status=Status.EVIDENCED, batch=1), content) for view, content in held]
        return [BatchView(1, "basic-1", 1, datetime.now(UTC), True)]

    def evidence(self, poid: str, version: int | None = None, *, actor: Actor) -> list[EvidenceFile]:
        if self._seen(poid, version, actor)[0].status is not Status.EVIDENCED:
            raise EvidencePendingError
        return [EvidenceFile("sha512", "sha512", b"\x30\x00", True)]

    def receipt(self, poid: str, version: int | None = None, *, actor: Actor) -> bytes:
        self.evidence(poid, version, actor=actor)
        return b'{"format":"trusted-archive/receipt/1","poid":"%s","version":1}\n' % poid.encode()

    def export(self, poid: str, version: int | None, out: BinaryIO, *, actor: Actor) -> None:
        self.evidence(poid, version, actor=actor)
        out.write(b"PK\x05\x06" + b"\0" * 18)

    def trace(self, poid: str, *, actor: Actor) -> list[dict[str, Any]]:
        self._seen(poid, None, actor)
        return [{"type": "ingestion"}]

    def start_verification(self, poids: list[str] | None, *, actor: Actor) -> JobRow:
        for poid in poids or []:
            self._seen(poid, None, actor)
        row = JobRow(
            job_id=new_token(),
            kind="verification",
            state="waiting",
            created=datetime.now(UTC),
            originator=actor.originator,
        )
        self._jobs[row.job_id] = row
        return row

    def job(self, job_id: str, *, actor: Actor) -> JobRow:
        row = self._jobs.get(job_id)
        if row is None or actor.originator not in (None, row.originator):
            raise UnknownObjectError
        return row

    def run_jobs(self, progress: object = None) -> None:
        pass

    def flush_trail(self) -> int:
        return 0

    def health(self) -> dict[str, object]:
        return {"status": "up"}

    def ready(self) -> dict[str, object]:
        return {"status": "ready"}

    def status(self, *, actor: Actor) -> dict[str, object]:
        return {"objects": {"replicated": len(self._versions)}, "warnings": [], "test_trust": True}
