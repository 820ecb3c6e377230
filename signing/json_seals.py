"""Seals in JSON: JWS with the headers of a JAdES baseline B signature (ETSI TS 119 182-1 V1.2.1, 6.3; RFC 7515).

Rules kept here
 * The key is that of the seals, behind the same port: the digest of the signing input goes there, a signature comes
   back. JSON knows SHA-2 alone: RSASSA-PSS with SHA-512 (or the digest of the settings, where it is SHA-2), ECDSA with
   the digest that JWA ties to the curve; PKCS #1 v1.5 only where a service offers nothing else.
 * The signer's certificate is named by its digest (`x5t#S256`) and stands first in `x5c`, its chain behind it. The
   claimed time is `iat`, which V1.2.1 (5.1.11) has in the place of `sigT`; nothing else is needed to read the
   signature, so there is no `crit`. The payload is inside.
 * There is no room for revocation data at this level: they are collected to judge the seal, and it is not kept.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from archive_core.digests import hash_bytes
from archive_core.errors import SealKeyUnavailableError, SettingsError
from archive_core.ports import JsonSeal, ValidationData
from signing.jws import encoded
from signing.key_devices import ECDSA, PKCS1, PSS, KeyDevice

_CURVES = {"secp256r1": ("ES256", "sha256"), "secp384r1": ("ES384", "sha384"), "secp521r1": ("ES512", "sha512")}
_RSA = {"sha256": "256", "sha384": "384", "sha512": "512"}


def json_seal(
    device: KeyDevice,
    content: bytes,
    *,
    at: datetime,
    source: Callable[[bytes, datetime], ValidationData],
    test_trust: bool,
    digest: str,
) -> JsonSeal:
    """A JWS over the content. Raises `SealKeyUnavailableError`, and `SettingsError` for a key that JSON has no
    algorithm for."""
    certificate, *chain = device.certificates()
    name, algorithm, scheme = _algorithm(certificate, device.schemes(), digest)
    header = {
        "alg": name,
        "cty": "json",
        "iat": int(at.timestamp()),
        "x5c": [b64encode(der).decode("ascii") for der in (certificate, *chain)],
        "x5t#S256": encoded(hashlib.sha256(certificate).digest()),
    }
    protected = encoded(json.dumps(header, separators=(",", ":"), sort_keys=True).encode("ascii"))
    payload = encoded(content)
    value = device.sign(hash_bytes(algorithm, f"{protected}.{payload}".encode("ascii")), algorithm, scheme)
    if scheme == ECDSA:
        value = _plain(value, certificate)
    data = source(_carrier(certificate, chain, value), at)
    return JsonSeal(protected, payload, encoded(value), data, test_trust)


def _algorithm(certificate: bytes, schemes: frozenset[str], digest: str) -> tuple[str, str, str]:
    """JWA's name, its digest, and the scheme by which the device makes it."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and ECDSA in schemes and key.curve.name in _CURVES:
        return (*_CURVES[key.curve.name], ECDSA)
    wanted = digest if digest in _RSA else "sha512"
    if isinstance(key, rsa.RSAPublicKey) and PSS in schemes:
        return f"PS{_RSA[wanted]}", wanted, PSS
    if isinstance(key, rsa.RSAPublicKey) and PKCS1 in schemes:
        return f"RS{_RSA[wanted]}", wanted, PKCS1
    raise SettingsError(f"JSON web signatures have no algorithm for this seal key ({type(key).__name__.strip('_')})")


def _plain(signature: bytes, certificate: bytes) -> bytes:
    """r and s of fixed length (RFC 7518 3.4)."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    size = (key.curve.key_size + 7) // 8
    try:
        r, s = decode_dss_signature(signature)
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    except (ValueError, OverflowError) as error:
        raise SealKeyUnavailableError(f"the device gave no ECDSA signature: {error}") from error


def _carrier(certificate: bytes, chain: list[bytes], value: bytes) -> bytes:
    """The certificates in a CMS message, for sources that collect by those in a seal. It signs nothing."""
    signer = asn1_x509.Certificate.load(certificate)
    identifier = cms.IssuerAndSerialNumber({"issuer": signer.issuer, "serial_number": signer.serial_number})
    signed = {
        "version": "v1",
        "digest_algorithms": [{"algorithm": "sha512"}],
        "encap_content_info": {"content_type": "data"},
        "certificates": [
            cms.CertificateChoices("certificate", asn1_x509.Certificate.load(der)) for der in (certificate, *chain)
        ],
        "signer_infos": [
            {
                "version": "v1",
                "sid": cms.SignerIdentifier("issuer_and_serial_number", identifier),
                "digest_algorithm": {"algorithm": "sha512"},
                "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "rsassa_pkcs1v15"}),
                "signature": core.OctetString(value),
            }
        ],
    }
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump())
