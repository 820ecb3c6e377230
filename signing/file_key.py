"""A seal key in memory, behind the port of those that are somewhere else (`key_devices`)."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import load_der_private_key

from archive_core.errors import SettingsError
from signing.key_devices import ECDSA, PKCS1, PSS
from signing.keys import SigningKey

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
    "sha3-256": hashes.SHA3_256,
    "sha3-384": hashes.SHA3_384,
    "sha3-512": hashes.SHA3_512,
}


class FileKey:
    """A `KeyDevice` over a key that was read from a file."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._private = load_der_private_key(key.private_key, None)

    def certificates(self) -> tuple[bytes, ...]:
        return (self._key.certificate, *self._key.chain)

    def schemes(self) -> frozenset[str]:
        if isinstance(self._private, ec.EllipticCurvePrivateKey):
            return frozenset({ECDSA})
        return frozenset({PSS, PKCS1}) if isinstance(self._private, rsa.RSAPrivateKey) else frozenset()

    def sign(self, digest: bytes, algorithm: str, scheme: str) -> bytes:
        if algorithm not in _HASHES:
            raise SettingsError(f"a key in a file signs digests of {', '.join(_HASHES)}, not {algorithm}")
        used = utils.Prehashed(_HASHES[algorithm]())
        if scheme == ECDSA and isinstance(self._private, ec.EllipticCurvePrivateKey):
            return self._private.sign(digest, ec.ECDSA(used))
        if scheme in (PSS, PKCS1) and isinstance(self._private, rsa.RSAPrivateKey):
            mask = padding.MGF1(_HASHES[algorithm]())
            pad = padding.PSS(mask, len(digest)) if scheme == PSS else padding.PKCS1v15()
            return self._private.sign(digest, pad, used)
        raise SettingsError(f"the key in the file cannot sign by {scheme}")
