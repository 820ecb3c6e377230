"""A storage root in a bucket of an S3-compatible server.

Rules kept here
 * The root is everything below `<prefix>/`. Probes, canaries and the lease lie beside it, below `<prefix>.beside/`.
 * A key never changes: it is written where nothing is, by a conditional write where the server honours conditions,
   else under the lease after looking. A head is replaced only where the expected one is.
 * Sources are verified before anything shows, and every object is read back by its version before a verb returns.
   Entity tags and checksums of the server are never taken for fixity.
 * Of a group, the first file shows before the others and the last after them.
 * A removed key keeps no version, as far as no lock forbids it; where one does, the key is hidden.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from archive_core.digests import Digest, digest_stream
from archive_core.errors import (
    AlreadyExistsError,
    ConcurrentChangeError,
    FixityError,
    StoreUnavailableError,
    UnknownObjectError,
    UsageError,
)
from archive_core.ports import NewFile, NewHead, NewObject, PutBack, StoredEntry
from storage_backends.keys import check_key, check_new_key, check_new_keys, check_new_objects, check_prefix
from storage_backends.s3_bucket import Bucket, Kept
from storage_backends.s3_capabilities import Capabilities, probed
from storage_backends.s3_client import NotAsExpectedError, NotThereError, RefusedError, S3Place
from storage_backends.s3_heads import INVENTORY, Heads
from storage_backends.s3_lease import Lease
from storage_backends.s3_pool import Pool
from storage_backends.s3_reading import found, opened
from storage_backends.s3_tree import S3Tree, ancestors, is_text
from storage_backends.s3_uploads import Upload, completed, reads_back, uploads

MAX_KEY_BYTES = 1024
"""What S3 takes as a key."""
ABANDONED = timedelta(days=1)
"""An upload in parts that was begun longer ago than this and not ended is a leftover."""
_KNOWN = 100_000
"""Directories of which is remembered that no file has their key."""
_DEPTH = 3


class S3Store:
    """One OCFL storage root in a bucket; keeps every promise of `ObjectStore`."""

    def __init__(
        self, name: str, place: S3Place, *, bucket: Bucket | None = None, capabilities: Capabilities | None = None
    ) -> None:
        """`bucket` and `capabilities` may be shared by stores of one bucket; else they are made and tried."""
        self._name = name
        self._bucket = bucket or Bucket(name, place)
        self._start = f"{place.prefix}/"
        self._beside = f"{place.prefix}.beside/"
        self._lease = Lease(self._bucket, f"{self._beside}lease")
        self._capabilities = capabilities
        self._lock = threading.Lock()
        self._pool = Pool(f"s3-{name}", place.connections)
        self.side_by_side = max(1, place.connections // 2)
        self._tree = S3Tree(self._bucket, self._start)
        self._heads = Heads(self._bucket, self._start, self._require_right)
        self._directories: OrderedDict[str, None] = OrderedDict()

    @property
    def name(self) -> str:
        return self._name

    @property
    def bucket(self) -> Bucket:
        """For what locks and probes this store."""
        return self._bucket

    @property
    def start(self) -> str:
        """What all keys of the root begin with, in the bucket."""
        return self._start

    @property
    def aside(self) -> str:
        """What all keys begin with that belong to this store and do not lie in its root."""
        return self._beside

    @property
    def longest_key(self) -> int:
        return MAX_KEY_BYTES - len(self._start.encode())

    def beside(self, what: str) -> S3Store:
        if len(check_new_key(what)) > 1:
            raise UsageError("not a plain name", name=ascii(what)[:200])
        place = replace(self._bucket.place, prefix=f"{self._beside}{what}")
        return S3Store(self._name, place, bucket=self._bucket, capabilities=self._capabilities)

    @property
    def capabilities(self) -> Capabilities:
        """What the server does, tried when first asked for. Raises as `probed`."""
        with self._lock:
            if self._capabilities is None:
                self._capabilities = probed(self._bucket, f"{self._beside}probe-")
                self._bucket.checks_sha256 = self._capabilities.sha256
            return self._capabilities

    # -- files --------------------------------------------------------------------------------

    def put_new(self, files: Sequence[NewFile]) -> None:
        self._check_new([file.key for file in files])
        if not files:
            return
        _ = self.capabilities
        with uploads(self._bucket, self._start, files) as ready, self._alone():
            keys = list(ready)
            there = self._survey(keys)
            self._pool.all(self._require_same, [ready[key] for key in keys if key in there])
            self._publish([ready[key] for key in keys if key not in there])
            self._remember(keys)

    def _publish(self, fresh: Sequence[Upload]) -> None:
        """Files of which nothing was there: the first before the others, the last after them, all read back."""
        kept = [self._show(upload) for upload in fresh[:1]]
        kept += self._pool.all(self._show, fresh[1:-1])
        kept += [self._show(upload) for upload in fresh[1:][-1:]]
        self._pool.all(self._read_back, list(zip(fresh, kept, strict=True)))

    def _require_same(self, upload: Upload) -> None:
        """What lies under a key are the expected bytes; raises when they are not."""
        with self._tree.open(upload.file.key) as stream:
            if reads_back(stream, upload):
                return
        raise AlreadyExistsError("that key holds other bytes", store=self._name, key=upload.file.key)

    def _show(self, upload: Upload) -> Kept | None:
        """Give a file its key; None when another writer gave the same bytes that key."""
        absent = self._require_right()
        try:
            return completed(self._bucket, self._start + upload.file.key, upload, absent=absent)
        except NotAsExpectedError as error:
            try:
                self._require_same(upload)
            except UnknownObjectError:
                raise StoreUnavailableError(
                    "another writer is at the same key", store=self._name, key=upload.file.key
                ) from error
            return None

    def _read_back(self, shown: tuple[Upload, Kept | None]) -> None:
        upload, kept = shown
        if kept is None:
            return
        with opened(self._bucket, kept.key, version=kept.version) as stream:
            if reads_back(stream, upload):
                return
        self._bucket.delete(kept.key, kept.version)
        raise FixityError("what was written does not read back with the expected digest", key=upload.file.key)

    # -- heads --------------------------------------------------------------------------------

    def replace_head(
        self, object_path: str, inventory: bytes, sidecar: bytes, sidecar_name: str, *, expected: Digest | None
    ) -> None:
        self.replace_heads([NewHead(object_path, inventory, sidecar, sidecar_name, expected)])

    def replace_heads(self, heads: Sequence[NewHead]) -> None:
        check_new_keys(head.object_path for head in heads)
        for head in heads:
            self._check_new([f"{head.object_path}/{INVENTORY}", f"{head.object_path}/{head.sidecar_name}"])
        if not heads:
            return
        _ = self.capabilities
        with self._alone():
            paths = [head.object_path for head in heads]
            self._require_directories({*paths, *ancestors(paths)})
            present = self._pool.all(self._heads.compare, heads)
            self._pool.all(self._heads.replace, list(zip(heads, present, strict=True)))
            self._pool.all(self._heads.replace_sidecar, heads)
            self._remember([f"{path}/{INVENTORY}" for path in paths])

    # -- whole objects --------------------------------------------------------------------------

    def put_objects(self, objects: Sequence[NewObject]) -> None:
        check_new_objects(objects)
        self._check_new([file.key for item in objects for file in item.files])
        if not objects:
            return
        _ = self.capabilities
        with uploads(self._bucket, self._start, [f for item in objects for f in item.files]) as ready, self._alone():
            keys = set(ready)
            if keys & ancestors(keys):
                raise AlreadyExistsError("a file and a directory would have one key", store=self._name)
            paths = [item.head.object_path for item in objects]
            self._require_directories(ancestors(paths))
            met = self._pool.all(lambda path: bool(self._tree.below(path)), paths)
            for item, there in zip(objects, met, strict=True):
                if there:
                    self.put_new(item.files)
                    self.replace_heads([item.head])
            fresh = [item for item, there in zip(objects, met, strict=True) if not there]
            sets = [[ready[file.key] for file in item.files] for item in fresh]
            if len(sets) == 1:
                self._publish(sets[0])
            else:
                self._pool.all(self._publish_in_turn, sets)
            self._remember(keys)
            self._pool.all(self._heads.place, [item.head for item in fresh])

    def _publish_in_turn(self, fresh: Sequence[Upload]) -> None:
        """As `_publish`, by one thread."""
        kept = [self._show(upload) for upload in fresh]
        for pair in zip(fresh, kept, strict=True):
            self._read_back(pair)

    # -- repair ---------------------------------------------------------------------------------

    def put_back(self, files: Sequence[PutBack]) -> None:
        self._check_new([item.file.key for item in files])
        if not files:
            return
        _ = self.capabilities
        with uploads(self._bucket, self._start, [item.file for item in files]) as ready, self._alone():
            self._survey(list(ready))
            for item in files:  # in the order given: what is not as it was found ends it
                self._put_back(item, ready[item.file.key])
            self._remember(ready)

    def _put_back(self, item: PutBack, upload: Upload) -> None:
        key = self._start + item.file.key
        present, lies = self._look(key, item)
        if lies == item.file.expected.value:
            return
        if not item.unreadable and lies != (item.before.value if item.before else None):
            raise ConcurrentChangeError("a file changed while it was to be put back", store=self._name, key=ascii(key))
        conditions = self._require_right()
        etag = present.etag if conditions and present else ""
        try:
            kept = completed(self._bucket, key, upload, absent=conditions and present is None, etag=etag)
        except (NotAsExpectedError, NotThereError) as error:
            raise ConcurrentChangeError(
                "a file changed while it was to be put back", store=self._name, key=ascii(key)
            ) from error
        self._read_back((upload, kept))

    def _look(self, key: str, item: PutBack) -> tuple[Kept | None, bytes | None]:
        """What stands under a key, and its digest: that of the good file when it is that, else its sha512."""
        algorithm = item.file.expected.algorithm
        try:
            kept, stream = found(self._bucket, key)
            with stream:
                digests = digest_stream(stream, sorted({algorithm, "sha512"}))[0]
        except NotThereError:
            return None, None
        except StoreUnavailableError:
            if not item.unreadable:
                raise
            return self._bucket.first(key), None
        good = digests[algorithm] == item.file.expected
        return kept, digests[algorithm if good else "sha512"].value

    # -- removal --------------------------------------------------------------------------------

    def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            check_key(key)
        if not keys:
            return
        _ = self.capabilities
        with self._alone():
            self._pool.all(self._remove, [key for key in keys if is_text(key)])

    def _remove(self, key: str) -> None:
        for name in (f"{self._start}{key}", f"{self._start}{key}/"):
            locked = False
            for kept in list(self._bucket.versions(name, exact=True)):
                try:
                    self._bucket.delete(name, kept.version)
                except RefusedError:
                    locked = True
            if locked:
                self._bucket.delete(name)
        for directory in ancestors([key]):
            self._directories.pop(directory, None)

    def purge_object(self, object_path: str) -> None:
        check_key(object_path)
        _ = self.capabilities
        below = f"{self._start}{object_path}/"
        with self._alone():
            for key, upload, _ in self._bucket.uploads(below):
                self._bucket.abort(key, upload)
            refused = self._pool.all(self._purge, list(self._bucket.versions(below)))
            for directory in [key for key in self._directories if f"{key}/".startswith(f"{object_path}/")]:
                self._directories.pop(directory, None)
        if locked := [key for key in refused if key]:
            raise StoreUnavailableError(
                "the store may not delete this yet: it is locked",
                store=self._name,
                object_path=ascii(object_path),
                locked=len(locked),
                first=ascii(min(locked)),
            )

    def _purge(self, kept: Kept) -> str:
        """Delete one version for good; returns its key when that is refused."""
        try:
            self._bucket.delete(kept.key, kept.version)
        except RefusedError:
            return kept.key
        return ""

    # -- reading ------------------------------------------------------------------------------

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        check_key(key)
        return self._tree.open(key)

    def stat(self, key: str) -> StoredEntry | None:
        check_key(key)
        return self._tree.stat(key)

    def list(self, prefix: str = "") -> Iterator[StoredEntry]:
        check_prefix(prefix)
        return self._tree.walk(prefix)

    def read_below(self, prefix: str, most: int) -> Iterator[tuple[StoredEntry, bytes | None]]:
        check_prefix(prefix)
        return self._tree.read_below(prefix, most, self._pool)

    def children(self, prefix: str = "") -> Sequence[str]:
        check_prefix(prefix)
        return self._tree.children(prefix)

    def leftovers(self) -> Sequence[str]:
        return [key.removeprefix(self._start) for key, _, _ in self._abandoned()]

    def clear_leftovers(self) -> Sequence[str]:
        cleared = []
        for key, upload, _ in self._abandoned():
            self._bucket.abort(key, upload)
            cleared.append(key.removeprefix(self._start))
        return cleared

    def _abandoned(self) -> Sequence[tuple[str, str, datetime]]:
        """Uploads in parts that nobody is going to end. Who begins one anew begins another."""
        before = datetime.now(UTC) - ABANDONED
        return [one for one in self._bucket.uploads(self._start) if one[2] < before]

    def close(self) -> None:
        self._pool.close()
        self._bucket.close()

    # -- common -------------------------------------------------------------------------------

    def _alone(self) -> AbstractContextManager[None]:
        """Whatever it takes that what was looked at stays so until it is written."""
        return nullcontext() if self.capabilities.conditions else self._lease.held()

    def _require_right(self) -> bool:
        """Whether a write is to carry a condition; without one, the lease must still be ours."""
        if self.capabilities.conditions:
            return True
        self._lease.require()
        return False

    def _check_new(self, keys: Sequence[str]) -> None:
        check_new_keys(keys)
        for key in keys:
            check_new_key(key)
            if len(key.encode()) > self.longest_key:
                raise UsageError("a storage key is longer than S3 takes (1024 bytes)", key=ascii(key)[:200])

    def _survey(self, keys: Sequence[str]) -> set[str]:
        """Which of the keys are there. Raises `AlreadyExistsError` where a file and a directory would have one key."""
        prefixes = sorted({"/".join(key.split("/")[: max(1, min(_DEPTH, key.count("/")))]) for key in keys})
        there: set[str] = {key for below in self._pool.all(self._tree.below, prefixes) for key in below}
        wanted, above = set(keys), ancestors(keys)
        if above & (there | wanted):
            raise AlreadyExistsError("a file stands where a directory is needed", store=self._name)
        if wanted & ancestors(there):
            raise AlreadyExistsError("something else than a file has that key", store=self._name)
        self._require_directories({key for key in above if key.count("/") < _DEPTH})
        return there & wanted

    def _require_directories(self, keys: Iterable[str]) -> None:
        """None of the keys is a file's."""
        if any(self._pool.all(self._tree.stat, [key for key in keys if key not in self._directories])):
            raise AlreadyExistsError("a file stands where a directory is needed", store=self._name)

    def _remember(self, keys: Iterable[str]) -> None:
        """Keys that are files now have directories above them."""
        with self._lock:
            for key in ancestors(keys):
                self._directories[key] = None
            for key in keys:
                self._directories.pop(key, None)
            while len(self._directories) > _KNOWN:
                self._directories.popitem(last=False)


__all__ = ["ABANDONED", "S3Store"]
