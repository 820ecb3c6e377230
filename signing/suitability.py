"""Whether the algorithms under a signature are good at a date, as a dated table says.

Rules kept here (EN 319 102-1 5.2.8)
 * The table decides, nothing here does: unknown is not good.
 * Not good at the time of use: CRYPTO_CONSTRAINTS_FAILURE. Good then and no longer at the instant of
   judgement: CRYPTO_CONSTRAINTS_FAILURE_NO_POE, which a proof of existence can still mend.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

from asn1crypto import algos, keys

from archive_core.findings import SubIndication, Verdict
from signing.judgement import Judgement
from signing.signature_math import digest_name, key_bits, signature_scheme


class Suitability(Protocol):
    @property
    def good(self) -> bool: ...
    @property
    def until(self) -> datetime | None: ...
    @property
    def reason(self) -> str: ...


class Algorithms(Protocol):
    """A dated algorithm table, as `policies.algorithms.AlgorithmTable`."""

    def digest(self, name: str, *, at: datetime) -> Suitability: ...
    def signature(self, scheme: str, key_bits: int, *, at: datetime) -> Suitability: ...


_TABLE_NAMES = {
    "plain-ecdsa": "ecdsa",
    "ed25519": "eddsa",
    "ed448": "eddsa",
    "ml-dsa-44": "ml-dsa",
    "ml-dsa-65": "ml-dsa",
    "ml-dsa-87": "ml-dsa",
}
"""Names of signature schemes where tables are coarser; the key size tells the members apart."""

UsedSignature = tuple[algos.SignedDigestAlgorithm, keys.PublicKeyInfo]
"""A signature algorithm identifier with the key that it was used with."""


def check_algorithms(
    table: Algorithms,
    signatures: Iterable[UsedSignature],
    digests: Iterable[str],
    *,
    used: datetime,
    at: datetime,
) -> None:
    """Raises `Judgement` when an algorithm was not good when `used`, or is not good `at`."""
    for ask, what in _questions(table, signatures, digests):
        then = ask(used)
        if not then.good:
            raise _failure(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, what, used, then)
        now = ask(at)
        if not now.good:
            raise _failure(SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE, what, at, now)


class _Question(Protocol):
    def __call__(self, at: datetime, /) -> Suitability: ...


def algorithms_of(
    signatures: Iterable[UsedSignature], digests: Iterable[str]
) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...]]:
    """The digests, and the schemes with their key bits, that signatures and digests amount to, as tables
    name them, sorted."""
    names = set(digests)
    schemes: set[tuple[str, int]] = set()
    for algorithm, key in signatures:
        scheme = signature_scheme(algorithm)
        schemes.add((_TABLE_NAMES.get(scheme.name, scheme.name), key_bits(key)))
        if scheme.digest is not None:
            names.add(scheme.digest)
        if scheme.name == "rsa-pss":
            names.add(digest_name(algorithm["parameters"]["mask_gen_algorithm"]["parameters"]))
    return tuple(sorted(names)), tuple(sorted(schemes))


def _questions(
    table: Algorithms, signatures: Iterable[UsedSignature], digests: Iterable[str]
) -> Iterator[tuple[_Question, str]]:
    names, schemes = algorithms_of(signatures, digests)
    for name in names:
        yield (lambda at, name=name: table.digest(name, at=at)), name
    for scheme_name, bits in schemes:
        what = f"{scheme_name} with {bits} bits"
        yield (lambda at, s=scheme_name, b=bits: table.signature(s, b, at=at)), what


def _failure(sub: SubIndication, what: str, when: datetime, said: Suitability) -> Judgement:
    return Judgement(Verdict.INDETERMINATE, sub, f"{what} is not suitable at {when:%Y-%m-%d}: {said.reason}")
