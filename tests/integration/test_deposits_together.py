"""Deposits that share the durable steps: each is answered for itself, on both databases."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core import committing
from archive_core.errors import (
    ArchiveError,
    ConcurrentChangeError,
    FixityError,
    IdempotencyConflictError,
    NameNotAcceptedError,
    StoreUnavailableError,
    SubmissionError,
)
from archive_core.lifecycle import Acknowledgement, SubmissionObject
from archive_core.ocfl.package import ArchivalPackage
from archive_core.replication import UNDER_WAY
from tests.sampling import quick_first
from tests.world import OPERATOR, World

Answer = Acknowledgement | ArchiveError


@pytest.fixture(params=quick_first(["sqlite", "postgresql"]))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = {} if request.param == "sqlite" else {"url": request.getfixturevalue("postgresql_url")}
    made = World(tmp_path, **url)
    yield made
    made.archive.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.archive.close()


def together(world: World, *submissions: SubmissionObject | ArchiveError) -> list[Answer]:
    """The answers to submissions that are deposited as one bulk."""
    answers: list[Answer] = []
    world.archive.deposit_many(submissions, actor=OPERATOR, tell=answers.append)
    for answer, submission in zip(answers, submissions, strict=True):
        if isinstance(answer, Acknowledgement) and not answer.replayed and isinstance(submission, SubmissionObject):
            files = {file.path: file.source.read_bytes() for file in submission.files}
            world.told.setdefault(answer.poid, []).append((answer, files))
    return answers


def acknowledged(answers: list[Answer]) -> list[Acknowledgement]:
    assert all(isinstance(answer, Acknowledgement) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Acknowledgement)]


def held(world: World) -> list[str]:
    return [view.poid for view in world.archive.objects(actor=OPERATOR, limit=1000)]


def test_a_bulk_is_kept_whole_in_its_order_and_proven(world: World) -> None:
    """Each is an object of its own on every store; the order is that of the words."""
    answers = together(world, *(world.submission({f"{n}.txt": b"%d" % n}) for n in range(30)))
    world.preserve()

    assert [answer.poid for answer in acknowledged(answers)] == held(world)
    world.archive.flush_trail()
    world.check()


def test_one_that_is_refused_takes_its_place_and_keeps_nobody_out(world: World) -> None:
    """Refusals before and at admission, among others; each is an event."""
    first, unreadable, unsafe, last = together(
        world,
        world.submission({"a": b"1"}),
        SubmissionError("cannot read it"),
        world.submission({"../a": b"2"}),
        world.submission({"b": b"3"}),
    )

    assert isinstance(unreadable, SubmissionError)
    assert isinstance(unsafe, NameNotAcceptedError)
    assert held(world) == [answer.poid for answer in acknowledged([first, last])]
    events = [row for row in world.archive.catalogue.pending_events() if row.type == "refusal"]
    assert [row.code for row in events] == ["submission", "name-not-accepted"]


def test_keys_mean_in_a_group_what_they_mean_one_after_the_other(world: World) -> None:
    """The same request under one key is one object; another one is a conflict."""
    one = world.submission({"a": b"1"}, key="k")
    first, again, other, free = together(
        world, one, one, world.submission({"a": b"2"}, key="k"), world.submission({"a": b"1"})
    )
    later = world.archive.deposit(one, actor=OPERATOR)

    assert isinstance(first, Acknowledgement)
    assert isinstance(again, Acknowledgement)
    assert isinstance(free, Acknowledgement)
    assert (again.poid, again.replayed) == (later.poid, later.replayed) == (first.poid, True)
    assert isinstance(other, IdempotencyConflictError)
    assert held(world) == sorted([first.poid, free.poid])


def test_a_member_that_no_store_takes_keeps_no_other_out(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the joint write fails, each is tried by itself."""
    root = small.archive.copies.roots[1]
    real = root.write_versions

    def picky(packages: list[ArchivalPackage]) -> object:
        if any("data/bad" in package.files for package in packages):
            raise FixityError("broken on purpose")
        return real(packages)

    monkeypatch.setattr(root, "write_versions", picky)
    first, bad, last = together(
        small,
        small.submission({"a": b"1"}),
        small.submission({"bad": b"2"}),
        small.submission({"b": b"3"}),
    )

    assert isinstance(bad, FixityError)
    assert held(small) == [answer.poid for answer in acknowledged([first, last])]


