"""Whether a signature value fits a public key and the signed octets. Nothing about trust or time.

Rules kept here
 * Three answers: it fits, it does not (`InvalidSignature`), or it cannot be judged here
   (`UnsupportedAlgorithmError` with the algorithm's name). The third is never reported as either other.
 * Algorithms are told apart by object identifier; absent and NULL parameters are the same (RFC 5754 2), but for
   EdDSA and ML-DSA, which must have none (RFC 8410 3, RFC 9881 2).
 * What can be judged: RSA PKCS#1 v1.5 and PSS, DSA, ECDSA (RFC 5754, RFC 8692 and plain BSI TR-03111),
   Ed25519, Ed448 (RFC 8419), ML-DSA-44/65/87 (RFC 9882). Not: SLH-DSA, LMS, XMSS, composites.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from asn1crypto import algos, core, keys
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa, utils

from archive_core.digests import DIGEST_OIDS, OID_OF_DIGEST, hash_bytes, is_known
from signing import ber


class UnsupportedAlgorithmError(ValueError):
    """This program cannot judge such a signature; `str()` names the algorithm."""


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """A signature algorithm identifier, understood.

    `name` is one of rsa-pkcs1v15, rsa-pss, dsa, ecdsa, plain-ecdsa, ed25519, ed448, ml-dsa-44/65/87.
    `digest` is our digest name, or None when the scheme leaves it to its surroundings or has none.
    """

    name: str
    digest: str | None


_RSA, _ECDSA, _DSA = "rsa-pkcs1v15", "ecdsa", "dsa"
_SCHEMES: dict[str, tuple[str, str | None]] = {
    "1.2.840.113549.1.1.1": (_RSA, None),
    "1.2.840.113549.1.1.5": (_RSA, "sha1"),
    "1.3.14.3.2.29": (_RSA, "sha1"),
    "1.2.840.113549.1.1.14": (_RSA, "sha224"),
    "1.2.840.113549.1.1.11": (_RSA, "sha256"),
    "1.2.840.113549.1.1.12": (_RSA, "sha384"),
    "1.2.840.113549.1.1.13": (_RSA, "sha512"),
    "1.2.840.113549.1.1.16": (_RSA, "sha512-256"),
    "1.3.36.3.3.1.2": (_RSA, "ripemd160"),
    "2.16.840.1.101.3.4.3.13": (_RSA, "sha3-224"),
    "2.16.840.1.101.3.4.3.14": (_RSA, "sha3-256"),
    "2.16.840.1.101.3.4.3.15": (_RSA, "sha3-384"),
    "2.16.840.1.101.3.4.3.16": (_RSA, "sha3-512"),
    "1.2.840.113549.1.1.10": ("rsa-pss", None),
    "1.2.840.10040.4.1": (_DSA, None),
    "1.2.840.10040.4.3": (_DSA, "sha1"),
    "2.16.840.1.101.3.4.3.1": (_DSA, "sha224"),
    "2.16.840.1.101.3.4.3.2": (_DSA, "sha256"),
    "2.16.840.1.101.3.4.3.3": (_DSA, "sha384"),
    "2.16.840.1.101.3.4.3.4": (_DSA, "sha512"),
    "1.2.840.10045.2.1": (_ECDSA, None),
    "1.2.840.10045.4": (_ECDSA, None),
    "1.2.840.10045.4.1": (_ECDSA, "sha1"),
    "1.2.840.10045.4.3.1": (_ECDSA, "sha224"),
    "1.2.840.10045.4.3.2": (_ECDSA, "sha256"),
    "1.2.840.10045.4.3.3": (_ECDSA, "sha384"),
    "1.2.840.10045.4.3.4": (_ECDSA, "sha512"),
    "2.16.840.1.101.3.4.3.9": (_ECDSA, "sha3-224"),
    "2.16.840.1.101.3.4.3.10": (_ECDSA, "sha3-256"),
    "2.16.840.1.101.3.4.3.11": (_ECDSA, "sha3-384"),
    "2.16.840.1.101.3.4.3.12": (_ECDSA, "sha3-512"),
    "0.4.0.127.0.7.1.1.4.1.1": ("plain-ecdsa", "sha1"),
    "0.4.0.127.0.7.1.1.4.1.2": ("plain-ecdsa", "sha224"),
    "0.4.0.127.0.7.1.1.4.1.3": ("plain-ecdsa", "sha256"),
    "0.4.0.127.0.7.1.1.4.1.4": ("plain-ecdsa", "sha384"),
    "0.4.0.127.0.7.1.1.4.1.5": ("plain-ecdsa", "sha512"),
    "0.4.0.127.0.7.1.1.4.1.6": ("plain-ecdsa", "ripemd160"),
    "1.3.101.112": ("ed25519", None),
    "1.3.101.113": ("ed448", None),
    "2.16.840.1.101.3.4.3.17": ("ml-dsa-44", None),
    "2.16.840.1.101.3.4.3.18": ("ml-dsa-65", None),
    "2.16.840.1.101.3.4.3.19": ("ml-dsa-87", None),
}

_KEYS_WITHOUT_PARAMETERS = frozenset(
    {"1.3.101.112", "1.3.101.113", *(f"2.16.840.1.101.3.4.3.{arc}" for arc in (17, 18, 19))}
)

_UNJUDGED = {
    "1.2.840.113549.1.9.16.3.17": "HSS/LMS",
    "1.3.6.1.5.5.7.6.34": "XMSS",
    "1.3.6.1.5.5.7.6.35": "XMSS^MT",
    **{f"2.16.840.1.101.3.4.3.{arc}": "SLH-DSA" for arc in range(20, 32)},
    **{f"2.16.840.1.101.3.4.3.{arc}": "HashML-DSA" for arc in range(32, 35)},
    **{f"2.16.840.1.101.3.4.3.{arc}": "HashSLH-DSA" for arc in range(35, 47)},
}

_PYCA_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - old signatures are judged by date elsewhere
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha512-256": hashes.SHA512_256(),
    "sha3-224": hashes.SHA3_224(),
    "sha3-256": hashes.SHA3_256(),
    "sha3-384": hashes.SHA3_384(),
    "sha3-512": hashes.SHA3_512(),
}
_SAME_SIZE: dict[int, hashes.HashAlgorithm] = {
    20: hashes.SHA1(),  # noqa: S303 - stands for any digest of 20 octets
    28: hashes.SHA224(),
    32: hashes.SHA256(),
    48: hashes.SHA384(),
    64: hashes.SHA512(),
}
"""DSA and ECDSA sign a number made of the digest; which algorithm made it does not matter to them."""


def digest_name(algorithm: algos.DigestAlgorithm) -> str:
    """Our name of a digest AlgorithmIdentifier; raises `UnsupportedAlgorithmError` with the identifier."""
    oid = str(algorithm["algorithm"].dotted)
    name = DIGEST_OIDS.get(oid)
    if name is None or not is_known(name):
        raise UnsupportedAlgorithmError(f"digest algorithm {oid}")
    return name


def signature_scheme(algorithm: algos.SignedDigestAlgorithm) -> SignatureScheme:
    """Understand a signature AlgorithmIdentifier; raises `UnsupportedAlgorithmError`, and ValueError where it
    is malformed."""
    oid = str(algorithm["algorithm"].dotted)
    if oid not in _SCHEMES:
        raise UnsupportedAlgorithmError(f"signature algorithm {_UNJUDGED.get(oid, '')} {oid}".replace("  ", " "))
    name, digest = _SCHEMES[oid]
    if name in _WITHOUT_DIGEST and not isinstance(algorithm["parameters"], core.Void):
        raise ValueError(f"the identifier of {name} has parameters, which it must not have (RFC 8410 3, RFC 9881 2)")
    if name == "rsa-pss":
        digest = digest_name(_pss_parameters(algorithm)["hash_algorithm"])
    return SignatureScheme(name, digest)


def _pss_parameters(algorithm: algos.SignedDigestAlgorithm) -> algos.RSASSAPSSParams:
    parameters = algorithm["parameters"]
    if isinstance(parameters, algos.RSASSAPSSParams):
        return parameters
    raise UnsupportedAlgorithmError("RSASSA-PSS without parameters")


def key_bits(key: keys.PublicKeyInfo) -> int:
    """The size by which key strength is stated: modulus (RSA, DSA), field (elliptic curves); for ML-DSA
    the parameter set's number (44, 65, 87). Raises `UnsupportedAlgorithmError`."""
    public = load_public_key(key)
    if isinstance(public, rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey):
        return public.key_size
    if isinstance(public, ed25519.Ed25519PublicKey):
        return 256
    if isinstance(public, ed448.Ed448PublicKey):
        return 456
    for kind, number in ((mldsa.MLDSA44PublicKey, 44), (mldsa.MLDSA65PublicKey, 65), (mldsa.MLDSA87PublicKey, 87)):
        if isinstance(public, kind):
            return number
    raise UnsupportedAlgorithmError(f"public key of type {type(public).__name__}")


