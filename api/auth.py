"""Who may do what over HTTP: one table, and a key that is looked at before the body.

Rules kept here
 * A route without a declared permission does not start; a permission that no role has is refused to
   everybody. What is not allowed here is denied.
 * The key is checked before the route is even known: without one there is no telling which exist.
 * A key stands in `Authorization: Bearer KEY` (RFC 6750 2.1) and nowhere else; it is never logged.
 * Whose objects an actor may see is decided below, by the archive, not here.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Protocol

from archive_core.errors import NotPermittedError, UnauthenticatedError
from archive_core.lifecycle import Actor

MAX_HEADER = 512
"""Characters of an Authorization header that are looked at."""

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]+)", re.IGNORECASE | re.ASCII)


class Permission(enum.StrEnum):
    """What a route asks for."""

    PUBLIC = "public"
    """Needs no key: the interface description, health and readiness, nothing else."""
    DEPOSIT = "deposit"
    READ = "read"
    """Objects, their files, evidence, receipts and bundles."""
    TRACE = "trace"
    VERIFY = "verify"
    DESCRIBE = "describe"
    """What the archive offers: profiles."""
    OPERATE = "operate"


MAY: Mapping[str, frozenset[Permission]] = {
    "depositor": frozenset({Permission.DEPOSIT, Permission.READ, Permission.DESCRIBE}),
    "auditor": frozenset({Permission.READ, Permission.TRACE, Permission.VERIFY, Permission.DESCRIBE}),
    "operator": frozenset(Permission) - {Permission.PUBLIC},
}
"""The one table: role to permissions."""


class Authenticator(Protocol):
    def authenticate(self, secret: str) -> Actor: ...


def bearer_key(authorization: str | None) -> str:
    """The key in an Authorization header; raises `UnauthenticatedError`."""
    if not authorization:
        raise UnauthenticatedError
    match = _BEARER.fullmatch(authorization.strip()) if len(authorization) <= MAX_HEADER else None
    if match is None:
        raise UnauthenticatedError("send the key as `Authorization: Bearer KEY`")
    return match[1]


def authenticated(archive: Authenticator, authorization: str | None) -> Actor:
    """The actor behind the key; raises `UnauthenticatedError`."""
    return archive.authenticate(bearer_key(authorization))


def require(actor: Actor, permission: Permission) -> None:
    """Raises `NotPermittedError` unless the actor's role has the permission."""
    if permission not in MAY.get(actor.role, frozenset()):
        raise NotPermittedError(role=actor.role, needed=str(permission))
