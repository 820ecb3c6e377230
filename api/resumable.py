"""Uploads that go on where they were broken off: what tus 1.0 asks of a server, on files of the home.

    uploads/ID.OWNER/info.json   what was announced; written once, durably, before the upload is acknowledged
    uploads/ID.OWNER/data        what has come
    uploads/ID.OWNER/unproven    while a piece with a checksum comes: how much there was before it

Rules kept here
 * How much has come is the length of `data`, and nothing else: whatever dies, it is true. It is durable before it is
   told.
 * A piece with a checksum is kept whole and right, or not at all; one without is kept as far as it came.
 * One writer at a time (a lock on `data`, which the system gives back when its process dies); whoever deposits an
   upload keeps writers and deleters out meanwhile.
 * Memory is one block, however large the upload.
 * An upload belongs to an organisation. To others it does not exist, and after its time to nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import new as new_hash
from hashlib import sha256
from pathlib import Path
from typing import Any

from api.multipart import BodyReader
from api.refusals import ChecksumMismatchError, StagingUnavailableError, UploadBusyError
from api.syncing import sync_names
from archive_core.errors import ConflictError, NotFoundError, SizeLimitError, TruncatedSubmissionError, UsageError
from archive_core.findings import utc_text
from archive_core.identifiers import new_token
from archive_core.lifecycle import Actor

LIFE = timedelta(days=3)
"""How long an upload may take; each piece that comes begins this time anew."""
AFTER_DEPOSIT = timedelta(hours=1)
"""How long an upload stays after it was deposited, so that the deposit may be repeated under its key."""

MAX_RESUMABLE = 5 * 1024**4
"""Bytes of the largest upload: what the largest object of common S3 stores may have."""

MOST = 1000
"""Uploads that one organisation may have begun."""
MAX_METADATA = 4096
"""Bytes of the header with metadata."""

ALGORITHMS = ("sha1", "sha256", "sha512")
"""Of checksums; tus asks for the first."""

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload: `length` bytes were announced, `offset` of them have come."""

    id: str
    originator: str | None
    length: int
    metadata: str
    expires: datetime
    offset: int
    data: Path

    @property
    def complete(self) -> bool:
        return self.offset == self.length


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a piece must come to: `algorithm` is one of `ALGORITHMS`, `digest` its octets."""

    algorithm: str
    digest: bytes


class Uploads:
    """The uploads of one home."""

    def __init__(self, folder: Path, *, now: Callable[[], datetime], limit: int) -> None:
        """`limit` is the largest upload, in bytes."""
        self._folder = folder
        self._now = now
        self.limit = limit

    def create(self, *, length: int, metadata: str, actor: Actor) -> Upload:
        """A new upload, of which nothing has come; raises `SizeLimitError` or `UsageError`."""
        if length > self.limit:
            raise SizeLimitError(
                f"the upload would have {length} bytes; at most {self.limit} are taken", limit=self.limit
            )
        if len(metadata) > MAX_METADATA:
            raise UsageError(f"the metadata of an upload have {MAX_METADATA} bytes at most")
        self.sweep()
        if sum(one.get("originator") == actor.originator for one in self._infos()) >= MOST:
            raise ConflictError(f"there are {MOST} uploads that were begun: finish or delete some")
        upload_id = new_token()
        info = {
            "originator": actor.originator,
            "length": length,
            "metadata": metadata,
            "expires": utc_text(self._now() + LIFE),
        }
        place = self._folder / f"{upload_id}.{_owned(actor.originator)}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.mkdir(mode=0o700)
            (place / "data").touch(mode=0o600)
            _write(place / "info.json", info)
            sync_names(self._folder)
        except OSError as error:
            raise StagingUnavailableError(f"the upload cannot be begun: {error.strerror}") from error
        return self.get(upload_id, actor=actor)

    def get(self, upload_id: str, *, actor: Actor) -> Upload:
        """An upload of the actor's organisation; raises `NotFoundError`."""
        place = self._place(upload_id, actor) if _ID.fullmatch(upload_id) else None
        info = None if place is None else self._info(place.name)
        if place is None or info is None or actor.originator not in (None, info["originator"]):
            raise NotFoundError(NO_UPLOAD)
        expires = datetime.fromisoformat(info["expires"])
        if self._now() >= expires:
            raise NotFoundError(NO_UPLOAD)
        data = place / "data"
        try:
            offset = data.stat().st_size
        except FileNotFoundError:
            raise NotFoundError(NO_UPLOAD) from None
        unproven = _unproven(data)
        offset = offset if unproven is None else min(offset, unproven)
        return Upload(upload_id, info["originator"], info["length"], info["metadata"], expires, offset, data)

    def append(
        self, upload_id: str, body: BodyReader, *, offset: int, checksum: Checksum | None, actor: Actor
    ) -> Upload:
        """Take the piece that begins at `offset`. Raises `ConflictError` when another place is next, `SizeLimitError`
        for more than was announced, `ChecksumMismatchError`, `UploadBusyError`; of a body that breaks off
        `TruncatedSubmissionError` or `StalledUploadError`, when what came is kept unless it has a checksum."""
        upload = self.get(upload_id, actor=actor)
        with _locked(upload.data, fcntl.LOCK_EX):
            upload = replace(upload, offset=_settled(upload.data))
            if offset != upload.offset:
                raise ConflictError(f"the upload goes on at {upload.offset}", offset=upload.offset)
            mark = upload.data.with_name("unproven")
            try:
                if checksum is not None:
                    _write(mark, {"offset": offset})
                self._take(upload, body, checksum)
                mark.unlink(missing_ok=True)
                _write(upload.data.with_name("info.json"), {**_told(upload), "expires": utc_text(self._now() + LIFE)})
            except OSError as error:
                raise StagingUnavailableError(f"the piece cannot be kept: {error.strerror}") from error
        return self.get(upload_id, actor=actor)

    def _take(self, upload: Upload, body: BodyReader, checksum: Checksum | None) -> None:
        found = new_hash(checksum.algorithm, usedforsecurity=False) if checksum else None
        size = upload.offset
        with upload.data.open("r+b") as out:
            out.seek(size)
            try:
                for block in body.blocks():
                    size += len(block)
                    if size > upload.length:
                        raise SizeLimitError(
                            f"the upload was announced with {upload.length} bytes", limit=upload.length
                        )
                    out.write(block)
                    if found is not None:
                        found.update(block)
                if checksum is not None and found is not None and found.digest() != checksum.digest:
                    raise ChecksumMismatchError
            except (SizeLimitError, ChecksumMismatchError):
                _cut(out, upload.offset)
                raise
            except (TruncatedSubmissionError, UsageError):
                if checksum is not None:
                    _cut(out, upload.offset)
                raise
            finally:
                out.flush()
                os.fsync(out.fileno())

    def delete(self, upload_id: str, *, actor: Actor) -> None:
        """Let go of an upload; raises `NotFoundError` or `UploadBusyError`."""
        upload = self.get(upload_id, actor=actor)
        with _locked(upload.data, fcntl.LOCK_EX):
            self._remove(upload.data.parent)

    @contextmanager
    def held(self, upload_ids: list[str], *, actor: Actor) -> Iterator[list[Upload]]:
        """Complete uploads, kept as they are for the block; raises `NotFoundError`, `UploadBusyError`, or
        `ConflictError` for one that is not complete."""
        with ExitStack() as stack:
            found = []
            for upload_id in upload_ids:
                upload = self.get(upload_id, actor=actor)
                stack.enter_context(_locked(upload.data, fcntl.LOCK_SH))
                upload = self.get(upload_id, actor=actor)
                if not upload.complete:
                    raise ConflictError(f"of {upload.length} bytes {upload.offset} have come", offset=upload.offset)
                found.append(upload)
            yield found

    def deposited(self, uploads: list[Upload]) -> None:
        """These became objects: they stay for a while, for a deposit that is repeated."""
        for upload in uploads:
            until = min(upload.expires, self._now() + AFTER_DEPOSIT)
            _write(upload.data.with_name("info.json"), {**_told(upload), "expires": utc_text(until)})

    def sweep(self) -> int:
        """Let go of every upload whose time is over; returns how many."""
        gone = 0
        for place in self._folder.iterdir() if self._folder.is_dir() else ():
            info = self._info(place.name)
            if info is None or self._now() >= datetime.fromisoformat(info["expires"]):
                if info is None and self._now().timestamp() - place.stat().st_mtime < LIFE.total_seconds():
                    continue  # being begun at this moment, perhaps
                with suppress(UploadBusyError, FileNotFoundError), _locked(place / "data", fcntl.LOCK_EX):
                    self._remove(place)
                    gone += 1
        return gone

    def _infos(self) -> Iterator[dict[str, Any]]:
        for place in self._folder.iterdir() if self._folder.is_dir() else ():
            info = self._info(place.name)
            if info is not None:
                yield info

    def _place(self, upload_id: str, actor: Actor) -> Path | None:
        """Where an upload lies, if it is there: under its owner's name, so that another organisation's is looked for,
        and missed, exactly like none."""
        if actor.originator is not None:
            return self._folder / f"{upload_id}.{_owned(actor.originator)}"
        return next(self._folder.glob(f"{upload_id}.*"), None)

    def _info(self, name: str) -> dict[str, Any] | None:
        try:
            value: dict[str, Any] = json.loads((self._folder / name / "info.json").read_bytes())
        except FileNotFoundError:
            return None
        return value

    def _remove(self, place: Path) -> None:
        (place / "info.json").unlink(missing_ok=True)  # from here on it does not exist
        shutil.rmtree(place)


