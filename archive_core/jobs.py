"""Long requests as jobs: asked for now, done by the scheduler, watched by whoever asked.

Rules kept here
 * A job is done by one process at a time (a lease); one whose process died is begun again.
 * A job sees what its requester may see, no more.
 * A verification never stops at a bad object: its result counts verdicts and names the bad ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import JobRow, VersionRow
from archive_core.errors import ArchiveError, EvidencePendingError, LeaseHeldError
from archive_core.findings import Report, Verdict
from archive_core.holding import Holder
from archive_core.identifiers import new_token
from archive_core.lifecycle import Actor
from archive_core.ports import Clock

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
VERIFICATION = "verification"
MAX_NAMED = 1000
"""Bad objects that a result names; the rest are counted."""


class Jobs:
    """Verifications of many objects."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalogue: Catalogue,
        holder: Holder,
        assess: Callable[[VersionRow], Report],
    ) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._holder = holder
        self._assess = assess

    def start(self, poids: Sequence[str] | None, *, actor: Actor) -> JobRow:
        """Ask for the verification of these objects, or of all that the actor may see. Raises
        `UnknownObjectError` for an object that the actor may not see."""
        for poid in poids or ():
            self._catalogue.version(poid, originator=actor.originator)
        row = JobRow(
            job_id=new_token(),
            kind=VERIFICATION,
            state=WAITING,
            created=self._clock.now(),
            progress_total=len(poids) if poids is not None else None,
            result={"poids": list(poids) if poids is not None else None},
            originator=actor.originator,
        )
        self._catalogue.add_job(row)
        return row

    def job(self, job_id: str, *, actor: Actor) -> JobRow:
        """A job of the actor's organisation; raises `NotFoundError`."""
        return self._catalogue.job(job_id, actor.originator)

    def run_waiting(self) -> int:
        """Do every job that waits or lost its process; returns how many were done."""
        done = 0
        for row in self._catalogue.jobs():
            if row.state in (WAITING, RUNNING):
                try:
                    with self._holder.hold(f"job-{row.job_id}"):
                        self._run(row)
                        done += 1
                except LeaseHeldError:
                    continue
        return done

    def _run(self, row: JobRow) -> None:
        current = self._catalogue.job(row.job_id)
        if current.state not in (WAITING, RUNNING):
            return
        poids = current.result["poids"]
        self._catalogue.update_job(row.job_id, state=RUNNING, progress_done=0)
        try:
            result = self._verify(row, poids)
        except ArchiveError as error:
            self._catalogue.update_job(row.job_id, state=FAILED, error=str(error))
            return
        self._catalogue.update_job(
            row.job_id, state=DONE, progress_done=result["checked"], result={"poids": poids, **result}
        )

    def _verify(self, row: JobRow, poids: Sequence[str] | None) -> dict[str, object]:
        counts = dict.fromkeys((str(verdict) for verdict in Verdict), 0)
        pending = 0
        named: list[dict[str, object]] = []
        for checked, version in enumerate(self._rows(row, poids), 1):
            try:
                report = self._assess(version)
            except EvidencePendingError:
                pending += 1
                continue
            counts[str(report.verdict)] += 1
            if report.verdict is not Verdict.PASSED and len(named) < MAX_NAMED:
                named.append({"poid": version.poid, "version": version.version, **report.to_json()})
            if checked % 20 == 0:
                self._holder.renew()
                self._catalogue.update_job(row.job_id, progress_done=checked)
        total = sum(counts.values()) + pending
        return {"checked": total, "verdicts": counts, "pending": pending, "not_passed": named}

    def _rows(self, row: JobRow, poids: Sequence[str] | None) -> Iterator[VersionRow]:
        if poids is not None:
            for poid in poids:
                yield from self._catalogue.versions(poid, row.originator)
            return
        after = None
        while page := self._catalogue.objects(after, 500, row.originator, living=True):
            for head in page:
                yield from self._catalogue.versions(head.poid)
            after = page[-1].poid
