"""Several processes do the same thing at the same moment, and it is done once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from archive_core.archive import Archive
from archive_core.errors import ArchiveError, ConflictError
from tests.lifetimes.conftest import Fresh
from tests.lifetimes.crash_world import GROUP, NEW, STORIES, Trial, all_at_once, judge
from tests.world import OPERATOR

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("prepared", ["sqlite", "postgresql"], indirect=True)
PROCESSES = 3


def _once_and_whole(trial: Trial, name: str) -> None:
    judge(trial, STORIES[name], retry=False)
    rows = trial.archive.catalogue.batches()
    versions = trial.archive.objects(actor=OPERATOR)
    members = [(member.poid, member.version) for row in rows for member in trial.archive.catalogue.members(row.number)]

    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert len(members) == len(set(members)) == sum(row.leaf_count for row in rows)
    assert {view.poid for view in versions} == {poid for poid, _ in members}


@BOTH
def test_the_same_keyed_deposit_is_one_object(fresh: Fresh) -> None:
    """Every client gets the same POID."""
    with fresh() as trial:
        before = len(trial.told)
        outcomes = all_at_once(trial, STORIES["keyed-deposit"], PROCESSES)
        _once_and_whole(trial, "keyed-deposit")

        assert len(set(outcomes)) == 1
        assert outcomes[0].endswith(" 1")
        assert len(trial.archive.objects(actor=OPERATOR)) == before + 1
        assert {path: trial.read(outcomes[0][:32], path) for path in NEW} == NEW


@BOTH
def test_the_same_group_of_deposits_is_there_once(fresh: Fresh) -> None:
    """Each process is told the same objects for the keys of the group."""
    with fresh() as trial:
        before = len(trial.told)
        outcomes = all_at_once(trial, STORIES["group"], PROCESSES)
        _once_and_whole(trial, "group")

        assert outcomes == ["done"] * PROCESSES
        assert len(trial.archive.objects(actor=OPERATOR)) == before + len(GROUP)


@BOTH
def test_the_same_update_with_a_key_is_one_version(fresh: Fresh) -> None:
    """Every client is told version 2."""
    with fresh() as trial:
        outcomes = all_at_once(trial, STORIES["keyed-update"], PROCESSES)
        trial.restart()

        assert set(outcomes) == {f"{trial.first} 2"}
        assert trial.archive.show(trial.first, actor=OPERATOR).version == 2


@BOTH
def test_the_same_update_without_a_key_makes_one_version(fresh: Fresh) -> None:
    """Whoever comes second is told to read again, or makes the version after: none is lost, none half."""
    with fresh() as trial:
        outcomes = all_at_once(trial, STORIES["update"], PROCESSES)
        versions = sorted(outcome for outcome in outcomes if outcome.startswith(trial.first))
        refused = [outcome for outcome in outcomes if not outcome.startswith(trial.first)]
        trial.restart()
        shown = trial.archive.show(trial.first, actor=OPERATOR)

        assert versions
        assert versions == [f"{trial.first} {number}" for number in range(2, 2 + len(versions))]
        assert set(refused) <= {"concurrent-change"}
        assert shown.version == 1 + len(versions)
        trial.preserve()
        trial.check()


@BOTH
def test_evidence_is_made_once(fresh: Fresh) -> None:
    """Nothing lies in two batches, no number is skipped, and each batch has one token for each line."""
    with fresh() as trial:
        outcomes = all_at_once(trial, STORIES["preserve"], PROCESSES)
        trial.restart()
        stamped = [len(trial.archive.catalogue.stamps(row.number)) for row in trial.archive.catalogue.batches()]
        lines = [len(trial.archive.catalogue.lines(row.number)) for row in trial.archive.catalogue.batches()]
        tokens = trial.files("one", ".tst")
        _once_and_whole(trial, "preserve")

        assert outcomes == ["done"] * PROCESSES
        assert stamped == lines
        assert len(tokens) == sum(lines)


@BOTH
def test_the_trail_takes_each_event_once(fresh: Fresh) -> None:
    """Segments follow each other without gap; nothing is in two of them."""
    with fresh() as trial:
        pending = len(trial.archive.catalogue.pending_events())
        last = trial.archive.catalogue.last_segment()
        assert pending
        assert last
        outcomes = all_at_once(trial, STORIES["flush"], PROCESSES)
        trial.restart()
        now = trial.archive.catalogue.last_segment()
        _once_and_whole(trial, "flush")

        assert outcomes == ["done"] * PROCESSES
        assert now
        assert now.size == last.size + pending


def test_other_bytes_under_the_key_are_a_conflict_for_everyone_else(fresh: Fresh) -> None:
    """Also in another process, after the first one was told."""
    with fresh() as trial:
        all_at_once(trial, STORIES["keyed-deposit"], PROCESSES)
        trial.restart()
        with pytest.raises(ConflictError):
            trial.deposit({"other": b"bytes"}, key="new")
        trial.archive.close()
        trial.restart()


# -- without the lease ------------------------------------------------------------------------


@contextmanager
def _no_lease(*_: object, **__: object) -> Iterator[None]:
    yield


def _sleepwalk(archive: Archive, order: tuple[str, str], written: dict[str, threading.Event], other: str) -> None:
    """Make an archive go on without its leases, as after a long sleep, and reach the stores in an order
    such that another process is in between: each waits for the other's first write, but not for ever."""
    archive._preservation._holder.hold = _no_lease  # type: ignore[method-assign]
    archive._preservation._holder.renew = lambda: None  # type: ignore[method-assign]
    for root in archive.copies.roots:
        real, name = root.write_version, root.store.name

        def write(package: object, real: object = real, name: str = name) -> object:
            if ":ba" in getattr(package, "object_id", "") and name == order[1]:
                written[other].wait(2)
            assert callable(real)
            done = real(package)
            if ":ba" in getattr(package, "object_id", ""):
                written[order[0]].set()
            return done

        root.write_version = write  # type: ignore[assignment,method-assign]


def test_two_processes_that_lost_their_leases_do_not_split_the_stores(fresh: Fresh) -> None:
    """One of them would win on store one, the other on store two; but the first store decides for both."""
    with fresh() as trial:
        other = trial.open()
        written = {"one": threading.Event(), "two": threading.Event()}
        trial.archive.flush_trail()
        _sleepwalk(trial.archive, ("one", "two"), written, "two")
        _sleepwalk(other, ("two", "one"), written, "one")

        def work(archive: Archive) -> None:
            try:
                archive.preserve(actor=OPERATOR)
            except ArchiveError:
                return  # the loser may be told so; what counts is what the stores hold

        threads = [threading.Thread(target=work, args=(archive,)) for archive in (trial.archive, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        other.close()
        _once_and_whole(trial, "preserve")
