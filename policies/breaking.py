"""What breaks if an algorithm, an authority or a certification authority falls on a date (design: policies answer it).

Rules kept here
 * A break changes the table or adds news, and nothing else: the same decisions then say what is lost.
 * A document loses its proof when every line of its batch does; one line that stands carries it (RFC 4998 7).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from policies.algorithms import AlgorithmRow, AlgorithmTable
from policies.errors import UnknownPolicyError
from policies.forecast_values import Span, joined
from policies.renewal import needs_of
from policies.renewal_values import Blocked, ChainFacts, RenewalPolicy


class Broken(enum.StrEnum):
    DIGEST = "digest"
    SIGNATURE = "signature"
    AUTHORITY = "tsa"
    CERTIFICATION = "ca"


@dataclass(frozen=True, slots=True)
class Break:
    """What falls, by name: a digest, a signature scheme (`rsa`, `ecdsa`, `ml-dsa` …), a time-stamp authority, a
    certification authority; and when."""

    what: Broken
    name: str
    at: datetime

    def __str__(self) -> str:
        prefix = f"{self.what}:" if self.what in (Broken.AUTHORITY, Broken.CERTIFICATION) else ""
        return f"{prefix}{self.name}"


def parse_break(words: str, at: datetime, table: AlgorithmTable) -> Break:
    """`sha512`, `rsa`, `tsa:NAME`, `ca:NAME`; raises UnknownPolicyError naming what can be broken."""
    prefix, separator, name = words.partition(":")
    if separator and prefix in (Broken.AUTHORITY, Broken.CERTIFICATION) and name:
        return Break(Broken(prefix), name, at)
    if not separator and table.digest_row(words) is not None:
        return Break(Broken.DIGEST, words, at)
    if not separator and _schemes(words, table):
        return Break(Broken.SIGNATURE, words, at)
    known = ", ".join(
        [*(row.name for row in table.digests if not row.until), *sorted({_short(row.name) for row in table.signatures})]
    )
    raise UnknownPolicyError(f"{words[:60]!a} cannot be broken; say tsa:NAME, ca:NAME, or one of {known}")


def _short(scheme: str) -> str:
    return "rsa" if scheme.startswith("rsa-") else scheme


def _schemes(words: str, table: AlgorithmTable) -> set[str]:
    return {row.name for row in table.signatures if words in (row.name, _short(row.name))}


def broken_table(table: AlgorithmTable, broken: Break) -> AlgorithmTable:
    """The table as it will have to say: the algorithm ends on that day. Its status stays: until then, what was
    recommended still is, so that deposits go on being evidenced. Others are as they were."""
    if broken.what is Broken.DIGEST:
        rows = tuple(_ended(row, broken.at) if row.name == broken.name else row for row in table.digests)
        return replace(table, digests=rows)
    if broken.what is Broken.SIGNATURE:
        fallen = _schemes(broken.name, table)
        rows = tuple(_ended(row, broken.at) if row.name in fallen else row for row in table.signatures)
        return replace(table, signatures=rows)
    return table


def _ended(row: AlgorithmRow, at: datetime) -> AlgorithmRow:
    if row.until is not None and row.until <= at:
        return row
    return replace(row, until=at)


@dataclass(frozen=True, slots=True)
class Loss:
    """What no longer proves anything: chains, and the batches and documents that lose every line (`lost`) or only
    some (`weakened`)."""

    chains: int
    holding: int
    lost: tuple[Span, ...]
    lost_documents: int
    weakened: tuple[Span, ...]
    weakened_documents: int

    @property
    def lost_batches(self) -> int:
        return sum(last - first + 1 for first, last in self.lost)


def assess_loss(chains: Sequence[ChainFacts], *, table: AlgorithmTable, policy: RenewalPolicy, at: datetime) -> Loss:
    """What is lost at `at`, if nothing more is renewed."""
    fallen: dict[int, list[bool]] = {}
    documents = {chain.batch: chain.documents for chain in chains}
    for chain in chains:
        fallen.setdefault(chain.batch, []).append(is_lapsed(chain, table=table, policy=policy, at=at))
    lost = [batch for batch, lines in fallen.items() if all(lines)]
    weakened = [batch for batch, lines in fallen.items() if any(lines) and not all(lines)]
    return Loss(
        chains=sum(sum(lines) for lines in fallen.values()),
        holding=len(chains),
        lost=_spans(lost),
        lost_documents=sum(documents[batch] for batch in lost),
        weakened=_spans(weakened),
        weakened_documents=sum(documents[batch] for batch in weakened),
    )


def is_lapsed(chain: ChainFacts, *, table: AlgorithmTable, policy: RenewalPolicy, at: datetime) -> bool:
    """Whether a chain proves nothing any more at `at`."""
    return any(need.blocked is Blocked.LAPSED for need in needs_of(chain, table=table, policy=policy, at=at))


def _spans(batches: Iterable[int]) -> tuple[Span, ...]:
    return joined((batch, batch) for batch in batches)
