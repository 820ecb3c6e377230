"""The scheduler's jobs as a process of their own, beside servers that answer requests.

Rules kept here
 * Over a server database as many as one likes may run, on one machine or several: who does what is decided by leases,
   so that one that dies is followed by another.
 * SIGTERM and SIGINT are graceful: no job is begun any more, running ones end, then the process does.
 * A process that does nothing is a mistake: a job that nobody knows is refused by name.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

from api.logs import log, start_logging
from api.scheduler import Job, Scheduler, jobs_of
from api.server import Build, home_in_use
from api.settings import ArchiveSettings
from archive_core.errors import UsageError


def work(settings: ArchiveSettings, build: Build, *, only: Sequence[str] = (), but: Sequence[str] = ()) -> None:
    """Do the jobs, or `only` those of these names, or all `but` those, until a signal. Raises `UsageError`,
    `SettingsError`, `LeaseHeldError` or `UnavailableError` when it cannot start, and the errors of `build`."""
    start_logging()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with home_in_use(settings):
        archive = build(settings)
        try:
            archive.ready()
            archive.notifying.begin()
            jobs = _chosen(jobs_of(archive, settings.server.interval, stop), only, but)
            scheduler = Scheduler(jobs, stop)
            scheduler.start()
            log("working", jobs=[job.name for job in jobs])
            stop.wait()
            scheduler.stop()
        finally:
            archive.close()
    log("worker stopped")


def _chosen(jobs: Sequence[Job], only: Sequence[str], but: Sequence[str]) -> tuple[Job, ...]:
    known = [job.name for job in jobs]
    if strangers := sorted({*only, *but} - set(known)):
        raise UsageError(f"there is no job {strangers[0]!a}; there are: {', '.join(known)}")
    chosen = tuple(job for job in jobs if (not only or job.name in only) and job.name not in but)
    if not chosen:
        raise UsageError(f"no job is left to do; there are: {', '.join(known)}")
    return chosen
