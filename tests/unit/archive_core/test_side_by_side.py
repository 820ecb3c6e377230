"""Questions to a store, side by side or one after the other, always told in their order."""

import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from archive_core.errors import StoreUnavailableError
from archive_core.ports import ObjectStore
from archive_core.side_by_side import AHEAD, side_by_side


class Near:
    name = "near"


class Far:
    name = "far"
    side_by_side = 4


def store(kind: type[Any]) -> ObjectStore:
    return cast(ObjectStore, kind())


class Asked:
    """Counts who asks at the same time; the first of each four takes longest."""

    def __init__(self) -> None:
        self.under_way = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, item: int) -> int:
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        time.sleep(0.01 if item % 4 == 0 else 0.001)
        with self.lock:
            self.under_way -= 1
        if item == 13:
            raise StoreUnavailableError("thirteen")
        return -item


@pytest.mark.parametrize(("kind", "most"), [(Far, 4), (Near, 1)])
def test_answers_come_in_order(kind: type[Any], most: int) -> None:
    """However long each takes."""
    asked = Asked()
    assert list(side_by_side(store(kind), asked, range(13))) == [-item for item in range(13)]
    assert asked.most == most


@pytest.mark.parametrize("kind", [Far, Near])
def test_an_error_comes_at_its_place(kind: type[Any]) -> None:
    """What was asked before is told first, and nobody asks on behind the taker's back."""
    asked = Asked()
    answers = side_by_side(store(kind), asked, range(100))
    assert [next(answers) for _ in range(13)] == [-item for item in range(13)]
    with pytest.raises(StoreUnavailableError, match="thirteen"):
        next(answers)
    assert asked.under_way == 0


def test_few_questions_are_ahead_of_the_taker() -> None:
    """A million objects are not asked about before the first is looked at."""
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(1000, 2000):
            taken += 1
            yield item

    answers = side_by_side(store(Far), Asked(), items())
    assert next(answers) == -1000
    assert taken <= AHEAD * Far.side_by_side
    cast(Any, answers).close()
