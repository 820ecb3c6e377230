"""People who logged in at an OpenID provider of others: its tokens open what its claims say, and nothing else does."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from api.app import create_app
from api.settings import parse_settings
from api.wiring import build_archive
from signing.oidc import TokenJudge
from tests.foreign_provider import RESOURCE, UNPACKED, ForeignProvider, Tokens, foreign_provider
from tests.integration.http_world import HttpWorld, file, http_world
from tests.vectors import in_ci

pytestmark = [pytest.mark.interop, pytest.mark.slow]

OURS = "70891508"

SETTINGS = """
[oidc]
issuer = "{issuer}"
audience = "{audience}"
keys = "{keys}"
algorithms = ["RS256"]
organisation_claim = "ico"
timeout = 5.0
[oidc.roles]
archivar = "auditor"
podatelna = "depositor"
"""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignProvider]:
    if not (UNPACKED / "usr/bin/glewlwyd").exists():
        if in_ci():
            pytest.fail("the OpenID provider is not unpacked: run tests/interop/install.sh")
        pytest.skip("needs the OpenID provider: run tests/interop/install.sh")
    with foreign_provider(tmp_path_factory.mktemp("provider")) as running:
        running.person("alena", role="archivar", organisation=OURS)
        running.person("bozena", role="podatelna", organisation=OURS)
        running.person("cyril", role="uklizec", organisation=OURS)
        yield running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, provider: ForeignProvider) -> Iterator[HttpWorld]:
    """Set up by what the provider says of itself."""
    with http_world(tmp_path_factory.mktemp("people")) as made:
        said = provider.discovered()
        assert said["issuer"] == provider.issuer
        assert "S256" in said["code_challenge_methods_supported"]
        mine = SETTINGS.format(issuer=said["issuer"], audience=RESOURCE, keys=said["jwks_uri"])
        settings = parse_settings((made.home / "trusted-archive.toml").read_text() + mine, made.home)
        archive = build_archive(settings)
        try:
            yield HttpWorld(made.home, archive, settings, create_app(archive, settings=settings))
        finally:
            archive.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def refused(world: HttpWorld, token: str) -> str:
    answer = world.get("/v1/preservation-objects", bearer(token))
    assert (answer.status_code, answer.json["type"]) == (401, "urn:trusted-archive:problem:token-refused")
    return str(answer.json["facts"]["reason"])


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_whoever_logged_in_may_what_the_claims_say(world: HttpWorld, provider: ForeignProvider) -> None:
    """One deposits, one reads it; neither the other way round. The trail knows them by opaque names."""
    clerk, auditor = provider.log_in("bozena"), provider.log_in("alena")
    made = world.post(file("a.txt", b"x"), who=bearer(clerk.access))
    assert (made.status_code, made.json["originator"]) == (201, OURS)
    address = f"/v1/preservation-objects/{made.json['poid']}"
    assert world.get(address, bearer(auditor.access)).status_code == 200
    assert world.post(file("b.txt", b"x"), who=bearer(auditor.access)).status_code == 403
    assert world.get("/v1/organisations", bearer(clerk.access)).status_code == 403
    again = provider.log_in("alena")
    actors = [world.archive.authenticate(one.access).actor_id for one in (auditor, again, clerk)]
    assert actors[0] == actors[1] != actors[2]
    assert claims_of(again.identity)["nonce"] == again.nonce != auditor.nonce


def test_the_id_token_of_the_same_login_opens_nothing(world: HttpWorld, provider: ForeignProvider) -> None:
    """It is for the client, and bears the client's nonce: shown here it is refused, as often as it is shown."""
    tokens = provider.log_in("alena")
    assert claims_of(tokens.identity)["nonce"] == tokens.nonce
    assert {refused(world, tokens.identity) for _ in range(3)} == {"audience"}


def test_tokens_for_others_are_refused_by_name(world: HttpWorld, provider: ForeignProvider) -> None:
    """Another audience, nobody's role, a changed claim, no signature, no key named."""
    assert refused(world, provider.log_in("alena", resource=None).access) == "audience"
    assert refused(world, provider.log_in("cyril").access) == "role"
    head, body, signature = provider.log_in("alena").access.split(".")
    claims = claims_of(f"{head}.{body}.{signature}")
    assert refused(world, f"{head}.{part({**claims, 'roles': 'podatelna'})}.{signature}") == "signature"
    assert refused(world, f"{part({'alg': 'none', 'typ': 'at+jwt', 'kid': 'first'})}.{body}.") == "algorithm"
    assert refused(world, f"{part({'alg': 'RS256', 'typ': 'at+jwt'})}.{body}.{signature}") == "key-not-named"


def test_without_the_secret_of_the_challenge_there_is_no_token(provider: ForeignProvider) -> None:
    """PKCE is the provider's to check, and it does."""
    with pytest.raises(requests.HTTPError):
        provider.log_in("alena", verifier="x" * 64)


def test_keys_roll_without_a_word_to_the_archive(world: HttpWorld, provider: ForeignProvider) -> None:
    """A token signed with a new key opens; one signed with a key that the provider still publishes goes on opening; one
    whose key was taken back is refused by name as soon as keys are looked for again."""
    before = provider.log_in("alena")
    assert world.get("/v1/preservation-objects", bearer(before.access)).status_code == 200
    provider.roll("second", keep=True)
    second = provider.log_in("alena")
    assert header(second)["kid"] == "second"
    _forget_pause(world)
    for one in (second, before):
        assert world.get("/v1/preservation-objects", bearer(one.access)).status_code == 200
    provider.roll("third", keep=False)
    third = provider.log_in("alena")
    _forget_pause(world)
    assert world.get("/v1/preservation-objects", bearer(third.access)).status_code == 200
    assert refused(world, before.access) == refused(world, second.access) == "key"


def header(tokens: Tokens) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(tokens.access.split(".")[0] + "=="))
    return found


def _forget_pause(world: HttpWorld) -> None:
    """Let the next unknown key be looked for at once, as after half a minute."""
    judged = world.archive.people._judge
    for cell in judged.__closure__ or ():  # type: ignore[union-attr]
        if isinstance(cell.cell_contents, TokenJudge):
            cell.cell_contents._keys._tried = None
            return
    raise AssertionError("the judge is not the one that was wired")
