"""What people's tokens, keys of a provider, cursors and searched texts are made of."""

from __future__ import annotations

import base64
import functools
import ipaddress
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.jwk import ECKey

from api.client_certificates import ClientCertificates
from api.settings_proxy import ClientSettings, ProxySettings
from api.settings_table import Secret
from archive_core.changes import Cursor
from archive_core.errors import ArchiveError, CertificateRefusedError, TokenRefusedError, UsageError
from archive_core.words import LONGEST, words_of
from signing.oidc import ProviderKeys, TokenJudge, _keys_in
from tests.fuzz.target import target

AT = datetime(2026, 11, 23, tzinfo=UTC)
CLAIMS = {"iss": "i", "aud": "a", "sub": "s", "exp": AT.timestamp() + 60, "roles": ["r"]}


@functools.cache
def _key() -> ECKey:
    return ECKey.generate_key("P-256", parameters={"kid": "one"})


@functools.cache
def _judge() -> TokenJudge:
    published = json.dumps({"keys": [_key().as_dict(private=False)]}).encode()
    return TokenJudge(
        issuer="i", audience="a", algorithms=["ES256"], keys=ProviderKeys(lambda: published, lambda: 1000.0)
    )


def _token() -> bytes:
    header = {"alg": "ES256", "kid": "one", "typ": "at+jwt"}
    return jws.serialize_compact(header, json.dumps(CLAIMS).encode(), _key(), algorithms=["ES256"]).encode()


@target(
    "access-token",
    lambda: {"good": _token(), "parts": b"e30.e30.e30"},
    kind="text",
    max_size=9000,
    tokens=(b".", b"e30"),
)
def token(data: bytes) -> bool:
    """Only what the key signed is taken, with exactly the claims that were signed."""
    text, refused = data.decode("latin-1"), None
    try:
        claims = _judge().judge(text, at=AT)
    except TokenRefusedError as error:
        refused = error.facts["reason"]
    if refused is not None:
        return refused == ""
    signed = text.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(signed + "=" * (-len(signed) % 4))) == claims.every == CLAIMS
    return True


@target(
    "provider-keys",
    lambda: {"one": json.dumps({"keys": [_key().as_dict(private=False)]}).encode(), "none": b'{"keys": []}'},
    kind="text",
    max_size=64 * 1024,
    tokens=(b'"kid"', b'"kty"', b'"RSA"', b'"EC"', b'"n"', b'"use": "enc"'),
)
def provider_keys(data: bytes) -> bool:
    """Whatever a provider answers, what is known goes on being believed, and nothing is raised."""
    keys = ProviderKeys(lambda: data, lambda: 1000.0)
    try:
        keys.key("one")
    except ArchiveError:
        return False
    return bool(_keys_in(data))


CERTIFICATES = ClientCertificates(
    ProxySettings(
        addresses=(ipaddress.ip_network("192.0.2.1"),),
        secret=Secret("env:NOTHING"),
        clients=(ClientSettings("key-00", subject="CN=client"),),
    ),
    "s" * 32,
)


@functools.cache
def _certificate() -> bytes:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=client")
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(AT).not_valid_after(AT + timedelta(days=1))
    return quote(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)).encode()


@target(
    "client-certificate",
    lambda: {"good": _certificate(), "cut": _certificate()[:99]},
    kind="text",
    max_size=20_000,
    tokens=(b"%0A", b"-----BEGIN%20CERTIFICATE-----%0A", b"%2B", b"="),
)
def client_certificate(data: bytes) -> bool:
    """Whatever a header holds, it is a certificate of that subject or refused by name."""
    said = {"X-Proxy-Secret": "s" * 32, "X-Client-Verify": "SUCCESS", "X-Client-Certificate": data.decode("latin-1")}
    try:
        found = CERTIFICATES.key_id(said, "192.0.2.1", at=AT)
    except CertificateRefusedError as error:
        return error.facts["reason"] == ""
    assert found in ("", "key-00")
    return True


@target("cursor", lambda: {"place": b"c12", "within": b"c12-3-4"}, kind="text", max_size=200, tokens=(b"-", b"c", b"9"))
def cursor(data: bytes) -> bool:
    """A cursor comes back as it was written, but for zeros before a number."""
    text = data.decode("utf-8", "replace")
    try:
        found = Cursor.parse(text)
    except UsageError:
        return False
    assert Cursor.parse(str(found)) == found
    return True


@target("words", lambda: {"czech": "Příliš žluťoučký kůň".encode()}, kind="text", max_size=4096)
def words(data: bytes) -> bool:
    """Each word is letters and digits alone, and its own word: nothing of it is an operator of a database."""
    found = list(words_of(data.decode("utf-8", "replace")))
    assert all(0 < len(word) <= LONGEST and word.isalnum() and list(words_of(word)) == [word] for word in found)
    return bool(found)
