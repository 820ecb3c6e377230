"""`examination` and `quarantine …`: what was found in the signatures of a deposit, and what becomes of it.

Rules kept here
 * `quarantine reject` is for ever: `--yes` is the confirmation, nothing is ever asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from api.cli.answers import GOOD, table
from api.cli.console import Console, shown
from api.cli.files import write_file
from api.cli.opening import actor, opened
from api.texts import marked, text
from archive_core.errors import UsageError
from archive_core.findings import utc_text
from archive_core.lifecycle import VersionView

_HELD = ("POID", marked("version"), marked("received"), marked("files"), marked("bytes"), marked("organisation"))
_FOUND = (marked("verdict"), marked("signatures"), marked("format"), marked("document"))
NOT_EXAMINED = marked("NOT EXAMINED")


def examination(arguments: argparse.Namespace, console: Console) -> int:
    """What was found in a version; with `--document` and `--out` the whole report of one document."""
    if (arguments.document is None) != (arguments.out is None):
        raise UsageError(text("--document PATH and --out FILE are written together"))
    with opened(arguments, console) as archive:
        signatures = archive.signatures
        found = signatures.report(arguments.poid, arguments.version, actor=actor())
        if arguments.document is not None:
            report = signatures.document_report(
                arguments.poid, arguments.document, arguments.version, xml=arguments.xml, actor=actor()
            )
            write_file(arguments.out, report)
    console.result(found, _lines(found))
    return GOOD


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['poid']}  v{found['version']}  {text('profile')}: {found['profile']}  {found['at']}"
    if found["held"]:
        yield "  " + text("set aside: an operator releases or rejects it")
    if found["unsigned"]:
        yield "  " + text("the profile asks for a signature, and there is none")
    if found["later"]:
        yield "  " + text("what decides appears only later; it is examined again by itself")
    rows = []
    for one in found["files"]:
        said = "/".join([one["verdict"], *one["sub_indications"]]) if one["verdict"] else text(NOT_EXAMINED)
        rows.append((said, str(one["signatures"] + one["timestamps"]), one["format"], shown(one["path"])))
    yield from table(_FOUND, rows, right=(1,))
    for one in found["files"]:
        yield from (f"  {shown(one['path'])}: {shown(why)}" for why in [one["reason"], *one["problems"]] if why)


def list_quarantine(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        held = archive.signatures.quarantined(actor=actor())
    rows = [
        (
            view.poid,
            str(view.version),
            utc_text(view.received),
            str(view.file_count),
            str(view.size),
            shown(view.originator),
        )
        for view in held
    ]
    lines = table(_HELD, rows, right=(1, 3, 4)) or [text("Nothing is in quarantine.")]
    console.result({"versions": [view.to_json() for view in held]}, lines)
    return GOOD


def release(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        view = archive.signatures.release(arguments.poid, arguments.version, reason=arguments.reason, actor=actor())
    return _told(view, console)


def reject(arguments: argparse.Namespace, console: Console) -> int:
    if not arguments.yes:
        raise UsageError(text("to reject is to destroy for ever: say --yes to do it"))
    with opened(arguments, console) as archive:
        view = archive.signatures.reject(arguments.poid, arguments.version, reason=arguments.reason, actor=actor())
    return _told(view, console)


def _told(view: VersionView, console: Console) -> int:
    console.result(view.to_json(), [f"{view.poid}  v{view.version}  {text(str(view.status))}"])
    return GOOD
