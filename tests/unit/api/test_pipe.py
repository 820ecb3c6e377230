"""A stream out of a writer: bounded, honest about failure, stopped when nobody reads."""

from __future__ import annotations

import threading
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

import pytest

from api.pipe import CHUNK, streamed


def test_the_bytes_come_out_as_they_went_in() -> None:
    """Many writes of any size are the same stream."""
    pieces = [bytes([n % 251]) * (n * 977 % 90_000) for n in range(200)]

    assert b"".join(pieces) == b"".join(streamed(lambda out: [out.write(piece) for piece in pieces] and None))


def test_a_zip_can_be_written_into_it() -> None:
    """zipfile needs no seeking."""

    def write(out: BinaryIO) -> None:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("a.txt", b"a" * 100_000)

    with zipfile.ZipFile(BytesIO(b"".join(streamed(write)))) as bundle:
        assert bundle.read("a.txt") == b"a" * 100_000


def test_an_error_of_the_writer_reaches_the_reader_after_its_bytes() -> None:
    """A stream that fails does not look complete."""

    def write(out: BinaryIO) -> None:
        out.write(b"x" * CHUNK)
        raise ValueError("broken")

    chunks = streamed(write)

    assert next(chunks) == b"x" * CHUNK
    with pytest.raises(ValueError, match="broken"):
        next(chunks)


def test_a_reader_that_goes_away_stops_the_writer() -> None:
    """No thread is left behind for a client that hung up."""
    ended = threading.Event()

    def write(out: BinaryIO) -> None:
        try:
            while True:
                out.write(b"x" * CHUNK)
        finally:
            ended.set()

    chunks: Iterator[bytes] = streamed(write)
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]

    assert ended.wait(5)


def test_a_slow_reader_holds_the_writer_back() -> None:
    """The writer is never more than a few chunks ahead."""
    written = 0

    def write(out: BinaryIO) -> None:
        nonlocal written
        for _ in range(1000):
            out.write(b"x" * CHUNK)
            written += CHUNK

    chunks = streamed(write)
    next(chunks)
    time.sleep(0.3)
    ahead = written
    chunks.close()  # type: ignore[attr-defined]

    assert ahead <= 8 * CHUNK
