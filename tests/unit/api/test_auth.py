"""The key in the Authorization header."""

from __future__ import annotations

import pytest

from api.auth import Permission, bearer_key, require
from archive_core.errors import NotPermittedError, UnauthenticatedError
from archive_core.lifecycle import Actor


@pytest.mark.parametrize("permission", list(Permission))
def test_what_the_table_denies_is_refused(permission: Permission) -> None:
    """An unknown role may nothing, and scopes narrow a role that may all."""
    with pytest.raises(NotPermittedError):
        require(Actor(actor_id="x", role="none"), permission)
    with pytest.raises(NotPermittedError):
        require(Actor(actor_id="x", role="operator", scopes=frozenset()), permission)
    if permission is not Permission.PUBLIC:
        require(Actor(actor_id="x", role="operator"), permission)
        require(Actor(actor_id="x", role="operator", scopes=frozenset({str(permission)})), permission)


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
