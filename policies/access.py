"""Who may do what: the one table that decides, for every way in.

Rules kept here
 * What is not allowed here is denied; a role that is not in the table may nothing.
 * A scope takes away and never gives: a key with scopes may what its role and its scopes both allow.
 * Nobody hands out more than the own office: an administrator makes no operators, and whoever is bound to an
   organisation makes keys of that organisation alone.
 * Whose objects somebody may see is not decided here but where objects are looked up: another organisation's is
   answered like one that does not exist.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping


class Permission(enum.StrEnum):
    """What a route or a command asks for."""

    PUBLIC = "public"
    """Needs no key: the interface description, health and readiness, nothing else."""
    DEPOSIT = "deposit"
    """New objects and versions, and the uploads that become them."""
    READ = "read"
    """Objects, their files, evidence, receipts and bundles."""
    SEARCH = "search"
    """Which objects there are, by what their metadata say, and what has changed."""
    TRACE = "trace"
    VERIFY = "verify"
    DESCRIBE = "describe"
    """What the archive offers: profiles."""
    ADMINISTER = "administer"
    """Keys and organisations."""
    OPERATE = "operate"
    """The whole of it: stores, evidence, trail, destruction, legal holds."""


MAY: Mapping[str, frozenset[Permission]] = {
    "depositor": frozenset({Permission.DEPOSIT, Permission.READ, Permission.SEARCH, Permission.DESCRIBE}),
    "auditor": frozenset(
        {Permission.READ, Permission.SEARCH, Permission.TRACE, Permission.VERIFY, Permission.DESCRIBE}
    ),
    "operator": frozenset(Permission) - {Permission.PUBLIC},
    "administrator": frozenset({Permission.ADMINISTER, Permission.DESCRIBE}),
}
"""The one table: role to permissions."""

ROLES: tuple[str, ...] = tuple(MAY)
SCOPES: tuple[str, ...] = tuple(str(one) for one in Permission if one is not Permission.PUBLIC)
"""What a key can be narrowed to."""

BOUND_ROLES = frozenset({"depositor"})
"""Roles that somebody can have in an organisation only."""


def allowed(role: str, scopes: Collection[str] | None, permission: Permission) -> bool:
    """Whether a role, narrowed to scopes (None: not narrowed), has a permission."""
    return permission in MAY.get(role, frozenset()) and (scopes is None or str(permission) in scopes)


def may_grant(role: str, originator: str | None, *, to_role: str, to_originator: str | None) -> bool:
    """Whether somebody of a role, bound to an originator or to none, may make a key of another role."""
    if Permission.ADMINISTER not in MAY.get(role, frozenset()):
        return False
    if originator is not None and to_originator != originator:
        return False
    return role == "operator" or to_role != "operator"


def may_manage(role: str, originator: str | None) -> bool:
    """Whether somebody may say which organisations there are and how much they may have: whoever administers the
    whole, and nobody who is bound to one of them."""
    return originator is None and Permission.ADMINISTER in MAY.get(role, frozenset())


COMMANDS: Mapping[str, Permission] = {
    "init": Permission.OPERATE,
    "serve": Permission.OPERATE,
    "work": Permission.OPERATE,
    "deposit": Permission.DEPOSIT,
    "update": Permission.DEPOSIT,
    "preserve": Permission.OPERATE,
    "status": Permission.OPERATE,
    "list": Permission.READ,
    "show": Permission.READ,
    "retrieve": Permission.READ,
    "evidence": Permission.READ,
    "receipt": Permission.READ,
    "export": Permission.READ,
    "sealed-copy": Permission.READ,
    "verify": Permission.VERIFY,
    "destroy": Permission.OPERATE,
    "hold": Permission.OPERATE,
    "quarantine": Permission.OPERATE,
    "lists": Permission.OPERATE,
    "audit": Permission.OPERATE,
    "repair": Permission.OPERATE,
    "trace": Permission.TRACE,
    "profiles": Permission.DESCRIBE,
    "rebuild-catalogue": Permission.OPERATE,
    "backup": Permission.OPERATE,
    "restore": Permission.OPERATE,
    "algorithms": Permission.DESCRIBE,
    "examine": Permission.PUBLIC,
    "examination": Permission.READ,
    "upgrade": Permission.OPERATE,
    "doctor": Permission.OPERATE,
    "changes": Permission.SEARCH,
    "search": Permission.SEARCH,
    "webhooks": Permission.OPERATE,
    "keys": Permission.ADMINISTER,
    "organisations": Permission.ADMINISTER,
    "stores": Permission.OPERATE,
    "fixity": Permission.OPERATE,
    "renewal": Permission.OPERATE,
}
"""The same for the command line, by the first word of a command. Whoever owns the home runs it as its operator; a
command that is not here does not run."""


def command_permission(words: str) -> Permission | None:
    """What a command asks for, by its words joined with `-` (`keys-create`); None for one that nobody decided on."""
    return COMMANDS.get(words) or COMMANDS.get(words.partition("-")[0])
