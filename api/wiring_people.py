"""Whose tokens are taken, from the settings."""

from __future__ import annotations

from datetime import datetime

from api.settings import ArchiveSettings
from api.wiring_signing import connection
from archive_core.people import GoodClaims, Judge, PeopleRules
from signing.oidc import KeyFetch, ProviderKeys, TokenJudge


def build_judge(settings: ArchiveSettings) -> Judge | None:
    """What judges people's tokens; None when the settings name no provider."""
    oidc = settings.oidc
    if oidc is None:
        return None
    how = connection(settings.home, oidc.connection, "oidc")
    fetch = KeyFetch(
        oidc.keys,
        timeout=how.timeout,
        tls=how.tls,
        credentials=None,
        proxy=how.proxy,
        proxy_credentials=how.proxy_credentials,
    )
    judge = TokenJudge(
        issuer=oidc.issuer, audience=oidc.audience, algorithms=oidc.algorithms, keys=ProviderKeys(fetch.fetch)
    )

    def judged(token: str, at: datetime) -> GoodClaims:
        return judge.judge(token, at=at)

    return judged


def build_people_rules(settings: ArchiveSettings) -> PeopleRules:
    oidc = settings.oidc
    if oidc is None:
        return PeopleRules()
    return PeopleRules(
        role_claim=oidc.role_claim,
        organisation_claim=oidc.organisation_claim,
        roles=oidc.roles,
        all_organisations=oidc.all_organisations,
        name_claim=oidc.name_claim,
    )
