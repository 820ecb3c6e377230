"""What every check of the offline verifier has at hand: judges, a log of steps, combined lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from archive_core.evidence.coverage import DigestPolicy
from archive_core.evidence.record import EvidenceRecord
from archive_core.findings import Finding, Report, Step, SubIndication, Verdict
from archive_core.ports import SealValidator, TimestampValidator


@dataclass(frozen=True, slots=True)
class Judges:
    """Who decides about signatures and algorithms, and the instant as of which everything is judged."""

    validator: TimestampValidator
    seals: SealValidator
    algorithms: DigestPolicy
    at: datetime


@dataclass(slots=True)
class Log:
    """Steps and findings in the order in which they were met."""

    steps: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    test_trust: bool = False

    def passed(self, name: str, message: str, where: str = "", clause: str = "") -> None:
        self.steps.append(Step(name, Verdict.PASSED, None, message, where, clause))

    def failed(self, name: str, why: SubIndication, message: str, where: str = "", clause: str = "") -> None:
        self.steps.append(Step(name, Verdict.FAILED, why, message, where, clause))

    def unclear(self, name: str, why: SubIndication, message: str, where: str = "", clause: str = "") -> None:
        self.steps.append(Step(name, Verdict.INDETERMINATE, why, message, where, clause))

    def note(self, code: str, message: str, where: str = "", clause: str = "") -> None:
        self.findings.append(Finding(code, message, where, clause))


@dataclass(frozen=True, slots=True)
class LineResult:
    """One evidence line: the file its record came from, the record if it could be read, the report."""

    line: str
    name: str
    record: EvidenceRecord | None
    report: Report


def combine_lines(what: str, results: Sequence[LineResult], log: Log) -> Verdict:
    """One verdict from redundant records, and the steps that led to it.

    The rule: each record proves existence by itself, so one that PASSED is enough. A line that did
    worse than the best is a finding (`LINE_NOT_PASSED`) and its steps do not count.
    """
    best = min((result.report.verdict for result in results), key=_RANK.__getitem__)
    good = [result for result in results if result.report.verdict is best]
    for result in results:
        if result not in good:
            worst = next(step for step in result.report.steps if step.verdict is result.report.verdict)
            text = f"line {result.line}: {result.report.verdict} {result.report.sub_indication}: {worst.message}"
            log.note("LINE_NOT_PASSED", text, ": ".join(filter(None, (result.name, worst.where))))
    for result in good:
        log.test_trust |= result.report.test_trust
        log.findings += [_placed(finding, result.name) for finding in result.report.findings]
        log.steps += [_placed(step, result.name) for step in result.report.steps]
    message = f"{len(good)} of {len(results)} redundant records: {best}; one that passes is enough"
    first = good[0].report
    log.steps.append(Step(what, best, first.sub_indication, message, clause="RFC 4998 1.2, 5.3"))
    return best


_RANK = {Verdict.PASSED: 0, Verdict.INDETERMINATE: 1, Verdict.FAILED: 2}


_Item = TypeVar("_Item", Step, Finding)


def _placed(item: _Item, name: str) -> _Item:
    return dataclasses.replace(item, where=": ".join(filter(None, (name, item.where))))


def lines_as_json(results: Sequence[LineResult]) -> Mapping[str, object]:
    """Each line's own verdict, for the report."""
    return {result.line: result.report.to_json() for result in results}
