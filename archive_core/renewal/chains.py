"""From a batch and its renewals to the chains of one object's evidence record (RFC 4998 5.1, 5.2).

Rules kept here
 * The catalogue says which stamps follow each other; the renewal objects say what each of them covers. A
   chain in which a stamp does not cover the token before it is never handed out.
 * What is the same for all objects of a batch (every stamp but the first of each chain) is put together
   once.
 * An object that dropped out of a hash-tree renewal has the chains before it, and no later one: its proof
   ends where its coverage ended (5.2(2)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archive_core.batch import BatchLine
from archive_core.batch_reading import StoredBatch
from archive_core.catalogue.rows import StampRow
from archive_core.digests import hash_bytes
from archive_core.errors import EvidenceBrokenError
from archive_core.evidence.derivation import StampInput
from archive_core.evidence.material import merged
from archive_core.identifiers import BATCH, RENEWAL, number_of, object_name
from archive_core.ports import ValidationData
from archive_core.renewal.stored import Shelf, StoredRenewal

Chains = list[list[StampInput]]


@dataclass(frozen=True, slots=True)
class LaterChain:
    """A chain that a hash-tree renewal began: the first stamp differs from object to object."""

    renewal: StoredRenewal
    place: int
    token: bytes
    tail: tuple[StampInput, ...]

    def group(self, leaf: int) -> tuple[bytes, ...]:
        """The values h' of a data object; none when it dropped out."""
        members = self.renewal.members
        assert members is not None
        return members.group(self.renewal.data_object(self.place, leaf))

    def first(self, leaf: int) -> StampInput:
        """The stamp over a data object that did not drop out."""
        members = self.renewal.members
        assert members is not None
        number = self.renewal.data_object(self.place, leaf)
        path = self.renewal.tree.path(members.rank(number))
        return StampInput(self.renewal.document.digest, members.group(number), path, self.token)


@dataclass(frozen=True, slots=True)
class LineEvidence:
    """All that proves the objects of one batch in one line. `head` names the object that holds the newest
    token; `data` is validation data by the sha512 (hex) of a token's final octets."""

    line: BatchLine
    token: bytes
    tail: tuple[StampInput, ...]
    later: tuple[LaterChain, ...]
    head: str
    data: Mapping[str, ValidationData]

    def chains(self, leaf: int, group: Sequence[bytes], siblings: Sequence[bytes]) -> Chains:
        """The chains of data object `leaf` (the last one is the group of statement and seal), given what
        the batch says of it: its group's digests and the siblings on its path."""
        chains = [[StampInput(self.line.digest, tuple(group), tuple(siblings), self.token), *self.tail]]
        for later in self.later:
            if not later.group(leaf):
                break
            chains.append([later.first(leaf), *later.tail])
        return chains

    def dropped_from(self, leaf: int) -> str | None:
        """The hash-tree renewal that a data object dropped out of, if it did."""
        return next((later.renewal.name for later in self.later if not later.group(leaf)), None)

    @property
    def digest(self) -> str:
        """The digest algorithm of the newest chain."""
        return self.later[-1].renewal.document.digest if self.later else self.line.digest

    @property
    def digests(self) -> list[str]:
        """The digest algorithms of all chains."""
        return [self.line.digest, *(later.renewal.document.digest for later in self.later)]


@dataclass(frozen=True, slots=True)
class _Node:
    """A stamp with the token as its object holds it."""

    name: str
    token: bytes
    data: ValidationData
    renewal: StoredRenewal | None
    chain: int


def line_evidence(batch: StoredBatch, line: BatchLine, rows: Sequence[StampRow], shelf: Shelf) -> LineEvidence:
    """The evidence of a line, from its stamps in their order.

    Raises `EvidenceBrokenError` when a stamp does not cover the one before it, `DamageError` when no copy
    of a renewal is good."""
    nodes = [_node(batch, line, row, shelf) for row in rows]
    if not nodes or nodes[0].renewal is not None or any(node.renewal is None for node in nodes[1:]):
        raise EvidenceBrokenError(f"the line {line.line} of batch {batch.formed.number} does not begin with its batch")
    octets, data = _final(nodes, batch.formed.number, shelf)
    tails: list[list[StampInput]] = [[]]
    begun: list[tuple[StoredRenewal, int, bytes]] = []
    for before, node in enumerate(nodes[1:]):
        renewal, token = node.renewal, octets[before + 1]
        assert renewal is not None
        if node.chain != nodes[before].chain:
            place = renewal.place_of(batch.formed.number)
            assert place is not None  # _final has asked for it
            begun.append((renewal, place, token))
            tails.append([])
            continue
        tails[-1].append(_renewing(renewal, nodes[before].name, octets[before], token))
    return LineEvidence(
        line=line,
        token=octets[0],
        tail=tuple(tails[0]),
        later=tuple(LaterChain(*one, tuple(tail)) for one, tail in zip(begun, tails[1:], strict=True)),
        head=nodes[-1].name,
        data=data,
    )


def _node(batch: StoredBatch, line: BatchLine, row: StampRow, shelf: Shelf) -> _Node:
    name = object_name(row.storage_object)
    if (number := number_of(row.storage_object, RENEWAL)) is not None:
        renewal = shelf.renewal(number)
        assert renewal.token is not None
        return _Node(name, renewal.token, renewal.token_data, renewal, row.chain)
    if number_of(row.storage_object, BATCH) != batch.formed.number:
        raise EvidenceBrokenError(f"batch {batch.formed.number} has a stamp of {name}")
    return _Node(name, batch.tokens[line.line], batch.token_data[line.line], None, row.chain)


def _final(nodes: Sequence[_Node], batch: int, shelf: Shelf) -> tuple[list[bytes], dict[str, ValidationData]]:
    """The octets of every token as they are covered (the newest: as it came), and their validation data."""
    octets: list[bytes] = []
    data: dict[str, ValidationData] = {}
    for node, after in zip(nodes, [*nodes[1:], None], strict=True):
        token, known = node.token, node.data
        if after is not None:
            renewal = after.renewal
            assert renewal is not None
            place = renewal.place_of(node.name if after.chain == node.chain else batch)
            if place is None or renewal.covers[place].head != node.name:
                raise EvidenceBrokenError(f"{renewal.name} does not cover the time-stamp of {node.name}")
            token = shelf.octets(renewal, renewal.covers[place], node.token)
            known = merged([known, renewal.covered_data])
        octets.append(token)
        data[hash_bytes("sha512", token).hex()] = known
    return octets, data


def _renewing(renewal: StoredRenewal, covered: str, before: bytes, token: bytes) -> StampInput:
    """A time-stamp renewal (5.2): the whole token before it alone in the first list."""
    place = renewal.place_of(covered)
    assert place is not None  # _final has asked for it
    digest = renewal.document.digest
    return StampInput(digest, (hash_bytes(digest, before),), renewal.tree.path(place), token)
