"""Use case: every version that may be seen, proven anew from stored bytes.

The rules this follows
 * Each object is read once, from the first store; what is not plain there, or not proven by being read (`mass`), is
   assessed by itself, from whichever copy is good.
 * A run is one action and one event, as an audit is; besides, each version that is not PASSED has an event of its own,
   recorded a page at a time before it is handed out: whoever stops has lost no bad verdict that he saw.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import EventRow, VersionRow
from archive_core.findings import Report, Verdict
from archive_core.journal import event_row
from archive_core.lifecycle import Actor
from archive_core.mass import MassProof
from archive_core.ocfl.plain import PlainObject
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.plain_reading import Files, Page, PlainReader, pages_ahead
from archive_core.sequencer import Sequencer
from archive_core.trail.events import EventType, Outcome, new_event

Progress = Callable[[str, int, int | None], None]
Verified = tuple[str, int, Report | None]

PAGE = 500


class MassVerification:
    """Verification of everything that an actor may see."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        root: StorageRoot,
        mass: MassProof,
        assess: Callable[[VersionRow, datetime], Report],
        sequencer: Sequencer,
    ) -> None:
        self._catalogue = catalogue
        self._root = root
        self._mass = mass
        self._assess = assess
        self._sequencer = sequencer

    def run(self, *, actor: Actor, at: datetime, progress: Progress) -> Iterator[Verified]:
        """POID, version and report of each version in deposit order; None for one without evidence yet."""
        self._mass.forget()
        counts: Counter[Verdict] = Counter()
        ended = False
        try:
            for verified in self._verified(actor.originator, at, progress):
                judged = [(poid, version, report) for poid, version, report in verified if report]
                bad = [one for one in judged if one[2].verdict is not Verdict.PASSED]
                self._sequencer.record_all([_event(*one, actor=actor, at=at) for one in bad])
                counts.update(report.verdict for _, _, report in judged)
                yield from verified
            ended = True
        finally:
            self._tell(counts, actor, ended=ended)

    def _verified(self, originator: str | None, at: datetime, progress: Progress) -> Iterator[list[Verified]]:
        """A page after the other."""
        total = self._catalogue.count_states(originator).versions
        done = 0
        algorithms = self._mass.algorithms_of(at)
        with closing(PlainReader(self._root, expected=total, processes=os.cpu_count() or 1)) as reader:

            def begin(rows: Sequence[VersionRow]) -> Page:
                files = self._mass.files_of([row for row in rows if row.batch is not None])
                return reader.begin(rows, files, algorithms)

            for page in pages_ahead(self._pages(originator), begin):
                verified = []
                for one in self._page(page, reader, at):
                    progress("verifying", done, total)
                    done += 1
                    verified.append(one)
                yield verified

    def _tell(self, counts: Counter[Verdict], actor: Actor, *, ended: bool) -> None:
        """The event of the run: how many versions were judged, and how."""
        all_good = ended and set(counts) == {Verdict.PASSED}
        self._sequencer.record(
            EventType.VALIDATION,
            Outcome.SUCCESS if all_good else Outcome.FAILURE,
            f"{'checked' if ended else 'stopped'}-{counts.total()}",
            actor=actor,
            detail={str(verdict): str(count) for verdict, count in counts.items()},
        )

    def _pages(self, originator: str | None) -> Iterator[list[VersionRow]]:
        after = None
        while page := self._catalogue.objects(after, PAGE, originator, living=True):
            yield page
            after = page[-1].poid

    def _page(self, page: Page, reader: PlainReader, at: datetime) -> Iterator[Verified]:
        for head, found in reader.results(page):
            report = self._quick(head, page.files.get(head.poid), found, at)
            if report is not None:
                yield head.poid, head.version, report
                continue
            for row in self._catalogue.versions(head.poid):
                yield row.poid, row.version, self._assess(row, at) if self._is_evidenced(row) else None

    def _quick(self, row: VersionRow, files: Files | None, found: PlainObject | None, at: datetime) -> Report | None:
        judged = self._mass.batch_of(row, at) if found is not None else None
        if files is None or found is None or judged is None or not judged.proves(row, found):
            return None
        return judged.report(row, files, found)

    def _is_evidenced(self, row: VersionRow) -> bool:
        return row.batch is not None and self._catalogue.batch(row.batch).evidenced_at is not None


def _event(poid: str, version: int, report: Report, *, actor: Actor, at: datetime) -> EventRow:
    event, detail = new_event(
        EventType.VALIDATION,
        Outcome.FAILURE,
        str(report.sub_indication or report.verdict),
        at=at,
        actor=actor.actor_id,
        poid=poid,
        version=version,
        detail=dict(actor.detail) or None,
    )
    return event_row(event, detail)
