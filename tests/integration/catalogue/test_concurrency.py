"""Two threads or two processes at the same thing: exactly one gets it, and nothing is lost.

Each contender has its own engine, as in two servers; they start together behind a barrier.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from archive_core.catalogue import Catalogue
from archive_core.catalogue.session import writing
from archive_core.errors import AlreadyExistsError, ConcurrentChangeError
from tests.catalogue_rows import (
    ORG,
    START,
    batch_row,
    entry,
    event_row,
    later,
    line_rows,
    poid,
    segment_row,
    sequenced,
    stamp_row,
    version_row,
)

CONTENDERS = 4
ROUNDS = 15


def contend(url: str, act: Callable[[Catalogue, int, int], Any], rounds: int = ROUNDS) -> list[list[Any]]:
    """Let threads do `act(catalogue, contender, round)` together; per round what each got."""
    barrier = threading.Barrier(CONTENDERS, timeout=60)

    def run(contender: int) -> list[Any]:
        catalogue = Catalogue.open(url)
        got = []
        for round_ in range(rounds):
            barrier.wait()
            got.append(act(catalogue, contender, round_))
        catalogue.close()
        return got

    with ThreadPoolExecutor(CONTENDERS) as pool:
        futures: list[Future[list[Any]]] = [pool.submit(run, contender) for contender in range(CONTENDERS)]
        results = [future.result(timeout=120) for future in futures]
    return [list(together) for together in zip(*results, strict=True)]


@pytest.fixture
def url(database_url: str) -> str:
    Catalogue.create(database_url).close()
    return database_url


def test_one_key_is_claimed_once(url: str) -> None:
    """All get the same POID and bytes; one of them is told that it is the first."""

    def act(catalogue: Catalogue, contender: int, round_: int) -> Any:
        mine = poid(100 * round_ + contender)
        return catalogue.claim(ORG, f"k{round_}", "r", mine, 1, f"by {contender}".encode(), START)

    for claims in contend(url, act):
        assert sum(claim.fresh for claim in claims) == 1
        assert len({(claim.poid, claim.description) for claim in claims}) == 1


def test_one_key_stays_one_while_its_version_is_being_entered(url: str) -> None:
    """A claim that ends in the same moment never makes room for a second one."""

    def act(catalogue: Catalogue, contender: int, round_: int) -> Any:
        row, files, events = entry(1000 + round_, idempotency_key=f"k{round_}")
        if contender == 0:
            catalogue.enter_version(row, files, events)
            return None
        return catalogue.claim(ORG, f"k{round_}", "r", row.poid, 1, description_of(round_), START)

    def description_of(round_: int) -> bytes:
        return f"description of {1000 + round_} version 1".encode()

    for claims in contend(url, act):
        assert len({claim.poid for claim in claims if claim}) == 1
    catalogue = Catalogue.open(url)
    for round_ in range(ROUNDS):
        after = catalogue.claim(ORG, f"k{round_}", "r", poid(9), 1, b"later", START)
        assert after.completed
    assert catalogue.open_claims(later(10**9)) == []


def test_one_version_is_claimed_once(url: str) -> None:
    """Updates of one object with different content: one goes on, the others read again."""
    Catalogue.open(url).enter_versions([entry(round_) for round_ in range(ROUNDS)])

    def act(catalogue: Catalogue, contender: int, round_: int) -> str:
        try:
            catalogue.claim_version(poid(round_), 2, f"by {contender}".encode(), START)
        except ConcurrentChangeError:
            return "lost"
        return "won"

    for outcome in contend(url, act):
        assert Counter(outcome) == {"won": 1, "lost": CONTENDERS - 1}


def test_the_identical_version_entered_by_all_is_there_once(url: str) -> None:
    """Recovery in two processes: each either enters it, finds it, or is told to look again."""

    def act(catalogue: Catalogue, contender: int, round_: int) -> Any:
        try:
            return catalogue.enter_version(*entry(round_))
        except ConcurrentChangeError:
            return "again"

    for outcome in contend(url, act):
        assert outcome.count(True) == 1
    catalogue = Catalogue.open(url)
    assert catalogue.count_states().versions == ROUNDS
    assert all(len(catalogue.events_of(poid(round_))) == 1 for round_ in range(ROUNDS))


def test_a_lease_is_acquired_by_one(url: str) -> None:
    """Of all askers at one instant exactly one holds it."""

    def act(catalogue: Catalogue, contender: int, round_: int) -> bool:
        at = later(60 * round_)
        return catalogue.acquire_lease("batcher", f"holder {contender}", later(60 * round_ + 60), at)

    for outcome in contend(url, act):
        assert outcome.count(True) == 1


def test_a_new_lease_is_acquired_by_one(url: str) -> None:
    """Also when there was no such lease before."""

    def act(catalogue: Catalogue, contender: int, round_: int) -> bool:
        return catalogue.acquire_lease(f"lease {round_}", f"holder {contender}", later(60), START)

    for outcome in contend(url, act):
        assert outcome.count(True) == 1


def test_event_numbers_of_one_object_have_no_gap_and_no_double(url: str) -> None:
    """Recorders of the same two objects, in opposite orders, neither block nor overtake each other."""
    one, two = version_row(1), version_row(2)

    def act(catalogue: Catalogue, contender: int, round_: int) -> Any:
        number = 10 * (100 * round_ + contender)
        events = [event_row(number, one), event_row(number + 1, two)]
        return catalogue.record_events(events if contender % 2 else events[::-1])

    contend(url, act)

    catalogue = Catalogue.open(url)
    for row in (one, two):
        numbers = [event.object_event for event in catalogue.events_of(row.poid)]
        assert numbers == list(range(1, CONTENDERS * ROUNDS + 1))


def test_a_version_goes_into_one_batch(url: str) -> None:
    """Two batchers without a lease would still not take the same version twice."""
    Catalogue.open(url).enter_versions([entry(round_) for round_ in range(ROUNDS)])

    def act(catalogue: Catalogue, contender: int, round_: int) -> str:
        number = 1 + CONTENDERS * round_ + contender
        try:
            catalogue.enter_batch(batch_row(number, 1), line_rows(number), [(poid(round_), 1)])
        except ConcurrentChangeError:
            return "lost"
        return "won"

    for outcome in contend(url, act):
        assert Counter(outcome) == {"won": 1, "lost": CONTENDERS - 1}
    catalogue = Catalogue.open(url)
    assert len(catalogue.batches()) == ROUNDS
    assert catalogue.awaiting_groups() == []


def test_commit_b_keeps_one_token(url: str) -> None:
    """Two processes that stamped the same batch: the first token stays, the other learns of it."""
    catalogue = Catalogue.open(url)
    for round_ in range(ROUNDS):
        catalogue.enter_version(*entry(round_))
        catalogue.enter_batch(batch_row(round_ + 1, 1), line_rows(round_ + 1), [(poid(round_), 1)])

    def act(catalogue: Catalogue, contender: int, round_: int) -> str:
        number = round_ + 1
        stamp = stamp_row(number, token_digest=f"{contender:0128x}")
        try:
            catalogue.complete_batch(number, later(5000 + contender), [stamp])
        except (AlreadyExistsError, ConcurrentChangeError):
            return "lost"
        return stamp.token_digest

    for round_, outcome in enumerate(contend(url, act)):
        winners = [token for token in outcome if token != "lost"]
        assert len(winners) == 1
        (kept,) = catalogue.stamps(round_ + 1)
        assert kept.token_digest == winners[0]
        evidenced = catalogue.batch(round_ + 1).evidenced_at
        assert evidenced == later(5000 + int(winners[0], 16))


def test_one_segment_gets_the_next_number(url: str) -> None:
    """Two sequencers that both lost their lease: one segment is entered, the trail stays one line."""
    events = Catalogue.open(url).record_events([event_row(number) for number in range(CONTENDERS * ROUNDS)])

    def act(catalogue: Catalogue, contender: int, round_: int) -> str:
        event = events[CONTENDERS * round_ + contender]
        try:
            catalogue.sequence_events(sequenced([event], round_), segment_row(round_ + 1, round_, 1))
        except ConcurrentChangeError:
            return "lost"
        return event.event_id

    for outcome in contend(url, act):
        assert outcome.count("lost") == CONTENDERS - 1
    catalogue = Catalogue.open(url)
    assert [event.seq for event in catalogue.events()] == list(range(ROUNDS))
    assert len(catalogue.leaf_hashes(0, ROUNDS)) == ROUNDS
    assert len(catalogue.pending_events()) == (CONTENDERS - 1) * ROUNDS


def _in_a_process(url: str, contender: int) -> tuple[list[bool], list[bool], int]:
    """What one process gets: fresh claims, leases, and how many events it recorded."""
    catalogue = Catalogue.open(url)
    fresh, held = [], []
    about = version_row(1)
    for round_ in range(ROUNDS):
        mine = poid(1000 * (contender + 1) + round_)
        fresh.append(catalogue.claim(ORG, f"k{round_}", "r", mine, 1, b"x", START).fresh)
        held.append(catalogue.acquire_lease(f"lease {round_}", f"process {contender}", later(60), START))
        catalogue.record_events([event_row(1000 * (contender + 1) + round_, about)])
    catalogue.close()
    return fresh, held, ROUNDS


def test_two_processes_share_a_catalogue(url: str) -> None:
    """Locks between processes hold as those between threads do."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        futures = [pool.submit(_in_a_process, url, contender) for contender in range(2)]
        (fresh_a, held_a, _), (fresh_b, held_b, _) = [future.result(timeout=120) for future in futures]

    assert [a + b for a, b in zip(fresh_a, fresh_b, strict=True)] == [1] * ROUNDS
    assert [a + b for a, b in zip(held_a, held_b, strict=True)] == [1] * ROUNDS
    numbers = [event.object_event for event in Catalogue.open(url).events_of(poid(1))]
    assert numbers == list(range(1, 2 * ROUNDS + 1))


def test_readers_do_not_wait_for_a_writer(url: str) -> None:
    """A long write (a rebuild) leaves reading as fast as before, and unseen until it ends."""
    catalogue = Catalogue.open(url)
    catalogue.enter_version(*entry(1))

    with writing(catalogue.engine) as connection:
        connection.exec_driver_sql("UPDATE versions SET size = 99")
        assert catalogue.version(poid(1)).size == 12
    assert catalogue.version(poid(1)).size == 99
