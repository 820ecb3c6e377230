"""`preserve`, `verify`, `audit`: evidence made and judged."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from api.cli.answers import BAD, GOOD, TEST_TRUST, UNDECIDED, WAITS
from api.cli.console import Console, shown
from api.cli.documents import Written
from api.cli.findings import answer
from api.cli.opening import actor, opened
from api.texts import marked, text
from archive_core.archive import Archive
from archive_core.errors import EvidencePendingError, UsageError
from archive_core.findings import Report, Verdict, utc_text

Judged = tuple[str, int, Report | None]
"""POID, version, and what was found; None stands for what has no evidence yet."""

_ORDER = [Verdict.PASSED, Verdict.INDETERMINATE, Verdict.FAILED]
"""From good to bad."""

_EXIT_OF = {Verdict.PASSED: GOOD, Verdict.FAILED: BAD, Verdict.INDETERMINATE: UNDECIDED}

_PENDING = marked("safely stored, not evidenced yet: run `preserve` or wait for the next batch")


def preserve(arguments: argparse.Namespace, console: Console) -> int:
    """Close and prove everything that waits. Exit 75 when some of it goes on waiting."""
    with opened(arguments, console) as archive:
        views = archive.preserve(actor=actor(), progress=console.progress)
    test_trust = any(view.test_trust for view in views)
    lines = [
        text("batch {number}: {objects} objects, {outcome}", number=view.number, objects=view.objects, outcome=outcome)
        for view in views
        for outcome in [
            text("proven since {time}", time=utc_text(view.evidenced_at))
            if view.evidenced_at
            else text("waits: {reason}", reason=shown(view.error))
        ]
    ] or [text("Nothing awaits evidence.")]
    if test_trust:
        lines.append(text(TEST_TRUST))
    console.result({"batches": [view.to_json() for view in views], "test_trust": test_trust}, lines)
    return WAITS if any(view.error for view in views) else GOOD


# -- verify -----------------------------------------------------------------------------------


def verify(arguments: argparse.Namespace, console: Console) -> int:
    """The worst verdict decides: 0 PASSED, 1 FAILED, 3 INDETERMINATE."""
    if bool(arguments.poids) == arguments.all:
        raise UsageError(text("name POIDs, or say --all"))
    if arguments.version is not None and len(arguments.poids) != 1:
        raise UsageError(text("--version goes with one POID"))
    told = _Told(console, single=len(arguments.poids) == 1)
    with opened(arguments, console) as archive:
        if arguments.all:
            judged: Iterable[Judged] = archive.verify_all(actor=actor(), progress=console.progress)
        else:
            judged = (_verify(archive, poid, arguments.version) for poid in arguments.poids)
        for one in judged:
            told.add(*one)
    console.result(told.document(), told.lines())
    return _EXIT_OF[told.verdict]


class _Told:
    """What was found, of each version only what will be shown: there may be very many."""

    def __init__(self, console: Console, *, single: bool) -> None:
        self._as_json, self._detailed, self._single = console.as_json, single or console.verbose, single
        self._worst: Verdict | None = None
        self._test_trust = False
        self._count = 0
        self._documents: list[Written] = []
        self._lines: list[str] = []

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; over nothing, or over what has no evidence yet, INDETERMINATE."""
        return self._worst or Verdict.INDETERMINATE

    def add(self, poid: str, version: int, report: Report | None) -> None:
        verdict = report.verdict if report else Verdict.INDETERMINATE
        self._worst = max(verdict, self._worst or Verdict.PASSED, key=_ORDER.index)
        self._test_trust |= report is not None and report.test_trust
        self._count += 1
        if self._as_json:
            self._documents.append(Written.of(_verify_json(poid, version, report)))
        else:
            self._lines += _verify_lines(_verify_json(poid, version, report), detailed=self._detailed)

    def document(self) -> object:
        if self._single and self._documents:
            return json.loads(self._documents[0])
        return {"verdict": str(self.verdict), "checked": self._count, "objects": self._documents}

    def lines(self) -> Iterable[str]:
        yield from self._lines
        if self._count != 1:
            yield text("{count} versions checked: {verdict}", count=self._count, verdict=str(self.verdict))
        if self._test_trust:
            yield text(TEST_TRUST)


def _verify(archive: Archive, poid: str, version: int | None) -> Judged:
    # The version is settled first: an update in between must not be told as what was judged.
    row = archive.show(poid, version, actor=actor())
    try:
        return row.poid, row.version, archive.verify(row.poid, row.version, actor=actor())
    except EvidencePendingError:
        return row.poid, row.version, None


def _verify_json(poid: str, version: int, report: Report | None) -> dict[str, object]:
    if report is None:
        return {
            "poid": poid,
            "version": version,
            "verdict": str(Verdict.INDETERMINATE),
            "sub_indication": "NO_POE",
            "proof_of_existence": None,
            "message": _PENDING,
            "steps": [],
            "findings": [],
            "test_trust": False,
        }
    return {**report.to_json(), "poid": poid, "version": version}


def _verify_lines(found: dict[str, object], *, detailed: bool) -> Iterable[str]:
    since = f"  {text('exists since')} {found['proof_of_existence']}" if found["proof_of_existence"] else ""
    verdict_text = f"{found['verdict']} {found['sub_indication'] or ''}".rstrip()
    yield f"{found['poid']}  v{found['version']}  {verdict_text}{since}"
    if found.get("message"):
        yield f"  {text(str(found['message']))}"
    steps, findings = found["steps"], found["findings"]
    assert isinstance(steps, list)
    assert isinstance(findings, list)
    for step in steps:
        if detailed or step["verdict"] != "PASSED":
            yield f"  {step['verdict']:<13} {step['name']}: {shown(step.get('message', ''))}".rstrip()
    for finding in findings:
        yield f"  {finding['code']}: {shown(finding['message'])}"


# -- audit ------------------------------------------------------------------------------------


def audit(arguments: argparse.Namespace, console: Console) -> int:
    """Exit 1 when there are findings; notes do not count."""
    with opened(arguments, console) as archive:
        found = archive.audit(actor=actor(), reconcile=arguments.reconcile, progress=console.progress)
    return answer(found, console)
