"""Object lock of a bucket: versions that nobody can delete, and the proof that this is so.

Rules kept here
 * A lock is set on versions, and only ever made longer. What it protects are the bytes that were acknowledged; a later
   version beside them harms nothing.
 * Locks are believed only after a canary was attacked in every way that would let bytes go. The canary lies beside the
   root, is locked for seconds, and is removed by a later probe.
 * A governance lock yields to whoever has the right to bypass it: that is said and not counted as held against them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from archive_core.errors import ArchiveError, SettingsError, StoreUnavailableError
from archive_core.ports import LockAttack, LockProbe
from storage_backends.s3 import S3Store
from storage_backends.s3_bucket import Bucket, Kept
from storage_backends.s3_client import RefusedError, S3Place
from storage_backends.s3_holds import attacked_hold

CANARY_LIFE = timedelta(seconds=90)
"""How long a canary is locked: long enough for the attacks, with clocks that differ."""
_BYTES = b"whoever can change or delete this could do so with any document\n"
_TOGETHER = 200


class LockingS3Store(S3Store):
    """An `S3Store` that locks what it is told to (`Locks`)."""

    def __init__(self, name: str, place: S3Place, mode: str) -> None:
        """`mode` is COMPLIANCE or GOVERNANCE."""
        super().__init__(name, place)
        self._mode = mode

    @property
    def lock_mode(self) -> str:
        return self._mode.lower()

    def lock_object(self, object_path: str, until: datetime) -> int:
        """Lock every version below an object's path at least until an instant; returns how many there are."""
        versions = [kept for kept in self._bucket.versions(f"{self._start}{object_path}/") if not kept.deleted]
        until = until.replace(microsecond=0) + timedelta(seconds=1)
        self._pool.all(lambda kept: self._lock_version(kept, until), versions)
        return len(versions)

    def _lock_version(self, kept: Kept, until: datetime) -> None:
        try:
            self._bucket.retain(kept.key, kept.version, self._mode, until)
        except RefusedError as error:
            found = self._bucket.retention(kept.key, kept.version)  # a longer lock is not shortened
            if found.until is None or found.until < until or found.mode != self._mode:
                raise StoreUnavailableError(
                    f"store {self._name} does not lock: {error}", store=self._name, key=ascii(kept.key)
                ) from error

    def locked_until(self, object_path: str) -> datetime | None:
        """Until when all versions below an object's path are locked; None when one of them is not."""
        versions = [kept for kept in self._bucket.versions(f"{self._start}{object_path}/") if not kept.deleted]
        ends = [
            found.until if found.mode == self._mode else None
            for found in self._pool.all(lambda kept: self._bucket.retention(kept.key, kept.version), versions)
        ]
        known = [end for end in ends if end is not None]
        return min(known) if known and len(known) == len(ends) else None

    def hold_object(self, object_path: str, on: bool) -> int:
        """Set or lift the legal hold of every version below an object's path; returns how many there are. A server that
        does not show it afterwards does not hold: `StoreUnavailableError`."""
        versions = self._versions(object_path)
        self._pool.all(lambda kept: self._bucket.hold(kept.key, kept.version, on), versions)
        if versions and self.is_on_hold(object_path) is not on:
            raise StoreUnavailableError(
                f"store {self._name} does not {'keep' if on else 'lift'} legal holds", store=self._name
            )
        return len(versions)

    def is_on_hold(self, object_path: str) -> bool | None:
        """Whether every version below an object's path is under a legal hold; None when only some are."""
        versions = self._versions(object_path)
        found = set(self._pool.all(lambda kept: self._bucket.is_on_hold(kept.key, kept.version), versions))
        return None if len(found) > 1 else True in found

    def _versions(self, object_path: str) -> list[Kept]:
        return [kept for kept in self._bucket.versions(f"{self._start}{object_path}/") if not kept.deleted]

    def probe_locks(self) -> LockProbe:
        """Lock a canary and attack it, then a held one; see `Canary` and `attacked_hold`. Raises
        `StoreUnavailableError` and `SettingsError`."""
        if not self.capabilities.locks:
            raise SettingsError("the bucket cannot lock objects: that is said when a bucket is made", store=self._name)
        probe = Canary(self._bucket, f"{self._beside}canary-", self._mode).attacked()
        return replace(probe, holding=attacked_hold(self._bucket, f"{self._beside}held-"))


