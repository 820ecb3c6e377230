"""Signature methods of XML signatures (XMLDSig 1.1, RFC 9231) put to our own mathematics.

Rules kept here
 * A method becomes the AlgorithmIdentifier of X.509 that means the same, so that mathematics, names and tables
   are those of CMS. ECDSA and DSA values are r and s of fixed length (RFC 9231 2.3.6) and are re-written as DER.
 * Shared secrets (HMAC) and what is not known are `UnsupportedAlgorithmError`, by name.
"""

from __future__ import annotations

from asn1crypto import algos, core, keys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, utils
from lxml import etree

from archive_core.digests import OID_OF_DIGEST, digest_size, is_available
from signing.signature_math import UnsupportedAlgorithmError, check_signature, load_public_key
from signing.xml_signatures.names import DIGESTS, DS, element, text_of
from signing.xml_signatures.reading import decode_base64

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_MORE_2007 = "http://www.w3.org/2007/05/xmldsig-more#"
_MORE_2021 = "http://www.w3.org/2021/04/xmldsig-more#"
_DSIG11 = "http://www.w3.org/2009/xmldsig11#"

_PLAIN: dict[str, str] = {
    f"{DS}rsa-sha1": "1.2.840.113549.1.1.5",
    f"{_MORE}rsa-sha224": "1.2.840.113549.1.1.14",
    f"{_MORE}rsa-sha256": "1.2.840.113549.1.1.11",
    f"{_MORE}rsa-sha384": "1.2.840.113549.1.1.12",
    f"{_MORE}rsa-sha512": "1.2.840.113549.1.1.13",
    f"{_MORE}rsa-ripemd160": "1.3.36.3.3.1.2",
    f"{DS}dsa-sha1": "1.2.840.10040.4.3",
    "http://www.w3.org/2009/xmldsig11#dsa-sha256": "2.16.840.1.101.3.4.3.2",
    f"{_MORE}ecdsa-sha1": "1.2.840.10045.4.1",
    f"{_MORE}ecdsa-sha224": "1.2.840.10045.4.3.1",
    f"{_MORE}ecdsa-sha256": "1.2.840.10045.4.3.2",
    f"{_MORE}ecdsa-sha384": "1.2.840.10045.4.3.3",
    f"{_MORE}ecdsa-sha512": "1.2.840.10045.4.3.4",
    f"{_MORE_2021}ecdsa-sha3-224": "2.16.840.1.101.3.4.3.9",
    f"{_MORE_2021}ecdsa-sha3-256": "2.16.840.1.101.3.4.3.10",
    f"{_MORE_2021}ecdsa-sha3-384": "2.16.840.1.101.3.4.3.11",
    f"{_MORE_2021}ecdsa-sha3-512": "2.16.840.1.101.3.4.3.12",
    f"{_MORE_2021}eddsa-ed25519": "1.3.101.112",
    f"{_MORE_2021}eddsa-ed448": "1.3.101.113",
}
_PSS: dict[str, str] = {
    f"{_MORE_2007}{name}-rsa-MGF1": name
    for name in ("sha1", "sha224", "sha256", "sha384", "sha512", "sha3-224", "sha3-256", "sha3-384", "sha3-512")
}
_PSS_WITH_PARAMETERS = f"{_MORE_2007}rsa-pss"


def digest_of(method: etree._Element | None) -> str:
    """Our name of a DigestMethod; raises `UnsupportedAlgorithmError` with the identifier."""
    identifier = "" if method is None else method.get("Algorithm", "")
    if identifier not in DIGESTS or not is_available(DIGESTS[identifier]):
        raise UnsupportedAlgorithmError(f"digest algorithm {identifier!r}")
    return DIGESTS[identifier]


def signature_algorithm(method: etree._Element | None) -> algos.SignedDigestAlgorithm:
    """A SignatureMethod as an AlgorithmIdentifier; raises `UnsupportedAlgorithmError` with the identifier."""
    identifier = "" if method is None else method.get("Algorithm", "")
    if identifier in _PLAIN:
        return algos.SignedDigestAlgorithm({"algorithm": _PLAIN[identifier]})
    if identifier in _PSS:
        digest = _PSS[identifier]
        return _pss(digest, digest, digest_size(digest))
    if identifier == _PSS_WITH_PARAMETERS and method is not None:
        return _stated_pss(method)
    if "#hmac-" in identifier:
        raise UnsupportedAlgorithmError(f"signature method {identifier}: a shared secret proves nothing to others")
    raise UnsupportedAlgorithmError(f"signature method {identifier!r}")


