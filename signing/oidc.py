"""Access tokens of an OpenID provider, judged (RFC 9068, RFC 8725): who a person is, and no more than the token says.

Rules kept here
 * Everything is decided by the settings: issuer, audience, which algorithms, where the keys lie. Nothing in a token
   leads to an address, a key or an algorithm: `jku`, `x5u`, `jwk` and `x5c` in it are not looked at, and `alg` must be
   on the list, on which neither `none` nor a symmetric algorithm can be.
 * A token names its key (`kid`). One that is not known is looked for at the provider, at most once in `PAUSE` seconds,
   so that keys may roll and strangers' tokens make no traffic. Known keys go on while the provider is away, for `STALE`
   seconds at most.
 * Each refusal has its name (`TokenRefusedError.facts["reason"]`); none repeats the token.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from archive_core.errors import ArchiveError, TokenRefusedError, UnavailableError
from signing.http_transport import HttpTransport

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""What may be on the list: signatures, and no shared secrets."""

PAUSE = 30.0
"""Seconds between two looks for keys, at least."""
FRESH = 3600.0
"""Seconds after which keys are looked for again although all are known."""
STALE = 86400.0
"""Seconds for which keys are believed that cannot be looked for again."""
LEEWAY = 60
"""Seconds by which the provider's clock and ours may differ."""
MAX_TOKEN = 8192
MAX_KEYS = 1024 * 1024
LEAST_RSA = 2048

TYPES = ("at+jwt", "application/at+jwt", "jwt", "")
"""What `typ` may say: an access token (RFC 9068 2.1), or what older providers write."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token that is good says: `subject` within `issuer`, and every claim."""

    issuer: str
    subject: str
    every: Mapping[str, Any]


class KeyFetch(HttpTransport):
    """Gets the keys of a provider; raises as `HttpTransport` does."""

    _expected = None

    def __init__(self, url: str, **how: Any) -> None:
        super().__init__(url, max_answer=MAX_KEYS, **how)
        self._method = "GET"
        self._headers = {"Accept": "application/json", "Connection": "close"}

    def fetch(self) -> bytes:
        """The octets at the address."""
        return self(b"")


@dataclass(slots=True)
class ProviderKeys:
    """The keys of one provider, by their names, as last fetched."""

    fetch: Callable[[], bytes]
    clock: Callable[[], float] = time.monotonic
    _keys: dict[str, Key] = field(default_factory=dict)
    _fetched: float | None = None
    _tried: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def key(self, name: str) -> Key | None:
        """The key of that name, or None; raises `UnavailableError` when the provider is away and nothing is known."""
        with self._lock:
            now = self.clock()
            old = self._fetched is None or now - self._fetched > FRESH
            if (old or name not in self._keys) and (self._tried is None or now - self._tried > PAUSE):
                self._look(now)
            if self._fetched is None or now - self._fetched > STALE:
                raise UnavailableError("the keys of the OpenID provider cannot be had just now")
            return self._keys.get(name)

    def _look(self, now: float) -> None:
        self._tried = now
        try:
            self._keys = _keys_in(self.fetch())
            self._fetched = now
        except (ArchiveError, ValueError, JoseError, KeyError, TypeError, AttributeError, RecursionError):
            return  # what is known goes on being believed, for a while: see `key`


def _keys_in(octets: bytes) -> dict[str, Key]:
    """The keys of a JWK set that are for signatures and have a name; the others are passed over."""
    value = json.loads(octets)
    listed = [one for one in value["keys"] if one.get("kid") and one.get("kty") in ("RSA", "EC", "OKP")]
    usable = [one for one in listed if one.get("use", "sig") == "sig"]
    return {str(key.kid): key for key in KeySet.import_key_set({"keys": usable}).keys} if usable else {}


class TokenJudge:
    """Access tokens of one provider."""

    def __init__(self, *, issuer: str, audience: str, algorithms: Sequence[str], keys: ProviderKeys) -> None:
        self._issuer = issuer
        self._audience = audience
        self._algorithms = tuple(algorithms)
        self._keys = keys

    def judge(self, token: str, *, at: datetime) -> Claims:
        """What a good token says; raises `TokenRefusedError`, or `UnavailableError` when the provider's keys cannot be
        had."""
        header = _header(token)
        algorithm, name = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            raise _refused("algorithm", "the token is not signed with an algorithm that is accepted")
        if str(header.get("typ", "")).lower() not in TYPES or header.get("crit") is not None:
            raise _refused("type", "the token is no access token")
        if not isinstance(name, str) or not name:
            raise _refused("key-not-named", "the token does not name its key (`kid`)")
        key = self._keys.key(name)
        if key is None:
            raise _refused("key", "the provider has no such key")
        if key.key_type == "RSA" and _bits(key) < LEAST_RSA:
            raise _refused("key", "the provider's key is too short")
        return self._claims(_verified(token, key, algorithm), int(at.timestamp()))

    def _claims(self, payload: bytes, now: int) -> Claims:
        try:
            claims = json.loads(payload)
        except (ValueError, RecursionError):
            claims = None
        if not isinstance(claims, dict):
            raise _refused("malformed", "the token holds no claims")
        if claims.get("iss") != self._issuer:
            raise _refused("issuer", "the token is another issuer's")
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise _refused("audience", "the token is for somebody else")
        if "nonce" in claims:
            raise _refused("type", "the token is an ID token, which answers a login and opens nothing")
        ends, begins, made = (_instant(claims, member) for member in ("exp", "nbf", "iat"))
        if ends is None or now >= ends + LEEWAY:
            raise _refused("expired", "the token has expired")
        if any(one is not None and now < one - LEEWAY for one in (begins, made)):
            raise _refused("not-yet", "the token is not good yet")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise _refused("subject", "the token does not say whose it is")
        return Claims(self._issuer, subject, claims)


def _header(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(token) > MAX_TOKEN or len(parts) != 3 or not all(parts[:2]):
        raise _refused("malformed", "the token is not a signed one")
    try:
        value = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _refused("malformed", "the token has no header that can be read")
    return value


def _verified(token: str, key: Key, algorithm: str) -> bytes:
    try:
        return bytes(jws.deserialize_compact(token, key, algorithms=[algorithm]).payload)
    except (JoseError, ValueError, TypeError):
        raise _refused("signature", "the signature of the token does not fit") from None


def _instant(claims: Mapping[str, Any], member: str) -> float | None:
    value = claims.get(member)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**53:
        raise _refused("malformed", f"the token's {member} is no time")
    return value


def _bits(key: Any) -> int:
    return int(key.raw_value.key_size)


def _refused(reason: str, message: str) -> TokenRefusedError:
    return TokenRefusedError(message, reason=reason)