def load_public_key(key: keys.PublicKeyInfo) -> object:
    """The key as a `cryptography` object; raises `UnsupportedAlgorithmError` for one it does not know, and
    ValueError where it is malformed."""
    encoded = key.dump()
    oid = str(key["algorithm"]["algorithm"].dotted)
    if oid in _KEYS_WITHOUT_PARAMETERS and not isinstance(key["algorithm"]["parameters"], core.Void):
        raise ValueError(f"the identifier {oid} of a public key has parameters, which it must not have (RFC 9881 2)")
    if oid == "1.2.840.113549.1.1.10":  # an RSA key restricted to PSS; the library wants a plain one
        encoded = _as_plain_rsa(key)
    try:
        return serialization.load_der_public_key(encoded)
    except (ValueError, UnsupportedAlgorithm) as error:
        if oid == _OID_RSA and (number := _modulus_without_sign(key)) is not None:
            return number
        raise UnsupportedAlgorithmError(f"public key with algorithm {oid}: {error}") from error


_OID_RSA = "1.2.840.113549.1.1.1"


def _modulus_without_sign(key: keys.PublicKeyInfo) -> rsa.RSAPublicKey | None:
    """An RSA key whose modulus lacks the leading zero octet, so that it reads as a negative number: national identity
    cards of 2011 to 2014 have such, and their issuers' software and OpenSSL take it for positive."""
    numbers = key["public_key"].parsed
    modulus, exponent = numbers["modulus"], int(numbers["public_exponent"].native)
    if int(modulus.native) >= 0:
        return None
    return rsa.RSAPublicNumbers(exponent, int.from_bytes(modulus.contents, "big")).public_key()


