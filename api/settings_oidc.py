"""The settings of people's logins: `[oidc]` names one OpenID provider whose access tokens are taken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from api.settings_services import ConnectionSettings, read_connection
from api.settings_table import SETTINGS_FILE, Table
from archive_core.errors import SettingsError
from policies.access import ROLES

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_ADDRESS = re.compile(r"https?://[^\s/@?#]+(/[^\s#]*)?")


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """The OpenID provider whose access tokens are taken from people. Without this table none are."""

    issuer: str
    """What `iss` of tokens must be, to the letter."""
    audience: str
    """What must be in `aud` of tokens."""
    keys: str
    """The `http://` or `https://` address of the provider's JWK set; nothing else is asked."""
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    """Signature algorithms of tokens; some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA."""
    role_claim: str = "roles"
    """The claim that says the role."""
    organisation_claim: str = "organisation"
    """The claim that says whose documents somebody may see."""
    name_claim: str = "preferred_username"
    """The claim with the name that is kept in the erasable detail of the trail."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """From values of the claim to roles here; at least one."""
    all_organisations: str = ""
    """The value of `organisation_claim` that stands for all; empty: none does."""
    connection: ConnectionSettings = field(default_factory=ConnectionSettings)


def read_oidc(table: Table) -> OidcSettings:
    """The settings of the provider; raises `SettingsError` naming what to change."""
    settings = OidcSettings(
        issuer=table.take("issuer", str),
        audience=table.take("audience", str),
        keys=table.take("keys", str),
        algorithms=tuple(str(one) for one in table.take("algorithms", list, ["RS256", "PS256", "ES256", "EdDSA"])),
        role_claim=table.take("role_claim", str, "roles"),
        organisation_claim=table.take("organisation_claim", str, "organisation"),
        name_claim=table.take("name_claim", str, "preferred_username"),
        roles={str(name): str(role) for name, role in table.take("roles", dict, {}).items()},
        all_organisations=table.take("all_organisations", str, ""),
        connection=read_connection(table),
    )
    table.done()
    where = f"{SETTINGS_FILE} [oidc]"
    if not settings.issuer or not settings.audience:
        raise SettingsError(f"{where}: issuer and audience are not empty")
    if not _ADDRESS.fullmatch(settings.keys):
        raise SettingsError(f"{where}: keys is the http:// or https:// address of the provider's JWK set")
    if not settings.algorithms or set(settings.algorithms) - set(ALGORITHMS):
        raise SettingsError(f"{where}: algorithms are some of {', '.join(ALGORITHMS)}")
    if not settings.roles or set(settings.roles.values()) - set(ROLES):
        raise SettingsError(f"{where}: roles maps values of the claim {settings.role_claim!a} to {', '.join(ROLES)}")
    return settings