class Canary:
    """A locked object that must survive everything that is tried on it."""

    def __init__(self, bucket: Bucket, prefix: str, mode: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._mode = mode
        self._key = f"{prefix}{uuid.uuid4().hex}"
        self._until = datetime.now(UTC).replace(microsecond=0) + CANARY_LIFE
        self._locked: list[Kept] = []

    def attacked(self) -> LockProbe:
        """Plant, attack, look. Old canaries are removed as far as their locks have ended."""
        self._clear()
        self._locked = [self._planted(), self._planted_in_parts()]
        attacks = [self._lock_is_shown()]
        attacks += [self._tried(name, attack) for name, attack in self._attacks()]
        attacks.append(self._survived())
        return LockProbe(self._mode.lower(), tuple(attacks))

    def _planted(self) -> Kept:
        kept = self._bucket.put(self._key, _BYTES)
        self._bucket.retain(self._key, kept.version, self._mode, self._until)
        return kept

    def _planted_in_parts(self) -> Kept:
        key = f"{self._key}-parts"
        upload = self._bucket.begin(key)
        kept = self._bucket.complete(key, upload, [self._bucket.put_part(key, upload, 1, _BYTES)])
        self._bucket.retain(key, kept.version, self._mode, self._until)
        return kept

    def _lock_is_shown(self) -> LockAttack:
        """A server that takes a lock and forgets it has none."""
        for kept in self._locked:
            found = self._bucket.retention(kept.key, kept.version)
            if found.mode != self._mode or found.until is None or found.until < self._until:
                return LockAttack("forget the lock", False, f"it shows {found.mode} until {found.until}")
        return LockAttack("forget the lock", True, "")

    def _attacks(self) -> Iterator[tuple[str, Callable[[], object]]]:
        bucket, mode = self._bucket, self._mode
        for kept, way in zip(self._locked, ("", " that came in parts"), strict=True):
            key, version = kept.key, kept.version
            yield f"delete a version{way}", lambda k=key, v=version: bucket.delete(k, v)  # type: ignore[misc]
            yield (
                f"delete a version{way} in a batch",
                lambda one=kept: _require_deleted(bucket, one),  # type: ignore[misc]
            )
            earlier = self._until - timedelta(seconds=60)
            yield (
                f"shorten the lock of a version{way}",
                lambda k=key, v=version, u=earlier: bucket.retain(k, v, mode, u),  # type: ignore[misc]
            )
        key, version = self._locked[0].key, self._locked[0].version
        if mode == "COMPLIANCE":
            yield "delete with the right to bypass", lambda: bucket.delete(key, version, BypassGovernanceRetention=True)
            yield (
                "shorten with the right to bypass",
                lambda: bucket.retain(key, version, mode, self._until - timedelta(seconds=60), bypass=True),
            )
            yield (
                "change the mode",
                lambda: bucket.retain(key, version, "GOVERNANCE", self._until + timedelta(seconds=1), bypass=True),
            )
        yield "remove the lock", lambda: bucket.remove_retention(key, version)
        yield "switch versioning off", self._suspend

    def _suspend(self) -> None:
        self._bucket.suspend_versioning()
        self._bucket.keep_versions()  # the server let us: put it back, and say so

    def _tried(self, name: str, attack: Callable[[], object]) -> LockAttack:
        """One attack: held when the server refuses it. What is no answer is no proof either: it raises."""
        try:
            attack()
        except RefusedError as error:
            return LockAttack(name, True, str(error.facts.get("error", "")))
        except StoreUnavailableError as error:
            if 400 <= int(str(error.facts.get("status", 0))) < 500:
                return LockAttack(name, True, str(error.facts.get("error", "")))
            raise
        return LockAttack(name, False, "the server did it")

    def _survived(self) -> LockAttack:
        """What may be done to a locked object, an overwrite and a marker in front of it, leaves its bytes."""
        name = "overwrite, also in parts, or hide"
        for kept in self._locked:
            self._bucket.put(kept.key, b"other")
            upload = self._bucket.begin(kept.key)
            self._bucket.complete(kept.key, upload, [self._bucket.put_part(kept.key, upload, 1, b"other")])
            self._bucket.delete(kept.key)
            again = self._tried(name, lambda k=kept: self._bucket.delete(k.key, k.version))  # type: ignore[misc]
            if not again.held:
                return again
            try:
                same = self._bucket.read(kept.key, version=kept.version) == _BYTES
            except StoreUnavailableError as error:
                if int(str(error.facts.get("status", 0))) != 404:
                    raise
                same = False
            found = self._bucket.retention(kept.key, kept.version) if same else None
            if found is None or found.mode != self._mode or found.until is None or found.until < self._until:
                return LockAttack(name, False, "the locked version is not what it was")
        return LockAttack(name, True, "")

    def _clear(self) -> None:
        for kept in list(self._bucket.versions(self._prefix))[:_TOGETHER]:
            with suppress(ArchiveError):  # still locked: another time
                self._bucket.delete(kept.key, kept.version)


def _require_deleted(bucket: Bucket, kept: Kept) -> None:
    refused = bucket.delete_many([kept])
    if refused:
        code = next(iter(refused.values()))
        raise RefusedError("refused in a batch", store=bucket.name, error=code, status=403)
