"""`search`: which versions hold these words, came in this time, or are these bytes."""

from __future__ import annotations

import argparse
import hashlib

from api.cli.answers import GOOD, table
from api.cli.console import Console, shown
from api.cli.opening import actor, opened
from api.texts import marked, text
from archive_core.catalogue.searching import Wanted
from archive_core.errors import UsageError
from archive_core.findings import utc_text
from archive_core.lifecycle import VersionView

_COLUMNS = (marked("object"), marked("version"), marked("state"), marked("organisation"), marked("received"))
_STATES = {"replicated": False, "evidenced": True}


def search(arguments: argparse.Namespace, console: Console) -> int:
    """What the index does not hold yet is entered first."""
    if arguments.sha512 and arguments.file:
        raise UsageError(text("say --sha512 or --file, not both"))
    wanted = Wanted(
        originator=arguments.organisation,
        evidenced=_STATES.get(arguments.status),
        received_from=arguments.received_from,
        received_until=arguments.received_until,
        sha512=_of_file(arguments) if arguments.file else arguments.sha512,
    )
    words = " ".join(arguments.words) or None
    with opened(arguments, console) as archive:
        archive.flush_trail()
        archive.searching.catch_up()
        limit = min(max(arguments.limit, 1), 100_000)
        found = archive.searching.search(words, wanted, actor=actor(), before=None, limit=limit)
        views = [archive.view(row) for row in found.rows]
    document = {
        "objects": [view.to_json() for view in views],
        "more": found.next is not None,
        "complete": found.complete,
    }
    console.result(document, table(_COLUMNS, [_line(view) for view in views]) or [text("Nothing was found.")])
    return GOOD


def _line(view: VersionView) -> tuple[str, ...]:
    state = text(str(view.status))
    return (view.poid, str(view.version), state, shown(view.originator), utc_text(view.received))


def _of_file(arguments: argparse.Namespace) -> str:
    try:
        with arguments.file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha512").hexdigest()
    except OSError as error:
        raise UsageError(text("cannot read {path}: {reason}", path=arguments.file, reason=error.strerror)) from error
