"""A seal key at a remote sealing service, by the API of the Cloud Signature Consortium (1.0.4 and 2.0).

    csc:https://service.example/csc/v1        the address up to and with the version

Rules kept here
 * Only a digest leaves; what it is the digest of is nobody's business there.
 * The service says which version it speaks (`info`, 7.1 in 1.0.4); requests are written as that version has them.
 * Passwords, tokens and PINs go into requests and nowhere else: no message and no representation has one.
 * A token that the service no longer takes is replaced once, and then it is a failure.
 * Whatever the service answers is bounded, and read as what it should be or not at all.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from archive_core.digests import OID_OF_DIGEST
from archive_core.errors import (
    SealKeyUnavailableError,
    SettingsError,
    TimestampAuthorityUnavailableError,
    TimestampRefusedError,
)
from signing.connections import Connection
from signing.http_transport import HttpTransport
from signing.key_devices import ECDSA, PKCS1, PSS, ordered, pss_parameters

MAX_ANSWER = 1024 * 1024
LOGINS = ("basic", "oauth", "none")
"""`auth/login` with HTTP Basic, `oauth2/token` with client credentials, or neither (mTLS alone)."""

_OID_PSS = "1.2.840.113549.1.1.10"
_OID_RSA = "1.2.840.113549.1.1.1"
_PKCS1 = {
    "sha256": "1.2.840.113549.1.1.11",
    "sha384": "1.2.840.113549.1.1.12",
    "sha512": "1.2.840.113549.1.1.13",
}
_ECDSA = {
    "sha256": "1.2.840.10045.4.3.2",
    "sha384": "1.2.840.10045.4.3.3",
    "sha512": "1.2.840.10045.4.3.4",
}
_OID_EC_KEY = "1.2.840.10045.2.1"


@dataclass(frozen=True, slots=True)
class CscAccount:
    """Who asks: `user` and `password` (fetched when needed) by one of `LOGINS`, and the `pin` of the credential."""

    login: str = "none"
    user: str = ""
    password: Callable[[], str] | None = field(default=None, repr=False)
    pin: Callable[[], str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.login not in LOGINS:
            raise SettingsError(f"login is one of {', '.join(LOGINS)}")
        if self.login != "none" and (not self.user or self.password is None):
            raise SettingsError(f"login = {self.login!r} needs user and password")


@dataclass(frozen=True, slots=True)
class _Credential:
    """What `credentials/info` said."""

    id: str
    certificates: tuple[bytes, ...]
    algorithms: frozenset[str]
    asks_pin: bool


class CscKey:
    """A `KeyDevice`. `credential` names the key; empty, the service must have exactly one for this account.
    `certificates` (DER) stand for those of the service."""

    def __init__(
        self,
        address: str,
        account: CscAccount,
        *,
        credential: str = "",
        certificates: tuple[bytes, ...] = (),
        connection: Connection | None = None,
    ) -> None:
        scheme, _, base = address.partition(":")
        if scheme != "csc" or not base.startswith(("https://", "http://")):
            raise SettingsError(f"{address!r} is not the address of a sealing service; write csc:https://HOST/csc/v1")
        self._base = base.rstrip("/")
        self._account = account
        self._wanted = credential
        self._certificates = certificates
        self._connection = connection or Connection()
        self._token: str | None = None
        self._refused: bytes | None = None
        self._version: int | None = None
        self._credential: _Credential | None = None
        self._post("info")  # the address is one that can be posted to, or the settings are wrong

    def __repr__(self) -> str:
        return f"CscKey({self._base})"

    def certificates(self) -> tuple[bytes, ...]:
        if not self._certificates:
            self._certificates = ordered(self._known().certificates, None, self._base)
        return self._certificates

    def schemes(self) -> frozenset[str]:
        there = self._known().algorithms
        found = {PSS} if _OID_PSS in there else set()
        if there & {_OID_RSA, *_PKCS1.values()}:
            found.add(PKCS1)
        if there & {_OID_EC_KEY, *_ECDSA.values()}:
            found.add(ECDSA)
        return frozenset(found)

    def sign(self, digest: bytes, algorithm: str, scheme: str) -> bytes:
        """In three steps, as 11.6 and 11.10 of version 2 (11.6 and 11.9 of 1.0.4) have them."""
        known = self._known()
        request: dict[str, Any] = {"credentialID": known.id, **self._hashes(digest, algorithm)}
        request["SAD"] = self._activation(known, digest, algorithm)
        request |= _how(algorithm, scheme)
        answer = self._ask("signatures/signHash", request)
        signatures = answer.get("signatures")
        if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], str):
            raise SealKeyUnavailableError(f"{self._base}: signatures/signHash did not give one signature")
        return _octets(signatures[0], f"{self._base}: the signature")

    # -- what is asked ------------------------------------------------------------------------------

    def _known(self) -> _Credential:
        if self._credential is None:
            asked: dict[str, Any] = {"certificates": "chain", "certInfo": False, "authInfo": True}
            said = self._ask("credentials/info", {"credentialID": self._id(), **asked})
            self._credential = self._read(self._id(), said)
        return self._credential

    def _id(self) -> str:
        if not self._wanted:
            listed = self._ask("credentials/list", {"maxResults": 2}).get("credentialIDs")
            if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], str):
                raise SettingsError(f"{self._base} has not exactly one credential for this account: name it")
            self._wanted = listed[0]
        return self._wanted

    def _read(self, id_: str, said: Mapping[str, Any]) -> _Credential:
        key, cert = said.get("key"), said.get("cert")
        if not isinstance(key, dict) or not isinstance(cert, dict) or not isinstance(key.get("algo"), list):
            raise SealKeyUnavailableError(f"{self._base}: credentials/info says nothing of key and certificates")
        if key.get("status") != "enabled":
            raise SealKeyUnavailableError(f"{self._base}: the credential's key is {str(key.get('status'))[:40]}")
        mode = said.get("authMode") or (said.get("auth") or {}).get("mode")
        if mode not in ("implicit", "explicit"):
            raise SettingsError(f"{self._base}: the credential is used by {str(mode)[:40]!r}, which needs a person")
        listed = cert.get("certificates")
        if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
            raise SealKeyUnavailableError(f"{self._base}: credentials/info has no certificates")
        what = f"{self._base}: a certificate"
        return _Credential(
            id=id_,
            certificates=tuple(_octets(one, what) for one in listed[:16]),
            algorithms=frozenset(str(one) for one in key["algo"]),
            asks_pin=mode == "explicit",
        )

    def _activation(self, known: _Credential, digest: bytes, algorithm: str) -> str:
        """Signature activation data for this one digest."""
        request: dict[str, Any] = {"credentialID": known.id, "numSignatures": 1}
        pin = self._account.pin() if known.asks_pin and self._account.pin is not None else None
        if known.asks_pin and pin is None:
            raise SettingsError(f"{self._base}: the credential asks for a PIN: write pin, the address of a secret")
        if self._speaks() == 1:
            request["hash"] = [b64encode(digest).decode("ascii")]
            if pin is not None:
                request["PIN"] = pin
        else:
            request |= self._hashes(digest, algorithm)
            if pin is not None:
                request["authData"] = [{"id": "PIN", "value": pin}]
        activation = self._authorised_by_pin(request, pin).get("SAD")
        if not isinstance(activation, str) or not activation:
            raise SealKeyUnavailableError(f"{self._base}: credentials/authorize gave no SAD")
        return activation

    def _authorised_by_pin(self, request: Mapping[str, Any], pin: str | None) -> dict[str, Any]:
        """A PIN that was refused is not sent again by this process: a credential locks after a few wrong ones."""
        tried = hashlib.sha256(pin.encode("utf-8")).digest() if pin is not None else None
        if tried is not None and tried == self._refused:
            raise SealKeyUnavailableError(f"{self._base} refused this PIN; it is not sent again, so that nothing locks")
        try:
            return self._ask("credentials/authorize", request)
        except SealKeyUnavailableError as error:
            if isinstance(error.__cause__, TimestampRefusedError):
                self._refused = tried
            raise

    def _hashes(self, digest: bytes, algorithm: str) -> dict[str, Any]:
        value, oid = [b64encode(digest).decode("ascii")], OID_OF_DIGEST[algorithm]
        if self._speaks() == 1:
            return {"hash": value, "hashAlgo": oid}
        return {"hashes": value, "hashAlgorithmOID": oid}

    def _speaks(self) -> int:
        if self._version is None:
            specs = str(self._exchange("info", {}, authorised=False).get("specs", ""))
            major = specs.partition(".")[0]
            if major not in ("1", "2"):
                raise SettingsError(f"{self._base} speaks CSC {specs[:20]!r}; versions 1 and 2 are known here")
            self._version = int(major)
        return self._version

    # -- how it is asked ----------------------------------------------------------------------------

    def _ask(self, what: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """With a token; with a new one, when that is taken no longer."""
        fresh = self._token is None
        try:
            return self._exchange(what, request, authorised=True)
        except TimestampRefusedError as error:
            if fresh or error.facts.get("status") != 401 or self._account.login == "none":
                raise SealKeyUnavailableError(str(error)) from error
        self._token = None
        try:
            return self._exchange(what, request, authorised=True)
        except TimestampRefusedError as error:
            raise SealKeyUnavailableError(str(error)) from error

    def _exchange(self, what: str, request: Mapping[str, Any], *, authorised: bool) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._authorised()}"} if authorised and self._login else {}
        try:
            return self._post(what, headers)(json.dumps(request).encode("utf-8"))
        except TimestampAuthorityUnavailableError as error:
            raise SealKeyUnavailableError(str(error)) from error

    @property
    def _login(self) -> bool:
        return self._account.login != "none"

    def _authorised(self) -> str:
        if self._token is None:
            assert self._account.password is not None  # CscAccount has seen to it
            user, password = self._account.user, self._account.password()
            try:
                if self._account.login == "basic":
                    answer = self._post("auth/login", credentials=(user, password))(b'{"rememberMe": false}')
                else:
                    form = {"grant_type": "client_credentials", "client_id": user, "client_secret": password}
                    answer = self._post("oauth2/token", kind=_FORM)(urlencode(form).encode("ascii"))
            except TimestampRefusedError as error:
                raise SealKeyUnavailableError(f"{self._base} lets {user!r} not in: {error}") from error
            token = answer.get("access_token")
            if not isinstance(token, str) or not token.isascii() or not token.isprintable():
                raise SealKeyUnavailableError(f"{self._base} gave no access_token")
            self._token = token
        return self._token

    def _post(
        self,
        what: str,
        headers: Mapping[str, str] | None = None,
        *,
        kind: str = "application/json",
        credentials: tuple[str, str] | None = None,
    ) -> _JsonPost:
        return _JsonPost(f"{self._base}/{what}", self._connection, headers or {}, kind, credentials)


_FORM = "application/x-www-form-urlencoded"


class _JsonPost:
    """Posts to one address and reads a JSON object from the answer; raises as `HttpTransport` does."""

    def __init__(
        self,
        url: str,
        connection: Connection,
        headers: Mapping[str, str],
        kind: str,
        credentials: tuple[str, str] | None,
    ) -> None:
        self._url = url
        self._transport = _Transport(url, connection, headers, kind, credentials)

    def __call__(self, request: bytes) -> dict[str, Any]:
        octets = self._transport(request)
        try:
            answer = json.loads(octets)
        except (ValueError, RecursionError) as error:
            raise SealKeyUnavailableError(f"{self._url}: the answer is not JSON") from error
        if not isinstance(answer, dict):
            raise SealKeyUnavailableError(f"{self._url}: the answer is not a JSON object")
        return answer


class _Transport(HttpTransport):
    _expected = "application/json"

    def __init__(
        self,
        url: str,
        connection: Connection,
        headers: Mapping[str, str],
        kind: str,
        credentials: tuple[str, str] | None,
    ) -> None:
        super().__init__(
            url,
            timeout=connection.timeout,
            max_answer=MAX_ANSWER,
            tls=connection.tls,
            credentials=credentials,
            proxy=connection.proxy,
            proxy_credentials=connection.proxy_credentials,
        )
        self._headers |= {"Content-Type": kind, "Accept": "application/json", **headers}


def _how(algorithm: str, scheme: str) -> dict[str, str]:
    """The signature's algorithm, as `credentials/info` names it."""
    if algorithm not in _ECDSA:
        raise SettingsError(f"a sealing service seals with {', '.join(_ECDSA)}, not {algorithm}")
    if scheme == PSS:
        return {"signAlgo": _OID_PSS, "signAlgoParams": b64encode(pss_parameters(algorithm).dump()).decode("ascii")}
    return {"signAlgo": _PKCS1[algorithm] if scheme == PKCS1 else _ECDSA[algorithm]}


def _octets(text: str, what: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise SealKeyUnavailableError(f"{what} is not base64") from error
