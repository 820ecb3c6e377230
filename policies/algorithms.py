"""Which cryptographic algorithm is good at which date, and who says so.

Rules kept here
 * No date and no key size stands in the code: they are rows of a published table, each with its
   source. The shape follows RFC 5698 (algorithm, parameters, validity end): a row names an
   algorithm, the band of key sizes it speaks of, and where its suitability ends.
 * What has no row is not suitable (RFC 5698 3.1).
 * `until` is exclusive: an algorithm is good before that instant and not at it.
 * A question is always about an instant: for a signature that is when it is known to have existed,
   not today (EN 319 102-1 5.6.2.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Self

from policies.errors import PolicyError
from policies.reading import Section, aware, read_toml

FORMAT = "trusted-archive/algorithms/1"

RECOMMENDED, LEGACY, DISCONTINUED = "recommended", "legacy", "discontinued"
STATUSES = (RECOMMENDED, LEGACY, DISCONTINUED)


@dataclass(frozen=True, slots=True)
class Suitability:
    """Whether an algorithm is good at the instant asked about.

    `until` is the end of its suitability (exclusive), None when no end is known or the algorithm is
    unknown; `reason` is a sentence; `source` names the document behind it.
    """

    good: bool
    until: datetime | None
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class AlgorithmRow:
    """One row: `names` and `oids` all mean the algorithm, the first name is the one we use.

    For a digest `bits` is its output length. For a signature scheme the row speaks of key sizes
    from `min_bits` to `max_bits`, both inclusive, None where the band is open.
    """

    names: tuple[str, ...]
    oids: tuple[str, ...]
    status: str
    until: datetime | None
    source: str
    note: str
    bits: int = 0
    min_bits: int | None = None
    max_bits: int | None = None
    since: datetime | None = None
    """When it became suitable, where a list says so (RFC 5698 3.2, Start)."""

    @property
    def name(self) -> str:
        return self.names[0]

    def covers(self, key_bits: int) -> bool:
        return (self.min_bits is None or key_bits >= self.min_bits) and (
            self.max_bits is None or key_bits <= self.max_bits
        )

    def overlaps(self, other: AlgorithmRow) -> bool:
        return _before(self.min_bits, other.max_bits) and _before(other.min_bits, self.max_bits)


def _before(least: int | None, most: int | None) -> bool:
    return least is None or most is None or least <= most


@dataclass(frozen=True, slots=True)
class LongTermRule:
    """Digests of new evidence that must last longer than `beyond_years` have `min_digest_bits` at least."""

    beyond_years: int
    min_digest_bits: int
    source: str


@dataclass(frozen=True, slots=True)
class AlgorithmTable:
    """A published table. `source` is the file's bytes, which are kept as a storage object; `form` is what it is
    written in: `toml`, `xml` or `json` (see `policies.tables`)."""

    id: str
    issued: datetime
    title: str
    digests: tuple[AlgorithmRow, ...]
    signatures: tuple[AlgorithmRow, ...]
    long_term: LongTermRule
    source: bytes = field(repr=False)
    form: str = "toml"

    @classmethod
    def load(cls, source: bytes) -> Self:
        """Read a table in TOML; raises PolicyError, naming the place, for anything that is not one."""
        top = read_toml(source, "The algorithm table")
        top.choice("format", (FORMAT,))
        sources = _sources(top.sections("source"))
        table = cls(
            id=top.text("id"),
            issued=top.day("issued"),
            title=top.text("title"),
            digests=tuple(_digest_row(one, sources) for one in top.sections("digest")),
            signatures=tuple(_signature_row(one, sources) for one in top.sections("signature")),
            long_term=_long_term(top.section("long_term"), sources),
            source=source,
        )
        top.finish()
        _refuse_ambiguity(table)
        return table

    def digest(self, name: str, *, at: datetime) -> Suitability:
        """Whether a digest algorithm (our name or its object identifier) is good at `at`."""
        row = self.digest_row(name)
        if row is None:
            return self._unknown(f"The digest algorithm {name} is not in the table {self.id}", at)
        return _judged(row, row.name, at)

    def signature(self, scheme: str, key_bits: int, *, at: datetime) -> Suitability:
        """Whether a signature scheme with a key of `key_bits` is good at `at`.

        `scheme` is a name or object identifier of the table, such as `rsa-pss`, `rsa-pkcs1v15`,
        `ecdsa`, `eddsa`, `dsa`. `key_bits` is the modulus length for RSA and DSA and the field size
        for ECDSA and EdDSA. For ML-DSA it is the number of the parameter set (44, 65, 87), for
        SLH-DSA, LMS and XMSS the hash output length n in bits.
        """
        rows = [row for row in self.signatures if scheme in row.names or scheme in row.oids]
        if not rows:
            return self._unknown(f"The signature scheme {scheme} is not in the table {self.id}", at)
        for row in rows:
            if row.covers(key_bits):
                return _judged(row, f"{row.name} with {key_bits} bits", at)
        return self._unknown(f"The table {self.id} knows {rows[0].name}, but not with {key_bits} bits", at)

    def digest_for_new_evidence(self, name: str, years: int, *, at: datetime) -> Suitability:
        """Whether new evidence that is to last `years` years may be built with this digest.

        Beyond being good at `at`, the digest must not be on its way out (TS 119 312 9.2: not legacy
        when the stamp is made), and for the long term it must be wide enough (5.2.2). An end within
        those years is no obstacle: hash-tree renewal is there for it.
        """
        suitability = self.digest(name, at=at)
        row = self.digest_row(name)
        if row is None or not suitability.good:
            return suitability
        rule = self.long_term
        if row.status != RECOMMENDED:
            reason = f"{row.name} is {row.status}: it may be read, but no new evidence is built with it."
            return Suitability(False, row.until, reason, row.source)
        if years > rule.beyond_years and row.bits < rule.min_digest_bits:
            reason = (
                f"Evidence for {years} years needs a digest of {rule.min_digest_bits} bits; {row.name} has {row.bits}."
            )
            return Suitability(False, row.until, reason, rule.source)
        return suitability

    def digest_row(self, name: str) -> AlgorithmRow | None:
        return next((row for row in self.digests if name in row.names or name in row.oids), None)

    def _unknown(self, reason: str, at: datetime) -> Suitability:
        aware(at)
        return Suitability(False, None, f"{reason}; what is not in it is not suitable.", "RFC 5698 3.1")


@cache
def published_tables() -> tuple[AlgorithmTable, ...]:
    """All tables that come with this program, oldest first; superseded ones stay readable."""
    folder = resources.files("policies").joinpath("published")
    found = [AlgorithmTable.load(file.read_bytes()) for file in folder.iterdir() if _is_table(file.name)]
    if len({table.id for table in found}) != len(found) or not found:
        raise PolicyError("The published algorithm tables are missing, or two have one id.")
    return tuple(sorted(found, key=lambda table: (table.issued, table.id)))


def current_algorithms() -> AlgorithmTable:
    """The newest published table."""
    return published_tables()[-1]


def _is_table(name: str) -> bool:
    return name.startswith("algorithms-") and name.endswith(".toml")


def _judged(row: AlgorithmRow, what: str, at: datetime) -> Suitability:
    if row.since is not None and aware(at) < row.since:
        return Suitability(False, row.until, f"{what} is suitable only since {row.since.date()}.", row.source)
    if row.until is None:
        return Suitability(True, None, f"{what} is {row.status}, without a known end.", row.source)
    day = row.until.date()
    if aware(at) < row.until:
        return Suitability(True, row.until, f"{what} is {row.status} and good before {day}.", row.source)
    return Suitability(False, row.until, f"{what} has not been suitable since {day}.", row.source)


def _sources(sections: Sequence[Section]) -> dict[str, str]:
    found: dict[str, str] = {}
    for section in sections:
        key, title = section.text("id"), section.text("title")
        section.finish()
        if key in found:
            raise PolicyError(f"{section.place}: the source '{key}' stands there twice.")
        found[key] = title
    return found


def _cited(section: Section, sources: dict[str, str]) -> str:
    """The document and the place in it."""
    key = section.choice("source", sources)
    clause = section.optional_text("clause")
    return f"{sources[key]}, {clause}" if clause else sources[key]


def _oids(section: Section) -> tuple[str, ...]:
    oids = section.texts("oids")
    for oid in oids:
        if not all(part.isascii() and part.isdigit() for part in oid.split(".")):
            raise PolicyError(f"{section.place}: '{oid}' is not an object identifier.")
    return oids


def _digest_row(section: Section, sources: dict[str, str]) -> AlgorithmRow:
    row = AlgorithmRow(
        names=(section.text("name"),),
        oids=_oids(section),
        bits=section.number("bits"),
        status=section.choice("status", STATUSES),
        until=section.optional_day("until"),
        source=_cited(section, sources),
        note=section.optional_text("note"),
    )
    section.finish()
    _refuse_endless(row, section)
    return row


def _signature_row(section: Section, sources: dict[str, str]) -> AlgorithmRow:
    row = AlgorithmRow(
        names=section.texts("names"),
        oids=_oids(section),
        min_bits=section.optional_number("min_bits"),
        max_bits=section.optional_number("max_bits"),
        status=section.choice("status", STATUSES),
        until=section.optional_day("until"),
        source=_cited(section, sources),
        note=section.optional_text("note"),
    )
    section.finish()
    if not _before(row.min_bits, row.max_bits):
        raise PolicyError(f"{section.place}: 'min_bits' is above 'max_bits'.")
    _refuse_endless(row, section)
    return row


def _refuse_endless(row: AlgorithmRow, section: Section) -> None:
    if row.status == DISCONTINUED and row.until is None:
        raise PolicyError(f"{section.place}: what is discontinued needs 'until'.")


def _long_term(section: Section, sources: dict[str, str]) -> LongTermRule:
    rule = LongTermRule(section.number("beyond_years"), section.number("min_digest_bits"), _cited(section, sources))
    section.finish()
    return rule


def _refuse_ambiguity(table: AlgorithmTable) -> None:
    """A name or identifier leads to one row, for signatures to one row per key size."""
    for rows in (table.digests, table.signatures):
        for place, row in enumerate(rows):
            for other in rows[:place]:
                shared = set(row.names + row.oids) & set(other.names + other.oids)
                if shared and (rows is table.digests or row.overlaps(other)):
                    raise PolicyError(f"The algorithm table {table.id} has two rows for {', '.join(sorted(shared))}.")
