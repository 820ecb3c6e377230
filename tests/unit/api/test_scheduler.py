"""The embedded scheduler: nothing ends it, failures make it wait."""

from __future__ import annotations

import itertools
import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO

import pytest

from api.logs import JsonLines
from api.scheduler import LONGEST_WAIT, Job, Scheduler, jobs_of, pay_copies, preserve_due
from archive_core.errors import LeaseHeldError, TimestampAuthorityUnavailableError
from archive_core.lifecycle import Actor, BatchView


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def entries() -> StringIO:
    """What is logged during the test, as lines of JSON."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("trusted_archive")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    return stream


def failing(error: Exception) -> Callable[[], str | None]:
    def act() -> str | None:
        raise error

    return act


def test_a_failing_job_waits_longer_each_time_up_to_a_limit() -> None:
    """A TSA that is down is asked less and less often, but never given up."""
    hands = Hands()
    job = Job("preserve", failing(TimestampAuthorityUnavailableError()), 2.0, now=hands)
    tries = []
    for _ in range(20_000):
        before = job.health.runs
        job()
        if job.health.runs > before:
            tries.append(hands.time)
        hands.time += 1.0
    waits = [later - earlier for earlier, later in itertools.pairwise(tries)]

    assert waits[0] <= 6
    assert waits == sorted(waits[:6]) + waits[6:]
    assert LONGEST_WAIT * 0.9 <= waits[-1] <= LONGEST_WAIT * 1.1 + 1
    assert job.health.failures == job.health.runs == len(tries)
    assert job.health.last_error == "timestamp-authority-unavailable"


def test_success_ends_the_waiting(entries: StringIO) -> None:
    """Recovery needs nobody, and is logged."""
    hands, answers = Hands(), iter(["down", "down", None, None])
    job = Job("preserve", lambda: next(answers), 2.0, now=hands)
    for _ in range(4):
        job()
        hands.time += LONGEST_WAIT * 2

    assert job.health.runs == 4
    assert job.health.consecutive == 0
    assert job.health.last_error is None
    assert "job recovered" in entries.getvalue()


def test_an_unexpected_error_is_counted_and_logged_with_its_trace(entries: StringIO) -> None:
    """A bug in a job is seen and does not end the rounds."""
    job = Job("flush trail", failing(ZeroDivisionError("x")), 2.0)
    job()
    entry = json.loads(entries.getvalue())

    assert job.health.last_error == "internal"
    assert entry["job"] == "flush trail"
    assert "ZeroDivisionError" in entry["trace"]


def test_another_process_doing_it_is_no_failure() -> None:
    """A held lease means that the work is being done."""
    job = Job("preserve", failing(LeaseHeldError()), 2.0)
    job()

    assert (job.health.runs, job.health.failures) == (1, 0)


def test_a_job_never_runs_beside_itself() -> None:
    """A call during a run returns at once and does nothing."""
    inside, go_on = threading.Event(), threading.Event()

    def act() -> str | None:
        inside.set()
        go_on.wait(5)
        return None

    job = Job("preserve", act, 2.0)
    running = threading.Thread(target=job)
    running.start()
    inside.wait(5)
    job()
    go_on.set()
    running.join()

    assert job.health.runs == 1


class Archive:
    """Counts what the scheduler asks for; its first batch fails."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def preserve(self, *, actor: Actor, only_due: bool) -> list[BatchView]:
        assert only_due
        self.asked.append("preserve")
        error = "the TSA does not answer" if len(self.asked) == 1 else None
        return [BatchView(1, "basic-1", 3, None if error else datetime.now(UTC), True, error)]

    def flush_trail(self) -> int:
        self.asked.append("flush")
        return 0

    def run_jobs(self) -> int:
        self.asked.append("jobs")
        return 0


def test_a_batch_that_waits_is_a_failure() -> None:
    """An error inside a batch view makes the job wait, as if it had been raised."""
    archive = Archive()

    assert preserve_due(archive) == "the TSA does not answer"  # type: ignore[arg-type]
    assert preserve_due(archive) is None  # type: ignore[arg-type]


def test_what_is_broken_off_at_a_stop_is_no_failure(entries: StringIO) -> None:
    """Copies are paid group by group; between two of them a stop is heard."""
    stopping = threading.Event()
    groups: list[int] = []

    class Debts:
        def pay(self, progress: Callable[[str, int, int | None], None]) -> list[object]:
            for number in range(5):
                groups.append(number)
                if number == 1:
                    stopping.set()
                progress("copying", number, 5)
            raise AssertionError("a stop was not heard")

    class Paying:
        debts = Debts()

    job = Job("pay copies", lambda: pay_copies(Paying(), stopping), 1.0)  # type: ignore[arg-type]
    job()
    assert groups == [0, 1]
    assert (job.health.runs, job.health.failures) == (1, 0)
    assert "job broken off" in entries.getvalue()


def test_every_job_runs_and_a_stop_waits(entries: StringIO) -> None:
    """All three things happen by themselves; after `stop` nothing more does."""
    archive = Archive()
    scheduler = Scheduler(jobs_of(archive, 0.05))  # type: ignore[arg-type]
    scheduler.start()
    deadline = time.monotonic() + 10
    while set(archive.asked) != {"preserve", "flush", "jobs"} and time.monotonic() < deadline:
        time.sleep(0.02)
    scheduler.stop()
    asked = len(archive.asked)
    time.sleep(0.3)

    assert {"preserve", "flush", "jobs"} == set(archive.asked)
    assert asked == len(archive.asked)
    assert scheduler.to_json()["preserve"]["failures"] == 1  # type: ignore[index]
