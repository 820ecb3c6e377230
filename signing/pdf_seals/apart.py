"""Preparing a PDF in a process of its own, and filling in what was signed.

Rules kept here
 * The process is not believed: the update begins with the document, octet for octet, and the room for the CMS is one
   hexadecimal string of zeros behind it. What is signed is the digest of everything else, taken here.
 * Nothing of the PDF is parsed in this process.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from archive_core.digests import new_hasher
from archive_core.errors import NotSealableError
from signing.examination.sandbox import Limits, run_apart
from signing.pdf_seals.request import MAX_ADDED, Step

_PIECE = 1024 * 1024
_MODULE = "signing.pdf_seals.child"


@dataclass(frozen=True, slots=True)
class Room:
    """Where the CMS goes: the octets from `start` to `end` are `<`, zeros, `>`. `digest` is the SHA-512 of all
    others."""

    start: int
    end: int
    digest: bytes


def prepare(step: Step, out: Path, limits: Limits) -> Room:
    """Write the document with the update to `out`, a new file. Raises `NotSealableError` saying why not."""
    source = Path(step.source)
    size = source.stat().st_size
    with out.open("x+b") as stream:
        words = [str(limits.memory + 3 * size), str(limits.cpu_seconds), str(stream.fileno()), str(size)]
        outcome = run_apart(_MODULE, words, step.to_bytes(), limits, descriptors=(stream.fileno(),))
        if outcome.answer is None:
            raise NotSealableError(f"this PDF cannot be sealed: {outcome.why}")
        start, end = _room(outcome.answer)
        return _checked(source, size, stream, start, end)


def _room(answer: bytes) -> tuple[int, int]:
    try:
        said = json.loads(answer)
        if isinstance(said, dict) and isinstance(said.get("refused"), str):
            raise NotSealableError(f"this PDF cannot be sealed: {said['refused'][:400]}")
        start, end = said["start"], said["end"]
    except (ValueError, KeyError, TypeError) as error:
        raise NotSealableError("this PDF cannot be sealed: its process gave no answer that can be read") from error
    if type(start) is not int or type(end) is not int:
        raise NotSealableError("this PDF cannot be sealed: its process gave no answer that can be read")
    return start, end


def _checked(source: Path, size: int, stream: IO[bytes], start: int, end: int) -> Room:
    """The update is one: the same beginning, and room for the CMS behind it."""
    whole = stream.seek(0, 2)
    if not (size < start < end <= whole <= size + MAX_ADDED):
        raise NotSealableError("this PDF cannot be sealed: what its process wrote is no update")
    stream.seek(0)
    with source.open("rb") as original:
        while piece := original.read(_PIECE):
            if stream.read(len(piece)) != piece:
                raise NotSealableError("this PDF cannot be sealed: its process changed it")
    stream.seek(start)
    room = stream.read(end - start)
    if room[:1] != b"<" or room[-1:] != b">" or room[1:-1].strip(b"0"):
        raise NotSealableError("this PDF cannot be sealed: its process left no room for a signature")
    return Room(start, end, _digest(stream, start, end))


def _digest(stream: IO[bytes], start: int, end: int) -> bytes:
    hasher = new_hasher("sha512")
    stream.seek(0)
    left = start
    while left and (piece := stream.read(min(_PIECE, left))):
        hasher.update(piece)
        left -= len(piece)
    stream.seek(end)
    while piece := stream.read(_PIECE):
        hasher.update(piece)
    return bytes(hasher.digest())


def fill(out: Path, room: Room, cms: bytes) -> None:
    """Put the CMS into its room. Raises `NotSealableError` when it is too large."""
    text = cms.hex().encode("ascii")
    space = room.end - room.start - 2
    if len(text) > space:
        raise NotSealableError(f"this PDF cannot be sealed: a seal of {len(cms)} bytes has no room")
    with out.open("r+b") as stream:
        stream.seek(room.start + 1)
        stream.write(text)
