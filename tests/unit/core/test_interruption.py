"""Ctrl-C is held back, and never lost."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from archive_core.interruption import interruption_held


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interruption_waits_for_the_end_of_the_block() -> None:
    """What is in the block is done; what comes after it is not."""
    done = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - where it is raised is the claim
        with interruption_held():
            interrupt()
            done.append("held")
        done.append("after")
    assert done == ["held"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interruption_is_not_held() -> None:
    """Whoever presses twice means it."""
    done = []
    with pytest.raises(KeyboardInterrupt), interruption_held():  # noqa: PT012
        interrupt()
        done.append("held")
        interrupt()
        done.append("not reached")
    assert done == ["held"]


def test_a_block_within_another_ends_it() -> None:
    """Each block lets out what it held; the outer one then holds it."""
    done = []
    with pytest.raises(KeyboardInterrupt), interruption_held():  # noqa: PT012
        with interruption_held():
            interrupt()
        done.append("outer")
    assert done == ["outer"]


def test_an_error_in_the_block_is_not_hidden() -> None:
    """The interruption comes with the error that it followed."""
    with pytest.raises(KeyboardInterrupt) as caught, interruption_held():  # noqa: PT012
        interrupt()
        raise OSError("disk")
    assert isinstance(caught.value.__context__, OSError)


def test_nothing_is_held_in_another_thread() -> None:
    """There, signals do not arrive."""
    handlers = []

    def work() -> None:
        with interruption_held():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


def test_who_ignores_interruptions_goes_on_ignoring_them() -> None:
    """`nohup` and the like."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruption_held():
            interrupt()
    finally:
        signal.signal(signal.SIGINT, before)
