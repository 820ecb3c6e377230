"""What a server really does with what it is sent: tried, never believed.

Rules kept here
 * Each ability is tried with a request that a server without it would let through.
 * What is tried lies beside the root, under keys that nobody else has, and is gone afterwards.
 * A bucket in which a lost race could not be seen is refused: it must honour conditions on writes or keep versions.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from archive_core.errors import SettingsError, StoreUnavailableError
from storage_backends.s3_bucket import Bucket
from storage_backends.s3_client import NotAsExpectedError, RefusedError


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What was found. `conditions`: a write may depend on what is there; `md5`, `sha256`: a body that was changed on
    the way is refused; `locks`: the bucket can lock objects."""

    versions: bool
    conditions: bool
    md5: bool
    sha256: bool
    locks: bool


def probed(bucket: Bucket, beside: str) -> Capabilities:
    """Try the server; `beside` is a prefix for what that takes. Raises `SettingsError` for a bucket in which a store
    cannot keep its promises, and `StoreUnavailableError`."""
    key = f"{beside}{uuid.uuid4().hex}"
    versions = bucket.is_versioned()
    locks, default = bucket.lock_rule()
    if default is not None:
        raise SettingsError(
            "the bucket locks everything by a default retention: switch that off, the store locks what is acknowledged",
            store=bucket.name,
            mode=default,
        )
    try:
        conditions = _honours_conditions(bucket, key)
        wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
        md5 = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
        found = Capabilities(
            versions,
            conditions,
            md5=_refuses(bucket, f"{key}-md5", ContentMD5=md5),
            sha256=_refuses(bucket, f"{key}-sha256", ChecksumSHA256=wrong),
            locks=locks,
        )
    finally:
        with suppress(StoreUnavailableError):
            remove_all(bucket, key)
    if not (found.versions or found.conditions):
        raise SettingsError(
            "the bucket neither keeps versions nor honours conditional writes: switch versioning on",
            store=bucket.name,
            bucket=bucket.place.bucket,
        )
    return found


def remove_all(bucket: Bucket, prefix: str) -> None:
    """Every version of every key that begins with `prefix`, as far as that is permitted."""
    for kept in list(bucket.versions(prefix)):
        bucket.delete(kept.key, kept.version)


def _honours_conditions(bucket: Bucket, key: str) -> bool:
    """Whether all three kinds of conditional writes are refused when they must be, and carried out when not."""
    try:
        first = bucket.put(key, b"1", absent=True)
    except (RefusedError, NotAsExpectedError):
        return False
    if not _fails(lambda: bucket.put(key, b"2", absent=True)) or not first.etag:
        return False
    other = bucket.put(f"{key}-other", b"3")
    if not _fails(lambda: bucket.put(key, b"2", etag=other.etag)):
        return False
    upload = bucket.begin(key)
    try:
        part = bucket.put_part(key, upload, 1, b"4")
        if not _fails(lambda: bucket.complete(key, upload, [part], absent=True)):
            return False
    finally:
        bucket.abort(key, upload)
    try:
        bucket.put(key, b"5", etag=first.etag)
    except (RefusedError, NotAsExpectedError):
        return False
    return bucket.read(key) == b"5"


def _fails(write: Callable[[], object]) -> bool:
    """Whether a write that must not be carried out is refused because of its condition."""
    try:
        write()
    except (NotAsExpectedError, RefusedError):
        return True
    return False


def _refuses(bucket: Bucket, key: str, **sums: Any) -> bool:
    """Whether a body is refused whose checksum is wrong."""
    try:
        bucket.put(key, b"1", **sums)
    except StoreUnavailableError as error:
        if 400 <= int(str(error.facts.get("status", 0))) < 500:
            return True
        raise
    return False
