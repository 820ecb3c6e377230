"""Deriving an evidence record: the same inputs give the same octets, for decades.

Rules kept here
 * Derived records are hashed later (hash-tree renewal covers whole chains), so the derivation has a
   version. A published version never changes; golden vectors under `tests/golden` hold it fast.
 * Version 1 writes the shape of Basis-ERS: no cryptoInfos, no encryptionInfo, no attributes; the
   digest algorithm of every stamp stated, without parameters (RFC 5754 2), and listed once in the
   order of first use; the object's group alone in the first list, sorted; one sibling in each list
   that follows.
 * Tokens, and chains of a record that is continued (prefix), enter as the octets they are: all around them is
   put together by hand, and no encoder sees them. (A schema-aware one parses and encodes them again, which takes
   half a second for some, and is one setting away from another order of their sets.)
 * What is derived has been checked against the limits of the reader and against its own tokens:
   a record that could not be read or whose roots do not meet is never handed out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from asn1crypto import core

from archive_core.digests import OID_OF_DIGEST
from archive_core.errors import EvidenceBrokenError, MalformedEvidenceError
from archive_core.evidence import der
from archive_core.evidence.hash_tree import combine
from archive_core.evidence.record import MAX_CHAINS, MAX_HASHES, MAX_LISTS, MAX_STAMPS, EvidenceRecord
from archive_core.evidence.token import parse_token

DERIVATION_VERSION = 1
"""The version that new batches are derived with."""

_VERSION_1 = bytes.fromhex("020101")
"""EvidenceRecord.version as INTEGER."""


@dataclass(frozen=True, slots=True)
class StampInput:
    """One archive time-stamp to be written.

    `first_list`: the digests of the object's group (initial stamp), of the covered token
    (time-stamp renewal), or the members' `H(h || ha)` (hash-tree renewal). `siblings`: one value
    per later list, bottom-up. `token`: the complete ContentInfo, kept as it is.
    """

    digest_algorithm: str
    first_list: tuple[bytes, ...]
    siblings: tuple[bytes, ...]
    token: bytes

    @property
    def reduced_hash_tree(self) -> tuple[tuple[bytes, ...], ...]:
        return (tuple(sorted(self.first_list)), *((sibling,) for sibling in self.siblings))


def derive_record(
    chains: Sequence[Sequence[StampInput]],
    *,
    version: int = DERIVATION_VERSION,
    prefix: EvidenceRecord | None = None,
) -> bytes:
    """The DER EvidenceRecord over these chains, oldest first, byte-stable for each `version`.

    `prefix` is a record of somebody else that is continued: its chains come first, verbatim, and
    its algorithms are listed first. Raises ValueError for an unknown version or inputs beyond the
    reader's limits, and EvidenceBrokenError when a tree does not meet the imprint of its token.
    """
    _require_known(version)
    earlier = prefix.chains if prefix else ()
    stamps = sum(len(chain.stamps) for chain in earlier) + sum(map(len, chains))
    if not chains or not all(chains) or len(earlier) + len(chains) > MAX_CHAINS or stamps > MAX_STAMPS:
        raise ValueError("a record needs chains, and a chain needs stamps, within limits")
    algorithms = list(prefix.digest_algorithms) if prefix else []
    algorithms += [stamp.digest_algorithm for chain in chains for stamp in chain]
    return der.wrap(
        der.SEQUENCE,
        _VERSION_1,
        der.wrap(der.SEQUENCE, *(der.wrap(der.SEQUENCE, _oid(name)) for name in dict.fromkeys(algorithms))),
        der.wrap(der.SEQUENCE, *(chain.raw for chain in earlier), *map(_chain, chains)),
    )


def derive_sequence(chains: Sequence[Sequence[StampInput]], *, version: int = DERIVATION_VERSION) -> bytes:
    """The DER ArchiveTimeStampSequence of these chains: `atsc` of 5.2(3), as `derive_record` writes it.

    Raises as `derive_record`."""
    _require_known(version)
    return der.wrap(der.SEQUENCE, *map(_chain, chains))


def _require_known(version: int) -> None:
    if version != 1:
        raise ValueError(f"derivation version {version} is unknown")


def _chain(stamps: Sequence[StampInput]) -> bytes:
    """An ArchiveTimeStampChain."""
    if len({stamp.digest_algorithm for stamp in stamps}) != 1:
        raise ValueError("a chain has one digest algorithm (RFC 4998 5.2)")
    return der.wrap(der.SEQUENCE, *map(_stamp, stamps))


@lru_cache(maxsize=256)
def _stamp(stamp: StampInput) -> bytes:
    """An ArchiveTimeStamp; made once for the many records of a batch, whose later stamps are the same."""
    if len(stamp.siblings) >= MAX_LISTS or len(stamp.first_list) > MAX_HASHES:
        raise ValueError("a reduced hash tree is larger than its reader accepts")
    if len(set(stamp.first_list)) != len(stamp.first_list):
        raise ValueError("a data group holds each digest once")
    _check_root(stamp)
    algorithm = der.wrap(der.context(0), _oid(stamp.digest_algorithm))
    tree = [_list(sorted(stamp.first_list)), *(_lone_head(len(value)) + value for value in stamp.siblings)]
    return der.wrap(der.SEQUENCE, algorithm, der.wrap(der.context(2), *tree), stamp.token)


def _list(values: Sequence[bytes]) -> bytes:
    """A PartialHashtree."""
    return der.wrap(der.SEQUENCE, *(der.wrap(der.OCTET_STRING, value) for value in values))


@lru_cache(maxsize=16)
def _lone_head(length: int) -> bytes:
    """What stands before the value in a PartialHashtree of one value of that many octets."""
    return _list([bytes(length)])[:-length]


def _check_root(stamp: StampInput) -> None:
    """4.2(5) read backwards: algorithm and root of the tree are those of the token's imprint."""
    root = _root(stamp.digest_algorithm, combine(stamp.digest_algorithm, stamp.first_list), stamp.siblings)
    if _imprint(stamp.token) != (stamp.digest_algorithm, root):
        raise EvidenceBrokenError("the hash tree of a record does not lead to the imprint of its token")


@lru_cache(maxsize=256)
def _root(algorithm: str, node: bytes, siblings: tuple[bytes, ...]) -> bytes:
    """The root over a node and the siblings above it (4.3(3)). Neighbours in a batch share all but the lowest levels:
    who comes second finds the rest of the way computed."""
    return _root(algorithm, combine(algorithm, (node, siblings[0])), siblings[1:]) if siblings else node


@lru_cache(maxsize=16)
def _imprint(token: bytes) -> tuple[str, bytes]:
    """Algorithm and value that a token is over; read once for the many records of a batch."""
    try:
        info = parse_token(token)
    except MalformedEvidenceError as error:
        raise EvidenceBrokenError("the time-stamp token of a record cannot be read") from error
    return info.imprint_algorithm, info.imprint


@lru_cache(maxsize=64)
def _oid(name: str) -> bytes:
    """What an AlgorithmIdentifier without parameters holds; a name that is not ours is a dotted OID."""
    return bytes(core.ObjectIdentifier(OID_OF_DIGEST.get(name, name)).dump())
