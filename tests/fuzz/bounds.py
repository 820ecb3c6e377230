"""One input, within its bounds: CPU time of this thread and growth of the process's memory.

CPU time, not time of day: a loaded machine is no defect. What never ends is stopped by an alarm.
"""

from __future__ import annotations

import resource
import signal
import time
from types import FrameType

from tests.fuzz.target import Target

STUCK = 20.0
"""Seconds of CPU time after which an input that has not ended is broken off."""


class BoundsError(AssertionError):
    """An input cost more time or memory than any input may."""


def run_bounded(target: Target, data: bytes, *, slower: float = 1.0) -> bool:
    """Run a target over one input; raises `BoundsError`, and whatever defect the target shows.

    `slower` is by how much instrumentation slows the code down.
    """
    peak = _peak()
    before = signal.signal(signal.SIGPROF, _stuck)
    signal.setitimer(signal.ITIMER_PROF, STUCK * slower)
    started = time.thread_time()
    try:
        accepted = target.run(data)
    finally:
        spent = time.thread_time() - started
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    if spent > target.seconds * slower:
        raise BoundsError(f"{len(data)} bytes took {spent:.2f} s of CPU time")
    if _peak() - peak > target.memory:
        raise BoundsError(f"{len(data)} bytes took {(_peak() - peak) >> 20} MiB of memory")
    return accepted


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _stuck(_number: int, _frame: FrameType | None) -> None:
    raise BoundsError(f"not done after {STUCK} s of CPU time")
