"""The same question about very many objects of one store, in their order.

The rules this follows
 * A store that is far is asked about some at the same time, because asking it is waiting; any other about one after the
   other. What comes back, and what is raised, comes in the order of the objects.
 * Only a few questions are ahead of whoever takes the answers, however many objects there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from archive_core.ports import IsFar, ObjectStore

Item = TypeVar("Item")
Answer = TypeVar("Answer")

AHEAD = 2
"""Questions for each that is answered at the same time, so that none of the threads waits for the taker."""


def side_by_side(store: ObjectStore, ask: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
    """The answers about the items; closing the iterator waits for what is being asked."""
    if not isinstance(store, IsFar):
        yield from map(ask, items)
        return
    waiting: deque[Future[Answer]] = deque()
    with ThreadPoolExecutor(store.side_by_side, thread_name_prefix=f"far-{store.name}") as threads:
        try:
            for item in items:
                waiting.append(threads.submit(ask, item))
                if len(waiting) >= AHEAD * store.side_by_side:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
