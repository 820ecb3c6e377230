"""A remote sealing service that speaks the API of the Cloud Signature Consortium, 1.0.4 or 2.0, over real HTTP.

The rules this module keeps
 * It is written from the specification and shares no code with the client.
 * What a request lacks is refused, as the specification has it: 400 with `error`, 401 without a good token.
 * It can be away, lie, forget its tokens, and want another PIN.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.serialization import Encoding

from tests.fakes.web import Answer, Request, serving
from tests.unit.signing import forge

USER, PASSWORD, SERVICE_PIN = "archive", "service-password-4711", "service-pin-0815"
CREDENTIAL = "seal-credential-1"
_DIGESTS = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_PSS, _ECDSA = "1.2.840.113549.1.1.10", "1.2.840.10045.4.3.4"


class _RefusedError(Exception):
    def __init__(self, error: str, status: str = "400 Bad Request") -> None:
        super().__init__(error)
        self.status = status


class SealingService:
    """One account with one credential; `identity` is its key with certificates."""

    def __init__(self, version: int, identity: forge.Identity) -> None:
        self.version = version
        self.identity = identity
        self.pin = SERVICE_PIN
        self.away = False
        self.lies = False
        self.credentials = [CREDENTIAL]
        self.status = "enabled"
        self.mode = "explicit"
        self.asked: list[str] = []
        self.tokens: set[str] = set()
        self._activations: dict[str, list[str]] = {}

    @contextmanager
    def listening(self) -> Iterator[str]:
        """The address for the settings is given."""
        with serving(self._answer) as url:
            yield f"csc:{url}/csc/v{self.version}"

    def _answer(self, request: Request) -> Answer:
        what = request.path.partition(f"/csc/v{self.version}/")[2]
        self.asked.append(what)
        if self.away:
            return Answer(b"", status="503 Service Unavailable")
        verbs: dict[str, Callable[[Request], dict[str, Any]]] = {
            "info": lambda _: {"specs": "1.0.4.0" if self.version == 1 else "2.0.0.2", "name": "test", "methods": []},
            "auth/login": self._login,
            "oauth2/token": self._token,
            "credentials/list": self._authorised(lambda _: {"credentialIDs": self.credentials}),
            "credentials/info": self._authorised(self._info),
            "credentials/authorize": self._authorised(self._authorize),
            "signatures/signHash": self._authorised(self._sign),
        }
        try:
            if request.method != "POST" or what not in verbs:
                raise _RefusedError("invalid_request", "404 Not Found")
            return _json(verbs[what](request))
        except _RefusedError as refused:
            return _json({"error": str(refused)}, refused.status)

    # -- who asks -----------------------------------------------------------------------------------

    def _login(self, request: Request) -> dict[str, Any]:
        expected = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("authorization") != expected:
            raise _RefusedError("authentication_error", "401 Unauthorized")
        return self._new_token()

    def _token(self, request: Request) -> dict[str, Any]:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form != {"grant_type": "client_credentials", "client_id": USER, "client_secret": PASSWORD}:
            raise _RefusedError("invalid_client", "401 Unauthorized")
        return self._new_token()

    def _new_token(self) -> dict[str, Any]:
        token = secrets.token_hex(16)
        self.tokens.add(token)
        return {"access_token": token, "token_type": "Bearer", "expires_in": 3600}

    def _authorised(self, verb: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Request], dict[str, Any]]:
        def checked(request: Request) -> dict[str, Any]:
            if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
                raise _RefusedError("invalid_token", "401 Unauthorized")
            if request.headers["content-type"] != "application/json":
                raise _RefusedError("invalid_request")
            return verb(json.loads(request.body))

        return checked

    # -- the key ------------------------------------------------------------------------------------

    def _info(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked.get("credentialID") not in self.credentials or asked.get("certificates") != "chain":
            raise _RefusedError("invalid_request")
        certificates = (self.identity.certificate, *self.identity.chain)
        elliptic = isinstance(self.identity.key, ec.EllipticCurvePrivateKey)
        said: dict[str, Any] = {
            "key": {"status": self.status, "algo": [_ECDSA if elliptic else _PSS], "len": 384 if elliptic else 3072},
            "cert": {
                "status": "valid",
                "certificates": [b64encode(one.public_bytes(Encoding.DER)).decode() for one in certificates],
            },
            "multisign": 1,
        }
        return said | ({"authMode": self.mode} if self.version == 1 else {"auth": {"mode": self.mode}})

    def _authorize(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self.version == 1:
            listed, pin = asked.get("hash"), asked.get("PIN")
        else:
            listed = asked.get("hashes")
            pin = {one["id"]: one["value"] for one in asked.get("authData", [])}.get("PIN")
            if asked.get("hashAlgorithmOID") not in _DIGESTS:
                raise _RefusedError("invalid_request")
        if asked.get("numSignatures") != 1 or not isinstance(listed, list) or len(listed) != 1:
            raise _RefusedError("invalid_request")
        if self.mode == "explicit" and pin != self.pin:
            raise _RefusedError("invalid_pin")
        activation = secrets.token_hex(8)
        self._activations[activation] = listed
        return {"SAD": activation, "expiresIn": 300}

    def _sign(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, oid = ("hash", "hashAlgo") if self.version == 1 else ("hashes", "hashAlgorithmOID")
        listed = asked.get(name)
        if self._activations.pop(str(asked.get("SAD")), None) != listed or asked.get(oid) not in _DIGESTS:
            raise _RefusedError("invalid_request")
        digest = b64decode(listed[0])
        if self.lies:
            digest = bytes(len(digest))
        return {"signatures": [b64encode(self._signature(digest, asked, _DIGESTS[asked[oid]])).decode()]}

    def _signature(self, digest: bytes, asked: dict[str, Any], algorithm: Any) -> bytes:
        key = self.identity.key
        if isinstance(key, ec.EllipticCurvePrivateKey):
            if asked.get("signAlgo") != _ECDSA:
                raise _RefusedError("invalid_request")
            return key.sign(digest, ec.ECDSA(utils.Prehashed(algorithm)))
        if asked.get("signAlgo") != _PSS or not asked.get("signAlgoParams"):
            raise _RefusedError("invalid_request")
        how = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        return bytes(key.sign(digest, how, utils.Prehashed(algorithm)))


def _json(value: dict[str, Any], status: str = "200 OK") -> Answer:
    return Answer(json.dumps(value).encode(), "application/json;charset=UTF-8", status)
