"""Tokens judged by several processes: what one says of a token depends on that token and the instant alone.

Rules kept here
 * Each process makes a validator of its own out of the same anchors, list of algorithms and data.
 * Processes start with the first tokens and end with the one that started them, also when that is killed. One that
   dies makes an error, not a verdict.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from itertools import repeat
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Lock, Thread

from archive_core.errors import UnavailableError
from archive_core.ports import TimestampValidator, TokenAssessment

AT_ONCE = 50
"""Tokens in one request to a process."""

_validator: TimestampValidator | None = None


class JudgingPool:
    """As many processes as there are cores. `make` must be what can be pickled: a partial of a class."""

    def __init__(self, make: Callable[[], TimestampValidator]) -> None:
        self._make = make
        self._lock = Lock()
        self._pool: ProcessPoolExecutor | None = None

    def assess_many(self, tokens: Sequence[bytes], *, at: datetime) -> list[TokenAssessment]:
        """Raises `UnavailableError` when a process died."""
        groups = [tokens[start : start + AT_ONCE] for start in range(0, len(tokens), AT_ONCE)]
        try:
            return [one for found in self._started().map(_judge, groups, repeat(at)) for one in found]
        except BrokenProcessPool as error:
            with self._lock:
                self._pool = None
            raise UnavailableError("a process that judges time-stamps ended; try again") from error

    def _started(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                context = get_context("spawn")
                self._pool = ProcessPoolExecutor(
                    os.cpu_count() or 1, mp_context=context, initializer=_begin, initargs=(self._make,)
                )
            return self._pool


def _begin(make: Callable[[], TimestampValidator]) -> None:
    global _validator
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    _validator = make()


def _end_with_parent() -> None:
    """A pool's processes hold each other's pipes open: none of them would notice that nobody asks any more."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _judge(tokens: Sequence[bytes], at: datetime) -> list[TokenAssessment]:
    assert _validator is not None
    return [_validator.assess(token, at=at) for token in tokens]
