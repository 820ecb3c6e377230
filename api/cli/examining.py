"""`examine`: what is signed and stamped in a file, by whom, when, and whether that can be relied on.

Rules kept here
 * No home is opened, nothing is fetched, nothing is written but the report that `--xml` asks for.
 * The file is read in a process of its own with limits (`signing.examination.sandbox`).
 * Exit 0 whenever the examination came to its end, whatever it found; 3 when a limit stopped it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from api.cli.answers import GOOD, UNDECIDED
from api.cli.console import Console, path_text, shown
from api.cli.files import write_file
from api.offline.trust import read_trust
from api.texts import marked, text
from archive_core.clock import SystemClock
from archive_core.errors import UsageError
from archive_core.findings import SubIndication, Verdict, utc_text
from signing.examination.report_json import to_json
from signing.examination.report_xml import to_xml
from signing.examination.request import NamedPath, Request, TrustGiven
from signing.examination.sandbox import STOPPED, examine_apart
from signing.examination.values import (
    EvidenceExamination,
    Examination,
    Qualification,
    SignatureExamination,
    TimestampExamination,
)

_VERDICTS = {
    Verdict.PASSED: marked("good"),
    Verdict.FAILED: marked("broken"),
    Verdict.INDETERMINATE: marked("not decided"),
}


def examine(arguments: argparse.Namespace, console: Console) -> int:
    """Examine one file, over detached data where these are given."""
    at = SystemClock().now() if arguments.at is None else _instant(arguments.at)
    detached = [path for paths in arguments.detached or () for path in paths]
    trust = _trust(arguments.trust or (), arguments.trusted_list or ())
    request = Request(_named(arguments.file), at, tuple(_named(path) for path in detached), trust)
    try:
        examination = examine_apart(request)
    except OSError as error:
        raise UsageError(f"cannot read {path_text(error.filename or arguments.file)}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(str(error)) from error
    if arguments.xml is not None:
        write_file(arguments.xml, to_xml(examination))
    console.result(to_json(examination), _lines(examination, trusted=bool(trust.anchors or trust.trusted_lists)))
    stopped = any(finding.code == STOPPED for finding in examination.findings)
    return UNDECIDED if stopped else GOOD


def _named(path: Path) -> NamedPath:
    if not path.is_file():
        raise UsageError(f"{path_text(path)} is not a file")
    return NamedPath(path.absolute(), path_text(path.name))


def _trust(anchors: Sequence[Path], lists: Sequence[Path]) -> TrustGiven:
    for path in lists:
        if not path.is_file():
            raise UsageError(f"{path_text(path)} is not a file")
    material = read_trust(anchors)
    return TrustGiven(material.anchors, material.test_anchors, material.data, tuple(path.absolute() for path in lists))


def _instant(word: str) -> datetime:
    try:
        given = datetime.fromisoformat(word)
    except ValueError:
        raise UsageError(f"{word[:40]!a} is not a time as 2026-11-23T12:00:00Z") from None
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)


# -- for people -------------------------------------------------------------------------------


def _lines(examination: Examination, *, trusted: bool) -> Iterator[str]:
    yield f"{shown(examination.document)}: {examination.format}"
    if not examination.examined:
        yield f"  {text('NOT EXAMINED')}: {shown(examination.reason)}"
    elif not (examination.signatures or examination.timestamps or examination.records):
        yield f"  {text('no signatures and no time-stamps')}"
    for signature in examination.signatures:
        yield from _signature_lines(signature)
    for stamp in examination.timestamps:
        yield from _stamp_lines(stamp, "  ")
    for finding in examination.findings:
        yield f"  {finding.code}: {shown(finding.message)}"
    for record in examination.records:
        yield from _record_lines(record, "  ")
    if not examination.complete:
        yield f"  {text('Not everything in the file could be looked at.')}"
    if not trusted:
        yield f"  {text('No trust anchors were given (--trust): nobody is trusted.')}"


def _signature_lines(one: SignatureExamination) -> Iterator[str]:
    level = f" {one.level}" if one.level != "none" else ""
    yield f"  {shown(one.id)}: {one.format}{level}: {_verdict(one.verdict, one.sub_indication)}"
    yield f"    {text('signature')}: {text('intact') if one.signature_intact else text('not intact')}"
    yield f"    {text('why')}: {shown(one.message)}"
    if one.signer is not None:
        yield f"    {text('signer')}: {shown(one.signer.name)}"
    if one.claimed_time is not None:
        yield f"    {text('claimed time')}: {utc_text(one.claimed_time)}"
    if one.proven_time is not None:
        yield f"    {text('proven time')}: {utc_text(one.proven_time)}"
    if one.covers:
        yield f"    {text('covers')}: {shown(', '.join(one.covers))}"
    if one.qualified.qualification is not Qualification.NOT_EXAMINED:
        yield f"    {text('qualified status')}: {one.qualified.qualification} {shown(one.qualified.reason)}".rstrip()
    if one.test_trust:
        yield f"    {text('TEST TRUST: this proves nothing to anybody else.')}"
    for stamp in one.timestamps:
        yield from _stamp_lines(stamp, "    ")
    for record in one.records:
        yield from _record_lines(record, "    ")
    for finding in one.findings:
        yield f"    {finding.code}: {shown(finding.message)}"


def _stamp_lines(one: TimestampExamination, margin: str) -> Iterator[str]:
    when = f" {utc_text(one.gen_time)}" if one.gen_time is not None else ""
    yield f"{margin}{text('time-stamp')} ({one.kind}){when}: {_verdict(one.verdict, one.sub_indication)}"
    yield f"{margin}  {text('why')}: {shown(one.message)}"
    if one.signer is not None:
        yield f"{margin}  {text('signer')}: {shown(one.signer.name)}"


def _record_lines(one: EvidenceExamination, margin: str) -> Iterator[str]:
    yield f"{margin}{text('evidence record')} {shown(one.id)}: {_verdict(one.verdict, one.sub_indication)}"
    yield f"{margin}  {text('why')}: {shown(one.message)}"
    if one.proof_of_existence is not None:
        yield f"{margin}  {text('existed at')}: {utc_text(one.proof_of_existence)}"
    if one.covers:
        yield f"{margin}  {text('covers')}: {shown(', '.join(one.covers))}"


def _verdict(verdict: Verdict, sub: SubIndication | None) -> str:
    """In words, with the standard's own beside them."""
    return f"{text(_VERDICTS[verdict])} ({verdict}{f'/{sub}' if sub else ''})"
