"""What is on its way into a bucket: sources verified before anything shows, large ones in parts.

Rules kept here
 * A source is compared with its expected digest before its key shows; what differs is `FixityError`.
 * Memory is bounded: what is larger than a part goes up in parts, read once, one part at a time for each file; of
   smaller files only `AT_HAND` bytes are kept in memory, others are read again and compared again.
 * An upload in parts that does not end well is given up.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from archive_core.digests import Digest, digest_stream, new_hasher
from archive_core.errors import FixityError, StoreUnavailableError
from archive_core.ports import KnownBytes, NewFile
from storage_backends.s3_bucket import Bucket, Kept, Part

PART = 8 * 1024 * 1024
"""What has more bytes than this goes up in parts of at least this size."""
MOST_PARTS = 9_000
AT_HAND = 64 * 1024 * 1024
"""Bytes of small files that one group keeps in memory."""


@dataclass(slots=True)
class Upload:
    """A verified file that can be made to show by one request."""

    file: NewFile
    data: bytes | None = None
    id: str = ""
    parts: list[Part] = field(default_factory=list)

    def bytes(self) -> bytes:
        """The file's bytes, compared with what they must be."""
        if self.data is not None:
            return self.data
        assert isinstance(self.file.source, Path)
        data = self.file.source.read_bytes()
        if len(data) != self.file.size or Digest.of(self.file.expected.algorithm, data) != self.file.expected:
            raise FixityError("a staged file changed while it was stored", key=self.file.key)
        return data


@contextmanager
def uploads(bucket: Bucket, prefix: str, files: Sequence[NewFile]) -> Iterator[dict[str, Upload]]:
    """The files, verified and, if large, sent, by key. Uploads that were not completed by the end are given up."""
    ready: dict[str, Upload] = {}
    left = AT_HAND
    try:
        for file in files:
            upload = ready[file.key] = Upload(file)
            if file.size > PART:
                _send(bucket, f"{prefix}{file.key}", upload)
            elif isinstance(file.source, bytes):
                upload.data = file.source
                _verify(upload, file.source)
            else:
                data = _read(bucket, file)
                _verify(upload, data)
                if len(data) <= left:
                    upload.data, left = data, left - len(data)
        yield ready
    finally:
        for upload in ready.values():
            if upload.id:
                with suppress(StoreUnavailableError):
                    bucket.abort(f"{prefix}{upload.file.key}", upload.id)


def completed(bucket: Bucket, key: str, upload: Upload, *, absent: bool, etag: str = "") -> Kept:
    """Make an upload show under `key`; with `absent` only where nothing is, with `etag` only instead of that very
    object (as far as the server honours that)."""
    if not upload.id:
        return bucket.put(key, upload.bytes(), absent=absent, etag=etag)
    kept = bucket.complete(key, upload.id, upload.parts, absent=absent, etag=etag)
    upload.id = ""
    return kept


def reads_back(stream: BinaryIO, upload: Upload) -> bool:
    """Whether a stream gives the bytes of the file and nothing else."""
    if isinstance(upload.data, KnownBytes):
        return stream.read(len(upload.data) + 1) == upload.data
    algorithm = upload.file.expected.algorithm
    return digest_stream(stream, [algorithm])[0][algorithm] == upload.file.expected


def _read(bucket: Bucket, file: NewFile) -> bytes:
    assert isinstance(file.source, Path)
    try:
        with file.source.open("rb") as stream:
            return stream.read(PART + 1)
    except OSError as error:
        raise _unreadable(bucket, file, error) from error


def _verify(upload: Upload, data: bytes) -> None:
    file = upload.file
    if isinstance(data, KnownBytes) and len(data) == file.size:
        return  # hashed by whoever states the digest beside them
    if len(data) != file.size or Digest.of(file.expected.algorithm, data) != file.expected:
        raise FixityError("what was to be written does not have the expected digest", key=file.key)


def _send(bucket: Bucket, key: str, upload: Upload) -> None:
    """Send a file in parts, hashing it on the way."""
    file = upload.file
    length = max(PART, -(-file.size // MOST_PARTS))
    upload.id = bucket.begin(key)
    hasher, size = new_hasher(file.expected.algorithm), 0
    try:
        with io.BytesIO(file.source) if isinstance(file.source, bytes) else file.source.open("rb") as stream:
            while data := stream.read(length):
                size += len(data)
                if size > file.size:
                    break
                hasher.update(data)
                upload.parts.append(bucket.put_part(key, upload.id, len(upload.parts) + 1, data))
    except OSError as error:
        raise _unreadable(bucket, file, error) from error
    if size != file.size or bytes(hasher.digest()) != file.expected.value:
        raise FixityError("what was to be written does not have the expected digest", key=file.key)


def _unreadable(bucket: Bucket, file: NewFile, error: OSError) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"store {bucket.name} failed to read a staged file: {error.strerror or error}", store=bucket.name, key=file.key
    )
