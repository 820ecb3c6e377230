"""The permission table and the key in the Authorization header."""

from __future__ import annotations

import pytest

from api.auth import MAY, Permission, bearer_key, require
from archive_core.errors import NotPermittedError, UnauthenticatedError
from archive_core.lifecycle import Actor

ALLOWED = {
    "depositor": {"deposit", "read", "describe"},
    "auditor": {"read", "trace", "verify", "describe"},
    "operator": {"deposit", "read", "trace", "verify", "describe", "operate"},
}


@pytest.mark.parametrize("role", ["depositor", "auditor", "operator", "none", "", "OPERATOR"])
@pytest.mark.parametrize("permission", list(Permission))
def test_the_table_is_what_was_decided(role: str, permission: Permission) -> None:
    """Each role may do what it may, and an unknown role nothing."""
    actor = Actor(actor_id="x", role=role)
    if permission in ALLOWED.get(role, set()):
        require(actor, permission)
    else:
        with pytest.raises(NotPermittedError):
            require(actor, permission)

    assert set(ALLOWED) == set(MAY)


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER  abc", " Bearer abc "])
def test_a_bearer_key_is_found(header: str) -> None:
    """The scheme is case-insensitive (RFC 9110 11.1)."""
    assert bearer_key(header) == "abc"


@pytest.mark.parametrize(
    "header",
    [None, "", "abc", "Basic abc", "Bearer", "Bearer ", "Bearer a b", "Bearer č", "Bearer a\tb", "Bearer " + "a" * 600],
)
def test_anything_else_is_no_key(header: str | None) -> None:
    """Another scheme, several words, foreign letters or an endless key are refused."""
    with pytest.raises(UnauthenticatedError):
        bearer_key(header)