def _as_plain_rsa(key: keys.PublicKeyInfo) -> bytes:
    plain = keys.PublicKeyAlgorithm({"algorithm": "rsa", "parameters": core.Null()})
    _, bits = ber.children(ber.element(key.dump()).contents)
    return ber.tagged(0x30, plain.dump() + bits.raw)


def check_signature(
    key: keys.PublicKeyInfo,
    algorithm: algos.SignedDigestAlgorithm,
    signature: bytes,
    signed: bytes,
    *,
    digest: str | None = None,
) -> None:
    """Raises `InvalidSignature` or `UnsupportedAlgorithmError`, else the signature fits.

    `digest` is used where the algorithm identifier names none (CMS `digestAlgorithm`).
    """
    scheme = signature_scheme(algorithm)
    public = load_public_key(key)
    chosen = scheme.digest or digest
    if scheme.name == _RSA and isinstance(public, rsa.RSAPublicKey) and chosen:
        _check_pkcs1(public, signature, signed, chosen)
    elif scheme.name == "rsa-pss" and isinstance(public, rsa.RSAPublicKey):
        _check_pss(public, algorithm, signature, signed)
    elif scheme.name == "dsa" and isinstance(public, dsa.DSAPublicKey) and chosen:
        value, prehashed = _prehashed(chosen, signed)
        public.verify(signature, value, prehashed)
    elif scheme.name in ("ecdsa", "plain-ecdsa") and isinstance(public, ec.EllipticCurvePublicKey) and chosen:
        value, prehashed = _prehashed(chosen, signed)
        encoded = signature if scheme.name == "ecdsa" else _from_plain(signature)
        public.verify(encoded, value, ec.ECDSA(prehashed))
    elif _fits_without_digest(scheme.name, public):
        public.verify(signature, signed)  # type: ignore[attr-defined]
    else:
        raise InvalidSignature(f"a {scheme.name} signature does not belong to a {type(public).__name__}")


