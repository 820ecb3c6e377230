"""A stream out of something that wants to write into a file.

Rules kept here
 * At most a few chunks are in memory, however fast the writer and however slow the reader is.
 * An error of the writer comes out at the reader; a reader that goes away stops the writer.
"""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

CHUNK = 256 * 1024
_WAITING = 4
_POLL = 0.5
"""Seconds between looks at whether the other side is still there."""


class _ReaderGoneError(BrokenPipeError):
    """Nobody reads any more."""


class _Tap(io.RawIOBase):
    """The file that the writer sees: not seekable, blocking while the reader is behind."""

    def __init__(self) -> None:
        self.chunks: queue.Queue[bytes] = queue.Queue(_WAITING)
        self.reader_gone = threading.Event()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        taken = bytes(data)
        while taken:
            if self.reader_gone.is_set():
                raise _ReaderGoneError
            try:
                self.chunks.put(taken, timeout=_POLL)
            except queue.Full:
                continue
            break
        return len(taken)


def streamed(write: Callable[[BinaryIO], None]) -> Iterator[bytes]:
    """The bytes that `write` puts into the file it is given, as they come. Runs `write` in a thread
    of its own; whatever it raises is raised here, after the bytes before it."""
    tap = _Tap()
    failure: list[BaseException] = []

    def run() -> None:
        buffered = io.BufferedWriter(tap, CHUNK)
        try:
            write(cast(BinaryIO, buffered))
            buffered.flush()
        except BaseException as error:  # noqa: BLE001 - handed to the reader, who raises it
            failure.append(error)
            tap.reader_gone.set()
        finally:
            buffered.detach()

    writer = threading.Thread(target=run, name="stream-writer", daemon=True)
    writer.start()
    try:
        yield from _until_done(tap, writer)
        if failure:
            raise failure[0]
    finally:
        tap.reader_gone.set()
        writer.join()


def _until_done(tap: _Tap, writer: threading.Thread) -> Iterator[bytes]:
    while True:
        done = not writer.is_alive()  # asked first: what was put before its end is still fetched
        try:
            yield tap.chunks.get(timeout=0 if done else _POLL) if not done else tap.chunks.get_nowait()
        except queue.Empty:
            if done:
                return
