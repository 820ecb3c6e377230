"""A stream out of something that wants to write into a file.

Rules kept here
 * At most a few chunks are in memory, however fast the writer and however slow the reader is.
 * An error of the writer comes out at the reader; a reader that goes away stops the writer.
"""

from __future__ import annotations

import contextlib
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
        self.chunks: queue.Queue[bytes | None] = queue.Queue(_WAITING)
        self.reader_gone = threading.Event()
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._waiting += data
        if len(self._waiting) >= CHUNK:
            self.hand_over()
        return len(data)

    def hand_over(self) -> None:
        """Give what has been written to the reader; raises `_ReaderGoneError`."""
        if self._waiting:
            self._put(bytes(self._waiting))
            self._waiting.clear()

    def end(self) -> None:
        """Tell the reader that nothing more comes, if there still is one."""
        with contextlib.suppress(_ReaderGoneError):
            self._put(None)

    def _put(self, chunk: bytes | None) -> None:
        while not self.reader_gone.is_set():
            try:
                self.chunks.put(chunk, timeout=_POLL)
            except queue.Full:
                continue
            return
        raise _ReaderGoneError


def streamed(write: Callable[[BinaryIO], None]) -> Iterator[bytes]:
    """The bytes that `write` puts into the file it is given, as they come. Runs `write` in a thread
    of its own; whatever it raises is raised here, after the bytes that came before it."""
    tap = _Tap()
    failure: list[BaseException] = []

    def run() -> None:
        try:
            write(cast(BinaryIO, tap))
            tap.hand_over()
        except BaseException as error:  # noqa: BLE001 - handed to the reader, who raises it
            failure.append(error)
        finally:
            tap.end()

    writer = threading.Thread(target=run, name="stream-writer", daemon=True)
    writer.start()
    try:
        while (chunk := tap.chunks.get()) is not None:
            yield chunk
        if failure:
            raise failure[0]
    finally:
        tap.reader_gone.set()
        writer.join()
