"""An object of an S3 store as a seekable stream.

Rules kept here
 * The bytes are those of one object: each request after the first names its version or its entity tag, so that what
   changed meanwhile is an error and never a mixture.
 * An answer that ends before its announced length is asked for again from there, a few times; then it is
   `StoreUnavailableError`. Short bytes are never the end of a file.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

from archive_core.errors import StoreUnavailableError
from storage_backends.s3_bucket import Answer, Bucket, Kept
from storage_backends.s3_client import NotAsExpectedError, NotThereError, translated

AT_ONCE = 1024 * 1024
"""What has no more bytes than this is read at once, and its connection is free again."""
_BUFFER = 128 * 1024
_RESUMED = 3
"""Times that an answer may break off."""


class S3File(io.RawIOBase):
    """Reads one object by as few requests as the seeking allows."""

    def __init__(self, bucket: Bucket, answer: Answer) -> None:
        super().__init__()
        self._bucket = bucket
        self._kept = answer.kept
        self._body: Any = answer.body
        self._position = 0
        self._at = 0
        """Where the body stands."""
        self._broken = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._kept.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._kept.size - self._position)
        while wanted > 0:
            data = self._some(wanted)
            if data:
                buffer[: len(data)] = data
                self._position += len(data)
                self._at = self._position
                return len(data)
        return 0

    def _some(self, wanted: int) -> bytes:
        """Bytes from where we stand; none when the answer broke off and may be asked for again."""
        try:
            if self._body is None or self._at != self._position:
                self._drop()
                kept = self._kept
                answer = self._bucket.get(kept.key, version=kept.version, etag=kept.etag, start=self._position)
                if answer.kept.size != kept.size:
                    raise NotAsExpectedError("the object has another length now", store=self._bucket.name)
                self._body, self._at = answer.body, self._position
            data: bytes = self._body.read(wanted)
            if data:
                return data
            error: Exception = EOFError("the answer ended early")
        except (NotAsExpectedError, NotThereError) as change:
            raise StoreUnavailableError(
                "an object changed while it was read", store=self._bucket.name, key=ascii(self._kept.key)
            ) from change
        except StoreUnavailableError:
            raise
        except Exception as found:
            error = translated(found, self._bucket.name, "read", self._kept.key)
            if error is found:
                raise
        self._drop()
        self._broken += 1
        if self._broken > _RESUMED:
            raise StoreUnavailableError(
                f"store {self._bucket.name} broke off its answers again and again: {error}",
                store=self._bucket.name,
                key=ascii(self._kept.key),
            ) from error
        return b""

    def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def close(self) -> None:
        self._drop()
        super().close()


def opened(bucket: Bucket, key: str, *, version: str = "") -> BinaryIO:
    """The object under a key as a stream; raises `NotThereError` at once when there is none."""
    return found(bucket, key, version=version)[1]


def found(bucket: Bucket, key: str, *, version: str = "") -> tuple[Kept, BinaryIO]:
    """As `opened`, and which object it is."""
    answer = bucket.get(key, version=version)
    file = S3File(bucket, answer)
    if answer.kept.size > AT_ONCE:
        return answer.kept, cast(BinaryIO, io.BufferedReader(file, _BUFFER))
    with file:
        return answer.kept, io.BytesIO(file.readall())
