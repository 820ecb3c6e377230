"""Proof that events of one object stand in the log whose head a statement seals.

Rules kept here
 * A proof is about lines, not about what we say they mean: the entry's hash is computed from the
   line that is handed over.
 * Size and head are those of a statement. A proof for another log proves nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from archive_core import canonical, reading
from archive_core.errors import EvidenceBrokenError, MalformedDocumentError
from archive_core.trail.merkle import HASH_SIZE, MAX_PROOF, Log, leaf_hash, verify_inclusion

FORMAT = "trusted-archive/trail-proof/1"
MAX_BYTES = 256 * 1024 * 1024
MAX_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """An entry of the log by its index (from 0) and its inclusion proof (RFC 9162 2.1.3)."""

    index: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class TrailProof:
    """Inclusion proofs for lines, in their order, in the log of `size` entries with `head`."""

    size: int
    head: bytes
    entries: tuple[ProvenEntry, ...]

    @classmethod
    def of(cls, log: Log, size: int, indexes: Sequence[int]) -> Self:
        """Proofs for these entries in the log as it was with `size` entries; raises ValueError for
        an index outside of it."""
        entries = tuple(ProvenEntry(index, log.inclusion_proof(index, size)) for index in indexes)
        return cls(size, log.head(size), entries)

    def to_bytes(self) -> bytes:
        return canonical.write(
            {
                "format": FORMAT,
                "size": self.size,
                "head": self.head.hex(),
                "entries": [
                    {"index": entry.index, "proof": [node.hex() for node in entry.proof]} for entry in self.entries
                ],
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises `MalformedDocumentError`; indexes must ascend."""
        value = reading.members(
            canonical.read_canonical(data, max_bytes=MAX_BYTES), ("format", "size", "head", "entries"), "the proof"
        )
        reading.formatted(value["format"], FORMAT)
        size = reading.integer(value["size"], "size")
        entries = tuple(_entry(item, size) for item in reading.items(value["entries"], "entries", most=MAX_ENTRIES))
        indexes = [entry.index for entry in entries]
        if indexes != sorted(set(indexes)):
            raise MalformedDocumentError("the entries of the trail proof do not ascend")
        return cls(size, reading.hex_bytes(value["head"], "head", HASH_SIZE), entries)

    def verify(self, lines: Sequence[bytes]) -> None:
        """Raises `EvidenceBrokenError` unless every line (with its line feed) is in the log where the
        proof says, and there are as many lines as entries."""
        if len(lines) != len(self.entries):
            raise EvidenceBrokenError("the trail proof is about another number of events")
        for line, entry in zip(lines, self.entries, strict=True):
            if not line.endswith(b"\n"):
                raise EvidenceBrokenError("an event's line has no end")
            verify_inclusion(leaf_hash(line[:-1]), entry.index, self.size, entry.proof, self.head)


def _entry(value: object, size: int) -> ProvenEntry:
    entry = reading.members(value, ("index", "proof"), "an entry of the trail proof")
    nodes = reading.items(entry["proof"], "proof", most=MAX_PROOF)
    return ProvenEntry(
        reading.integer(entry["index"], "index", most=max(size - 1, 0)),
        tuple(reading.hex_bytes(node, "proof", HASH_SIZE) for node in nodes),
    )
