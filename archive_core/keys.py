"""API keys: who may knock, as which role, for which organisation.

Rules kept here
 * A secret is shown once, when it is made; kept is its SHA-512. A secret has 256 random bits, so a
   fast hash is enough and there is nothing to guess.
 * A revoked key and an unknown key are the same to whoever tries them.
 * A key that is in constant use is looked up a few times a second and not at every request: a revocation
   by another process is felt within `REMEMBERED` seconds, one by this process at once.
 * Making and revoking a key is in the trail, on every store, before it is acknowledged.
"""

from __future__ import annotations

import secrets
import time
from datetime import datetime, timedelta

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import KeyRow
from archive_core.digests import hash_bytes
from archive_core.errors import UnauthenticatedError, UsageError
from archive_core.identifiers import new_token
from archive_core.lifecycle import Actor
from archive_core.ports import Clock
from archive_core.sequencer import Sequencer
from archive_core.trail.events import EventType, Outcome

ROLES = ("depositor", "auditor", "operator")
PREFIX = "ta_"
MAX_SECRET = 200
MAX_LABEL = 200
MOST_REMEMBERED = 1000
REMEMBERED = 0.2
"""Seconds for which a key that was found good is not looked up again."""

TOUCH_INTERVAL = timedelta(minutes=1)
"""How exact `last used` is: a key in constant use does not write to the catalogue at every request."""


class Keys:
    """The keys of an archive."""

    def __init__(self, *, clock: Clock, catalogue: Catalogue, sequencer: Sequencer) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._sequencer = sequencer
        self._good: dict[str, tuple[float, KeyRow]] = {}

    def create(self, *, label: str, role: str, originator: str | None, actor: Actor) -> tuple[KeyRow, str]:
        """A new key and its secret, which is never shown again. A key without originator sees every
        organisation; only operators and auditors may have one. Raises `UsageError`."""
        if role not in ROLES:
            raise UsageError(f"a role is one of {', '.join(ROLES)}, not {role[:40]!a}")
        if originator is None and role == "depositor":
            raise UsageError("a depositor's key is bound to an organisation: name it")
        if not 0 < len(label) <= MAX_LABEL:
            raise UsageError(f"a label has 1 to {MAX_LABEL} characters")
        secret = PREFIX + secrets.token_urlsafe(32)
        row = KeyRow(
            key_id=f"key-{new_token()[:16]}",
            key_hash=_hash(secret),
            label=label,
            originator=originator,
            role=role,
            created=self._clock.now(),
        )
        self._record(EventType.KEY_CREATION, row, actor)
        self._catalogue.add_key(row)
        return row, secret

    def revoke(self, key_id: str, *, actor: Actor) -> KeyRow:
        """Revoke a key at once; raises `NotFoundError`."""
        row = self._catalogue.revoke_key(key_id, self._clock.now())
        self._good.clear()
        self._record(EventType.KEY_REVOCATION, row, actor)
        return row

    def list(self) -> list[KeyRow]:
        return self._catalogue.keys()

    def authenticate(self, secret: str) -> Actor:
        """Who presents this secret; raises `UnauthenticatedError`."""
        if not 0 < len(secret) <= MAX_SECRET:
            raise UnauthenticatedError
        key_hash = _hash(secret)
        found, row = self._good.get(key_hash, (0.0, None))
        if row is None or time.monotonic() - found > REMEMBERED:
            row = self._looked_up(key_hash)
        return Actor(row.key_id, row.role, row.originator)

    def _looked_up(self, key_hash: str) -> KeyRow:
        began = time.monotonic()
        self._good.pop(key_hash, None)
        row = self._catalogue.key_by_hash(key_hash)
        if row is None or row.revoked_at is not None:
            raise UnauthenticatedError
        at = self._clock.now()
        if _is_stale(row.last_used, at):
            self._catalogue.touch_key(row.key_id, at)
        if len(self._good) >= MOST_REMEMBERED:
            self._good.clear()
        self._good[key_hash] = began, row
        return row

    def _record(self, type_: EventType, row: KeyRow, actor: Actor) -> None:
        self._sequencer.record(
            type_, Outcome.SUCCESS, row.role, actor=actor, subject=row.key_id, detail={"label": row.label}
        )
        self._sequencer.flush()


def _hash(secret: str) -> str:
    return hash_bytes("sha512", secret.encode("utf-8", "replace")).hex()


def _is_stale(last: datetime | None, at: datetime) -> bool:
    return last is None or at - last > TOUCH_INTERVAL
