"""One bucket of an S3-compatible server: requests with their answers turned into words of ours.

Rules kept here
 * Only errors of `s3_client` get out, which are all `StoreUnavailableError`.
 * An entity tag is a token for "still the same object" and never a digest.
 * What is sent carries Content-MD5 and, where the server checks it, SHA-256; what a server does not check is
   found out by reading back, which is the store's work.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

from archive_core.errors import SettingsError, StoreUnavailableError
from storage_backends.s3_client import NotThereError, RefusedError, S3Place, new_client, translated

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Kept:
    """An object as the server keeps it; `version` is empty where the bucket has no versions."""

    key: str
    size: int = 0
    etag: str = ""
    version: str = ""
    latest: bool = True
    deleted: bool = False
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an upload as the server took it; `sha256` (base64) is there where the server checked it."""

    etag: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an object, still to be read, from byte `start` on."""

    kept: Kept
    body: BinaryIO = field(repr=False)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a version is locked: `mode` is COMPLIANCE or GOVERNANCE, None for not at all."""

    mode: str | None
    until: datetime | None


class Bucket:
    """Requests to one bucket; safe for use by many threads."""

    def __init__(self, name: str, place: S3Place) -> None:
        """`name` is that of the store, for messages."""
        self.name = name
        self.place = place
        self.checks_sha256 = False
        """Whether SHA-256 is sent along: set by whoever found out that the server checks it."""
        self._client: Any = None

    # -- objects ----------------------------------------------------------------------------------

    def put(self, key: str, data: bytes, *, absent: bool = False, etag: str = "", **more: Any) -> Kept:
        """Keep bytes under a key. With `absent` only where nothing is, with `etag` only instead of that very object:
        else `NotAsExpectedError`, if the server honours conditions at all."""
        more |= {"IfNoneMatch": "*"} if absent else {"IfMatch": etag} if etag else {}
        with self._asking("put", key) as client:
            told = client.put_object(Bucket=self.place.bucket, Key=key, Body=data, **self._sums(data) | more)
        return Kept(key, len(data), told.get("ETag", ""), told.get("VersionId", ""))

    def get(self, key: str, *, version: str = "", etag: str = "", start: int = 0) -> Answer:
        """The object under a key; raises `NotThereError`, and `NotAsExpectedError` when it is not that one."""
        more = {"VersionId": version} if version else {}
        more |= {"IfMatch": etag} if etag else {}
        more |= {"Range": f"bytes={start}-"} if start else {}
        with self._asking("get", key) as client:
            told = client.get_object(Bucket=self.place.bucket, Key=key, **more)
        size = start + int(told["ContentLength"])
        if start and not str(told.get("ContentRange", "")).startswith(f"bytes {start}-"):
            raise StoreUnavailableError("the server answered with another range", store=self.name, key=ascii(key))
        return Answer(Kept(key, size, told.get("ETag", ""), told.get("VersionId", "")), told["Body"])

    def read(self, key: str, *, version: str = "", limit: int = 1 << 20) -> bytes:
        """All bytes of a small object; at most one over the limit."""
        answer = self.get(key, version=version)
        with self._asking("get", key):
            try:
                data = answer.body.read(limit + 1)
            finally:
                answer.body.close()
        if len(data) < min(answer.kept.size, limit + 1):
            raise StoreUnavailableError("the answer of the server ended early", store=self.name, key=ascii(key))
        return data

    def delete(self, key: str, version: str = "", **more: Any) -> None:
        """Delete an object, or one version for good; without `version` a versioned bucket only hides it."""
        more |= {"VersionId": version} if version else {}
        with self._asking("delete", key) as client:
            client.delete_object(Bucket=self.place.bucket, Key=key, **more)

    def delete_many(self, kept: Sequence[Kept], **more: Any) -> dict[tuple[str, str], str]:
        """Delete versions in one request; returns those that were refused, with the server's code."""
        wanted = [{"Key": one.key} | ({"VersionId": one.version} if one.version else {}) for one in kept]
        with self._asking("delete", "") as client:
            told = client.delete_objects(Bucket=self.place.bucket, Delete={"Objects": wanted}, **more)
        return {(one["Key"], one.get("VersionId", "")): one.get("Code", "") for one in told.get("Errors", [])}

    # -- lists ------------------------------------------------------------------------------------

    def entries(self, prefix: str, *, end: str = "", page: int = PAGE) -> Iterator[Kept]:
        """Present objects whose keys begin with `prefix`, in order of their UTF-8 bytes, as far as `end`."""
        for told in self._pages("list_objects_v2", prefix, "NextContinuationToken", "ContinuationToken", MaxKeys=page):
            for one in told.get("Contents", []):
                if end and one["Key"] >= end:
                    return
                yield Kept(one["Key"], int(one["Size"]), one.get("ETag", ""), "", modified=one.get("LastModified"))

    def first(self, prefix: str) -> Kept | None:
        """The first present object whose key begins with `prefix`."""
        return next(self.entries(prefix, page=1), None)

    def names(self, prefix: str) -> tuple[list[str], list[str]]:
        """What lies directly below `prefix`: keys of objects, and prefixes that end in a slash."""
        objects: list[str] = []
        prefixes: list[str] = []
        pages = self._pages("list_objects_v2", prefix, "NextContinuationToken", "ContinuationToken", Delimiter="/")
        for told in pages:
            objects += [one["Key"] for one in told.get("Contents", [])]
            prefixes += [one["Prefix"] for one in told.get("CommonPrefixes", [])]
        return objects, prefixes

    def versions(self, prefix: str, *, exact: bool = False) -> Iterator[Kept]:
        """All versions and delete markers of keys that begin with `prefix` (or of that key alone); those of one key
        newest first."""
        marks: dict[str, Any] = {}
        while True:
            with self._asking("list versions", prefix) as client:
                told = client.list_object_versions(Bucket=self.place.bucket, Prefix=prefix, MaxKeys=PAGE, **marks)
            found = [_version(one) for one in told.get("Versions", [])]
            found += [_version(one, deleted=True) for one in told.get("DeleteMarkers", [])]
            if exact and any(one.key != prefix for one in found):
                yield from (one for one in found if one.key == prefix)
                return  # keys come in order: there are no more of this one
            yield from found
            if not told.get("IsTruncated"):
                return
            marks = {"KeyMarker": told["NextKeyMarker"]}
            if told.get("NextVersionIdMarker"):
                marks["VersionIdMarker"] = told["NextVersionIdMarker"]

    # -- many parts -------------------------------------------------------------------------------

    def begin(self, key: str, **more: Any) -> str:
        """Begin an upload in parts; returns its id. Nothing shows under the key before `complete`."""
        more |= {"ChecksumAlgorithm": "SHA256"} if self.checks_sha256 else {}
        with self._asking("put", key) as client:
            return str(client.create_multipart_upload(Bucket=self.place.bucket, Key=key, **more)["UploadId"])

    def put_part(self, key: str, upload: str, number: int, data: bytes) -> Part:
        """Send one part, with the checksums that the server compares."""
        sums = self._sums(data)
        with self._asking("put", key) as client:
            told = client.upload_part(
                Bucket=self.place.bucket, Key=key, UploadId=upload, PartNumber=number, Body=data, **sums
            )
        return Part(str(told["ETag"]), sums.get("ChecksumSHA256", ""))

    def complete(self, key: str, upload: str, sent: Sequence[Part], *, absent: bool = False, etag: str = "") -> Kept:
        """Make the parts one object; `absent` and `etag` as with `put`."""
        parts = [
            {"PartNumber": number, "ETag": one.etag} | ({"ChecksumSHA256": one.sha256} if one.sha256 else {})
            for number, one in enumerate(sent, 1)
        ]
        more = {"IfNoneMatch": "*"} if absent else {"IfMatch": etag} if etag else {}
        with self._asking("put", key) as client:
            told = client.complete_multipart_upload(
                Bucket=self.place.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **more
            )
        return Kept(key, 0, told.get("ETag", ""), told.get("VersionId", ""))

    def abort(self, key: str, upload: str) -> None:
        """Give up an upload in parts; one that is not there counts as given up."""
        try:
            with self._asking("abort", key) as client:
                client.abort_multipart_upload(Bucket=self.place.bucket, Key=key, UploadId=upload)
        except NotThereError:
            return

    def uploads(self, prefix: str) -> list[tuple[str, str, datetime]]:
        """Uploads in parts that were begun and not ended: key, id, beginning."""
        found = []
        marks: dict[str, Any] = {}
        while True:
            with self._asking("list uploads", prefix) as client:
                told = client.list_multipart_uploads(Bucket=self.place.bucket, Prefix=prefix, **marks)
            found += [(one["Key"], one["UploadId"], one["Initiated"]) for one in told.get("Uploads", [])]
            if not told.get("IsTruncated"):
                return found
            marks = {"KeyMarker": told["NextKeyMarker"], "UploadIdMarker": told["NextUploadIdMarker"]}

    # -- the bucket and its locks -----------------------------------------------------------------

    def is_versioned(self) -> bool:
        """Whether overwriting and deleting keeps what was there."""
        with self._asking("look at", "") as client:
            return bool(client.get_bucket_versioning(Bucket=self.place.bucket).get("Status") == "Enabled")

    def lock_rule(self) -> tuple[bool, str | None]:
        """Whether the bucket can lock objects, and the mode of its default retention (None: it has none)."""
        try:
            with self._asking("look at", "") as client:
                told = client.get_object_lock_configuration(Bucket=self.place.bucket)["ObjectLockConfiguration"]
        except (NotThereError, RefusedError):
            return False, None
        rule = told.get("Rule", {}).get("DefaultRetention", {})
        return told.get("ObjectLockEnabled") == "Enabled", rule.get("Mode")

    def retention(self, key: str, version: str) -> Retention:
        """The lock of one version."""
        try:
            with self._asking("look at", key) as client:
                told = client.get_object_retention(Bucket=self.place.bucket, Key=key, VersionId=version)
        except NotThereError as error:
            if error.facts.get("error") == "NoSuchVersion":
                raise
            return Retention(None, None)
        found = told.get("Retention", {})
        return Retention(found.get("Mode"), found.get("RetainUntilDate"))

    def retain(self, key: str, version: str, mode: str, until: datetime, *, bypass: bool = False) -> None:
        """Lock one version until an instant. Raises `RefusedError` when the server would have to weaken a lock."""
        more = {"BypassGovernanceRetention": True} if bypass else {}
        with self._asking("lock", key) as client:
            client.put_object_retention(
                Bucket=self.place.bucket,
                Key=key,
                VersionId=version,
                Retention={"Mode": mode, "RetainUntilDate": until},
                **more,
            )

    def remove_retention(self, key: str, version: str) -> None:
        """Ask the server to forget a lock: of one that is in force it must refuse that."""
        with self._asking("unlock", key) as client:
            client.put_object_retention(
                Bucket=self.place.bucket, Key=key, VersionId=version, Retention={}, BypassGovernanceRetention=False
            )

    def hold(self, key: str, version: str, on: bool) -> None:
        """Set or lift the legal hold of one version."""
        with self._asking("hold", key) as client:
            client.put_object_legal_hold(
                Bucket=self.place.bucket, Key=key, VersionId=version, LegalHold={"Status": "ON" if on else "OFF"}
            )

    def is_on_hold(self, key: str, version: str) -> bool:
        """Whether one version is under a legal hold."""
        try:
            with self._asking("look at", key) as client:
                told = client.get_object_legal_hold(Bucket=self.place.bucket, Key=key, VersionId=version)
        except NotThereError as error:
            if error.facts.get("error") == "NoSuchVersion":
                raise
            return False
        return bool(told.get("LegalHold", {}).get("Status") == "ON")

    def suspend_versioning(self) -> None:
        """Ask the server to keep no versions any more: of a locked bucket it must refuse that."""
        with self._asking("change", "") as client:
            client.put_bucket_versioning(Bucket=self.place.bucket, VersioningConfiguration={"Status": "Suspended"})

    def keep_versions(self) -> None:
        """Ask the server to keep versions."""
        with self._asking("change", "") as client:
            client.put_bucket_versioning(Bucket=self.place.bucket, VersioningConfiguration={"Status": "Enabled"})

    # -- common -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of connections. A later request gets new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _sums(self, data: bytes) -> dict[str, str]:
        sums = {"ContentMD5": _base64(hashlib.md5(data, usedforsecurity=False).digest())}
        if self.checks_sha256:
            sums["ChecksumSHA256"] = _base64(hashlib.sha256(data).digest())
        return sums

    def _pages(self, verb: str, prefix: str, told_as: str, asked_as: str, **more: Any) -> Iterator[Mapping[str, Any]]:
        marks: dict[str, Any] = {}
        while True:
            with self._asking("list", prefix) as client:
                told = getattr(client, verb)(Bucket=self.place.bucket, Prefix=prefix, **more, **marks)
            yield told
            if not told.get("IsTruncated"):
                return
            if more.get("MaxKeys") == 1:
                more["MaxKeys"] = PAGE
            marks = {asked_as: told[told_as]}

    @contextmanager
    def _asking(self, verb: str, key: str) -> Iterator[Any]:
        """A client for one request, whose errors become ours."""
        if self._client is None:
            self._client = new_client(self.place, self.name)
        try:
            yield self._client
        except (StoreUnavailableError, SettingsError):
            raise
        except Exception as error:
            raise translated(error, self.name, verb, key) from error


def _version(one: Mapping[str, Any], *, deleted: bool = False) -> Kept:
    return Kept(
        one["Key"],
        int(one.get("Size", 0)),
        one.get("ETag", ""),
        one.get("VersionId", ""),
        bool(one.get("IsLatest")),
        deleted,
        one.get("LastModified"),
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
