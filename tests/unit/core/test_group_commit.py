"""Callers that come at the same time share one piece of work."""

import threading
from collections.abc import Sequence

import pytest

from archive_core.errors import UnavailableError
from archive_core.group_commit import GroupCommit


class Gate:
    """Work that stops in its first group until it is let go, and remembers all groups."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.entered = threading.Event()
        self.open = threading.Event()

    def work(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        if len(self.groups) == 1:
            self.entered.set()
            assert self.open.wait(30)
        if -1 in items:
            raise ValueError("broken on purpose")
        return [item * 10 for item in items]


def caller(group: GroupCommit[int, int], item: int, answers: dict[int, object]) -> threading.Thread:
    def ask() -> None:
        try:
            answers[item] = group.submit(item)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            answers[item] = error

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def waiting(group: GroupCommit[int, int], number: int) -> None:
    """Until so many callers wait."""
    for _ in range(3000):
        with group._lock:
            if len(group._waiting) == number:
                return
        threading.Event().wait(0.01)
    raise AssertionError("the callers did not come")


def test_one_alone_is_served_at_once_and_alone() -> None:
    """No timer, no thread."""
    seen: list[Sequence[int]] = []

    def work(items: Sequence[int]) -> list[int]:
        seen.append(list(items))
        return [item + 1 for item in items]

    assert GroupCommit(work, limit=10).submit(1) == 2
    assert seen == [[1]]


def test_those_who_come_meanwhile_are_the_next_group_and_each_gets_its_own_answer() -> None:
    """The first is at work; three come; they are done together."""
    gate, answers = Gate(), {}
    group = GroupCommit(gate.work, limit=10)
    threads = [caller(group, 1, answers)]
    gate.entered.wait(30)
    for number, item in enumerate((2, 3, 4), start=1):
        threads.append(caller(group, item, answers))
        waiting(group, number)
    gate.open.set()
    for thread in threads:
        thread.join(30)

    assert gate.groups == [[1], [2, 3, 4]]
    assert answers == {1: 10, 2: 20, 3: 30, 4: 40}


def test_a_group_has_no_more_than_the_limit() -> None:
    """Those who do not fit are the group after it."""
    gate, answers = Gate(), {}
    group = GroupCommit(gate.work, limit=2)
    threads = [caller(group, 1, answers)]
    gate.entered.wait(30)
    for number, item in enumerate((2, 3, 4), start=1):
        threads.append(caller(group, item, answers))
        waiting(group, number)
    gate.open.set()
    for thread in threads:
        thread.join(30)

    assert gate.groups == [[1], [2, 3], [4]]
    assert sorted(answers) == [1, 2, 3, 4]


def test_work_that_breaks_answers_nobody_of_its_group_and_everybody_after_it() -> None:
    """The error reaches each member; the next group is served."""
    gate, answers = Gate(), {}
    group = GroupCommit(gate.work, limit=2)
    threads = [caller(group, 1, answers)]
    gate.entered.wait(30)
    for number, item in enumerate((-1, 3, 4), start=1):
        threads.append(caller(group, item, answers))
        waiting(group, number)
    gate.open.set()
    for thread in threads:
        thread.join(30)

    assert isinstance(answers[-1], ValueError)
    assert isinstance(answers[3], ValueError)
    assert answers[4] == 40
    assert group.submit(5) == 50


def test_an_interruption_of_the_one_that_works_leaves_the_others_outcome_open() -> None:
    """Ctrl-C was not meant for them; they are told to send again."""
    gate, answers = Gate(), {}

    def work(items: Sequence[int]) -> list[int]:
        made = gate.work(items)
        if 2 in items:
            raise KeyboardInterrupt
        return made

    group = GroupCommit(work, limit=10)
    threads = [caller(group, 1, answers)]
    gate.entered.wait(30)
    for number, item in enumerate((2, 3), start=1):
        threads.append(caller(group, item, answers))
        waiting(group, number)
    gate.open.set()
    for thread in threads:
        thread.join(30)

    assert isinstance(answers[2], KeyboardInterrupt)
    assert isinstance(answers[3], UnavailableError)
    assert group.submit(4) == 40


def test_work_must_answer_every_item() -> None:
    """An answer that is missing is a fault and not somebody else's answer."""
    with pytest.raises(ValueError, match="shorter"):
        GroupCommit(lambda items: [], limit=10).submit(1)


def test_a_crowd_is_served_completely() -> None:
    """Many threads, many rounds: nobody waits for ever and nobody gets another's answer."""
    group = GroupCommit(lambda items: [item * 10 for item in items], limit=7)
    wrong: list[int] = []

    def ask(start: int) -> None:
        wrong.extend(item for item in range(start, start + 200) if group.submit(item) != item * 10)

    threads = [threading.Thread(target=ask, args=(1000 * number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert not wrong
    assert not any(thread.is_alive() for thread in threads)


def test_two_groups_are_at_work_at_once_and_the_third_gathers_all_who_come_meanwhile() -> None:
    """While one group waits for its device the next begins; nobody waits for a place that is free."""
    inside, let_go = threading.Semaphore(0), threading.Event()
    groups: list[list[int]] = []

    def work(items: Sequence[int]) -> list[int]:
        groups.append(list(items))
        inside.release()
        assert let_go.wait(30)
        return list(items)

    answers: dict[int, object] = {}
    group = GroupCommit(work, limit=10, at_once=2)
    threads = []
    for item in (1, 2):
        threads.append(caller(group, item, answers))
        assert inside.acquire(timeout=30)
    for number, item in enumerate((3, 4, 5), start=1):
        threads.append(caller(group, item, answers))
        waiting(group, number)
    assert groups == [[1], [2]]
    let_go.set()
    for thread in threads:
        thread.join(30)

    assert groups == [[1], [2], [3, 4, 5]]
    assert answers == {number: number for number in range(1, 6)}


def test_a_broken_group_gives_its_place_back_and_breaks_no_other() -> None:
    """After many groups, some of them broken, there is still room for two at once."""

    def work(items: Sequence[int]) -> list[int]:
        if -1 in items:
            raise ValueError("broken on purpose")
        return list(items)

    answers: dict[int, object] = {}
    group = GroupCommit(work, limit=3, at_once=2)
    for _ in range(20):
        threads = [caller(group, item, answers) for item in (-1, 1, 2, 3, 4, 5, 6)]
        for thread in threads:
            thread.join(30)

    assert (group._busy, group._forming, list(group._waiting)) == (0, False, [])
    assert isinstance(answers[-1], ValueError)
