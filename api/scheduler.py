"""The embedded scheduler: one line for each thing that must happen without anybody asking.

Rules kept here
 * A job asks the archive what is due; it is safe to run twice and beside another process.
 * No failure ends the scheduler: it is logged and counted, and the job waits twice as long before
   the next try, up to `LONGEST_WAIT`, until it succeeds again.
 * A job never runs beside itself; rounds that were missed are made up for by one.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from api.logs import log
from archive_core.errors import ArchiveError, LeaseHeldError, RenewalPausedError
from archive_core.lifecycle import Actor, BatchView
from archive_core.renewal.means import RenewalView
from archive_core.renewal.running import RenewalRequest

if TYPE_CHECKING:
    from archive_core.archive import Archive

SCHEDULER = Actor(actor_id="scheduler", role="operator")
LONGEST_WAIT = 300.0
"""Seconds between two tries of a job that keeps failing, at most (before jitter)."""

_QUIET = logging.ERROR


class StoppingError(Exception):
    """A job was broken off, because its process is to end; another one goes on with it."""


@dataclass(slots=True)
class JobHealth:
    """How a job has fared since the process started."""

    runs: int = 0
    failures: int = 0
    failing_since: float | None = None
    consecutive: int = 0
    last_error: str | None = None

    def to_json(self) -> dict[str, object]:
        return {
            "runs": self.runs,
            "failures": self.failures,
            "consecutive_failures": self.consecutive,
            "last_error": self.last_error,
        }


@dataclass(slots=True)
class Job:
    """One action with its own patience. `act` returns a short error text when it did not succeed
    but could say so, and raises when it could not."""

    name: str
    act: Callable[[], str | None]
    interval: float
    at_once: bool = False
    """Whether it runs at the start, and not only after its interval."""
    now: Callable[[], float] = time.monotonic
    health: JobHealth = field(default_factory=JobHealth)
    _not_before: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> None:
        """Run unless the job is waiting after a failure. Never raises."""
        if self.now() < self._not_before or not self._lock.acquire(blocking=False):
            return
        try:
            self._run()
        finally:
            self._lock.release()

    def _run(self) -> None:
        self.health.runs += 1
        try:
            error = self.act()
        except StoppingError:
            error = None
            log("job broken off", job=self.name)
        except LeaseHeldError:
            error = None  # another process is doing it: that is as good
        except ArchiveError as failure:
            error = failure.code
            log("job failed", logging.WARNING, job=self.name, code=failure.code, reason=str(failure))
        except Exception as failure:  # noqa: BLE001 - logged with its trace and counted; the rounds go on
            error = "internal"
            log("job failed", logging.ERROR, error=failure, job=self.name, code=error)
        self._settle(error)

    def _settle(self, error: str | None) -> None:
        health = self.health
        if error is None:
            if health.consecutive:
                log("job recovered", job=self.name, failures=health.consecutive)
            health.consecutive, health.last_error, self._not_before = 0, None, 0.0
            return
        health.failures += 1
        health.consecutive += 1
        health.last_error = error
        wait = min(LONGEST_WAIT, self.interval * 2.0 ** min(health.consecutive, 20))
        self._not_before = self.now() + wait * random.uniform(0.9, 1.1)  # noqa: S311 - spreads retries, hides nothing


def preserve_due(archive: Archive) -> str | None:
    """Close and prove what is due; the first batch error, if there is one."""
    errors = [view.error for view in archive.preserve(actor=SCHEDULER, only_due=True) if _logged(view)]
    return errors[0] if errors else None


def _logged(view: BatchView) -> bool:
    if view.error is None:
        log("batch evidenced", batch=view.number, objects=view.objects, test_trust=view.test_trust)
        return False
    log("batch waits", logging.WARNING, batch=view.number, reason=view.error)
    return True


COPIES_INTERVAL = 10.0
"""Seconds between two looks at what stores lack, at least."""


def pay_copies(archive: Archive, stopping: threading.Event) -> str | None:
    """Give stores what they lack; what was in the way of the first that still lacks something. Raises `StoppingError`
    between two groups of objects."""

    def progress(_what: str, _done: int, _total: int | None) -> None:
        if stopping.is_set():
            raise StoppingError

    payments = archive.debts.pay(progress)
    for payment in payments:
        if payment.paid:
            log("copies made", store=payment.store, objects=payment.paid, owed=payment.owed)
    return next((payment.error or "owed" for payment in payments if payment.owed), None)


LOCKS_INTERVAL = 60.0
"""Seconds between two looks at locks, at least."""


def keep_locks(archive: Archive) -> str | None:
    """Probe the locks of stores when it is time, lock what is new, extend what ends soon."""
    found = archive.locks.probe(actor=SCHEDULER, only_due=True)
    for name, judged in found.items():
        log("locks probed", store=name, holds=judged.holds, broken=list(judged.broken))
    locked = archive.locks.roll()
    if locked:
        log("locked", objects=locked)
    return next(("locks do not hold" for judged in found.values() if not judged.holds), None)


RENEWAL_INTERVAL = 300.0
"""Seconds between two looks at what is due for renewal, at least: what falls due does so by the day, and a
holding of many batches is looked through."""


def renew_due(archive: Archive) -> str | None:
    """Renew what is due, within what may be done unasked; the first thing that waits, if there is one."""
    result = archive.renew(RenewalRequest(patient=True), actor=SCHEDULER)
    waits = [view.error for view in result.views if _renewal_logged(view)]
    for need in result.blocked:
        log("renewal blocked", logging.ERROR, batch=need.batch, line=need.line, reason=str(need.blocked_because))
    if result.question is not None:
        log("renewal waits for an operator", logging.WARNING, reason=str(result.question))
    return waits[0] if waits else None


def _renewal_logged(view: RenewalView) -> bool:
    facts: dict[str, Any] = {
        "renewal": view.number or None,
        "kind": view.kind,
        "line": view.line,
        "batches": view.batches,
    }
    for obstacle in view.obstacles:
        log("cannot be renewed", logging.ERROR, head=obstacle.head, code=obstacle.code, reason=obstacle.message)
    for dropped in view.dropped:
        log("dropped out", logging.ERROR, poid=dropped.poid, version=dropped.version, reason=dropped.message)
    if view.error is None:
        log("evidence renewed", **facts, documents=view.documents)
        return False
    log("renewal waits", logging.WARNING, **facts, reason=view.error)
    return True


def renew_unless_paused(archive: Archive) -> str | None:
    """`renew_due`; that somebody paused renewals is no failure."""
    try:
        return renew_due(archive)
    except RenewalPausedError:
        return None


LATER_INTERVAL = 30.0
"""Seconds between two looks at what is to be examined again, at least."""


def examine_later(archive: Archive) -> str | None:
    """Examine again what could not be decided at the deposit. What stays undecided waits longer each time; that is no
    failure of the job, and `status` tells it."""
    views = archive.signatures.examine_again(actor=SCHEDULER)
    for view in views:
        if view.version is None:
            log("signatures undecided", logging.WARNING, poid=view.poid, reason=view.error)
        else:
            level = logging.INFO if view.outcome == "accept" else logging.ERROR
            log("signatures decided", level, poid=view.poid, version=view.version, outcome=view.outcome)
    return None


REFRESH_INTERVAL = 3600.0
"""Seconds between two looks for revocation data that outlasts time-stamps, at least."""


def refresh_validation_data(archive: Archive) -> str | None:
    """Fetch what was not issued yet when a time-stamp was made. What waits for the next list is no failure."""
    found = archive.refresh_validation_data()
    for batch in found.batches:
        log("validation data kept", batch=batch)
    return "; ".join(found.problems[:3]) or None


LISTS_INTERVAL = 60.0
"""Seconds between two looks at whether trusted lists are to be fetched, at least."""


def fetch_lists(archive: Archive) -> str | None:
    """Look for new trusted lists when it is time; what was not had is logged, and told by `status`."""
    if not archive.lists.is_due():
        return None
    snapshot, findings = archive.lists.refresh(actor=SCHEDULER)
    for finding in findings:
        log("trusted list", logging.WARNING, code=finding.code, reason=finding.message)
    log("trusted lists", snapshot=snapshot.number, lists=len(snapshot.lists))
    return None


LEFTOVERS_INTERVAL = 60.0
"""Seconds between two looks at what interrupted writes left beside the stores, at least."""


def clear_leftovers(archive: Archive) -> str | None:
    """Remove what belongs to writers that are gone, so that they do not fill the disk until the next audit; an error
    of the first store that could not be asked."""
    error = None
    for root in archive.copies.roots:
        try:
            gone = root.store.clear_leftovers()
        except ArchiveError as failure:
            log("leftovers stay", logging.WARNING, store=root.store.name, code=failure.code, reason=str(failure))
            error = error or failure.code
            continue
        if gone:
            log("leftovers cleared", store=root.store.name, entries=len(gone))
    return error


FIXITY_INTERVAL = 10.0
"""Seconds between two looks at which store is to be read again, at least."""


def check_fixity(archive: Archive) -> str | None:
    """Read a little of every store that is due; an error when a cycle ended with findings."""
    bad = archive.fixity.round(actor=SCHEDULER)
    for store in bad:
        log("fixity findings", logging.ERROR, store=store, what_to_do="trusted-archive fixity status")
    return "fixity-findings" if bad else None


INDEXED_AT_ONCE = 20_000
"""Places of the trail that one round of the search index goes through."""


def notify(archive: Archive) -> str | None:
    """Tell receivers what has changed; an error while one of them takes nothing."""
    refused = archive.notifying.round()
    for name in refused:
        log("webhook not taken", logging.WARNING, receiver=name, what_to_do="trusted-archive webhooks list")
    return None


def _discard(_result: object) -> None:
    """The result of a job that says all it has to say by not raising."""


def jobs_of(archive: Archive, interval: float, stopping: threading.Event | None = None) -> tuple[Job, ...]:
    """Everything that happens by itself, one line each; `interval` in seconds. What takes long and loses nothing by it
    is broken off when `stopping` is set."""
    stopping = stopping or threading.Event()
    return (
        Job("preserve", lambda: preserve_due(archive), interval),
        Job("renew", lambda: renew_unless_paused(archive), max(interval, RENEWAL_INTERVAL)),
        Job("validation data", lambda: refresh_validation_data(archive), max(interval, REFRESH_INTERVAL)),
        Job("trusted lists", lambda: fetch_lists(archive), max(interval, LISTS_INTERVAL)),
        Job("examine later", lambda: examine_later(archive), max(interval, LATER_INTERVAL)),
        Job("fixity", lambda: check_fixity(archive), max(interval, FIXITY_INTERVAL)),
        Job("flush trail", lambda: _discard(archive.flush_trail()), interval),
        Job("webhooks", lambda: notify(archive), interval),
        Job("index", lambda: _discard(archive.searching.catch_up(most=INDEXED_AT_ONCE)), interval),
        Job("run jobs", lambda: _discard(archive.run_jobs()), interval),
        Job("keep locks", lambda: keep_locks(archive), max(interval, LOCKS_INTERVAL)),
        Job("pay copies", lambda: pay_copies(archive, stopping), max(interval, COPIES_INTERVAL)),
        Job("clear leftovers", lambda: clear_leftovers(archive), max(interval, LEFTOVERS_INTERVAL), at_once=True),
    )


class Scheduler:
    """Runs jobs in threads of this process until it is stopped."""

    def __init__(self, jobs: tuple[Job, ...], stopping: threading.Event | None = None) -> None:
        self.jobs = jobs
        self._stopping = stopping or threading.Event()
        logging.getLogger("apscheduler").setLevel(_QUIET)
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(max(1, len(jobs)))},
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
            timezone="UTC",
        )
        for job in jobs:
            first = {"next_run_time": datetime.now(UTC)} if job.at_once else {}
            self._scheduler.add_job(job, IntervalTrigger(seconds=job.interval), name=job.name, **first)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """Start nothing more, break off what may be, and wait for the rest of what is running."""
        self._stopping.set()
        self._scheduler.shutdown(wait=True)

    def to_json(self) -> dict[str, object]:
        return {job.name: job.health.to_json() for job in self.jobs}
