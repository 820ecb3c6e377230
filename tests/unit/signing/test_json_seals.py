"""Seals in JSON: what they hold, that they verify, and that nothing else does."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from archive_core.errors import SettingsError
from archive_core.findings import SubIndication, Verdict
from archive_core.ports import JsonSeal, SealAssessment, ValidationData
from policies import current_algorithms
from signing.file_key import FileKey
from signing.json_seal_validation import JsonSealVerifier
from signing.json_seals import json_seal
from signing.jws import JwsError, decoded, encoded, fits, parse_jws
from signing.keys import SigningKey
from tests.unit.signing import forge
from tests.unit.signing.forge import NOW

ROOT = forge.authority()
CONTENT = b'{"format":"trusted-archive/receipt/1"}\n'
LIST = forge.crl(ROOT)


@cache
def key_of(kind: str) -> SigningKey:
    identity = forge.issued("Sealer", ROOT, key=forge.new_key(kind), extensions=[(forge.key_usage(), True)])
    private = identity.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey(private, identity.der, (ROOT.der,))


def sealed(key: SigningKey, content: bytes = CONTENT, **given: Any) -> JsonSeal:
    options: dict[str, Any] = {"at": NOW, "test_trust": False, "digest": "sha512", **given}
    return json_seal(FileKey(key), content, source=lambda _seal, _at: ValidationData((ROOT.der,), (LIST,)), **options)


def judged(seal: bytes, content: bytes = CONTENT, **given: Any) -> SealAssessment:
    verifier = JsonSealVerifier([ROOT.der], algorithms=current_algorithms())
    options: dict[str, Any] = {"at": NOW, "data": ValidationData((ROOT.der,), (LIST,)), **given}
    return verifier.assess_json_seal(seal, content, **options)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return key_of("p384")


@pytest.fixture(scope="module")
def seal(key: SigningKey) -> JsonSeal:
    return sealed(key)


def header_of(seal: JsonSeal) -> dict[str, Any]:
    return dict(json.loads(decoded(seal.protected, "header")))


@pytest.mark.parametrize(
    ("kind", "name"), [("p256", "ES256"), ("p384", "ES384"), ("p521", "ES512"), ("rsa3072", "PS512")]
)
def test_each_kind_of_key_seals_by_the_algorithm_of_its_own(kind: str, name: str) -> None:
    """PASSED in both forms; not over another content."""
    made = sealed(key_of(kind))
    assert header_of(made)["alg"] == name
    for octets in (made.compact(), made.flattened()):
        assert judged(octets).verdict is Verdict.PASSED, judged(octets).message
        told = judged(octets, CONTENT + b" ")
        assert (told.verdict, told.sub_indication) == (Verdict.FAILED, SubIndication.HASH_FAILURE)


def test_the_digest_of_the_settings_is_taken_where_json_knows_it() -> None:
    """SHA-384 is; SHA-3 is not, so SHA-512 stands for it."""
    key = key_of("rsa3072")
    assert header_of(sealed(key, digest="sha384"))["alg"] == "PS384"
    assert header_of(sealed(key, digest="sha3-512"))["alg"] == "PS512"


def test_the_header_is_that_of_a_baseline_signature(seal: JsonSeal, key: SigningKey) -> None:
    """Certificate, its digest, the claimed time, the payload's type, and nothing that would need `crit`."""
    header = header_of(seal)
    assert set(header) == {"alg", "cty", "iat", "x5c", "x5t#S256"}
    assert header["iat"] == int(NOW.timestamp())
    assert [base64.b64decode(text) for text in header["x5c"]] == [key.certificate, ROOT.der]
    assert parse_jws(seal.compact())[0].content() == CONTENT


def test_a_key_without_an_algorithm_of_json_is_refused() -> None:
    """By name, before anything is signed."""
    with pytest.raises(SettingsError, match="no algorithm"):
        sealed(key_of("mldsa65"))


def resigned(seal: JsonSeal, key: SigningKey, **changes: Any) -> bytes:
    """The same payload under another header, signed by the key: what a forger with a key of his own can do."""
    header = {**header_of(seal), **changes}
    protected = encoded(json.dumps({k: v for k, v in header.items() if v is not None}).encode())
    from archive_core.digests import hash_bytes
    from signing.json_seals import _plain

    value = FileKey(key).sign(hash_bytes("sha384", f"{protected}.{seal.payload}".encode()), "sha384", "ecdsa")
    return f"{protected}.{seal.payload}.{encoded(_plain(value, key.certificate))}".encode()


