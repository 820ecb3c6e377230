"""Reading evidence records: the form of RFC 4998 3.1, 4.1 and 5.1, and nothing about their truth.

Rules kept here
 * Strict where octets are hashed (DER, definite lengths), bounded everywhere (size, depth, counts):
   hostile input is refused in time linear in its length.
 * Tokens and chains are slices of what was received, byte for byte.
 * `cryptoInfos` is noticed and never believed: no stamp protects it (3.1).
 * A version below 1 is refused (3.1). `encryptionInfo` is noticed, so that verification can refuse it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from archive_core.digests import DIGEST_OIDS
from archive_core.errors import MalformedEvidenceError
from archive_core.evidence import der
from archive_core.evidence.token import TokenInfo, parse_token

MAX_RECORD = 64 * 1024 * 1024
"""Bytes; most of a record are the certificates and revocation lists in its tokens."""
MAX_CHAINS = 64
MAX_STAMPS = 256
"""Archive time-stamps in all chains together."""
MAX_LISTS = 64
"""Lists in one reduced hash tree: enough for a binary tree over 2^63 objects."""
MAX_HASHES = 100_000
"""Hashes in one list: the largest data group."""
MAX_HASHES_IN_ALL = 400_000
"""Hashes in all lists of a record."""
MAX_HASH_OCTETS = 64
_MAX_ALGORITHMS = 64
_MAX_ATTRIBUTES = 1_000
_MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class ArchiveTimeStamp:
    """RFC 4998 4.1. Digest algorithms are our names, or a dotted OID that we do not know.

    `declared_algorithm` is the optional field [0]; `reduced_hash_tree` is None when omitted, which
    means that the stamp covers exactly one hash; `token` is the complete ContentInfo.
    """

    declared_algorithm: str | None
    has_attributes: bool
    reduced_hash_tree: tuple[tuple[bytes, ...], ...] | None
    token: bytes
    token_info: TokenInfo
    raw: bytes

    @property
    def digest_algorithm(self) -> str:
        """The algorithm of the reduced hash tree: the field, or else that of the imprint (4.1)."""
        return self.declared_algorithm or self.token_info.imprint_algorithm

    @property
    def first_list(self) -> tuple[bytes, ...]:
        """What the stamp covers directly: the first list, or else the imprint alone."""
        return self.reduced_hash_tree[0] if self.reduced_hash_tree else (self.token_info.imprint,)


@dataclass(frozen=True, slots=True)
class ArchiveTimeStampChain:
    """RFC 4998 5.1: stamps that renew each other under one digest algorithm."""

    stamps: tuple[ArchiveTimeStamp, ...]
    raw: bytes


@dataclass(frozen=True)
class EvidenceRecord:
    """RFC 4998 3.1, as far as verification needs it; `raw` is the complete record."""

    version: int
    digest_algorithms: tuple[str, ...]
    has_crypto_infos: bool
    has_encryption_info: bool
    chains: tuple[ArchiveTimeStampChain, ...]
    raw: bytes

    @property
    def initial(self) -> ArchiveTimeStamp:
        return self.chains[0].stamps[0]

    @property
    def last(self) -> ArchiveTimeStamp:
        return self.chains[-1].stamps[-1]

    @cached_property
    def stamps(self) -> tuple[ArchiveTimeStamp, ...]:
        """All stamps of all chains, in the order of the record."""
        return tuple(stamp for chain in self.chains for stamp in chain.stamps)

    def sequence_before(self, chain: int) -> bytes:
        """`atsc` of 5.2(3): the ArchiveTimeStampSequence of all chains before number `chain` (from
        0), as octets: the chains as received, in one SEQUENCE."""
        return der.wrap(der.SEQUENCE, *(earlier.raw for earlier in self.chains[:chain]))


def parse_record(data: bytes) -> EvidenceRecord:
    """Read a DER EvidenceRecord; raises MalformedEvidenceError for anything else."""
    if len(data) > MAX_RECORD:
        raise MalformedEvidenceError(f"an evidence record of more than {MAX_RECORD} bytes", size=len(data))
    root = der.read_only_element(data)
    fields = _Fields(der.expect(root, der.SEQUENCE, "an EvidenceRecord", after=root), most=5)
    version = der.integer(fields.required(der.INTEGER, "the version"))
    if version < 1:
        raise MalformedEvidenceError(f"version {version} of an evidence record does not exist")
    algorithms = tuple(
        _algorithm(element, _children_of_algorithm(element))
        for element in der.children(fields.required(der.SEQUENCE, "digestAlgorithms"), most=_MAX_ALGORITHMS)
    )
    crypto_infos = fields.optional(der.context(0))
    encryption_info = fields.optional(der.context(1))
    for optional in (crypto_infos, encryption_info):
        if optional is not None:
            der.check_walkable(optional, depth=_MAX_DEPTH * 2, elements=_MAX_ATTRIBUTES * 100)
    sequence = fields.required(der.SEQUENCE, "archiveTimeStampSequence")
    fields.finish()
    limits = _Limits(MAX_STAMPS, MAX_HASHES_IN_ALL)
    chains = tuple(_parse_chain(element, limits) for element in der.children(sequence, most=MAX_CHAINS))
    if not chains:
        raise der.malformed("there is no archive time-stamp chain", sequence.start)
    return EvidenceRecord(version, algorithms, crypto_infos is not None, encryption_info is not None, chains, data)


@dataclass
class _Limits:
    """What the rest of a record may still hold."""

    stamps: int
    hashes: int


def _parse_chain(element: der.Element, limits: _Limits) -> ArchiveTimeStampChain:
    der.expect(element, der.SEQUENCE, "an ArchiveTimeStampChain", after=element)
    stamps = tuple(_parse_stamp(child, limits) for child in der.children(element, most=limits.stamps))
    limits.stamps -= len(stamps)
    if not stamps:
        raise der.malformed("an archive time-stamp chain is empty", element.start)
    return ArchiveTimeStampChain(stamps, element.raw)


def _parse_stamp(element: der.Element, limits: _Limits) -> ArchiveTimeStamp:
    fields = _Fields(der.expect(element, der.SEQUENCE, "an ArchiveTimeStamp", after=element), most=4)
    declared = fields.optional(der.context(0))
    attributes = fields.optional(der.context(1))
    if attributes is not None:
        der.check_walkable(attributes, depth=_MAX_DEPTH, elements=_MAX_ATTRIBUTES)
    tree = fields.optional(der.context(2))
    token = fields.required(der.SEQUENCE, "timeStamp")
    fields.finish()
    return ArchiveTimeStamp(
        declared_algorithm=None if declared is None else _algorithm(declared, der.children(declared, most=2)),
        has_attributes=attributes is not None,
        reduced_hash_tree=None if tree is None else _parse_tree(tree, limits),
        token=token.raw,
        token_info=parse_token(token.raw),
        raw=element.raw,
    )


def _parse_tree(element: der.Element, limits: _Limits) -> tuple[tuple[bytes, ...], ...]:
    lists = tuple(_parse_list(child, limits) for child in der.children(element, most=MAX_LISTS))
    if not lists:
        raise der.malformed("a reduced hash tree is empty; it may be omitted, not empty", element.start)
    return lists


def _parse_list(element: der.Element, limits: _Limits) -> tuple[bytes, ...]:
    der.expect(element, der.SEQUENCE, "a PartialHashtree", after=element)
    hashes = list(der.short_strings(element, longest=MAX_HASH_OCTETS, most=min(MAX_HASHES, limits.hashes)))
    if not hashes:
        raise der.malformed("a list of a reduced hash tree is empty", element.start)
    limits.hashes -= len(hashes)
    return tuple(hashes)


def _children_of_algorithm(element: der.Element) -> Iterator[der.Element]:
    return der.children(der.expect(element, der.SEQUENCE, "an AlgorithmIdentifier", after=element), most=2)


def _algorithm(element: der.Element, parts: Iterator[der.Element]) -> str:
    """The name of an AlgorithmIdentifier; parameters absent and NULL mean the same (RFC 5754 2)."""
    dotted = der.oid(der.expect(next(parts, None), der.OID, "an algorithm's OBJECT IDENTIFIER", after=element))
    for parameters in parts:
        if parameters.tag & der.CONSTRUCTED:
            der.check_walkable(parameters, depth=_MAX_DEPTH, elements=_MAX_ATTRIBUTES)
    return DIGEST_OIDS.get(dotted, dotted)


class _Fields:
    """The fields of a SEQUENCE in their order."""

    def __init__(self, element: der.Element, *, most: int) -> None:
        self._owner = element
        self._rest = der.children(element, most=most)
        self._next = next(self._rest, None)

    def optional(self, tag: int) -> der.Element | None:
        found = self._next
        if found is None or found.tag != tag:
            return None
        self._next = next(self._rest, None)
        return found

    def required(self, tag: int, what: str) -> der.Element:
        found = der.expect(self._next, tag, what, after=self._owner)
        self._next = next(self._rest, None)
        return found

    def finish(self) -> None:
        if self._next is not None:
            raise der.malformed("an unexpected field", self._next.start)
