"""Keys of the local test trust: which kinds there are, and how each signs.

Rules kept here
 * One kind for a whole trust, so that what rests on it rests on one kind of mathematics; a hybrid is two trusts, in
   two redundant records.
 * SHA-512 wherever a digest is needed. RSA pads by PSS with the salt as long as the digest (RFC 4055, RFC 8017).
 * ML-DSA is pure, without context, and its identifiers have no parameters (RFC 9881 2, RFC 9882 3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asn1crypto import algos
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa

ECDSA_P384, RSA_3072, ML_DSA_65, ML_DSA_87 = "ecdsa-p384", "rsa-3072", "ml-dsa-65", "ml-dsa-87"
KINDS = (ECDSA_P384, RSA_3072, ML_DSA_65, ML_DSA_87)

LocalKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey

_MAKERS: dict[str, Callable[[], LocalKey]] = {
    ECDSA_P384: lambda: ec.generate_private_key(ec.SECP384R1()),
    RSA_3072: lambda: rsa.generate_private_key(65537, 3072),
    ML_DSA_65: mldsa.MLDSA65PrivateKey.generate,
    ML_DSA_87: mldsa.MLDSA87PrivateKey.generate,
}
_ML_DSA_OIDS = {ML_DSA_65: "2.16.840.1.101.3.4.3.18", ML_DSA_87: "2.16.840.1.101.3.4.3.19"}
_SALT = 64


def make_key(kind: str) -> LocalKey:
    """A new key of one of `KINDS`; raises ValueError for another."""
    if kind not in _MAKERS:
        raise ValueError(f"{kind!r} is not a kind of key here; there are {', '.join(KINDS)}")
    return _MAKERS[kind]()


def kind_of(key: object) -> str | None:
    """The kind of a key, None for one that the local trust does not use."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ECDSA_P384
    if isinstance(key, rsa.RSAPrivateKey):
        return RSA_3072
    if isinstance(key, mldsa.MLDSA65PrivateKey):
        return ML_DSA_65
    return ML_DSA_87 if isinstance(key, mldsa.MLDSA87PrivateKey) else None


def sign(key: LocalKey, octets: bytes) -> bytes:
    """The signature value, as CMS and X.509 hold it."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(octets, ec.ECDSA(hashes.SHA512()))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(octets, _pss(), hashes.SHA512())
    return key.sign(octets)


def _pss() -> padding.PSS:
    return padding.PSS(padding.MGF1(hashes.SHA512()), _SALT)


def signature_algorithm(key: LocalKey) -> algos.SignedDigestAlgorithm:
    """The AlgorithmIdentifier of what `sign` makes."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return algos.SignedDigestAlgorithm({"algorithm": "sha512_ecdsa"})
    if isinstance(key, rsa.RSAPrivateKey):
        parameters = algos.RSASSAPSSParams(
            {
                "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha512"}),
                "mask_gen_algorithm": algos.MaskGenAlgorithm(
                    {"algorithm": "mgf1", "parameters": {"algorithm": "sha512"}}
                ),
                "salt_length": _SALT,
            }
        )
        return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": parameters})
    kind = kind_of(key)
    assert kind is not None
    return algos.SignedDigestAlgorithm({"algorithm": _ML_DSA_OIDS[kind]})


def sign_certificate(builder: x509.CertificateBuilder, key: LocalKey) -> x509.Certificate:
    """The certificate, signed as `sign` signs."""
    return builder.sign(key, **_options(key))


def sign_crl(builder: x509.CertificateRevocationListBuilder, key: LocalKey) -> x509.CertificateRevocationList:
    """The revocation list, signed as `sign` signs."""
    return builder.sign(key, **_options(key))


def _options(key: LocalKey) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        return {"algorithm": hashes.SHA512(), "rsa_padding": _pss()}
    return {"algorithm": hashes.SHA512() if isinstance(key, ec.EllipticCurvePrivateKey) else None}
