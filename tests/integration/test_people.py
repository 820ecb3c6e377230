"""People with tokens of an OpenID provider, a process of its own: who gets in, and each refusal by its name."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api.app import create_app
from api.settings import parse_settings
from api.wiring import build_archive
from archive_core.errors import SettingsError, TokenRefusedError, UnavailableError
from signing.oidc import PAUSE, STALE, ProviderKeys, TokenJudge
from tests.integration.http_world import HttpWorld, http_world
from tests.vectors import REPOSITORY

ISSUER, AUDIENCE, ORG = "https://login.example", "trusted-archive", "70891508"

SETTINGS = """
[oidc]
issuer = "https://login.example"
audience = "trusted-archive"
keys = "{keys}"
algorithms = ["RS256", "ES256"]
organisation_claim = "ico"
all_organisations = "*"
timeout = 5.0
[oidc.roles]
archivar = "auditor"
spravce = "operator"
podatelna = "depositor"
"""


@dataclass
class Provider:
    address: str

    def ask(self, path: str, value: object | None = None) -> dict[str, Any]:
        data = None if value is None else json.dumps(value).encode()
        with urllib.request.urlopen(f"{self.address}{path}", data, timeout=20) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def token(
        self, *, key: str = "one", header: dict[str, object] | None = None, publish: bool = True, **claims: object
    ) -> str:
        now = int(time.time())
        said = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "novak",
            "exp": now + 300,
            "iat": now,
            "roles": ["archivar"],
            "ico": ORG,
            "preferred_username": "Jan Novák",
            **claims,
        }
        said = {name: value for name, value in said.items() if value is not None}
        wanted = {"claims": said, "key": key, "header": header or {}, "publish": publish}
        return str(self.ask("/token", wanted)["token"])


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.oidc_provider", "0"], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        yield Provider(process.stderr.readline().strip())
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[HttpWorld]:
    provider.token()  # its key is there
    with http_world(tmp_path_factory.mktemp("people")) as made:
        text = (made.home / "trusted-archive.toml").read_text()
        settings = parse_settings(text + SETTINGS.format(keys=f"{provider.address}/keys"), made.home)
        archive = build_archive(settings)
        try:
            yield HttpWorld(made.home, archive, settings, create_app(archive, settings=settings))
        finally:
            archive.close()


def asked(world: HttpWorld, token: str, address: str = "/v1/preservation-objects") -> TestResponse:
    return world.get(address, {"Authorization": f"Bearer {token}"})


def test_a_person_may_what_the_claims_say(world: HttpWorld, provider: Provider) -> None:
    """In the organisation that they name; a key goes on opening the door beside."""
    for role, address, status in (
        ("archivar", "/v1/preservation-objects", 200),
        ("archivar", "/v1/status", 403),
        ("spravce", "/v1/status", 200),
        ("podatelna", "/v1/verifications/" + "0" * 32, 403),
    ):
        assert asked(world, provider.token(roles=role), address).status_code == status, (role, address)
    assert asked(world, provider.token(ico="*", roles=["archivar", "somebody else's"])).status_code == 200
    assert world.get("/v1/profiles", world.key("auditor")).status_code == 200
    actor = world.archive.authenticate(provider.token())
    assert (actor.role, actor.originator) == ("auditor", ORG)
    assert actor.actor_id == world.archive.authenticate(provider.token(header={"typ": "JWT"})).actor_id
    assert "novak" not in actor.actor_id
    assert actor.detail["name"] == "Jan Novák"
    curved = provider.token(key="curve", header={"alg": "ES256"}, aud=["x", AUDIENCE])
    _forget_pause(world)
    assert world.archive.authenticate(curved).role == "auditor"


NOW = int(time.time())
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("issuer", {"iss": "https://login.example/"}),
    ("issuer", {"iss": None}),
    ("audience", {"aud": "another"}),
    ("audience", {"aud": ["another", "more"]}),
    ("audience", {"aud": None}),
    ("expired", {"exp": NOW - 120}),
    ("expired", {"exp": None}),
    ("malformed", {"exp": "tomorrow"}),
    ("malformed", {"exp": True}),
    ("not-yet", {"nbf": NOW + 3600}),
    ("not-yet", {"iat": NOW + 3600}),
    ("subject", {"sub": None}),
    ("subject", {"sub": 7}),
    ("type", {"nonce": "n-0S6_WzA2Mj"}),
    ("type", {"header": {"typ": "JOSE"}}),
    ("type", {"header": {"typ": "logout+jwt"}}),
    ("key-not-named", {"header": {"kid": None}}),
    ("key-not-named", {"header": {"kid": ""}}),
    ("key", {"header": {"kid": "shared"}}),
    ("key", {"key": "short"}),
    ("signature", {"header": {"kid": "other"}}),
    ("algorithm", {"key": "pss", "header": {"alg": "PS256"}}),
    ("role", {"roles": None}),
    ("role", {"roles": ["nobody"]}),
    ("role", {"roles": ["archivar", "spravce"]}),
    ("role", {"roles": {"archivar": 1}}),
    ("organisation", {"ico": None}),
    ("organisation", {"ico": [ORG]}),
    ("organisation", {"ico": "*", "roles": ["podatelna"]}),
]


@pytest.mark.parametrize(
    ("reason", "wanted"), REFUSED, ids=[f"{reason}-{number}" for number, (reason, _) in enumerate(REFUSED)]
)
def test_each_refusal_has_its_name(world: HttpWorld, provider: Provider, reason: str, wanted: dict[str, Any]) -> None:
    """401, with what was wrong and nothing of the token."""
    for name in ("other", "short"):
        provider.token(key=name)
    _forget_pause(world)
    answer = asked(world, provider.token(**wanted))

    assert answer.status_code == 401
    assert answer.json["type"] == "urn:trusted-archive:problem:token-refused"
    assert answer.json["facts"] == {"reason": reason}
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert "novak" not in answer.get_data(as_text=True)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_nobody_signed_is_refused(world: HttpWorld, provider: Provider) -> None:
    """`none` in every spelling, a shared secret, a changed claim, a key of one's own, no token at all."""
    good = provider.token()
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    for algorithm in ("none", "None", "NONE", "nOnE", "HS256", "", None, 5, ["RS256"]):
        for signed in ("", signature):
            forged = f"{part({'alg': algorithm, 'typ': 'at+jwt', 'kid': 'one'})}.{body}.{signed}"
            answer = asked(world, forged)
            assert (answer.status_code, answer.json["facts"]["reason"]) == (401, "algorithm"), algorithm
    changed = part({**claims, "roles": ["spravce"]})
    assert asked(world, f"{head}.{changed}.{signature}").json["facts"] == {"reason": "signature"}
    assert asked(world, f"{head}.{body}.").json["facts"] == {"reason": "signature"}
    leading = {"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, "jku": "http://x", "x5u": "http://x", "x5c": ["AAAA"]}
    for name, value in leading.items():
        own = provider.token(key="mine", publish=False, header={"kid": "one", name: value})
        assert asked(world, own).json["facts"] == {"reason": "signature"}, name
    for rubbish in ("a.b.c", f"{part([])}.{body}.x", f"{part('x')}.{body}.x", ".b.c", f"{head}..{signature}"):
        answer = asked(world, rubbish)
        assert answer.status_code == 401, rubbish
    assert asked(world, good + "A" * 9000).status_code == 401
    assert asked(world, good).status_code == 200


def test_a_provider_may_roll_its_keys(provider: Provider) -> None:
    """A new one is found, at most one look in so many seconds; while it is away what is known is believed for a day."""
    provider.token()
    clock = [1000.0]
    away = [False]

    def fetch() -> bytes:
        if away[0]:
            raise UnavailableError
        return json.dumps(provider.ask("/keys")).encode()

    keys = ProviderKeys(fetch, lambda: clock[0])
    judge = TokenJudge(issuer=ISSUER, audience=AUDIENCE, algorithms=["RS256"], keys=keys)
    before = provider.ask("/asked")["asked"]
    good = provider.token()
    for _ in range(5):
        judge.judge(good, at=datetime.now(UTC))
    assert provider.ask("/asked")["asked"] == before + 1
    rolled = provider.token(key="rolled")
    for _ in range(5):
        with pytest.raises(TokenRefusedError):
            judge.judge(rolled, at=datetime.now(UTC))
    assert provider.ask("/asked")["asked"] == before + 1
    clock[0] += PAUSE + 1
    judge.judge(rolled, at=datetime.now(UTC))
    away[0] = True
    clock[0] += STALE - 60
    judge.judge(rolled, at=datetime.now(UTC))
    clock[0] += 120
    with pytest.raises(UnavailableError):
        judge.judge(rolled, at=datetime.now(UTC))
    for answer in (
        b"",
        b"[]",
        b'{"keys": [1]}',
        b"[" * 100_000,
        b'{"keys": [{"kid": "one", "kty": "RSA"}]}',
    ):
        with pytest.raises(UnavailableError):
            ProviderKeys(lambda told=answer: told, lambda: clock[0]).key("one")  # type: ignore[misc]
    fresh = ProviderKeys(fetch, lambda: clock[0])
    with pytest.raises(UnavailableError):
        fresh.key("one")


def _forget_pause(world: HttpWorld) -> None:
    """Let the next unknown key be looked for at once."""
    judged = world.archive.people._judge
    for cell in judged.__closure__ or ():  # type: ignore[union-attr]
        if isinstance(cell.cell_contents, TokenJudge):
            cell.cell_contents._keys._tried = None
            return
    raise AssertionError("the judge is not the one that was wired")


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ('algorithms = ["RS256", "ES256"]', 'algorithms = ["none"]'),
        ('algorithms = ["RS256", "ES256"]', 'algorithms = ["HS256"]'),
        ('algorithms = ["RS256", "ES256"]', "algorithms = []"),
        ('archivar = "auditor"', 'archivar = "root"'),
        ('audience = "trusted-archive"', 'audience = ""'),
        ('keys = "{keys}"', 'keys = "file:///etc/passwd"'),
        ('keys = "{keys}"', 'keys = "https://u:p@x/"'),
    ],
)
def test_settings_that_would_let_anybody_in_are_refused(tmp_path: Path, what: str, instead: str) -> None:
    """At the start, by name."""
    with http_world(tmp_path) as made:
        text = (made.home / "trusted-archive.toml").read_text()
        good = SETTINGS.replace("{keys}", "https://login.example/keys")
        assert parse_settings(text + good, made.home).oidc is not None
        with pytest.raises(SettingsError):
            parse_settings(text + SETTINGS.replace(what, instead).replace("{keys}", "https://x/"), made.home)


def test_without_a_provider_no_token_is_taken(tmp_path: Path, provider: Provider) -> None:
    """It is a wrong key like any other."""
    with http_world(tmp_path) as made:
        answer = asked(made, provider.token())
        assert (answer.status_code, answer.json["type"]) == (401, "urn:trusted-archive:problem:unauthenticated")
