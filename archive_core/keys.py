"""API keys: who may knock, as which role, for which organisation, how long and how often.

Rules kept here
 * A secret is shown once, when it is made; kept is its SHA-512. A secret has 256 random bits, so a
   fast hash is enough and there is nothing to guess. The kept hash and that of what is presented are
   compared in constant time.
 * A revoked key, one that ended and an unknown key are the same to whoever tries them.
 * A key that is in constant use is looked up a few times a second and not at every request: a revocation
   by another process is felt within `REMEMBERED` seconds, one by this process at once.
 * Making, replacing and revoking a key is in the trail, on every store, before it is acknowledged.
 * A key that replaces another one may what that one may, and is good as long as that was from its making. Both are
   good while they overlap; the old one never longer than it was by itself.
 * Nobody makes, sees or ends keys of another organisation, unless bound to none (`policies.access`).
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import KeyRow
from archive_core.digests import hash_bytes
from archive_core.errors import (
    ConflictError,
    NotFoundError,
    NotPermittedError,
    UnauthenticatedError,
    UsageError,
)
from archive_core.identifiers import new_token
from archive_core.lifecycle import Actor
from archive_core.ports import Clock
from archive_core.sequencer import Sequencer
from archive_core.trail.events import EventType, Outcome
from policies.access import BOUND_ROLES, ROLES, SCOPES, may_grant

PREFIX = "ta_"
MAX_SECRET = 200
MAX_LABEL = 200
MAX_RATE = 1_000_000
MOST_REMEMBERED = 1000
REMEMBERED = 0.2
"""Seconds for which a key that was found good is not looked up again."""

TOUCH_INTERVAL = timedelta(minutes=1)
"""How exact `last used` is: a key in constant use does not write to the catalogue at every request."""

OVERLAP = timedelta(days=7)
"""How long a key that is replaced goes on being good when nothing else is said."""
MAX_OVERLAP = timedelta(days=366)
NO_KEY = "There is no such key."


class Keys:
    """The keys of an archive."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        sequencer: Sequencer,
        require_active: Callable[[str], object] = lambda originator: None,
    ) -> None:
        """`require_active` raises for an organisation that nothing is taken in for."""
        self._clock = clock
        self._catalogue = catalogue
        self._sequencer = sequencer
        self._require_active = require_active
        self._good: dict[str, tuple[float, KeyRow]] = {}

    def create(
        self,
        *,
        label: str,
        role: str,
        originator: str | None,
        actor: Actor,
        expires: datetime | None = None,
        scopes: Collection[str] | None = None,
        rate_per_minute: int | None = None,
    ) -> tuple[KeyRow, str]:
        """A new key and its secret, which is never shown again. A key without originator sees every
        organisation; a depositor may not have one. It is good until `expires`, may of its role only what
        `scopes` name, and has so many requests a minute answered. Raises `UsageError` or `NotPermittedError`."""
        if role not in ROLES:
            raise UsageError(f"a role is one of {', '.join(ROLES)}, not {role[:40]!a}")
        if originator is None and role in BOUND_ROLES:
            raise UsageError("a depositor's key is bound to an organisation: name it")
        if not may_grant(actor.role, actor.originator, to_role=role, to_originator=originator):
            raise NotPermittedError("nobody makes keys that may more than the own one", role=role)
        if originator is not None:
            self._require_active(originator)
        row, secret = self._made(
            KeyRow(
                key_id="",
                key_hash="",
                label=label,
                originator=originator,
                role=role,
                created=self._clock.now(),
                expires=expires,
                scopes=_scopes(scopes),
                rate_per_minute=rate_per_minute,
            )
        )
        self._record(EventType.KEY_CREATION, row, actor)
        self._catalogue.add_key(row)
        return row, secret

    def rotate(self, key_id: str, *, overlap: timedelta = OVERLAP, actor: Actor) -> tuple[KeyRow, KeyRow, str]:
        """The key that ends after the overlap, the one that follows it, and the secret of that. Raises
        `NotFoundError`, or `ConflictError` for a key that is good no more."""
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            raise UsageError(f"keys overlap for 0 to {MAX_OVERLAP.days} days")
        at, old = self._clock.now(), self.get(key_id, actor=actor)
        if not may_grant(actor.role, actor.originator, to_role=old.role, to_originator=old.originator):
            raise NotPermittedError("nobody makes keys that may more than the own one", role=old.role)
        if not _is_good(old, at):
            raise ConflictError("the key is good no more: make a new one", key_id=key_id)
        until = at + (old.expires - old.created) if old.expires else None
        row, secret = self._made(replace(old, created=at, expires=until, replaces=old.key_id, last_used=None))
        self._record(EventType.KEY_CREATION, row, actor, replaces=old.key_id)
        ends = min(at + overlap, old.expires) if old.expires else at + overlap
        ended = self._catalogue.replace_key(row, ends)
        self._good.clear()
        return ended, row, secret

    def revoke(self, key_id: str, *, actor: Actor) -> KeyRow:
        """Revoke a key at once; raises `NotFoundError` or `NotPermittedError`."""
        known = self.get(key_id, actor=actor)
        if not may_grant(actor.role, actor.originator, to_role=known.role, to_originator=known.originator):
            raise NotPermittedError("this key cannot be revoked with yours", role=known.role)
        row = self._catalogue.revoke_key(key_id, self._clock.now())
        self._good.clear()
        self._record(EventType.KEY_REVOCATION, row, actor)
        return row

    def get(self, key_id: str, *, actor: Actor) -> KeyRow:
        """A key that the actor may see; raises `NotFoundError`."""
        try:
            row = self._catalogue.key(key_id)
        except NotFoundError:
            raise NotFoundError(NO_KEY) from None
        if actor.originator not in (None, row.originator):
            raise NotFoundError(NO_KEY)
        return row

    def list(self, *, actor: Actor | None = None) -> list[KeyRow]:
        """All keys that the actor may see, revoked ones too, oldest first."""
        whose = actor.originator if actor else None
        known = self._catalogue.keys()
        return [row for row in known if whose in (None, row.originator)]

    def is_good(self, row: KeyRow) -> bool:
        """Whether the key opens anything now."""
        return _is_good(row, self._clock.now())

    def authenticate(self, secret: str) -> Actor:
        """Who presents this secret; raises `UnauthenticatedError`."""
        if not 0 < len(secret) <= MAX_SECRET:
            raise UnauthenticatedError
        key_hash = _hash(secret)
        found, row = self._good.get(key_hash, (0.0, None))
        if row is None or time.monotonic() - found > REMEMBERED:
            row = self._looked_up(key_hash)
        return _actor(row)

    def stood_for(self, key_id: str) -> Actor:
        """Who somebody is that was recognised otherwise, by something that stands for this key; raises
        `UnauthenticatedError` unless the key is good."""
        try:
            row, at = self._catalogue.key(key_id), self._clock.now()
        except NotFoundError:
            raise UnauthenticatedError from None
        if not _is_good(row, at):
            raise UnauthenticatedError
        if _is_stale(row.last_used, at):
            self._catalogue.touch_key(row.key_id, at)
        return _actor(row)

    def _looked_up(self, key_hash: str) -> KeyRow:
        began = time.monotonic()
        self._good.pop(key_hash, None)
        row, at = self._catalogue.key_by_hash(key_hash), self._clock.now()
        if row is None or not hmac.compare_digest(row.key_hash, key_hash) or not _is_good(row, at):
            raise UnauthenticatedError
        if _is_stale(row.last_used, at):
            self._catalogue.touch_key(row.key_id, at)
        if len(self._good) >= MOST_REMEMBERED:
            self._good.clear()
        self._good[key_hash] = began, row
        return row

    def _made(self, wanted: KeyRow) -> tuple[KeyRow, str]:
        """A key with an identity and a secret of its own."""
        if not 0 < len(wanted.label) <= MAX_LABEL:
            raise UsageError(f"a label has 1 to {MAX_LABEL} characters")
        if wanted.expires is not None and wanted.expires <= wanted.created:
            raise UsageError("the key would have ended already")
        if wanted.rate_per_minute is not None and not 1 <= wanted.rate_per_minute <= MAX_RATE:
            raise UsageError(f"a limit of requests a minute is a whole number from 1 to {MAX_RATE}")
        secret = PREFIX + secrets.token_urlsafe(32)
        return replace(wanted, key_id=f"key-{new_token()[:16]}", key_hash=_hash(secret)), secret

    def _record(self, type_: EventType, row: KeyRow, actor: Actor, **more: str) -> None:
        self._sequencer.record(
            type_,
            Outcome.SUCCESS,
            row.role,
            actor=actor,
            subject=row.key_id,
            detail={"label": row.label, "organisation": row.originator or "", **more},
        )
        self._sequencer.flush()


def _scopes(scopes: Collection[str] | None) -> list[str] | None:
    if scopes is None:
        return None
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise UsageError(f"scopes are some of {', '.join(SCOPES)}", unknown=[one[:40] for one in unknown])
    return sorted(set(scopes))


def _actor(row: KeyRow) -> Actor:
    scopes = frozenset(row.scopes) if row.scopes is not None else None
    return Actor(row.key_id, row.role, row.originator, scopes=scopes, rate_per_minute=row.rate_per_minute)


def _hash(secret: str) -> str:
    return hash_bytes("sha512", secret.encode("utf-8", "replace")).hex()


def _is_good(row: KeyRow, at: datetime) -> bool:
    return row.revoked_at is None and (row.expires is None or at < row.expires)


def _is_stale(last: datetime | None, at: datetime) -> bool:
    return last is None or at - last > TOUCH_INTERVAL