def _stated_pss(method: etree._Element) -> algos.SignedDigestAlgorithm:
    """RFC 9231 2.3.10: what is not stated is SHA-256, MGF1 with the same digest, a salt as long as the digest."""
    parameters = element(method, _MORE_2007, "RSAPSSParams")
    if parameters is None:
        return _pss("sha256", "sha256", digest_size("sha256"))
    stated = element(parameters, DS, "DigestMethod")
    digest = "sha256" if stated is None else digest_of(stated)
    generation = element(parameters, _MORE_2007, "MaskGenerationFunction")
    mask = digest
    if generation is not None:
        if generation.get("Algorithm", "") != f"{_MORE_2007}MGF1":
            raise UnsupportedAlgorithmError(f"mask generation {generation.get('Algorithm', '')!r}")
        inner = element(generation, DS, "DigestMethod")
        mask = "sha1" if inner is None else digest_of(inner)
    salt = text_of(element(parameters, _MORE_2007, "SaltLength"))
    if salt and not (salt.isascii() and salt.isdigit() and len(salt) < 5):
        raise ValueError("the salt length is not a small number")
    return _pss(digest, mask, int(salt) if salt else digest_size(digest))


def _pss(digest: str, mask: str, salt: int) -> algos.SignedDigestAlgorithm:
    parameters = {
        "hash_algorithm": {"algorithm": OID_OF_DIGEST[digest]},
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": OID_OF_DIGEST[mask]}},
        "salt_length": salt,
    }
    return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": parameters})


def check_value(key: keys.PublicKeyInfo, algorithm: algos.SignedDigestAlgorithm, value: bytes, signed: bytes) -> None:
    """Whether a SignatureValue fits; raises `InvalidSignature`, `UnsupportedAlgorithmError` or ValueError."""
    public = load_public_key(key)
    if isinstance(public, ec.EllipticCurvePublicKey):
        value = _as_der(value, (public.key_size + 7) // 8)
    elif isinstance(public, dsa.DSAPublicKey):
        value = _as_der(value, len(value) // 2)
    check_signature(key, algorithm, value, signed)


def _as_der(value: bytes, half: int) -> bytes:
    """r and s as DER. Some signers write DER themselves, which has another length, or blanks before short values."""
    if len(value) != 2 * half or not half:
        if _is_der_signature(value):
            return value
        if not value or len(value) % 2:
            raise InvalidSignature("the signature value has not the length of r and s")
        half = len(value) // 2
    return utils.encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))


def _is_der_signature(value: bytes) -> bool:
    try:
        utils.decode_dss_signature(value)
    except ValueError:
        return False
    return True


def key_of_value(key_value: etree._Element) -> keys.PublicKeyInfo:
    """The public key of a ds:KeyValue; raises `UnsupportedAlgorithmError` and ValueError."""
    numbers = element(key_value, DS, "RSAKeyValue")
    if numbers is not None:
        modulus, exponent = (_number(numbers, name) for name in ("Modulus", "Exponent"))
        return _info(rsa.RSAPublicNumbers(exponent, modulus).public_key())
    curve = element(key_value, _DSIG11, "ECKeyValue")
    if curve is not None:
        named = element(curve, _DSIG11, "NamedCurve")
        oid = ("" if named is None else named.get("URI", "")).removeprefix("urn:oid:")
        point = decode_base64(text_of(element(curve, _DSIG11, "PublicKey")))
        if not oid:
            raise UnsupportedAlgorithmError("an elliptic curve without a name")
        return keys.PublicKeyInfo(
            {
                "algorithm": {
                    "algorithm": "ec",
                    "parameters": keys.ECDomainParameters("named", core.ObjectIdentifier(oid)),
                },
                "public_key": keys.ECPointBitString(point),
            }
        )
    raise UnsupportedAlgorithmError("a key value of another kind than RSA or a named curve")


def _number(parent: etree._Element, name: str) -> int:
    octets = decode_base64(text_of(element(parent, DS, name)))
    if not octets or len(octets) > 2048:
        raise ValueError(f"{name} is empty or too long")
    return int.from_bytes(octets, "big")


def _info(key: rsa.RSAPublicKey) -> keys.PublicKeyInfo:
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return keys.PublicKeyInfo.load(encoded)
