"""The door of the HTTP interface: a credential that is looked at before the body, and what it may do.

Rules kept here
 * What a role may do stands in one table, `policies.access`. A route without a declared permission does not
   start; a permission that no role has is refused to everybody.
 * The key is checked before the route is even known: without one there is no telling which exist.
 * A key, or a person's token, stands in `Authorization: Bearer …` (RFC 6750 2.1) and nowhere else; it is never logged.
 * Whose objects an actor may see is decided below, by the archive, not here.
"""

from __future__ import annotations

import re
from typing import Protocol

from archive_core.errors import NotPermittedError, UnauthenticatedError
from archive_core.lifecycle import Actor
from archive_core.people import looks_like_token
from policies.access import MAY as MAY
from policies.access import Permission as Permission
from policies.access import allowed

MAX_HEADER = 512
"""Characters of an Authorization header with a key that are looked at."""
MAX_TOKEN_HEADER = 8300
"""The same for a header with a token (a JSON Web Token: two points)."""

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]+)", re.IGNORECASE | re.ASCII)


class Authenticator(Protocol):
    def authenticate(self, secret: str) -> Actor: ...


def bearer_key(authorization: str | None) -> str:
    """The key in an Authorization header; raises `UnauthenticatedError`."""
    if not authorization:
        raise UnauthenticatedError
    most = MAX_TOKEN_HEADER if looks_like_token(authorization) else MAX_HEADER
    match = _BEARER.fullmatch(authorization.strip()) if len(authorization) <= most else None
    if match is None:
        raise UnauthenticatedError("send the key as `Authorization: Bearer KEY`")
    return match[1]


def authenticated(archive: Authenticator, authorization: str | None) -> Actor:
    """The actor behind the key; raises `UnauthenticatedError`."""
    return archive.authenticate(bearer_key(authorization))


def require(actor: Actor, permission: Permission) -> None:
    """Raises `NotPermittedError` unless the actor's role and scopes have the permission."""
    if not allowed(actor.role, actor.scopes, permission):
        raise NotPermittedError(role=actor.role, needed=str(permission))
