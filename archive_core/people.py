"""People who come with a token of an OpenID provider, as actors.

Rules kept here
 * What a person may do follows from two claims that the settings name: a role, and an organisation. One that is absent,
   unknown or said twice is no role; without an organisation nobody sees anything. Only the value that the settings name
   for it stands for all organisations.
 * In the trail a person is an opaque number, the same at each visit; who it is stands in the erasable detail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from archive_core.errors import TokenRefusedError, UnauthenticatedError
from archive_core.lifecycle import Actor
from archive_core.ports import Clock
from policies.access import BOUND_ROLES, MAY


class GoodClaims(Protocol):
    @property
    def issuer(self) -> str: ...

    @property
    def subject(self) -> str: ...

    @property
    def every(self) -> Mapping[str, Any]: ...


Judge = Callable[[str, datetime], GoodClaims]
"""Judges a token as of an instant; raises `TokenRefusedError` or `UnavailableError`."""


@dataclass(frozen=True, slots=True)
class PeopleRules:
    """Which claims say what. `roles` maps values of the role's claim to roles; `all_organisations` is the value of the
    organisation's claim that stands for all of them, empty for none that does."""

    role_claim: str = "roles"
    organisation_claim: str = "organisation"
    roles: Mapping[str, str] = field(default_factory=dict)
    all_organisations: str = ""
    name_claim: str = "preferred_username"


def looks_like_token(secret: str) -> bool:
    """Whether a credential is a JSON Web Token and no key: a key has no points."""
    return secret.count(".") == 2


class People:
    """Tokens to actors."""

    def __init__(self, *, clock: Clock, judge: Judge | None, rules: PeopleRules) -> None:
        self._clock = clock
        self._judge = judge
        self._rules = rules

    @property
    def welcome(self) -> bool:
        """Whether the settings name a provider at all."""
        return self._judge is not None

    def authenticate(self, token: str) -> Actor:
        """Who comes with this token; raises `UnauthenticatedError` or `UnavailableError`."""
        if self._judge is None:
            raise UnauthenticatedError
        claims = self._judge(token, self._clock.now())
        role, originator = self._role(claims.every), self._organisation(claims.every)
        if originator is None and role in BOUND_ROLES:
            raise TokenRefusedError("a depositor belongs to one organisation", reason="organisation")
        who = hashlib.sha256(f"{claims.issuer}\n{claims.subject}".encode()).hexdigest()[:24]
        name = claims.every.get(self._rules.name_claim)
        detail = {"issuer": claims.issuer[:200], "subject": claims.subject}
        if isinstance(name, str):
            detail["name"] = name[:200]
        return Actor(f"person-{who}", role, originator, detail)

    def _role(self, claims: Mapping[str, Any]) -> str:
        given = claims.get(self._rules.role_claim)
        values = given if isinstance(given, list) else [given]
        found = {self._rules.roles[one] for one in values if isinstance(one, str) and one in self._rules.roles}
        if len(found) != 1 or not found <= MAY.keys():
            raise TokenRefusedError("the token gives no role here, or more than one", reason="role")
        return found.pop()

    def _organisation(self, claims: Mapping[str, Any]) -> str | None:
        given = claims.get(self._rules.organisation_claim)
        if not isinstance(given, str) or not 0 < len(given) <= 64:
            raise TokenRefusedError("the token names no organisation", reason="organisation")
        return None if self._rules.all_organisations and given == self._rules.all_organisations else given