def test_a_store_that_is_away_is_not_asked_for_every_member(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody is told; the store is tried as a group and a few times more."""
    asked: list[int] = []

    def away(packages: list[ArchivalPackage]) -> object:
        asked.append(len(packages))
        raise StoreUnavailableError("away on purpose")

    monkeypatch.setattr(small.archive.copies.roots[1], "write_versions", away)
    answers = together(small, *(small.submission({"a": b"%d" % n}) for n in range(20)))

    assert all(isinstance(answer, StoreUnavailableError) for answer in answers)
    assert asked == [20, *[1] * committing.PATIENCE]
    assert held(small) == []


def test_what_cannot_enter_the_catalogue_together_is_entered_one_by_one(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One member's conflict at commit A is that member's answer."""
    real = small.archive.catalogue.enter_versions

    def picky(entries: list[tuple[object, list[object], object]]) -> int:
        if any("data/bad" in [file.path for file in files] for _, files, _ in entries):  # type: ignore[attr-defined]
            raise ConcurrentChangeError("broken on purpose")
        return real(entries)  # type: ignore[arg-type]

    monkeypatch.setattr(small.archive.catalogue, "enter_versions", picky)
    first, bad, last = together(
        small, small.submission({"a": b"1"}), small.submission({"bad": b"2"}), small.submission({"b": b"3"})
    )

    assert isinstance(bad, ConcurrentChangeError)
    assert held(small) == [answer.poid for answer in acknowledged([first, last])]


def test_what_was_begun_is_finished_and_told_before_an_interruption_goes_on(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of groups of two, the first two are under way when the fifth submission is interrupted."""
    monkeypatch.setattr("archive_core.bulk.GROUP", 2)
    answers: list[Answer] = []

    def submissions() -> Iterator[SubmissionObject]:
        for number in range(5):
            yield small.submission({"a": b"%d" % number})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small.archive.deposit_many(submissions(), actor=OPERATOR, tell=answers.append)

    assert [answer.poid for answer in acknowledged(answers)] == held(small)
    assert len(answers) == 4


def test_an_interruption_while_answers_are_told_loses_none(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of the answers to the first group: those to all that were begun come, once and in order."""
    monkeypatch.setattr("archive_core.bulk.GROUP", 3)
    answers: list[Answer] = []
    given: list[int] = []

    def submissions() -> Iterator[SubmissionObject]:
        for number in range(30):
            given.append(number)
            yield small.submission({"a": b"%d" % number})

    def tell(answer: Answer) -> None:
        if len(answers) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        answers.append(answer)

    with pytest.raises(KeyboardInterrupt):
        small.archive.deposit_many(submissions(), actor=OPERATOR, tell=tell)

    assert len(answers) == len(given) == 3 * (UNDER_WAY + 1)
    assert [answer.poid for answer in acknowledged(answers)] == held(small)


def test_a_crowd_shares_durable_steps_and_each_gets_its_own_answer(world: World) -> None:
    """Sixteen threads; fewer writes than deposits; everything is there, once, and proven."""
    root = world.archive.copies.roots[0]
    sizes: list[int] = []
    real = root.write_versions

    def counted(packages: list[ArchivalPackage]) -> object:
        sizes.append(len(packages))
        return real(packages)

    root.write_versions = counted  # type: ignore[method-assign, assignment]
    submissions = {
        (t, n): world.submission({"a": b"%d %d" % (t, n)}, key=f"{t} {n}") for t in range(16) for n in (1, 2)
    }
    answers: dict[tuple[int, int], Acknowledgement] = {}

    def client(number: int) -> None:
        for turn in (1, 2):
            answers[number, turn] = world.archive.deposit(submissions[number, turn], actor=OPERATOR)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    root.write_versions = real  # type: ignore[method-assign]

    assert len({answer.poid for answer in answers.values()}) == 32
    assert len(sizes) < 32
    for place, answer in answers.items():
        assert world.read(answer.poid, "a") == b"%d %d" % place
        assert world.archive.deposit(submissions[place], actor=OPERATOR).poid == answer.poid
    assert held(world) == sorted(answer.poid for answer in answers.values())


def test_one_key_from_many_threads_at_once_is_one_object(world: World) -> None:
    """Some wait for the one that is doing it; all get the same POID."""
    one = world.submission({"a": b"1"}, key="k")
    answers: list[Acknowledgement] = []
    threads = [
        threading.Thread(target=lambda: answers.append(world.archive.deposit(one, actor=OPERATOR))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(answers) == 12
    assert held(world) == list({answer.poid for answer in answers})


def test_updates_share_the_durable_steps_too(world: World) -> None:
    """Second versions of several objects at once; the first ones stay."""
    first = acknowledged(together(world, *(world.submission({"a": b"%d" % n}) for n in range(6))))
    threads = [
        threading.Thread(target=world.update, args=(told.poid, {"a": b"new %d" % n})) for n, told in enumerate(first)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    world.preserve()

    for number, told in enumerate(first):
        assert world.read(told.poid, "a") == b"new %d" % number
        assert world.read(told.poid, "a", 1) == b"%d" % number


def test_a_large_submission_does_not_hold_up_a_group(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is being written, small ones come and go."""
    monkeypatch.setattr("archive_core.deposit.LARGE", 10)
    root = small.archive.copies.roots[0]
    real = root.write_versions
    begun, go_on = threading.Event(), threading.Event()

    def slow(packages: list[ArchivalPackage]) -> object:
        if any("data/large" in package.files for package in packages):
            begun.set()
            assert go_on.wait(30)
        return real(packages)

    monkeypatch.setattr(root, "write_versions", slow)
    large = threading.Thread(target=small.deposit, args=({"large": b"x" * 100},))
    large.start()
    assert begun.wait(30)
    told = small.deposit({"a": b"1"})
    assert held(small) == [told.poid]
    go_on.set()
    large.join(30)

    assert len(held(small)) == 2
