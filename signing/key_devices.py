"""Seal keys that are somewhere else: what a device or a service does, and what a seal needs of it.

Rules kept here
 * The private key stays where it is: a digest goes there and a signature comes back.
 * RSA seals are RSASSA-PSS with the seal's digest everywhere and a salt of its length; with a service that offers
   nothing but PKCS #1 v1.5, they are that. Elliptic curves are ECDSA with the seal's digest (RFC 5753, RFC 4056).
 * What comes back is believed by nobody until the seal has been verified (`archive_core.sealing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from asn1crypto import algos
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from archive_core.digests import digest_size
from archive_core.errors import SealKeyUnavailableError, SettingsError

PSS, PKCS1, ECDSA = "rsa-pss", "rsa-pkcs1", "ecdsa"


class KeyDevice(Protocol):
    """A private key with its certificates. Every verb raises `SealKeyUnavailableError` when it does not answer,
    and `SettingsError` when it is not as the settings say."""

    def certificates(self) -> tuple[bytes, ...]:
        """The key's certificate and those above it, DER, nearest first."""
        ...

    def schemes(self) -> frozenset[str]:
        """Which of `PSS`, `PKCS1` and `ECDSA` it can."""
        ...

    def sign(self, digest: bytes, algorithm: str, scheme: str) -> bytes:
        """The signature over a digest; that of ECDSA as DER (RFC 3279 2.2.3)."""
        ...


@dataclass(frozen=True, slots=True)
class Mechanism:
    """How a seal is signed: a scheme, and the identifier that says so in the CMS."""

    scheme: str
    identifier: algos.SignedDigestAlgorithm


def mechanism_for(certificate: bytes, schemes: frozenset[str], digest: str) -> Mechanism:
    """The scheme for a certificate's key; raises `SettingsError` when the device has none for it. `digest` is named
    as in `archive_core.digests`."""
    name = digest.replace("-", "_")
    key = x509.load_der_x509_certificate(certificate).public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and ECDSA in schemes:
        return Mechanism(ECDSA, algos.SignedDigestAlgorithm({"algorithm": f"{name}_ecdsa"}))
    if isinstance(key, rsa.RSAPublicKey) and PSS in schemes:
        return Mechanism(PSS, algos.SignedDigestAlgorithm(_pss(digest)))
    if isinstance(key, rsa.RSAPublicKey) and PKCS1 in schemes:
        return Mechanism(PKCS1, algos.SignedDigestAlgorithm({"algorithm": f"{name}_rsa"}))
    raise SettingsError(
        f"the seal key is a {type(key).__name__.strip('_')}; it can {', '.join(sorted(schemes)) or 'nothing'} there"
    )


def _pss(digest: str) -> dict[str, object]:
    return {"algorithm": "rsassa_pss", "parameters": pss_parameters(digest)}


def pss_parameters(digest: str) -> algos.RSASSAPSSParams:
    """One digest throughout, and a salt as long as it (RFC 4055 3.1)."""
    name = {"algorithm": digest.replace("-", "_")}
    return algos.RSASSAPSSParams(
        {
            "hash_algorithm": name,
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": name},
            "salt_length": digest_size(digest),
        }
    )


def ordered(certificates: tuple[bytes, ...], public_key: object | None, where: str) -> tuple[bytes, ...]:
    """Certificates with the signer's first, which is that of the public key, or the one that issued none of the
    others; raises `SealKeyUnavailableError` when there is none."""
    loaded = [x509.load_der_x509_certificate(der) for der in dict.fromkeys(certificates)]
    if public_key is not None:
        own = [one for one in loaded if one.public_key() == public_key]
    else:
        issuers = {one.issuer.public_bytes() for one in loaded if one.issuer != one.subject}
        own = [one for one in loaded if one.subject.public_bytes() not in issuers]
    if not own:
        raise SealKeyUnavailableError(f"{where}: no certificate belongs to the key")
    chain, left = [own[0]], [one for one in loaded if one != own[0]]
    while above := next((one for one in left if one.subject == chain[-1].issuer), None):
        chain.append(above)
        left.remove(above)
    return tuple(one.public_bytes(Encoding.DER) for one in chain)
