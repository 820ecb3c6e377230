"""The door of the HTTP interface: a credential that is looked at before the body, and what it may do.

Rules kept here
 * What a role may do stands in one table, `policies.access`. A route without a declared permission does not
   start; a permission that no role has is refused to everybody.
 * The key is checked before the route is even known: without one there is no telling which exist.
 * A key, or a person's token, stands in `Authorization: Bearer …` (RFC 6750 2.1) and nowhere else; it is never logged.
   Without one a client certificate may stand for a key, where the settings say so (`api.client_certificates`).
 * Whose objects an actor may see is decided below, by the archive, not here.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Protocol

from api.client_certificates import ClientCertificates, Headers, verify_own_site
from archive_core.errors import CertificateRefusedError, NotPermittedError, UnauthenticatedError
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

    def stood_for(self, key_id: str) -> Actor: ...


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


def admitted(
    archive: Authenticator,
    certificates: ClientCertificates | None,
    headers: Headers,
    peer: str | None,
    *,
    at: datetime,
) -> Actor:
    """Who makes a request, by its headers and the address it comes from; raises `UnauthenticatedError`."""
    authorization = headers.get("Authorization")
    key_id = certificates.key_id(headers, peer, at=at) if certificates is not None else None
    if authorization is not None or key_id is None:
        return authenticated(archive, authorization)
    verify_own_site(headers)
    if not key_id:
        raise CertificateRefusedError("the certificate stands for no key here", reason="unknown")
    try:
        return archive.stood_for(key_id)
    except UnauthenticatedError:
        raise CertificateRefusedError("the certificate stands for a key that opens nothing", reason="key") from None


def require(actor: Actor, permission: Permission) -> None:
    """Raises `NotPermittedError` unless the actor's role and scopes have the permission."""
    if not allowed(actor.role, actor.scopes, permission):
        raise NotPermittedError(role=actor.role, needed=str(permission))
