"""Signing keys in files: `file:PATH`. Those in hardware and at services are in `pkcs11_key` and `csc_key`.

Rules kept here
 * A key belongs to its certificate or is not used.
 * No passphrase stands in an address, in a message or in a log.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from archive_core.errors import SettingsError


@dataclass(frozen=True)
class SigningKey:
    """A private key (PKCS#8, DER), its certificate and the chain above it (each DER, nearest first)."""

    private_key: bytes
    certificate: bytes
    chain: tuple[bytes, ...]

    def __repr__(self) -> str:  # the key itself never shows in a trace
        return f"SigningKey(certificate of {len(self.certificate)} bytes, chain of {len(self.chain)})"


def load_key(
    address: str, *, base: Path | None = None, certificates: Path | None = None, passphrase: bytes | None = None
) -> SigningKey:
    """The key at an address.

    `file:PATH` is PEM or, when it ends in `.p12` or `.pfx`, PKCS#12; relative paths start at `base`.
    A PEM file may hold its certificates too; else they come from `certificates`, signer first.
    Raises `SettingsError` saying what is wrong.
    """
    scheme, separator, rest = address.partition(":")
    if not separator or scheme != "file" or not rest:
        raise SettingsError(f"{address!r} is not a key address; use file:PATH, pkcs11:… or csc:…")
    path = (base or Path()) / rest
    try:
        octets = path.read_bytes()
        extra = certificates.read_bytes() if certificates is not None else b""
        if path.suffix.lower() in (".p12", ".pfx"):
            return _from_pkcs12(path, octets, extra, passphrase)
        return _from_pem(path, octets, extra, passphrase)
    except OSError as error:
        raise SettingsError(f"the key at {address} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"the key at {address} cannot be used: {error}") from error


def _from_pem(path: Path, octets: bytes, extra: bytes, passphrase: bytes | None) -> SigningKey:
    key = serialization.load_pem_private_key(octets, password=passphrase)
    found = [c for pem in (octets, extra) if b"BEGIN CERTIFICATE" in pem for c in x509.load_pem_x509_certificates(pem)]
    return _matched(path, key, found)


def _from_pkcs12(path: Path, octets: bytes, extra: bytes, passphrase: bytes | None) -> SigningKey:
    bag = pkcs12.load_pkcs12(octets, passphrase)
    if bag.key is None:
        raise SettingsError(f"{path} holds no private key")
    found = [item.certificate for item in (bag.cert, *bag.additional_certs) if item is not None]
    found += x509.load_pem_x509_certificates(extra) if extra else []
    return _matched(path, bag.key, found)


def _matched(path: Path, key: object, found: list[x509.Certificate]) -> SigningKey:
    public = key.public_key()  # type: ignore[attr-defined]
    own = [certificate for certificate in found if certificate.public_key() == public]
    if not own:
        raise SettingsError(f"no certificate belongs to the key in {path}")
    signer = own[0]
    return SigningKey(
        key.private_bytes(  # type: ignore[attr-defined]
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        signer.public_bytes(serialization.Encoding.DER),
        tuple(c.public_bytes(serialization.Encoding.DER) for c in found if c != signer),
    )
