"""Requests side by side: one server answers many at once sooner than one after the other.

Rules kept here
 * Whoever asked is told after all have ended, so that no thread is left writing behind the caller's back.
 * A conflict is told before other errors: it is an answer, while unavailability is not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from archive_core.errors import ConflictError

T = TypeVar("T")
R = TypeVar("R")


class Pool:
    """Threads that start when they are first needed. What runs in them must not ask for more of them."""

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    def all(self, action: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """The action on all items, some at a time."""
        if len(items) < 2:
            return [action(item) for item in items]
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._count, thread_name_prefix=self._name)
            futures = [self._threads.submit(action, item) for item in items]
        errors = [error for future in futures if (error := future.exception())]
        for error in sorted(errors, key=lambda one: not isinstance(one, ConflictError)):
            raise error
        return [future.result() for future in futures]

    def close(self) -> None:
        """Let go of the threads; later work gets new ones."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=True)