NO_UPLOAD = "There is no such upload."


def _owned(originator: str | None) -> str:
    """An organisation in the name of a directory."""
    return sha256((originator or "").encode()).hexdigest()[:32]


def _told(upload: Upload) -> dict[str, object]:
    return {"originator": upload.originator, "length": upload.length, "metadata": upload.metadata}


def _unproven(data: Path) -> int | None:
    """How much there was before a piece that may be wrong, if there is one."""
    try:
        return int(json.loads(data.with_name("unproven").read_bytes())["offset"])
    except FileNotFoundError:
        return None


def _settled(data: Path) -> int:
    """How much has come, after what nobody vouches for was cut off; only for who has the lock."""
    unproven = _unproven(data)
    if unproven is not None:
        with data.open("r+b") as out:
            _cut(out, unproven)
        data.with_name("unproven").unlink()
    return data.stat().st_size


def _cut(out: Any, size: int) -> None:
    out.flush()
    out.truncate(size)
    out.seek(size)


@contextmanager
def _locked(data: Path, kind: int) -> Iterator[None]:
    try:
        descriptor = os.open(data, os.O_RDWR)
    except FileNotFoundError:
        raise NotFoundError(NO_UPLOAD) from None
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UploadBusyError from None
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, value: dict[str, Any]) -> None:
    """A small file, whole and durable."""
    aside = path.with_name(f"{path.name}.{new_token()}")
    with aside.open("xb") as out:
        out.write(json.dumps(value).encode())
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, path)
    sync_names(path.parent)
