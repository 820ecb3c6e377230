"""The proof that a bucket keeps legal holds: a version that is held, and attacked.

Rules kept here
 * A held version without any lock must survive whoever may bypass locks, one by one and in a batch; once it is
   released it must go, or what was lifted would stay for ever.
 * A server that knows no legal holds has none, whatever else it locks. One that gives no answer proves nothing.
 * The canary lies beside the root; one that an interruption left is released and removed by the next probe.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress

from archive_core.errors import ArchiveError, StoreUnavailableError
from archive_core.ports import LockAttack
from storage_backends.s3_bucket import Bucket, Kept

_BYTES = b"whoever can delete this could delete any document under a legal hold\n"
_NOT_KNOWN = 501


def attacked_hold(bucket: Bucket, prefix: str) -> tuple[LockAttack, ...]:
    """What became of each attack on a held canary whose key begins with the prefix. Raises `StoreUnavailableError`
    when the server did not answer."""
    _clear(bucket, prefix)
    kept = bucket.put(f"{prefix}{uuid.uuid4().hex}", _BYTES)
    set_ = _tried("hold a version", lambda: bucket.hold(kept.key, kept.version, True), refused_is_good=False)
    if not set_.held:
        bucket.delete(kept.key, kept.version)
        return (set_,)
    attacks = [_tried("forget the hold", lambda: _require_shown(bucket, kept), refused_is_good=False)]
    for name, attack in (
        ("delete a held version", lambda: bucket.delete(kept.key, kept.version, BypassGovernanceRetention=True)),
        ("delete a held version in a batch", lambda: _require_deleted(bucket, kept)),
    ):
        attacks.append(_tried(name, attack, refused_is_good=True))
    if all(attack.held for attack in attacks):
        attacks.append(_tried("release a version", lambda: _released(bucket, kept), refused_is_good=False))
    return (set_, *attacks)


def _require_shown(bucket: Bucket, kept: Kept) -> None:
    if not bucket.is_on_hold(kept.key, kept.version):
        raise StoreUnavailableError("not held", store=bucket.name, error="it shows no hold", status=404)


def _released(bucket: Bucket, kept: Kept) -> None:
    bucket.hold(kept.key, kept.version, False)
    bucket.delete(kept.key, kept.version)


def _require_deleted(bucket: Bucket, kept: Kept) -> None:
    for code in bucket.delete_many([kept]).values():
        raise StoreUnavailableError("refused in a batch", store=bucket.name, error=code, status=403)


def _tried(name: str, act: Callable[[], object], *, refused_is_good: bool) -> LockAttack:
    """One step: whether the server refused it, or did it, as it should. What is no answer raises."""
    try:
        act()
    except StoreUnavailableError as error:
        status = int(str(error.facts.get("status", 0)))
        if not (400 <= status < 500 or status == _NOT_KNOWN):
            raise
        return LockAttack(name, refused_is_good, str(error.facts.get("error", "")))
    return LockAttack(name, not refused_is_good, "the server did it")


def _clear(bucket: Bucket, prefix: str) -> None:
    for kept in list(bucket.versions(prefix)):
        with suppress(ArchiveError):  # another time
            _released(bucket, kept)
