"""JSON web signatures taken apart and checked mathematically (RFC 7515, RFC 7518, RFC 7797; ETSI TS 119 182-1).

What is decided about algorithms, keys, header parameters and `crit` is joserfc's word. Trust and time are judged
elsewhere.

Rules kept here
 * Compact, flattened and general forms. JSON is read strictly: no name twice, no constants that JSON does not have, a
   bounded depth. What is not read so is malformed.
 * What was signed is the text that was received: nothing is decoded and encoded again.
 * Signatures with asymmetric keys of certificates alone: never `none`, never a shared secret, whatever the header says.
 * A critical header parameter that is not understood ends the judgement (RFC 7515 4.1.11).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from asn1crypto import algos, x509
from cryptography.hazmat.primitives import serialization
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

from signing.key_devices import pss_parameters
from signing.signature_math import UnsupportedAlgorithmError, load_public_key

MAX_HEADER = 1024 * 1024
MAX_SIGNATURES = 50
MAX_DEPTH = 64

_DIGESTS = {
    "RS256": "sha256",
    "RS384": "sha384",
    "RS512": "sha512",
    "PS256": "sha256",
    "PS384": "sha384",
    "PS512": "sha512",
    "ES256": "sha256",
    "ES384": "sha384",
    "ES512": "sha512",
}
_PURE = {"EdDSA": "", "Ed25519": "ed25519", "Ed448": "ed448"}
_UNDERSTOOD = ("sigT", "sigD", "sigPId", "sigPl", "srCms", "srAts", "x5t#o", "sigX5ts", "adoTst", "b64")
"""Header parameters of TS 119 182-1 5.2 that may be critical and are understood, or told, here."""
_TEXT = re.compile(r"[A-Za-z0-9_-]*")
_KEYS: dict[str, Any] = {"RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}


class JwsError(ValueError):
    """The octets are no JSON web signature that can be taken apart."""


@dataclass(frozen=True, slots=True)
class Jws:
    """One signature. `protected` and `payload` are texts as received, the latter None when detached; `header` is the
    protected header, `unprotected` the other, `value` the signature's octets."""

    protected: str
    payload: str | None
    value: bytes
    header: Mapping[str, Any]
    unprotected: Mapping[str, Any] = field(default_factory=dict)
    value_text: str = ""

    @property
    def encoded(self) -> bool:
        """Whether the payload is signed as base64url (RFC 7797 3)."""
        return self.header.get("b64", True) is not False

    def content(self) -> bytes | None:
        """The attached payload; raises `JwsError`."""
        if self.payload is None:
            return None
        return decoded(self.payload, "the payload") if self.encoded else self.payload.encode("utf-8")


def encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def decoded(text: object, what: str) -> bytes:
    """Base64url without padding (RFC 7515 2); raises `JwsError`."""
    if not isinstance(text, str) or _TEXT.fullmatch(text) is None:
        raise JwsError(f"{what} is not base64url")
    try:
        octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise JwsError(f"{what} is not base64url: {error}") from error
    if encoded(octets) != text:
        raise JwsError(f"{what} is not base64url: its last character says more than there is")
    return octets


