"""Every signature algorithm that is claimed to be judged is judged, both ways."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asn1crypto import algos, cms
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from archive_core.findings import SubIndication, Verdict
from policies.algorithms import current_algorithms
from signing.signature_math import (
    UnsupportedAlgorithmError,
    check_signature,
    key_bits,
    signature_scheme,
)
from signing.timestamp_validation import TokenValidator
from tests.unit.signing import forge
from tests.unit.signing.conftest import World
from tests.unit.signing.forge import NOW

SCHEMES: list[tuple[str, str, str]] = [
    ("rsa3072", "sha256", "pkcs1"),
    ("rsa3072", "sha512", "pkcs1"),
    ("rsa3072", "sha512", "pss"),
    ("rsa3072", "sha256", "pss"),
    ("p256", "sha256", ""),
    ("p384", "sha512", ""),
    ("p521", "sha512", ""),
    ("p256", "sha3-256", ""),
    ("p384", "sha3-512", ""),
    ("brainpoolP256r1", "sha256", ""),
    ("brainpoolP384r1", "sha384", ""),
    ("brainpoolP512r1", "sha512", ""),
    ("dsa2048", "sha256", ""),
    ("ed25519", "sha512", ""),
    ("ed448", "sha512", ""),
    ("mldsa44", "sha512", ""),
    ("mldsa65", "sha512", ""),
    ("mldsa87", "sha512", ""),
]


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    return {kind: forge.new_key(kind) for kind in {scheme[0] for scheme in SCHEMES}}


@pytest.mark.parametrize(("kind", "digest", "padding"), SCHEMES)
def test_tokens_of_every_supported_algorithm_pass_and_fail_after_one_bit(
    world: World, keys: dict[str, Any], kind: str, digest: str, padding: str
) -> None:
    """The whole token, not only the primitive: identifiers, digests and key forms included."""
    unit = forge.time_stamp_unit(world.root, key=keys[kind])
    recipe = forge.Recipe(unit, digest=digest, padding=padding, crls=(world.crl,))
    validator = TokenValidator([world.root.der], algorithms=current_algorithms())
    good = validator.assess(recipe.token(), at=NOW + timedelta(hours=1))
    assert good.verdict is Verdict.PASSED, good.message
    broken = recipe.but(edit_signature=lambda s: s[:-1] + bytes([s[-1] ^ 1])).token()
    bad = validator.assess(broken, at=NOW + timedelta(hours=1))
    assert (bad.verdict, bad.sub_indication) == (Verdict.FAILED, SubIndication.SIG_CRYPTO_FAILURE), bad.message


UNJUDGED = {
    "2.16.840.1.101.3.4.3.20": "SLH-DSA",
    "2.16.840.1.101.3.4.3.31": "SLH-DSA",
    "1.2.840.113549.1.9.16.3.17": "HSS/LMS",
    "1.3.6.1.5.5.7.6.34": "XMSS",
    "1.2.3.4.5": "1.2.3.4.5",
}


@pytest.mark.parametrize("oid", UNJUDGED)
def test_what_cannot_be_judged_here_is_named_and_is_neither_good_nor_bad(world: World, oid: str) -> None:
    """INDETERMINATE/UNSUPPORTED with the algorithm's name."""

    def renamed(signer: cms.SignerInfo) -> cms.SignerInfo:
        signer["signature_algorithm"] = {"algorithm": oid}
        return signer

    found = world.validator.assess(world.recipe.but(edit_signer=renamed).token(), at=NOW)
    assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, SubIndication.UNSUPPORTED)
    assert UNJUDGED[oid] in found.message


def test_an_unsupported_certificate_signature_is_unsupported_too(world: World) -> None:
    """A path that hangs on an algorithm that is not known here is not a broken path."""
    unit = forge.time_stamp_unit(world.root)
    der = unit.der.replace(bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040377"))
    from cryptography import x509

    odd = forge.Identity(unit.key, x509.load_der_x509_certificate(der), unit.chain)
    found = world.validator.assess(forge.Recipe(odd, crls=(world.crl,)).token(), at=NOW)
    assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, SubIndication.UNSUPPORTED), found.message


def _public(key: Any) -> Any:
    return forge.issued("any", None, key=key).asn1.public_key


def test_the_signature_of_one_kind_of_key_is_not_that_of_another() -> None:
    """An identifier that does not fit the key is an invalid signature, not an error."""
    public = _public(forge.new_key("p256"))
    rsa = algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa"})
    with pytest.raises(InvalidSignature):
        check_signature(public, rsa, b"\0" * 256, b"octets")
    ed = algos.SignedDigestAlgorithm({"algorithm": "ed25519"})
    with pytest.raises(InvalidSignature):
        check_signature(public, ed, b"\0" * 64, b"octets")


def test_plain_ecdsa_signatures_are_read() -> None:
    """BSI TR-03111: r and s side by side."""
    key = forge.new_key("brainpoolP256r1")
    r, s = utils.decode_dss_signature(key.sign(b"octets", ec.ECDSA(hashes.SHA256())))
    plain = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    algorithm = algos.SignedDigestAlgorithm({"algorithm": "0.4.0.127.0.7.1.1.4.1.3"})
    check_signature(_public(key), algorithm, plain, b"octets")
    for wrong in (plain[:-1] + bytes([plain[-1] ^ 1]), plain[:-1], b""):
        with pytest.raises(InvalidSignature):
            check_signature(_public(key), algorithm, wrong, b"octets")


def test_a_ripemd160_signature_with_rsa_is_judged() -> None:
    """Old German tokens use it; the library has no such hash, the mathematics is the same."""
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from archive_core.digests import hash_bytes

    key = forge.new_key("rsa2048")
    assert isinstance(key, RSAPrivateKey)
    info = bytes.fromhex("3021300906052b2403020105000414") + hash_bytes("ripemd160", b"octets")
    numbers, size = key.private_numbers(), key.key_size // 8
    padded = b"\x00\x01" + b"\xff" * (size - 3 - len(info)) + b"\x00" + info
    value = pow(int.from_bytes(padded, "big"), numbers.d, numbers.public_numbers.n).to_bytes(size, "big")
    algorithm = algos.SignedDigestAlgorithm({"algorithm": "1.3.36.3.3.1.2"})
    check_signature(_public(key), algorithm, value, b"octets")
    with pytest.raises(InvalidSignature):
        check_signature(_public(key), algorithm, value, b"other octets")
    assert padding.PKCS1v15().name == "EMSA-PKCS1-v1_5"


@pytest.mark.parametrize(
    ("kind", "bits"),
    [
        ("rsa2048", 2048),
        ("p256", 256),
        ("p521", 521),
        ("ed25519", 256),
        ("ed448", 456),
        ("mldsa65", 65),
        ("dsa2048", 2048),
    ],
)
def test_key_sizes_are_those_that_policies_speak_of(kind: str, bits: int) -> None:
    """The number by which the algorithm table is asked."""
    assert key_bits(_public(forge.new_key(kind))) == bits


def test_pss_without_parameters_is_unsupported() -> None:
    """RFC 4056 wants them; guessing would be worse."""
    with pytest.raises(UnsupportedAlgorithmError, match="PSS"):
        signature_scheme(algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss"}))
