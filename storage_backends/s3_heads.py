"""Heads of objects in a bucket: root inventories and their sidecars, replaced only where the expected one stands.

Rules kept here
 * Where the server honours conditions, a head takes the place of the very object that was compared; else the caller
   holds the lease.
 * Read back before it counts. A sidecar is written only for the inventory that stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archive_core.digests import Digest, digest_stream
from archive_core.errors import ConcurrentChangeError, FixityError, StoreUnavailableError
from archive_core.ports import NewHead
from storage_backends.s3_bucket import Bucket, Kept
from storage_backends.s3_client import NotAsExpectedError, NotThereError
from storage_backends.s3_reading import found, opened

INVENTORY = "inventory.json"


@dataclass(frozen=True, slots=True)
class Present:
    """What stands where a head is to be; `done` when it is that very head."""

    kept: Kept | None
    done: bool


class Heads:
    """`right` says whether writes are to carry conditions, and raises when they may not be made at all."""

    def __init__(self, bucket: Bucket, start: str, right: Callable[[], bool]) -> None:
        self._bucket = bucket
        self._start = start
        self._right = right

    def compare(self, head: NewHead) -> Present:
        """What stands where the head is to be, if that is what was expected, or the head itself already."""
        try:
            kept, stream = found(self._bucket, f"{self._start}{head.object_path}/{INVENTORY}")
        except NotThereError:
            kept, digest = None, None
        else:
            with stream:
                digest = digest_stream(stream, ["sha512"])[0]["sha512"]
        if digest == Digest.of("sha512", head.inventory):
            return Present(kept, True)
        if digest != head.expected:
            raise self._changed(head)
        return Present(kept, False)

    def _changed(self, head: NewHead) -> ConcurrentChangeError:
        return ConcurrentChangeError(
            "the root inventory is not the one that was to be replaced",
            store=self._bucket.name,
            object_path=head.object_path,
            expected=str(head.expected),
        )

    def replace(self, item: tuple[NewHead, Present]) -> None:
        head, present = item
        if present.done:
            return
        key = f"{self._start}{head.object_path}/{INVENTORY}"
        try:
            kept = self._put_instead(key, head.inventory, present.kept)
        except (NotAsExpectedError, NotThereError) as error:
            if self._holds(key, head.inventory):
                return
            raise self._changed(head) from error
        self._require_kept(kept, head.inventory)

    def place(self, head: NewHead) -> None:
        """The head of an object of which nothing was there when the caller looked, under the same right to write."""
        self.replace((head, Present(None, False)))
        try:
            kept = self._put_instead(f"{self._start}{head.object_path}/{head.sidecar_name}", head.sidecar, None)
        except NotAsExpectedError:
            self.replace_sidecar(head)
            return
        self._require_kept(kept, head.sidecar)

    def replace_sidecar(self, head: NewHead) -> None:
        """Write the sidecar that belongs to the inventory, unless another writer has replaced that meanwhile."""
        key = f"{self._start}{head.object_path}/{head.sidecar_name}"
        for _ in range(5):
            present = self._bucket.first(key)
            present = present if present is not None and present.key == key else None
            if present is not None and self._holds(key, head.sidecar):
                return
            inventory = f"{self._start}{head.object_path}/{INVENTORY}"
            if self._right() and not self._holds(inventory, head.inventory):
                return  # the sidecar is another's to write
            try:
                kept = self._put_instead(key, head.sidecar, present)
            except (NotAsExpectedError, NotThereError):
                continue
            self._require_kept(kept, head.sidecar)
            return
        raise StoreUnavailableError("others keep changing a sidecar", store=self._bucket.name, key=ascii(key))

    def _put_instead(self, key: str, data: bytes, present: Kept | None) -> Kept:
        """Put bytes where `present` stands, or nothing."""
        if not self._right():
            return self._bucket.put(key, data)
        return self._bucket.put(key, data, absent=present is None, etag=present.etag if present else "")

    def _holds(self, key: str, data: bytes) -> bool:
        try:
            with opened(self._bucket, key) as stream:
                return stream.read(len(data) + 1) == data
        except NotThereError:
            return False

    def _require_kept(self, kept: Kept, data: bytes) -> None:
        with opened(self._bucket, kept.key, version=kept.version) as stream:
            if stream.read(len(data) + 1) != data and (kept.version or not self._right()):
                raise FixityError("what was written does not read back", store=self._bucket.name, key=ascii(kept.key))