_WITHOUT_DIGEST: dict[str, type] = {
    "ed25519": ed25519.Ed25519PublicKey,
    "ed448": ed448.Ed448PublicKey,
    "ml-dsa-44": mldsa.MLDSA44PublicKey,
    "ml-dsa-65": mldsa.MLDSA65PublicKey,
    "ml-dsa-87": mldsa.MLDSA87PublicKey,
}


def _fits_without_digest(scheme: str, public: object) -> bool:
    kind = _WITHOUT_DIGEST.get(scheme)
    return kind is not None and isinstance(public, kind)


def _prehashed(digest: str, signed: bytes) -> tuple[bytes, utils.Prehashed]:
    value = hash_bytes(digest, signed)
    return value, utils.Prehashed(_SAME_SIZE[len(value)])


def _check_pkcs1(public: rsa.RSAPublicKey, signature: bytes, signed: bytes, digest: str) -> None:
    """With the digest's identifier as RFC 8017 9.2 wants it, or (its note 1) without the NULL parameters."""
    if digest in _PYCA_HASHES:
        try:
            public.verify(signature, signed, padding.PKCS1v15(), _PYCA_HASHES[digest])
            return
        except UnsupportedAlgorithm as error:
            raise UnsupportedAlgorithmError(f"RSA with {digest}: {error}") from error
        except InvalidSignature:
            pass
    recovered = public.recover_data_from_signature(signature, padding.PKCS1v15(), None)
    fitting = (_digest_info(digest, signed, parameters) for parameters in (core.Null().dump(), b""))
    if not any(hmac.compare_digest(recovered, info) for info in fitting):
        raise InvalidSignature("the signature is over another digest")


def _digest_info(digest: str, signed: bytes, parameters: bytes) -> bytes:
    identifier = ber.tagged(0x30, core.ObjectIdentifier(OID_OF_DIGEST[digest]).dump() + parameters)
    return ber.tagged(0x30, identifier + core.OctetString(hash_bytes(digest, signed)).dump())


def _check_pss(
    public: rsa.RSAPublicKey, algorithm: algos.SignedDigestAlgorithm, signature: bytes, signed: bytes
) -> None:
    parameters = _pss_parameters(algorithm)
    mask = parameters["mask_gen_algorithm"]
    if mask["algorithm"].native != "mgf1":
        raise UnsupportedAlgorithmError(f"mask generation {mask['algorithm'].dotted}")
    digest, mask_digest = digest_name(parameters["hash_algorithm"]), digest_name(mask["parameters"])
    if digest not in _PYCA_HASHES or mask_digest not in _PYCA_HASHES:
        raise UnsupportedAlgorithmError(f"RSASSA-PSS with {digest} and {mask_digest}")
    salt = int(parameters["salt_length"].native)
    try:
        public.verify(
            signature, signed, padding.PSS(padding.MGF1(_PYCA_HASHES[mask_digest]), salt), _PYCA_HASHES[digest]
        )
    except (UnsupportedAlgorithm, OverflowError) as error:
        raise UnsupportedAlgorithmError(f"RSASSA-PSS with {digest}: {error}") from error


def _from_plain(signature: bytes) -> bytes:
    """r and s of equal length, one after the other (BSI TR-03111 5.2.1), as an ECDSA-Sig-Value."""
    if not signature or len(signature) % 2:
        raise InvalidSignature("a plain ECDSA signature has an even number of octets")
    half = len(signature) // 2
    return utils.encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
