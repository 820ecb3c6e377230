"""Reads deposited bytes so that none leaves unverified, whichever copy they come from.

Rules kept here
 * A piece (the chunk of a large file, or a whole small one) is read from one copy, hashed, compared
   with the digest in the verified description or chunk list, and only then handed on.
 * A piece that does not match is read from the next copy; the reader of the stream notices nothing,
   and `on_damage` is told once for each store, however many pieces are damaged there. With no copy left
   the stream ends in `FixityError`, never in wrong bytes.
 * Memory is bounded by one piece: a file over 4 MiB without a chunk list is verified whole in a
   first pass, which yields the chunk digests for the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from archive_core.digests import Digest, MultiHasher
from archive_core.errors import ArchiveError, FixityError
from archive_core.measure import CHUNK_DIGEST, CHUNK_SIZE
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.replication import Copies, DamageListener


@dataclass(frozen=True, slots=True)
class Piece:
    start: int
    size: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """Where a file's bytes lie in every copy and what they must be. `content_path` is relative to
    the OCFL object: `v1/content/data/a.pdf`."""

    object_id: str
    content_path: str
    size: int
    digest: Digest
    pieces: tuple[Piece, ...]

    @property
    def what(self) -> str:
        return f"{self.object_id} {self.content_path}"


def plan_pieces(size: int, digest: Digest, chunk_size: int, chunks: Sequence[Digest]) -> tuple[Piece, ...]:
    """Pieces of a file from its chunk list; one piece for a file without one.

    Raises `FixityError` when the list does not fit the size: then the list is not this file's.
    """
    if not chunks:
        return (Piece(0, size, digest),)
    if len(chunks) != -(-size // chunk_size):
        raise FixityError("a chunk digest list does not fit its file")
    return tuple(
        Piece(number * chunk_size, min(chunk_size, size - number * chunk_size), chunk)
        for number, chunk in enumerate(chunks)
    )


def stream(
    plan: ReadPlan, copies: Copies, on_damage: DamageListener, *, start: int = 0, stop: int | None = None
) -> Iterator[bytes]:
    """The bytes from `start` up to, not including, `stop`, each piece verified before it leaves."""
    told: set[str] = set()

    def once(store: str, what: str, error: ArchiveError) -> None:
        if store not in told:
            told.add(store)
            on_damage(store, what, error)

    end = plan.size if stop is None else min(stop, plan.size)
    pieces = plan.pieces
    if len(pieces) == 1 and plan.size > CHUNK_SIZE:
        pieces = copies.read_acknowledged(plan.what, lambda root: _pieces_of(root, plan), once)
    for piece in pieces:
        first, last = max(start, piece.start), min(end, piece.start + piece.size)
        if first < last or not plan.size:
            data = copies.read_acknowledged(plan.what, partial(_read_piece, plan=plan, piece=piece), once)
            yield data[first - piece.start : last - piece.start]


def _read_piece(root: StorageRoot, plan: ReadPlan, piece: Piece) -> bytes:
    with root.store.open(f"{root.object_path(plan.object_id)}/{plan.content_path}") as opened:
        opened.seek(piece.start)
        data = opened.read(piece.size)
    if len(data) != piece.size or Digest.of(piece.digest.algorithm, data) != piece.digest:
        raise FixityError(f"{plan.what} is damaged in the store {root.store.name} at byte {piece.start}")
    return data


def _pieces_of(root: StorageRoot, plan: ReadPlan) -> tuple[Piece, ...]:
    """The chunk digests of a copy that was just found good as a whole."""
    whole = MultiHasher([plan.digest.algorithm])
    chunks: list[Digest] = []
    with root.store.open(f"{root.object_path(plan.object_id)}/{plan.content_path}") as opened:
        while chunk := opened.read(CHUNK_SIZE):
            whole.update(chunk)
            chunks.append(Digest.of(CHUNK_DIGEST, chunk))
    if whole.size != plan.size or whole.digests()[plan.digest.algorithm] != plan.digest:
        raise FixityError(f"{plan.what} is damaged in the store {root.store.name}")
    return plan_pieces(plan.size, plan.digest, CHUNK_SIZE, chunks)
