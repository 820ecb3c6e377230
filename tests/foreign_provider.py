"""An OpenID provider that others wrote (Glewlwyd, from Debian), as a process of its own, and a person who logs in.

The rules this module keeps
 * The provider is set up through its own administration, and asked as any client would ask it: what it publishes
   (discovery), the code flow with PKCE and a nonce, its token endpoint. Nothing of it is imitated here.
 * It is unpacked by `tests/interop/install.sh` and never installed: no service is started by that.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from joserfc.jwk import RSAKey

from tests.ports import free_port
from tests.vectors import REPOSITORY

UNPACKED = REPOSITORY / "build" / "interop" / "glewlwyd"
PLUGIN = "login"
CLIENT = "filing-desk"
BACK = "http://127.0.0.1/back"
RESOURCE = "https://archive.example"
"""The audience that tokens for the archive have (RFC 8707)."""
SECONDS = 20

CONFIGURATION = """
port={port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:{port}"
login_url="login.html"
api_prefix="api"
static_files_path="{unpacked}/usr/share/glewlwyd/webapp"
log_mode="console"
log_level="WARNING"
cookie_domain="127.0.0.1"
cookie_secure=0
session_key="S"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="{modules}/user"
user_middleware_module_path="{home}/none"
client_module_path="{modules}/client"
user_auth_scheme_module_path="{modules}/scheme"
plugin_module_path="{modules}/plugin"
hash_algorithm="SHA512"
database = {{ type = "sqlite3" path = "{home}/provider.db" }};
"""


@dataclass
class Tokens:
    """What a login gave: raw tokens, and the nonce that was asked for."""

    access: str
    identity: str
    nonce: str


@dataclass
class ForeignProvider:
    """A running provider."""

    address: str
    admin: requests.Session
    keys: list[dict[str, Any]] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"{self.address}/api/{PLUGIN}"

    def discovered(self) -> dict[str, Any]:
        """What the provider says of itself (OpenID Connect Discovery 1.0, 4)."""
        answer = requests.get(f"{self.issuer}/.well-known/openid-configuration", timeout=SECONDS)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def roll(self, name: str, *, keep: bool) -> None:
        """Sign with a new key from now on; `keep` publishes the ones before it, too."""
        made = RSAKey.generate_key(2048, parameters={"kid": name, "alg": "RS256", "use": "sig"})
        self.keys = [made.as_dict(private=True), *(self.keys if keep else [])]
        self._ask("PUT", f"mod/plugin/{PLUGIN}", self._plugin())
        self._ask("PUT", f"mod/plugin/{PLUGIN}/reset")

    def begin(self) -> None:
        """Set up keys, what is kept of people, and the client."""
        made = RSAKey.generate_key(2048, parameters={"kid": "first", "alg": "RS256", "use": "sig"})
        self.keys = [made.as_dict(private=True)]
        self._ask("POST", "mod/plugin/", self._plugin())
        people = self._checked(self.admin.get(f"{self.address}/api/mod/user/database", timeout=SECONDS)).json()
        kept = {"multiple": False, "read": True, "write": True, "profile-read": False, "profile-write": False}
        people["parameters"]["data-format"] |= {"role": kept, "ico": kept}
        self._ask("PUT", "mod/user/database", people)
        self._ask("PUT", "mod/user/database/reset")
        client = {
            "client_id": CLIENT,
            "name": "Filing desk",
            "enabled": True,
            "confidential": False,
            "authorization_type": ["code"],
            "redirect_uri": [BACK],
            "scope": ["openid"],
        }
        self._ask("POST", "client/", client)

    def person(self, name: str, *, role: str, organisation: str) -> None:
        """Somebody who may log in with the password `password`."""
        told = {
            "username": name,
            "password": "password",
            "name": f"Paní {name}",
            "enabled": True,
            "scope": ["openid", "g_profile"],
            "role": role,
            "ico": organisation,
        }
        self._ask("POST", "user/", told)

    def log_in(self, name: str, *, resource: str | None = RESOURCE, verifier: str | None = None) -> Tokens:
        """The code flow (OpenID Connect Core 3.1) with PKCE (RFC 7636) and a nonce; `verifier` is what is shown instead
        of the one that the challenge was made of. Raises `requests.HTTPError` when the provider refuses."""
        person, secret, nonce = requests.Session(), secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        at = self.discovered()
        self._checked(person.post(f"{self.address}/api/auth/", json={"username": name, "password": "password"}))
        self._checked(person.put(f"{self.address}/api/auth/grant/{CLIENT}", json={"scope": "openid"}))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": BACK,
            "scope": "openid",
            "state": "s",
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "g_continue": "",
            **({"resource": resource} if resource else {}),
        }
        answer = person.get(at["authorization_endpoint"], params=asked, allow_redirects=False, timeout=SECONDS)
        back = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert "code" in back, answer.headers["Location"]
        shown = {
            "grant_type": "authorization_code",
            "client_id": CLIENT,
            "redirect_uri": BACK,
            "code": back["code"][0],
            "code_verifier": verifier or secret,
        }
        told = self._checked(requests.post(at["token_endpoint"], data=shown, timeout=SECONDS)).json()
        return Tokens(told["access_token"], told["id_token"], nonce)

    def _plugin(self) -> dict[str, object]:
        parameters = {
            "iss": self.issuer,
            "jwks-private": json.dumps({"keys": self.keys}),
            "jwks-show": True,
            "access-token-duration": 300,
            "refresh-token-duration": 300,
            "code-duration": 60,
            "auth-type-code-enabled": True,
            "auth-type-refresh-enabled": True,
            "pkce-allowed": True,
            "pkce-required": True,
            "resource-allowed": True,
            "resource-scope": {"openid": [RESOURCE]},
            "additional-parameters": [
                {"user-parameter": "role", "token-parameter": "roles"},
                {"user-parameter": "ico", "token-parameter": "ico"},
            ],
        }
        named = {"module": "oidc", "name": PLUGIN, "display_name": PLUGIN, "enabled": True}
        return {**named, "parameters": parameters}

    def _ask(self, method: str, path: str, value: object | None = None) -> None:
        self._checked(self.admin.request(method, f"{self.address}/api/{path}", json=value, timeout=SECONDS))

    @staticmethod
    def _checked(answer: requests.Response) -> requests.Response:
        if not answer.ok:
            raise requests.HTTPError(f"{answer.status_code} {answer.url}: {answer.text[:500]}", response=answer)
        return answer


@contextmanager
def foreign_provider(home: Path) -> Iterator[ForeignProvider]:
    """A new provider with nobody in it, for as long as the context lasts."""
    port = free_port()
    (home / "none").mkdir(parents=True)
    schema = UNPACKED / "usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
    with sqlite3.connect(home / "provider.db") as database:
        database.executescript(schema.read_text("utf-8"))
    database.close()
    modules = UNPACKED / "usr/lib/glewlwyd"
    (home / "provider.conf").write_text(
        CONFIGURATION.format(port=port, unpacked=UNPACKED, modules=modules, home=home), "utf-8"
    )
    with (home / "provider.log").open("wb") as log:
        process = subprocess.Popen(
            [str(UNPACKED / "usr/bin/glewlwyd"), f"--config-file={home / 'provider.conf'}"],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        provider = ForeignProvider(f"http://127.0.0.1:{port}", requests.Session())
        _await(provider, process, home / "provider.log")
        provider.begin()
        yield provider
    finally:
        process.terminate()
        process.wait(SECONDS)


def _await(provider: ForeignProvider, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the administrator, with the password of a fresh database, is let in."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            told = {"username": "admin", "password": "password"}
            provider.admin.post(f"{provider.address}/api/auth/", json=told, timeout=SECONDS).raise_for_status()
            return
        except requests.ConnectionError:
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError(log.read_text("utf-8", "replace")) from None
            time.sleep(0.02)
