"""The one table that decides who may do what."""

from __future__ import annotations

import pytest

from api.cli.commands import _PLACES
from policies.access import (
    MAY,
    ROLES,
    SCOPES,
    Permission,
    allowed,
    command_permission,
    may_grant,
    may_manage,
)

DECIDED = {
    "depositor": {"deposit", "read", "search", "describe"},
    "auditor": {"read", "search", "trace", "verify", "describe"},
    "operator": {"deposit", "read", "search", "trace", "verify", "describe", "administer", "operate"},
    "administrator": {"administer", "describe"},
}
ORG, OTHER = "70891508", "00064581"


def test_the_table_is_what_was_decided() -> None:
    """Each role may what it may; nothing more, and no role is missing."""
    assert {role: {str(one) for one in permissions} for role, permissions in MAY.items()} == DECIDED
    assert set(ROLES) == set(DECIDED)
    assert set(SCOPES) == DECIDED["operator"]


@pytest.mark.parametrize("role", ["none", "", "OPERATOR", "operator "])
def test_a_role_that_is_not_in_the_table_may_nothing(role: str) -> None:
    """Not even with every scope there is."""
    assert not any(allowed(role, scopes, one) for one in Permission for scopes in (None, SCOPES))
    assert not may_grant(role, None, to_role="depositor", to_originator=ORG)
    assert not may_manage(role, None)


@pytest.mark.parametrize("role", ROLES)
def test_scopes_take_away_and_never_give(role: str) -> None:
    """A single scope leaves what role and scope both allow; all scopes leave the role; none leaves nothing."""
    for permission in Permission:
        assert allowed(role, SCOPES, permission) == allowed(role, None, permission)
        assert not allowed(role, (), permission)
        for scope in SCOPES:
            assert allowed(role, (scope,), permission) == (str(permission) == scope and scope in DECIDED[role])


@pytest.mark.parametrize("role", ["depositor", "auditor"])
def test_who_may_not_administer_makes_no_keys(role: str) -> None:
    """Whatever for."""
    assert not any(may_grant(role, whose, to_role=to, to_originator=ORG) for whose in (None, ORG) for to in ROLES)


def test_nobody_hands_out_more_than_the_own_office() -> None:
    """An administrator makes no operators; who is bound to an organisation makes keys of that one alone."""
    for to in ROLES:
        assert may_grant("operator", None, to_role=to, to_originator=ORG)
        assert may_grant("operator", ORG, to_role=to, to_originator=ORG)
        assert may_grant("administrator", ORG, to_role=to, to_originator=ORG) == (to != "operator")
        for role in ("operator", "administrator"):
            assert not may_grant(role, ORG, to_role=to, to_originator=OTHER)
            assert not may_grant(role, ORG, to_role=to, to_originator=None)


def test_organisations_are_managed_by_who_is_bound_to_none() -> None:
    """Nobody raises the own quota."""
    assert may_manage("operator", None)
    assert may_manage("administrator", None)
    assert not may_manage("operator", ORG)
    assert not may_manage("administrator", ORG)


def test_every_command_is_decided_on() -> None:
    """A command that nobody decided on has no permission, and then it does not run."""
    assert [words for words in _PLACES if command_permission(words) is None] == []
    assert command_permission("new-thing") is None
