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
from api.cli.files import new_file, writing_to
from api.cli.opening import actor, opened
from api.texts import marked, text
from archive_core.errors import UnknownObjectError
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


def export(arguments: argparse.Namespace, console: Console) -> int:
    """The octets of a snapshot's lists, verified, as files that are named by territory and number."""
    with opened(arguments, console) as archive:
        found = archive.lists.newest() if arguments.snapshot is None else archive.lists.snapshot(arguments.snapshot)
        if found is None:
            raise UnknownObjectError("no trusted lists were taken yet")
        octets = archive.lists.octets(found)
    with writing_to(arguments.folder):
        arguments.folder.mkdir(parents=True, exist_ok=True)
    written = []
    for one in found.lists:
        path = arguments.folder / f"{_plain(one.territory)}-{one.sequence}.xml"
        with new_file(path) as stream:
            stream.write(octets[one.sha256])
        written.append({"file": str(path), "territory": one.territory, "sha256": one.sha256})
    console.result({"snapshot": found.number, "files": written}, [shown(str(one["file"])) for one in written])
    return GOOD


def _plain(territory: str) -> str:
    """What a list calls its territory, as part of a file's name."""
    return "".join(letter for letter in territory if letter.isascii() and letter.isalnum()) or "list"


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
