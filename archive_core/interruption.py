"""Ctrl-C waits until what must not be torn apart is done.

Rules kept here
 * While it is held, SIGINT is remembered and is raised at the end of the block, never lost.
 * A second SIGINT is an order: it interrupts at once.
 * Signals reach the main thread alone; elsewhere there is nothing to hold.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruption_held() -> Iterator[None]:
    """Postpones a first SIGINT to the end of the block; raises there what its handler raises."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def remember(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = signal.getsignal(signal.SIGINT)
    if before is None or before is signal.SIG_IGN:  # not Python's, or nobody listens
        yield
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if asked:
            signal.raise_signal(signal.SIGINT)
