"""A bound on processor time for one step of an examination, so that the others still are told.

Rules kept here
 * Works where signals work: in the main thread of a process. Elsewhere the process's own limit holds.
 * What is raised is no `Exception`: libraries that catch everything do not catch it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class OutOfTimeError(BaseException):
    """The step took longer than it may."""


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """Raises `OutOfTimeError` in the block when it has used that much processor time."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _out_of_time)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise OutOfTimeError
