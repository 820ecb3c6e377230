"""Digests: one value type, one table of algorithms, one pass over a stream for several.

Rules kept here
 * An algorithm is named by its lower-case RFC name (`sha512`, `sha3-512`), never by a library's.
 * Two digests are equal only if algorithm and all bytes are; comparison is constant-time.
 * Which algorithm is good *at a date* is not decided here but in `policies.algorithms`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

CHUNK = 1024 * 1024
"""Bytes read at a time."""


_CONSTRUCTORS: dict[str, Callable[[], Any]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha224": hashlib.sha224,
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
    "sha512-256": lambda: hashlib.new("sha512_256"),
    "sha3-224": hashlib.sha3_224,
    "sha3-256": hashlib.sha3_256,
    "sha3-384": hashlib.sha3_384,
    "sha3-512": hashlib.sha3_512,
    "ripemd160": lambda: hashlib.new("ripemd160", usedforsecurity=False),
}

DIGEST_OIDS: dict[str, str] = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.6": "sha512-256",
    "2.16.840.1.101.3.4.2.7": "sha3-224",
    "2.16.840.1.101.3.4.2.8": "sha3-256",
    "2.16.840.1.101.3.4.2.9": "sha3-384",
    "2.16.840.1.101.3.4.2.10": "sha3-512",
    "1.3.36.3.2.1": "ripemd160",
}
"""Digest algorithm object identifiers (NIST CSOR, RFC 3279) to our names."""

_SIZES: dict[str, int] = {}

OID_OF_DIGEST = {name: oid for oid, name in DIGEST_OIDS.items()}


def new_hasher(algorithm: str) -> Any:
    """A `hashlib`-like object; raises KeyError for an algorithm that is not in the table and
    ValueError where this machine's OpenSSL does not offer it."""
    return _CONSTRUCTORS[algorithm]()


def is_known(algorithm: str) -> bool:
    return algorithm in _CONSTRUCTORS


def is_available(algorithm: str) -> bool:
    """Whether the algorithm is in the table and this machine can compute it."""
    try:
        new_hasher(algorithm)
    except (KeyError, ValueError):
        return False
    return True


def digest_size(algorithm: str) -> int:
    """Length in bytes."""
    size = _SIZES.get(algorithm)
    if size is None:
        size = _SIZES[algorithm] = int(new_hasher(algorithm).digest_size)
    return size


def hash_bytes(algorithm: str, *parts: bytes) -> bytes:
    """The digest of the parts one after the other."""
    hasher = new_hasher(algorithm)
    for part in parts:
        hasher.update(part)
    return bytes(hasher.digest())


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest value with its algorithm."""

    algorithm: str
    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != digest_size(self.algorithm):
            raise ValueError(f"a {self.algorithm} digest has {digest_size(self.algorithm)} bytes")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Digest):
            return NotImplemented
        return self.algorithm == other.algorithm and hmac.compare_digest(self.value, other.value)

    def __hash__(self) -> int:
        return hash((self.algorithm, self.value))

    @property
    def hex(self) -> str:
        return self.value.hex()

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @classmethod
    def of(cls, algorithm: str, *parts: bytes) -> Digest:
        return cls(algorithm, hash_bytes(algorithm, *parts))

    @classmethod
    def from_hex(cls, algorithm: str, text: str) -> Digest:
        return cls(algorithm, bytes.fromhex(text))


class MultiHasher:
    """Several digests and the length of one stream, in one pass."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._hashers = {name: new_hasher(name) for name in algorithms}
        self.size = 0

    def update(self, data: bytes) -> None:
        self.size += len(data)
        for hasher in self._hashers.values():
            hasher.update(data)

    def digests(self) -> dict[str, Digest]:
        return {name: Digest(name, bytes(h.digest())) for name, h in self._hashers.items()}


def read_chunks(stream: BinaryIO, size: int = CHUNK) -> Iterator[bytes]:
    while chunk := stream.read(size):
        yield chunk


def digest_stream(stream: BinaryIO, algorithms: Iterable[str]) -> tuple[dict[str, Digest], int]:
    """Digests of what is left in the stream, and how many bytes that was."""
    hasher = MultiHasher(algorithms)
    for chunk in read_chunks(stream):
        hasher.update(chunk)
    return hasher.digests(), hasher.size
