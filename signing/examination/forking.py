"""Examining documents in processes that are forked of one which has loaded everything (`signing.examination.template`).

Rules kept here
 * The template is a fresh interpreter, as `sandbox` starts it: it has none of this process's memory, threads or
   descriptors. It is started when it is first needed, once in each process, and anew when it is gone.
 * It ends when this process does, whatever ends it, and so does what it has forked.
 * Whatever becomes of the forked process, the outcome is one that `sandbox` knows.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import BinaryIO, cast

from signing.examination.sandbox import Limits, Outcome, listen, started, why_it_ended
from signing.examination.template import DESCRIPTORS, MESSAGE, REFUSED

_GRACE = 5.0
"""Seconds that a process may take to end after its last word."""
_TRIES = 3


class Template:
    """The process of which others are forked; for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def run(self, words: Sequence[str], asked: bytes, limits: Limits) -> Outcome:
        """Run `child.main(words)` in a process of its own, with what is asked on its standard input. Raises OSError
        when no process can be started."""
        for _ in range(_TRIES):
            if (outcome := self._run(words, asked, limits)) is not None:
                return outcome
        raise OSError("the process of which others are forked ended again and again")

    def _run(self, words: Sequence[str], asked: bytes, limits: Limits) -> Outcome | None:
        """As `run`; None when the template was gone before it had forked, or with what it had forked."""
        with contextlib.ExitStack() as stack:
            given = stack.enter_context(tempfile.TemporaryFile())
            given.write(asked)
            given.seek(0)
            answer, answering = _pipe(stack)
            said, saying = _pipe(stack)
            line, far_end = socket.socketpair()
            stack.enter_context(line)
            with far_end:
                template = self._ask(words, [given.fileno(), answering.fileno(), saying.fileno(), far_end.fileno()])
            answering.close()
            saying.close()
            octets, last_words, why = listen(answer.fileno(), said.fileno(), limits)
            if why:
                return Outcome(None, why)
            line.settimeout(_GRACE)
            status = b""
            with contextlib.suppress(TimeoutError, ConnectionError):
                status = line.recv(MESSAGE)
            if status.startswith(REFUSED.encode()):
                raise OSError(status[1:].decode("utf-8", "replace"))
            if not status:
                return None if _has_ended(template) else Outcome(None, "its process ended, and nobody told how")
            code = int(status)
            return Outcome(octets) if code == 0 else Outcome(None, why_it_ended(code, last_words))

    def _ask(self, words: Sequence[str], descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
        """Returns the template that was asked."""
        assert len(descriptors) == DESCRIPTORS
        message = [json.dumps(list(words)).encode("ascii")]
        with self._lock:
            if self._process is None or self._pid != os.getpid() or self._process.poll() is not None:
                self._start()
            try:
                socket.send_fds(self._connected(), message, descriptors)
            except (BrokenPipeError, ConnectionError):  # it ended since
                self._start()
                socket.send_fds(self._connected(), message, descriptors)
            assert self._process is not None
            return self._process

    def _connected(self) -> socket.socket:
        assert self._connection is not None
        return self._connection

    def _start(self) -> None:
        self._forget()
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = started("signing.examination.template", [str(its.fileno())], descriptors=[its.fileno()])
        self._connection, self._pid = ours, os.getpid()

    def _forget(self) -> None:
        """Let go of a template that is gone, or that another process started of which this one is a copy."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None and self._pid == os.getpid():
            self._process.wait()
        self._connection = self._process = None

    def close(self) -> None:
        """End the template, if there is one."""
        with self._lock:
            self._forget()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(0.5)  # its descriptors are closed a moment before it is gone
    except subprocess.TimeoutExpired:
        return False
    return True


def _pipe(stack: contextlib.ExitStack) -> tuple[BinaryIO, BinaryIO]:
    """Both ends, closed with the stack at the latest."""
    reading, writing = os.pipe()
    return (
        cast(BinaryIO, stack.enter_context(os.fdopen(reading, "rb", buffering=0))),
        cast(BinaryIO, stack.enter_context(os.fdopen(writing, "wb", buffering=0))),
    )
