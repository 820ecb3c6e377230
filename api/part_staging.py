"""Where the bytes of arriving parts go: into memory while there is room for small ones, else into staged files.

Rules kept here
 * Memory is bounded by the room, however many parts there are; a room may be shared by several stagings.
 * What a staging created is gone after `clear`, whatever happened before, and its room is given back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from api.multipart import PartData, PartStart
from api.refusals import MalformedUploadError, StagingUnavailableError
from archive_core import processes
from archive_core.digests import Digest, MultiHasher
from archive_core.errors import DigestMismatchError
from archive_core.identifiers import new_token
from archive_core.measure import SMALL
from archive_core.ports import KnownBytes

IN_MEMORY = 1024 * 1024
"""Bytes of small files that one upload may keep in memory; what does not fit is staged."""

PREFIX = "upload-"
"""Staged files are named `upload-<process>-<token>-<number>`, so that what a crash left can be told apart."""


class Room:
    """How many bytes may still be kept in memory. One request has one room: it is not for several threads."""

    def __init__(self, size: int) -> None:
        self.left = size


class PartStaging:
    """Keeps the content of parts until `clear`."""

    def __init__(self, staging: Path, room: Room) -> None:
        self._base = staging / f"{PREFIX}{processes.this_process()}{new_token()}"
        self._room = room
        self._taken = 0
        self._created: list[Path] = []

    def keep(self, pieces: Iterator[bytes], claims: Iterable[str]) -> tuple[Path | KnownBytes, dict[str, Digest]]:
        """What comes in, all of it, with its SHA-512 and the digests that claims are made by; raises
        `StagingUnavailableError` and whatever the pieces raise."""
        hasher = MultiHasher({"sha512", *claims})
        source = self._source(hashed(pieces, hasher))
        return source, hasher.digests()

    def _source(self, pieces: Iterator[bytes]) -> Path | KnownBytes:
        begun = bytearray()
        for piece in pieces:
            begun += piece
            if len(begun) > min(SMALL, self._room.left):
                return self._file(chain([begun], pieces))
        self._room.left -= len(begun)
        self._taken += len(begun)
        return KnownBytes(begun)

    def clear(self) -> None:
        while self._created:
            self._created.pop().unlink(missing_ok=True)
        self._room.left += self._taken
        self._taken = 0

    def _file(self, pieces: Iterable[bytes | bytearray]) -> Path:
        source = Path(f"{self._base}-{len(self._created)}")
        try:
            with source.open("xb") as out:
                self._created.append(source)
                for piece in pieces:
                    out.write(piece)
        except OSError as error:
            raise StagingUnavailableError(f"the upload cannot be taken in: {error.strerror}") from error
        return source


def data_of(parts: Iterator[PartStart | PartData]) -> Iterator[bytes]:
    """The bytes of the part that has just begun."""
    for part in parts:
        if isinstance(part, PartStart):
            raise MalformedUploadError("a part begins inside another")
        yield part.data
        if part.last:
            return
    raise MalformedUploadError("a part does not end")


def hashed(pieces: Iterator[bytes], hasher: MultiHasher) -> Iterator[bytes]:
    """The same pieces, which the hasher has seen."""
    for piece in pieces:
        hasher.update(piece)
        yield piece


def verify_claims(path: str, claims: dict[str, str], found: dict[str, Digest]) -> None:
    """Raises `DigestMismatchError` unless what was claimed, by our names in hexadecimal, was found."""
    for name, value in claims.items():
        if found[name].hex != value:
            raise DigestMismatchError(
                f"{path[:80]!a} arrived with another {name} than claimed: send it again",
                path=path,
                algorithm=name,
                claimed=value,
                found=found[name].hex,
            )
