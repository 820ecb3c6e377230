"""`repair`: damaged and missing bytes put right.

Rules kept here
 * Exit 1 when something is wrong still: what no copy has is named with its bytes, and never left out.
 * With `--dry-run` nothing is changed, and damage that could be repaired is damage: exit 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from api.cli.answers import BAD, GOOD
from api.cli.console import Console, shown
from api.cli.findings import line
from api.cli.opening import actor, opened
from api.texts import text
from archive_core.repair.result import RepairResult, repaired_json


def repair(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        found = archive.repair(arguments.poids, dry_run=arguments.dry_run, actor=actor(), progress=console.progress)
    console.result(found.to_json(), _lines(found))
    return GOOD if found.good else BAD


def _lines(found: RepairResult) -> Iterable[str]:
    for mended, rests in found.repaired:
        facts = repaired_json(mended, rests)
        sources = ", ".join(mended.sources) or "-"
        yield f"{mended.store}  {shown(mended.path)}  {facts['code']}  <- {sources}  ({rests})"
    for entry in found.notes:
        yield f"{text('note')}: {line(entry)}"
    for entry in found.findings:
        yield f"{text('finding')}: {line(entry)}"
    if found.lost_files:
        yield text(
            "LOST: {bytes} bytes of {files} files are good in no copy",
            bytes=sum(found.lost_files.values()),
            files=len(found.lost_files),
        )
    if found.dry_run:
        yield text(
            "Nothing was changed: {repaired} would be repaired, {left} could not",
            repaired=len(found.repaired),
            left=len(found.findings),
        )
    else:
        yield text("{repaired} repaired, {left} left", repaired=len(found.repaired), left=len(found.findings))