def read_json(octets: bytes | str) -> Any:
    """Strictly; raises `JwsError`."""
    try:
        text = octets.decode("utf-8") if isinstance(octets, bytes) else octets
        value = json.loads(text, object_pairs_hook=_distinct, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise JwsError(f"no JSON that is read: {error}"[:300]) from error
    _require_shallow(value)
    return value


def parse_jws(octets: bytes) -> tuple[Jws, ...]:
    """Every signature of a JWS in any form; raises `JwsError`."""
    stripped = octets.strip()
    if not stripped.startswith(b"{"):
        return (_compact(stripped),)
    return of_json(read_json(stripped.decode("utf-8", "surrogateescape")))


def of_json(value: Mapping[str, Any]) -> tuple[Jws, ...]:
    """The flattened and the general form (RFC 7515 7.2)."""
    payload = value.get("payload")
    if payload is not None and not isinstance(payload, str):
        raise JwsError("the payload is no text")
    payload = _octets_there(payload) or None
    if "signatures" not in value:
        return (_member(value, payload),)
    members = value["signatures"]
    if "signature" in value or not isinstance(members, list) or not members:
        raise JwsError("the signatures are no list, or there is another beside them")
    if len(members) > MAX_SIGNATURES:
        raise JwsError(f"{len(members)} signatures, of which at most {MAX_SIGNATURES} are looked at")
    return tuple(_member(member, payload) for member in members)


def _octets_there(payload: str | None) -> str | None:
    """A text that stands for octets; half of a surrogate pair, which only an escape can write, does not."""
    try:
        (payload or "").encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise JwsError("the payload is no text of Unicode characters") from error
    return payload


def _compact(octets: bytes) -> Jws:
    parts = octets.split(b".")
    if len(parts) != 3:
        raise JwsError("not the three parts of a compact JWS")
    try:
        protected, payload, value = (part.decode("ascii") for part in parts)
    except UnicodeDecodeError as error:
        raise JwsError("a compact JWS is ASCII") from error
    return _jws(protected, payload or None, value, {})


def _member(member: object, payload: str | None) -> Jws:
    if not isinstance(member, dict):
        raise JwsError("a signature is no JSON object")
    unprotected = member.get("header", {})
    if not isinstance(unprotected, dict):
        raise JwsError("the unprotected header is no JSON object")
    return _jws(member.get("protected"), payload, member.get("signature"), unprotected)


def _jws(protected: object, payload: str | None, value: object, unprotected: Mapping[str, Any]) -> Jws:
    if not isinstance(protected, str) or not protected:
        raise JwsError("there is no protected header")
    if len(protected) > MAX_HEADER:
        raise JwsError(f"a protected header of more than {MAX_HEADER} characters")
    header = read_json(decoded(protected, "the protected header"))
    if not isinstance(header, dict) or not isinstance(header.get("alg"), str):
        raise JwsError("the protected header is no object with `alg`")
    if both := set(header) & set(unprotected):
        raise JwsError(f"{sorted(both)[0][:40]!a} stands in both headers (RFC 7515 4)")
    octets = decoded(value, "the signature")
    made = Jws(protected, payload, octets, header, unprotected, str(value))
    try:
        _registry().check_header({**unprotected, **header})
    except (JoseError, ValueError, TypeError) as error:
        raise JwsError(f"the header: {error}"[:300]) from error
    if "crit" in unprotected:
        raise JwsError("`crit` is not protected (RFC 7515 4.1.11)")
    return made


@cache
def _registry() -> JWSRegistry:
    known = {name: HeaderParameter(name, lambda _value: None) for name in _UNDERSTOOD if name != "b64"}
    return JWSRegistry(header_registry=known, algorithms=[*_DIGESTS, *_PURE], strict_check_header=False)


def digest_of(jws: Jws) -> str:
    """The digest algorithm under the value; raises `UnsupportedAlgorithmError` for an algorithm that is not judged."""
    name = jws.header["alg"]
    if name in _PURE:
        return ""
    if name not in _DIGESTS:
        raise UnsupportedAlgorithmError(f"JWS algorithm {name[:40]!a}")
    return _DIGESTS[name]


def fits(jws: Jws, payload: Sequence[bytes], certificate: x509.Certificate) -> bool:
    """Whether the value fits header, payload (its octets as they are signed, in pieces) and the certificate's key.
    Raises `UnsupportedAlgorithmError`."""
    digest_of(jws)
    name = str(jws.header["alg"])
    public = load_public_key(certificate.public_key)
    pem = public.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    try:
        algorithm = _registry().get_alg(name)
        key = _KEYS[name[:2]].import_key(pem)
        algorithm.check_key(key)
        signed = b"".join([jws.protected.encode("ascii"), b".", *payload])
        return bool(algorithm.verify(signed, jws.value, key))
    except (JoseError, ValueError, TypeError):
        return False


def identifier(jws: Jws, certificate: x509.Certificate) -> algos.SignedDigestAlgorithm:
    """The AlgorithmIdentifier that means the same, as algorithm tables name it."""
    name, digest = str(jws.header["alg"]), digest_of(jws)
    if name in _PURE:
        return algos.SignedDigestAlgorithm({"algorithm": str(certificate.public_key.algorithm)})
    if name.startswith("PS"):
        return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": pss_parameters(digest)})
    kind = "rsa" if name.startswith("RS") else "ecdsa"
    return algos.SignedDigestAlgorithm({"algorithm": f"{digest}_{kind}"})


# -- strict JSON ------------------------------------------------------------------------------------


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _require_shallow(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise JwsError(f"nested more than {MAX_DEPTH} deep")
        level = [
            child
            for one in level
            if isinstance(one, (dict, list))
            for child in (one.values() if isinstance(one, dict) else one)
        ]
