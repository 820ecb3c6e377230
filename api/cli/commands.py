"""Every command: words in, one call on the archive, one answer out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from api.cli import operating
from api.cli.console import Console, shown
from api.cli.files import new_file, write_file
from api.cli.opening import actor, opened, settings_of
from api.cli.submissions import submission_of, submissions_of
from api.texts import text
from archive_core.errors import ArchiveError, EvidencePendingError, UsageError
from archive_core.findings import Report, Verdict, utc_text
from archive_core.lifecycle import EvidenceFile, VersionView

GOOD, BAD, USAGE, UNDECIDED = 0, 1, 2, 3

CommandFunction = Callable[[argparse.Namespace, Console], int]

_EXIT_OF = {Verdict.PASSED: GOOD, Verdict.FAILED: BAD, Verdict.INDETERMINATE: UNDECIDED}


def deposit(arguments: argparse.Namespace, console: Console) -> int:
    """Each PATH one object. One that fails does not keep the others out; the exit code is that of the
    first failure."""
    if arguments.key is not None and len(arguments.paths) > 1:
        raise UsageError(text("one idempotency key stands for one object: deposit one PATH with --key"))
    answers: list[dict[str, object]] = []
    exit_code = GOOD
    with opened(arguments) as archive:
        originator = arguments.organisation or settings_of(arguments).default_originator
        for done, path in enumerate(arguments.paths):
            console.progress("depositing", done, len(arguments.paths))
            try:
                submission = submissions_of(arguments, path, originator)
                told = archive.deposit(submission, actor=actor())
                answers.append({**told.to_json(), "path": str(path)})
            except ArchiveError as error:
                answers.append({"path": str(path), "status": "refused", "error": _error(error)})
                exit_code = exit_code or error.exit_code
    console.result({"objects": answers}, map(_deposit_line, answers))
    return exit_code


def _error(error: ArchiveError) -> dict[str, object]:
    safe = {key: str(value) for key, value in error.facts.items() if key not in ("code", "message")}
    return {"code": error.code, "message": str(error), **safe}


def _deposit_line(answer: dict[str, object]) -> str:
    error = answer.get("error")
    if isinstance(error, dict):
        return f"{shown(answer['path'])}: {text('REFUSED')}: {shown(error['message'])}"
    again = f" ({text('as before')})" if answer.get("replayed") else ""
    return f"{answer['poid']}  v{answer['version']}  {text(str(answer['status']))}{again}  {shown(answer['path'])}"


def update(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive:
        submission = submission_of(arguments, arguments.paths, "")
        told = archive.update(arguments.poid, submission, actor=actor())
    answer = {**told.to_json(), "path": [str(path) for path in arguments.paths]}
    console.result(answer, [f"{told.poid}  v{told.version}  {text(str(told.status))}"])
    return GOOD


def preserve(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive:
        views = archive.preserve(actor=actor(), progress=console.progress)
        test_trust = bool(archive.status(actor=actor())["test_trust"])
    lines = [
        text("batch {number}: {objects} objects, {outcome}", number=view.number, objects=view.objects, outcome=outcome)
        for view in views
        for outcome in [
            text("proven since {time}", time=utc_text(view.evidenced_at))
            if view.evidenced_at
            else text("waits: {reason}", reason=shown(view.error))
        ]
    ] or [text("Nothing awaits evidence.")]
    if test_trust and views:
        lines.append(text(TEST_TRUST))
    console.result({"batches": [view.to_json() for view in views], "test_trust": test_trust}, lines)
    return 75 if any(view.error for view in views) else GOOD


TEST_TRUST = "TEST TRUST: these time-stamps and seals prove nothing to anybody else."


def status(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive:
        found = archive.status(actor=actor())
    console.result(found, operating.status_lines(found))
    return GOOD


def list_objects(arguments: argparse.Namespace, console: Console) -> int:
    views: list[VersionView] = []
    with opened(arguments) as archive:
        after = None
        while page := archive.objects(actor=actor(), after=after, limit=500):
            views += page
            after = page[-1].poid
    console.result({"objects": [view.to_json() for view in views]}, _view_lines(views))
    return GOOD


def _view_lines(views: Iterable[VersionView]) -> Iterable[str]:
    for view in views:
        key = f"  {shown(view.key)}" if view.key else ""
        yield (
            f"{view.poid}  v{view.version}  {text(str(view.status)):<11}  {utc_text(view.received)}  "
            f"{view.size:>12}  {shown(view.originator)}{key}"
        )


def show(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive:
        view = archive.show(arguments.poid, arguments.version, actor=actor())
    console.result(view.to_json(), _show_lines(view))
    return GOOD


def _show_lines(view: VersionView) -> Iterable[str]:
    yield f"{view.poid}  v{view.version}  ({text('versions')}: {', '.join(map(str, view.versions))})"
    yield f"  {text('status')}: {text(str(view.status))}"
    yield f"  {text('received')}: {utc_text(view.received)}"
    if view.proof_of_existence:
        yield f"  {text('proven to exist since')}: {utc_text(view.proof_of_existence)}"
    yield f"  {text('organisation')}: {shown(view.originator)}   {text('profile')}: {view.profile}"
    for file in view.files:
        yield f"  {file.size:>12}  {shown(file.path)}"
        yield f"                sha512 {file.sha512}"
    if view.test_trust:
        yield f"  {text(TEST_TRUST)}"


def retrieve(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive:
        written = archive.retrieve(
            arguments.poid,
            arguments.version,
            arguments.out.absolute(),
            actor=actor(),
            whole=arguments.whole,
            progress=console.progress,
        )
        view = archive.show(arguments.poid, arguments.version, actor=actor())
    answer = {"poid": view.poid, "version": view.version, "files": [str(path) for path in written]}
    console.result(answer, [shown(path) for path in written])
    return GOOD


def evidence(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive:
        files = archive.evidence(arguments.poid, arguments.version, actor=actor())
    chosen = files if arguments.all_records else files[:1]
    written = [_write_record(arguments.out, file, several=len(chosen) > 1) for file in chosen]
    answer = {
        "poid": arguments.poid,
        "records": [
            {"line": file.line, "digest": file.digest, "path": str(path), "test_trust": file.test_trust}
            for file, path in zip(chosen, written, strict=True)
        ],
        "lines": [file.line for file in files],
        "test_trust": any(file.test_trust for file in files),
    }
    lines = [f"{shown(path)}  ({file.line})" for file, path in zip(chosen, written, strict=True)]
    if len(chosen) < len(files):
        lines.append(text("More records exist: {lines}; --all-records writes them.", lines=", ".join(answer["lines"])))
    console.result(answer, [*lines, *([text(TEST_TRUST)] if answer["test_trust"] else [])])
    return GOOD


def _write_record(out: Path, file: EvidenceFile, *, several: bool) -> Path:
    path = out.with_name(f"{out.stem}.{file.line}{out.suffix}") if several else out
    write_file(path, file.der)
    return path


def receipt(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive:
        made = archive.receipt(arguments.poid, arguments.version, actor=actor())
    document = json.loads(made)
    if arguments.out is not None:
        write_file(arguments.out, made)
        console.result(document, [shown(arguments.out)])
    else:
        console.result(document, [made.decode("utf-8").rstrip("\n")])
    return GOOD


def verify(arguments: argparse.Namespace, console: Console) -> int:
    if bool(arguments.poids) == arguments.all:
        raise UsageError(text("name POIDs, or say --all"))
    if arguments.version is not None and len(arguments.poids) != 1:
        raise UsageError(text("--version goes with one POID"))
    with opened(arguments) as archive:
        if arguments.all:
            reports = list(archive.verify_all(actor=actor(), progress=console.progress))
        else:
            reports = []
            for poid in arguments.poids:
                try:
                    found = archive.verify(poid, arguments.version, actor=actor())
                    reports.append((poid, int(str(found.facts["version"])), found))
                except EvidencePendingError:
                    row = archive.show(poid, arguments.version, actor=actor())
                    reports.append((poid, row.version, None))
    verdict = _worst(report for _, _, report in reports)
    objects = [_verify_json(poid, version, report) for poid, version, report in reports]
    if len(arguments.poids) == 1:
        answer = objects[0]
    else:
        answer = {"verdict": str(verdict), "checked": len(objects), "objects": objects}
    console.result(answer, _verify_lines(objects, verdict, detailed=console.verbose or len(objects) == 1))
    return _EXIT_OF[verdict]


def _worst(reports: Iterable[Report | None]) -> Verdict:
    """The worst verdict; over nothing, or over what has no evidence yet, INDETERMINATE."""
    order = [Verdict.PASSED, Verdict.INDETERMINATE, Verdict.FAILED]
    found = [report.verdict if report else Verdict.INDETERMINATE for report in reports]
    return max(found, key=order.index, default=Verdict.INDETERMINATE)


def _verify_json(poid: str, version: int, report: Report | None) -> dict[str, object]:
    if report is None:
        return {
            "poid": poid,
            "version": version,
            "verdict": str(Verdict.INDETERMINATE),
            "sub_indication": "NO_POE",
            "proof_of_existence": None,
            "message": "safely stored, not evidenced yet: run `preserve` or wait for the next batch",
            "steps": [],
            "findings": [],
            "test_trust": False,
        }
    return {**report.to_json(), "poid": poid, "version": version}


def _verify_lines(objects: list[dict[str, object]], verdict: Verdict, *, detailed: bool) -> Iterable[str]:
    for found in objects:
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
    if len(objects) != 1:
        yield text("{count} checked: {verdict}", count=len(objects), verdict=str(verdict))
    if any(found["test_trust"] for found in objects):
        yield text(TEST_TRUST)


def export(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive, new_file(arguments.out) as stream:
        archive.export(arguments.poid, arguments.version, stream, actor=actor())
    size = arguments.out.stat().st_size
    answer = {"poid": arguments.poid, "path": str(arguments.out), "size": size}
    hint = text("Check it anywhere: trusted-archive-verify {path} --trust CERTS", path=shown(arguments.out))
    console.result(answer, [f"{shown(arguments.out)}  {size}", hint])
    return GOOD


def audit(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive:
        found = archive.audit(actor=actor(), progress=console.progress)
    lines = [f"{entry.store}  {shown(entry.path)}  {entry.code}  {shown(entry.message)}" for entry in found.findings]
    lines += [f"{text('note')}: {e.store}  {shown(e.path)}  {e.code}  {shown(e.message)}" for e in found.notes]
    checked = ", ".join(f"{count} {text(what)}" for what, count in found.checked.items())
    lines.append(text("{count} findings; checked: {checked}", count=len(found.findings), checked=checked))
    console.result(found.to_json(), lines)
    return BAD if found.findings else GOOD


def trace(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments) as archive:
        events = archive.trace(arguments.poid, actor=actor())
    lines = [
        f"{event['object_event']:>4}  {event['time']}  {event['type']}  {event['outcome']}  {event['code']}  "
        f"{event['actor'] or '-'}"
        for event in events
    ]
    console.result({"poid": arguments.poid, "events": events}, lines)
    return GOOD


def profiles(arguments: argparse.Namespace, console: Console) -> int:
    from api.texts import language

    with opened(arguments) as archive:
        found = archive.profiles()
    documents = [operating.profile_json(profile) for profile in found]
    console.result({"profiles": documents}, [f"{p.id}  {p.title[language()]}" for p in found])
    return GOOD


COMMANDS: dict[str, CommandFunction] = {
    "init": operating.init,
    "serve": operating.serve,
    "deposit": deposit,
    "update": update,
    "preserve": preserve,
    "status": status,
    "list": list_objects,
    "show": show,
    "retrieve": retrieve,
    "evidence": evidence,
    "receipt": receipt,
    "verify": verify,
    "export": export,
    "audit": audit,
    "trace": trace,
    "profiles": profiles,
    "rebuild-catalogue": operating.rebuild_catalogue,
    "upgrade": operating.upgrade,
    "doctor": operating.doctor,
    "keys-create": operating.keys_create,
    "keys-list": operating.keys_list,
    "keys-revoke": operating.keys_revoke,
}
