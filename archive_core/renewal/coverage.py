"""How long the evidence of a version holds as it is: "covered until".

Rules kept here
 * A record holds until the first end of what its newest time-stamp rests on: the certificates on its path, and the
   digest that its chain is built with (RFC 4998 5.3).
 * What dropped out of a hash-tree renewal (deleted, damaged) has the chains before it; they end by themselves, because
   only the others are renewed (RFC 4998 5.2(2)). What did not is covered again with its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from archive_core.catalogue.rows import StampRow
from archive_core.findings import Finding, utc_text
from archive_core.renewal.chains import LineEvidence
from policies.algorithms import AlgorithmTable


@dataclass(frozen=True, slots=True)
class Coverage:
    """`until` is None when no end is known; `dropped_from` names the renewal that left the version out."""

    line: str
    until: datetime | None
    dropped_from: str | None

    def to_json(self) -> dict[str, object]:
        return {
            "line": self.line,
            "covered_until": utc_text(self.until) if self.until else None,
            "dropped_from": self.dropped_from,
        }


def coverage_of(line: LineEvidence, leaf: int, stamps: Sequence[StampRow], table: AlgorithmTable) -> Coverage:
    """What holds of a line for the version under a leaf, given the stamps of that batch and line."""
    ended = next((number for number, later in enumerate(line.later, 1) if not later.group(leaf)), None)
    own = [row for row in stamps if row.line == line.line.line and (ended is None or row.chain < ended)]
    newest = max(own, key=lambda row: (row.chain, row.position))
    ends = [newest.trusted_until, table.digest(newest.digest, at=newest.gen_time).until]
    return Coverage(
        line.line.line, min((end for end in ends if end is not None), default=None), line.dropped_from(leaf)
    )


def covered_until(covered: Coverage) -> Finding:
    """The sentence about one line's record."""
    until = f"covered until {utc_text(covered.until)}" if covered.until else "covered; no end is known"
    if covered.dropped_from:
        message = f"the record of the line {covered.line} is {until}: it dropped out of {covered.dropped_from}"
        return Finding("COVERAGE_ENDED", message, covered.line, "RFC 4998 5.2(2)")
    message = f"the record of the line {covered.line} is {until}, and is renewed with its batch until a new hash tree"
    return Finding("COVERED_UNTIL", message, covered.line, "RFC 4998 5.2(1)")
