"""`lists …`: the snapshots of the EU trusted lists that decisions rest on.

Rules kept here
 * A list that was not had, or was not accepted, is told with its reason and ends with exit 1; the others are taken.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import datetime

from api.cli.answers import BAD, GOOD, table
from api.cli.console import Console, shown
from api.cli.opening import actor, opened
from api.texts import marked, text
from archive_core.findings import Finding, utc_text
from archive_core.list_snapshots import Snapshot

_LISTS = (marked("territory"), marked("number"), marked("issued"), marked("next update"), "SHA-256")


def show(arguments: argparse.Namespace, console: Console) -> int:
    """The newest snapshot, or the one of a number."""
    with opened(arguments, console) as archive:
        at = archive.clock.now()
        found = archive.lists.newest() if arguments.snapshot is None else archive.lists.snapshot(arguments.snapshot)
    document = {"snapshot": found.to_json(at) if found else None}
    console.result(document, _lines(found, at) if found else [text("No trusted lists were taken yet.")])
    return GOOD


def refresh(arguments: argparse.Namespace, console: Console) -> int:
    """Get the lists that there are now."""
    with opened(arguments, console) as archive:
        at = archive.clock.now()
        found, findings = archive.lists.refresh(actor=actor())
    document = {"snapshot": found.to_json(at), "findings": [finding.to_json() for finding in findings]}
    console.result(document, [*_lines(found, at), *_findings(findings)])
    return BAD if findings else GOOD


def _lines(found: Snapshot, at: datetime) -> Iterator[str]:
    yield text("snapshot {number} of {time}", number=found.number, time=utc_text(found.taken))
    stale = found.stale(at)
    rows = []
    for one in found.lists:
        until = utc_text(one.next_update) if one.next_update else "-"
        rows.append(
            (
                shown(one.territory),
                str(one.sequence),
                utc_text(one.issued),
                f"{until} ({text('stale')})" if one in stale else until,
                one.sha256,
            )
        )
    yield from table(_LISTS, rows, right=(1,))


def _findings(findings: Sequence[Finding]) -> list[str]:
    return [f"{finding.code}: {shown(finding.message)}" for finding in findings]
