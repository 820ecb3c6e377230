"""`changes` and `webhooks list | resume`: what has changed since when, and who is told."""

from __future__ import annotations

import argparse

from api.cli.answers import BAD, GOOD, table
from api.cli.console import Console, shown
from api.cli.opening import actor, opened
from api.texts import marked, text
from archive_core.changes import KINDS, Cursor
from archive_core.findings import utc_text
from archive_core.notifying import ReceiverView

_CHANGES = (marked("time"), marked("change"), marked("object"), marked("version"), marked("organisation"))
_RECEIVERS = (marked("receiver"), marked("organisation"), marked("delivered"), marked("state"), marked("fault"))


def changes(arguments: argparse.Namespace, console: Console) -> int:
    since = Cursor(0) if arguments.since is None else Cursor.parse(arguments.since)
    limit = min(max(arguments.limit, 1), 100_000)
    with opened(arguments, console) as archive:
        archive.flush_trail()
        page = archive.changes.since(since, limit=limit, originator=actor().originator, kinds=KINDS)
    lines = [
        (utc_text(one.time), text(one.kind), one.poid, str(one.version or "-"), shown(one.originator))
        for one in page.changes
    ]
    console.result(page.to_json(), [*table(_CHANGES, lines), text("next: {cursor}", cursor=page.next)])
    return GOOD


def list_webhooks(arguments: argparse.Namespace, console: Console) -> int:
    """Who is told what changes, and how far each has come; exit 1 while one takes nothing."""
    with opened(arguments, console) as archive:
        views = archive.notifying.views()
    none = [text("The settings name no receivers ([[webhook]]).")]
    console.result(
        {"webhooks": [one.to_json() for one in views]}, table(_RECEIVERS, [_line(one) for one in views]) or none
    )
    return BAD if any(one.row is not None and one.row.since is not None for one in views) else GOOD


def resume(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        view = archive.notifying.resume(arguments.receiver)
    console.result(view.to_json(), table(_RECEIVERS, [_line(view)]))
    return GOOD


def _line(view: ReceiverView) -> tuple[str, ...]:
    row = view.row
    failing = row is not None and row.since is not None
    state = text("given up") if row and row.stopped else text("waits") if failing else text("good")
    return (
        view.receiver.name,
        shown(view.receiver.originator or "*"),
        utc_text(row.delivered) if row and row.delivered else "-",
        state,
        shown(row.error) if row and row.error else "-",
    )


KIND_TEXTS = (
    marked("replicated"),
    marked("evidenced"),
    marked("renewed"),
    marked("damaged"),
    marked("repaired"),
    marked("destroyed"),
)
"""Kinds of changes as they are shown."""
