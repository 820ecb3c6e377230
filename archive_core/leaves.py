"""The leaves of a batch: one per version, over the set of its digests (RFC 4998 4.2).

Rules kept here
 * Up to `READ_BACK` versions the description of each is read from a store first, so that what is sealed is
   what lies there, and a catalogue that says otherwise is found before a time-stamp is spent on it.
 * A larger batch takes the digests that commit A entered: each copy was read back against them before
   anybody was told, and `audit` compares them with the stores (decision 0060). They are SHA-512 alone, so a
   line of another digest is read from the stores, however large the batch is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archive_core.admission import CONTENT_DIGEST
from archive_core.batch import BatchLine
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import VersionRow
from archive_core.evidence.hash_tree import group_leaf
from archive_core.packaging import read_description
from archive_core.replication import Copies, DamageListener

Progress = Callable[[str, int, int | None], None]

READ_BACK = 10_000
"""Versions of a batch whose descriptions are read from a store before it is sealed; a published profile
closes a batch no later than that."""


@dataclass(frozen=True, slots=True)
class Leaves:
    """Who is in a batch, in leaf order, and by line the leaf of each."""

    members: tuple[tuple[str, int], ...]
    by_line: dict[str, list[bytes]]


def from_stores(
    rows: Sequence[VersionRow],
    lines: Sequence[BatchLine],
    copies: Copies,
    on_damage: DamageListener,
    progress: Progress,
) -> Leaves:
    """Leaves from the stored descriptions; raises `DamageError` when no copy of one is good."""
    by_line: dict[str, list[bytes]] = {line.line: [] for line in lines}
    for done, row in enumerate(rows):
        description, _ = read_description(copies, row, on_damage)
        for line in lines:
            by_line[line.line].append(group_leaf(line.digest, description.group_digests(line.digest)))
        if done % 100 == 0:
            progress("collecting", done, len(rows))
    return Leaves(tuple((row.poid, row.version) for row in rows), by_line)


def may_come_from_catalogue(lines: Sequence[BatchLine]) -> bool:
    """Whether the catalogue holds every digest that these lines need."""
    return all(line.digest == CONTENT_DIGEST for line in lines)


def from_catalogue(
    catalogue: Catalogue,
    profile: str,
    originator: str | None,
    limit: int,
    lines: Sequence[BatchLine],
    progress: Progress,
) -> Leaves:
    """Leaves from the digests of commit A, in the order in which versions were received."""
    members: list[tuple[str, int]] = []
    leaves: list[bytes] = []
    for poid, version, digests in catalogue.awaiting_digests(profile, originator, limit):
        members.append((poid, version))
        leaves.append(group_leaf(CONTENT_DIGEST, digests))
        if len(members) % 10_000 == 0:
            progress("collecting", len(members), None)
    return Leaves(tuple(members), {line.line: leaves for line in lines})