@pytest.mark.parametrize(
    ("changes", "sub"),
    [
        ({"x5t#S256": "AAAA"}, SubIndication.FORMAT_FAILURE),
        ({"x5t#S256": None}, SubIndication.FORMAT_FAILURE),
        ({"x5c": []}, SubIndication.FORMAT_FAILURE),
        ({"x5c": ["!"]}, SubIndication.FORMAT_FAILURE),
        ({"x5c": None}, SubIndication.FORMAT_FAILURE),
        ({"alg": "none"}, SubIndication.UNSUPPORTED),
        ({"alg": "HS384"}, SubIndication.UNSUPPORTED),
        ({"alg": "ES256"}, SubIndication.SIG_CRYPTO_FAILURE),
        ({"alg": "PS384"}, SubIndication.SIG_CRYPTO_FAILURE),
        ({"alg": 384}, SubIndication.FORMAT_FAILURE),
        ({"crit": ["strange"], "strange": 1}, SubIndication.FORMAT_FAILURE),
        ({"crit": ["exp"]}, SubIndication.FORMAT_FAILURE),
        ({"b64": False, "crit": ["b64"]}, SubIndication.FORMAT_FAILURE),
    ],
)
def test_a_seal_with_another_header_is_not_good(
    seal: JsonSeal, key: SigningKey, changes: dict[str, Any], sub: SubIndication
) -> None:
    """Also where the key's holder signed it so."""
    told = judged(resigned(seal, key, **changes))
    assert told.verdict is not Verdict.PASSED
    assert told.sub_indication is sub, told.message


def test_a_changed_value_payload_or_header_is_broken(seal: JsonSeal) -> None:
    """One character in each of the three parts."""
    for part in range(3):
        parts = seal.compact().split(b".")
        other = b"A" if parts[part][8:9] != b"A" else b"B"
        parts[part] = parts[part][:8] + other + parts[part][9:]
        assert judged(b".".join(parts)).verdict is Verdict.FAILED


def test_another_key_with_the_same_names_is_not_trusted(seal: JsonSeal) -> None:
    """Of another authority of that name; and one that was revoked, or is out of date."""
    strange = forge.authority()
    private = forge.new_key("p384")
    identity = forge.issued("Sealer", strange, key=private, extensions=[(forge.key_usage(), True)])
    octets = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert judged(sealed(SigningKey(octets, identity.der, (strange.der,))).compact()).verdict is not Verdict.PASSED
    later = datetime.now(UTC) + timedelta(days=36500)
    assert judged(seal.compact(), at=later).verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b".",
        b"a.b",
        b"a.b.c.d",
        b"e30.e30.e30",
        b"\xff.\xff.\xff",
        b"{}",
        b'{"payload":1,"protected":"e30","signature":""}',
        b'{"payload":"","protected":"e30","signature":"","protected":"e30"}',
        b'{"payload":"","signatures":[]}',
        b'{"payload":"","signatures":[1]}',
        b'{"payload":"","signatures":{},"signature":""}',
        b'{"payload":"","protected":"eyJhbGciOiJFUzM4NCJ9","signature":"*"}',
        b'{"payload":"","protected":"eyJhbGciOiJFUzM4NCJ9","signature":"","header":{"alg":"ES384"}}',
        b'{"payload":"","protected":"eyJhbGciOiJFUzM4NCJ9","signature":"","header":{"crit":["sigT"]}}',
        b"{" + b'"a":{' * 100 + b"}" * 101,
        b"[" * 100_000,
        b'{"payload":NaN}',
    ],
)
def test_what_is_no_jws_is_refused(octets: bytes) -> None:
    """By one kind of error, in bounded time."""
    with pytest.raises(JwsError):
        parse_jws(octets)


def test_base64url_has_one_spelling() -> None:
    """Padding, other alphabets and stray bits are refused."""
    assert decoded("AAE", "it") == b"\0\1"
    for text in ("AAE=", "AAF", "A A", "+/+/", "A", "AA\n", 1, None):
        with pytest.raises(JwsError):
            decoded(text, "it")


def test_a_value_is_never_checked_with_another_kind_of_key(seal: JsonSeal) -> None:
    """An RSA certificate under an ECDSA signature fits nothing."""
    from signing.certificates import load_certificate

    (jws,) = parse_jws(seal.compact())
    assert not fits(jws, [seal.payload.encode()], load_certificate(key_of("rsa3072").certificate))
