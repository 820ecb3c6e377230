"""What checks say: verdicts, sub-indications, findings, reports.

Rules kept here
 * Three verdicts only (EN 319 102-1 5.1.3): PASSED, FAILED, INDETERMINATE with a sub-indication.
 * A report over nothing is not PASSED: `Report.of` refuses an empty list of steps.
 * The worst step decides: FAILED over INDETERMINATE over PASSED.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self


class Verdict(enum.StrEnum):
    """Main indication of EN 319 102-1."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"


class SubIndication(enum.StrEnum):
    """Sub-indications of EN 319 102-1 table 5, as far as time-stamps and evidence need them."""

    FORMAT_FAILURE = "FORMAT_FAILURE"
    HASH_FAILURE = "HASH_FAILURE"
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    CERTIFICATE_CHAIN_GENERAL_FAILURE = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE_NO_POE = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    TIMESTAMP_ORDER_FAILURE = "TIMESTAMP_ORDER_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    REVOKED_NO_POE = "REVOKED_NO_POE"
    REVOKED_CA_NO_POE = "REVOKED_CA_NO_POE"
    OUT_OF_BOUNDS_NO_POE = "OUT_OF_BOUNDS_NO_POE"
    REVOCATION_OUT_OF_BOUNDS_NO_POE = "REVOCATION_OUT_OF_BOUNDS_NO_POE"
    NO_POE = "NO_POE"
    TRY_LATER = "TRY_LATER"
    SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"
    UNSUPPORTED = "UNSUPPORTED"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check noticed.

    `code` is stable and from a standard where there is one (`E092`, `GROUP_INCOMPLETE`);
    `where` names the place (`chain 1, stamp 2`; `store-a:019/…/inventory.json`);
    `clause` is the clause that is applied (`RFC 4998 4.3(2)`).
    """

    code: str
    message: str
    where: str = ""
    clause: str = ""

    def to_json(self) -> dict[str, str]:
        return {k: v for k in ("code", "message", "where", "clause") if (v := getattr(self, k))}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a verification, with its own verdict."""

    name: str
    verdict: Verdict
    sub_indication: SubIndication | None = None
    message: str = ""
    where: str = ""
    clause: str = ""
    at: datetime | None = None

    def to_json(self) -> dict[str, str]:
        shown = {"name": self.name, "verdict": str(self.verdict)}
        if self.sub_indication:
            shown["sub_indication"] = str(self.sub_indication)
        for key in ("message", "where", "clause"):
            if value := getattr(self, key):
                shown[key] = value
        if self.at:
            shown["at"] = utc_text(self.at)
        return shown


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a verification: the worst step's verdict, all steps, all findings.

    `proof_of_existence` is set only when every link holds (EN 319 102-1 5.6.3.4 step 1 c).
    """

    verdict: Verdict
    sub_indication: SubIndication | None
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()
    proof_of_existence: datetime | None = None
    test_trust: bool = False
    facts: dict[str, object] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        steps: Iterable[Step],
        findings: Iterable[Finding] = (),
        *,
        proof_of_existence: datetime | None = None,
        test_trust: bool = False,
        facts: dict[str, object] | None = None,
    ) -> Self:
        """Sum up; raises ValueError when there is no step, because nothing was looked at."""
        steps = tuple(steps)
        if not steps:
            raise ValueError("a report needs at least one step")
        worst = max(steps, key=lambda step: _SEVERITY[step.verdict])
        return cls(
            worst.verdict,
            worst.sub_indication,
            steps,
            tuple(findings),
            proof_of_existence if worst.verdict is Verdict.PASSED else None,
            test_trust,
            facts or {},
        )

    def to_json(self) -> dict[str, object]:
        return {
            "verdict": str(self.verdict),
            "sub_indication": str(self.sub_indication) if self.sub_indication else None,
            "proof_of_existence": utc_text(self.proof_of_existence) if self.proof_of_existence else None,
            "test_trust": self.test_trust,
            "steps": [step.to_json() for step in self.steps],
            "findings": [finding.to_json() for finding in self.findings],
            **self.facts,
        }


_SEVERITY = {Verdict.PASSED: 0, Verdict.INDETERMINATE: 1, Verdict.FAILED: 2}


def utc_text(instant: datetime) -> str:
    """RFC 3339 in UTC with `Z`, to the second unless the instant has a fraction."""
    text = instant.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")
