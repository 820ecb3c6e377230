"""`fixity run` and `fixity status`: every copy read again, and how that stands.

Rules kept here
 * Exit 1 when there are findings: of the run, or of the last cycle of some store.
 * A planted damage that is found is no finding; one that is missed is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from api.cli.answers import BAD, GOOD, table
from api.cli.console import Console, path_text, shown
from api.cli.files import new_file
from api.cli.findings import line
from api.cli.opening import actor, opened
from api.fixity_svg import history_svg
from api.texts import marked, text
from archive_core.fixity.running import FixityResult

_HEADS = (
    marked("store"),
    marked("read last"),
    marked("objects"),
    marked("bytes"),
    marked("findings"),
    marked("planted and found"),
    marked("every byte since"),
)


def run_fixity(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        found = archive.fixity.run(
            actor=actor(),
            store=arguments.store,
            bytes_per_second=arguments.budget,
            anew=arguments.anew,
            progress=console.progress,
        )
    console.result(found.to_json(), _run_lines(found))
    return BAD if found.audit.findings else GOOD


def _run_lines(found: FixityResult) -> Iterable[str]:
    for entry in found.audit.findings:
        yield line(entry)
    for entry in found.audit.notes:
        yield f"{text('note')}: {line(entry)}"
    for name, facts in found.stores.items():
        yield text(
            "store {name}: {objects} objects, {bytes} bytes read; {planted_found} of {planted} planted damages found",
            name=name,
            **{key: facts[key] for key in ("objects", "bytes", "planted", "planted_found")},
        )
    yield text("{count} findings", count=len(found.audit.findings))


def status(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        found = archive.fixity.status()
    if arguments.svg is not None:
        with new_file(arguments.svg) as stream:
            stream.write(history_svg(found["history"]).encode("utf-8"))
    bad = [one for one in found["stores"] if one["overdue"] or (one["last"] or {}).get("finding_count")]
    svg = path_text(arguments.svg) if arguments.svg is not None else None
    console.result({**found, "svg": svg}, _status_lines(found))
    return BAD if bad else GOOD


def _status_lines(found: dict[str, Any]) -> Iterable[str]:
    rows = []
    for one in found["stores"]:
        last = one["last"] or {}
        rows.append(
            [
                one["name"],
                str(last.get("ended", text("never"))),
                str(last.get("objects", 0)),
                str(last.get("bytes", 0)),
                str(last.get("finding_count", 0)),
                f"{last.get('planted_found', 0)}/{last.get('planted', 0)}",
                str(one["oldest_check"] or text("never")),
            ]
        )
    yield from table(_HEADS, rows, right=(2, 3, 4, 5))
    for one in found["stores"]:
        if one["overdue"]:
            yield text("store {name}: some bytes were not read for too long", name=one["name"])
        if one["cycle"]:
            yield text(
                "store {name}: cycle {cycle} is under way, {objects} objects read",
                name=one["name"],
                cycle=one["cycle"]["cycle"],
                objects=one["cycle"]["objects"],
            )
        for finding in (one["last"] or {}).get("findings", []):
            yield f"{finding['store']}  {shown(finding['path'])}  {finding['code']}  {shown(finding['message'])}"
