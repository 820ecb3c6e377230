"""(o) What the trail costs a deposit: small documents with it, and in a process from which it was taken out.

Rules kept here
 * Both are the same command in the same wrapper, in turn, each in a new home. With the trail it ends as the command
   does: when its events are in a segment on both stores.
 * That there is no trail in the other is not believed but looked up: no event may be there, nor be missing with it.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from benchmarks.figures import BenchmarkError, Figure, Goal, LineResult, Outcome
from benchmarks.measuring import run
from benchmarks.workspace import ROOT, Workspace

LETTER, TITLE = "o", "what the trail costs a deposit"
WITH, WITHOUT = "deposit, with the trail", "the same, without any event"
MOST = 0.10
"""Of the throughput that may be lost."""

_EVENTS_OF_A_DEPOSIT = 2
_COMMAND = "import sys; sys.path.insert(0, sys.argv[1]); from benchmarks.trail_cost import deposit; deposit()"
"""The command in a process that works in the folder of documents and knows but the place of the checkout."""


def measure(space: Workspace) -> LineResult:
    count = space.scale.documents
    folder = space.documents(count, space.scale.document_bytes)
    runs = space.compare(
        {
            WITH: lambda: _deposited(space, folder, trail=True),
            WITHOUT: lambda: _deposited(space, folder, trail=False),
        }
    )
    figures = {name: Figure.rate(name, "documents", count, found) for name, found in runs.items()}
    lost = 1 - figures[WITH].median / figures[WITHOUT].median
    return LineResult(
        LETTER,
        TITLE,
        list(figures.values()),
        [Goal("o-trail", "throughput that the trail costs: at most a tenth", lost, MOST, at_most=True)],
        (
            f"{count} documents of {space.scale.document_bytes} bytes, one invocation, two stores",
            f"with: {_EVENTS_OF_A_DEPOSIT} events a document, written with its rows, ordered, chained, and in segments "
            "on both stores when the command ends",
            "without: events are neither made nor written; everything else is the same code",
        ),
    )


def _deposited(space: Workspace, folder: Path, *, trail: bool) -> Outcome:
    home = space.home()
    names = sorted(path.name for path in folder.iterdir())
    before = _events(home)
    words = [sys.executable, "-P", "-c", _COMMAND, str(ROOT), "with" if trail else "without", str(home), *names]
    outcome, _ = run(words, cwd=folder)
    made = _events(home) - before
    if _versions(home) != len(names) or (made < _EVENTS_OF_A_DEPOSIT * len(names) if trail else made):
        raise BenchmarkError(f"{len(names)} documents were to be deposited; {made} events came of it")
    return outcome


def _events(home: Path) -> int:
    return _counted(home, "SELECT count(*) FROM events")


def _versions(home: Path) -> int:
    return _counted(home, "SELECT count(*) FROM versions")


def _counted(home: Path, query: str) -> int:
    with closing(sqlite3.connect(home / "catalogue.sqlite3")) as catalogue:
        return int(catalogue.execute(query).fetchone()[0])


def _take_out_the_trail() -> None:
    """In this process no event is made, entered or ordered."""
    from archive_core.catalogue.catalogue import Catalogue
    from archive_core.committing import Committing, version_row
    from archive_core.entries import file_rows
    from archive_core.sequencer import Sequencer

    def entry(self: object, member: object, stores: object) -> object:
        made = member  # a member of a group, as `Committing` knows it
        row = version_row(made.description, made.description_bytes, made.prepared.accepted.request_digest)  # type: ignore[attr-defined]
        return row, file_rows(made.description), []  # type: ignore[attr-defined]

    def nothing(self: object, *_: object, **__: object) -> int:
        return 0

    Committing._entry = entry  # type: ignore[assignment,method-assign]
    for name in ("record", "record_all", "flush", "flush_if_free"):
        setattr(Sequencer, name, nothing)
    Catalogue.record_events = lambda *_: []  # type: ignore[assignment,method-assign]


def deposit() -> None:
    """Deposit, as the command line says: with or without the trail, the home, the documents."""
    from api.cli import main

    how, at, *documents = sys.argv[2:]

    if how == "without":
        _take_out_the_trail()
    sys.exit(main(["--home", at, "--json", "deposit", *documents]))
